//! How values spread: nearest rank, as everywhere in Volley.

use volley_stats::Percentile;

/// Sorted values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    sorted: Vec<i64>,
}

impl FromIterator<i64> for Spread {
    fn from_iter<I: IntoIterator<Item = i64>>(values: I) -> Self {
        let mut sorted: Vec<i64> = values.into_iter().collect();
        sorted.sort_unstable();
        Self { sorted }
    }
}

impl Spread {
    /// The value at a percentile; nothing of nothing.
    #[must_use]
    pub fn percentile(&self, percentile: Percentile) -> Option<i64> {
        let rank = percentile.rank(self.sorted.len() as u64);
        self.sorted.get(usize::try_from(rank).ok()?.checked_sub(1)?).copied()
    }

    /// The smallest value.
    #[must_use]
    pub fn minimum(&self) -> Option<i64> {
        self.sorted.first().copied()
    }

    /// The largest value.
    #[must_use]
    pub fn maximum(&self) -> Option<i64> {
        self.sorted.last().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_there() {
        let spread: Spread = (1..=100).rev().collect();
        assert_eq!(spread.percentile(Percentile::P50), Some(50));
        assert_eq!(spread.percentile(Percentile::P99), Some(99));
        assert_eq!((spread.minimum(), spread.maximum()), (Some(1), Some(100)));
        let one: Spread = [7].into_iter().collect();
        assert_eq!(one.percentile(Percentile::P99), Some(7));
        assert_eq!(Spread::default().percentile(Percentile::P50), None);
    }
}
