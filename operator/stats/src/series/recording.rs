//! Filling a series sample by sample.

use super::users::{OpenUsers, Stretch};
use super::{ALL, Bounds, Figures, Series};
use crate::samples::{Sample, SampleKind};
use crate::statistics::LabelKey;

/// A series that is being recorded. Labels are rows by number, which the caller gives out in the order of arrival, from
/// 0 and without gaps; their names come at the end.
#[derive(Debug, Clone)]
pub(crate) struct Recording {
    bounds: Bounds,
    /// Without names of labels.
    series: Series,
    users: OpenUsers,
}

impl Recording {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, series: Series::default(), users: OpenUsers::default() }
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
        Ok(Self { bounds, series, users })
    }

    /// The users of seconds that are not in the series yet.
    pub(crate) fn open_users(&self) -> &OpenUsers {
        &self.users
    }

    /// Adds a sample to the row of its label.
    pub(crate) fn record(&mut self, row: usize, sample: &Sample<'_>, interrupted: bool) {
        let counts = if interrupted { None } else { Some((sample.elapsed_us, 1)) };
        self.add(row, sample.kind, sample.second(), &Figures::of(sample, interrupted), counts);
    }

    /// Adds samples that ended in one second to the row of their label. `durations` are response times in microseconds
    /// with their counts, of those that were not interrupted.
    pub(crate) fn add(
        &mut self,
        row: usize,
        kind: SampleKind,
        second: i64,
        figures: &Figures,
        durations: impl IntoIterator<Item = (u64, u64)> + Clone,
    ) {
        let Self { bounds, series, .. } = self;
        series.extend_span(second);
        if kind == SampleKind::Request {
            series.totals.update(ALL, second, &bounds.totals(), |total| total.figures.merge(figures));
        }
        series.label_figures.update(row, second, &bounds.labels(), |known| known.merge(figures));
        if figures.requests == 0 {
            return;
        }
        if kind == SampleKind::Request {
            series.distribution.update(ALL, second, &bounds.totals(), |histogram| {
                durations.clone().into_iter().for_each(|(value_us, count)| histogram.record(value_us, count));
            });
        }
        series.label_distributions.update(row, second, &bounds.labels(), |histogram| {
            durations.into_iter().for_each(|(value_us, count)| histogram.record(value_us, count));
        });
    }

    /// Notes that a row of an execution which belongs to a second states a number of active users.
    pub(crate) fn note_users(&mut self, execution: usize, second: i64, users: u32) {
        let Self { bounds, series, users: known } = self;
        known.note(execution, second, users, &mut |stretch| add_users(series, bounds, stretch));
    }

    /// The series so far, where `names` are the labels by row, without the users of the last seconds.
    pub(crate) fn settled(&self, names: Vec<LabelKey>) -> Series {
        let mut series = self.series.clone();
        series.labels = names;
        series.settle(&self.bounds);
        series
    }

    /// The series, where `names` are the labels by row. Users end with the last row of their execution.
    pub(crate) fn finish(self, names: Vec<LabelKey>) -> Series {
        let Self { bounds, mut series, mut users } = self;
        users.close(&mut |stretch| add_users(&mut series, &bounds, stretch));
        series.labels = names;
        series.settle(&bounds);
        series
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
            total.user_seconds = crate::histogram::add_counts(total.user_seconds, more);
        });
        second = end;
    }
}
