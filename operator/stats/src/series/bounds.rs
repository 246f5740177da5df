//! How much a series may hold.

use super::layer::LayerBounds;
use super::step::FEWEST_POINTS;

/// How much a series may hold. What exceeds it gets longer points, never fewer samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Points of one row: of the totals, or of a label.
    pub row_points: usize,
    /// Points of all labels together, in each of their two layers.
    pub label_points: usize,
    /// Slots with a count in all histograms of labels together.
    pub label_slots: usize,
}

impl Bounds {
    /// What a worker keeps: about 15 MB where it is all used.
    ///
    /// That is 8 hours of 200 labels in minutes, and their histograms in points of 10 to 30 minutes.
    pub const WORKER: Self = Self { row_points: 3_600, label_points: 100_000, label_slots: 2_000_000 };
    /// What workers have together, and what [`Series::decode`](super::Series::decode) reads: about 60 MB where it is all
    /// used. It is more than a worker keeps, because the histograms of many workers together have more slots.
    pub const MERGED: Self = Self { row_points: 3_600, label_points: 200_000, label_slots: 8_000_000 };

    /// Whether a series within these bounds always has its totals and can be [decoded](super::Series::decode).
    pub(crate) fn are_sound(&self) -> bool {
        let Self { row_points, label_points, label_slots } = Self::MERGED;
        (FEWEST_POINTS..=row_points).contains(&self.row_points)
            && self.label_points <= label_points
            && self.label_slots <= label_slots
    }

    /// The bounds of a layer with one row: its number of points bounds its slots too.
    pub(super) fn totals(&self) -> LayerBounds {
        self.layer(self.row_points, usize::MAX)
    }

    pub(super) fn labels(&self) -> LayerBounds {
        self.layer(self.label_points, self.label_slots)
    }

    fn layer(&self, points: usize, slots: usize) -> LayerBounds {
        LayerBounds { row_seconds: self.row_points, row_points: self.row_points, points, slots }
    }
}
