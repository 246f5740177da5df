//! Adding up many series.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{ALL, Bounds, Series, SeriesError};
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
        let Self { bounds, series, rows } = self;
        if let Some((first, last)) = other.span {
            series.extend_span(first);
            series.extend_span(last);
        }
        series.totals.adopt_step(&other.totals);
        series.distribution.adopt_step(&other.distribution);
        series.label_figures.adopt_step(&other.label_figures);
        series.label_distributions.adopt_step(&other.label_distributions);
        series.totals.merge_row(ALL, &other.totals, ALL, &bounds.totals());
        series.distribution.merge_row(ALL, &other.distribution, ALL, &bounds.totals());
        let bounds = bounds.labels();
        for (other_row, key) in other.labels.iter().enumerate() {
            let row = rows.get(key).copied().unwrap_or_else(|| {
                series.labels.push(key.clone());
                rows.insert(key.clone(), series.labels.len() - 1);
                series.labels.len() - 1
            });
            series.label_figures.merge_row(row, &other.label_figures, other_row, &bounds);
            series.label_distributions.merge_row(row, &other.label_distributions, other_row, &bounds);
        }
    }

    /// Adds a series from its bytes.
    ///
    /// # Errors
    /// [`SeriesError`] where they are none; then nothing was added.
    pub fn add_encoded(&mut self, bytes: &[u8]) -> Result<(), SeriesError> {
        self.add(&Series::decode(bytes)?);
        Ok(())
    }

    /// The sum.
    #[must_use]
    pub fn finish(self) -> Series {
        let Self { bounds, mut series, .. } = self;
        series.settle(&bounds);
        series
    }
}
