//! The incremental parser of a sample file.

use std::borrow::Cow;

use super::columns::Columns;
use super::rows::{Event, Row, Rows};
use super::{Engine, MAXIMUM_ROW_BYTES, Sample, SampleKind};

/// How JMeter's Transaction Controller begins the message of its rows.
const TRANSACTION_MESSAGE: &[u8] = b"Number of samples in transaction";
/// What JMeter puts before the exception's class where there was no response.
const NO_RESPONSE_CODE: &str = "Non HTTP response code: ";
/// What JMeter puts before the exception's message.
const NO_RESPONSE_MESSAGE: &str = "Non HTTP response message: ";
/// What Taurus calls a sample without a name.
const EMPTY_LABEL: &str = "[empty]";

/// Why a file cannot be read as samples.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The first row lacks columns.
    #[error("sample file of {engine} has no column {missing}; its first row is '{found}'")]
    Header {
        /// The engine whose columns were expected.
        engine: Engine,
        /// Names of the missing columns.
        missing: String,
        /// The first row, at most 200 characters.
        found: String,
    },
    /// The first row is too long to be a header.
    #[error("sample file of {engine} begins with a row of more than {MAXIMUM_ROW_BYTES} bytes, which is no header")]
    HeaderTooLong {
        /// The engine whose columns were expected.
        engine: Engine,
    },
}

/// Turns the bytes of a growing sample file into samples.
///
/// Columns are found by the names in the first row; a header may come again (a second start appends to the file).
/// A row without its line end is kept until the rest arrives. Rows that make no sense are counted and skipped.
/// Bytes that are not UTF-8 are replaced by `U+FFFD`. Memory is one row of at most [`MAXIMUM_ROW_BYTES`].
///
/// JMeter's `Non HTTP response code: java.net.SocketException` becomes the code `SocketException`, as in Taurus'
/// reports, and `Non HTTP response message: ` is taken off the message.
pub struct Parser {
    rows: Rows,
    state: State,
}

struct State {
    engine: Engine,
    columns: Option<Columns>,
    failure: Option<ParseError>,
    samples: u64,
    malformed: u64,
}

impl Parser {
    /// A parser at the beginning of a file.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self { rows: Rows::new(), state: State { engine, columns: None, failure: None, samples: 0, malformed: 0 } }
    }

    /// The engine whose file this is.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.state.engine
    }

    /// Samples given out so far.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.state.samples
    }

    /// Rows that were skipped because they are too long or make no sense.
    #[must_use]
    pub fn malformed(&self) -> u64 {
        self.state.malformed
    }

    /// Bytes at the end of the input so far that belong to a row without its line end.
    #[must_use]
    pub fn unfinished_bytes(&self) -> u64 {
        self.rows.pending()
    }

    /// Takes the next bytes of the file and hands each sample that they complete to `sink`, in the file's order.
    ///
    /// # Errors
    /// [`ParseError`] where the first row is no header of this engine; then and ever after nothing is read.
    pub fn push(&mut self, mut bytes: &[u8], sink: &mut impl FnMut(Sample<'_>)) -> Result<(), ParseError> {
        if let Some(failure) = &self.state.failure {
            return Err(failure.clone());
        }
        while let Some(event) = self.rows.next(&mut bytes) {
            let outcome = match event {
                Event::Row(row) => self.state.take_row(&row, sink),
                Event::Oversized => self.state.take_oversized(),
            };
            if let Err(failure) = outcome {
                self.state.failure = Some(failure.clone());
                return Err(failure);
            }
        }
        Ok(())
    }

    /// Says that the file has ended. A last row without its line end is counted as malformed: its end may be missing.
    pub fn finish(&mut self) {
        if self.unfinished_bytes() > 0 && self.state.failure.is_none() {
            self.state.malformed += 1;
        }
        self.rows = Rows::new();
    }
}

impl State {
    fn take_oversized(&mut self) -> Result<(), ParseError> {
        if self.columns.is_none() {
            return Err(ParseError::HeaderTooLong { engine: self.engine });
        }
        self.malformed += 1;
        Ok(())
    }

    fn take_row(&mut self, row: &Row<'_>, sink: &mut impl FnMut(Sample<'_>)) -> Result<(), ParseError> {
        let Some(columns) = &self.columns else {
            self.columns = Some(Columns::read(self.engine, row)?);
            return Ok(());
        };
        if read_sample(self.engine, columns, row, sink).is_some() {
            self.samples += 1;
        } else if let Ok(again) = Columns::read(self.engine, row) {
            self.columns = Some(again);
        } else {
            self.malformed += 1;
        }
        Ok(())
    }
}

/// Reads a row; nothing where it makes no sense.
fn read_sample(engine: Engine, columns: &Columns, row: &Row<'_>, sink: &mut impl FnMut(Sample<'_>)) -> Option<()> {
    if row.columns() != columns.count {
        return None;
    }
    let stamp_us = i64::try_from(milliseconds(row.field(columns.time_stamp))?).ok()?;
    let elapsed_us = milliseconds(row.field(columns.elapsed))?;
    let elapsed = i64::try_from(elapsed_us).ok()?;
    let (start_us, end_us) = match engine {
        Engine::JMeter => (stamp_us, stamp_us.checked_add(elapsed)?),
        Engine::Locust => (stamp_us.checked_sub(elapsed)?, stamp_us),
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
    let label = text(row.field(columns.label));
    let code = text(row.field(columns.code));
    let message = text(raw_message);
    sink(Sample {
        kind,
        label: if label.is_empty() { EMPTY_LABEL } else { &label },
        start_us,
        end_us,
        elapsed_us,
        first_byte_us: optional(row.field(columns.latency), milliseconds)?,
        connect_us: optional(row.field(columns.connect), milliseconds)?,
        bytes: optional(row.field(columns.bytes), number)?.unwrap_or(0),
        code: simple_code(&code),
        message: message.strip_prefix(NO_RESPONSE_MESSAGE).unwrap_or(&message),
        success,
        active_users: optional(row.field(columns.all_threads), number)?
            .map(|users| u32::try_from(users).unwrap_or(u32::MAX)),
    });
    Some(())
}

/// The exception's simple name where JMeter wrote its full one, as Taurus does.
fn simple_code(code: &str) -> &str {
    code.strip_prefix(NO_RESPONSE_CODE).map_or(code, |class| class.rsplit('.').next().unwrap_or(class))
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// An empty field is no value; a field that is no number makes the row malformed (the outer `None`).
#[allow(clippy::option_option, reason = "`?` takes the outer one, the sample the inner one")]
fn optional(field: &[u8], read: impl Fn(&[u8]) -> Option<u64>) -> Option<Option<u64>> {
    if field.is_empty() { Some(None) } else { read(field).map(Some) }
}

fn milliseconds(field: &[u8]) -> Option<u64> {
    number(field)?.checked_mul(1000)
}

fn number(field: &[u8]) -> Option<u64> {
    if field.is_empty() || field.len() > 19 {
        return None;
    }
    field.iter().try_fold(0_u64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u64::from(byte - b'0')))
}
