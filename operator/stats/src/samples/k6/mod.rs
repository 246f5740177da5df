//! k6's CSV output: one row per metric, nine rows per HTTP request.
//!
//! Source: k6 1.1, `output/csv` and `lib/netext/httpext`. The columns after the first three are system tags.
//!
//! # What is counted
//!
//! * A request is a block of rows that `http_reqs` opens; `http_req_duration`, `http_req_connecting`,
//!   `http_req_tls_handshaking` and `http_req_waiting` of the same request follow it, paired by their **order**: k6 writes a
//!   block as one, but it may reach us in pieces. Any other row ends it. Redirects are requests of their own, as in k6's summary.
//! * Success is k6's own judgement (`expected_response`, what `http_req_failed` counts). Where the script has turned it off,
//!   a request failed if it has an error, an error code or a status of 400 and more.
//! * The label is the tag `name`, as in Taurus; groups do not change it. The code is the status, or k6's error code
//!   (`1212`) where there was no response; the message is the tag `error`, which is empty where only the status was wrong.
//! * k6 stamps the end of a request, by default in whole seconds; milliseconds, microseconds and nanoseconds are told
//!   by their size. The start is the stamp less the duration, so with whole seconds both are up to 1 s early.
//! * The duration is k6's `http_req_duration` (sending, waiting, receiving: without connecting), the time to the first byte
//!   its `http_req_waiting`, the time to connect `http_req_connecting` plus `http_req_tls_handshaking`.
//! * Active users are the newest row of `vus`, which k6 writes once a second.
//! * Bytes are 0: k6 counts them per iteration (`data_received`), not per request, and any share would be invented.
//!   Taurus adds a second's bytes to *each* request of that second.
//! * A gRPC call is one row, `grpc_req_duration`; it failed if its status is not 0 (`OK`). A stream is one call, from its
//!   beginning to its end. Taurus does not count calls.
//! * Checks, groups, iterations, WebSocket sessions and the script's own metrics are no requests and are skipped.

mod block;
mod columns;

use block::{Block, Part};
use columns::Columns;

use super::Sample;
use super::parser::{Taken, Tally};
use super::rows::{Ends, MAXIMUM_COLUMNS, Row};
use super::values::{decimal_milliseconds, users};

/// Reads the rows of one file.
pub(super) struct K6 {
    columns: Columns,
    block: Block,
    /// Where the request begins of which `block` holds the rows so far; none between two requests.
    open_since: Option<u64>,
    active_users: Option<u32>,
    ends: Box<Ends>,
}

/// What a row measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Metric {
    /// The first row of a request.
    Request,
    /// A time of a request that we need.
    Time(Part),
    /// Another row of a request.
    OtherTime,
    Call,
    Users,
    /// No metric: the name of the column.
    Header,
    Other,
}

impl Metric {
    fn named(name: &[u8]) -> Self {
        match name {
            b"http_reqs" => Self::Request,
            b"http_req_duration" => Self::Time(Part::Duration),
            b"http_req_connecting" => Self::Time(Part::Connecting),
            b"http_req_tls_handshaking" => Self::Time(Part::Handshaking),
            b"http_req_waiting" => Self::Time(Part::Waiting),
            b"grpc_req_duration" => Self::Call,
            b"vus" => Self::Users,
            b"metric_name" => Self::Header,
            _ if name.starts_with(b"http_req_") => Self::OtherTime,
            _ => Self::Other,
        }
    }
}

impl K6 {
    pub(super) fn new(active_users: Option<u32>) -> Self {
        Self {
            columns: Columns::default(),
            block: Block::default(),
            open_since: None,
            active_users,
            ends: Box::new([0; MAXIMUM_COLUMNS]),
        }
    }

    /// The newest number of users.
    pub(super) fn active_users(&self) -> Option<u32> {
        self.active_users
    }

    /// Where the request begins of which not all rows were there.
    pub(super) fn open_since(&self) -> Option<u64> {
        self.open_since
    }

    /// Takes a header, or nothing where it lacks columns: their names.
    pub(super) fn take_header(&mut self, names: &[String]) -> Result<(), Vec<&'static str>> {
        self.columns = Columns::read(names)?;
        Ok(())
    }

    /// Takes the row that begins at `place`.
    pub(super) fn take_row(
        &mut self,
        row: &Row<'_>,
        place: u64,
        tally: &mut Tally,
        sink: &mut impl FnMut(Sample<'_>),
    ) -> Taken {
        let metric = Metric::named(row.split(self.columns.metric, &mut self.ends).field(self.columns.metric));
        match metric {
            Metric::Time(part) => return self.measure(row, part, tally, sink),
            Metric::OtherTime => return Taken::Done,
            Metric::Request | Metric::Call | Metric::Users | Metric::Header | Metric::Other => {}
        }
        self.end_request(tally, sink);
        match metric {
            Metric::Request => self.open(row, place),
            Metric::Call => self.call(row, tally, sink),
            Metric::Users => self.count_users(row),
            Metric::Header => Taken::Odd,
            Metric::Time(_) | Metric::OtherTime | Metric::Other => Taken::Done,
        }
    }

    /// Says that the next row cannot belong to the request of the one before.
    pub(super) fn end_request(&mut self, tally: &mut Tally, sink: &mut impl FnMut(Sample<'_>)) {
        if self.open_since.take().is_some() {
            match self.block.sample(self.active_users) {
                Some(sample) => tally.give(sample, sink),
                None => tally.malformed += 1,
            }
        }
    }

    fn open(&mut self, row: &Row<'_>, place: u64) -> Taken {
        let fields = row.split_all(&mut self.ends);
        if self.block.open(&self.columns, &fields).is_none() {
            return Taken::Odd;
        }
        self.open_since = Some(place);
        Taken::Done
    }

    fn measure(&mut self, row: &Row<'_>, part: Part, tally: &mut Tally, sink: &mut impl FnMut(Sample<'_>)) -> Taken {
        if self.open_since.is_none() {
            // A duration without the first row of its request is a sample that is lost; the other times lose nothing more.
            return if part == Part::Duration { Taken::Odd } else { Taken::Done };
        }
        let Some(microseconds) = self.value(row) else {
            self.open_since = None;
            return Taken::Odd;
        };
        self.block.measure(part, microseconds);
        if self.block.is_complete() {
            self.end_request(tally, sink);
        }
        Taken::Done
    }

    fn count_users(&mut self, row: &Row<'_>) -> Taken {
        let Some(thousandths) = self.value(row) else { return Taken::Odd };
        self.active_users = Some(users(thousandths / 1000));
        Taken::Done
    }

    /// A gRPC call: a request of one row.
    fn call(&mut self, row: &Row<'_>, tally: &mut Tally, sink: &mut impl FnMut(Sample<'_>)) -> Taken {
        let Some(elapsed_us) = self.value(row) else { return Taken::Odd };
        let fields = row.split_all(&mut self.ends);
        let mut call = Block::default();
        match call.open_call(&self.columns, &fields, elapsed_us).and_then(|()| call.sample(self.active_users)) {
            Some(sample) => {
                tally.give(sample, sink);
                Taken::Done
            }
            None => Taken::Odd,
        }
    }

    /// The value of a row, a thousandfold.
    fn value(&mut self, row: &Row<'_>) -> Option<u64> {
        decimal_milliseconds(row.split(self.columns.value, &mut self.ends).field(self.columns.value))
    }
}
