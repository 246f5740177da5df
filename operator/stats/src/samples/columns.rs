//! Where the columns of a sample file are, by the names in its header.

use super::rows::Row;
use super::{Engine, ParseError};

/// A column that no file has.
const ABSENT: usize = usize::MAX;

/// Positions of the columns that we read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) count: usize,
    pub(super) time_stamp: usize,
    pub(super) elapsed: usize,
    pub(super) label: usize,
    pub(super) success: usize,
    pub(super) code: usize,
    pub(super) message: usize,
    pub(super) bytes: usize,
    pub(super) all_threads: usize,
    pub(super) latency: usize,
    pub(super) connect: usize,
}

impl Columns {
    /// Reads a header. Both engines use JMeter's names; Locust has no connect time and always 0 as latency.
    pub(super) fn read(engine: Engine, header: &Row<'_>) -> Result<Self, ParseError> {
        let mut columns = Self {
            count: header.columns(),
            time_stamp: ABSENT,
            elapsed: ABSENT,
            label: ABSENT,
            success: ABSENT,
            code: ABSENT,
            message: ABSENT,
            bytes: ABSENT,
            all_threads: ABSENT,
            latency: ABSENT,
            connect: ABSENT,
        };
        for (position, name) in header.iter().enumerate() {
            // The reader takes a byte order mark away only where the first piece holds all of it.
            let name = name.strip_prefix(b"\xef\xbb\xbf").unwrap_or(name);
            let column = match name {
                b"timeStamp" => &mut columns.time_stamp,
                b"elapsed" => &mut columns.elapsed,
                b"label" => &mut columns.label,
                b"success" => &mut columns.success,
                b"responseCode" => &mut columns.code,
                b"responseMessage" => &mut columns.message,
                b"bytes" => &mut columns.bytes,
                b"allThreads" => &mut columns.all_threads,
                b"Latency" => &mut columns.latency,
                b"Connect" => &mut columns.connect,
                _ => continue,
            };
            *column = position;
        }
        if engine == Engine::Locust {
            columns.latency = ABSENT;
            columns.connect = ABSENT;
        }
        let missing: Vec<&str> = [
            ("timeStamp", columns.time_stamp),
            ("elapsed", columns.elapsed),
            ("label", columns.label),
            ("success", columns.success),
        ]
        .iter()
        .filter(|(_, position)| *position == ABSENT)
        .map(|(name, _)| *name)
        .collect();
        if missing.is_empty() {
            return Ok(columns);
        }
        let found: Vec<_> = header.iter().map(String::from_utf8_lossy).collect();
        Err(ParseError::Header {
            engine,
            missing: missing.join(", "),
            found: found.join(",").chars().take(200).collect(),
        })
    }
}
