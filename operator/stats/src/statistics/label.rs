//! The statistics of one label.

use std::collections::BTreeMap;

use super::{Distribution, Mean};
use crate::histogram::add_counts;
use crate::samples::Sample;

/// Bytes received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Received {
    /// Of the samples of which the engine tells them.
    pub(crate) bytes: u64,
    /// Samples of which it does not.
    pub(crate) untold: u64,
}

impl Received {
    /// The bytes of all samples; none where the engine does not tell them of every sample.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        (self.untold == 0).then_some(self.bytes)
    }

    /// Adds those of one sample.
    #[inline]
    pub fn record(&mut self, bytes: Option<u64>) {
        self.bytes = add_counts(self.bytes, bytes.unwrap_or(0));
        self.untold = add_counts(self.untold, u64::from(bytes.is_none()));
    }

    /// Adds those of other samples.
    pub fn merge(&mut self, other: &Self) {
        self.bytes = add_counts(self.bytes, other.bytes);
        self.untold = add_counts(self.untold, other.untold);
    }
}

/// The samples of one label that had the same outcome.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Response times.
    pub elapsed: Distribution,
    /// Times to the first byte, where measured.
    pub first_byte: Mean,
    /// Times to connect, where measured.
    pub connect: Mean,
    /// Bytes received.
    pub received: Received,
}

impl Outcome {
    /// Number of samples.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.elapsed.count()
    }

    /// Adds one sample.
    pub fn record(&mut self, sample: &Sample<'_>) {
        self.elapsed.record(sample.elapsed_us);
        self.first_byte.record(sample.first_byte_us);
        self.connect.record(sample.connect_us);
        self.received.record(sample.bytes);
    }

    /// Adds all samples of another outcome.
    pub fn merge(&mut self, other: &Self) {
        self.elapsed.merge(&other.elapsed);
        self.first_byte.merge(&other.first_byte);
        self.connect.merge(&other.connect);
        self.received.merge(&other.received);
    }
}

/// Everything known about one label, or about all of them together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelStatistics {
    /// Samples that succeeded.
    pub successes: Outcome,
    /// Samples that failed.
    pub failures: Outcome,
    /// Samples that the stop of the run cut off. They are no requests, no errors, and in no percentile.
    pub interrupted: Outcome,
    /// Requests per response code.
    pub codes: BTreeMap<Box<str>, u64>,
    /// How many workers that had to fold labels have a row of their own for this one.
    /// See [`Overview::is_lower_bound`](super::Overview::is_lower_bound).
    pub(crate) folding_workers: u64,
}

impl LabelStatistics {
    /// Successes and failures.
    #[must_use]
    pub fn requests(&self) -> u64 {
        add_counts(self.successes.count(), self.failures.count())
    }

    /// Failures.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.failures.count()
    }

    /// Failures per request, 0 to 1; none without requests.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a ratio to 15 digits is enough")]
    pub fn error_rate(&self) -> Option<f64> {
        let requests = self.requests();
        (requests > 0).then(|| self.errors() as f64 / requests as f64)
    }

    /// Bytes received by successes and failures; none where the engine does not tell them of every request.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        let mut received = self.successes.received;
        received.merge(&self.failures.received);
        received.bytes()
    }

    /// Successes and failures as one: what is published for a label unless it says otherwise.
    #[must_use]
    pub fn together(&self) -> Outcome {
        let mut together = self.successes.clone();
        together.merge(&self.failures);
        together
    }

    /// Adds requests with a response code.
    pub(crate) fn add_code(&mut self, code: &str, count: u64) {
        match self.codes.get_mut(code) {
            Some(known) => *known = add_counts(*known, count),
            None => {
                self.codes.insert(code.into(), add_counts(0, count));
            }
        }
    }

    /// Adds all samples of another label.
    pub fn merge(&mut self, other: &Self) {
        self.successes.merge(&other.successes);
        self.failures.merge(&other.failures);
        self.interrupted.merge(&other.interrupted);
        for (code, count) in &other.codes {
            self.add_code(code, *count);
        }
        self.folding_workers = add_counts(self.folding_workers, other.folding_workers);
    }
}
