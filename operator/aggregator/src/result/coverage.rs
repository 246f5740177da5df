//! Which workers the numbers speak of.

use std::collections::{BTreeMap, BTreeSet};

use volley_storage::documents::{Definition, StartDecision, StopReason, WorkerCounts, WorkerResult, WorkerState};

use crate::outcome::{MeasuredAttempt, Provenance, WorkerOutcome};

/// How much of a measured attempt is in the result, and why not all.
pub(super) fn state_of(measured: &MeasuredAttempt, start: Option<&StartDecision>) -> (WorkerState, Option<String>) {
    let manifest = &measured.manifest;
    if manifest.released_at.is_none() {
        return (WorkerState::Lost, Some("its gate never opened, so it made no load".into()));
    }
    let (state, reason) = match &measured.provenance {
        Provenance::Checkpoint { at, reason } => {
            (WorkerState::Partial, Some(format!("{reason}; what it had measured at {at} is merged")))
        }
        Provenance::Manifest if manifest.complete => (WorkerState::Complete, None),
        Provenance::Manifest => {
            let late = start.zip(manifest.released_at).and_then(|(start, released)| start.lateness(released));
            let exit = match (manifest.exit_code, late) {
                (_, Some(late)) if manifest.stopped == Some(StopReason::DeadlineExceeded) => {
                    format!("it began {:.1} s late, and its load ended with that of the others", late.as_secs_f64())
                }
                (Some(code), _) => format!("Taurus ended early with exit code {code}"),
                (None, _) => "the end of Taurus was not seen".into(),
            };
            (WorkerState::Partial, Some(exit))
        }
    };
    let reasons: Vec<String> = reason.into_iter().chain(measured.lacks.clone()).collect();
    (state, Some(reasons.join("; ")).filter(|reasons| !reasons.is_empty()))
}

/// A row of a worker of which nothing is in the result.
pub(super) fn nothing_of(target: &str, index: u32, pod_uid: Option<String>, reason: &str) -> WorkerResult {
    WorkerResult {
        target: target.to_owned(),
        index,
        pod_uid,
        state: WorkerState::Lost,
        reason: Some(reason.to_owned()),
        released_at: None,
        checkpoint_at: None,
        first_sample_at: None,
        last_sample_at: None,
        release_skew_us: None,
        first_sample_skew_us: None,
        clock_offset_us: None,
        clock_bound_us: None,
        requests: 0,
        errors: 0,
        interrupted: 0,
        bytes: Some(0),
        exit_code: None,
        health: None,
    }
}

/// Rows for planned workers that `close.json` does not list: a gap must not be silent.
pub(super) fn unlisted(
    definition: &Definition,
    start: Option<&StartDecision>,
    outcomes: &[WorkerOutcome],
) -> Vec<WorkerResult> {
    let why = |target: &str| match start.and_then(|start| start.left_out.get(target)) {
        Some(why) => format!("its region took no part: {why}"),
        None => "it is not in the list of what was to be merged".to_owned(),
    };
    let listed: BTreeSet<(&str, u32)> = outcomes.iter().map(|outcome| (outcome.target(), outcome.index())).collect();
    definition
        .regions
        .iter()
        .flat_map(|region| (0..region.workers).map(move |index| (region.target.as_str(), index)))
        .filter(|worker| !listed.contains(worker))
        .map(|(target, index)| nothing_of(target, index, None, &why(target)))
        .collect()
}

/// Workers by region. A worker of several attempts counts once, by its best: complete, else partial, else lost.
pub(super) fn by_region(definition: &Definition, workers: &[WorkerResult]) -> BTreeMap<String, WorkerCounts> {
    let mut best: BTreeMap<(&str, u32), (WorkerState, bool)> = BTreeMap::new();
    for worker in workers {
        let known = best.entry((&worker.target, worker.index)).or_insert((WorkerState::Lost, false));
        if rank(worker.state) < rank(known.0) {
            known.0 = worker.state;
        }
        known.1 |= worker.released_at.is_some();
    }
    let mut counts: BTreeMap<String, WorkerCounts> = definition
        .regions
        .iter()
        .map(|region| (region.target.clone(), WorkerCounts { planned: region.workers, ..WorkerCounts::default() }))
        .collect();
    for ((target, index), (state, started)) in best {
        // A worker outside the plan cannot be in the list of a sound operator; its samples would be in no region.
        let Some(region) = counts.get_mut(target).filter(|region| index < region.planned) else { continue };
        region.started += u32::from(started);
        match state {
            WorkerState::Complete => region.complete += 1,
            WorkerState::Partial => region.partial += 1,
            WorkerState::Lost => region.lost += 1,
        }
    }
    counts
}

/// All regions together.
pub(super) fn sum<'a>(regions: impl Iterator<Item = &'a WorkerCounts>) -> WorkerCounts {
    regions.fold(WorkerCounts::default(), |sum, region| WorkerCounts {
        planned: sum.planned + region.planned,
        started: sum.started + region.started,
        late: sum.late + region.late,
        complete: sum.complete + region.complete,
        partial: sum.partial + region.partial,
        lost: sum.lost + region.lost,
    })
}

fn rank(state: WorkerState) -> u8 {
    match state {
        WorkerState::Complete => 0,
        WorkerState::Partial => 1,
        WorkerState::Lost => 2,
    }
}
