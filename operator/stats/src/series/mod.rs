//! How a run went over time: figures and percentiles per point, of all requests and of each label.
//!
//! A [`Series`] is a value like [`Collection`](crate::statistics::Collection): what one worker measured, or several of
//! them together. It has four layers, each with points of its own length:
//!
//! | layer | a point holds | shortest step |
//! |---|---|---|
//! | totals | [`Figures`] of all requests, active users | 1 s |
//! | distribution | a [`CoarseHistogram`] of all requests | 10 s |
//! | figures of labels | [`Figures`] | 10 s |
//! | distributions of labels | a [`CoarseHistogram`] | 60 s |
//!
//! Steps are 1, 5, 10, 30, 60 seconds, 5, 10, 30 minutes and so on, each dividing the next. A layer takes the shortest
//! step with which it is within [`Bounds`]; all its points have that step. Where labels are so many that even one point
//! each is too much, their layer is left out as a whole.
//!
//! # Guarantees
//!
//! * Counts and sums are exact. A sample belongs to the second of its end; points are aligned to 1970, so points of
//!   several workers, and of several runs, lie on each other.
//! * Merging is commutative and associative to the byte. A step is the longest of the parts', lengthened until the union
//!   fits. All three things that are bounded (points of a row, points, slots with a count) are sizes of sets of samples:
//!   they only grow when samples are added, and joining points commutes with adding samples.
//! * No percentile is of a part of the workers: a histogram is kept for every label, or for none.
//! * Memory is bounded, whatever the duration, the number of labels and the time stamps.
//!
//! # Users
//!
//! The active users of a second are, for one execution of one worker, the largest number that a row of that second
//! states; in a second without a row the number of the last second that had one, until the execution's last row. They are
//! added up over executions and workers. A point that is longer than a second has the mean of its seconds, since that
//! can be added up over workers with different steps, which a maximum cannot. Rows that come more than five seconds late
//! say nothing about users; a gap of more than a day is none that users filled.

mod bounds;
mod cell;
mod coarse;
mod encoded;
mod figures;
mod layer;
mod live;
mod points;
mod recording;
mod slot_counts;
mod step;
mod sum;
mod timeline;
mod users;
mod wire;

pub use bounds::Bounds;
pub use coarse::CoarseHistogram;
pub use encoded::EncodedSeries;
pub use figures::Figures;
pub use live::{LivePoint, LiveSeries, LiveSeriesError};
pub use points::{DistributionPoint, LabelSeries, Point};
pub(crate) use recording::{Recording, lies_in, shortest_point};
pub use sum::SeriesSum;
pub(crate) use users::OpenUsers;
pub use wire::{MAXIMUM_ENCODED_BYTES, SeriesError};

use crate::statistics::LabelKey;
use figures::Total;
use layer::Layer;
use step::Step;

/// Figures over time. See the [module](self).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// First and last second of a sample.
    span: Option<(i64, i64)>,
    /// One row.
    totals: Layer<Total>,
    /// One row.
    distribution: Layer<CoarseHistogram>,
    /// Labels with at least one point, ascending. Their places are the rows of the two layers of labels.
    labels: Vec<LabelKey>,
    label_figures: Layer<Figures>,
    label_distributions: Layer<CoarseHistogram>,
}

/// The row of the totals in their layers.
const ALL: usize = 0;

impl Default for Series {
    fn default() -> Self {
        Self {
            span: None,
            totals: Layer::new(Step::SECOND, 1),
            distribution: Layer::new(Step::TEN_SECONDS, 1),
            labels: Vec::new(),
            label_figures: Layer::new(Step::TEN_SECONDS, 0),
            label_distributions: Layer::new(Step::MINUTE, 0),
        }
    }
}

impl Series {
    /// Whether there is no sample.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.span.is_none()
    }

    /// Adds all of another series, within [`Bounds::MERGED`]. [`SeriesSum`] is faster for many.
    pub fn merge(&mut self, other: &Self) {
        let mut sum = SeriesSum::new(Bounds::MERGED);
        sum.add(self);
        sum.add(other);
        *self = sum.finish();
    }

    /// Extends the span to a second.
    fn extend_span(&mut self, second: i64) {
        let (first, last) = self.span.unwrap_or((second, second));
        self.span = Some((first.min(second), last.max(second)));
    }

    fn has_label(&self, row: usize) -> bool {
        self.label_figures.has_points(row) || self.label_distributions.has_points(row)
    }

    /// Makes the layers canonical: points added up, within bounds.
    fn settle(&mut self, bounds: &Bounds) {
        self.totals.settle(&bounds.totals());
        self.distribution.settle(&bounds.totals());
        self.label_figures.settle(&bounds.labels());
        self.label_distributions.settle(&bounds.labels());
    }

    /// Brings the labels into their order and drops those without points.
    fn sort_labels(&mut self) {
        let mut order: Vec<usize> = (0..self.labels.len()).filter(|row| self.has_label(*row)).collect();
        order.sort_by_key(|row| self.labels.get(*row));
        self.labels = order.iter().filter_map(|row| self.labels.get(*row).cloned()).collect();
        self.label_figures.reorder(&order);
        self.label_distributions.reorder(&order);
    }
}
