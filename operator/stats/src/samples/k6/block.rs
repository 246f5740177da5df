//! The rows of one request.

use super::columns::Columns;
use crate::samples::rows::Fields;
use crate::samples::values::{label, number, text};
use crate::samples::{Sample, SampleKind};

/// A time of a request that has a row of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Duration,
    Connecting,
    Handshaking,
    Waiting,
}

/// What is known of a request so far. Its texts are kept from one request to the next for their memory.
#[derive(Debug, Default)]
pub(super) struct Block {
    end_us: i64,
    label: String,
    code: String,
    message: String,
    success: bool,
    duration_us: Option<u64>,
    connecting_us: Option<u64>,
    handshaking_us: Option<u64>,
    waiting_us: Option<u64>,
}

impl Block {
    /// Takes the first row of a request; nothing where it makes no sense.
    pub(super) fn open(&mut self, columns: &Columns, row: &Fields<'_>) -> Option<()> {
        self.take_tags(columns, row)?;
        let (status, error) = (row.field(columns.status), row.field(columns.error));
        let error_code = row.field(columns.error_code);
        self.success = match row.field(columns.expected_response) {
            b"true" => true,
            b"false" => false,
            b"" => error.is_empty() && error_code.is_empty() && !matches!(status.first(), Some(b'4'..=b'9')),
            _ => return None,
        };
        replace(&mut self.code, if matches!(status, b"" | b"0") { error_code } else { status });
        self.duration_us = None;
        self.connecting_us = None;
        self.handshaking_us = None;
        self.waiting_us = None;
        Some(())
    }

    /// Takes the only row of a gRPC call; nothing where it makes no sense.
    pub(super) fn open_call(&mut self, columns: &Columns, row: &Fields<'_>, elapsed_us: u64) -> Option<()> {
        self.take_tags(columns, row)?;
        let status = row.field(columns.status);
        self.success = match status {
            b"" => return None,
            status => status == b"0",
        };
        replace(&mut self.code, status);
        self.duration_us = Some(elapsed_us);
        Some(())
    }

    fn take_tags(&mut self, columns: &Columns, row: &Fields<'_>) -> Option<()> {
        if row.columns() != columns.count {
            return None;
        }
        self.end_us = stamp_us(row.field(columns.timestamp))?;
        let name = row.field(columns.name);
        replace(&mut self.label, if name.is_empty() { row.field(columns.url) } else { name });
        replace(&mut self.message, row.field(columns.error));
        Some(())
    }

    pub(super) fn measure(&mut self, part: Part, microseconds: u64) {
        let time = match part {
            Part::Duration => &mut self.duration_us,
            Part::Connecting => &mut self.connecting_us,
            Part::Handshaking => &mut self.handshaking_us,
            Part::Waiting => &mut self.waiting_us,
        };
        *time = Some(microseconds);
    }

    /// Whether there are all rows that we need.
    pub(super) fn is_complete(&self) -> bool {
        self.duration_us.is_some()
            && self.connecting_us.is_some()
            && self.handshaking_us.is_some()
            && self.waiting_us.is_some()
    }

    /// The request; nothing where its duration is missing or no duration.
    pub(super) fn sample(&self, active_users: Option<u32>) -> Option<Sample<'_>> {
        let elapsed_us = self.duration_us?;
        let connect_us = match (self.connecting_us, self.handshaking_us) {
            (None, None) => None,
            (connecting, handshaking) => Some(connecting.unwrap_or(0).saturating_add(handshaking.unwrap_or(0))),
        };
        Some(Sample {
            kind: SampleKind::Request,
            label: label(&self.label),
            start_us: self.end_us.checked_sub(i64::try_from(elapsed_us).ok()?)?,
            end_us: self.end_us,
            elapsed_us,
            first_byte_us: self.waiting_us,
            connect_us,
            bytes: None,
            code: &self.code,
            message: &self.message,
            success: self.success,
            active_users,
        })
    }
}

fn replace(known: &mut String, field: &[u8]) {
    known.clear();
    known.push_str(&text(field));
}

/// A time stamp in microseconds. Its size tells the unit: seconds until the year 5138, and so on.
fn stamp_us(field: &[u8]) -> Option<i64> {
    let stamp = i64::try_from(number(field)?).ok()?;
    if stamp < 100_000_000_000 {
        stamp.checked_mul(1_000_000)
    } else if stamp < 100_000_000_000_000 {
        stamp.checked_mul(1000)
    } else if stamp < 100_000_000_000_000_000 {
        Some(stamp)
    } else {
        Some(stamp / 1000)
    }
}
