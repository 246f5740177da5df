//! Filling frames sample by sample.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;

use super::users::Users;
use super::{ERROR_GROUPS, Frame, FrameSecond, LABEL_BYTES, LABELS, Responses, SECONDS, TEXT_BYTES};
use crate::health::GeneratorLoad;
use crate::histogram::add_counts;
use crate::recorder::shorten;
use crate::samples::{Sample, SampleKind};
use crate::statistics::{ErrorKey, LabelKey, OTHER, was_interrupted};

/// A sample that is said to have ended so much later than the last closed second has a damaged time stamp.
const FUTURE_SECONDS: i64 = 600;

/// Collects samples until their seconds are closed.
///
/// It may record before it is told to [begin](Self::begin): a collector sees the gate open a moment after the engine.
#[derive(Debug, Clone, Default)]
pub struct FrameRecorder {
    /// The first second that is told of.
    first: Option<i64>,
    /// The last second that was closed.
    closed: Option<i64>,
    stop_us: Option<i64>,
    labels: Labels,
    open: BTreeMap<i64, OpenSecond>,
    users: Users,
    left_out: u64,
    /// Samples that came after their second was closed: since the frame before, and in all.
    late: u64,
    late_in_all: u64,
    load: Option<GeneratorLoad>,
}

/// Labels by number, in the order of their arrival.
#[derive(Debug, Clone, Default)]
struct Labels {
    keys: Vec<LabelKey>,
    rows: [HashMap<Box<str>, usize, RandomState>; 2],
    others: [Option<usize>; 2],
}

#[derive(Debug, Clone, Default)]
struct OpenSecond {
    /// By number of the label.
    rows: Vec<Responses>,
    errors: Vec<(ErrorKey, u64)>,
}

impl FrameRecorder {
    /// A recorder without samples.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says which second is the first that is told of; samples of earlier ones are forgotten. The first call counts.
    pub fn begin(&mut self, second: i64) {
        if self.first.is_none() {
            self.first = Some(second);
            self.open = self.open.split_off(&second);
            self.load = None;
        }
    }

    /// Says how loaded the worker was up to a second.
    pub fn note_load(&mut self, second: i64, load: &GeneratorLoad) {
        if !load.is_nothing() && self.first.is_none_or(|first| second >= first) {
            self.load.get_or_insert_default().merge(load);
        }
    }

    /// Samples so far that came after their second was closed.
    #[must_use]
    pub fn late_samples(&self) -> u64 {
        self.late_in_all
    }

    /// Whether it was told to begin.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.first.is_some()
    }

    /// Says that the engine was asked to stop, in microseconds since 1970-01-01 UTC. The first call counts.
    pub fn stop_at(&mut self, stop_us: i64) {
        self.stop_us.get_or_insert(stop_us);
    }

    /// Adds a sample of the execution with that number.
    pub fn record(&mut self, execution: usize, sample: &Sample<'_>) {
        let second = sample.second();
        if self.first.is_some_and(|first| second < first) {
            return;
        }
        let known = self.closed.or(self.first);
        let is_future = known.is_some_and(|known| second > known.saturating_add(FUTURE_SECONDS));
        if is_future || self.open.len() >= SECONDS && !self.open.contains_key(&second) {
            self.left_out = add_counts(self.left_out, 1);
            return;
        }
        if let Some(users) = sample.active_users
            && self.closed.is_none_or(|closed| second > closed)
        {
            self.users.note(execution, second, users);
        }
        if self.closed.is_some_and(|closed| second <= closed) {
            self.late = add_counts(self.late, 1);
            self.late_in_all = add_counts(self.late_in_all, 1);
        }
        let interrupted = was_interrupted(sample, self.stop_us);
        let row = self.labels.row(sample.kind, sample.label);
        let open = self.open.entry(second).or_default();
        if row >= open.rows.len() {
            open.rows.resize_with(row + 1, Responses::default);
        }
        if let Some(responses) = open.rows.get_mut(row) {
            responses.record(sample, interrupted);
        }
        if sample.kind == SampleKind::Request && !sample.success && !interrupted {
            open.add_error(sample);
        }
    }

    /// Closes all seconds up to one. None: it was not told to begin, or they are closed already.
    pub fn close(&mut self, through: i64) -> Option<Frame> {
        let from = self.closed.map_or(self.first?, |closed| closed.saturating_add(1));
        if through < from {
            return None;
        }
        let later = self.open.split_off(&through.saturating_add(1));
        Some(self.frame(from, through, false, later))
    }

    /// Closes everything that is there: the worker has ended. `now` is the present second. None: it was not told to begin.
    pub fn end(&mut self, now: i64) -> Option<Frame> {
        let from = self.closed.map_or(self.first?, |closed| closed.saturating_add(1));
        let newest = self.open.last_key_value().map_or(now, |(newest, _)| now.max(*newest));
        Some(self.frame(from, newest.max(from), true, BTreeMap::new()))
    }

    /// The frame of what is open, which becomes what is `later`.
    fn frame(&mut self, from: i64, through: i64, ended: bool, later: BTreeMap<i64, OpenSecond>) -> Frame {
        let told = std::mem::replace(&mut self.open, later);
        let mut seconds: BTreeMap<i64, FrameSecond> =
            told.into_iter().map(|(second, open)| (second, open.told(&self.labels.keys))).collect();
        // After a long pause of the process only the newest seconds are told of: the others had no samples that were seen.
        let span = i64::try_from(SECONDS).unwrap_or(i64::MAX);
        for second in from.max(through.saturating_sub(span - 1))..=through {
            let users = self.users.close(second);
            if users > 0 && (seconds.len() < SECONDS || seconds.contains_key(&second)) {
                seconds.entry(second).or_default().users = users;
            }
        }
        self.closed = Some(through);
        let (left_out, late) = (std::mem::take(&mut self.left_out), std::mem::take(&mut self.late));
        Frame { from, through, ended, left_out, late, load: self.load.take(), seconds }
    }
}

impl Labels {
    /// The number of a label: its own, a new one, or that of `[other]`.
    fn row(&mut self, kind: SampleKind, label: &str) -> usize {
        let name = shorten(label, LABEL_BYTES);
        let known = self.rows.get(kind as usize).and_then(|rows| rows.get(&*name));
        if let Some(row) = known {
            return *row;
        }
        let others = self.others.iter().flatten().count();
        if name == OTHER || self.keys.len() - others < LABELS {
            return self.add(kind, &name);
        }
        self.others.get(kind as usize).copied().flatten().unwrap_or_else(|| self.add(kind, OTHER))
    }

    fn add(&mut self, kind: SampleKind, name: &str) -> usize {
        let row = self.keys.len();
        self.keys.push(LabelKey { kind, name: name.into() });
        if let Some(rows) = self.rows.get_mut(kind as usize) {
            rows.insert(name.into(), row);
        }
        if name == OTHER
            && let Some(other) = self.others.get_mut(kind as usize)
        {
            *other = Some(row);
        }
        row
    }
}

impl OpenSecond {
    fn add_error(&mut self, sample: &Sample<'_>) {
        let label = shorten(sample.label, LABEL_BYTES);
        let [code, message] = [sample.code, sample.message].map(|text| shorten(text, TEXT_BYTES));
        let is = |key: &ErrorKey, label: &str, code: &str, message: &str| {
            *key.message == *message && *key.code == *code && *key.label == *label
        };
        let place = match self.errors.iter().position(|(key, _)| is(key, &label, &code, &message)) {
            Some(place) => place,
            None if self.errors.len() < ERROR_GROUPS => self.add_group(&label, &code, &message),
            None => match self.errors.iter().position(|(key, _)| is(key, OTHER, "", OTHER)) {
                Some(place) => place,
                None => self.add_group(OTHER, "", OTHER),
            },
        };
        if let Some((_, count)) = self.errors.get_mut(place) {
            *count = add_counts(*count, 1);
        }
    }

    fn add_group(&mut self, label: &str, code: &str, message: &str) -> usize {
        self.errors.push((ErrorKey { label: label.into(), code: code.into(), message: message.into() }, 0));
        self.errors.len() - 1
    }

    fn told(self, keys: &[LabelKey]) -> FrameSecond {
        let mut second = FrameSecond::default();
        for (key, responses) in keys.iter().zip(self.rows) {
            if !responses.is_empty() {
                second.labels.insert(key.clone(), responses);
            }
        }
        for (key, count) in self.errors {
            second.errors.add(key, count);
        }
        second
    }
}
