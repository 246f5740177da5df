//! JMeter's CSV format, which Locust (through Taurus), Apiritif, and the worker for any other executor write too.
//!
//! Sources: JMeter's user manual, "CSV Log format"; the JTL writers of Taurus' Locust wrapper and of Apiritif's load generator.
//!
//! * JMeter and Apiritif stamp the start of a sample, Locust its end, the worker the whole second of its end.
//! * JMeter's `Non HTTP response code: java.net.SocketException` becomes the code `SocketException`, as in Taurus' reports,
//!   and `Non HTTP response message: ` is taken off the message. A sample that failed by an assertion has the code and
//!   message of its good response; its message here is JMeter's `failureMessage` where the file has it.
//! * Rows of JMeter's Transaction Controller are told by their message and are of their own kind.
//! * Locust: code 200 or 500 where there was no HTTP error, so a refused connection has code 500 and says it in its message.
//! * Apiritif: a response is a success whatever its code, unless the script asserts something. We count as the engine does.

mod columns;

use columns::Columns;

use super::parser::{Taken, Tally};
use super::rows::{Ends, Fields, MAXIMUM_COLUMNS, Row};
use super::values::{label, milliseconds, number, optional, text, users};
use super::{Engine, Sample, SampleKind};

/// How JMeter's Transaction Controller begins the message of its rows.
const TRANSACTION_MESSAGE: &[u8] = b"Number of samples in transaction";
/// What JMeter puts before the exception's class where there was no response.
const NO_RESPONSE_CODE: &str = "Non HTTP response code: ";
/// What JMeter puts before the exception's message.
const NO_RESPONSE_MESSAGE: &str = "Non HTTP response message: ";

/// Reads the rows of one file.
pub(super) struct Jtl {
    engine: Engine,
    columns: Columns,
    ends: Box<Ends>,
}

impl Jtl {
    pub(super) fn new(engine: Engine) -> Self {
        Self { engine, columns: Columns::default(), ends: Box::new([0; MAXIMUM_COLUMNS]) }
    }

    /// Takes a header, or nothing where it lacks columns: their names.
    pub(super) fn take_header(&mut self, names: &[String]) -> Result<(), Vec<&'static str>> {
        self.columns = Columns::read(self.engine, names)?;
        Ok(())
    }

    pub(super) fn take_row(&mut self, row: &Row<'_>, tally: &mut Tally, sink: &mut impl FnMut(Sample<'_>)) -> Taken {
        let fields = row.split_all(&mut self.ends);
        match read_sample(self.engine, &self.columns, &fields, tally, sink) {
            Some(()) => Taken::Done,
            None => Taken::Odd,
        }
    }
}

/// Reads a row; nothing where it makes no sense.
fn read_sample(
    engine: Engine,
    columns: &Columns,
    row: &Fields<'_>,
    tally: &mut Tally,
    sink: &mut impl FnMut(Sample<'_>),
) -> Option<()> {
    if row.columns() != columns.count {
        return None;
    }
    let stamp_us = i64::try_from(milliseconds(row.field(columns.time_stamp))?).ok()?;
    let elapsed_us = milliseconds(row.field(columns.elapsed))?;
    let elapsed = i64::try_from(elapsed_us).ok()?;
    let (start_us, end_us) = match engine {
        Engine::Locust | Engine::Taurus => (stamp_us.checked_sub(elapsed)?, stamp_us),
        _ => (stamp_us, stamp_us.checked_add(elapsed)?),
    };
    let success = match row.field(columns.success) {
        b"true" | b"True" | b"TRUE" => true,
        b"false" | b"False" | b"FALSE" => false,
        _ => return None,
    };
    let raw_message = row.field(columns.message);
    let kind = if engine == Engine::JMeter && raw_message.starts_with(TRANSACTION_MESSAGE) {
        SampleKind::Transaction
    } else {
        SampleKind::Request
    };
    let code = row.field(columns.code);
    let failure_message = row.field(columns.failure_message);
    let raw_message = if !success && !failure_message.is_empty() && code.first() == Some(&b'2') {
        failure_message
    } else {
        raw_message
    };
    let name = text(row.field(columns.label));
    let code = text(code);
    let message = text(raw_message);
    let sample = Sample {
        kind,
        label: label(&name),
        start_us,
        end_us,
        elapsed_us,
        first_byte_us: optional(row.field(columns.latency), milliseconds)?,
        connect_us: optional(row.field(columns.connect), milliseconds)?,
        bytes: optional(row.field(columns.bytes), number)?,
        code: simple_code(&code),
        message: message.strip_prefix(NO_RESPONSE_MESSAGE).unwrap_or(&message),
        success,
        active_users: optional(row.field(columns.all_threads), number)?.map(users),
    };
    tally.give(sample, sink);
    Some(())
}

/// The exception's simple name where JMeter wrote its full one, as Taurus does.
fn simple_code(code: &str) -> &str {
    code.strip_prefix(NO_RESPONSE_CODE).map_or(code, |class| class.rsplit('.').next().unwrap_or(class))
}
