//! What a judgement looks at.

use crate::histogram::add_counts;
use crate::statistics::{Distribution, LabelStatistics};

/// Requests that are judged together. The response times are those of successes and failures.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Failed requests.
    pub errors: u64,
    /// Response times of all requests.
    pub elapsed: Distribution,
}

impl Tally {
    /// Number of requests.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.elapsed.count()
    }

    /// Adds the requests of another one.
    pub fn merge(&mut self, other: &Self) {
        self.errors = add_counts(self.errors, other.errors);
        self.elapsed.merge(&other.elapsed);
    }
}

impl From<&LabelStatistics> for Tally {
    fn from(statistics: &LabelStatistics) -> Self {
        let mut elapsed = statistics.successes.elapsed.clone();
        elapsed.merge(&statistics.failures.elapsed);
        Self { errors: statistics.errors(), elapsed }
    }
}
