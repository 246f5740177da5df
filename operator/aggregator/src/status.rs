//! What the aggregator says in the run's status: `result` and `live`, and nothing else.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};
use volley_api::figures::{dollars, rate, ratio, time_us};
use volley_api::load_test_run::{
    Coverage, LabelResult, LiveFigures, RegionResult, RunResult, SkewSummary, ThresholdResult,
};
use volley_storage::documents::{Figures, LabelFigures, ResultDocument, RunIdentity, Skew, ThresholdFigures};

/// Labels in a status: the schema's bound. All are in `result.json`.
const LABELS: usize = 20;
/// Warnings in a status: the schema's bound. All are in `result.json`.
const WARNINGS: usize = 20;
/// Characters of a warning in a status; the schema allows 1,024.
const WARNING_CHARACTERS: usize = 512;

/// The summary of a result. `location` is `s3://bucket/key` of `result.json`.
#[must_use]
pub fn summary(document: &ResultDocument, location: &str) -> RunResult {
    let interval_us = document.interval.map_or(0, |interval| interval.length_us());
    let totals = &document.totals;
    let workers = document.workers_total;
    RunResult {
        requests: signed(totals.requests),
        errors: signed(totals.errors),
        error_rate: ratio(totals.errors, totals.requests),
        request_rate: rate(totals.requests, interval_us),
        bytes: totals.bytes.map(signed),
        average: totals.average_us.map(time_us),
        min: totals.min_us.map(time_us),
        p50: totals.p50_us.map(time_us),
        p90: totals.p90_us.map(time_us),
        p95: totals.p95_us.map(time_us),
        p99: totals.p99_us.map(time_us),
        p999: totals.p999_us.map(time_us),
        max: totals.max_us.map(time_us),
        verdict: document.verdict,
        thresholds: document.thresholds.iter().map(threshold).collect(),
        coverage: Coverage {
            workers_planned: i64::from(workers.planned),
            workers_measured: i64::from(workers.complete) + i64::from(workers.partial),
            partial: i64::from(workers.partial),
            complete: document.complete,
        },
        labels: busiest(&document.labels).into_iter().map(|label| label_result(label, interval_us)).collect(),
        regions: document
            .regions
            .iter()
            .map(|region| RegionResult {
                target: region.target.clone(),
                left_out: region.left_out.clone(),
                started: i64::from(region.workers.started),
                late: Some(i64::from(region.workers.late)).filter(|late| *late > 0),
                latest: region.latest_us.map(time_us),
                lost: i64::from(region.workers.lost),
                partial: i64::from(region.workers.partial),
                release_skew: region.release_skew.map(skew),
                first_sample_skew: region.first_sample_skew.map(skew),
            })
            .collect(),
        cost: document.cost_micro_dollars.map(dollars),
        warnings: shortened(&document.warnings),
        location: location.to_owned(),
    }
}

/// The figures of the columns of `kubectl get`, once more when the run has ended. They speak of the last sample, or of
/// `close_at` where there is none.
#[must_use]
pub fn live(document: &ResultDocument, close_at: Timestamp) -> LiveFigures {
    let interval_us = document.interval.map_or(0, |interval| interval.length_us());
    let totals = &document.totals;
    let health = || document.workers.iter().filter_map(|worker| Some((worker, worker.health.as_ref()?)));
    let highest_cpu = health().filter_map(|(_, health)| health.cpu_max_ppm).max();
    // Of several pods of a worker one is enough.
    let saturated = health().filter(|(_, health)| health.saturation.is_some());
    let saturated: BTreeSet<_> = saturated.map(|(worker, _)| (&worker.target, worker.index)).collect();
    let saturated = i64::try_from(saturated.len()).unwrap_or(i64::MAX);
    LiveFigures {
        at: Time(whole_second(document.interval.map_or(close_at, |interval| interval.to))),
        users: signed(document.peak_users.unwrap_or(0)),
        request_rate: rate(totals.requests, interval_us),
        error_rate: ratio(totals.errors, totals.requests),
        p50: totals.p50_us.map(time_us),
        p95: totals.p95_us.map(time_us),
        p99: totals.p99_us.map(time_us),
        highest_worker_cpu: highest_cpu.map(|share| ratio(share, 1_000_000)),
        saturated_workers: Some(saturated).filter(|saturated| *saturated > 0),
    }
}

/// The body of the server-side apply. With a resource version it is refused where the object has changed since.
#[must_use]
pub fn patch(run: &RunIdentity, status: &Value, resource_version: Option<&str>) -> Value {
    let mut metadata = json!({"name": run.name, "namespace": run.namespace});
    if let Some(version) = resource_version {
        metadata["resourceVersion"] = Value::from(version);
    }
    json!({
        "apiVersion": format!("{}/{}", volley_api::GROUP, volley_api::VERSION),
        "kind": "LoadTestRun",
        "metadata": metadata,
        "status": status,
    })
}

/// The labels with most requests over all regions, transactions left out: they repeat their requests.
fn busiest(labels: &[LabelFigures]) -> Vec<&LabelFigures> {
    let mut labels: Vec<_> = labels.iter().filter(|label| label.target.is_none() && !label.transaction).collect();
    labels.sort_by(|left, right| {
        right.figures.requests.cmp(&left.figures.requests).then_with(|| left.label.cmp(&right.label))
    });
    labels.truncate(LABELS);
    labels
}

fn threshold(figures: &ThresholdFigures) -> ThresholdResult {
    let told = ThresholdResult::from(figures);
    ThresholdResult { reason: told.reason.as_deref().map(cut), ..told }
}

fn label_result(label: &LabelFigures, interval_us: u64) -> LabelResult {
    let Figures { requests, errors, average_us, p50_us, p95_us, p99_us, .. } = label.figures;
    LabelResult {
        label: label.label.clone(),
        requests: signed(requests),
        errors: signed(errors),
        request_rate: rate(requests, interval_us),
        average: average_us.map(time_us),
        p50: p50_us.map(time_us),
        p95: p95_us.map(time_us),
        p99: p99_us.map(time_us),
    }
}

fn skew(skew: Skew) -> SkewSummary {
    SkewSummary {
        p50: time_us(skew.p50_us),
        p99: time_us(skew.p99_us),
        max: time_us(skew.max_us),
        bound: skew.bound_us.map(time_us),
    }
}

fn shortened(warnings: &[String]) -> Vec<String> {
    if warnings.len() <= WARNINGS {
        return warnings.iter().map(|warning| cut(warning)).collect();
    }
    let mut kept: Vec<String> = warnings.iter().take(WARNINGS - 1).map(|warning| cut(warning)).collect();
    kept.push(format!("{} more warnings are in result.json", warnings.len() - kept.len()));
    kept
}

fn cut(warning: &str) -> String {
    match warning.char_indices().nth(WARNING_CHARACTERS) {
        Some((end, _)) => format!("{}…", &warning[..end]),
        None => warning.to_owned(),
    }
}

/// Kubernetes' `Time` has whole seconds; a fraction would be cut by the API server on the way.
fn whole_second(instant: Timestamp) -> Timestamp {
    Timestamp::from_second(instant.as_second()).unwrap_or(instant)
}

/// The API knows signed numbers only.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
