//! A plan in the making: the status as it was, changed step by step, and the actions so far.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use volley_api::condition::{self, ConditionType, Status};
use volley_api::load_test_run::{DefinitionReference, RegionProgress, RunPlan, phase};
use volley_api::{LoadTestRunStatus, labels};
use volley_storage::documents::WorkerResources;

use super::ending::Conclusion;
use super::observed::{Frozen, Observed, RivalState};
use super::{Action, Plan, Policy, forecast, timing, wording};
use crate::capacity;

/// The next step, when it is known that there is one. Not zero: a mistake must not spin.
const AT_ONCE: Duration = Duration::from_millis(20);

pub(super) struct Draft<'a> {
    pub(super) observed: &'a Observed,
    pub(super) policy: &'a Policy,
    pub(super) now: Timestamp,
    actions: Vec<Action>,
    pub(super) status: LoadTestRunStatus,
    requeue: Option<Duration>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(observed: &'a Observed, policy: &'a Policy, now: Timestamp) -> Self {
        let mut status = observed.run.status.clone().unwrap_or_default();
        status.observed_generation = observed.run.metadata.generation;
        Self { observed, policy, now, actions: Vec::new(), status, requeue: None }
    }

    pub(super) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Look again after this long; the shortest wish counts.
    pub(super) fn within(&mut self, duration: Duration) {
        self.requeue = Some(self.requeue.map_or(duration, |before| before.min(duration)));
    }

    /// The actions change what the next step depends on.
    pub(super) fn at_once(&mut self) {
        self.within(AT_ONCE);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.condition_is_true(ConditionType::Finished) || self.observed.finished_annotation().is_some()
    }

    pub(super) fn is_adopted(&self) -> bool {
        let metadata = &self.observed.run.metadata;
        let labelled = metadata.labels.as_ref().and_then(|all| all.get(labels::LOAD_TEST));
        let test = self.observed.load_test.as_ref().and_then(|load_test| load_test.metadata.uid.as_deref());
        let owned = test.is_none_or(|uid| {
            metadata.owner_references.as_ref().is_some_and(|owners| owners.iter().any(|owner| owner.uid == uid))
        });
        self.observed.has_finalizer() && labelled == Some(&self.observed.run.spec.load_test) && owned
    }

    pub(super) fn condition_is_true(&self, type_: ConditionType) -> bool {
        condition::is_true(&self.status.conditions, type_)
    }

    pub(super) fn condition(&mut self, type_: ConditionType, status: Status, reason: &str, message: &str) {
        let generation = self.observed.run.metadata.generation;
        condition::set(
            &mut self.status.conditions,
            Condition {
                type_: type_.as_str().to_owned(),
                status: status.as_str().to_owned(),
                reason: reason.to_owned(),
                message: message.to_owned(),
                observed_generation: generation,
                last_transition_time: Time(self.now),
            },
        );
    }

    /// The run goes on; `message` says what it does now.
    pub(super) fn progress(&mut self, reason: &str, message: &str) {
        self.condition(ConditionType::Reconciling, Status::True, reason, message);
        self.condition(ConditionType::Stalled, Status::False, reason, "");
        self.condition(ConditionType::Finished, Status::False, reason, message);
        self.condition(ConditionType::Succeeded, Status::Unknown, reason, message);
    }

    /// End the run. Its Jobs, claim and finalizer go in the next step, once this is written.
    pub(super) fn conclude(&mut self, conclusion: &Conclusion) {
        let Conclusion { outcome, message } = conclusion;
        let reason = outcome.reason.as_str();
        self.condition(ConditionType::Succeeded, outcome.succeeded().into(), reason, message);
        self.condition(ConditionType::Finished, Status::True, reason, message);
        self.condition(ConditionType::Reconciling, Status::False, reason, "");
        self.condition(ConditionType::Stalled, outcome.stalled().into(), reason, message);
        self.status.finished_at.get_or_insert(Time(self.now));
        self.at_once();
    }

    /// The other runs in `status.active` that still mean something.
    pub(super) fn live_rivals(&self) -> impl Iterator<Item = &'a super::observed::Rival> {
        self.observed.rivals.iter().filter(|rival| rival.state != RivalState::Gone)
    }

    /// `status.active` with or without this run; claims that mean nothing are dropped.
    pub(super) fn active(&self, with_us: bool) -> Vec<String> {
        let mut active: Vec<_> = self.live_rivals().map(|rival| rival.uid.clone()).collect();
        if with_us {
            active.push(self.observed.uid().to_owned());
        }
        active.sort();
        active
    }

    /// What the frozen definition says goes to the status, once.
    pub(super) fn describe(&mut self, frozen: &Frozen) {
        let definition = &frozen.definition;
        self.status.definition =
            Some(DefinitionReference { digest: frozen.digest.clone(), location: frozen.location.clone() });
        let starts_by = timing::after(self.now, timing::milliseconds(definition.start.timeout_ms));
        let (size, resources) = match &definition.resources {
            WorkerResources::Size(size) => (Some(*size), None),
            WorkerResources::Quantities { requests, .. } => (None, Some(wording::quantities(requests))),
        };
        let vcpu = capacity::Usage::wanted(definition).values().fold(0_u64, |sum, usage| sum + usage.millicores);
        self.status.plan = Some(RunPlan {
            workers: i64::from(definition.workers()),
            size,
            resources,
            vcpu: Some(capacity::vcpu(vcpu)),
            duration: wording::duration(definition.load.duration_ms()),
            starts_by: Some(Time(starts_by)),
            expected_start: forecast::start(definition, self.policy.start_delay, self.now).map(Time),
            estimated_cost: forecast::cost(definition, self.policy.start_delay),
            worker_image: definition.images.worker.clone(),
            volley_image: definition.images.volley.clone(),
        });
        self.status.regions = definition
            .regions
            .iter()
            .map(|region| RegionProgress {
                target: region.target.clone(),
                planned: i64::from(region.workers),
                ..RegionProgress::default()
            })
            .collect();
    }

    /// The latest start instant; `None` until [`Draft::describe`] is written.
    pub(super) fn starts_by(&self) -> Option<Timestamp> {
        self.observed.run.status.as_ref()?.plan.as_ref()?.starts_by.as_ref().map(|time| time.0)
    }

    /// Figures of a region, taken from its Job. `prepared` is what it was when the start was decided.
    pub(super) fn count(&mut self, target: &str, started: bool, message: Option<&str>) {
        let job = self.observed.regions.get(target).and_then(|region| region.job.as_ref());
        let Some(progress) = self.status.regions.iter_mut().find(|region| region.target == target) else { return };
        if let Some(job) = job {
            let created = i64::from(job.active) + i64::from(job.succeeded) + wording::count(job.failed_indexes.len());
            progress.created = created.min(progress.planned);
            if !started {
                progress.prepared = i64::from(job.ready).min(progress.planned);
            }
        }
        progress.message = message.map(condition::bounded);
    }

    pub(super) fn into_plan(mut self) -> Plan {
        self.status.phase = Some(phase(&self.status.conditions));
        Plan { actions: self.actions, status: self.status, requeue: self.requeue }
    }
}
