//! Percentiles against sorting all samples.

use proptest::prelude::*;
use volley_stats::{Distribution, Percentile};

use crate::generators::duration_us;

/// The nearest rank by its definition: the first value that at least p percent of all are at or below.
fn exact(sorted: &[u64], thousandths: u32) -> u64 {
    let needed = sorted.len() as u128 * u128::from(thousandths);
    let position = (1..=sorted.len()).find(|rank| *rank as u128 * 100_000 >= needed).unwrap();
    sorted[position - 1]
}

proptest! {
    #[test]
    fn percentiles_are_within_a_twentieth_of_a_percent_of_the_exact_nearest_rank(
        mut values in proptest::collection::vec(duration_us(), 1..1_500),
        mut asked in proptest::collection::vec(0_u32..=100_000, 1..10),
    ) {
        let mut distribution = Distribution::default();
        for value in &values {
            distribution.record(*value);
        }
        values.sort_unstable();
        asked.extend([0, 1, 50_000, 90_000, 95_000, 99_000, 99_900, 99_999, 100_000]);
        for thousandths in asked {
            let published = distribution.percentile(Percentile::from_thousandths(thousandths).unwrap()).unwrap();
            let exact = exact(&values, thousandths);
            prop_assert!(
                published.abs_diff(exact) * 2_000 <= exact,
                "{thousandths}: {published} instead of {exact} of {}", values.len()
            );
        }
        prop_assert_eq!(distribution.percentile(Percentile::MINIMUM), values.first().copied());
        prop_assert_eq!(distribution.percentile(Percentile::MAXIMUM), values.last().copied());
        prop_assert_eq!(distribution.sum_us(), values.iter().map(|value| u128::from(*value)).sum::<u128>());
        prop_assert_eq!(
            distribution.sum_of_squares(),
            values.iter().map(|value| u128::from(*value).pow(2)).sum::<u128>()
        );
    }

    #[test]
    fn percentiles_of_merged_distributions_are_those_of_all_samples(
        left in proptest::collection::vec(duration_us(), 0..300),
        right in proptest::collection::vec(duration_us(), 1..300),
    ) {
        let mut merged = Distribution::default();
        let mut other = Distribution::default();
        for value in &left {
            merged.record(*value);
        }
        for value in &right {
            other.record(*value);
        }
        merged.merge(&other);
        let mut all = [left, right].concat();
        all.sort_unstable();
        for thousandths in [0, 50_000, 95_000, 99_000, 99_900, 100_000] {
            let published = merged.percentile(Percentile::from_thousandths(thousandths).unwrap()).unwrap();
            let exact = exact(&all, thousandths);
            prop_assert!(published.abs_diff(exact) * 2_000 <= exact);
        }
    }
}

#[test]
fn the_rank_at_thousands_of_samples_is_not_one_too_high() {
    // Where floating point arithmetic asks for rank 1,000 of 1,000 at p99.9.
    for thousands in [1_u64, 2, 3, 7, 20] {
        let mut distribution = Distribution::default();
        let count = thousands * 1000;
        (1..=count).for_each(|value| distribution.record(if value <= count - thousands { 100 } else { 2_000 }));
        assert_eq!(distribution.percentile(Percentile::P99_9), Some(100));
        assert_eq!(distribution.percentile(Percentile::from_thousandths(99_901).unwrap()), Some(2_000));
    }
}
