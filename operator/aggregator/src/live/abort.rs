//! Stops the load as soon as a threshold is missed over the last seconds of the running run.
//!
//! Gather: the [closed seconds](super::ClosedSecond). Judge ([`AbortJudge`], pure): a [`Window`] for each threshold with `abort`. Apply:
//! `control/stop.json`, which is written once; the workers' collectors read it, the operator waits for their results.
//!
//! # Guarantees
//!
//! * A window is judged when it is full, from `after` on, and only where there was a request.
//! * No value of a part passes for one of all: a second of which the requests are not fully known begins the windows anew. That
//!   is a second that this process did not see, one in which the label may stand under `[other]`, and, where requests are counted,
//!   one of which not all workers told that ever were expected to.
//! * Only the planned time of the load is judged: its end is no lack of requests.
//! * Whoever decides first decides: a stop that is there already stays.

use jiff::Timestamp;
use tokio::sync::broadcast::error::RecvError;
use volley_api::figures::span;
use volley_api::load_test_run::ThresholdResult;
use volley_stats::SampleKind;
use volley_stats::frame::Responses;
use volley_stats::statistics::{LabelKey, OTHER};
use volley_stats::thresholds::{Unit, Window};
use volley_storage::documents::{DOCUMENT_VERSION, StopDecision, StopReason, Threshold, ThresholdFigures};
use volley_storage::objects::Decided;
use volley_storage::{ObjectError, ObjectStore, keys};

use super::{ClosedSecond, Live};
use crate::retry::patiently;

/// Judges the thresholds that may stop the load.
#[derive(Clone, Debug)]
pub struct AbortJudge {
    watched: Vec<Watched>,
    /// The first second that the load does not fill any more.
    judged_until: i64,
}

#[derive(Clone, Debug)]
struct Watched {
    threshold: Threshold,
    length_seconds: u32,
    window: Window,
    /// Most workers that were expected to tell of a second so far.
    most_workers: u32,
}

impl AbortJudge {
    /// The judge of a run that starts at that instant and whose load takes that many milliseconds.
    #[must_use]
    pub fn new(thresholds: &[Threshold], start_at: Timestamp, load_ms: u64) -> Self {
        let load_ms = i64::try_from(load_ms).unwrap_or(i64::MAX);
        let judged_until = start_at.as_millisecond().saturating_add(load_ms).div_euclid(1_000);
        let watched = thresholds.iter().filter_map(|threshold| {
            let abort = threshold.abort?;
            let after_ms = i64::try_from(abort.after_ms).unwrap_or(i64::MAX);
            let from_ms = start_at.as_millisecond().saturating_add(after_ms);
            // The first second that begins then or later.
            let judged_from = from_ms.div_euclid(1_000).saturating_add(i64::from(from_ms.rem_euclid(1_000) > 0));
            let window = Window::new(threshold.criterion, abort.for_seconds, judged_from);
            Some(Watched { threshold: threshold.clone(), length_seconds: abort.for_seconds, window, most_workers: 0 })
        });
        Self { watched: watched.collect(), judged_until }
    }

    /// Whether no threshold may stop the load.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.watched.is_empty()
    }

    /// Closes a second. Where a threshold is missed over the seconds that end with it: which and how, for people.
    pub fn close(&mut self, closed: &ClosedSecond) -> Option<String> {
        if closed.second >= self.judged_until {
            return None;
        }
        let mut missed = None;
        for Watched { threshold, length_seconds, window, most_workers } in &mut self.watched {
            let Some(responses) = responses(threshold, closed, most_workers) else { continue };
            let Some(judgement) = window.close(closed.second, responses).filter(|judgement| !judgement.met) else {
                continue;
            };
            let told = ThresholdResult::from(&ThresholdFigures::of(threshold, Ok(judgement)));
            let length = span(u64::from(*length_seconds) * 1_000);
            missed.get_or_insert_with(|| format!("{}: over the last {length} {}", told.name, told.sentence()));
        }
        missed
    }
}

/// The requests of a second that a threshold speaks of; `None` where they are not fully known.
fn responses<'a>(threshold: &Threshold, closed: &'a ClosedSecond, most_workers: &mut u32) -> Option<&'a Responses> {
    static NONE: std::sync::LazyLock<Responses> = std::sync::LazyLock::new(Responses::default);
    let (totals, labels, expected, reported) = match &threshold.target {
        None => (&closed.totals, &closed.labels, closed.workers.expected, closed.workers.reported),
        Some(target) => {
            let region = closed.regions.get(target)?;
            (&region.totals, &region.labels, region.expected, region.reported)
        }
    };
    let counts = matches!(threshold.criterion.metric().unit(), Unit::Rate | Unit::Count);
    // A worker that is silent for long is not expected any more, but its requests are missing still.
    *most_workers = expected.max(*most_workers);
    if counts && reported < *most_workers {
        return None;
    }
    let Some(label) = &threshold.label else { return Some(totals) };
    let of_kind = |name: &str, kind| labels.get(&LabelKey { kind, name: name.into() });
    let kinds = [SampleKind::Request, SampleKind::Transaction];
    match kinds.into_iter().find_map(|kind| of_kind(label, kind)) {
        Some(responses) => Some(responses),
        None if kinds.into_iter().any(|kind| of_kind(OTHER, kind).is_some()) => None,
        None => Some(&NONE),
    }
}

/// Watches a run that is followed, and stops its load where a threshold says so. It never ends by itself.
pub(super) async fn watch(store: &ObjectStore, run_uid: &str, mut judge: AbortJudge, live: &Live) {
    if judge.is_idle() {
        return std::future::pending().await;
    }
    let mut closed = live.subscribe();
    loop {
        match closed.recv().await {
            Ok(second) => {
                if let Some(missed) = judge.close(&second)
                    && decide(store, run_uid, StopReason::ThresholdsAborted, missed).await
                {
                    return std::future::pending().await;
                }
            }
            Err(RecvError::Lagged(seconds)) => {
                tracing::warn!(seconds, "closed seconds were not judged in time; the windows begin anew");
            }
            Err(RecvError::Closed) => return std::future::pending().await,
        }
    }
}

/// Whether the load is stopped now, by this decision or by one that was there before.
pub(super) async fn decide(store: &ObjectStore, run_uid: &str, reason: StopReason, message: String) -> bool {
    let decision = StopDecision { version: DOCUMENT_VERSION, reason, message, at: Timestamp::now() };
    let key = keys::stop(run_uid);
    match patiently(ObjectError::class, || store.put_document_once(&key, &decision)).await {
        Ok(Decided::Ours { .. }) => {
            tracing::warn!(run_uid, ?reason, words = decision.message, "the load is stopped");
            true
        }
        Ok(Decided::Theirs { .. }) => true,
        Err(error) => {
            tracing::error!(run_uid, %error, ?reason, "the load could not be stopped; it is tried again");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    use serde_json::json;
    use volley_storage::embedded::Server;

    use super::super::merger::{Merger, Outline};
    use super::super::{ClosedRegion, Heard};
    use super::*;

    /// When the load starts: in the middle of a second.
    fn start_at() -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_400).unwrap()
    }

    fn threshold(changes: &serde_json::Value) -> Threshold {
        let mut threshold = json!({"name": "clean", "label": null, "target": null,
            "criterion": {"metric": "errorRate", "comparison": "Below", "limit": "10%"},
            "abort": {"afterMs": 2_000, "forSeconds": 3}});
        for (name, value) in changes.as_object().unwrap() {
            threshold[name] = value.clone();
        }
        serde_json::from_value(threshold).unwrap()
    }

    fn responses_of(requests: u64, errors: u64) -> Responses {
        let mut responses = Responses { errors, ..Responses::default() };
        (0..requests).for_each(|_| responses.elapsed.record(5_000));
        responses
    }

    /// A second after the one in which the load starts, with requests of label `home` in eu; all workers told of it.
    fn second(after: i64, requests: u64, errors: u64) -> ClosedSecond {
        let totals = responses_of(requests, errors);
        let labels = BTreeMap::from([(LabelKey { kind: SampleKind::Request, name: "home".into() }, totals.clone())]);
        let region = ClosedRegion {
            totals: totals.clone(),
            labels: labels.clone(),
            expected: 2,
            reported: 2,
            ..ClosedRegion::default()
        };
        ClosedSecond {
            second: 1_800_000_000 + after,
            totals,
            labels,
            regions: BTreeMap::from([("eu".to_owned(), region)]),
            workers: Heard { expected: 2, reported: 2, behind: Vec::new() },
            ..ClosedSecond::default()
        }
    }

    /// The seconds, counted from the start, at which the load would be stopped.
    fn aborts(threshold: Threshold, seconds: &[ClosedSecond]) -> Vec<i64> {
        let mut judge = AbortJudge::new(&[threshold], start_at(), 60_000);
        let missed = seconds.iter().filter(|second| judge.close(second).is_some());
        missed.map(|second| second.second - 1_800_000_000).collect()
    }

    #[test]
    fn a_window_is_judged_when_it_is_full_and_its_time_has_come() {
        let failing: Vec<_> = (0..8).map(|after| second(after, 10, 1)).collect();
        // start + 2 s is 2.4: the first second that begins then or later is 3.
        assert_eq!(aborts(threshold(&json!({})), &failing), [3, 4, 5, 6, 7]);
        let at_once = json!({"abort": {"afterMs": 0, "forSeconds": 5}});
        assert_eq!(aborts(threshold(&at_once), &failing), [4, 5, 6, 7]);
    }

    #[test]
    fn errors_count_as_long_as_their_second_is_in_the_window() {
        let seconds: Vec<_> = (0..10).map(|after| second(after, 10, if after == 4 { 3 } else { 0 })).collect();
        assert_eq!(aborts(threshold(&json!({})), &seconds), [4, 5, 6]);
    }

    #[test]
    fn without_a_request_nothing_is_judged() {
        let seconds: Vec<_> = (0..10).map(|after| second(after, 0, 0)).collect();
        let rate = json!({"criterion": {"metric": "requestRate", "comparison": "Above", "limit": "1/s"}});
        assert_eq!(aborts(threshold(&rate), &seconds), [0_i64; 0]);
    }

    #[test]
    fn a_second_that_was_not_seen_begins_the_window_anew() {
        let seconds: Vec<_> = (0..10).filter(|after| *after != 4).map(|after| second(after, 10, 1)).collect();
        assert_eq!(aborts(threshold(&json!({})), &seconds), [3, 7, 8, 9]);
    }

    #[test]
    fn a_worker_that_is_behind_makes_no_rate_too_low() {
        let mut seconds: Vec<_> = (0..9).map(|after| second(after, 10, 0)).collect();
        let rate = |target: Option<&str>| {
            let criterion = json!({"metric": "requestRate", "comparison": "Above", "limit": "10/s"});
            threshold(&json!({"target": target, "criterion": criterion}))
        };
        assert_eq!(aborts(rate(None), &seconds), [3, 4, 5, 6, 7, 8]);
        seconds[5].workers.reported = 1;
        seconds[5].regions.get_mut("eu").unwrap().reported = 1;
        for target in [None, Some("eu")] {
            assert_eq!(aborts(rate(target), &seconds), [3, 4, 8]);
        }
        assert_eq!(aborts(rate(Some("us")), &seconds), [0_i64; 0], "nothing is known of that region");
    }

    #[test]
    fn a_label_is_judged_on_its_own_and_not_where_it_may_stand_elsewhere() {
        let late = |target: Option<&str>| threshold(&json!({"label": "late", "target": target}));
        let mut seconds: Vec<_> = (0..9).map(|after| second(after, 10, 10)).collect();
        assert_eq!(aborts(late(None), &seconds), [0_i64; 0]);
        for closed in &mut seconds[2..] {
            let key = LabelKey { kind: SampleKind::Transaction, name: "late".into() };
            closed.labels.insert(key.clone(), responses_of(1, 1));
            closed.regions.get_mut("eu").unwrap().labels.insert(key, responses_of(1, 1));
        }
        for target in [None, Some("eu")] {
            assert_eq!(aborts(late(target), &seconds), [3, 4, 5, 6, 7, 8]);
        }
        let key = LabelKey { kind: SampleKind::Request, name: OTHER.into() };
        seconds[1].labels.insert(key, responses_of(1, 0));
        assert_eq!(aborts(late(None), &seconds), [4, 5, 6, 7, 8]);
    }

    #[test]
    fn the_end_of_the_load_is_no_lack_of_requests() {
        let criterion = json!({"metric": "requestRate", "comparison": "Above", "limit": "9/s"});
        let mut judge = AbortJudge::new(&[threshold(&json!({"criterion": criterion}))], start_at(), 5_000);
        // The load ends within second 5, whose requests are fewer.
        let missed = (0..9).filter(|after| judge.close(&second(*after, if *after < 5 { 10 } else { 4 }, 0)).is_some());
        assert_eq!(missed.collect::<Vec<_>>(), [0_i64; 0]);
    }

    #[test]
    fn the_words_say_which_threshold_over_which_seconds_and_how() {
        let mut judge = AbortJudge::new(&[threshold(&json!({"label": "home", "target": "eu"}))], start_at(), 60_000);
        let words = (0..4).find_map(|after| judge.close(&second(after, 8, 1)));
        let expected = "clean: over the last 3s errorRate of home in eu is 12.5%, not below 10%";
        assert_eq!(words.as_deref(), Some(expected));
    }

    #[test]
    fn thresholds_without_abort_never_stop_the_load() {
        assert!(AbortJudge::new(&[threshold(&json!({"abort": null}))], start_at(), 60_000).is_idle());
    }

    #[tokio::test]
    async fn a_missed_threshold_writes_the_stop_decision_once() {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start_on_free_ports(folder.path()).await.unwrap();
        let (store, run_uid) = (server.objects(), "11111111-2222-3333-4444-555555555555");
        let outline = Outline { workers: BTreeMap::from([("eu".to_owned(), 2)]), start_at: start_at(), interval_s: 1 };
        let live = Live::new(Merger::new(outline), Arc::default());
        let thresholds = [threshold(&json!({}))];
        let judge = AbortJudge::new(&thresholds, start_at(), 60_000);
        let watching = watch(&store, run_uid, judge, &live);
        let telling = async {
            for after in 0..4 {
                live.closed.send(Arc::new(second(after, 10, 2))).unwrap();
            }
            loop {
                let stop = store.get_document::<StopDecision>(&keys::stop(run_uid)).await.unwrap();
                if let Some((stop, _)) = stop {
                    return stop;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let stop = tokio::select! {
            biased;
            () = watching => unreachable!("watching never ends"),
            stop = telling => stop,
        };
        assert_eq!(stop.reason, StopReason::ThresholdsAborted);
        assert_eq!(stop.message, "clean: over the last 3s errorRate is 20%, not below 10%");
        assert!(decide(&store, run_uid, StopReason::ThresholdsAborted, "another".into()).await);
        let (kept, _) = store.get_document::<StopDecision>(&keys::stop(run_uid)).await.unwrap().unwrap();
        assert_eq!(kept, stop);
    }
}
