//! Rows of a CSV file that arrives in pieces.

use csv_core::{ReadRecordResult, Reader};
use memchr::{memchr, memchr_iter, memchr3};

/// The longest row that is read, in bytes after quotes are resolved. Longer rows are skipped and counted.
pub const MAXIMUM_ROW_BYTES: usize = 64 * 1024;
/// The largest number of columns of which we can find one by its name. JMeter has about 30, and one for each of its
/// sample variables.
pub const MAXIMUM_COLUMNS: usize = 256;
/// The longest line that is taken as it is. It must be so short that it cannot exceed [`MAXIMUM_ROW_BYTES`].
const LONGEST_PLAIN_LINE: usize = MAXIMUM_ROW_BYTES / 2;

/// Where the fields of a row end.
pub(super) type Ends = [usize; MAXIMUM_COLUMNS];

/// Cuts bytes into rows of fields, whatever the pieces in which the bytes arrive.
///
/// A line that is there as a whole and has no quotation mark needs no CSV reader: it is handed out as it is, and who
/// takes it splits it as far as he wants. Everything else goes through `csv-core`, with the same result.
///
/// Memory is fixed: one row. After a row that is too long, reading goes on behind the next line end, so that a lost
/// quotation mark costs at most [`MAXIMUM_ROW_BYTES`] of good rows.
pub(super) struct Rows {
    reader: Reader,
    fields: Box<[u8]>,
    field_bytes: usize,
    ends: Box<Ends>,
    columns: usize,
    /// The reader has taken the beginning of a row.
    within_row: bool,
    skipping: bool,
    /// Bytes taken so far.
    position: u64,
    /// Of these, bytes up to the end of the last row.
    settled: u64,
}

/// What a piece of input led to.
pub(super) enum Event<'a> {
    Row(Row<'a>),
    /// A row had too many bytes; it is being skipped.
    Oversized,
}

/// One row.
#[derive(Clone, Copy)]
pub(super) enum Row<'a> {
    /// A line without quotation marks, not yet split.
    Plain(&'a [u8]),
    /// What `csv-core` made of a row.
    Resolved(Fields<'a>),
}

/// The fields of one row.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    bytes: &'a [u8],
    ends: &'a [usize],
    /// Bytes between two fields: 1 where `bytes` still has the commas.
    gap: usize,
    columns: usize,
}

impl<'a> Row<'a> {
    /// The fields up to and with the one at position `last`; those behind it may be missing.
    pub(super) fn split<'s>(&self, last: usize, ends: &'s mut Ends) -> Fields<'s>
    where
        'a: 's,
    {
        let line = match self {
            Self::Plain(line) => *line,
            Self::Resolved(fields) => return *fields,
        };
        let mut columns = 0;
        for comma in memchr_iter(b',', line) {
            if let Some(end) = ends.get_mut(columns) {
                *end = comma;
            }
            columns += 1;
            if columns > last {
                break;
            }
        }
        if columns <= last {
            if let Some(end) = ends.get_mut(columns) {
                *end = line.len();
            }
            columns += 1;
        }
        Fields { bytes: line, ends: ends.get(..columns).unwrap_or(ends), gap: 1, columns }
    }

    /// All fields.
    pub(super) fn split_all<'s>(&self, ends: &'s mut Ends) -> Fields<'s>
    where
        'a: 's,
    {
        let line = match self {
            Self::Plain(line) => *line,
            Self::Resolved(fields) => return *fields,
        };
        let mut columns = 0;
        let mut add = |end| {
            if let Some(place) = ends.get_mut(columns) {
                *place = end;
            }
            columns += 1;
        };
        let (words, rest) = line.as_chunks();
        for (number, word) in words.iter().enumerate() {
            let mut commas = commas(*word);
            while commas != 0 {
                add(number * 8 + commas.trailing_zeros() as usize / 8);
                commas &= commas - 1;
            }
        }
        let behind = line.len() - rest.len();
        rest.iter().enumerate().filter(|(_, byte)| **byte == b',').for_each(|(place, _)| add(behind + place));
        add(line.len());
        Fields { bytes: line, ends: ends.get(..columns).unwrap_or(ends), gap: 1, columns }
    }
}

/// The highest bit of each byte that is a comma.
fn commas(word: [u8; 8]) -> u64 {
    const LOW_BITS: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    // A comma becomes 0; adding 0x7f to the low seven bits of any other byte carries into its highest bit, or that is set.
    let difference = u64::from_le_bytes(word) ^ u64::from_le_bytes([b','; 8]);
    !(((difference & LOW_BITS) + LOW_BITS) | difference | LOW_BITS)
}

impl<'a> Fields<'a> {
    /// Number of fields, also above [`MAXIMUM_COLUMNS`].
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// The field at a position; empty where there is none.
    pub(super) fn field(&self, position: usize) -> &'a [u8] {
        let start = match position.checked_sub(1) {
            None => Some(0),
            Some(before) => self.ends.get(before).map(|end| end + self.gap),
        };
        let end = self.ends.get(position).copied();
        start.zip(end).and_then(|(start, end)| self.bytes.get(start..end)).unwrap_or_default()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'a [u8]> {
        let fields = *self;
        (0..fields.ends.len()).map(move |position| fields.field(position))
    }
}

impl Rows {
    /// Rows of which the first bytes belong to one that is too long, where `skipping` is true.
    pub(super) fn new(skipping: bool) -> Self {
        Self {
            reader: new_reader(),
            fields: vec![0; MAXIMUM_ROW_BYTES].into_boxed_slice(),
            field_bytes: 0,
            ends: Box::new([0; MAXIMUM_COLUMNS]),
            columns: 0,
            within_row: false,
            skipping,
            position: 0,
            settled: 0,
        }
    }

    /// Whether the next bytes belong to a row that is too long.
    pub(super) fn skipping(&self) -> bool {
        self.skipping
    }

    /// Bytes taken so far.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Bytes taken up to the end of the last row that was handed out or skipped.
    pub(super) fn settled(&self) -> u64 {
        self.settled
    }

    /// Takes bytes from the front of `input` up to the next event; none when all were taken.
    pub(super) fn next<'row, 'input: 'row>(&'row mut self, input: &mut &'input [u8]) -> Option<Event<'row>> {
        if self.skipping {
            self.skip_line(input);
        }
        if let Some(line) = self.plain_line(input) {
            return Some(Event::Row(Row::Plain(line)));
        }
        if input.is_empty() { None } else { self.resolved_row(input) }
    }

    /// The next line, where it is there as a whole and its fields are what stands between its commas.
    fn plain_line<'input>(&mut self, input: &mut &'input [u8]) -> Option<&'input [u8]> {
        while !self.within_row {
            let length = memchr3(b'\n', b'"', b'\r', input)?;
            let (line, rest) = input.split_at_checked(length)?;
            let line_end = match rest {
                [b'\n', ..] => 1,
                [b'\r', b'\n', ..] => 2,
                _ => return None,
            };
            if length > LONGEST_PLAIN_LINE {
                return None;
            }
            *input = rest.get(line_end..).unwrap_or_default();
            self.position += (length + line_end) as u64;
            self.settled = self.position;
            if !line.is_empty() {
                return Some(line);
            }
        }
        None
    }

    fn resolved_row(&mut self, input: &mut &[u8]) -> Option<Event<'_>> {
        // The ends of columns beyond the limit go nowhere, but they are counted: the row is not cut in two.
        let mut beyond = [0; 32];
        let ends = self.ends.get_mut(self.columns..).filter(|ends| !ends.is_empty()).unwrap_or(&mut beyond);
        let output = self.fields.get_mut(self.field_bytes..).unwrap_or_default();
        let (result, read, written, ended) = self.reader.read_record(input, output, ends);
        let (taken, rest) = input.split_at_checked(read).unwrap_or((input, &[]));
        *input = rest;
        self.position += read as u64;
        // Line ends before a row are no part of it: of "\r\n" the reader leaves the second half to the next row.
        self.within_row = self.within_row || taken.iter().any(|byte| !matches!(byte, b'\r' | b'\n'));
        self.field_bytes += written;
        self.columns += ended;
        match result {
            ReadRecordResult::InputEmpty | ReadRecordResult::End => {
                if !self.within_row {
                    self.settled = self.position;
                }
                None
            }
            ReadRecordResult::OutputEndsFull => self.resolved_row(input),
            ReadRecordResult::Record => {
                let (bytes, columns) = (self.field_bytes, self.columns);
                self.start_row();
                Some(Event::Row(Row::Resolved(Fields {
                    bytes: self.fields.get(..bytes).unwrap_or_default(),
                    ends: self.ends.get(..columns).unwrap_or(self.ends.as_slice()),
                    gap: 0,
                    columns,
                })))
            }
            ReadRecordResult::OutputFull => {
                self.start_row();
                self.skipping = true;
                self.skip_line(input);
                Some(Event::Oversized)
            }
        }
    }

    fn start_row(&mut self) {
        self.field_bytes = 0;
        self.columns = 0;
        self.within_row = false;
        self.settled = self.position;
    }

    fn skip_line(&mut self, input: &mut &[u8]) {
        let line_end = memchr(b'\n', input);
        let read = line_end.map_or(input.len(), |length| length + 1);
        *input = input.get(read..).unwrap_or_default();
        self.position += read as u64;
        self.settled = self.position;
        if line_end.is_some() {
            self.skipping = false;
            restart(&mut self.reader);
        }
    }
}

fn new_reader() -> Reader {
    let mut reader = Reader::new();
    restart(&mut reader);
    reader
}

/// Takes a reader to the beginning of a row.
fn restart(reader: &mut Reader) {
    reader.reset();
    // What comes first in the reader's life is not the beginning of the file: it must not look for a byte order mark.
    let _ = reader.read_record(b"\n", &mut [0], &mut [0]);
}
