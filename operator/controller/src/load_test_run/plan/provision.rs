//! From a frozen definition to the start decision: Jobs, ramp, quorum.

use std::collections::BTreeMap;
use std::time::Duration;

use volley_api::load_test_run::EndReason;
use volley_storage::documents::{DOCUMENT_VERSION, Definition, Region, StartDecision};

use super::draft::Draft;
use super::ending::{self, Conclusion};
use super::observed::{Frozen, RegionSeen};
use super::readiness::{self, Decision, Readiness};
use super::{Action, opening, ramp, timing, wording};
use volley_api::condition::{ConditionType, Status};

/// Jobs report changes by themselves; this is for the ramp and for what a lost event would have said.
const CADENCE: Duration = Duration::from_secs(2);

pub(super) fn provision(draft: &mut Draft<'_>, frozen: &Frozen) {
    let definition = &frozen.definition;
    if let Some(conclusion) = ends_before_start(draft, definition) {
        draft.conclude(&conclusion);
        return;
    }
    // The plan is written before anything is made from it: the latest start instant and the room in the targets count from here.
    let Some(starts_by) = draft.starts_by() else {
        if let Some(shortage) = &draft.observed.shortage {
            draft.conclude(&Conclusion::new(EndReason::QuotaExceeded, shortage.to_string()));
            return;
        }
        draft.describe(frozen);
        draft.condition(ConditionType::Planned, Status::True, "Planned", "The definition is frozen");
        draft.progress("Provisioning", "Workers are being created");
        draft.at_once();
        return;
    };
    if !opening::claimed(draft) {
        return;
    }
    let regions = regions(draft, definition);
    let over = draft.now >= starts_by;
    let limit = wording::duration(definition.start.timeout_ms);
    match readiness::decide(&regions, definition.start.on_missing_region, over, &limit) {
        Decision::Start(left_out) => decide_start(draft, definition, left_out),
        Decision::End(conclusion) => draft.conclude(&conclusion),
        Decision::Wait(missing) => {
            create_jobs(draft, &regions);
            draft.condition(ConditionType::Provisioned, Status::False, "Provisioning", &missing.join("; "));
            draft.progress("Provisioning", &missing.join("; "));
            draft.within(CADENCE.min(timing::until(draft.now, starts_by)));
        }
    }
}

/// How far each region is. Notes the regions' figures on the way.
fn regions<'a>(draft: &mut Draft<'_>, definition: &'a Definition) -> Vec<(&'a Region, Readiness)> {
    let observed = draft.observed;
    let mut regions = Vec::new();
    for region in &definition.regions {
        let readiness = readiness::of(observed, region, definition, draft.now);
        let message = match &readiness {
            Readiness::Hopeless(conclusion) => Some(conclusion.message.clone()),
            Readiness::Ready | Readiness::Waiting(_) => {
                let refusal = observed.refusals.iter().find(|refusal| refusal.target.as_ref() == Some(&region.target));
                let refusal = refusal.map(|refusal| refusal.message.clone());
                refusal.or_else(|| observed.regions.get(&region.target).and_then(readiness::obstacle))
            }
        };
        draft.count(&region.target, false, message.as_deref());
        regions.push((region, readiness));
    }
    regions
}

fn decide_start(draft: &mut Draft<'_>, definition: &Definition, left_out: BTreeMap<String, String>) {
    let taking_part = definition.regions.iter().map(|region| &region.target);
    let start = StartDecision {
        version: DOCUMENT_VERSION,
        start_at: timing::whole_second(timing::after(draft.now, draft.policy.start_delay)),
        regions: taking_part.filter(|target| !left_out.contains_key(*target)).cloned().collect(),
        late_workers: definition.start.late_workers,
        left_out,
    };
    draft.condition(ConditionType::Provisioned, Status::True, "Ready", &wording::provisioned(&start));
    draft.act(Action::DecideStart(start));
    draft.progress("Starting", "The start instant is being set");
    draft.at_once();
}

fn create_jobs(draft: &mut Draft<'_>, regions: &[(&Region, Readiness)]) {
    let observed = draft.observed;
    for (region, readiness) in regions {
        let refused = observed.refusals.iter().any(|refusal| refusal.target.as_ref() == Some(&region.target));
        if refused || matches!(readiness, Readiness::Hopeless(_)) {
            continue;
        }
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

/// Everything that ends a run before its start, except the time and what regions lack.
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
    if let Some(refusal) = observed.refusals.iter().find(|refusal| refusal.target.is_none()) {
        return Some(Conclusion::new(refusal.reason, refusal.message.clone()));
    }
    // A script is as broken in one region as in another, and its own fault wins over what a region says.
    let mut seen = definition.regions.iter().filter_map(|region| observed.regions.get(&region.target));
    let broken = seen.find(|seen| seen.job.as_ref().is_some_and(|job| job.script_failed))?;
    Some(ending::script_failure(&broken.failures).unwrap_or_else(|| {
        Conclusion::new(
            EndReason::ScriptFailed,
            "A worker said that its configuration or script is broken (exit code 64), but could not upload why; run it locally with Taurus to see the engine's words",
        )
    }))
}
