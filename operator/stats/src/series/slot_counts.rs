//! Counts for a coarse histogram while they are being taken.

use super::coarse::{self, CoarseHistogram};
use crate::histogram::add_counts;

/// A count for each slot of a [`CoarseHistogram`], each at a place of its own: taking one more is one addition. It takes
/// 16 KB, so there is one of it where a histogram of each label takes hundreds of bytes.
#[derive(Debug, Clone)]
pub(super) struct SlotCounts {
    counts: Box<[u64]>,
    /// The lowest slot with a count and the one behind the highest; without counts the first is not below the second.
    used: (usize, usize),
}

impl Default for SlotCounts {
    fn default() -> Self {
        Self { counts: vec![0; coarse::SLOTS].into_boxed_slice(), used: UNUSED }
    }
}

const UNUSED: (usize, usize) = (usize::MAX, 0);

impl SlotCounts {
    /// Adds to the count of a slot.
    #[inline]
    pub(super) fn add(&mut self, slot: usize, count: u64) {
        if let Some(known) = self.counts.get_mut(slot) {
            *known = add_counts(*known, count);
            self.used = (self.used.0.min(slot), self.used.1.max(slot + 1));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.used == UNUSED
    }

    /// Adds all counts to a histogram.
    pub(super) fn add_to(&self, histogram: &mut CoarseHistogram) {
        let (lowest, end) = self.used;
        if let Some(used) = self.counts.get(lowest..end) {
            histogram.add_slots(lowest, used);
        }
    }

    /// Forgets all counts.
    pub(super) fn clear(&mut self) {
        let (lowest, end) = std::mem::replace(&mut self.used, UNUSED);
        if let Some(used) = self.counts.get_mut(lowest..end) {
            used.fill(0);
        }
    }
}
