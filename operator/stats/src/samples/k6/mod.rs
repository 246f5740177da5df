//! k6's CSV output: one row per metric, nine rows per HTTP request.
//!
//! Source: k6 1.1, `output/csv` and `lib/netext/httpext`. The columns after the first three are system tags.
//!
//! # What is counted
//!
//! * A request is a block of rows that `http_reqs` opens; `http_req_duration`, `http_req_connecting`,
//!   `http_req_tls_handshaking` and `http_req_waiting` of the same request follow it, paired by their **order**: k6 writes a
//!   block as one, but it may reach us in pieces. Redirects are requests of their own, as in k6's summary.
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
//! * Checks, groups, iterations, WebSocket and gRPC metrics and the script's own metrics are no requests and are skipped.

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
    phase: Phase,
    active_users: Option<u32>,
    ends: Box<Ends>,
}

/// Where we are among the rows of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Behind the last row that we need of a request.
    Between,
    /// Within a request whose first row is at that place.
    Within { since: u64 },
    /// Within a request of which a row made no sense; it was counted as malformed.
    Broken,
}

impl K6 {
    pub(super) fn new(active_users: Option<u32>) -> Self {
        Self {
            columns: Columns::default(),
            block: Block::default(),
            phase: Phase::Between,
            active_users,
            ends: Box::new([0; MAXIMUM_COLUMNS]),
        }
    }

    /// The newest number of users.
    pub(super) fn active_users(&self) -> Option<u32> {
        self.active_users
    }

    /// Where a request begins of which not all rows were there.
    pub(super) fn open_since(&self) -> Option<u64> {
        match self.phase {
            Phase::Within { since } => Some(since),
            Phase::Between | Phase::Broken => None,
        }
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
        let metric = row.split(self.columns.metric, &mut self.ends).field(self.columns.metric);
        match metric {
            b"http_reqs" => self.open(row, place, tally, sink),
            b"http_req_duration" => self.measure(row, Part::Duration, tally, sink),
            b"http_req_connecting" => self.measure(row, Part::Connecting, tally, sink),
            b"http_req_tls_handshaking" => self.measure(row, Part::Handshaking, tally, sink),
            b"http_req_waiting" => self.measure(row, Part::Waiting, tally, sink),
            b"vus" => match self.value(row) {
                Some(thousandths) => {
                    self.active_users = Some(users(thousandths / 1000));
                    Taken::Done
                }
                None => Taken::Odd,
            },
            b"metric_name" => Taken::Odd,
            _ => Taken::Done,
        }
    }

    fn open(&mut self, row: &Row<'_>, place: u64, tally: &mut Tally, sink: &mut impl FnMut(Sample<'_>)) -> Taken {
        if let Phase::Within { .. } = self.phase {
            match self.block.sample(self.active_users) {
                Some(sample) => tally.give(sample, sink),
                None => tally.malformed += 1,
            }
        }
        let fields = row.split_all(&mut self.ends);
        match self.block.open(&self.columns, &fields) {
            Some(()) => {
                self.phase = Phase::Within { since: place };
                Taken::Done
            }
            None => {
                self.phase = Phase::Broken;
                Taken::Odd
            }
        }
    }

    fn measure(&mut self, row: &Row<'_>, part: Part, tally: &mut Tally, sink: &mut impl FnMut(Sample<'_>)) -> Taken {
        match self.phase {
            Phase::Within { .. } => {}
            // A duration without its request: the beginning of the file is missing.
            Phase::Between if part == Part::Duration => return Taken::Odd,
            Phase::Between | Phase::Broken => return Taken::Done,
        }
        let Some(microseconds) = self.value(row) else {
            self.phase = Phase::Broken;
            return Taken::Odd;
        };
        self.block.measure(part, microseconds);
        if self.block.is_complete()
            && let Some(sample) = self.block.sample(self.active_users)
        {
            tally.give(sample, sink);
            self.phase = Phase::Between;
        }
        Taken::Done
    }

    /// The value of a row, a thousandfold.
    fn value(&mut self, row: &Row<'_>) -> Option<u64> {
        decimal_milliseconds(row.split(self.columns.value, &mut self.ends).field(self.columns.value))
    }
}
