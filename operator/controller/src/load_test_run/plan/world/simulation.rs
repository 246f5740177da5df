//! The world: Kubernetes and S3 as data. What happens in it by itself; what the operator sees of it is in [`observation`](super::observation),
//! what it does to it in [`acting`](super::acting).

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;
use volley_api::load_test_run::{RunResult, Stop};
use volley_api::{LoadTest, LoadTestRun};
use volley_storage::documents::{CloseDecision, Definition, StartDecision, StopDecision};

use super::super::observed::Observed;
use super::super::{Action, Plan, Policy, plan};
use super::{RUNS, TARGETS, WORKERS};
use crate::fixtures;

const POLICY: Policy = Policy { start_delay: SignedDuration::from_secs(5) };
/// Enough for every limit of every stage, in steps of the settling world.
const MOST_STEPS: usize = 4000;

/// A worker: place of its target in [`TARGETS`], index.
pub(super) type WorkerId = (usize, u32);

/// Something that nobody asks the operator about. The first number is the run's.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    Passes(i64),
    Created(usize),
    Prepared(usize, WorkerId),
    Uploaded(usize, WorkerId),
    Died(usize, WorkerId),
    Hung(usize, WorkerId),
    ScriptFailed(usize),
    Aggregated(usize),
    AggregatorFailed(usize),
    StopRequested(usize),
    RunDeleted(usize),
    LoadTestDeleted,
    SourceGone,
    SourceBack,
    /// A region's cluster answers nobody any more; what runs there goes on.
    RegionAway(usize),
    RegionBack(usize),
    /// The operator does a whole step of a run; between another run's look and its actions, too.
    Reconciled(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worker {
    Pending,
    AtGate,
    Loading,
    Ended,
    Uploaded,
    Failed,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Job {
    pub(super) parallelism: u32,
    pub(super) ramped_at: Option<Timestamp>,
    pub(super) workers: BTreeMap<u32, Worker>,
    pub(super) script_failed: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    pub(super) object: Option<LoadTestRun>,
    /// Reason of its end, remembered after the object is gone.
    pub(super) finished: Option<String>,
    /// By place of the target.
    pub(super) jobs: BTreeMap<usize, Job>,
    pub(super) aggregator: Option<bool>,
    hung: BTreeSet<WorkerId>,
    pub(super) definition: Option<Definition>,
    pub(super) start: Option<StartDecision>,
    pub(super) stop: Option<StopDecision>,
    pub(super) close: Option<CloseDecision>,
    pub(super) manifests: BTreeSet<WorkerId>,
    /// Targets that were told that objects of it may be left.
    pub(super) noted: BTreeSet<usize>,
}

impl Run {
    fn worker(&mut self, (target, index): WorkerId) -> Option<&mut Worker> {
        self.jobs.get_mut(&target)?.workers.get_mut(&index)
    }
}

pub(super) struct World {
    pub(super) now: Timestamp,
    version: u64,
    pub(super) load_test: Option<LoadTest>,
    pub(super) source: bool,
    pub(super) away: BTreeSet<usize>,
    pub(super) runs: Vec<Run>,
    pub(super) faults: Vec<String>,
    pub(super) story: Vec<String>,
}

pub(super) fn uid(run: usize) -> String {
    format!("uid-{run}")
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            now: "2026-11-25T10:00:00Z".parse().unwrap(),
            version: 1,
            load_test: Some(fixtures::load_test(json!({"trigger": "Manual"}))),
            source: true,
            away: BTreeSet::new(),
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
        // What a run has left behind in a region that is away ends by its collectors' own deadline.
        let loads = |run: &Run| {
            let jobs = run.jobs.iter().filter(|(target, _)| !run.noted.contains(target));
            jobs.flat_map(|(_, job)| job.workers.values()).any(|worker| *worker == Worker::Loading)
        };
        (0..RUNS).filter(|run| loads(&self.runs[*run])).collect()
    }

    pub(super) fn force_load(&mut self, run: usize) {
        let workers = [(0, Worker::Loading)].into();
        self.runs[run].jobs.insert(0, Job { parallelism: 1, workers, ..Job::default() });
    }

    pub(super) fn bump(&mut self) -> String {
        self.version += 1;
        self.version.to_string()
    }

    pub(super) fn tell(&mut self, text: &str) {
        self.story.push(format!("{} {text}", self.now));
    }

    /// What the workers do by themselves as time passes: they read the decisions.
    pub(super) fn tick(&mut self) {
        for run in &mut self.runs {
            let ends = run.start.as_ref().map(|start| start.start_at + SignedDuration::from_secs(10));
            let stopped = run.stop.is_some();
            for (target, job) in &mut run.jobs {
                let takes_part = run.start.as_ref().is_none_or(|start| start.includes(TARGETS[*target]));
                for (index, worker) in &mut job.workers {
                    let hangs = run.hung.contains(&(*target, *index));
                    match *worker {
                        Worker::Pending | Worker::AtGate if !takes_part => *worker = Worker::Failed,
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
    }

    pub(super) fn happen(&mut self, happening: &Happening) {
        self.tell(&format!("{happening:?}"));
        let version = self.bump();
        let now = self.now;
        match *happening {
            Happening::Passes(seconds) => self.now += SignedDuration::from_secs(seconds),
            Happening::Created(run) => self.create(run, &version),
            Happening::Prepared(run, id) => {
                let run = &mut self.runs[run];
                let late = run.start.is_some();
                let hangs = run.hung.contains(&id);
                if let Some(worker) = run.worker(id).filter(|worker| **worker == Worker::Pending && !hangs) {
                    *worker = if late { Worker::Failed } else { Worker::AtGate };
                }
            }
            Happening::Uploaded(run, id) => {
                let run = &mut self.runs[run];
                if let Some(worker) = run.worker(id).filter(|worker| **worker == Worker::Ended) {
                    *worker = Worker::Uploaded;
                    run.manifests.insert(id);
                }
            }
            Happening::Died(run, id) => {
                let run = &mut self.runs[run];
                let late = run.start.is_some();
                if let Some(worker) = run.worker(id)
                    && !matches!(worker, Worker::Uploaded | Worker::Failed)
                {
                    *worker = if late { Worker::Failed } else { Worker::Pending };
                }
            }
            Happening::Hung(run, id) => {
                self.runs[run].hung.insert(id);
            }
            Happening::ScriptFailed(run) => {
                let run = &mut self.runs[run];
                if run.start.is_none() {
                    for job in run.jobs.values_mut() {
                        job.script_failed = job.workers.values().any(|worker| *worker == Worker::Pending);
                    }
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
            Happening::RegionAway(target) => {
                self.away.insert(target);
            }
            Happening::RegionBack(target) => {
                self.away.remove(&target);
                // The RegionTarget sweeps what no run owns.
                for run in self.runs.iter_mut().filter(|run| run.noted.contains(&target)) {
                    run.jobs.remove(&target);
                }
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

    pub(super) fn delete(&mut self, run: usize, now: Timestamp) {
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

    /// The world calms down: every worker that can does its part, nothing else happens, and the operator works. Returns the steps.
    pub(super) fn settle(&mut self) -> usize {
        let mut quiet = 0;
        for step in 0..MOST_STEPS {
            for run in 0..RUNS {
                for id in super::workers() {
                    self.quietly(&Happening::Prepared(run, id));
                    self.quietly(&Happening::Uploaded(run, id));
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
