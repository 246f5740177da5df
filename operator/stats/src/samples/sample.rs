//! A sample: what the parsers give and the statistics take.

use serde::{Deserialize, Serialize};

/// What a sample measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SampleKind {
    /// One request; for Molotov one run of a scenario, the unit in which it measures.
    Request,
    /// Several requests together (JMeter's Transaction Controller). A label of its own that never adds to totals.
    Transaction,
}

/// One finished request or transaction. Texts are borrowed from the parser and may hold control characters.
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
    /// Time to connect in microseconds, with the TLS handshake; none where the engine does not measure it.
    pub connect_us: Option<u64>,
    /// Bytes received; none where the engine does not say it of single requests (k6, Molotov).
    pub bytes: Option<u64>,
    /// Response code, or the simple name of the exception where there was no response. Empty where the engine gives none.
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
