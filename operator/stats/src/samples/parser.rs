//! The incremental parser of a sample file.

use serde::{Deserialize, Serialize};

use super::columns::names;
use super::error::excerpt;
use super::jtl::Jtl;
use super::k6::K6;
use super::lines::{self, Lines};
use super::molotov::{self, Molotov};
use super::rows::{Ends, Event, MAXIMUM_COLUMNS, Row, Rows};
use super::{Engine, ParseError, Sample};

/// Turns the bytes of a growing sample file into samples.
///
/// Columns are found by the names in the first row; a header may come again (a second start appends to the file).
/// A row without its line end is kept until the rest arrives. Rows that make no sense are counted and skipped.
/// Bytes that are not UTF-8 are replaced by `U+FFFD`. Memory is one row of at most
/// [`MAXIMUM_ROW_BYTES`](super::MAXIMUM_ROW_BYTES).
pub struct Parser {
    engine: Engine,
    source: Source,
    /// The names of the columns; none before the first row, empty where rows name their own fields.
    header: Option<Vec<String>>,
    failure: Option<ParseError>,
    tally: Tally,
}

enum Source {
    Table { rows: Box<Rows>, format: Format },
    Lines { lines: Lines, molotov: Molotov },
}

enum Format {
    Jtl(Jtl),
    K6(K6),
}

/// What was read so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) samples: u64,
    pub(super) malformed: u64,
}

impl Tally {
    pub(super) fn give(&mut self, sample: Sample<'_>, sink: &mut impl FnMut(Sample<'_>)) {
        self.samples += 1;
        sink(sample);
    }
}

/// What a format made of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It was read, or is one of those that we do not need.
    Done,
    /// It makes no sense as a row; it may be a header.
    Odd,
}

/// What a parser has to know to go on at another time, in another process.
///
/// It goes on with the bytes that [`Parser::unfinished_bytes`] tells, once more, and those behind them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ParserCheckpoint {
    /// The engine whose file it is.
    pub engine: Engine,
    /// The names of the columns; none before the first row, empty where rows name their own fields.
    pub header: Option<Vec<String>>,
    /// The newest number of virtual users, where the engine writes it apart from the samples.
    pub active_users: Option<u32>,
    /// Whether the next bytes belong to a row that is too long.
    pub skipping: bool,
    /// Why nothing is read any more.
    pub failure: Option<ParseError>,
    /// Samples given out.
    pub samples: u64,
    /// Rows that were skipped because they are too long or make no sense.
    pub malformed: u64,
}

impl Parser {
    /// A parser at the beginning of a file.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self::with(engine, None, false)
    }

    /// A parser that goes on where another one was; the next bytes are those described at [`ParserCheckpoint`].
    ///
    /// # Errors
    /// [`ParseError::Header`] where the checkpoint's header is none of its engine.
    pub fn resume(checkpoint: ParserCheckpoint) -> Result<Self, ParseError> {
        let ParserCheckpoint { engine, header, active_users, skipping, failure, samples, malformed } = checkpoint;
        let mut parser = Self::with(engine, active_users, skipping);
        if let (Source::Table { format, .. }, Some(names)) = (&mut parser.source, &header) {
            format.take_header(names).map_err(|missing| header_error(engine, &missing, names))?;
        }
        Ok(Self { header, failure, tally: Tally { samples, malformed }, ..parser })
    }

    fn with(engine: Engine, active_users: Option<u32>, skipping: bool) -> Self {
        let table = |format| Source::Table { rows: Box::new(Rows::new(skipping)), format };
        let source = match engine {
            Engine::JMeter | Engine::Locust | Engine::Apiritif => table(Format::Jtl(Jtl::new(engine))),
            Engine::K6 => table(Format::K6(K6::new(active_users))),
            Engine::Molotov => Source::Lines { lines: Lines::new(skipping), molotov: Molotov::new(active_users) },
        };
        Self { engine, source, header: None, failure: None, tally: Tally::default() }
    }

    /// What is needed to go on later with [`Parser::resume`].
    #[must_use]
    pub fn checkpoint(&self) -> ParserCheckpoint {
        let (active_users, skipping) = match &self.source {
            Source::Table { rows, format: Format::K6(k6) } => (k6.active_users(), rows.skipping()),
            Source::Table { rows, format: Format::Jtl(_) } => (None, rows.skipping()),
            Source::Lines { lines, molotov } => (molotov.active_users(), lines.skipping()),
        };
        ParserCheckpoint {
            engine: self.engine,
            header: self.header.clone(),
            active_users,
            skipping,
            failure: self.failure.clone(),
            samples: self.tally.samples,
            malformed: self.tally.malformed,
        }
    }

    /// The engine whose file this is.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Samples given out so far.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.tally.samples
    }

    /// Rows that were skipped because they are too long or make no sense.
    #[must_use]
    pub fn malformed(&self) -> u64 {
        self.tally.malformed
    }

    /// Bytes at the end of the input so far that have not become samples or skipped rows: a row without its line end, and
    /// with k6 also the rows before it that belong to the same request.
    #[must_use]
    pub fn unfinished_bytes(&self) -> u64 {
        match &self.source {
            Source::Table { rows, format } => {
                let settled = match format {
                    Format::Jtl(_) => rows.settled(),
                    Format::K6(k6) => k6.open_since().unwrap_or(rows.settled()),
                };
                rows.position() - settled
            }
            Source::Lines { lines, .. } => lines.pending(),
        }
    }

    /// Takes the next bytes of the file and hands each sample that they complete to `sink`, in the file's order.
    ///
    /// # Errors
    /// [`ParseError`] where the first row is none of this engine's; then and ever after nothing is read.
    pub fn push(&mut self, bytes: &[u8], sink: &mut impl FnMut(Sample<'_>)) -> Result<(), ParseError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let Self { engine, source, header, tally, .. } = self;
        let outcome = match source {
            Source::Table { rows, format } => read_table(*engine, rows, format, header, tally, bytes, sink),
            Source::Lines { lines, molotov } => read_lines(*engine, lines, molotov, header, tally, bytes, sink),
        };
        self.failure = outcome.as_ref().err().cloned();
        outcome
    }

    /// Says that the file has ended. What is unfinished is counted as one malformed row: its end may be missing.
    pub fn finish(&mut self) {
        if self.unfinished_bytes() > 0 && self.failure.is_none() {
            self.tally.malformed += 1;
        }
        *self = Self {
            header: self.header.take(),
            failure: self.failure.take(),
            tally: self.tally,
            ..Self::with(self.engine, None, false)
        };
    }
}

impl Format {
    fn take_header(&mut self, names: &[String]) -> Result<(), Vec<&'static str>> {
        match self {
            Self::Jtl(jtl) => jtl.take_header(names),
            Self::K6(k6) => k6.take_header(names),
        }
    }
}

fn read_table(
    engine: Engine,
    rows: &mut Rows,
    format: &mut Format,
    header: &mut Option<Vec<String>>,
    tally: &mut Tally,
    mut bytes: &[u8],
    sink: &mut impl FnMut(Sample<'_>),
) -> Result<(), ParseError> {
    loop {
        let place = rows.settled();
        let row = match rows.next(&mut bytes) {
            None => return Ok(()),
            Some(Event::Row(row)) => row,
            Some(Event::Oversized) if header.is_none() => return Err(ParseError::HeaderTooLong { engine }),
            Some(Event::Oversized) => {
                tally.malformed += 1;
                continue;
            }
        };
        if header.is_none() {
            *header = Some(read_header(engine, &row, format)?);
            continue;
        }
        let taken = match format {
            Format::Jtl(jtl) => jtl.take_row(&row, tally, sink),
            Format::K6(k6) => k6.take_row(&row, place, tally, sink),
        };
        if taken == Taken::Odd {
            match read_header(engine, &row, format) {
                Ok(again) => *header = Some(again),
                Err(_) => tally.malformed += 1,
            }
        }
    }
}

fn read_header(engine: Engine, row: &Row<'_>, format: &mut Format) -> Result<Vec<String>, ParseError> {
    let mut ends: Ends = [0; MAXIMUM_COLUMNS];
    let fields = row.split_all(&mut ends);
    if fields.columns() > MAXIMUM_COLUMNS {
        return Err(ParseError::HeaderTooLong { engine });
    }
    let names = names(&fields);
    format.take_header(&names).map_err(|missing| header_error(engine, &missing, &names))?;
    Ok(names)
}

fn header_error(engine: Engine, missing: &[&str], names: &[String]) -> ParseError {
    ParseError::Header { engine, missing: missing.join(", "), found: names.join(",").chars().take(200).collect() }
}

fn read_lines(
    engine: Engine,
    source: &mut Lines,
    molotov: &mut Molotov,
    header: &mut Option<Vec<String>>,
    tally: &mut Tally,
    mut bytes: &[u8],
    sink: &mut impl FnMut(Sample<'_>),
) -> Result<(), ParseError> {
    while let Some(event) = source.next(&mut bytes) {
        match event {
            lines::Event::Line(line) if line.trim_ascii().is_empty() => {}
            lines::Event::Line(line) if header.is_none() && !molotov::is_row(line) => {
                return Err(ParseError::FirstRow { engine, found: excerpt(line) });
            }
            lines::Event::Line(line) => {
                *header = Some(Vec::new());
                if molotov.take_line(line, tally, sink).is_none() {
                    tally.malformed += 1;
                }
            }
            lines::Event::Oversized if header.is_none() => return Err(ParseError::HeaderTooLong { engine }),
            lines::Event::Oversized => tally.malformed += 1,
        }
    }
    Ok(())
}
