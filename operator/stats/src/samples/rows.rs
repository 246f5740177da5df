//! Rows of a CSV file that arrives in pieces.

use csv_core::{ReadRecordResult, Reader};

/// The longest row that is read, in bytes after quotes are resolved. Longer rows are skipped and counted.
pub const MAXIMUM_ROW_BYTES: usize = 64 * 1024;
/// The largest number of columns. JMeter has about 30 at most.
const MAXIMUM_COLUMNS: usize = 64;

/// Cuts bytes into rows of fields, whatever the pieces in which the bytes arrive.
///
/// Memory is fixed: one row. After a row that is too long, reading goes on behind the next line end, so that a lost
/// quotation mark costs at most [`MAXIMUM_ROW_BYTES`] of good rows.
pub(super) struct Rows {
    reader: Reader,
    fields: Box<[u8]>,
    field_bytes: usize,
    ends: Box<[usize; MAXIMUM_COLUMNS]>,
    columns: usize,
    skipping: bool,
    /// Bytes since the end of the last row.
    pending: u64,
}

/// What a piece of input led to.
pub(super) enum Event<'a> {
    Row(Row<'a>),
    /// A row had too many bytes or columns; it is being skipped.
    Oversized,
}

/// The fields of one row.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    fields: &'a [u8],
    ends: &'a [usize],
}

impl<'a> Row<'a> {
    pub(super) fn columns(&self) -> usize {
        self.ends.len()
    }

    /// The field at a position; empty where there is none.
    pub(super) fn field(&self, position: usize) -> &'a [u8] {
        let start = position.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied());
        let end = self.ends.get(position).copied();
        start.zip(end).and_then(|(start, end)| self.fields.get(start..end)).unwrap_or_default()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'a [u8]> {
        let row = *self;
        (0..row.columns()).map(move |position| row.field(position))
    }
}

impl Rows {
    pub(super) fn new() -> Self {
        Self {
            reader: Reader::new(),
            fields: vec![0; MAXIMUM_ROW_BYTES].into_boxed_slice(),
            field_bytes: 0,
            ends: Box::new([0; MAXIMUM_COLUMNS]),
            columns: 0,
            skipping: false,
            pending: 0,
        }
    }

    /// Bytes of an unfinished row, as far as it was read.
    pub(super) fn pending(&self) -> u64 {
        self.pending
    }

    /// Takes bytes from the front of `input` up to the next event; none when all were taken.
    pub(super) fn next<'a>(&'a mut self, input: &mut &[u8]) -> Option<Event<'a>> {
        if self.skipping {
            self.skip_line(input);
        }
        if input.is_empty() {
            return None;
        }
        let (result, read, written, ended) = self.reader.read_record(
            input,
            self.fields.get_mut(self.field_bytes..).unwrap_or_default(),
            self.ends.get_mut(self.columns..).unwrap_or_default(),
        );
        let (taken, rest) = input.split_at_checked(read).unwrap_or((input, &[]));
        *input = rest;
        // Line ends before a row are no part of it: of "\r\n" the reader leaves the second half to the next row.
        if self.pending > 0 || taken.iter().any(|byte| !matches!(byte, b'\r' | b'\n')) {
            self.pending += read as u64;
        }
        self.field_bytes += written;
        self.columns += ended;
        match result {
            ReadRecordResult::InputEmpty | ReadRecordResult::End => None,
            ReadRecordResult::Record => {
                let (bytes, columns) = (self.field_bytes, self.columns);
                self.start_row();
                Some(Event::Row(Row {
                    fields: self.fields.get(..bytes).unwrap_or_default(),
                    ends: self.ends.get(..columns).unwrap_or_default(),
                }))
            }
            ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
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
        self.pending = 0;
    }

    fn skip_line(&mut self, input: &mut &[u8]) {
        let line_end = input.iter().position(|byte| *byte == b'\n');
        let read = line_end.map_or(input.len(), |position| position + 1);
        *input = input.get(read..).unwrap_or_default();
        self.pending += read as u64;
        if line_end.is_some() {
            self.skipping = false;
            self.pending = 0;
            self.reader.reset();
        }
    }
}
