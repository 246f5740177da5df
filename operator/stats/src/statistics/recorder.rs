//! Takes samples one by one, within the bounds of a worker.

use std::borrow::Cow;

use super::collection::extreme;
use super::label::add_to_code;
use super::{Collection, ErrorKey, LabelStatistics, was_interrupted};
use crate::histogram::add_counts;
use crate::samples::{Sample, SampleKind};

/// The row into which everything beyond a bound is folded.
pub const OTHER: &str = "[other]";

/// The bounds of what a worker keeps. They act when a sample arrives, never when collections are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Labels of both kinds with a row of their own; `[other]` comes on top.
    pub labels: usize,
    /// Error groups; `[other]` comes on top.
    pub error_groups: usize,
    /// Response codes per label; `[other]` comes on top.
    pub codes_per_label: usize,
    /// Bytes of a label; longer ones are cut and end in `…`.
    pub label_bytes: usize,
    /// Bytes of a code or message; longer ones are cut and end in `…`.
    pub message_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { labels: 4000, error_groups: 500, codes_per_label: 100, label_bytes: 1024, message_bytes: 512 }
    }
}

/// Fills a [`Collection`] from samples.
#[derive(Debug, Clone)]
pub struct Recorder {
    limits: Limits,
    stop_us: Option<i64>,
    /// Largest number of active users so far, per execution.
    users: Vec<u32>,
    collection: Collection,
}

impl Recorder {
    /// A recorder without samples.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, stop_us: None, users: Vec::new(), collection: Collection::default() }
    }

    /// Says that the engine was asked to stop, in microseconds since 1970-01-01 UTC. The first call counts.
    ///
    /// It must come before the samples that end after it, or those that were cut off count as errors.
    pub fn stop_at(&mut self, stop_us: i64) {
        self.stop_us.get_or_insert(stop_us);
    }

    /// Adds rows that a parser could not read.
    pub fn add_malformed(&mut self, rows: u64) {
        let malformed = &mut self.collection.overview.malformed_rows;
        *malformed = add_counts(*malformed, rows);
    }

    /// Adds a sample of the execution with that number (0 for the first; numbers should be small and without gaps).
    pub fn record(&mut self, execution: usize, sample: &Sample<'_>) {
        let interrupted = was_interrupted(sample, self.stop_us);
        let overview = &mut self.collection.overview;
        overview.samples = add_counts(overview.samples, 1);
        if sample.kind == SampleKind::Request && !interrupted {
            overview.first_start_us = extreme(overview.first_start_us, Some(sample.start_us), i64::min);
            overview.last_end_us = extreme(overview.last_end_us, Some(sample.end_us), i64::max);
        }
        if let Some(users) = sample.active_users {
            self.note_users(execution, users);
        }
        let short = shorten(sample.label, self.limits.label_bytes);
        if matches!(short, Cow::Owned(_)) {
            let shortened = &mut self.collection.overview.shortened_label_samples;
            *shortened = add_counts(*shortened, 1);
        }
        let name = if self.has_room_for(sample.kind, &short) { &*short } else { OTHER };
        let labels = self.collection.labels_mut(sample.kind);
        match labels.get_mut(name) {
            Some(label) => add_sample(label, sample, interrupted, &self.limits),
            None => add_sample(labels.entry(name.into()).or_default(), sample, interrupted, &self.limits),
        }
        if sample.kind == SampleKind::Request && !sample.success && !interrupted {
            let name = name.into();
            self.add_error(name, sample);
        }
    }

    /// What was recorded so far.
    #[must_use]
    pub fn collection(&self) -> &Collection {
        &self.collection
    }

    /// What was recorded.
    #[must_use]
    pub fn into_collection(self) -> Collection {
        self.collection
    }

    /// Keeps the maximum per execution, and the sum of the maxima in the overview.
    fn note_users(&mut self, execution: usize, users: u32) {
        // A bound against a wrong number; Taurus runs a handful of executions.
        let execution = execution.min(MAXIMUM_EXECUTIONS - 1);
        if self.users.len() <= execution {
            self.users.resize(execution + 1, 0);
        }
        if let Some(known) = self.users.get_mut(execution)
            && *known < users
        {
            *known = users;
            self.collection.overview.peak_users = self.users.iter().map(|users| u64::from(*users)).sum();
        }
    }

    /// Whether a label has or may get a row of its own. Notes the fold where it may not.
    fn has_room_for(&mut self, kind: SampleKind, name: &str) -> bool {
        if self.collection.labels(kind).contains_key(name) {
            return true;
        }
        // The rows named [other] are not counted: they are what the bound leads to.
        let other_rows = [SampleKind::Request, SampleKind::Transaction]
            .iter()
            .filter(|kind| self.collection.labels(**kind).contains_key(OTHER))
            .count();
        if name == OTHER || self.collection.label_count() - other_rows < self.limits.labels {
            return true;
        }
        let overview = &mut self.collection.overview;
        overview.folded_label_samples = add_counts(overview.folded_label_samples, 1);
        if overview.folding_workers == 0 {
            // From here on no row is added: the labels that are here now are exact, all others are folded.
            overview.folding_workers = 1;
            let Collection { requests, transactions, .. } = &mut self.collection;
            requests.values_mut().chain(transactions.values_mut()).for_each(|label| label.folding_workers = 1);
        }
        false
    }

    fn add_error(&mut self, label: Box<str>, sample: &Sample<'_>) {
        let limit = self.limits.message_bytes;
        let key = ErrorKey {
            label,
            code: shorten(sample.code, limit).into(),
            message: shorten(sample.message, limit).into(),
        };
        let errors = &mut self.collection.errors;
        if errors.contains(&key) || errors.len() < self.limits.error_groups {
            errors.add(key, 1);
            return;
        }
        let folded = &mut self.collection.overview.folded_error_samples;
        *folded = add_counts(*folded, 1);
        errors.add(ErrorKey { label: OTHER.into(), code: "".into(), message: OTHER.into() }, 1);
    }
}

/// More executions than any Taurus configuration has.
const MAXIMUM_EXECUTIONS: usize = 1024;

fn add_sample(label: &mut LabelStatistics, sample: &Sample<'_>, interrupted: bool, limits: &Limits) {
    let outcome = match (interrupted, sample.success) {
        (true, _) => &mut label.interrupted,
        (false, true) => &mut label.successes,
        (false, false) => &mut label.failures,
    };
    outcome.record(sample);
    if !interrupted {
        let code = shorten(sample.code, limits.message_bytes);
        let fits = label.codes.len() < limits.codes_per_label || label.codes.contains_key(&*code);
        add_to_code(&mut label.codes, if fits { &code } else { OTHER }, 1);
    }
}

/// A text of at most `limit` bytes; where it is longer its beginning and `…`.
fn shorten(text: &str, limit: usize) -> Cow<'_, str> {
    const ELLIPSIS: char = '…';
    if text.len() <= limit {
        return Cow::Borrowed(text);
    }
    let mut end = limit.saturating_sub(ELLIPSIS.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut short = text.get(..end).unwrap_or_default().to_owned();
    short.push(ELLIPSIS);
    Cow::Owned(short)
}
