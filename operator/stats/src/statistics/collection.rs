//! What was measured: by one worker, or by several together.

use std::collections::BTreeMap;

use super::{ErrorGroups, LabelStatistics, OTHER};
use crate::histogram::add_counts;
use crate::samples::SampleKind;

/// A label with its kind. Requests come before transactions, then names in byte order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelKey {
    /// Requests or transactions.
    pub kind: SampleKind,
    /// The name.
    pub name: Box<str>,
}

/// The figures of a collection that do not belong to a label. Every figure is a sum, a minimum or a maximum.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overview {
    /// Earliest start of a request that counts, in microseconds since 1970-01-01 UTC.
    pub first_start_us: Option<i64>,
    /// Latest end of a request that counts, in microseconds since 1970-01-01 UTC.
    pub last_end_us: Option<i64>,
    /// Samples seen: requests, transactions and interrupted ones.
    pub samples: u64,
    /// Rows of sample files that made no sense and were skipped.
    pub malformed_rows: u64,
    /// Samples whose label had no row of its own any more and was folded into `[other]`.
    pub folded_label_samples: u64,
    /// Failed requests whose message had no group of its own any more and was folded into `[other]`.
    pub folded_error_samples: u64,
    /// Samples whose label was cut because it was too long.
    pub shortened_label_samples: u64,
    /// Largest number of active users, summed over executions and workers: an upper bound of the users at one instant.
    pub peak_users: u64,
    /// Number of workers that folded labels.
    pub(crate) folding_workers: u64,
}

impl Overview {
    /// Measured interval in microseconds: from the first start to the last end; none without requests.
    #[must_use]
    pub fn interval_us(&self) -> Option<u64> {
        let (first, last) = self.first_start_us.zip(self.last_end_us)?;
        u64::try_from(last.checked_sub(first)?).ok()
    }

    /// Requests per second over the measured interval; none where that is empty.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a rate to 15 digits is enough")]
    pub fn rate(&self, requests: u64) -> Option<f64> {
        let interval_us = self.interval_us().filter(|interval_us| *interval_us > 0)?;
        Some(requests as f64 * 1e6 / interval_us as f64)
    }

    /// Whether any worker had to fold labels.
    #[must_use]
    pub fn has_folded_labels(&self) -> bool {
        self.folding_workers > 0
    }

    /// Whether the figures of a label are a lower bound, because a worker folded labels and has no row for this one:
    /// some of its samples may stand under `[other]`. That row itself is none.
    #[must_use]
    pub fn is_lower_bound(&self, name: &str, label: &LabelStatistics) -> bool {
        name != OTHER && label.folding_workers < self.folding_workers
    }

    /// Extends the measured interval by that of a request, in microseconds since 1970-01-01 UTC.
    pub(crate) fn extend_interval(&mut self, start_us: i64, end_us: i64) {
        self.first_start_us = extreme(self.first_start_us, Some(start_us), i64::min);
        self.last_end_us = extreme(self.last_end_us, Some(end_us), i64::max);
    }

    /// Adds the figures of another collection.
    pub fn merge(&mut self, other: &Self) {
        self.first_start_us = extreme(self.first_start_us, other.first_start_us, i64::min);
        self.last_end_us = extreme(self.last_end_us, other.last_end_us, i64::max);
        for (mine, theirs) in [
            (&mut self.samples, other.samples),
            (&mut self.malformed_rows, other.malformed_rows),
            (&mut self.folded_label_samples, other.folded_label_samples),
            (&mut self.folded_error_samples, other.folded_error_samples),
            (&mut self.shortened_label_samples, other.shortened_label_samples),
            (&mut self.peak_users, other.peak_users),
            (&mut self.folding_workers, other.folding_workers),
        ] {
            *mine = add_counts(*mine, theirs);
        }
    }
}

fn extreme(left: Option<i64>, right: Option<i64>, choose: fn(i64, i64) -> i64) -> Option<i64> {
    match (left, right) {
        (Some(left), Some(right)) => Some(choose(left, right)),
        (one, other) => one.or(other),
    }
}

/// Everything that was measured: statistics per label, error groups, and the figures over all.
///
/// A request and a transaction of the same name are two labels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Collection {
    /// The figures that belong to no label.
    pub overview: Overview,
    /// Requests by name.
    pub requests: BTreeMap<Box<str>, LabelStatistics>,
    /// Transactions by name. They repeat their requests and are in no total.
    pub transactions: BTreeMap<Box<str>, LabelStatistics>,
    /// Failed requests by label, code and message.
    pub errors: ErrorGroups,
}

impl Collection {
    /// The labels of a kind.
    #[must_use]
    pub fn labels(&self, kind: SampleKind) -> &BTreeMap<Box<str>, LabelStatistics> {
        match kind {
            SampleKind::Request => &self.requests,
            SampleKind::Transaction => &self.transactions,
        }
    }

    /// The labels of a kind, to change them.
    pub fn labels_mut(&mut self, kind: SampleKind) -> &mut BTreeMap<Box<str>, LabelStatistics> {
        match kind {
            SampleKind::Request => &mut self.requests,
            SampleKind::Transaction => &mut self.transactions,
        }
    }

    /// Number of labels of both kinds.
    #[must_use]
    pub fn label_count(&self) -> usize {
        self.requests.len() + self.transactions.len()
    }

    /// All requests as one label. Transactions are not in it.
    #[must_use]
    pub fn total(&self) -> LabelStatistics {
        let mut total = LabelStatistics::default();
        for label in self.requests.values() {
            total.merge(label);
        }
        total
    }

    /// Requests per second over the measured interval, successes and failures; none where that is empty.
    #[must_use]
    pub fn request_rate(&self) -> Option<f64> {
        self.overview.rate(self.requests.values().fold(0, |sum, label| add_counts(sum, label.requests())))
    }

    /// Adds all of another collection. There is no bound: the result has every label and every error group of both.
    pub fn merge(&mut self, other: &Self) {
        self.overview.merge(&other.overview);
        self.errors.merge(&other.errors);
        for kind in [SampleKind::Request, SampleKind::Transaction] {
            for (name, label) in other.labels(kind) {
                self.merge_label(kind, name, label);
            }
        }
    }

    /// Adds statistics to one label.
    pub fn merge_label(&mut self, kind: SampleKind, name: &str, label: &LabelStatistics) {
        let labels = self.labels_mut(kind);
        match labels.get_mut(name) {
            Some(known) => known.merge(label),
            None => {
                labels.insert(name.into(), label.clone());
            }
        }
    }
}
