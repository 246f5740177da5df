//! The result of a run from what is known of it. Pure: no clock, no storage; the same input gives the same document.

mod cost;
mod coverage;
mod health;
mod skew;
pub mod thresholds;
mod verdict;
mod warnings;

use volley_storage::documents::{
    CloseDecision, DOCUMENT_VERSION, Definition, ErrorGroup, Figures, RegionFigures, ResultDocument, SeriesFigures,
    StartDecision, WorkerCounts, WorkerResult, WorkerState,
};

use crate::measured::{Measured, Scope, figures};
use crate::outcome::{Provenance, WorkerOutcome};

/// Error groups in `result.json`. The most frequent stay; how many are left out is a warning.
pub const MAXIMUM_ERROR_GROUPS: usize = 10_000;

/// Makes the result.
///
/// `outcomes` has an entry for each of `close.workers` and for further attempts with a checkpoint, in any order; `measured` holds exactly what the measured ones
/// uploaded, and `series` their course over time. No instant of now enters the document, so making it again gives the same bytes.
#[must_use]
pub fn result(
    definition: &Definition,
    start: Option<&StartDecision>,
    close: &CloseDecision,
    outcomes: &[WorkerOutcome],
    measured: &Measured,
    series: Vec<SeriesFigures>,
) -> ResultDocument {
    let interval_us = measured.interval_us();
    let mut workers: Vec<WorkerResult> = outcomes.iter().map(|outcome| worker(outcome, start)).collect();
    workers.extend(coverage::unlisted(definition, start, outcomes));
    workers.sort_by(|left, right| {
        (&left.target, left.index, &left.pod_uid).cmp(&(&right.target, right.index, &right.pod_uid))
    });
    let counts = coverage::by_region(definition, &workers);
    let nothing = Scope::default();
    let regions = definition
        .regions
        .iter()
        .map(|region| {
            let beginning = skew::beginning(start, &region.target, &workers);
            let counts = counts.get(&region.target).copied().unwrap_or_default();
            RegionFigures {
                target: region.target.clone(),
                region: region.region.clone(),
                users_per_worker: Some(definition.users_per_worker(region)),
                left_out: start.and_then(|start| start.left_out.get(&region.target).cloned()),
                workers: WorkerCounts { late: beginning.late, ..counts },
                latest_us: beginning.latest_us,
                release_skew: beginning.release,
                first_sample_skew: beginning.first_sample,
                figures: figures(&measured.regions.get(&region.target).unwrap_or(&nothing).total, interval_us),
                cost_micro_dollars: cost::of_region(region, close),
            }
        })
        .collect::<Vec<_>>();
    let workers_total = coverage::sum(regions.iter().map(|region| &region.workers));
    let totals = figures(&measured.whole.total, interval_us);
    let errors = measured
        .whole
        .errors
        .largest(MAXIMUM_ERROR_GROUPS)
        .into_iter()
        .map(|(key, count)| ErrorGroup {
            label: Some(key.label.to_string()),
            code: key.code.to_string(),
            message: key.message.to_string(),
            count,
        })
        .collect::<Vec<_>>();
    let thresholds = thresholds::judged(&definition.thresholds, measured);
    let mut document = ResultDocument {
        version: DOCUMENT_VERSION,
        run: definition.run.clone(),
        definition_digest: definition.definition_digest.clone(),
        verdict: verdict::verdict(definition, close, &thresholds, &regions),
        thresholds,
        stopped: close.stopped,
        start_at: start.map(|start| start.start_at),
        interval: measured.whole.interval(),
        peak_users: Some(measured.whole.overview.peak_users).filter(|users| *users > 0),
        series: series.into_iter().map(|series| with_known_bytes(series, &totals, &regions)).collect(),
        totals,
        workers_total,
        cost_micro_dollars: cost::total(&regions),
        regions,
        workers,
        labels: measured.labels.clone(),
        errors,
        complete: workers_total.complete == workers_total.planned,
        warnings: Vec::new(),
    };
    document.warnings = warnings::warnings(definition, outcomes, measured, &document);
    document
}

/// A series does not say whether an engine tells bytes; the figures of its scope do.
fn with_known_bytes(mut series: SeriesFigures, totals: &Figures, regions: &[RegionFigures]) -> SeriesFigures {
    let scope = match &series.target {
        None => Some(totals),
        Some(target) => regions.iter().find(|region| region.target == *target).map(|region| &region.figures),
    };
    if scope.is_none_or(|figures| figures.bytes.is_none()) {
        series.bytes.fill(None);
    }
    series
}

/// One attempt's row.
fn worker(outcome: &WorkerOutcome, start: Option<&StartDecision>) -> WorkerResult {
    match outcome {
        WorkerOutcome::Lost(lost) => WorkerResult {
            released_at: lost.released_at,
            ..coverage::nothing_of(&lost.target, lost.index, lost.pod_uid.clone(), &lost.reason)
        },
        WorkerOutcome::Measured(measured) => {
            let manifest = &measured.manifest;
            let (state, reason) = coverage::state_of(measured, start);
            let distances = skew::distances(start, manifest);
            WorkerResult {
                target: measured.attempt.target.clone(),
                index: measured.attempt.index,
                pod_uid: Some(measured.attempt.pod_uid.clone()),
                state,
                reason,
                released_at: manifest.released_at,
                checkpoint_at: match measured.provenance {
                    Provenance::Manifest => None,
                    Provenance::Checkpoint { at, .. } => Some(at),
                },
                first_sample_at: manifest.first_sample_at,
                last_sample_at: manifest.last_sample_at,
                release_skew_us: distances.release_us,
                first_sample_skew_us: distances.first_sample_us,
                clock_offset_us: manifest.clock.map(|clock| clock.offset_us),
                clock_bound_us: manifest.clock.map(|clock| clock.bound_us),
                requests: manifest.counters.requests,
                errors: manifest.counters.errors,
                interrupted: manifest.counters.interrupted,
                bytes: manifest.counters.bytes,
                exit_code: manifest.exit_code,
                health: manifest.health.clone(),
            }
        }
    }
}

/// Whether a row stands for load that was measured.
fn is_measured(worker: &WorkerResult) -> bool {
    worker.state != WorkerState::Lost
}
