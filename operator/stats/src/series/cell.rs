//! What the points of a layer hold.

use super::coarse::CoarseHistogram;
use super::figures::{Figures, Total};

/// The content of one point: a value that can be added up, commutatively and associatively.
pub(super) trait Cell: Clone + Default {
    fn merge(&mut self, other: &Self);

    /// Slots of a histogram that the content takes; 0 for sums. Exact once it is settled.
    fn slots(&self) -> usize {
        0
    }

    /// Brings the content into its one canonical form.
    fn settle(&mut self) {}

    /// Whether the content should be settled now, for memory's sake.
    fn is_crowded(&self) -> bool {
        false
    }

    /// Gives back memory that is only needed while the content grows.
    fn shrink(&mut self) {}
}

impl Cell for Figures {
    fn merge(&mut self, other: &Self) {
        Self::merge(self, other);
    }
}

impl Cell for Total {
    fn merge(&mut self, other: &Self) {
        self.figures.merge(&other.figures);
        self.user_seconds = crate::histogram::add_counts(self.user_seconds, other.user_seconds);
    }
}

impl Cell for CoarseHistogram {
    fn merge(&mut self, other: &Self) {
        Self::merge(self, other);
    }

    fn slots(&self) -> usize {
        self.settled_slots()
    }

    fn settle(&mut self) {
        Self::settle(self);
    }

    fn is_crowded(&self) -> bool {
        Self::is_crowded(self)
    }

    fn shrink(&mut self) {
        Self::shrink(self);
    }
}
