//! Which slot a value belongs to: HdrHistogram's rule, for one fixed range.
//!
//! The rule is written for any precision; this module's constants are those of [`Histogram`](super::Histogram), 3
//! significant digits. [`series`](crate::series) uses it with fewer sub-buckets.
//!
//! Source: Gil Tene's `HdrHistogram`, described at <http://hdrhistogram.org>. With 3 significant digits a bucket has 2,048
//! sub-buckets, the smallest power of two at or above 2·10³. Bucket 0 counts in steps of 1 µs from 0 to 2,047; bucket b
//! counts in steps of 2ᵇ µs and only its upper 1,024 sub-buckets are used, as the lower ones belong to bucket b − 1.

/// The lowest value that the wire format's header states, in microseconds. A value of 0 has a slot too.
pub const LOWEST_US: u64 = 1;
/// The highest value, 2³⁷ µs (38 hours). Larger values count as this one.
pub const HIGHEST_US: u64 = 1 << 37;
/// Significant decimal digits.
pub const SIGNIFICANT_DIGITS: u8 = 3;

const SUB_BUCKET_BITS: u32 = 11;
/// Bucket 27 holds 2³⁷ µs; it and the 27 below have 1,024 slots each, and bucket 0 has 1,024 more.
pub(crate) const SLOTS: usize = 29 * 1024;

/// The values that share one count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The lowest value in the slot, in microseconds.
    pub low_us: u64,
    /// The highest value in the slot, in microseconds, inclusive.
    pub high_us: u64,
}

impl Slot {
    /// The value published for the slot, in microseconds: within 0.05 % of every value in it.
    #[must_use]
    pub fn midpoint_us(self) -> u64 {
        // Upper of the two middles, as HdrHistogram's "median equivalent value".
        self.low_us + (self.high_us - self.low_us).div_ceil(2)
    }

    pub(crate) fn at(index: usize) -> Self {
        Self::of::<SUB_BUCKET_BITS>(index)
    }

    /// The slot with that index among those with 2ᴮ sub-buckets a bucket.
    pub(crate) fn of<const BITS: u32>(index: usize) -> Self {
        let index = index as u64;
        let half = 1 << (BITS - 1);
        let (bucket, sub_bucket) = match (index >> (BITS - 1)).checked_sub(1) {
            None => (0, index),
            Some(bucket) => (bucket, (index & (half - 1)) + half),
        };
        let low_us = sub_bucket << bucket;
        Self { low_us, high_us: low_us + ((1 << bucket) - 1) }
    }
}

/// The index of a value's slot. The value must not exceed [`HIGHEST_US`].
#[inline]
pub(crate) fn index_of(value_us: u64) -> usize {
    index_among::<SUB_BUCKET_BITS>(value_us)
}

/// The index of a value's slot among those with 2ᴮ sub-buckets a bucket. The value must not exceed [`HIGHEST_US`].
#[allow(clippy::cast_possible_truncation, reason = "an index is at most that of HIGHEST_US, some 30,000")]
pub(crate) const fn index_among<const BITS: u32>(value_us: u64) -> usize {
    let bucket = u64::BITS - BITS - (value_us | ((1 << BITS) - 1)).leading_zeros();
    let sub_bucket = value_us >> bucket;
    (((bucket as u64) << (BITS - 1)) + sub_bucket) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_follow_one_another_without_gap_and_hold_their_own_bounds() {
        let mut expected_low = 0;
        for index in 0..SLOTS {
            let slot = Slot::at(index);
            assert_eq!(slot.low_us, expected_low);
            assert!(slot.low_us <= slot.high_us);
            if slot.high_us <= HIGHEST_US {
                assert_eq!((index_of(slot.low_us), index_of(slot.high_us)), (index, index));
            }
            expected_low = slot.high_us + 1;
        }
        assert!(index_of(HIGHEST_US) < SLOTS);
    }

    #[test]
    fn a_midpoint_is_within_a_twentieth_of_a_percent_of_every_value_in_its_slot() {
        for index in 0..SLOTS {
            let slot = Slot::at(index);
            for value in [slot.low_us, slot.high_us] {
                assert!(slot.midpoint_us().abs_diff(value) * 2000 <= value, "{slot:?}");
            }
        }
    }

    #[test]
    fn the_judge_counts_in_the_same_slots() {
        let judge = hdrhistogram::Histogram::<u64>::new_with_bounds(LOWEST_US, HIGHEST_US, SIGNIFICANT_DIGITS).unwrap();
        assert_eq!(judge.distinct_values(), SLOTS);
        for exponent in 0..37 {
            for value in [1_u64 << exponent, (1 << exponent) + 1, (2 << exponent) - 1, (3 << exponent) / 2] {
                let slot = Slot::at(index_of(value));
                assert_eq!(slot.low_us, judge.lowest_equivalent(value));
                assert_eq!(slot.high_us, judge.highest_equivalent(value));
                assert_eq!(slot.midpoint_us(), judge.median_equivalent(value));
            }
        }
    }
}
