//! A histogram with the exact figures beside it.

use crate::histogram::{HIGHEST_US, Histogram, add_counts};
use crate::percentile::Percentile;

/// How durations in microseconds are distributed: a histogram, and exactly the sum, the sum of squares, the minimum and
/// the maximum.
///
/// Values above 2³⁷ µs (38 hours) enter every figure as that, and are counted in [`clamped`](Self::clamped).
/// Sums stop at the largest number instead of wrapping.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Distribution {
    pub(crate) histogram: Histogram,
    pub(crate) moments: Moments,
}

/// The exact figures beside a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Moments {
    pub(crate) sum_us: u128,
    pub(crate) sum_of_squares: u128,
    pub(crate) bounds_us: Option<(u64, u64)>,
    pub(crate) clamped: u64,
}

impl Moments {
    /// Adds one duration in microseconds; what it counts as.
    #[inline]
    pub(crate) fn record(&mut self, value_us: u64) -> u64 {
        let clamped_us = value_us.min(HIGHEST_US);
        self.clamped = add_counts(self.clamped, u64::from(value_us > HIGHEST_US));
        self.sum_us = self.sum_us.saturating_add(u128::from(clamped_us));
        self.sum_of_squares = self.sum_of_squares.saturating_add(u128::from(clamped_us).pow(2));
        self.extend_bounds(clamped_us, clamped_us);
        clamped_us
    }

    /// Adds those of other durations.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
        self.sum_of_squares = self.sum_of_squares.saturating_add(other.sum_of_squares);
        self.clamped = add_counts(self.clamped, other.clamped);
        if let Some((minimum, maximum)) = other.bounds_us {
            self.extend_bounds(minimum, maximum);
        }
    }

    fn extend_bounds(&mut self, minimum_us: u64, maximum_us: u64) {
        let (minimum, maximum) = self.bounds_us.unwrap_or((minimum_us, maximum_us));
        self.bounds_us = Some((minimum.min(minimum_us), maximum.max(maximum_us)));
    }
}

impl Distribution {
    /// Adds one duration in microseconds.
    pub fn record(&mut self, value_us: u64) {
        let value_us = self.moments.record(value_us);
        self.histogram.record(value_us);
    }

    /// Adds all durations of another distribution.
    pub fn merge(&mut self, other: &Self) {
        self.histogram.merge(&other.histogram);
        self.moments.merge(&other.moments);
    }

    /// Number of durations.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.total()
    }

    /// Sum in microseconds.
    #[must_use]
    pub fn sum_us(&self) -> u128 {
        self.moments.sum_us
    }

    /// Sum of the squares, in square microseconds.
    #[must_use]
    pub fn sum_of_squares(&self) -> u128 {
        self.moments.sum_of_squares
    }

    /// Exact minimum in microseconds; none without durations.
    #[must_use]
    pub fn minimum_us(&self) -> Option<u64> {
        self.moments.bounds_us.map(|(minimum, _)| minimum)
    }

    /// Exact maximum in microseconds; none without durations.
    #[must_use]
    pub fn maximum_us(&self) -> Option<u64> {
        self.moments.bounds_us.map(|(_, maximum)| maximum)
    }

    /// How many durations were above 2³⁷ µs and entered as that.
    #[must_use]
    pub fn clamped(&self) -> u64 {
        self.moments.clamped
    }

    /// The counts.
    #[must_use]
    pub fn histogram(&self) -> &Histogram {
        &self.histogram
    }

    /// Arithmetic mean in microseconds; none without durations.
    #[must_use]
    pub fn mean_us(&self) -> Option<f64> {
        mean(self.moments.sum_us, self.count())
    }

    /// Population standard deviation in microseconds, from the exact sums; none without durations.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a standard deviation to 15 digits is enough")]
    pub fn standard_deviation_us(&self) -> Option<f64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        // n * sum of squares - square of the sum, in integers as long as they fit: floating point would cancel.
        let Moments { sum_us, sum_of_squares, .. } = self.moments;
        let scaled = sum_of_squares
            .checked_mul(u128::from(count))
            .zip(sum_us.checked_mul(sum_us))
            .map(|(left, right)| left.saturating_sub(right) as f64);
        let variance = match scaled {
            Some(scaled) => scaled / (count as f64).powi(2),
            None => sum_of_squares as f64 / count as f64 - (sum_us as f64 / count as f64).powi(2),
        };
        Some(variance.max(0.0).sqrt())
    }

    /// The nearest-rank percentile in microseconds; none without durations.
    ///
    /// p0 and p100 are the exact minimum and maximum. Others are the midpoint of the histogram's slot, clamped to them:
    /// at most 0.05 % from the exact value.
    #[must_use]
    pub fn percentile(&self, percentile: Percentile) -> Option<u64> {
        let (minimum, maximum) = self.moments.bounds_us?;
        match percentile {
            Percentile::MINIMUM => Some(minimum),
            Percentile::MAXIMUM => Some(maximum),
            _ => self.histogram.slot_at(percentile).map(|slot| slot.midpoint_us().max(minimum).min(maximum)),
        }
    }
}

/// The mean of durations of which only the sum is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mean {
    pub(crate) count: u64,
    pub(crate) sum_us: u128,
}

impl Mean {
    /// Adds one duration in microseconds; nothing where it was not measured.
    pub fn record(&mut self, value_us: Option<u64>) {
        if let Some(value_us) = value_us {
            self.count = add_counts(self.count, 1);
            self.sum_us = self.sum_us.saturating_add(u128::from(value_us.min(HIGHEST_US)));
        }
    }

    /// Adds all durations of another mean.
    pub fn merge(&mut self, other: &Self) {
        self.count = add_counts(self.count, other.count);
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
    }

    /// Number of durations.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Sum in microseconds.
    #[must_use]
    pub fn sum_us(&self) -> u128 {
        self.sum_us
    }

    /// Arithmetic mean in microseconds; none without durations.
    #[must_use]
    pub fn mean_us(&self) -> Option<f64> {
        mean(self.sum_us, self.count)
    }

    /// Arithmetic mean in whole microseconds, halves rounded up; none without durations.
    #[must_use]
    pub fn rounded_us(&self) -> Option<u64> {
        let count = u128::from(self.count);
        let rounded = self.sum_us.saturating_add(count / 2).checked_div(count)?;
        Some(u64::try_from(rounded).unwrap_or(u64::MAX))
    }
}

#[allow(clippy::cast_precision_loss, reason = "a mean to 15 digits is enough")]
fn mean(sum: u128, count: u64) -> Option<f64> {
    (count > 0).then(|| sum as f64 / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_without_durations_are_absent() {
        let empty = Distribution::default();
        assert_eq!((empty.mean_us(), empty.standard_deviation_us(), empty.minimum_us()), (None, None, None));
        assert_eq!(empty.percentile(Percentile::P50), None);
        assert_eq!(empty.percentile(Percentile::MINIMUM), None);
    }

    #[test]
    fn the_standard_deviation_of_large_close_values_does_not_cancel() {
        let mut distribution = Distribution::default();
        for value_us in [100_000_000_000, 100_000_000_002, 100_000_000_004] {
            distribution.record(value_us);
        }
        let expected = (8.0_f64 / 3.0).sqrt();
        assert!((distribution.standard_deviation_us().unwrap() - expected).abs() < 1e-9);
        assert!((distribution.mean_us().unwrap() - 100_000_000_002.0).abs() < f64::EPSILON);
    }

    #[test]
    fn durations_above_the_range_are_clamped_and_counted() {
        let mut distribution = Distribution::default();
        distribution.record(u64::MAX);
        distribution.record(10);
        assert_eq!(distribution.clamped(), 1);
        assert_eq!(distribution.maximum_us(), Some(HIGHEST_US));
        assert_eq!(distribution.sum_us(), u128::from(HIGHEST_US) + 10);
    }

    #[test]
    fn a_percentile_never_leaves_the_exact_bounds() {
        let mut distribution = Distribution::default();
        // The midpoint of the slot of 1,000,001 is 1,000,192.
        distribution.record(1_000_001);
        for percentile in [Percentile::MINIMUM, Percentile::P50, Percentile::MAXIMUM] {
            assert_eq!(distribution.percentile(percentile), Some(1_000_001));
        }
    }
}
