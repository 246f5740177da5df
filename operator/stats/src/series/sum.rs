//! Adding up many series.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::cell::Cell;
use super::coarse::CoarseHistogram;
use super::encoded::{EncodedLayer, EncodedSeries};
use super::layer::{Layer, LayerBounds};
use super::step::Step;
use super::{ALL, Bounds, Series};
use crate::statistics::LabelKey;

/// Adds up series one after the other; in any order and grouping the result is the same.
///
/// It is faster than [`Series::merge`] because it brings the sum into its canonical form once, at the end.
#[derive(Debug, Clone)]
pub struct SeriesSum {
    bounds: Bounds,
    /// Its labels are in the order of their arrival.
    series: Series,
    rows: HashMap<LabelKey, usize, RandomState>,
}

impl Default for SeriesSum {
    fn default() -> Self {
        Self::new(Bounds::MERGED)
    }
}

impl SeriesSum {
    /// A sum of no series yet.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, series: Series::default(), rows: HashMap::default() }
    }

    /// Adds a series.
    pub fn add(&mut self, other: &Series) {
        self.adopt(
            other.span,
            [
                other.totals.step(),
                other.distribution.step(),
                other.label_figures.step(),
                other.label_distributions.step(),
            ],
        );
        let rows = self.rows_of(&other.labels);
        let Self { bounds, series, .. } = self;
        let (totals, labels) = (bounds.totals(), bounds.labels());
        add_rows(&mut series.totals, &other.totals, &[ALL], &totals);
        add_rows(&mut series.distribution, &other.distribution, &[ALL], &totals);
        add_rows(&mut series.label_figures, &other.label_figures, &rows, &labels);
        add_rows(&mut series.label_distributions, &other.label_distributions, &rows, &labels);
    }

    /// Adds a series from its bytes.
    pub fn add_encoded<B: AsRef<[u8]>>(&mut self, other: &EncodedSeries<B>) {
        let (totals, distribution) = (other.totals(), other.distribution());
        let (label_figures, label_distributions) = (other.label_figures(), other.label_distributions());
        self.adopt(other.span, [totals.step, distribution.step, label_figures.step, label_distributions.step]);
        let rows = self.rows_of(&other.labels);
        let Self { bounds, series, .. } = self;
        let bounds = (bounds.totals(), bounds.labels());
        add_encoded_rows(&mut series.totals, totals, &[ALL], &bounds.0, |known, added| known.merge(&added));
        let merge_bytes = |known: &mut CoarseHistogram, added: &[u8]| known.merge_bytes(added);
        add_encoded_rows(&mut series.distribution, distribution, &[ALL], &bounds.0, merge_bytes);
        add_encoded_rows(&mut series.label_figures, label_figures, &rows, &bounds.1, |known, added| {
            known.merge(&added);
        });
        add_encoded_rows(&mut series.label_distributions, label_distributions, &rows, &bounds.1, merge_bytes);
    }

    /// Takes over span and steps: totals, distribution, figures of labels, distributions of labels.
    fn adopt(&mut self, span: Option<(i64, i64)>, steps: [Option<Step>; 4]) {
        let series = &mut self.series;
        if let Some((first, last)) = span {
            series.extend_span(first);
            series.extend_span(last);
        }
        let [totals, distribution, label_figures, label_distributions] = steps;
        series.totals.adopt_step(totals);
        series.distribution.adopt_step(distribution);
        series.label_figures.adopt_step(label_figures);
        series.label_distributions.adopt_step(label_distributions);
    }

    /// The rows of labels in the sum; new ones are added.
    fn rows_of(&mut self, labels: &[LabelKey]) -> Vec<usize> {
        let Self { series, rows, .. } = self;
        let row_of = |key: &LabelKey| {
            rows.get(key).copied().unwrap_or_else(|| {
                series.labels.push(key.clone());
                rows.insert(key.clone(), series.labels.len() - 1);
                series.labels.len() - 1
            })
        };
        labels.iter().map(row_of).collect()
    }

    /// The sum.
    #[must_use]
    pub fn finish(self) -> Series {
        let Self { bounds, mut series, .. } = self;
        series.settle(&bounds);
        series.sort_labels();
        series
    }
}

/// Adds the rows of a layer, of which the first goes to the row `rows[0]` and so on.
fn add_rows<V: Cell>(sum: &mut Layer<V>, added: &Layer<V>, rows: &[usize], bounds: &LayerBounds) {
    let Some(step) = added.step() else { return };
    for (place, row) in rows.iter().enumerate() {
        let points = added.row(place).iter().map(|(number, value)| (*number, value));
        sum.merge_points(*row, step, points, bounds, V::merge);
    }
}

/// The same of a layer in bytes.
fn add_encoded_rows<V: Cell, T>(
    sum: &mut Layer<V>,
    added: EncodedLayer<'_, T>,
    rows: &[usize],
    bounds: &LayerBounds,
    merge: impl Fn(&mut V, T),
) {
    let Some(step) = added.step else { return };
    added.for_each_row(|place, points| {
        if let Some(row) = rows.get(place) {
            sum.merge_points(*row, step, points, bounds, &merge);
        }
    });
}
