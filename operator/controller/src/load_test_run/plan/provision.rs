//! From a frozen definition to the start decision: Jobs, ramp, quorum.

use std::time::Duration;

use jiff::Timestamp;
use volley_api::load_test_run::EndReason;
use volley_storage::documents::{DOCUMENT_VERSION, Definition, Region, StartDecision};

use super::draft::Draft;
use super::ending::{self, Conclusion};
use super::observed::{Frozen, JobSeen, RegionSeen, WaitingKind};
use super::{Action, opening, ramp, timing, wording};
use volley_api::condition::{ConditionType, Status};

/// Jobs report changes by themselves; this is for the ramp and for what a lost event would have said.
const CADENCE: Duration = Duration::from_secs(2);

pub(super) fn provision(draft: &mut Draft<'_>, frozen: &Frozen) {
    if let Some(conclusion) = ends_before_start(draft, &frozen.definition) {
        draft.conclude(&conclusion);
        return;
    }
    // The plan is written before anything is made from it: the latest start instant counts from here.
    let Some(starts_by) = draft.starts_by() else {
        draft.describe(frozen);
        draft.condition(ConditionType::Planned, Status::True, "Planned", "The definition is frozen");
        draft.progress("Provisioning", "Workers are being created");
        draft.at_once();
        return;
    };
    if !opening::claimed(draft) {
        return;
    }
    let definition = &frozen.definition;
    let missing = missing(draft, definition);
    if missing.is_empty() {
        decide_start(draft, definition);
    } else if draft.now >= starts_by {
        let limit = wording::duration(definition.start.timeout_ms);
        let message = format!("Too few workers were ready within {limit}: {}", missing.join("; "));
        draft.conclude(&Conclusion::new(EndReason::StartTimedOut, message));
    } else {
        create_jobs(draft, definition);
        draft.condition(ConditionType::Provisioned, Status::False, "Provisioning", &missing.join("; "));
        draft.progress("Provisioning", &missing.join("; "));
        draft.within(CADENCE.min(timing::until(draft.now, starts_by)));
    }
}

/// For each region that has not its quorum: what it has. Notes the regions' figures on the way.
fn missing(draft: &mut Draft<'_>, definition: &Definition) -> Vec<String> {
    let mut missing = Vec::new();
    for region in &definition.regions {
        let seen = draft.observed.regions.get(&region.target);
        let prepared = seen.and_then(|seen| seen.job.as_ref()).filter(|job| !job.deleting).map_or(0, |job| job.ready);
        let message = seen.and_then(|seen| seen.away.clone().or_else(|| waiting_words(seen)));
        draft.count(&region.target, false, message.as_deref());
        if prepared < quorum(region, definition) {
            let why = message.map(|message| format!(" ({message})")).unwrap_or_default();
            missing.push(format!("{} has {prepared} of {} workers at the gate{why}", region.target, region.workers));
        }
    }
    missing
}

fn decide_start(draft: &mut Draft<'_>, definition: &Definition) {
    draft.act(Action::DecideStart(StartDecision {
        version: DOCUMENT_VERSION,
        start_at: timing::whole_second(timing::after(draft.now, draft.policy.start_delay)),
        regions: definition.regions.iter().map(|region| region.target.clone()).collect(),
        late_workers: definition.start.late_workers,
    }));
    draft.condition(ConditionType::Provisioned, Status::True, "Ready", "Enough workers are at the gate");
    draft.progress("Starting", "The start instant is being set");
    draft.at_once();
}

fn create_jobs(draft: &mut Draft<'_>, definition: &Definition) {
    let observed = draft.observed;
    for region in &definition.regions {
        let seen = observed.regions.get(&region.target);
        raise(draft, region, seen);
        // Nobody knows what is in a cluster that is away.
        if seen.is_none_or(|seen| seen.job.is_none() && seen.away.is_none()) {
            let target = region.target.clone();
            let unheld = seen.is_some_and(|seen| seen.unheld);
            draft.act(if unheld { Action::HoldTarget { target } } else { Action::CreateWorkerJob { target } });
            draft.at_once();
        }
    }
    if observed.aggregator.is_none() {
        draft.act(Action::CreateAggregatorJob);
    }
}

fn raise(draft: &mut Draft<'_>, region: &Region, seen: Option<&RegionSeen>) {
    let Some(job) = seen.and_then(|seen| seen.job.as_ref()).filter(|job| !job.deleting) else { return };
    if let Some(parallelism) = ramp::next(job, region.workers, draft.now) {
        if job.parallelism == 0 {
            draft.act(Action::CreateRunSecret { target: region.target.clone(), job_uid: job.uid.clone() });
        }
        draft.act(Action::Ramp { target: region.target.clone(), parallelism, at: draft.now });
    }
}

/// Workers of a region that must be at the gate.
pub(super) fn quorum(region: &Region, definition: &Definition) -> u32 {
    share(region.workers, definition.start.quorum_percent)
}

/// The smallest whole number that is at least `percent` of `number`.
pub(super) fn share(number: u32, percent: u32) -> u32 {
    u32::try_from((u64::from(number) * u64::from(percent)).div_ceil(100)).unwrap_or(u32::MAX)
}

/// Everything that ends a run before its start, except the time.
fn ends_before_start(draft: &Draft<'_>, definition: &Definition) -> Option<Conclusion> {
    let observed = draft.observed;
    let stopped = |message: String| Some(Conclusion::new(EndReason::Stopped, message));
    if observed.deleting_since().is_some() {
        return stopped("The run was deleted before the load began".to_owned());
    }
    if observed.orphaned() {
        return stopped("The LoadTest was deleted before the load began".to_owned());
    }
    if let Some(stop) = &observed.run.spec.stop {
        return stopped(format!("Stopped before the load began: {}", stop.reason));
    }
    if let Some(refusal) = &observed.refusal {
        return Some(Conclusion::new(refusal.reason, refusal.message.clone()));
    }
    // A script's own fault wins over what else a region says.
    let seen = || definition.regions.iter().filter_map(|region| Some((region, observed.regions.get(&region.target)?)));
    if let Some((_, region)) = seen().find(|(_, seen)| seen.job.as_ref().is_some_and(|job| job.script_failed)) {
        return Some(ending::script_failure(&region.failures).unwrap_or_else(|| {
            Conclusion::new(
                EndReason::ScriptFailed,
                "A worker said that its configuration or script is broken (exit code 64), but could not upload why; run it locally with Taurus to see the engine's words",
            )
        }));
    }
    seen().find_map(|(region, seen)| {
        let job = seen.job.as_ref()?;
        foreign(job, observed.uid(), region)
            .or_else(|| hopeless(job, region, definition))
            .or_else(|| unable(seen, job, region, draft.now))
    })
}

fn foreign(job: &JobSeen, run_uid: &str, region: &Region) -> Option<Conclusion> {
    (job.run_uid != run_uid).then(|| {
        Conclusion::new(
            EndReason::RegionNotReady,
            format!(
                "In namespace {} of {} a Job with the name of this run's workers exists, but belongs to another run; delete it or name the run differently",
                region.namespace, region.target
            ),
        )
    })
}

/// So many workers failed for good that the quorum cannot be reached any more.
fn hopeless(job: &JobSeen, region: &Region, definition: &Definition) -> Option<Conclusion> {
    let failed = u32::try_from(job.failed_indexes.len()).unwrap_or(u32::MAX);
    let left = if job.end.is_some() { 0 } else { region.workers.saturating_sub(failed) };
    (left < quorum(region, definition)).then(|| {
        let words = job.end.as_ref().map(|end| format!(": {} ({})", end.message, end.reason)).unwrap_or_default();
        Conclusion::new(
            EndReason::StartTimedOut,
            format!(
                "In {} {failed} of {} workers failed before the load began{words}; see the pods' logs",
                region.target, region.workers
            ),
        )
    })
}

/// Pods wait for something that does not come by waiting.
fn unable(seen: &RegionSeen, job: &JobSeen, region: &Region, now: Timestamp) -> Option<Conclusion> {
    if now < timing::after(job.ramped_at?, timing::UNABLE_LIMIT) {
        return None;
    }
    let waiting =
        seen.pods.iter().flatten().filter_map(|pod| pod.waiting.as_ref()).min_by_key(|waiting| waiting.kind)?;
    let reason = match waiting.kind {
        WaitingKind::Image => EndReason::ImageUnavailable,
        WaitingKind::Secret => EndReason::SecretUnavailable,
        WaitingKind::Capacity | WaitingKind::Crash => return None,
    };
    Some(Conclusion::new(reason, format!("In {} a worker cannot start: {}", region.target, waiting.message)))
}

/// What keeps pods of a region from getting ready: the worst reason, and how many have it.
fn waiting_words(seen: &RegionSeen) -> Option<String> {
    let waiting: Vec<_> = seen.pods.iter().flatten().filter_map(|pod| pod.waiting.as_ref()).collect();
    let first = waiting.iter().min_by_key(|waiting| waiting.kind)?;
    let same = waiting.iter().filter(|other| other.kind == first.kind).count();
    Some(format!("{same} waiting, {}", first.message))
}
