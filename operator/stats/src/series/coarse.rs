//! A small histogram for a point of a series.

use crate::histogram::{HIGHEST_US, Slot, add_counts, index_among};
use crate::leb128::{self, Source};
use crate::percentile::Percentile;

/// Sub-buckets a bucket, as a power of two: values below 128 µs are kept apart, above that a slot is at most 1/64 of its
/// value wide.
const BITS: u32 = 7;
/// Number of slots.
pub(super) const SLOTS: usize = index_among::<BITS>(HIGHEST_US) + 1;
/// Bytes beyond the canonical ones that may wait to be added up, whatever the histogram's size.
const WAITING_BYTES: usize = 512;

/// Counts of durations in microseconds by HdrHistogram's rule with 128 sub-buckets: the midpoint of a slot is within
/// 0.8 % of every value in it. It takes one to two bytes for each slot with a count.
///
/// It holds its own canonical bytes: for each slot with a count, in ascending order, the `ZigZag` LEB128 numbers −n where
/// n > 0 empty slots come before it, and its count. Additions wait behind them as further sequences, each with a 0 before
/// it, until they are added up ([`settle`](Self::settle)).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CoarseHistogram {
    bytes: Vec<u8>,
    /// Length of the canonical part of `bytes`.
    settled: usize,
    /// Slots with a count in the canonical part.
    slots: usize,
}

impl CoarseHistogram {
    /// The counts in ascending order of their slots.
    pub fn slots(&self) -> impl Iterator<Item = (Slot, u64)> + '_ {
        // Additions are settled before anybody outside this module sees the value.
        let mut index = 0;
        entries(&self.bytes).filter_map(move |entry| match entry {
            Entry::Count(count) => {
                index += 1;
                Some((Slot::of::<BITS>(index - 1), count))
            }
            Entry::Gap(gap) => {
                index += gap;
                None
            }
        })
    }

    /// Number of durations.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.slots().fold(0, |sum, (_, count)| add_counts(sum, count))
    }

    /// The nearest-rank percentile in microseconds, within 0.8 % of the exact value; none without durations.
    #[must_use]
    pub fn percentile(&self, percentile: Percentile) -> Option<u64> {
        let rank = percentile.rank(self.total());
        let mut seen = 0_u64;
        self.slots()
            .find(|(_, count)| {
                seen = seen.saturating_add(*count);
                seen >= rank
            })
            .map(|(slot, _)| slot.midpoint_us())
    }

    /// Counts a duration in microseconds `count` times. One above 2³⁷ µs counts as that.
    pub(super) fn record(&mut self, value_us: u64, count: u64) {
        if count > 0 {
            self.add_slots(index_among::<BITS>(value_us.min(HIGHEST_US)), &[add_counts(0, count)]);
        }
    }

    /// Adds counts of neighbouring slots, of which the first has the number `first`.
    pub(super) fn add_slots(&mut self, first: usize, counts: &[u64]) {
        self.bytes.push(0);
        write_slots(first, counts, &mut self.bytes);
    }

    /// Adds the counts of another histogram.
    pub(super) fn merge(&mut self, other: &Self) {
        if self.bytes.is_empty() {
            self.clone_from(other);
        } else if !other.bytes.is_empty() {
            self.bytes.push(0);
            self.bytes.extend_from_slice(&other.bytes);
        }
    }

    /// Slots with a count when it was last settled.
    pub(super) fn settled_slots(&self) -> usize {
        self.slots
    }

    pub(super) fn is_settled(&self) -> bool {
        self.bytes.len() == self.settled
    }

    /// Whether so much waits to be added up that it should be.
    pub(super) fn is_crowded(&self) -> bool {
        self.bytes.len() - self.settled > WAITING_BYTES.max(2 * self.settled)
    }

    /// Adds up what waits. Afterwards equal counts have equal values.
    #[allow(clippy::large_stack_arrays, reason = "16 KB, instead of an allocation each time")]
    pub(super) fn settle(&mut self) {
        if self.is_settled() {
            return;
        }
        let mut counts = [0_u64; SLOTS];
        let mut index = 0;
        let (mut lowest, mut highest) = (SLOTS, 0);
        for entry in entries(&self.bytes) {
            match entry {
                Entry::Count(0) => index = 0,
                Entry::Count(count) => {
                    if let Some(known) = counts.get_mut(index) {
                        *known = add_counts(*known, count);
                    }
                    lowest = lowest.min(index);
                    highest = highest.max(index);
                    index += 1;
                }
                Entry::Gap(gap) => index += gap,
            }
        }
        self.bytes.clear();
        self.slots = write_slots(lowest, counts.get(lowest..=highest).unwrap_or_default(), &mut self.bytes);
        self.settled = self.bytes.len();
    }

    /// Gives back memory that a histogram needs only as long as it grows.
    pub(super) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// Bytes that it takes elsewhere.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// The canonical bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Adds the counts that canonical bytes stand for.
    pub(super) fn merge_bytes(&mut self, bytes: &[u8]) {
        self.bytes.push(0);
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes canonical bytes; none where they are not.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::check(bytes).map(|slots| Self { bytes: bytes.to_vec(), settled: bytes.len(), slots })
    }

    /// The number of slots with a count that canonical bytes have; none where they are not canonical.
    pub(super) fn check(bytes: &[u8]) -> Option<usize> {
        let mut source = Source::new(bytes);
        let (mut index, mut slots, mut after_gap) = (0_usize, 0, false);
        while !source.is_empty() {
            match Entry::of(source.number()?) {
                Entry::Count(count) if count > 0 && index < SLOTS => {
                    (index, slots, after_gap) = (index + 1, slots + 1, false);
                }
                Entry::Gap(gap) if !after_gap => (index, after_gap) = (index.checked_add(gap)?, true),
                _ => return None,
            }
        }
        (slots > 0 && !after_gap).then_some(slots)
    }
}

/// What a number stands for.
enum Entry {
    /// The count of a slot, at most 2⁶³ − 1; 0: another sequence begins.
    Count(u64),
    /// So many empty slots.
    Gap(usize),
}

impl Entry {
    /// Of a `ZigZag` number: the lowest bit is the sign.
    #[inline]
    fn of(number: u64) -> Self {
        let half = number >> 1;
        if number & 1 == 0 {
            Self::Count(half)
        } else {
            Self::Gap(usize::try_from(half).unwrap_or(usize::MAX).saturating_add(1))
        }
    }
}

/// The entries of well-formed bytes.
fn entries(bytes: &[u8]) -> impl Iterator<Item = Entry> + '_ {
    let mut source = Source::new(bytes);
    std::iter::from_fn(move || source.number().map(Entry::of))
}

/// Writes the counts of neighbouring slots, of which the first has the number `first`; the number of those that are not 0.
fn write_slots(first: usize, counts: &[u64], bytes: &mut Vec<u8>) -> usize {
    let (mut empty, mut slots) = (first, 0);
    for count in counts {
        if *count == 0 {
            empty += 1;
            continue;
        }
        if empty > 0 {
            // At most SLOTS.
            leb128::put_signed(-i64::try_from(empty).unwrap_or(i64::MAX), bytes);
        }
        // Counts never exceed i64::MAX, see `add_counts`.
        leb128::put_signed(i64::try_from(*count).unwrap_or(i64::MAX), bytes);
        (empty, slots) = (0, slots + 1);
    }
    slots
}

/// The slot in which those durations are counted that have a slot with this index in a
/// [`Histogram`](crate::Histogram). That has 16 times as many sub-buckets a bucket, so its slots never lie in two of these.
#[inline]
pub(super) fn slot_of(fine: usize) -> usize {
    /// Half the sub-buckets of a bucket of the finer histogram: its slots below this are a microsecond wide and count from 0.
    const FINE_HALF: usize = 1 << 10;
    /// Four buckets of these lie below the first of those.
    const BUCKETS_BELOW: usize = 4 << (BITS - 1);
    if fine < FINE_HALF { index_among::<BITS>(fine as u64) } else { (fine >> 4) + BUCKETS_BELOW }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::{MAXIMUM_COUNT, index_of};
    use crate::series::slot_counts::SlotCounts;

    fn of(values: &[(u64, u64)]) -> CoarseHistogram {
        let mut histogram = CoarseHistogram::default();
        for (value_us, count) in values {
            histogram.record(*value_us, *count);
        }
        histogram.settle();
        histogram
    }

    #[test]
    fn every_fine_slot_lies_in_the_slot_of_its_values() {
        for value_us in (0..40_000).chain((0..37).flat_map(|bits| [(1_u64 << bits) - 1, 1 << bits, 3 << bits >> 1])) {
            assert_eq!(slot_of(index_of(value_us)), index_among::<BITS>(value_us), "{value_us}");
        }
        assert_eq!(slot_of(index_of(HIGHEST_US)), SLOTS - 1);
    }

    #[test]
    fn neighbouring_counts_are_added_as_one_by_one() {
        let mut histogram = of(&[(3, 1), (90, 4)]);
        let mut counts = SlotCounts::default();
        for value_us in [7, 90, 3, 7] {
            counts.add(index_among::<BITS>(value_us), 1);
        }
        counts.add_to(&mut histogram);
        histogram.settle();
        assert_eq!(histogram, of(&[(3, 2), (7, 2), (90, 5)]));
        counts.clear();
        assert!(counts.is_empty());
        counts.add(0, 1);
        counts.add_to(&mut histogram);
        histogram.settle();
        assert_eq!(histogram, of(&[(0, 1), (3, 2), (7, 2), (90, 5)]));
    }

    #[test]
    fn a_midpoint_is_within_eight_thousandths_of_every_value_in_its_slot() {
        let mut expected_low = 0;
        for index in 0..SLOTS {
            let slot = Slot::of::<BITS>(index);
            assert_eq!(slot.low_us, expected_low);
            for value in [slot.low_us, slot.high_us] {
                assert!(slot.midpoint_us().abs_diff(value) * 125 <= value, "{slot:?}");
                assert_eq!(index_among::<BITS>(value), index);
            }
            expected_low = slot.high_us + 1;
        }
        assert!(expected_low > HIGHEST_US);
    }

    #[test]
    fn additions_settle_to_the_same_bytes_in_any_order() {
        let mut left = of(&[(7, 1), (300, 2), (5_000_000, 1)]);
        let right = of(&[(0, 5), (7, 1), (301, 1), (u64::MAX, 3)]);
        let mut backwards = right.clone();
        backwards.merge(&left);
        backwards.settle();
        left.merge(&right);
        left.settle();
        assert_eq!(left, backwards);
        assert_eq!(left, of(&[(0, 5), (7, 2), (300, 2), (301, 1), (5_000_000, 1), (HIGHEST_US, 3)]));
        assert_eq!((left.total(), left.settled_slots()), (14, 5));
    }

    #[test]
    fn counts_stop_at_the_maximum() {
        let histogram = of(&[(7, MAXIMUM_COUNT), (7, u64::MAX), (8, 1)]);
        assert_eq!(histogram.slots().map(|(_, count)| count).collect::<Vec<_>>(), [MAXIMUM_COUNT, 1]);
        assert_eq!(histogram.total(), MAXIMUM_COUNT);
        assert_eq!(CoarseHistogram::from_bytes(histogram.bytes()), Some(histogram));
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let histogram = of(&[(10, 1), (20, 1), (30, 1), (40, 1)]);
        let at = |text: &str| histogram.percentile(text.parse().unwrap());
        assert_eq!(
            (at("p0"), at("p25"), at("p25.001"), at("p75"), at("p100")),
            (Some(10), Some(10), Some(20), Some(30), Some(40))
        );
        assert_eq!(CoarseHistogram::default().percentile(Percentile::P50), None);
    }

    #[test]
    fn only_canonical_bytes_are_read() {
        let good = of(&[(5, 1), (6, 300), (900, 2)]);
        assert_eq!(CoarseHistogram::from_bytes(good.bytes()), Some(good.clone()));
        let bytes_of = |numbers: &[i64]| {
            let mut bytes = Vec::new();
            for number in numbers {
                leb128::put_signed(*number, &mut bytes);
            }
            bytes
        };
        let last = i64::try_from(SLOTS).unwrap() - 1;
        assert!(CoarseHistogram::from_bytes(&bytes_of(&[-last, 1])).is_some());
        for numbers in
            [&[][..], &[0], &[-3], &[1, -3], &[-1, -1, 4], &[4, 0, 4], &[-last - 1, 1], &[i64::MIN, 1], &[-last, 1, 1]]
        {
            assert_eq!(CoarseHistogram::from_bytes(&bytes_of(numbers)), None, "{numbers:?}");
        }
        assert_eq!(CoarseHistogram::from_bytes(&[0x82, 0x00]), None, "a number that is not in its shortest form");
    }
}
