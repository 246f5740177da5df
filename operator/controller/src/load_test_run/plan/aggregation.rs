//! From the closing to the end: the workers go, the aggregator's result decides.

use std::time::Duration;

use volley_api::load_test_run::{EndReason, Outcome, RunResult, ThresholdOutcome, ThresholdsOutcome, Verdict};
use volley_storage::documents::{CloseDecision, StopReason};

use super::draft::Draft;
use super::ending::{self, Conclusion};
use super::{Action, timing, wording};
use volley_api::condition::{ConditionType, Status};

/// The result comes as an event of the run itself; this is for a lost one and for the limit.
const CADENCE: Duration = Duration::from_secs(5);
/// Thresholds that a message names; all are in the result.
const TOLD_THRESHOLDS: usize = 3;

pub(super) fn aggregate(draft: &mut Draft<'_>) {
    let Some(close) = &draft.observed.close else { return };
    let measured = close.workers.iter().filter(|worker| worker.manifest.is_some()).count();
    draft.condition(
        ConditionType::Collected,
        Status::True,
        "Collected",
        &format!("{measured} results of workers are merged"),
    );
    // What is merged is frozen in S3, so the pods are not needed any more; finished Fargate pods cost money.
    for (target, seen) in &draft.observed.regions {
        if let Some(job) = seen.job.as_ref().filter(|job| !job.deleting) {
            draft.act(Action::DeleteWorkerJob { target: target.clone(), uid: job.uid.clone() });
        }
    }
    let result = draft.observed.run.status.as_ref().and_then(|status| status.result.as_ref());
    if let Some(result) = result {
        draft.condition(ConditionType::Aggregated, Status::True, "Aggregated", "The result is written");
        let conclusion = conclusion(draft, close, result);
        draft.conclude(&conclusion);
        return;
    }
    if let Some(message) = no_result(draft, close) {
        let uid = draft.observed.uid();
        let message = format!("{message}; what the workers uploaded is kept under runs/v1/{uid}/ in the bucket");
        draft.condition(ConditionType::Aggregated, Status::False, "Failed", &message);
        let reason = close.stopped.map_or(EndReason::Inconclusive, ending::of_stop);
        draft.conclude(&Conclusion::new(reason, message));
        return;
    }
    if draft.observed.aggregator.is_none() && draft.observed.holds_claim() {
        draft.act(Action::CreateAggregatorJob);
    }
    draft.condition(ConditionType::Aggregated, Status::False, "Aggregating", "The result is being made");
    draft.progress("Aggregating", "The result is being made");
    draft.within(CADENCE);
}

/// Why no result comes any more.
fn no_result(draft: &Draft<'_>, close: &CloseDecision) -> Option<String> {
    if let Some(end) = draft.observed.aggregator.as_ref().and_then(|job| job.end.as_ref()).filter(|end| end.failed) {
        return Some(format!("The aggregator failed: {} ({})", end.message, end.reason));
    }
    if let Some(refusal) = draft.observed.refusals.iter().find(|refusal| refusal.target.is_none()) {
        return Some(format!("The aggregator could not be started: {}", refusal.message));
    }
    let limit = if draft.observed.deleting_since().is_some() {
        timing::DELETED_AGGREGATION_LIMIT
    } else {
        timing::AGGREGATION_LIMIT
    };
    (draft.now >= timing::after(close.at, limit))
        .then(|| format!("The aggregator has not made a result within {} minutes", limit.as_secs().div_euclid(60)))
}

/// What the result means for the run, by the table in `volley_api`. The aggregator is the only judge: whether enough was measured
/// and what the thresholds say is its verdict, so that condition and result never disagree.
fn conclusion(draft: &Draft<'_>, close: &CloseDecision, result: &RunResult) -> Conclusion {
    let coverage = &result.coverage;
    let partial = if coverage.partial > 0 { format!(", {} not to the end", coverage.partial) } else { String::new() };
    let left_out = wording::left_out(
        result.regions.iter().filter_map(|region| Some((region.target.as_str(), region.left_out.as_deref()?))),
    );
    let left_out = if left_out.is_empty() { left_out } else { format!("; did not run: {left_out}") };
    let measured = format!(
        "{} of {} workers were measured{partial}{left_out}",
        coverage.workers_measured, coverage.workers_planned
    );
    let reason = close.stopped.map_or(EndReason::Completed, ending::of_stop);
    let outcome = Outcome::of(reason, thresholds(result.verdict));
    let (missed, unjudged) = (told(result, ThresholdOutcome::Missed), told(result, ThresholdOutcome::NotJudged));
    let message = match (close.stopped, outcome.reason) {
        (Some(stopped), _) => {
            let why = draft.observed.stop.as_ref().map_or_else(String::new, |stop| format!(": {}", stop.message));
            let missed = missed.map_or_else(String::new, |missed| format!("; {missed}"));
            format!("{}{why}{missed}; {measured}", stopped_words(stopped))
        }
        (None, EndReason::ThresholdsFailed) => {
            format!("{}; {measured}", missed.unwrap_or_else(|| "A threshold was missed".to_owned()))
        }
        (None, EndReason::Inconclusive) => {
            format!("{}; {measured}", unjudged.unwrap_or_else(|| "Too little was measured to judge the run".to_owned()))
        }
        (None, _) => completed_words(result, &measured),
    };
    Conclusion { outcome, message }
}

/// What the aggregator's verdict says about the thresholds.
fn thresholds(verdict: Verdict) -> ThresholdsOutcome {
    match verdict {
        Verdict::Passed => ThresholdsOutcome::Met,
        Verdict::Failed => ThresholdsOutcome::Missed,
        Verdict::Inconclusive => ThresholdsOutcome::Unjudged,
        Verdict::NotJudged => ThresholdsOutcome::None,
    }
}

fn stopped_words(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Requested => "Stopped",
        StopReason::Deleted => "Stopped by deletion",
        StopReason::WorkersLost => "Too few workers stayed healthy",
        StopReason::DeadlineExceeded => "The load took longer than it may",
        StopReason::DiskFull => "A worker's disk was nearly full",
        StopReason::Uncontrolled => "A worker could not reach the storage for too long",
        StopReason::ThresholdsAborted => "A threshold stopped the load",
    }
}

/// The thresholds of an outcome in one sentence; `None` where there is none.
fn told(result: &RunResult, outcome: ThresholdOutcome) -> Option<String> {
    let of_outcome: Vec<_> = result.thresholds.iter().filter(|threshold| threshold.outcome == outcome).collect();
    let count = of_outcome.len();
    let what = match (outcome, count, result.thresholds.len()) {
        (_, 0, _) => return None,
        (ThresholdOutcome::Met, 1, 1) => "The threshold is met".to_owned(),
        (ThresholdOutcome::Met, _, all) => format!("{count} of {all} thresholds are met"),
        (ThresholdOutcome::Missed, 1, 1) => "The threshold is missed".to_owned(),
        (ThresholdOutcome::Missed, _, all) => format!("{count} of {all} thresholds are missed"),
        (ThresholdOutcome::NotJudged, 1, 1) => "The threshold cannot be judged".to_owned(),
        (ThresholdOutcome::NotJudged, _, all) => format!("{count} of {all} thresholds cannot be judged"),
    };
    let told = of_outcome.iter().take(TOLD_THRESHOLDS);
    let told = told.map(|threshold| format!("{}: {}", threshold.name, threshold.sentence()));
    let told = told.collect::<Vec<_>>().join("; ");
    let more = if count > TOLD_THRESHOLDS { "; …" } else { "" };
    Some(format!("{what} ({told}{more})"))
}

fn completed_words(result: &RunResult, measured: &str) -> String {
    if result.requests > 0 && result.errors == result.requests {
        return format!("WARNING: every one of the {} requests failed; {measured}", result.requests);
    }
    let met = told(result, ThresholdOutcome::Met).map_or_else(String::new, |met| format!("{met}; "));
    format!("{met}{} requests, {} errors; {measured}", result.requests, result.errors)
}
