//! What a recorder keeps of one label.

use super::batch::Batch;
use super::limits::{Limits, shorten};
use crate::histogram::add_counts;
use crate::samples::Sample;
use crate::series::{Figures, Recording};
use crate::statistics::{LabelKey, LabelStatistics, OTHER};

/// A label with its statistics, and the samples that are not in them yet.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) key: LabelKey,
    successes: Batch,
    failures: Batch,
    code: RecentCode,
    /// Complete only after [`close`](Self::close).
    pub(super) statistics: LabelStatistics,
}

impl Row {
    pub(super) fn new(key: LabelKey, statistics: LabelStatistics) -> Self {
        Self { key, successes: Batch::default(), failures: Batch::default(), code: RecentCode::default(), statistics }
    }

    /// Adds a sample that ended in a second. `number` is that of this row in the series.
    pub(super) fn record(
        &mut self,
        number: usize,
        second: i64,
        sample: &Sample<'_>,
        series: &mut Recording,
        limits: &Limits,
    ) {
        let (batch, outcome) = if sample.success {
            (&mut self.successes, &mut self.statistics.successes)
        } else {
            (&mut self.failures, &mut self.statistics.failures)
        };
        if !batch.takes(second) {
            batch.close(sample.success, outcome, number, series);
            batch.begin(second);
        }
        batch.add(sample);
        self.count_code(sample.code, limits);
    }

    /// Adds a sample that was cut off.
    pub(super) fn record_interrupted(
        &mut self,
        number: usize,
        second: i64,
        sample: &Sample<'_>,
        series: &mut Recording,
    ) {
        self.statistics.interrupted.record(sample);
        series.add_to_label(number, second, &Figures::of(sample, true), &[]);
    }

    /// Adds everything that waits to the statistics and the series.
    pub(super) fn close(&mut self, number: usize, series: &mut Recording) {
        self.successes.close(true, &mut self.statistics.successes, number, series);
        self.failures.close(false, &mut self.statistics.failures, number, series);
        self.code.close(&mut self.statistics);
    }

    #[inline]
    fn count_code(&mut self, code: &str, limits: &Limits) {
        if self.code.is(code) {
            self.code.requests += 1;
        } else {
            self.count_another_code(code, limits);
        }
    }

    fn count_another_code(&mut self, code: &str, limits: &Limits) {
        self.code.close(&mut self.statistics);
        let known = shorten(code, limits.message_bytes);
        let codes = &mut self.statistics.codes;
        if let Some(count) = codes.get_mut(&*known) {
            *count = add_counts(*count, 1);
        } else if codes.len() < limits.codes_per_label {
            self.statistics.add_code(&known, 1);
        } else {
            self.statistics.add_code(OTHER, 1);
        }
        // Only one that has a row: which codes have one is decided when they first come.
        self.code = RecentCode::default();
        if self.statistics.codes.contains_key(code) {
            self.code.remember(code);
        }
    }
}

/// The response code that came last, with the requests that had it and are not in the statistics yet: nearly every request
/// of a label has the same.
#[derive(Debug, Clone)]
struct RecentCode {
    text: [u8; Self::LONGEST],
    /// [`NONE`](Self::NONE): there is none.
    length: usize,
    requests: u64,
}

impl Default for RecentCode {
    fn default() -> Self {
        Self { text: [0; Self::LONGEST], length: Self::NONE, requests: 0 }
    }
}

impl RecentCode {
    /// Bytes of a code that is remembered: those of HTTP, and short names.
    const LONGEST: usize = 15;
    const NONE: usize = usize::MAX;

    #[inline]
    fn is(&self, code: &str) -> bool {
        self.text.get(..self.length) == Some(code.as_bytes())
    }

    fn remember(&mut self, code: &str) {
        if let Some(text) = self.text.get_mut(..code.len()) {
            text.copy_from_slice(code.as_bytes());
            self.length = code.len();
        }
    }

    fn close(&mut self, statistics: &mut LabelStatistics) {
        let requests = std::mem::take(&mut self.requests);
        if let Some(code) = self.text.get(..self.length).filter(|_| requests > 0) {
            statistics.add_code(&String::from_utf8_lossy(code), requests);
        }
    }
}
