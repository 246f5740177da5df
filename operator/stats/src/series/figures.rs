//! The sums of one point.

use crate::histogram::{HIGHEST_US, add_counts};
use crate::samples::Sample;

/// Exact counts and sums of the samples that ended in one point of a series.
///
/// Sums stop at 2⁶³ − 1 instead of wrapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Samples that were not interrupted.
    pub requests: u64,
    /// Those of them that failed.
    pub errors: u64,
    /// Samples that the stop of the run cut off. They are in no other figure.
    pub interrupted: u64,
    /// Bytes received, as far as the engine tells them.
    pub bytes: u64,
    /// Sum of the response times in microseconds; one above 2³⁷ µs (38 hours) counts as that.
    pub elapsed_us: u64,
    /// Shortest response time in microseconds; 0 without requests.
    pub minimum_us: u64,
    /// Longest response time in microseconds; 0 without requests.
    pub maximum_us: u64,
}

impl Figures {
    /// The figures of one sample.
    #[must_use]
    pub fn of(sample: &Sample<'_>, interrupted: bool) -> Self {
        if interrupted {
            return Self { interrupted: 1, ..Self::default() };
        }
        let elapsed_us = sample.elapsed_us.min(HIGHEST_US);
        Self {
            requests: 1,
            errors: u64::from(!sample.success),
            interrupted: 0,
            bytes: add_counts(0, sample.bytes.unwrap_or(0)),
            elapsed_us,
            minimum_us: elapsed_us,
            maximum_us: elapsed_us,
        }
    }

    /// Mean response time in microseconds; none without requests.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a mean to 15 digits is enough")]
    pub fn average_us(&self) -> Option<f64> {
        (self.requests > 0).then(|| self.elapsed_us as f64 / self.requests as f64)
    }

    /// Shortest and longest response time in microseconds; none without requests.
    #[must_use]
    pub fn bounds_us(&self) -> Option<(u64, u64)> {
        (self.requests > 0).then_some((self.minimum_us, self.maximum_us))
    }

    /// Adds other samples.
    pub fn merge(&mut self, other: &Self) {
        if other.requests > 0 {
            let (minimum, maximum) = self.bounds_us().unwrap_or((other.minimum_us, other.maximum_us));
            self.minimum_us = minimum.min(other.minimum_us);
            self.maximum_us = maximum.max(other.maximum_us);
        }
        for (mine, theirs) in [
            (&mut self.requests, other.requests),
            (&mut self.errors, other.errors),
            (&mut self.interrupted, other.interrupted),
            (&mut self.bytes, other.bytes),
            (&mut self.elapsed_us, other.elapsed_us),
        ] {
            *mine = add_counts(*mine, theirs);
        }
    }
}

/// One point of the totals: figures, and the active users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Total {
    pub(crate) figures: Figures,
    /// Active users of each second of the point, added up. A sum and no maximum, because sums of workers with points of
    /// different lengths can still be added exactly.
    pub(crate) user_seconds: u64,
}
