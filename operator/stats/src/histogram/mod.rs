//! A histogram of durations in microseconds, compatible with HdrHistogram and small.
//!
//! The slots are HdrHistogram's for 3 significant digits and the fixed range of 1 µs to 2³⁷ µs (38 hours): every value
//! below 2,048 µs has a slot of its own, above that a slot is at most 1/1,024 of its value wide. The midpoint of a slot
//! is therefore within 0.05 % of every value in it. Slots exist in pages of 128 that are made when first needed, since
//! a response time distribution touches a small part of the range; a page counts in 16 bits until a count outgrows them.
//!
//! # Guarantees
//!
//! * Counts never wrap: they widen from 16 to 32 and 64 bits, and stop at 2⁶³ − 1, the largest that the wire format can hold.
//! * [`Histogram::merge`] is commutative and associative.
//! * Equal counts have equal [canonical bytes](Histogram::encode), whatever the history of the two histograms.

mod page;
mod slots;
mod wire;

use page::Page;
pub use slots::{HIGHEST_US, LOWEST_US, SIGNIFICANT_DIGITS, Slot};
pub(crate) use slots::{SLOTS, index_among, index_of};
pub(crate) use wire::EncodedHistogram;
pub use wire::{MAXIMUM_ENCODED_BYTES, WireError};

use crate::percentile::Percentile;

/// Slots in a page.
const PAGE_SLOTS: usize = 128;
/// Pages in the whole range.
const PAGES: usize = slots::SLOTS.div_ceil(PAGE_SLOTS);
/// The entry of `directory` for a page that was not needed yet.
const ABSENT: u8 = u8::MAX;
const _: () = assert!(PAGES < ABSENT as usize, "page numbers fit a byte and leave one value for absent");

/// The largest count of a slot and of a histogram, 2⁶³ − 1: the wire format holds signed 64-bit numbers.
pub const MAXIMUM_COUNT: u64 = i64::MAX as u64;

/// Counts per slot. See the [module](self) for what the slots are.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    /// For each page of the range the place in `pages`, or [`ABSENT`]; as long as the highest page needed so far.
    directory: Vec<u8>,
    pages: Vec<Page>,
    total: u64,
}

impl Histogram {
    /// An empty histogram. It allocates nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one value in microseconds. A value above [`HIGHEST_US`] counts as that.
    pub fn record(&mut self, value_us: u64) {
        self.record_n(value_us, 1);
    }

    /// Counts a value in microseconds `count` times. A value above [`HIGHEST_US`] counts as that.
    pub fn record_n(&mut self, value_us: u64, count: u64) {
        self.add(slots::index_of(value_us.min(HIGHEST_US)), count);
    }

    /// Number of recorded values.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Adds the counts of another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (number, place) in other.directory.iter().enumerate() {
            if let Some(page) = other.pages.get(usize::from(*place)) {
                self.page_mut(number).merge(page);
            }
        }
        self.total = add_counts(self.total, other.total);
    }

    /// The slot that holds the value of a percentile's [rank](Percentile::rank); none without values.
    ///
    /// The published value is [`Slot::midpoint_us`] clamped to the exact minimum and maximum, which
    /// [`Distribution::percentile`](crate::statistics::Distribution::percentile) does.
    #[must_use]
    pub fn slot_at(&self, percentile: Percentile) -> Option<Slot> {
        let rank = percentile.rank(self.total);
        let mut seen = 0_u64;
        for (number, place) in self.directory.iter().enumerate() {
            let Some(page) = self.pages.get(usize::from(*place)) else { continue };
            let in_page = page.total();
            if seen.saturating_add(in_page) < rank {
                seen = seen.saturating_add(in_page);
                continue;
            }
            for offset in 0..PAGE_SLOTS {
                seen = seen.saturating_add(page.get(offset));
                if seen >= rank {
                    return Some(Slot::at(number * PAGE_SLOTS + offset));
                }
            }
        }
        None
    }

    /// The slots with a count, in ascending order, with their counts.
    pub fn slots(&self) -> impl Iterator<Item = (Slot, u64)> + '_ {
        self.counts().map(|(index, count)| (Slot::at(index), count))
    }

    /// Memory that the counts take, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.directory.capacity()
            + self.pages.capacity() * size_of::<Page>()
            + self.pages.iter().map(Page::heap_bytes).sum::<usize>()
    }

    /// Non-zero counts by index, in ascending order.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.directory
            .iter()
            .enumerate()
            .filter_map(|(number, place)| Some((number, self.pages.get(usize::from(*place))?)))
            .flat_map(|(number, page)| {
                (0..PAGE_SLOTS).map(move |offset| (number * PAGE_SLOTS + offset, page.get(offset)))
            })
            .filter(|(_, count)| *count > 0)
    }

    /// Counts one value of each of these slots, given by index. An index must be below that of [`HIGHEST_US`]'s successor.
    pub(crate) fn add_one_of_each(&mut self, indices: &[u16]) {
        for index in indices.iter().map(|index| usize::from(*index)) {
            self.page_mut(index / PAGE_SLOTS).add(index % PAGE_SLOTS, 1);
        }
        self.total = add_counts(self.total, indices.len() as u64);
    }

    #[inline]
    fn add(&mut self, index: usize, count: u64) {
        if count > 0 {
            self.page_mut(index / PAGE_SLOTS).add(index % PAGE_SLOTS, count);
            self.total = add_counts(self.total, count);
        }
    }

    /// Adds counts by index. They should come in ascending order: a page is looked up once for each run of its slots.
    pub(crate) fn add_all(&mut self, counts: impl Iterator<Item = (usize, u64)>) {
        let (mut number, mut place) = (PAGES, 0);
        let mut total = self.total;
        for (index, count) in counts {
            if index / PAGE_SLOTS != number {
                number = index / PAGE_SLOTS;
                place = self.place_of(number);
            }
            self.pages[place].add(index % PAGE_SLOTS, count);
            total = add_counts(total, count);
        }
        self.total = total;
    }

    #[inline]
    fn page_mut(&mut self, number: usize) -> &mut Page {
        let place = self.place_of(number);
        &mut self.pages[place]
    }

    /// The place of a page, which exists afterwards.
    #[inline]
    fn place_of(&mut self, number: usize) -> usize {
        if number >= self.directory.len() {
            self.directory.resize(number + 1, ABSENT);
        }
        let place = &mut self.directory[number];
        if *place == ABSENT {
            // At most PAGES pages exist, which the assertion above keeps below ABSENT.
            *place = u8::try_from(self.pages.len()).unwrap_or(ABSENT);
            self.pages.push(Page::new());
        }
        usize::from(*place)
    }
}

impl PartialEq for Histogram {
    fn eq(&self, other: &Self) -> bool {
        self.total == other.total && self.counts().eq(other.counts())
    }
}

impl Eq for Histogram {}

/// Adds two counts; stops at [`MAXIMUM_COUNT`]. Commutative and associative for counts up to that.
pub(crate) fn add_counts(left: u64, right: u64) -> u64 {
    left.saturating_add(right).min(MAXIMUM_COUNT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_histogram_has_no_percentile() {
        assert_eq!(Histogram::new().slot_at(Percentile::P50), None);
        assert!(Histogram::new().is_empty());
    }

    #[test]
    fn counts_widen_instead_of_wrapping() {
        let counts = |histogram: &Histogram| histogram.slots().map(|(_, count)| count).collect::<Vec<_>>();
        for widest in [u64::from(u16::MAX), u64::from(u32::MAX)] {
            let mut histogram = Histogram::new();
            histogram.record_n(5, widest);
            histogram.record(6);
            let mut merged = histogram.clone();
            histogram.record(5);
            assert_eq!(histogram.total(), widest + 2);
            assert_eq!(counts(&histogram), [widest + 1, 1]);
            merged.merge(&merged.clone());
            assert_eq!(counts(&merged), [2 * widest, 2]);
            merged.merge(&histogram);
            assert_eq!(counts(&merged), [3 * widest + 1, 3]);
            // A narrow page and a wide one.
            let mut narrow = Histogram::new();
            narrow.record(6);
            narrow.merge(&merged);
            assert_eq!(counts(&narrow), [3 * widest + 1, 4]);
        }
    }

    #[test]
    fn counts_stop_at_the_largest_that_the_wire_format_holds() {
        let mut histogram = Histogram::new();
        histogram.record_n(5, u64::MAX);
        histogram.record_n(5, 1);
        histogram.record_n(70_000, MAXIMUM_COUNT);
        assert_eq!(histogram.total(), MAXIMUM_COUNT);
        assert_eq!(Histogram::decode(&histogram.encode()).unwrap(), histogram);
    }

    #[test]
    fn values_above_the_range_count_in_the_last_slot() {
        let mut histogram = Histogram::new();
        histogram.record(u64::MAX);
        histogram.record(HIGHEST_US);
        let (slot, count) = histogram.slots().next().unwrap();
        assert_eq!(count, 2);
        assert!(slot.low_us <= HIGHEST_US && HIGHEST_US <= slot.high_us);
    }

    #[test]
    fn a_usual_response_time_distribution_takes_a_few_kilobytes() {
        let mut histogram = Histogram::new();
        for value_us in (20_000..80_000).step_by(1000) {
            histogram.record(value_us);
        }
        assert!(histogram.memory_bytes() < 16 * 1024, "{}", histogram.memory_bytes());
    }

    #[test]
    fn equality_ignores_the_order_in_which_pages_were_made() {
        let mut ascending = Histogram::new();
        let mut descending = Histogram::new();
        for value_us in [10, 5_000, 9_000_000] {
            ascending.record(value_us);
        }
        for value_us in [9_000_000, 5_000, 10] {
            descending.record(value_us);
        }
        assert_eq!(ascending, descending);
        assert_eq!(ascending.encode(), descending.encode());
        descending.record(1);
        assert_ne!(ascending, descending);
    }
}
