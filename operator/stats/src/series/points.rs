//! The published values of a series.

use super::coarse::CoarseHistogram;
use super::figures::Figures;
use super::layer::Layer;
use super::step::Step;
use super::{ALL, Series};
use crate::percentile::Percentile;
use crate::statistics::LabelKey;

/// What is known about one point of the totals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// First second of the point, in seconds since 1970-01-01 UTC.
    pub second: i64,
    /// Counts and sums of all requests that ended in it.
    pub figures: Figures,
    /// Active users: the mean over the point's seconds between the first and the last second of the series.
    pub users: f64,
}

/// The response times of one point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DistributionPoint<'a> {
    /// First second of the point, in seconds since 1970-01-01 UTC.
    pub second: i64,
    /// Counts of response times.
    pub histogram: &'a CoarseHistogram,
    /// Shortest and longest response time in microseconds, where they are known for exactly these seconds.
    bounds_us: Option<(u64, u64)>,
}

impl DistributionPoint<'_> {
    /// The nearest-rank percentile in microseconds: within 0.8 % of the exact value, and never outside of the shortest
    /// and the longest response time where these are known.
    #[must_use]
    pub fn percentile(&self, percentile: Percentile) -> Option<u64> {
        let value_us = self.histogram.percentile(percentile)?;
        Some(self.bounds_us.map_or(value_us, |(minimum, maximum)| value_us.max(minimum).min(maximum)))
    }
}

/// One label of a series.
#[derive(Debug, Clone, Copy)]
pub struct LabelSeries<'a> {
    /// The label.
    pub key: &'a LabelKey,
    series: &'a Series,
    row: usize,
}

impl<'a> LabelSeries<'a> {
    /// Counts and sums by first second of their point, ascending. A point without samples is not there.
    pub fn points(&self) -> impl Iterator<Item = (i64, &'a Figures)> + use<'a> {
        let step = seconds(self.series.label_figures.step());
        self.series.label_figures.row(self.row).iter().map(move |(number, figures)| (number * step, figures))
    }

    /// Response times by point, ascending. A point without requests is not there.
    pub fn distributions(&self) -> impl Iterator<Item = DistributionPoint<'a>> + use<'a> {
        distributions(&self.series.label_distributions, &self.series.label_figures, self.row, |figures| figures)
    }
}

impl Series {
    /// First and last second of a sample, in seconds since 1970-01-01 UTC; none without samples.
    #[must_use]
    pub fn span(&self) -> Option<(i64, i64)> {
        self.span
    }

    /// Length of the [points](Self::points) in seconds.
    #[must_use]
    pub fn step_seconds(&self) -> u64 {
        seconds(self.totals.step()).unsigned_abs()
    }

    /// All requests over time, ascending, at most 3,600 points. A point without samples and users is not there.
    pub fn points(&self) -> impl Iterator<Item = Point> + '_ {
        let step = seconds(self.totals.step());
        self.totals.row(ALL).iter().map(move |(number, total)| {
            let second = number * step;
            Point { second, figures: total.figures, users: mean_users(self.span, total.user_seconds, second, step) }
        })
    }

    /// Length of the [distributions](Self::distributions) in seconds.
    #[must_use]
    pub fn distribution_step_seconds(&self) -> u64 {
        seconds(self.distribution.step()).unsigned_abs()
    }

    /// Response times of all requests over time, ascending, at most 3,600 points. A point without requests is not there.
    pub fn distributions(&self) -> impl Iterator<Item = DistributionPoint<'_>> {
        distributions(&self.distribution, &self.totals, ALL, |total| &total.figures)
    }

    /// Labels in the order of their keys; none where both layers of labels were left out.
    pub fn labels(&self) -> impl Iterator<Item = LabelSeries<'_>> {
        self.labels.iter().enumerate().map(|(row, key)| LabelSeries { key, series: self, row })
    }

    /// Length of the points of labels in seconds; none where they were left out because there are too many labels.
    #[must_use]
    pub fn label_step_seconds(&self) -> Option<u64> {
        self.label_figures.step().map(|step| step.seconds().unsigned_abs())
    }

    /// Length of the distributions of labels in seconds; none where they were left out because there are too many labels.
    #[must_use]
    pub fn label_distribution_step_seconds(&self) -> Option<u64> {
        self.label_distributions.step().map(|step| step.seconds().unsigned_abs())
    }
}

/// The mean of the users of a point that begins with that second.
#[allow(clippy::cast_precision_loss, reason = "users to 15 digits are enough")]
pub(super) fn mean_users(span: Option<(i64, i64)>, user_seconds: u64, second: i64, step: i64) -> f64 {
    let (first, last) = span.unwrap_or((second, second));
    // The first and the last point reach beyond the series.
    let covered = (second + step - 1).min(last) - second.max(first) + 1;
    user_seconds as f64 / covered.max(1) as f64
}

pub(super) fn seconds(step: Option<Step>) -> i64 {
    step.unwrap_or(Step::SECOND).seconds()
}

/// The points of a row of histograms with the bounds that the figures of the same row know.
pub(super) fn distributions<'a, V>(
    histograms: &'a Layer<CoarseHistogram>,
    figures: &'a Layer<V>,
    row: usize,
    figures_of: fn(&'a V) -> &'a Figures,
) -> impl Iterator<Item = DistributionPoint<'a>> + use<'a, V>
where
    V: super::cell::Cell,
{
    let step = seconds(histograms.step());
    // Figures with longer points, or none, know nothing about exactly these seconds.
    let finer = figures.step().map(Step::seconds).filter(|finer| *finer <= step);
    let mut rest = figures.row(row).iter().peekable();
    histograms.row(row).iter().map(move |(number, histogram)| {
        let second = number * step;
        let bounds_us = finer.and_then(|finer| {
            while rest.next_if(|(number, _)| number * finer < second).is_some() {}
            let mut sum = Figures::default();
            while let Some((_, value)) = rest.next_if(|(number, _)| number * finer < second + step) {
                sum.merge(figures_of(value));
            }
            sum.bounds_us()
        });
        DistributionPoint { second, histogram, bounds_us }
    })
}
