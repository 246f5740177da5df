//! What a reader of the result should know. Most important first; every list of names is bounded.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use volley_api::figures::time_us;
use volley_storage::documents::{Definition, ResultDocument, StopReason, WorkerResult, WorkerState};

use crate::measured::Measured;
use crate::outcome::WorkerOutcome;

use super::{MAXIMUM_ERROR_GROUPS, health, is_measured};

/// Workers that are named one by one for the same kind of warning; the rest is counted. All are in `workers`.
const NAMED_WORKERS: usize = 20;
/// Warnings of one worker that are repeated here.
const WARNINGS_PER_WORKER: usize = 5;
/// Warnings of several workers that are repeated here.
const SHARED_WARNINGS: usize = 20;
/// Skews with a greater doubt than this are not believed without a word, in microseconds.
const DOUBTFUL_US: u64 = 50_000;
/// Workers that are named for such a warning.
const NAMED_FOR_A_WARNING: usize = 3;

/// The warnings of a result that is otherwise complete.
pub(super) fn warnings(
    definition: &Definition,
    outcomes: &[WorkerOutcome],
    measured: &Measured,
    document: &ResultDocument,
) -> Vec<String> {
    let mut warnings = Vec::new();
    warnings.extend(errors(document));
    warnings.extend(early_end(document));
    warnings.extend(left_out(document));
    warnings.extend(health::warnings(&document.workers));
    warnings.extend(late(document));
    warnings.extend(named(document, WorkerState::Lost, "is lost"));
    warnings.extend(named(document, WorkerState::Partial, "measured less than its full time"));
    warnings.extend(lacking(outcomes));
    warnings.extend(repeated(&document.workers));
    warnings.extend(outside_the_plan(definition, &document.workers));
    warnings.extend(clocks(document));
    warnings.extend(bounds(measured));
    warnings.extend(counters(measured, outcomes));
    warnings.extend(of_workers(outcomes));
    warnings
}

fn errors(document: &ResultDocument) -> Option<String> {
    let totals = &document.totals;
    if totals.requests == 0 {
        return Some("no request was measured: the numbers of this run say nothing about the target".into());
    }
    if totals.errors < totals.requests {
        return None;
    }
    let most = document.errors.first().map_or_else(String::new, |group| {
        let code = if group.code.is_empty() { "without a code" } else { &group.code };
        format!("; most often {code} {} ({} times)", group.message, group.count)
    });
    Some(format!(
        "EVERY request failed ({} of {}): this run did not test the target{most}",
        totals.errors, totals.requests
    ))
}

fn early_end(document: &ResultDocument) -> Option<String> {
    let why = match document.stopped? {
        StopReason::Requested => "it was asked to stop",
        StopReason::Deleted => "the run or its LoadTest was deleted",
        StopReason::WorkersLost => "too few workers of a region were left",
        StopReason::DeadlineExceeded => "it had run longer than it may",
        StopReason::DiskFull => "the disk of a worker was nearly full",
        StopReason::Uncontrolled => "a worker could not reach the storage for too long",
        StopReason::ThresholdsAborted => "a threshold was missed while it ran",
    };
    Some(format!("the load ended before its time: {why}"))
}

/// The regions without which the run started: all of it is missing, and that is said once.
fn left_out(document: &ResultDocument) -> Vec<String> {
    let regions = document.regions.iter().filter_map(|region| Some((region, region.left_out.as_deref()?)));
    regions
        .map(|(region, why)| {
            format!(
                "region {} did not run, {} workers of the plan are missing: {why}",
                region.target, region.workers.planned
            )
        })
        .collect()
}

fn late(document: &ResultDocument) -> Vec<String> {
    let regions = document.regions.iter().filter_map(|region| Some((region, region.latest_us?)));
    regions
        .map(|(region, latest_us)| {
            format!(
                "in region {} {} of {} workers began late, the last {} after the start instant",
                region.target,
                region.workers.late,
                region.workers.started,
                time_us(latest_us)
            )
        })
        .collect()
}

/// What is to be known of the clocks, for all regions at once.
fn clocks(document: &ResultDocument) -> Option<String> {
    let skews: Vec<_> = document.regions.iter().filter_map(|region| region.release_skew).collect();
    if skews.iter().any(|skew| skew.bound_us.is_none()) {
        return Some("the clock of a worker is unknown, so skews are not corrected by it".into());
    }
    let bound_us = skews.iter().filter_map(|skew| skew.bound_us).max().filter(|bound_us| *bound_us > DOUBTFUL_US)?;
    Some(format!("skews may be wrong by up to {}: so much is unknown of the workers' clocks", time_us(bound_us)))
}

/// Names the workers of a state, each with its reason; not those of a region that took no part.
fn named(document: &ResultDocument, state: WorkerState, words: &str) -> Vec<String> {
    let workers = &document.workers;
    let left_out: BTreeSet<_> =
        document.regions.iter().filter(|region| region.left_out.is_some()).map(|region| &region.target).collect();
    // A worker that another attempt stands for is told as repeated, not as lost.
    let best = best_states(workers);
    let of_state: Vec<_> = workers
        .iter()
        .filter(|worker| !left_out.contains(&worker.target))
        .filter(|worker| worker.state == state && best.get(&(worker.target.as_str(), worker.index)) == Some(&state))
        .collect();
    let mut lines: Vec<String> = of_state
        .iter()
        .take(NAMED_WORKERS)
        .map(|worker| {
            let reason = worker.reason.as_deref().unwrap_or("no reason is known");
            format!("worker {}/{} {words}: {reason}", worker.target, worker.index)
        })
        .collect();
    if of_state.len() > NAMED_WORKERS {
        lines.push(format!("{} more workers: {words}", of_state.len() - NAMED_WORKERS));
    }
    lines
}

/// Names the workers that are measured and yet lack something.
fn lacking(outcomes: &[WorkerOutcome]) -> Vec<String> {
    let mut lacking: Vec<(&str, u32, &str)> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            WorkerOutcome::Measured(measured) => Some((outcome.target(), outcome.index(), measured.lacks.as_deref()?)),
            WorkerOutcome::Lost(_) => None,
        })
        .collect();
    lacking.sort_unstable();
    let named = lacking.iter().take(NAMED_WORKERS);
    let mut lines: Vec<String> =
        named.map(|(target, index, lacks)| format!("worker {target}/{index}: {lacks}")).collect();
    if lacking.len() > NAMED_WORKERS {
        lines.push(format!("{} more workers lack something", lacking.len() - NAMED_WORKERS));
    }
    lines
}

fn best_states(workers: &[WorkerResult]) -> BTreeMap<(&str, u32), WorkerState> {
    let mut best = BTreeMap::new();
    for worker in workers {
        let known = best.entry((worker.target.as_str(), worker.index)).or_insert(worker.state);
        *known = match (*known, worker.state) {
            (WorkerState::Complete, _) | (_, WorkerState::Complete) => WorkerState::Complete,
            (WorkerState::Partial, _) | (_, WorkerState::Partial) => WorkerState::Partial,
            (WorkerState::Lost, WorkerState::Lost) => WorkerState::Lost,
        };
    }
    best
}

fn repeated(workers: &[WorkerResult]) -> Vec<String> {
    let mut attempts: BTreeMap<(&str, u32), usize> = BTreeMap::new();
    for worker in workers.iter().filter(|worker| is_measured(worker)) {
        *attempts.entry((&worker.target, worker.index)).or_default() += 1;
    }
    let several: Vec<_> = attempts.into_iter().filter(|(_, attempts)| *attempts > 1).collect();
    let mut lines: Vec<String> = several
        .iter()
        .take(NAMED_WORKERS)
        .map(|((target, index), attempts)| {
            format!("worker {target}/{index} made load in {attempts} pods; all of it is merged")
        })
        .collect();
    if several.len() > NAMED_WORKERS {
        lines.push(format!("{} more workers made load in several pods", several.len() - NAMED_WORKERS));
    }
    lines
}

fn outside_the_plan(definition: &Definition, workers: &[WorkerResult]) -> Option<String> {
    let planned = |worker: &WorkerResult| {
        definition.regions.iter().any(|region| region.target == worker.target && worker.index < region.workers)
    };
    let outside = workers.iter().filter(|worker| !planned(worker)).count();
    (outside > 0)
        .then(|| format!("{outside} attempts belong to no planned worker; what they measured is in the totals"))
}

fn bounds(measured: &Measured) -> Vec<String> {
    let overview = &measured.whole.overview;
    let mut lines = Vec::new();
    if overview.has_folded_labels() {
        lines.push(format!(
            "a worker met more labels than it keeps apart: {} samples are under [other]; use fewer labels, for example \
             without ids in names",
            overview.folded_label_samples
        ));
    }
    if overview.shortened_label_samples > 0 {
        lines.push(format!("{} samples have a label that was too long and was cut", overview.shortened_label_samples));
    }
    if overview.folded_error_samples > 0 {
        lines.push(format!(
            "{} failed requests are counted without their own message, because there were too many messages",
            overview.folded_error_samples
        ));
    }
    if overview.malformed_rows > 0 {
        lines.push(format!("{} rows of sample files could not be read and are in no figure", overview.malformed_rows));
    }
    let clamped = measured.whole.total.together().elapsed.clamped();
    if clamped > 0 {
        lines.push(format!("{clamped} requests took longer than 38 hours and are counted as that"));
    }
    let listed = measured.labels.iter().filter(|label| label.target.is_none()).count() as u64;
    if measured.labels_met > listed {
        lines.push(format!(
            "only the {listed} labels with most errors and requests of {} are listed; all are in the merged histograms",
            measured.labels_met
        ));
    }
    if measured.whole.errors.len() > MAXIMUM_ERROR_GROUPS {
        lines.push(format!(
            "only the {MAXIMUM_ERROR_GROUPS} most frequent of {} error groups are listed",
            measured.whole.errors.len()
        ));
    }
    lines
}

/// The counters of the manifests and the merged statistics are two books of the same samples.
fn counters(measured: &Measured, outcomes: &[WorkerOutcome]) -> Vec<String> {
    let total = &measured.whole.total;
    let sum = |counter: fn(&volley_storage::documents::Counters) -> u64| {
        outcomes
            .iter()
            .filter_map(|outcome| match outcome {
                WorkerOutcome::Measured(measured) => Some(counter(&measured.manifest.counters)),
                WorkerOutcome::Lost(_) => None,
            })
            .fold(0_u64, u64::saturating_add)
    };
    [
        ("requests", sum(|counters| counters.requests), Some(total.requests())),
        ("errors", sum(|counters| counters.errors), Some(total.errors())),
        ("interrupted requests", sum(|counters| counters.interrupted), Some(total.interrupted.count())),
        // Where a worker does not know its bytes, nobody knows their sum.
        ("bytes", sum(|counters| counters.bytes.unwrap_or(0)), total.bytes()),
    ]
    .into_iter()
    .filter_map(|(what, counted, merged)| Some((what, counted, merged.filter(|merged| *merged != counted)?)))
    .map(|(what, counted, merged)| format!("the workers counted {counted} {what}, their statistics hold {merged}"))
    .collect()
}

/// What the workers themselves warn of, the cross-check against Taurus' own figures among it. What several say in the same words,
/// such as an option of the script that does not count, stands once.
fn of_workers(outcomes: &[WorkerOutcome]) -> Vec<String> {
    let mut told: Vec<(&str, u32, &[String])> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            WorkerOutcome::Measured(measured) if !measured.manifest.warnings.is_empty() => {
                Some((measured.attempt.target.as_str(), measured.attempt.index, measured.manifest.warnings.as_slice()))
            }
            WorkerOutcome::Measured(_) | WorkerOutcome::Lost(_) => None,
        })
        .collect();
    told.sort_unstable();
    let shared = shared(&told);
    let mut lines: Vec<String> = shared
        .iter()
        .map(|(warning, workers)| {
            let named: Vec<_> =
                workers.iter().take(NAMED_FOR_A_WARNING).map(|(target, index)| format!("{target}/{index}")).collect();
            let more = if workers.len() > named.len() { ", …" } else { "" };
            format!("{} workers ({}{more}): {warning}", workers.len(), named.join(", "))
        })
        .collect();
    let mut with_own = 0;
    for (target, index, warnings) in told {
        let own: Vec<_> = warnings.iter().filter(|warning| !shared.iter().any(|(other, _)| other == warning)).collect();
        with_own += usize::from(!own.is_empty());
        if with_own > NAMED_WORKERS {
            continue;
        }
        lines.extend(own.iter().take(WARNINGS_PER_WORKER).map(|warning| format!("worker {target}/{index}: {warning}")));
        if own.len() > WARNINGS_PER_WORKER {
            lines.push(format!("worker {target}/{index}: {} more warnings", own.len() - WARNINGS_PER_WORKER));
        }
    }
    if with_own > NAMED_WORKERS {
        lines.push(format!("{} more workers have warnings in their manifests", with_own - NAMED_WORKERS));
    }
    lines
}

/// The warnings that several workers have, those of most workers first.
fn shared<'a>(told: &[(&'a str, u32, &'a [String])]) -> Vec<(&'a str, BTreeSet<(&'a str, u32)>)> {
    let mut workers: BTreeMap<&str, BTreeSet<(&str, u32)>> = BTreeMap::new();
    for (target, index, warnings) in told {
        for warning in *warnings {
            workers.entry(warning).or_default().insert((target, *index));
        }
    }
    let mut shared: Vec<_> = workers.into_iter().filter(|(_, workers)| workers.len() > 1).collect();
    shared.sort_by_key(|(_, workers)| Reverse(workers.len()));
    shared.truncate(SHARED_WARNINGS);
    shared
}
