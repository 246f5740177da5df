//! Adds up the frames of all workers and decides when a second is closed. Pure: the caller says what time it is.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use volley_stats::SampleKind;
use volley_stats::frame::{EncodedFrame, EncodedSecond, Responses};
use volley_stats::series::LiveSeries;
use volley_stats::statistics::{ErrorGroups, LabelKey, OTHER};
use volley_storage::keys::WorkerAttempt;

use super::generators::Said;
use super::{BEHIND, Behind, ClosedRegion, ClosedSecond, ERROR_GROUPS, Heard, LABELS};

/// Once half of the workers have told of a second, the others have the live interval and this long. Half of them, so that one whose
/// clock is ahead does not make all others late.
const PATIENCE_MS: i64 = 2_000;
/// A worker of which nothing was heard for the live interval and this long is not waited for.
const SILENCE_MS: i64 = 10_000;
/// A frame that is listed later than this many seconds and the live interval behind the newest closed second is not looked for.
/// A collector gives up writing a frame after 5 s.
const LATENESS_S: i64 = 10;
/// A frame that is named by a second so far behind the newest closed one waits until that one is nearer: after an outage the
/// backlog is merged from its beginning, and a worker whose clock is wrong by more is not told of.
const OPEN_SECONDS: i64 = 120;
/// Attempts that are kept apart at most: 5 regions of 1,000 workers, each replaced three times.
const ATTEMPTS: usize = 20_000;

/// What is known of a run before its first frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Workers that were started, by `RegionTarget`.
    pub workers: BTreeMap<String, u32>,
    /// The instant at which the load starts.
    pub start_at: Timestamp,
    /// Seconds from one frame of a worker to the next.
    pub interval_s: u32,
}

/// What was heard of one attempt of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerHeard {
    /// Which one.
    pub attempt: WorkerAttempt,
    /// The newest second that it has told of; `None`: its frames cannot be used.
    pub newest: Option<i64>,
    /// When its newest frame was read.
    pub heard_at: Timestamp,
    /// It said that it has ended.
    pub ended: bool,
}

/// The live sum of a run. See the [module](super).
#[derive(Clone, Debug)]
pub struct Merger {
    pub(super) outline: Outline,
    pub(super) attempts: BTreeMap<WorkerAttempt, Attempt>,
    /// The last closed second; before the first, the one before the start.
    pub(super) closed: i64,
    /// What is not closed yet, by second.
    open: BTreeMap<i64, OpenSecond>,
    pub(super) series: LiveSeries,
    /// How loaded the workers are. It is in no checkpoint: the next frames say it.
    said: Said,
    /// Up to here the series has what was merged before this process began; see [`resume`](Self::resume).
    resumed: i64,
}

#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) newest: Option<i64>,
    heard_at: Timestamp,
    pub(super) ended: bool,
    /// The frames in the window that were merged, by the second that names them.
    pub(super) merged: BTreeSet<i64>,
    /// Of those, the ones that were merged before this process began, when their last second was still open: what they say of
    /// later seconds than [`Merger::resumed`] was lost with that process.
    pub(super) again: BTreeSet<i64>,
}

#[derive(Clone, Debug, Default)]
struct OpenSecond {
    /// When half of the workers had told of this second.
    told_at: Option<Timestamp>,
    regions: BTreeMap<String, OpenRegion>,
    errors: ErrorGroups,
}

#[derive(Clone, Debug, Default)]
struct OpenRegion {
    users: u64,
    labels: BTreeMap<LabelKey, Responses>,
}

impl Merger {
    /// Nothing was told yet.
    #[must_use]
    pub fn new(outline: Outline) -> Self {
        let series = LiveSeries::new(outline.workers.keys().map(String::as_str));
        let closed = outline.start_at.as_second().saturating_sub(1);
        let (attempts, open) = (BTreeMap::new(), BTreeMap::new());
        Self { attempts, closed, open, series, said: Said::default(), resumed: i64::MIN, outline }
    }

    /// Goes on where a predecessor's checkpoint stood.
    pub(super) fn resume(
        outline: Outline,
        closed: i64,
        series: LiveSeries,
        attempts: impl IntoIterator<Item = (WorkerAttempt, Attempt)>,
    ) -> Self {
        let attempts = attempts.into_iter().collect();
        Self { attempts, closed, series, resumed: closed, ..Self::new(outline) }
    }

    /// The series so far.
    #[must_use]
    pub fn series(&self) -> &LiveSeries {
        &self.series
    }

    /// Names of the regions that take part.
    #[must_use]
    pub fn targets(&self) -> Vec<String> {
        self.outline.workers.keys().cloned().collect()
    }

    /// The last closed second.
    #[must_use]
    pub fn closed(&self) -> i64 {
        self.closed
    }

    /// The first second whose frames are still looked for.
    #[must_use]
    pub fn horizon(&self) -> i64 {
        self.closed.saturating_sub(LATENESS_S + i64::from(self.outline.interval_s))
    }

    /// Whether the frame of an attempt that is named by a second is to be read: it is in the window and was not merged.
    #[must_use]
    pub fn wants(&self, attempt: &WorkerAttempt, through: i64) -> bool {
        (self.horizon()..=self.closed.saturating_add(OPEN_SECONDS)).contains(&through)
            && self
                .attempts
                .get(attempt)
                .is_none_or(|known| !known.merged.contains(&through) || known.again.contains(&through))
    }

    /// What was heard of each attempt.
    #[must_use]
    pub fn workers(&self) -> Vec<WorkerHeard> {
        let heard = self.attempts.iter().map(|(attempt, known)| WorkerHeard {
            attempt: attempt.clone(),
            newest: known.newest,
            heard_at: known.heard_at,
            ended: known.ended,
        });
        heard.collect()
    }

    /// Adds a frame; nothing where it was merged before or is too late.
    pub fn add(&mut self, attempt: &WorkerAttempt, frame: &EncodedFrame<'_>, now: Timestamp) {
        if !self.wants(attempt, frame.through) {
            return;
        }
        let Some(known) = self.known(attempt, now) else { return };
        let again = known.again.remove(&frame.through);
        known.merged.insert(frame.through);
        known.newest = known.newest.max(Some(frame.through));
        known.heard_at = known.heard_at.max(now);
        known.ended |= frame.ended;
        if !again {
            self.said.add(attempt, frame);
        }
        // Seconds up to there are in the series of the predecessor.
        let after = if again { self.resumed } else { i64::MIN };
        for second in frame.seconds.iter().filter(|second| second.second > after) {
            self.add_second(&attempt.target, second);
        }
    }

    /// Notes that a frame cannot be used, so that it is not read again.
    pub fn pass_over(&mut self, attempt: &WorkerAttempt, through: i64, now: Timestamp) {
        if let Some(known) = self.known(attempt, now) {
            known.again.remove(&through);
            known.merged.insert(through);
        }
    }

    /// The attempt of a frame; `None` where it is none of this run, or one too many.
    fn known(&mut self, attempt: &WorkerAttempt, now: Timestamp) -> Option<&mut Attempt> {
        let is_new = !self.attempts.contains_key(attempt);
        if is_new && (self.attempts.len() >= ATTEMPTS || !self.outline.workers.contains_key(&attempt.target)) {
            return None;
        }
        Some(self.attempts.entry(attempt.clone()).or_insert_with(|| Attempt::new(now)))
    }

    fn add_second(&mut self, target: &str, second: &EncodedSecond<'_>) {
        if second.second > self.closed {
            self.open.entry(second.second).or_default().add(target, second);
            return;
        }
        let mut totals = Responses::default();
        for row in second.rows.iter().filter(|row| row.kind == SampleKind::Request) {
            row.responses.merge_into(&mut totals);
        }
        self.series.add(target, second.second, second.users, &totals);
    }

    /// Closes the next second if it is time.
    pub fn close(&mut self, now: Timestamp) -> Option<ClosedSecond> {
        let second = self.closed.saturating_add(1);
        let Roll { regions, mut behind, newest } = self.roll(second, now);
        let (expected, reported) = regions.values().fold((0, 0), |sum, region| (sum.0 + region.0, sum.1 + region.1));
        if let Some(half) = half_of(newest) {
            for second in second..=half.min(self.closed.saturating_add(OPEN_SECONDS)) {
                self.open.entry(second).or_default().told_at.get_or_insert(now);
            }
        }
        let interval_ms = i64::from(self.outline.interval_s) * 1_000;
        let waited = match self.open.get(&second).and_then(|open| open.told_at) {
            Some(told_at) => since_ms(told_at, now) >= interval_ms + PATIENCE_MS,
            // Hardly anybody has told of it; and nobody will when all have ended.
            None => !self.is_over() && now.as_millisecond() - (second + 1) * 1_000 >= interval_ms + SILENCE_MS,
        };
        if !(waited || reported > 0 && reported == expected) {
            return None;
        }
        behind.sort_by_key(|worker: &Behind| worker.newest);
        behind.truncate(BEHIND);
        let heard = Heard { expected, reported, behind };
        Some(self.closed_second(second, &regions, heard))
    }

    fn closed_second(&mut self, second: i64, counts: &BTreeMap<String, (u32, u32)>, workers: Heard) -> ClosedSecond {
        let OpenSecond { mut regions, errors, .. } = self.open.remove(&second).unwrap_or_default();
        let mut closed = ClosedSecond { second, errors, workers, ..ClosedSecond::default() };
        for (target, (expected, reported)) in counts {
            let OpenRegion { users, labels } = regions.remove(target).unwrap_or_default();
            let mut region =
                ClosedRegion { users, labels, expected: *expected, reported: *reported, ..ClosedRegion::default() };
            region.total_up();
            if users > 0 || !region.totals.is_empty() {
                self.series.add(target, second, users, &region.totals);
            }
            closed.users = closed.users.saturating_add(users);
            closed.totals.merge(&region.totals);
            for (key, responses) in &region.labels {
                match closed.labels.get_mut(key) {
                    Some(known) => known.merge(responses),
                    None => drop(closed.labels.insert(key.clone(), responses.clone())),
                }
            }
            closed.regions.insert(target.clone(), region);
        }
        closed.generators = self.said.close(second, self.outline.interval_s);
        closed.errors.fold_beyond(ERROR_GROUPS);
        self.closed = second;
        let horizon = self.horizon();
        for attempt in self.attempts.values_mut() {
            attempt.merged = attempt.merged.split_off(&horizon);
            attempt.again = attempt.again.split_off(&horizon);
        }
        closed
    }

    /// Who should have told of a second, and who has.
    fn roll(&self, second: i64, now: Timestamp) -> Roll {
        let mut roll = Roll::default();
        for (target, workers) in &self.outline.workers {
            roll.regions.insert(target.clone(), (0, 0));
            // Those of whom nothing was heard yet may be expected for a while after the start.
            if since_ms(self.outline.start_at, now) < self.silence_ms() {
                let of_target = self.attempts.keys().filter(|attempt| attempt.target == *target);
                let heard: BTreeSet<u32> = of_target.map(|attempt| attempt.index).collect();
                (0..*workers)
                    .filter(|index| !heard.contains(index))
                    .for_each(|index| roll.add(target, index, None, second));
            }
        }
        for (WorkerAttempt { target, index, .. }, known) in &self.attempts {
            let has_told = known.newest.is_some_and(|newest| newest >= second);
            if has_told || !known.ended && since_ms(known.heard_at, now) < self.silence_ms() {
                roll.add(target, *index, known.newest, second);
            }
        }
        roll
    }

    fn is_over(&self) -> bool {
        !self.attempts.is_empty() && self.attempts.values().all(|attempt| attempt.ended)
    }

    fn silence_ms(&self) -> i64 {
        i64::from(self.outline.interval_s) * 1_000 + SILENCE_MS
    }
}

/// Who should have told of a second, and who has.
#[derive(Debug, Default)]
struct Roll {
    /// Number of those who should have, and of those who have.
    regions: BTreeMap<String, (u32, u32)>,
    /// Those who have not.
    behind: Vec<Behind>,
    /// The newest second of each.
    newest: Vec<Option<i64>>,
}

impl Roll {
    fn add(&mut self, target: &str, index: u32, newest: Option<i64>, second: i64) {
        let Some((expected, reported)) = self.regions.get_mut(target) else { return };
        *expected += 1;
        if newest.is_some_and(|newest| newest >= second) {
            *reported += 1;
        } else {
            self.behind.push(Behind { target: target.to_owned(), index, newest });
        }
        self.newest.push(newest);
    }
}

/// The newest second that at least half of the workers have told of.
fn half_of(mut newest: Vec<Option<i64>>) -> Option<i64> {
    let place = newest.len().checked_sub(1)? / 2;
    newest.sort_unstable();
    newest.into_iter().rev().nth(place)?
}

impl Attempt {
    pub(super) fn new(heard_at: Timestamp) -> Self {
        Self { newest: None, heard_at, ended: false, merged: BTreeSet::new(), again: BTreeSet::new() }
    }
}

impl OpenSecond {
    fn add(&mut self, target: &str, second: &EncodedSecond<'_>) {
        if !self.regions.contains_key(target) {
            self.regions.insert(target.to_owned(), OpenRegion::default());
        }
        let Some(region) = self.regions.get_mut(target) else { return };
        region.users = region.users.saturating_add(second.users);
        for row in &second.rows {
            let key = row.key();
            let has_room = region.labels.len() < LABELS || region.labels.contains_key(&key);
            let key = if has_room { key } else { LabelKey { kind: row.kind, name: OTHER.into() } };
            row.responses.merge_into(region.labels.entry(key).or_default());
        }
        for (key, count) in second.errors() {
            self.errors.add(key, count);
        }
    }
}

/// Milliseconds from an instant to now.
fn since_ms(instant: Timestamp, now: Timestamp) -> i64 {
    now.as_millisecond().saturating_sub(instant.as_millisecond())
}
