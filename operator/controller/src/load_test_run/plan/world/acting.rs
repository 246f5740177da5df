//! What the operator does to the world, under the guards that the servers have: resource versions, put-once, names that exist.

use volley_api::condition::{self, ConditionType};
use volley_storage::documents::{CloseDecision, ClosedWorker, MissingRegion, StartDecision};

use super::super::observed::Observed;
use super::super::{Action, Plan};
use super::TARGETS;
use super::simulation::{Worker, World};

fn place(target: &str) -> usize {
    TARGETS.iter().position(|other| *other == target).unwrap()
}

impl World {
    pub(super) fn write_status(&mut self, run: usize, plan: &Plan) {
        let version = self.bump();
        let state = &mut self.runs[run];
        let Some(object) = &mut state.object else { return };
        let mut status = plan.status.clone();
        status.result = object.status.as_ref().and_then(|status| status.result.clone());
        let end = condition::is_true(&status.conditions, ConditionType::Finished)
            .then(|| condition::find(&status.conditions, ConditionType::Succeeded).unwrap().reason.clone());
        if let Some(before) = &state.finished
            && end.as_ref() != Some(before)
        {
            self.faults.push(format!("the end of run {run} changed from {before} to {end:?}"));
        }
        if end.is_some() && state.finished.is_none() {
            self.story.push(format!("{} run {run} ended: {end:?}", self.now));
        }
        state.finished = end.or(state.finished.take());
        object.status = Some(status);
        object.metadata.resource_version = Some(version);
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each action, none of which is long")]
    /// Does an action under the guards that the servers have; `false`: it was refused, or the run is gone.
    pub(super) fn perform(&mut self, run: usize, observed: &Observed, action: &Action) -> bool {
        self.tell(&format!("run {run}: {action:?}"));
        let version = self.bump();
        let now = self.now;
        let story = format!("run {run}: {action:?}");
        let fault = |faults: &mut Vec<String>, holds: bool, words: &str| {
            if !holds {
                faults.push(format!("{words}: {story}"));
            }
        };
        let state = &mut self.runs[run];
        if action.target().is_some_and(|target| self.away.contains(&place(target))) {
            // As in `apply`: a region that is away ends nothing.
            return true;
        }
        match action {
            Action::Adopt => {
                let Some(object) = &mut state.object else { return false };
                if object.metadata.resource_version != observed.run.metadata.resource_version {
                    return false;
                }
                object.metadata.finalizers = Some(vec!["volley.dev/run".into()]);
                object.metadata.labels = Some([("volley.dev/load-test".into(), "checkout".into())].into());
                if let Some(test) = &observed.load_test {
                    object.metadata.owner_references = Some(vec![crate::load_test::build::run::owner(test)]);
                }
                object.metadata.resource_version = Some(version);
                if self.load_test.is_none() {
                    // The garbage collector deletes what belongs to nobody.
                    self.delete(run, now);
                }
            }
            Action::SetActive(active) => {
                let Some(test) = &mut self.load_test else { return observed.load_test.is_none() };
                if test.metadata.resource_version
                    != observed.load_test.as_ref().and_then(|test| test.metadata.resource_version.clone())
                {
                    return false;
                }
                test.status.get_or_insert_default().active.clone_from(active);
                test.metadata.resource_version = Some(version);
            }
            Action::Freeze(candidate) => {
                state.definition.get_or_insert(candidate.definition.clone());
            }
            Action::HoldTarget { .. } => {}
            Action::CreateWorkerJob { target } => {
                fault(&mut self.faults, state.finished.is_none(), "a worker Job was made after the end");
                fault(&mut self.faults, state.start.is_none(), "a worker Job was made after the start");
                state.jobs.entry(place(target)).or_default();
            }
            Action::CreateRunSecret { target, .. } => return state.jobs.contains_key(&place(target)),
            Action::Ramp { target, parallelism, at } => {
                let Some(job) = state.jobs.get_mut(&place(target)) else { return false };
                job.parallelism = *parallelism;
                job.ramped_at = Some(*at);
                for index in 0..*parallelism {
                    job.workers.entry(index).or_insert(Worker::Pending);
                }
            }
            Action::CreateAggregatorJob => {
                fault(&mut self.faults, state.finished.is_none(), "an aggregator was made after the end");
                state.aggregator.get_or_insert(false);
            }
            Action::DecideStart(decision) => {
                fault(&mut self.faults, state.finished.is_none(), "a start was decided after the end");
                let wrong = wrong_with(decision, observed);
                fault(&mut self.faults, wrong.is_none(), wrong.as_deref().unwrap_or_default());
                if let Some(earlier) = &state.start {
                    // The same plan applied twice finds its own write; another decision would be a second start.
                    fault(&mut self.faults, earlier == decision, "a second start was decided");
                }
                state.start.get_or_insert_with(|| decision.clone());
            }
            Action::DecideStop(decision) => {
                state.stop.get_or_insert_with(|| decision.clone());
            }
            Action::DecideClose(closing) => {
                let merged = closing.attempts.iter().map(|attempt| ClosedWorker {
                    target: attempt.target.clone(),
                    index: attempt.index,
                    pod_uid: Some(attempt.pod_uid.clone()),
                    manifest: Some("m".into()),
                    reason: None,
                });
                let workers: Vec<_> = merged.chain(closing.lost.iter().cloned()).collect();
                let start = state.start.as_ref().expect("a closing without a start");
                let only_these = workers.iter().all(|worker| start.includes(&worker.target));
                fault(&mut self.faults, only_these, "a region that takes no part was closed");
                let asked_at = closing.asked_at.clone();
                let decision =
                    CloseDecision { version: 1, at: closing.at, workers, stopped: closing.stopped, asked_at };
                state.close.get_or_insert(decision);
            }
            Action::DeleteWorkerJob { target, .. } => {
                state.jobs.remove(&place(target));
            }
            Action::DeleteAggregatorJob { .. } => state.aggregator = None,
            Action::NoteLeftovers { target } => {
                fault(&mut self.faults, state.finished.is_some(), "leftovers were noted before the end");
                state.noted.insert(place(target));
            }
            Action::MarkFinished(at) => {
                fault(&mut self.faults, state.finished.is_some(), "a run was marked as ended before its end");
                let Some(object) = &mut state.object else { return false };
                object
                    .metadata
                    .annotations
                    .get_or_insert_default()
                    .insert("volley.dev/finished".into(), at.to_string());
                object.metadata.resource_version = Some(version);
            }
            Action::RemoveFinalizer => {
                let left = state.jobs.keys().all(|target| state.noted.contains(target));
                fault(&mut self.faults, left, "a run was let go while its Job exists");
                let Some(object) = &mut state.object else { return true };
                object.metadata.finalizers = Some(Vec::new());
                object.metadata.resource_version = Some(version);
                if object.metadata.deletion_timestamp.is_some() {
                    state.object = None;
                }
            }
        }
        true
    }
}

/// What is wrong with a start, by what was seen when it was decided.
fn wrong_with(decision: &StartDecision, observed: &Observed) -> Option<String> {
    let definition = &observed.frozen()?.definition;
    let at_the_gate = |target: &str| {
        let job = observed.regions.get(target).and_then(|region| region.job.as_ref());
        job.map_or(0, |job| job.ready)
    };
    if decision.regions.is_empty() {
        return Some("a start without regions".into());
    }
    for region in &definition.regions {
        let (target, takes_part) = (&region.target, decision.includes(&region.target));
        if takes_part == decision.left_out.contains_key(target) {
            return Some(format!("{target} takes part and does not"));
        }
        if takes_part && at_the_gate(target) * 100 < region.workers * definition.start.quorum_percent {
            return Some(format!("{target} starts with {} workers", at_the_gate(target)));
        }
    }
    let all = decision.left_out.is_empty() || definition.start.on_missing_region == MissingRegion::Continue;
    (!all).then(|| "a start without a region that may not be missing".into())
}
