//! What the operator sees of a run in the world.

use std::collections::BTreeMap;

use volley_storage::documents::{Definition, MissingRegion, Region};
use volley_storage::keys::WorkerAttempt;

use super::super::observed::{Definiteness, Frozen, JobEnd, JobSeen, Observed, RegionSeen, Rival, RivalState};
use super::simulation::{Job, Worker, World, uid};
use super::{RUNS, TARGETS, WORKERS};
use crate::definition::{Candidate, Problem};
use crate::fixtures;

/// The runs differ: all of two regions, most of two regions or of one of them, one region.
fn definition(run: usize) -> Definition {
    let mut definition = fixtures::definition();
    definition.run.uid = uid(run);
    let template = definition.regions[0].clone();
    let targets = if run == 2 { &TARGETS[..1] } else { &TARGETS[..] };
    definition.regions = targets
        .iter()
        .map(|target| Region { target: (*target).to_owned(), workers: WORKERS, ..template.clone() })
        .collect();
    if run == 1 {
        definition.start.quorum_percent = 60;
        definition.start.on_missing_region = MissingRegion::Continue;
    }
    definition
}

impl World {
    pub(super) fn observe(&self, run: usize) -> Option<Observed> {
        let state = &self.runs[run];
        let object = state.object.clone()?;
        let load_test = self.load_test.clone();
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
                Definiteness::Open(Ok(Box::new(Candidate { definition: definition(run), sources: BTreeMap::new() })))
            }
        };
        let regions = state.definition.iter().flat_map(|definition| &definition.regions).map(|region| {
            let place = TARGETS.iter().position(|target| *target == region.target).unwrap();
            let seen = if self.away.contains(&place) {
                RegionSeen { away: Some("no answer".into()), ..RegionSeen::default() }
            } else {
                let job = state.jobs.get(&place).map(|job| job_seen(job, run));
                RegionSeen { job, ..RegionSeen::default() }
            };
            (region.target.clone(), seen)
        });
        let aggregator = state.aggregator.map(|failed| JobSeen {
            uid: format!("aggregator-{run}"),
            run_uid: uid(run),
            end: failed.then(|| JobEnd { failed: true, reason: "BackoffLimitExceeded".into(), message: String::new() }),
            ..JobSeen::default()
        });
        let attempt = |(target, index): &(usize, u32)| WorkerAttempt {
            target: TARGETS[*target].into(),
            index: *index,
            pod_uid: format!("pod-{index}"),
        };
        Some(Observed {
            run: object,
            load_test,
            rivals: self.rivals(run),
            regions: regions.collect(),
            definition,
            aggregator,
            start: state.start.clone(),
            stop: state.stop.clone(),
            close: state.close.clone(),
            manifests: state.manifests.iter().map(attempt).collect(),
            shortage: None,
            refusals: Vec::new(),
        })
    }

    fn rivals(&self, run: usize) -> Vec<Rival> {
        let others = self.active().into_iter().filter(|other| *other != uid(run));
        let rival = |other: String| {
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
        };
        others.map(rival).collect()
    }
}

fn job_seen(job: &Job, run: usize) -> JobSeen {
    JobSeen {
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
    }
}

fn count(job: &Job, matches: impl Fn(&Worker) -> bool) -> u32 {
    u32::try_from(job.workers.values().filter(|worker| matches(worker)).count()).unwrap()
}
