//! Lines of a file that arrives in pieces.

use memchr::memchr;

use super::MAXIMUM_ROW_BYTES;

/// Cuts bytes into lines, whatever the pieces in which the bytes arrive. Memory is one line.
pub(super) struct Lines {
    /// The beginning of a line whose end has not arrived.
    begun: Vec<u8>,
    /// Whether `begun` was handed out and is to be cleared.
    done: bool,
    skipping: bool,
}

/// What a piece of input led to.
pub(super) enum Event<'a> {
    Line(&'a [u8]),
    /// A line had too many bytes; it is being skipped.
    Oversized,
}

impl Lines {
    /// Lines of which the first bytes belong to one that is too long, where `skipping` is true.
    pub(super) fn new(skipping: bool) -> Self {
        Self { begun: Vec::new(), done: false, skipping }
    }

    /// Whether the next bytes belong to a line that is too long.
    pub(super) fn skipping(&self) -> bool {
        self.skipping
    }

    /// Bytes of a line whose end has not arrived.
    pub(super) fn pending(&self) -> u64 {
        if self.done { 0 } else { self.begun.len() as u64 }
    }

    /// Takes bytes from the front of `input` up to the next event; none when all were taken.
    pub(super) fn next<'line, 'input: 'line>(&'line mut self, input: &mut &'input [u8]) -> Option<Event<'line>> {
        if self.done {
            self.begun.clear();
            self.done = false;
        }
        while !input.is_empty() {
            let end = memchr(b'\n', input);
            let (line, rest) = input.split_at_checked(end.unwrap_or(input.len())).unwrap_or((input, &[]));
            *input = rest.get(1..).unwrap_or_default();
            if self.skipping {
                self.skipping = end.is_none();
                continue;
            }
            if self.begun.len() + line.len() > MAXIMUM_ROW_BYTES {
                self.begun.clear();
                self.skipping = end.is_none();
                return Some(Event::Oversized);
            }
            if end.is_none() {
                self.begun.extend_from_slice(line);
                return None;
            }
            if self.begun.is_empty() {
                return Some(Event::Line(line));
            }
            self.begun.extend_from_slice(line);
            self.done = true;
            return Some(Event::Line(&self.begun));
        }
        None
    }
}
