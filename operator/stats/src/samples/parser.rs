//! The incremental parser of a sample file.

use serde::{Deserialize, Serialize};

use super::molotov::Report;
use super::table::Table;
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
    failure: Option<ParseError>,
    tally: Tally,
}

enum Source {
    Table(Box<Table>),
    Report(Report),
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
        match (&mut parser.source, header) {
            (_, None) => {}
            (Source::Table(table), Some(names)) => table.take_header(names)?,
            (Source::Report(report), Some(_)) => report.begin(),
        }
        Ok(Self { failure, tally: Tally { samples, malformed }, ..parser })
    }

    fn with(engine: Engine, active_users: Option<u32>, skipping: bool) -> Self {
        let source = match engine {
            Engine::Molotov => Source::Report(Report::new(active_users, skipping)),
            _ => Source::Table(Box::new(Table::new(engine, active_users, skipping))),
        };
        Self { engine, source, failure: None, tally: Tally::default() }
    }

    /// What is needed to go on later with [`Parser::resume`].
    #[must_use]
    pub fn checkpoint(&self) -> ParserCheckpoint {
        let (header, active_users, skipping) = match &self.source {
            Source::Table(table) => (table.header().cloned(), table.active_users(), table.skipping()),
            Source::Report(report) => (report.has_begun().then(Vec::new), report.active_users(), report.skipping()),
        };
        ParserCheckpoint {
            engine: self.engine,
            header,
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
            Source::Table(table) => table.unfinished_bytes(),
            Source::Report(report) => report.unfinished_bytes(),
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
        let outcome = match &mut self.source {
            Source::Table(table) => table.read(bytes, &mut self.tally, sink),
            Source::Report(report) => report.read(bytes, &mut self.tally, sink),
        };
        self.failure = outcome.as_ref().err().cloned();
        outcome
    }

    /// Says that the file has ended. What is unfinished is counted as one malformed row: its end may be missing.
    pub fn finish(&mut self) {
        if self.unfinished_bytes() > 0 && self.failure.is_none() {
            self.tally.malformed += 1;
        }
        *self = Self { failure: self.failure.take(), tally: self.tally, ..Self::new(self.engine) };
    }
}
