//! Filling a series sample by sample.

use super::coarse::slot_of;
use super::slot_counts::SlotCounts;
use super::users::{OpenUsers, Stretch};
use super::wire::Parts;
use super::{ALL, Bounds, Figures, Series};
use crate::histogram::{HIGHEST_US, add_counts, index_of};
use crate::samples::Sample;
use crate::statistics::LabelKey;

/// Seconds of the shortest point that a distribution, or the figures of a label, has. Longer points consist of whole ones.
const SHORTEST_SECONDS: i64 = 10;

/// The first second of the shortest point in which a second lies.
#[inline]
pub(crate) fn shortest_point(second: i64) -> i64 {
    second.saturating_sub(second.rem_euclid(SHORTEST_SECONDS))
}

/// Whether a second lies in the shortest point that begins at another.
#[inline]
pub(crate) fn lies_in(second: i64, point: i64) -> bool {
    (0..SHORTEST_SECONDS).contains(&second.wrapping_sub(point))
}

/// A series that is being recorded. Labels are rows by number, which the caller gives out in the order of arrival, from
/// 0 and without gaps; their names come at the end.
#[derive(Debug, Clone)]
pub(crate) struct Recording {
    bounds: Bounds,
    /// Without names of labels, and without what is in `open`.
    series: Series,
    users: OpenUsers,
    open: OpenTotals,
    /// Empty between two calls.
    counts: SlotCounts,
}

/// The requests of one second, and the response times of one point, that are not in the series yet: nearly all samples
/// belong to the same as the one before, and points of a series take a search.
#[derive(Debug, Clone, Default)]
struct OpenTotals {
    second: i64,
    figures: Figures,
    /// First second of the point.
    point: i64,
    counts: SlotCounts,
}

impl Recording {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            series: Series::default(),
            users: OpenUsers::default(),
            open: OpenTotals::default(),
            counts: SlotCounts::default(),
        }
    }

    /// Goes on with a series and the users that were still open, where `row` says which row a label has.
    ///
    /// # Errors
    /// The first label that has no row.
    pub(crate) fn resume(
        bounds: Bounds,
        mut series: Series,
        users: OpenUsers,
        row: impl Fn(&LabelKey) -> Option<usize>,
    ) -> Result<Self, LabelKey> {
        let labels = std::mem::take(&mut series.labels);
        let mut order = Vec::new();
        for (place, key) in labels.iter().enumerate() {
            let row = row(key).ok_or_else(|| key.clone())?;
            if row >= order.len() {
                order.resize(row + 1, usize::MAX);
            }
            order[row] = place;
        }
        series.label_figures.reorder(&order);
        series.label_distributions.reorder(&order);
        Ok(Self { series, users, ..Self::new(bounds) })
    }

    /// The users of seconds that are not in the series yet.
    pub(crate) fn open_users(&self) -> &OpenUsers {
        &self.users
    }

    /// Extends the span to the second of a sample, whatever else becomes of it.
    #[inline]
    pub(crate) fn extend_span(&mut self, second: i64) {
        self.series.extend_span(second);
    }

    /// Adds a request to the totals.
    pub(crate) fn record_request(&mut self, second: i64, sample: &Sample<'_>, interrupted: bool) {
        if self.open.second != second {
            self.close_second();
            self.open.second = second;
        }
        self.open.figures.merge(&Figures::of(sample, interrupted));
        if interrupted {
            return;
        }
        if !lies_in(second, self.open.point) {
            self.close_point();
            self.open.point = shortest_point(second);
        }
        self.open.counts.add(slot_of(index_of(sample.elapsed_us.min(HIGHEST_US))), 1);
    }

    /// Adds samples that ended in one shortest point to the row of their label. `indices` are the slots of the response
    /// times, of those that were not interrupted, in a [`Histogram`](crate::Histogram).
    pub(crate) fn add_to_label(&mut self, row: usize, second: i64, figures: &Figures, indices: &[u16]) {
        let Self { bounds, series, counts, .. } = self;
        let bounds = bounds.labels();
        series.label_figures.update(row, second, &bounds, |known| known.merge(figures));
        if !indices.is_empty() {
            for index in indices {
                counts.add(slot_of(usize::from(*index)), 1);
            }
            series.label_distributions.update(row, second, &bounds, |histogram| counts.add_to(histogram));
            counts.clear();
        }
    }

    /// Notes that a row of an execution which belongs to a second states a number of active users.
    pub(crate) fn note_users(&mut self, execution: usize, second: i64, users: u32) {
        let Self { bounds, series, users: known, .. } = self;
        known.note(execution, second, users, &mut |stretch| add_users(series, bounds, stretch));
    }

    /// Brings everything but the users of the last seconds into its one form.
    pub(crate) fn settle(&mut self) {
        self.close_second();
        self.close_point();
        self.series.settle(&self.bounds);
    }

    /// The bytes of the series so far, where `names` are the labels by row. It must be [settled](Self::settle).
    ///
    /// `with_users`: users end with the last row of their execution; else those of the last seconds are left out.
    pub(crate) fn encode(&self, names: &[&LabelKey], with_users: bool) -> Vec<u8> {
        let mut labels: Vec<(usize, &LabelKey)> = names.iter().copied().enumerate().collect();
        labels.retain(|(row, _)| self.series.has_label(*row));
        labels.sort_unstable_by_key(|(_, key)| *key);
        if !with_users {
            return Parts { totals: &self.series.totals, labels, series: &self.series }.encode();
        }
        // The users lie in the totals alone: at most 3,600 points.
        let mut ended = Series { span: self.series.span, totals: self.series.totals.clone(), ..Series::default() };
        self.users.clone().close(&mut |stretch| add_users(&mut ended, &self.bounds, stretch));
        ended.totals.settle(&self.bounds.totals());
        Parts { totals: &ended.totals, labels, series: &self.series }.encode()
    }

    /// The series, where `names` are the labels by row. Users end with the last row of their execution.
    pub(crate) fn finish(mut self, names: Vec<LabelKey>) -> Series {
        self.close_second();
        self.close_point();
        let Self { bounds, mut series, mut users, .. } = self;
        users.close(&mut |stretch| add_users(&mut series, &bounds, stretch));
        series.labels = names;
        series.settle(&bounds);
        series.sort_labels();
        series
    }

    fn close_second(&mut self) {
        let figures = std::mem::take(&mut self.open.figures);
        if figures != Figures::default() {
            let bounds = self.bounds.totals();
            self.series.totals.update(ALL, self.open.second, &bounds, |total| total.figures.merge(&figures));
        }
    }

    fn close_point(&mut self) {
        let OpenTotals { point, counts, .. } = &mut self.open;
        if !counts.is_empty() {
            let bounds = self.bounds.totals();
            self.series.distribution.update(ALL, *point, &bounds, |histogram| counts.add_to(histogram));
            counts.clear();
        }
    }
}

/// Adds users to the points in which the seconds of a stretch lie.
fn add_users(series: &mut Series, bounds: &Bounds, stretch: &Stretch) {
    let mut second = stretch.from;
    while stretch.users > 0 && second < stretch.to {
        // The step may grow with each new point.
        let end = series.totals.step().map_or(stretch.to, |step| {
            step.point_of(second).saturating_add(1).saturating_mul(step.seconds()).min(stretch.to)
        });
        let seconds = end.abs_diff(second);
        series.totals.update(ALL, second, &bounds.totals(), |total| {
            let more = seconds.saturating_mul(u64::from(stretch.users));
            total.user_seconds = add_counts(total.user_seconds, more);
        });
        second = end;
    }
}
