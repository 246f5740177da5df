//! Takes samples one by one, within the bounds of a worker.
//!
//! A [`Recorder`] decides which samples were cut off by the stop of the run, keeps within [`Limits`], and fills a
//! [`Collection`] and a [`Series`] at once. Its state can be stored and restored exactly at any time.
//!
//! Most of a sample's figures wait a while in a batch of its label. What is decided by the order in which samples come
//! (which labels, codes and error groups are kept apart) is decided at once, and everything else adds up in any order; so
//! batches change no byte of what is recorded.

mod batch;
mod checkpoint;
mod failures;
mod labels;
mod limits;
mod row;

use std::borrow::Cow;
use std::convert::Infallible;

pub use checkpoint::CheckpointError;
use failures::Failures;
use labels::{Labels, Place};
pub use limits::Limits;
pub(crate) use limits::shorten;
use row::Row;

use crate::file;
use crate::histogram::add_counts;
use crate::samples::{Sample, SampleKind};
use crate::series::{Recording, Series};
use crate::statistics::{Collection, LabelKey, Overview, was_interrupted};

/// Fills a [`Collection`] and a [`Series`] from samples.
#[derive(Debug, Clone)]
pub struct Recorder {
    limits: Limits,
    stop_us: Option<i64>,
    /// Largest number of active users so far, per execution.
    peak_users: Vec<u32>,
    overview: Overview,
    labels: Labels,
    failures: Failures,
    series: Recording,
}

impl Recorder {
    /// A recorder without samples.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            stop_us: None,
            peak_users: Vec::new(),
            overview: Overview::default(),
            labels: Labels::default(),
            failures: Failures::default(),
            series: Recording::new(limits.series),
        }
    }

    /// Says that the engine was asked to stop, in microseconds since 1970-01-01 UTC. The first call counts.
    ///
    /// It must come before the samples that end after it, or those that were cut off count as errors.
    pub fn stop_at(&mut self, stop_us: i64) {
        self.stop_us.get_or_insert(stop_us);
    }

    /// Adds rows that a parser could not read.
    pub fn add_malformed(&mut self, rows: u64) {
        let malformed = &mut self.overview.malformed_rows;
        *malformed = add_counts(*malformed, rows);
    }

    /// Adds a sample of the execution with that number (0 for the first; numbers should be small and without gaps).
    pub fn record(&mut self, execution: usize, sample: &Sample<'_>) {
        let interrupted = was_interrupted(sample, self.stop_us);
        self.overview.samples = add_counts(self.overview.samples, 1);
        if sample.kind == SampleKind::Request && !interrupted {
            self.overview.extend_interval(sample.start_us, sample.end_us);
        }
        let second = sample.second();
        if let Some(users) = sample.active_users {
            self.note_users(execution, second, users);
        }
        let number = self.row(sample.kind, sample.label, 1);
        self.series.extend_span(second);
        if sample.kind == SampleKind::Request {
            self.series.record_request(second, sample, interrupted);
        }
        let Some(row) = self.labels.row_mut(number) else { return };
        if interrupted {
            row.record_interrupted(number, second, sample, &mut self.series);
            return;
        }
        row.record(number, second, sample, &mut self.series, &self.limits);
        if sample.kind == SampleKind::Request && !sample.success {
            let Limits { message_bytes, error_groups, .. } = self.limits;
            if !self.failures.record(&row.key.name, sample.code, sample.message, message_bytes, error_groups) {
                self.overview.folded_error_samples = add_counts(self.overview.folded_error_samples, 1);
            }
        }
    }

    /// What was recorded so far.
    #[must_use]
    pub fn collection(&self) -> Collection {
        self.clone().into_collection()
    }

    /// Hands the bytes of [`collection`](Self::collection) to `sink`, piece by piece, without a copy of the statistics.
    ///
    /// # Errors
    /// That of the sink.
    pub fn write_collection<E>(&mut self, sink: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        self.settle();
        self.write_settled_collection(sink)
    }

    /// The bytes of [`collection`](Self::collection), without a copy of the statistics.
    #[must_use]
    pub fn encode_collection(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let Ok(()) = self.write_collection(|piece| -> Result<(), Infallible> {
            bytes.extend_from_slice(piece);
            Ok(())
        });
        bytes
    }

    /// How what was recorded so far went over time.
    #[must_use]
    pub fn series(&self) -> Series {
        self.clone().into_parts().1
    }

    /// The bytes of [`series`](Self::series), without a copy of it.
    #[must_use]
    pub fn encode_series(&mut self) -> Vec<u8> {
        self.settle();
        self.series.encode(&self.keys(), true)
    }

    /// What was recorded.
    #[must_use]
    pub fn into_collection(self) -> Collection {
        self.into_parts().0
    }

    /// What was recorded, and how it went over time.
    #[must_use]
    pub fn into_parts(mut self) -> (Collection, Series) {
        self.close_rows();
        let mut collection =
            Collection { overview: self.overview, errors: self.failures.groups(), ..Collection::default() };
        let mut names = Vec::new();
        for Row { key, statistics, .. } in self.labels.into_rows() {
            names.push(key.clone());
            collection.labels_mut(key.kind).insert(key.name, statistics);
        }
        (collection, self.series.finish(names))
    }

    /// Adds what waits in batches, and brings the series into its one form.
    fn settle(&mut self) {
        self.close_rows();
        self.series.settle();
    }

    fn close_rows(&mut self) {
        for (number, row) in self.labels.rows_mut().enumerate() {
            row.close(number, &mut self.series);
        }
    }

    /// The recorder must be [settled](Self::settle).
    fn write_settled_collection<E>(&self, sink: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let mut rows: Vec<&Row> = self.labels.rows().iter().collect();
        rows.sort_unstable_by_key(|row| &row.key);
        let labels = rows.iter().map(|row| (&row.key, &row.statistics));
        file::write_labels(labels, &self.overview, &self.failures.groups(), sink)
    }

    /// Names by row.
    fn keys(&self) -> Vec<&LabelKey> {
        self.labels.rows().iter().map(|row| &row.key).collect()
    }

    /// Notes that a row of an execution which belongs to a second states a number of active users: the maximum per
    /// execution, the sum of the maxima in the overview, and the series.
    fn note_users(&mut self, execution: usize, second: i64, users: u32) {
        self.series.note_users(execution, second, users);
        // A bound against a wrong number; Taurus runs a handful of executions.
        let execution = execution.min(MAXIMUM_EXECUTIONS - 1);
        if self.peak_users.len() <= execution {
            self.peak_users.resize(execution + 1, 0);
        }
        if let Some(known) = self.peak_users.get_mut(execution)
            && *known < users
        {
            *known = users;
            self.overview.peak_users = self.peak_users.iter().map(|users| u64::from(*users)).sum();
        }
    }

    /// The row to which `samples` of a label go. Notes where the label was cut or folded.
    fn row(&mut self, kind: SampleKind, label: &str, samples: u64) -> usize {
        let name = shorten(label, self.limits.label_bytes);
        let overview = &mut self.overview;
        if matches!(name, Cow::Owned(_)) {
            overview.shortened_label_samples = add_counts(overview.shortened_label_samples, samples);
        }
        let Place { row, folded } = self.labels.place(kind, &name, self.limits.labels);
        if folded {
            overview.folded_label_samples = add_counts(overview.folded_label_samples, samples);
            overview.folding_workers = 1;
        }
        row
    }
}

/// More executions than any Taurus configuration has.
pub(crate) const MAXIMUM_EXECUTIONS: usize = 1024;
