//! From the start decision to the closing: watch the workers, stop the load where it must end, collect the manifests.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use volley_storage::documents::{
    ClosedWorker, DOCUMENT_VERSION, Definition, Region, StartDecision, StopDecision, StopReason,
};

use super::draft::Draft;
use super::observed::{Frozen, Observed, PodSeen, RegionSeen, RivalState};
use super::readiness::share;
use super::{Action, Closing, timing, wording};
use volley_api::condition::{ConditionType, Status};

/// While the load runs: lost workers are noticed and `spec.stop` comes as an event.
const RUNNING: Duration = Duration::from_secs(5);
/// While manifests come in.
const COLLECTING: Duration = Duration::from_secs(1);

pub(super) fn measure(draft: &mut Draft<'_>, frozen: &Frozen, start: &StartDecision) {
    let definition = &frozen.definition;
    let begun = draft.now >= start.start_at;
    draft.status.start_at = Some(Time(start.start_at));
    if draft.status.plan.is_none() {
        draft.describe(frozen);
        draft.condition(ConditionType::Planned, Status::True, "Planned", "The definition is frozen");
    }
    draft.condition(ConditionType::Provisioned, Status::True, "Ready", &wording::provisioned(start));
    for region in &definition.regions {
        let away = draft.observed.regions.get(&region.target).and_then(|seen| seen.away.clone());
        let left_out = start.left_out.get(&region.target).map(|why| format!("takes no part: {why}"));
        draft.count(&region.target, true, left_out.or(away).as_deref());
    }
    if begun {
        draft.status.started_at.get_or_insert(Time(start.start_at));
        draft.condition(ConditionType::Started, Status::True, "Started", "The load has begun");
    }
    keep_claim(draft);
    delete_left_out(draft, start);
    if begun && draft.observed.aggregator.is_none() && draft.observed.holds_claim() {
        draft.act(Action::CreateAggregatorJob);
    }
    if let Some(closing) = closing(draft, definition, start) {
        draft.condition(ConditionType::Collected, Status::False, "Collecting", "The workers' uploads are being listed");
        draft.progress("Collecting", "The workers' uploads are being listed");
        draft.act(Action::DecideClose(closing));
        draft.at_once();
        return;
    }
    match &draft.observed.stop {
        Some(stop) => escalate(draft, definition, start, stop),
        None => {
            if let Some((reason, message)) = wants_stop(draft, definition, start) {
                let at = draft.now;
                draft.act(Action::DecideStop(StopDecision { version: DOCUMENT_VERSION, reason, message, at }));
            }
        }
    }
    report(draft, definition, start, begun);
}

/// A LoadTest that was restored from a backup has lost the claim; as long as nobody else took it, it is ours.
fn keep_claim(draft: &mut Draft<'_>) {
    let observed = draft.observed;
    if !observed.holds_claim() && !observed.orphaned() && draft.live_rivals().next().is_none() {
        draft.act(Action::SetActive(draft.active(true)));
    }
}

/// Workers of a region that takes no part find themselves not in the list and leave; their Jobs are of no use any more.
fn delete_left_out(draft: &mut Draft<'_>, start: &StartDecision) {
    let observed = draft.observed;
    for (target, seen) in observed.regions.iter().filter(|(target, _)| !start.includes(target)) {
        if let Some(job) = seen.job.as_ref().filter(|job| !job.deleting && job.run_uid == observed.uid()) {
            draft.act(Action::DeleteWorkerJob { target: target.clone(), uid: job.uid.clone() });
        }
    }
}

/// The regions that take part.
fn taking_part<'a>(definition: &'a Definition, start: &'a StartDecision) -> impl Iterator<Item = &'a Region> {
    definition.regions.iter().filter(|region| start.includes(&region.target))
}

fn report(draft: &mut Draft<'_>, definition: &Definition, start: &StartDecision, begun: bool) {
    let loaded = load_ends(definition, start, timing::milliseconds(definition.load.duration_ms()));
    if draft.observed.stop.is_some() || draft.now >= loaded {
        let there = indexes(draft.observed, None).len();
        let workers: u32 = taking_part(definition, start).map(|region| region.workers).sum();
        let message = format!("{there} of {workers} workers have uploaded their results");
        draft.condition(ConditionType::Collected, Status::False, "Collecting", &message);
        draft.progress("Collecting", &message);
        draft.within(COLLECTING);
    } else if begun {
        draft.progress("Running", "The load is running");
        draft.within(RUNNING.min(timing::until(draft.now, loaded)));
    } else {
        draft.condition(ConditionType::Started, Status::False, "Waiting", "The start instant is set");
        draft.progress("Ready", "The start instant is set");
        draft.within(RUNNING.min(timing::until(draft.now, start.start_at)));
    }
}

fn load_ends(definition: &Definition, start: &StartDecision, length: jiff::SignedDuration) -> Timestamp {
    debug_assert!(length <= timing::milliseconds(definition.max_load_ms));
    timing::after(start.start_at, length)
}

/// Indexes with a manifest, of one target or of all (as pairs, so that equal indexes of two targets count twice).
fn indexes<'a>(observed: &'a Observed, target: Option<&str>) -> BTreeSet<(&'a str, u32)> {
    observed
        .manifests
        .iter()
        .filter(|attempt| target.is_none_or(|target| attempt.target == target))
        .map(|attempt| (attempt.target.as_str(), attempt.index))
        .collect()
}

/// What is still to come from a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expectation {
    /// Manifests.
    More,
    /// Nothing: all workers have one or have failed, or no pod is left.
    Nothing,
}

fn expectation(observed: &Observed, region: &Region, seen: Option<&RegionSeen>, now: Timestamp) -> Expectation {
    let done = indexes(observed, Some(&region.target));
    if seen.is_some_and(|seen| seen.away.is_some()) {
        // Its workers may go on: results come through the storage.
        let all = (0..region.workers).all(|index| done.contains(&(region.target.as_str(), index)));
        return if all { Expectation::Nothing } else { Expectation::More };
    }
    let Some(job) = seen.and_then(|seen| seen.job.as_ref()) else { return Expectation::Nothing };
    if job.end.is_some() {
        return Expectation::Nothing;
    }
    if (0..region.workers)
        .all(|index| done.contains(&(region.target.as_str(), index)) || job.failed_indexes.contains(&index))
    {
        return Expectation::Nothing;
    }
    // Pods are listed some time after the load. One that waits to be started by then measures nothing any more; of the others, what has
    // not been uploaded long after the last main container ended hangs.
    let pods = seen.and_then(|seen| seen.pods.as_deref()).unwrap_or_default();
    let works = |pod: &PodSeen| pod.alive && pod.main_ended_at.is_none() && !pod.waits_to_start();
    if pods.is_empty() || pods.iter().any(works) {
        return Expectation::More;
    }
    match pods.iter().filter_map(|pod| pod.main_ended_at).max() {
        Some(last) if now < timing::after(last, timing::MANIFEST_LIMIT) => Expectation::More,
        Some(_) | None => Expectation::Nothing,
    }
}

/// The list of what is merged, once nothing more is expected or the time is over.
fn closing(draft: &Draft<'_>, definition: &Definition, start: &StartDecision) -> Option<Closing> {
    let observed = draft.observed;
    let complete = taking_part(definition, start).all(|region| {
        expectation(observed, region, observed.regions.get(&region.target), draft.now) == Expectation::Nothing
    });
    if !complete && draft.now < deadline(observed, definition, start) {
        return None;
    }
    let mut lost: Vec<ClosedWorker> = Vec::new();
    for region in taking_part(definition, start) {
        let done = indexes(observed, Some(&region.target));
        let seen = observed.regions.get(&region.target);
        for index in (0..region.workers).filter(|index| !done.contains(&(region.target.as_str(), *index))) {
            lost.push(ClosedWorker {
                target: region.target.clone(),
                index,
                pod_uid: None,
                manifest: None,
                reason: Some(why_lost(seen, index).to_owned()),
            });
        }
    }
    // Only what the definition knows: a manifest with a foreign target or index is nobody's.
    let attempts = observed
        .manifests
        .iter()
        .filter(|attempt| {
            taking_part(definition, start)
                .any(|region| region.target == attempt.target && attempt.index < region.workers)
        })
        .cloned()
        .collect();
    lost.sort();
    let asked_at = observed
        .regions
        .iter()
        .filter_map(|(target, seen)| Some((target.clone(), seen.job.as_ref()?.asked_at()?)))
        .collect();
    let stopped = observed.stop.as_ref().map(|stop| stop.reason);
    Some(Closing { at: draft.now, attempts, lost, stopped, asked_at })
}

fn why_lost(seen: Option<&RegionSeen>, index: u32) -> &'static str {
    if seen.is_some_and(|seen| seen.away.is_some()) {
        return "it had not uploaded a result in time, and its region's cluster could not be asked";
    }
    match seen.and_then(|seen| seen.job.as_ref()) {
        None => "its Job is gone",
        Some(job) if job.failed_indexes.contains(&index) => "its pods failed without a result",
        Some(job) if job.end.is_some() => "its pod ended without a result",
        Some(_) => "it had not uploaded a result in time",
    }
}

/// When the run is closed with what is there.
fn deadline(observed: &Observed, definition: &Definition, start: &StartDecision) -> Timestamp {
    let limit = timing::milliseconds(definition.max_load_ms);
    let load_end = observed.stop.as_ref().map_or(Timestamp::MAX, |stop| stop.at);
    let load_end = load_end.min(timing::after(start.start_at, limit));
    let orderly = [timing::LAUNCHER_LIMIT, timing::UPLOAD_LIMIT, timing::MANIFEST_LIMIT]
        .into_iter()
        .fold(load_end, timing::after);
    let deleted =
        observed.deleting_since().map_or(Timestamp::MAX, |since| timing::after(since, timing::DELETION_LIMIT));
    orderly.min(deleted)
}

/// Why the load should end before its time.
fn wants_stop(draft: &Draft<'_>, definition: &Definition, start: &StartDecision) -> Option<(StopReason, String)> {
    let observed = draft.observed;
    if observed.deleting_since().is_some() {
        return Some((StopReason::Deleted, "The run is being deleted".to_owned()));
    }
    if observed.orphaned() {
        return Some((StopReason::Deleted, "The LoadTest is being deleted".to_owned()));
    }
    if let Some(stop) = &observed.run.spec.stop {
        return Some((StopReason::Requested, stop.reason.clone()));
    }
    if !observed.holds_claim()
        && let Some(rival) = observed.rivals.iter().find(|rival| rival.state == RivalState::Active)
    {
        let name = rival.name.as_deref().unwrap_or(&rival.uid);
        return Some((
            StopReason::Deleted,
            format!("Run {name} has taken this run's place in the LoadTest's status.active"),
        ));
    }
    for region in taking_part(definition, start) {
        if let Some(message) = too_few(draft, definition, region) {
            return Some((StopReason::WorkersLost, message));
        }
    }
    let limit = timing::milliseconds(definition.max_load_ms).saturating_add(timing::LAUNCHER_LIMIT);
    (draft.now >= timing::after(start.start_at, limit)).then(|| {
        let planned = wording::duration(definition.load.duration_ms());
        (StopReason::DeadlineExceeded, format!("The load of {planned} has not ended in time"))
    })
}

/// Fewer workers of a region than allowed are healthy. Counted are the workers that failed for good, beyond those that were
/// not at the gate when the start was decided.
fn too_few(draft: &Draft<'_>, definition: &Definition, region: &Region) -> Option<String> {
    let job = draft.observed.regions.get(&region.target)?.job.as_ref()?;
    let progress = draft.status.regions.iter().find(|progress| progress.target == region.target)?;
    let started = u32::try_from(progress.prepared).unwrap_or(0);
    let late = region.workers.saturating_sub(started);
    let done = indexes(draft.observed, Some(&region.target));
    let failed = job.failed_indexes.iter().filter(|index| !done.contains(&(region.target.as_str(), **index))).count();
    let lost = u32::try_from(failed).unwrap_or(u32::MAX).saturating_sub(late);
    let needed = share(started, definition.healthy_percent);
    (started.saturating_sub(lost) < needed).then(|| {
        format!("In {} {lost} of {started} workers were lost; at least {needed} must stay healthy", region.target)
    })
}

/// A stop that has no effect: the Jobs go, and the load with them.
fn escalate(draft: &mut Draft<'_>, definition: &Definition, start: &StartDecision, stop: &StopDecision) {
    if draft.now < timing::after(stop.at, timing::STOP_LIMIT) {
        return;
    }
    for region in taking_part(definition, start) {
        let seen = draft.observed.regions.get(&region.target);
        let Some(job) = seen.and_then(|seen| seen.job.as_ref()) else { continue };
        let pods_end = seen
            .and_then(|seen| seen.pods.as_deref())
            .is_some_and(|pods| pods.iter().filter(|pod| pod.alive).all(|pod| pod.main_ended_at.is_some()));
        // A worker whose main container has ended is uploading, or it waits for that: no load is left to end.
        if job.active > 0 && !job.deleting && !pods_end {
            draft.act(Action::DeleteWorkerJob { target: region.target.clone(), uid: job.uid.clone() });
        }
    }
}
