//! What became of some requests.

use crate::histogram::{MAXIMUM_COUNT, add_counts};
use crate::samples::Sample;
use crate::series::Figures;
use crate::statistics::{Distribution, LabelStatistics};

/// Stands in bytes for bytes received that an engine does not tell: more than any count.
pub(crate) const UNTOLD: u64 = MAXIMUM_COUNT + 1;

/// How requests went: of one label, one region or all, in one second or several.
///
/// It can be added up like everything in this crate: commutatively and associatively.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Responses {
    /// Response times of the requests, failed ones included, interrupted ones not.
    pub elapsed: Distribution,
    /// Failed requests.
    pub errors: u64,
    /// Requests that the stop of the run cut off. They are in no other figure.
    pub interrupted: u64,
    /// Bytes received; none where the engine does not tell them of every request.
    pub bytes: Option<u64>,
}

impl Default for Responses {
    /// No requests.
    fn default() -> Self {
        Self { elapsed: Distribution::default(), errors: 0, interrupted: 0, bytes: Some(0) }
    }
}

impl From<&LabelStatistics> for Responses {
    fn from(statistics: &LabelStatistics) -> Self {
        Self {
            elapsed: statistics.together().elapsed,
            errors: statistics.errors(),
            interrupted: statistics.interrupted.count(),
            bytes: statistics.bytes(),
        }
    }
}

impl Responses {
    /// Requests, failed ones included, interrupted ones not.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.elapsed.count()
    }

    /// Whether there was no request, not even an interrupted one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requests() == 0 && self.interrupted == 0
    }

    /// Adds a sample.
    pub fn record(&mut self, sample: &Sample<'_>, interrupted: bool) {
        if interrupted {
            self.interrupted = add_counts(self.interrupted, 1);
            return;
        }
        self.elapsed.record(sample.elapsed_us);
        self.errors = add_counts(self.errors, u64::from(!sample.success));
        self.bytes = add_told(self.bytes, sample.bytes);
    }

    /// Adds other requests.
    pub fn merge(&mut self, other: &Self) {
        self.elapsed.merge(&other.elapsed);
        self.errors = add_counts(self.errors, other.errors);
        self.interrupted = add_counts(self.interrupted, other.interrupted);
        self.bytes = add_told(self.bytes, other.bytes);
    }

    /// The counts and sums without the distribution; 0 bytes where they are not known.
    #[must_use]
    pub fn figures(&self) -> Figures {
        Figures {
            requests: self.requests(),
            errors: self.errors,
            interrupted: self.interrupted,
            bytes: self.bytes.unwrap_or(0),
            elapsed_us: u64::try_from(self.elapsed.sum_us())
                .map_or(crate::histogram::MAXIMUM_COUNT, |sum| add_counts(0, sum)),
            minimum_us: self.elapsed.minimum_us().unwrap_or(0),
            maximum_us: self.elapsed.maximum_us().unwrap_or(0),
        }
    }
}

/// Adds bytes; what one side does not tell, the sum does not know. Commutative and associative.
pub(crate) fn add_told(left: Option<u64>, right: Option<u64>) -> Option<u64> {
    left.zip(right).map(|(left, right)| add_counts(left, right))
}
