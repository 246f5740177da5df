//! Workers that fall silent while others go on: their frames stop, and nothing said that they would. `judge` is pure; `watch` stops
//! the load by its word.
//!
//! The operator judges pods, which look well for minutes when a worker hangs or its node is gone. Of a whole region that is silent
//! nobody can say more than that its way to the storage is cut: its collectors end its load by themselves after `maxUncontrolled`, and
//! only then its workers count as lost.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;
use volley_storage::ObjectStore;
use volley_storage::documents::{Definition, StartDecision, StopReason};

use super::abort::decide;
use super::{Live, WorkerHeard};

/// A worker is silent when another one was heard so much later than it, and the live interval.
const SILENT_AFTER: SignedDuration = SignedDuration::from_secs(30);
/// How often the workers are judged.
const EVERY: Duration = Duration::from_secs(5);

/// Too few workers of a region are left.
#[derive(Clone, Debug, PartialEq, Eq)]
struct TooSilent {
    /// Name of the `RegionTarget`.
    target: String,
    /// Workers that were heard of.
    started: u32,
    /// Those of them that are silent.
    silent: u32,
    /// How many must stay healthy.
    needed: u32,
}

impl std::fmt::Display for TooSilent {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { target, started, silent, needed } = self;
        write!(formatter, "In {target} {silent} of {started} workers fell silent; at least {needed} must stay healthy")
    }
}

/// What was heard of a worker, all its pods together.
#[derive(Clone, Copy, Debug)]
struct Voice {
    heard_at: Timestamp,
    ended: bool,
}

/// The first region with fewer healthy workers than the definition asks for. Only workers that were heard of can fall silent.
fn judge(definition: &Definition, heard: &[WorkerHeard], interval: SignedDuration) -> Option<TooSilent> {
    let mut regions: BTreeMap<&str, BTreeMap<u32, Voice>> = BTreeMap::new();
    for worker in heard.iter().filter(|worker| worker.newest.is_some()) {
        let region = regions.entry(&worker.attempt.target).or_default();
        let voice = region.entry(worker.attempt.index).or_insert(Voice { heard_at: worker.heard_at, ended: false });
        voice.heard_at = voice.heard_at.max(worker.heard_at);
        voice.ended |= worker.ended;
    }
    // By the newest voice of all, not by the time: when nobody is heard any more, it is this process that hears nothing.
    let newest = regions.values().flat_map(BTreeMap::values).map(|voice| voice.heard_at).max()?;
    let silent_for = |limit: SignedDuration| {
        move |voice: &&Voice| !voice.ended && newest.duration_since(voice.heard_at) > limit.saturating_add(interval)
    };
    let uncontrolled = SignedDuration::from_millis(i64::try_from(definition.max_uncontrolled_ms).unwrap_or(i64::MAX));
    regions.into_iter().find_map(|(target, voices)| {
        let cut_off = voices.values().filter(|voice| !voice.ended).all(|voice| silent_for(SILENT_AFTER)(&voice));
        let limit = if cut_off { uncontrolled.max(SILENT_AFTER) } else { SILENT_AFTER };
        let started = u32::try_from(voices.len()).unwrap_or(u32::MAX);
        let silent = u32::try_from(voices.values().filter(silent_for(limit)).count()).unwrap_or(u32::MAX);
        let needed = (u64::from(started) * u64::from(definition.healthy_percent)).div_ceil(100);
        let needed = u32::try_from(needed).unwrap_or(u32::MAX);
        (started.saturating_sub(silent) < needed).then(|| TooSilent {
            target: target.to_owned(),
            started,
            silent,
            needed,
        })
    })
}

/// Stops the load when too few workers are heard, as long as it is planned to run. It never ends by itself.
pub(super) async fn watch(store: &ObjectStore, definition: &Definition, start: &StartDecision, live: &Live) {
    let duration = |milliseconds: u64| SignedDuration::from_millis(i64::try_from(milliseconds).unwrap_or(i64::MAX));
    let ends_at = start.start_at.saturating_add(duration(definition.load.duration_ms())).unwrap_or(Timestamp::MAX);
    let interval =
        definition.live.map_or(SignedDuration::ZERO, |live| SignedDuration::from_secs(live.interval_s.into()));
    while Timestamp::now() < ends_at {
        sleep(EVERY).await;
        if let Some(verdict) = judge(definition, &live.workers(), interval)
            && decide(store, &definition.run.uid, StopReason::WorkersLost, verdict.to_string()).await
        {
            break;
        }
    }
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use volley_storage::keys::WorkerAttempt;

    use super::*;

    const START_S: i64 = 1_800_000_000;
    const INTERVAL: SignedDuration = SignedDuration::from_secs(1);

    /// Two regions of ten workers; nine of ten must stay healthy.
    fn definition() -> Definition {
        serde_json::from_value(serde_json::json!({
            "version": 1, "installation": "volley", "definitionDigest": "v1:0",
            "run": {"uid": "u", "name": "r", "namespace": "n", "loadTest": "t", "createdAt": "2026-11-25T10:00:00Z"},
            "scenario": {"locust": {"script": {"sha256": "0", "size": 1}}},
            "load": {"usersPerWorker": 1, "rampUpMs": 0, "holdForMs": 600_000},
            "regions": [{"target": "eu", "region": "eu-west-1", "namespace": "w", "workers": 10},
                        {"target": "us", "region": "us-east-1", "namespace": "w", "workers": 10}],
            "resources": {"size": "Small"}, "start": {"quorumPercent": 100, "timeoutMs": 1, "lateWorkers": "Refuse"},
            "healthyPercent": 90, "artifacts": {"samples": false}, "images": {"worker": "w", "volley": "v"},
            "maxLoadMs": 660_000, "maxUncontrolledMs": 300_000}))
        .unwrap()
    }

    fn worker(target: &str, index: u32, heard_s: i64, ended: bool) -> WorkerHeard {
        WorkerHeard {
            attempt: WorkerAttempt { target: target.into(), index, pod_uid: format!("pod-{index}") },
            newest: Some(START_S + heard_s),
            heard_at: Timestamp::from_second(START_S + heard_s).unwrap(),
            ended,
        }
    }

    /// Ten workers a region; so many of `eu` were heard last at that second, all others at second 400.
    fn heard(silent: u32, last_s: i64) -> Vec<WorkerHeard> {
        let eu = (0..10).map(|index| worker("eu", index, if index < silent { last_s } else { 400 }, false));
        eu.chain((0..10).map(|index| worker("us", index, 400, false))).collect()
    }

    #[rstest::rstest]
    #[case::one_of_ten_may_be_silent(1, 0, false)]
    #[case::two_are_too_many(2, 368, true)]
    #[case::not_yet(2, 369, false)]
    #[case::a_region_that_is_cut_off_is_waited_for(10, 99, false)]
    #[case::until_its_collectors_have_ended_its_load(10, 98, true)]
    fn workers_are_silent_when_others_go_on_for_half_a_minute(
        #[case] silent: u32,
        #[case] last_s: i64,
        #[case] stops: bool,
    ) {
        let verdict = judge(&definition(), &heard(silent, last_s), INTERVAL);
        let expected = TooSilent { target: "eu".into(), started: 10, silent, needed: 9 };
        assert_eq!(verdict, stops.then_some(expected));
    }

    #[test]
    fn who_has_ended_or_was_replaced_is_not_silent() {
        let mut workers = heard(3, 0);
        workers[0].ended = true;
        workers.push(WorkerHeard {
            attempt: WorkerAttempt { pod_uid: "another".into(), ..workers[1].attempt.clone() },
            ..workers[5].clone()
        });
        assert_eq!(judge(&definition(), &workers, INTERVAL), None);
    }

    #[test]
    fn nobody_is_judged_before_anybody_was_heard() {
        let unusable = WorkerHeard { newest: None, ..worker("eu", 0, 0, false) };
        assert_eq!(judge(&definition(), &[unusable], INTERVAL), None);
    }

    proptest! {
        /// Without an end of the frames of some while others go on there is no verdict: not when all stop at once, and not by the order.
        #[test]
        fn when_all_stop_at_once_nobody_is_to_blame(count in 1_u32..30, second in 0_i64..1_000) {
            let workers: Vec<_> = (0..count).map(|index| worker(if index % 2 == 0 { "eu" } else { "us" }, index, second, false)).collect();
            prop_assert_eq!(judge(&definition(), &workers, INTERVAL), None);
        }
    }
}
