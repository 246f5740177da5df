//! A sample file that is a CSV table with a header.

use super::columns::names;
use super::jtl::Jtl;
use super::k6::K6;
use super::parser::{Taken, Tally};
use super::rows::{Ends, Event, MAXIMUM_COLUMNS, Row, Rows};
use super::{Engine, ParseError, Sample};

/// Reads a table as it grows.
pub(super) struct Table {
    engine: Engine,
    rows: Rows,
    format: Format,
    /// The names of the columns; none before the first row.
    header: Option<Vec<String>>,
}

enum Format {
    Jtl(Jtl),
    K6(K6),
}

impl Format {
    /// Takes a header, or nothing where it lacks columns: their names.
    fn take_header(&mut self, names: &[String]) -> Result<(), Vec<&'static str>> {
        match self {
            Self::Jtl(jtl) => jtl.take_header(names),
            Self::K6(k6) => k6.take_header(names),
        }
    }
}

impl Table {
    /// A table whose next bytes belong to a row that is too long, where `skipping` is true.
    pub(super) fn new(engine: Engine, active_users: Option<u32>, skipping: bool) -> Self {
        let format = match engine {
            Engine::K6 => Format::K6(K6::new(active_users)),
            _ => Format::Jtl(Jtl::new(engine)),
        };
        Self { engine, rows: Rows::new(skipping), format, header: None }
    }

    pub(super) fn header(&self) -> Option<&Vec<String>> {
        self.header.as_ref()
    }

    /// The newest number of users, where it has rows of its own.
    pub(super) fn active_users(&self) -> Option<u32> {
        match &self.format {
            Format::Jtl(_) => None,
            Format::K6(k6) => k6.active_users(),
        }
    }

    /// Whether the next bytes belong to a row that is too long.
    pub(super) fn skipping(&self) -> bool {
        self.rows.skipping()
    }

    /// Bytes behind the last row, or request of several rows, that is complete.
    pub(super) fn unfinished_bytes(&self) -> u64 {
        let settled = match &self.format {
            Format::Jtl(_) => None,
            Format::K6(k6) => k6.open_since(),
        };
        self.rows.position() - settled.unwrap_or(self.rows.settled())
    }

    /// Takes a header.
    pub(super) fn take_header(&mut self, names: Vec<String>) -> Result<(), ParseError> {
        self.format.take_header(&names).map_err(|missing| ParseError::Header {
            engine: self.engine,
            missing: missing.join(", "),
            found: names.join(",").chars().take(200).collect(),
        })?;
        self.header = Some(names);
        Ok(())
    }

    /// Takes the next bytes.
    pub(super) fn read(
        &mut self,
        mut bytes: &[u8],
        tally: &mut Tally,
        sink: &mut impl FnMut(Sample<'_>),
    ) -> Result<(), ParseError> {
        loop {
            let place = self.rows.settled();
            let row = match self.rows.next(&mut bytes) {
                None => return Ok(()),
                Some(Event::Row(row)) => row,
                Some(Event::Oversized) if self.header.is_none() => {
                    return Err(ParseError::HeaderTooLong { engine: self.engine });
                }
                Some(Event::Oversized) => {
                    if let Format::K6(k6) = &mut self.format {
                        k6.end_request(tally, sink);
                    }
                    tally.malformed += 1;
                    continue;
                }
            };
            let taken = match &mut self.format {
                _ if self.header.is_none() => Taken::Odd,
                Format::Jtl(jtl) => jtl.take_row(&row, tally, sink),
                Format::K6(k6) => k6.take_row(&row, place, tally, sink),
            };
            if taken == Taken::Odd {
                let names = column_names(self.engine, &row);
                match names.and_then(|names| self.take_header(names)) {
                    Err(error) if self.header.is_none() => return Err(error),
                    Err(_) => tally.malformed += 1,
                    Ok(()) => {}
                }
            }
        }
    }
}

fn column_names(engine: Engine, row: &Row<'_>) -> Result<Vec<String>, ParseError> {
    let mut ends: Ends = [0; MAXIMUM_COLUMNS];
    let fields = row.split_all(&mut ends);
    if fields.columns() > MAXIMUM_COLUMNS {
        return Err(ParseError::HeaderTooLong { engine });
    }
    Ok(names(&fields))
}
