//! Samples, and the parsers of the files in which engines write them.

mod columns;
mod parser;
mod rows;

use std::fmt;
use std::str::FromStr;

pub use parser::{ParseError, Parser};
pub use rows::MAXIMUM_ROW_BYTES;
use serde::{Deserialize, Serialize};

/// An engine whose sample files we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Apache JMeter: `kpi.jtl`, stamped with the start of a sample.
    JMeter,
    /// Locust through Taurus: `kpi.jtl`, stamped with the end of a sample.
    Locust,
}

impl Engine {
    /// The name as Taurus writes it: `jmeter`, `locust`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::JMeter => "jmeter",
            Self::Locust => "locust",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The name of an engine that we cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("engine '{name}' has no sample files that can be read; use jmeter or locust")]
pub struct UnknownEngine {
    /// The name given.
    pub name: String,
}

impl FromStr for Engine {
    type Err = UnknownEngine;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "jmeter" => Ok(Self::JMeter),
            "locust" => Ok(Self::Locust),
            _ => Err(UnknownEngine { name: name.chars().take(40).collect() }),
        }
    }
}

/// What a sample measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SampleKind {
    /// One request.
    Request,
    /// Several requests together (JMeter's Transaction Controller). A label of its own that never adds to totals.
    Transaction,
}

/// One finished request or transaction. Texts are borrowed from the parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample<'a> {
    /// Request or transaction.
    pub kind: SampleKind,
    /// Name of the request; never empty.
    pub label: &'a str,
    /// Start, in microseconds since 1970-01-01 UTC.
    pub start_us: i64,
    /// End, in microseconds since 1970-01-01 UTC.
    pub end_us: i64,
    /// Response time in microseconds.
    pub elapsed_us: u64,
    /// Time to the first byte in microseconds; none where the engine does not measure it.
    pub first_byte_us: Option<u64>,
    /// Time to connect in microseconds; none where the engine does not measure it.
    pub connect_us: Option<u64>,
    /// Bytes received.
    pub bytes: u64,
    /// Response code, or the simple name of the exception where there was no response.
    pub code: &'a str,
    /// Response message.
    pub message: &'a str,
    /// Whether the engine counts it as a success.
    pub success: bool,
    /// Virtual users of this execution that were active at that moment; none where the engine does not say.
    pub active_users: Option<u32>,
}

impl Sample<'_> {
    /// The second the sample belongs to, in seconds since 1970-01-01 UTC: that of its end.
    #[must_use]
    pub fn second(&self) -> i64 {
        self.end_us.div_euclid(1_000_000)
    }
}
