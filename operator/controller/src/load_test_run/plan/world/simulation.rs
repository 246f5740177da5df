//! The world: Kubernetes and S3 as data, with their guards (resource versions, put-once, names that exist).

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;
use volley_api::condition::{self, ConditionType};
use volley_api::load_test_run::{RunResult, Stop};
use volley_api::{LoadTest, LoadTestRun};
use volley_storage::documents::{CloseDecision, ClosedWorker, Definition, StartDecision, StopDecision};
use volley_storage::keys::WorkerAttempt;

use super::super::observed::{Definiteness, Frozen, JobSeen, Observed, RegionSeen, Rival, RivalState};
use super::super::{Action, Plan, Policy, plan};
use super::{RUNS, WORKERS};
use crate::definition::{Candidate, Problem};
use crate::fixtures;

const POLICY: Policy = Policy { start_delay: SignedDuration::from_secs(5) };
/// Enough for every limit of every stage, in steps of the settling world.
const MOST_STEPS: usize = 4000;

/// Something that nobody asks the operator about.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    Passes(i64),
    Created(usize),
    Prepared(usize, u32),
    Uploaded(usize, u32),
    Died(usize, u32),
    Hung(usize, u32),
    ScriptFailed(usize),
    Aggregated(usize),
    AggregatorFailed(usize),
    StopRequested(usize),
    RunDeleted(usize),
    LoadTestDeleted,
    SourceGone,
    SourceBack,
    /// The region's cluster answers nobody any more; what runs there goes on.
    RegionAway,
    RegionBack,
    /// The operator does a whole step of a run; between another run's look and its actions, too.
    Reconciled(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Worker {
    Pending,
    AtGate,
    Loading,
    Ended,
    Uploaded,
    Failed,
}

#[derive(Clone, Debug)]
pub(super) struct Job {
    parallelism: u32,
    ramped_at: Option<Timestamp>,
    workers: BTreeMap<u32, Worker>,
    script_failed: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    pub(super) object: Option<LoadTestRun>,
    /// Reason of its end, remembered after the object is gone.
    pub(super) finished: Option<String>,
    pub(super) job: Option<Job>,
    pub(super) aggregator: Option<bool>,
    hung: BTreeSet<u32>,
    definition: Option<Definition>,
    start: Option<StartDecision>,
    stop: Option<StopDecision>,
    close: Option<CloseDecision>,
    manifests: BTreeSet<u32>,
    /// Its RegionTarget was told that objects of it may be left.
    pub(super) noted: bool,
}

pub(super) struct World {
    now: Timestamp,
    version: u64,
    load_test: Option<LoadTest>,
    source: bool,
    away: bool,
    pub(super) runs: Vec<Run>,
    pub(super) faults: Vec<String>,
    story: Vec<String>,
}

fn uid(run: usize) -> String {
    format!("uid-{run}")
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            now: "2026-11-25T10:00:00Z".parse().unwrap(),
            version: 1,
            load_test: Some(fixtures::load_test(json!({"trigger": "Manual"}))),
            source: true,
            away: false,
            runs: vec![Run::default(); RUNS],
            faults: Vec::new(),
            story: Vec::new(),
        }
    }

    pub(super) fn story(&self) -> String {
        self.story.join("\n")
    }

    pub(super) fn active(&self) -> Vec<String> {
        self.load_test.as_ref().and_then(|test| test.status.clone()).map(|status| status.active).unwrap_or_default()
    }

    pub(super) fn end_of(&self, run: usize) -> Option<String> {
        self.runs[run].finished.clone()
    }

    pub(super) fn loaded_runs(&self) -> Vec<usize> {
        let loads = |run: &Run| {
            run.job.as_ref().is_some_and(|job| job.workers.values().any(|worker| *worker == Worker::Loading))
        };
        // What a run has left behind in a region that is away ends by its collectors' own deadline.
        (0..RUNS).filter(|run| loads(&self.runs[*run]) && !self.runs[*run].noted).collect()
    }

    pub(super) fn force_load(&mut self, run: usize) {
        let workers = [(0, Worker::Loading)].into();
        self.runs[run].job = Some(Job { parallelism: 1, ramped_at: None, workers, script_failed: false });
    }

    fn bump(&mut self) -> String {
        self.version += 1;
        self.version.to_string()
    }

    fn tell(&mut self, text: &str) {
        self.story.push(format!("{} {text}", self.now));
    }

    /// What the workers do by themselves as time passes.
    fn tick(&mut self) {
        for run in &mut self.runs {
            let Some(job) = &mut run.job else { continue };
            let ends = run.start.as_ref().map(|start| start.start_at + SignedDuration::from_secs(10));
            let stopped = run.stop.is_some();
            for (index, worker) in &mut job.workers {
                let hangs = run.hung.contains(index);
                match *worker {
                    Worker::AtGate
                        if run.start.as_ref().is_some_and(|start| self.now >= start.start_at) && !stopped =>
                    {
                        *worker = Worker::Loading;
                    }
                    Worker::AtGate if stopped && !hangs => *worker = Worker::Ended,
                    Worker::Loading if !hangs && (stopped || ends.is_some_and(|ends| self.now >= ends)) => {
                        *worker = Worker::Ended;
                    }
                    _ => {}
                }
            }
        }
    }

    pub(super) fn happen(&mut self, happening: &Happening) {
        self.tell(&format!("{happening:?}"));
        let version = self.bump();
        let now = self.now;
        match *happening {
            Happening::Passes(seconds) => self.now += SignedDuration::from_secs(seconds),
            Happening::Created(run) => self.create(run, &version),
            Happening::Prepared(run, index) => {
                let run = &mut self.runs[run];
                let late = run.start.is_some();
                let hangs = run.hung.contains(&index);
                if let Some(worker) = run.job.as_mut().and_then(|job| job.workers.get_mut(&index))
                    && *worker == Worker::Pending
                    && !hangs
                {
                    *worker = if late { Worker::Failed } else { Worker::AtGate };
                }
            }
            Happening::Uploaded(run, index) => {
                let run = &mut self.runs[run];
                if let Some(worker) = run.job.as_mut().and_then(|job| job.workers.get_mut(&index))
                    && *worker == Worker::Ended
                {
                    *worker = Worker::Uploaded;
                    run.manifests.insert(index);
                }
            }
            Happening::Died(run, index) => {
                let run = &mut self.runs[run];
                let late = run.start.is_some();
                if let Some(worker) = run.job.as_mut().and_then(|job| job.workers.get_mut(&index))
                    && !matches!(worker, Worker::Uploaded | Worker::Failed)
                {
                    *worker = if late { Worker::Failed } else { Worker::Pending };
                }
            }
            Happening::Hung(run, index) => {
                self.runs[run].hung.insert(index);
            }
            Happening::ScriptFailed(run) => {
                let run = &mut self.runs[run];
                if let Some(job) = run.job.as_mut().filter(|_| run.start.is_none()) {
                    job.script_failed = job.workers.values().any(|worker| *worker == Worker::Pending);
                }
            }
            Happening::Aggregated(run) => self.aggregate(run, &version),
            Happening::AggregatorFailed(run) => {
                if let Some(failed) = &mut self.runs[run].aggregator {
                    *failed = true;
                }
            }
            Happening::StopRequested(run) => {
                if let Some(object) = &mut self.runs[run].object {
                    object.spec.stop.get_or_insert(Stop { reason: "enough".into() });
                    object.metadata.resource_version = Some(version);
                }
            }
            Happening::RunDeleted(run) => self.delete(run, now),
            Happening::LoadTestDeleted => {
                // In the background: it goes at once, and the garbage collector deletes what it owns.
                self.load_test = None;
                for run in 0..RUNS {
                    let owned =
                        self.runs[run].object.as_ref().and_then(|object| object.metadata.owner_references.clone());
                    if owned.is_some_and(|owners| !owners.is_empty()) {
                        self.delete(run, now);
                    }
                }
            }
            Happening::SourceGone => self.source = false,
            Happening::SourceBack => self.source = true,
            Happening::RegionAway => self.away = true,
            Happening::RegionBack => {
                self.away = false;
                // The RegionTarget sweeps what no run owns.
                self.runs.iter_mut().filter(|run| run.noted).for_each(|run| run.job = None);
            }
            Happening::Reconciled(run) => self.step(run, &[], usize::MAX, 1),
        }
        self.tick();
    }

    fn create(&mut self, run: usize, version: &str) {
        if self.runs[run].object.is_some() || self.runs[run].finished.is_some() || self.runs[run].definition.is_some() {
            return;
        }
        let mut object = LoadTestRun::new(
            &format!("run-{run}"),
            volley_api::LoadTestRunSpec { load_test: "checkout".into(), definition_digest: None, stop: None },
        );
        object.metadata.namespace = Some("shop".into());
        object.metadata.uid = Some(uid(run));
        object.metadata.generation = Some(1);
        object.metadata.creation_timestamp = Some(Time(self.now));
        object.metadata.resource_version = Some(version.to_owned());
        self.runs[run].object = Some(object);
    }

    fn delete(&mut self, run: usize, now: Timestamp) {
        let Some(object) = &mut self.runs[run].object else { return };
        if object.metadata.finalizers.as_ref().is_none_or(Vec::is_empty) {
            self.runs[run].object = None;
        } else {
            object.metadata.deletion_timestamp.get_or_insert(Time(now));
        }
    }

    fn aggregate(&mut self, run: usize, version: &str) {
        let state = &mut self.runs[run];
        let (Some(close), Some(false), Some(object)) = (&state.close, state.aggregator, &mut state.object) else {
            return;
        };
        let measured = close.workers.iter().filter(|worker| worker.manifest.is_some()).count();
        let result: RunResult = serde_json::from_value(json!({
            "requests": 10, "errors": 0, "errorRate": "0%", "requestRate": "1/s", "bytes": 1, "verdict": "NotJudged",
            "coverage": {"workersPlanned": WORKERS, "workersMeasured": measured, "partial": 0, "complete": true},
            "regions": [{"target": "local", "started": measured, "lost": 0, "partial": 0}], "location": "s3://x"}))
        .unwrap();
        object.status.get_or_insert_default().result = Some(result);
        object.metadata.resource_version = Some(version.to_owned());
    }

    fn observe(&self, run: usize) -> Option<Observed> {
        let state = &self.runs[run];
        let object = state.object.clone()?;
        let load_test = self.load_test.clone();
        let rivals = self.active().into_iter().filter(|other| *other != uid(run)).map(|other| {
            let index = (0..RUNS).find(|index| uid(*index) == other).unwrap();
            let rival = self.runs[index].object.as_ref();
            let state = match rival {
                Some(_) if self.runs[index].finished.is_none() => RivalState::Active,
                Some(rival) if rival.metadata.finalizers.as_ref().is_some_and(|all| !all.is_empty()) => {
                    RivalState::Ending
                }
                Some(_) | None => RivalState::Gone,
            };
            Rival { uid: other, name: None, state }
        });
        let definition = match (&state.definition, &load_test) {
            (Some(definition), _) => Definiteness::Frozen(Box::new(Frozen {
                definition: definition.clone(),
                digest: "d".into(),
                location: "s3://x".into(),
            })),
            (None, None) => Definiteness::Unknown,
            (None, Some(_)) if !self.source => {
                Definiteness::Open(Err(Problem::TargetNotFound { target: "local".into() }))
            }
            (None, Some(_)) => {
                let mut definition = fixtures::definition();
                definition.run.uid = uid(run);
                definition.regions[0].workers = WORKERS;
                definition.start.quorum_percent = if run == 1 { 60 } else { 100 };
                Definiteness::Open(Ok(Box::new(Candidate { definition, sources: BTreeMap::new() })))
            }
        };
        let seen = |job: &Job| JobSeen {
            uid: format!("job-{run}"),
            run_uid: uid(run),
            parallelism: job.parallelism,
            ramped_at: job.ramped_at,
            active: count(job, |worker| !matches!(worker, Worker::Uploaded | Worker::Failed)),
            ready: count(job, |worker| matches!(worker, Worker::AtGate | Worker::Loading | Worker::Ended)),
            succeeded: count(job, |worker| *worker == Worker::Uploaded),
            failed_indexes: job
                .workers
                .iter()
                .filter(|(_, worker)| **worker == Worker::Failed)
                .map(|(index, _)| *index)
                .collect(),
            script_failed: job.script_failed,
            ..JobSeen::default()
        };
        let region = if self.away {
            RegionSeen { away: Some("no answer".into()), ..RegionSeen::default() }
        } else {
            RegionSeen { job: state.job.as_ref().map(seen), ..RegionSeen::default() }
        };
        let aggregator = state.aggregator.map(|failed| JobSeen {
            uid: format!("aggregator-{run}"),
            run_uid: uid(run),
            end: failed.then(|| super::super::observed::JobEnd {
                failed: true,
                reason: "BackoffLimitExceeded".into(),
                message: String::new(),
            }),
            ..JobSeen::default()
        });
        let attempt =
            |index: &u32| WorkerAttempt { target: "local".into(), index: *index, pod_uid: format!("pod-{index}") };
        Some(Observed {
            run: object,
            load_test,
            rivals: rivals.collect(),
            regions: if state.definition.is_some() { [("local".into(), region)].into() } else { BTreeMap::new() },
            definition,
            aggregator,
            start: state.start.clone(),
            stop: state.stop.clone(),
            close: state.close.clone(),
            manifests: state.manifests.iter().map(attempt).collect(),
            refusal: None,
        })
    }

    fn plan(&self, run: usize) -> Option<(Observed, Plan)> {
        let observed = self.observe(run)?;
        let plan = plan(&observed, &POLICY, self.now);
        Some((observed, plan))
    }

    pub(super) fn plan_twice(&self, run: usize) -> Option<(Plan, Plan)> {
        Some((self.plan(run)?.1, self.plan(run)?.1))
    }

    pub(super) fn planned_actions(&self, run: usize) -> Vec<Action> {
        self.plan(run).map(|(_, plan)| plan.actions).unwrap_or_default()
    }

    pub(super) fn step(&mut self, run: usize, meanwhile: &[Happening], actions: usize, times: usize) {
        let Some((observed, plan)) = self.plan(run) else { return };
        for happening in meanwhile {
            // One run is never reconciled twice at once.
            if !matches!(happening, Happening::Reconciled(other) if *other == run) {
                self.happen(happening);
            }
        }
        for _ in 0..times {
            let mut done = true;
            for (position, action) in plan.actions.iter().enumerate() {
                if position >= actions || !self.perform(run, &observed, action) {
                    done = false;
                    break;
                }
            }
            if done && actions > 0 {
                self.write_status(run, &plan);
            }
            self.tick();
        }
    }

    fn write_status(&mut self, run: usize, plan: &Plan) {
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
    fn perform(&mut self, run: usize, observed: &Observed, action: &Action) -> bool {
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
        if self.away && action.target().is_some() {
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
            Action::CreateWorkerJob { .. } => {
                fault(&mut self.faults, state.finished.is_none(), "a worker Job was made after the end");
                fault(&mut self.faults, state.start.is_none(), "a worker Job was made after the start");
                state.job.get_or_insert(Job {
                    parallelism: 0,
                    ramped_at: None,
                    workers: BTreeMap::new(),
                    script_failed: false,
                });
            }
            Action::CreateRunSecret { .. } => return state.job.is_some(),
            Action::Ramp { parallelism, at, .. } => {
                let Some(job) = &mut state.job else { return false };
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
                let workers = merged.chain(closing.lost.iter().cloned()).collect();
                let decision = CloseDecision { version: 1, at: closing.at, workers, stopped: closing.stopped };
                state.close.get_or_insert(decision);
            }
            Action::DeleteWorkerJob { .. } => state.job = None,
            Action::DeleteAggregatorJob { .. } => state.aggregator = None,
            Action::NoteLeftovers { .. } => {
                fault(&mut self.faults, state.finished.is_some(), "leftovers were noted before the end");
                state.noted = true;
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
                fault(&mut self.faults, state.job.is_none() || state.noted, "a run was let go while its Job exists");
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

    /// The world calms down: every worker that can does its part, nothing else happens, and the operator works. Returns the steps.
    pub(super) fn settle(&mut self) -> usize {
        let mut quiet = 0;
        for step in 0..MOST_STEPS {
            for run in 0..RUNS {
                for worker in 0..WORKERS {
                    self.quietly(&Happening::Prepared(run, worker));
                    self.quietly(&Happening::Uploaded(run, worker));
                }
                self.quietly(&Happening::Aggregated(run));
                if !self.planned_actions(run).is_empty()
                    || self.plan(run).is_some_and(|(seen, plan)| seen.run.status.as_ref() != Some(&plan.status))
                {
                    self.step(run, &[], usize::MAX, 1);
                    quiet = 0;
                }
                super::judge::check(self);
            }
            // Seconds while something is going on, then minutes, until longer than the longest limit nothing was planned.
            self.now += SignedDuration::from_secs(if quiet < 10 { 2 } else { 30 });
            self.tick();
            quiet += 1;
            if quiet > 60 {
                return step;
            }
        }
        MOST_STEPS
    }

    fn quietly(&mut self, happening: &Happening) {
        let length = self.story.len();
        self.happen(happening);
        self.story.truncate(length);
    }
}

fn count(job: &Job, matches: impl Fn(&Worker) -> bool) -> u32 {
    u32::try_from(job.workers.values().filter(|worker| matches(worker)).count()).unwrap()
}
