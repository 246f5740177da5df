//! Thresholds over merged data: what each speaks of, and the verdict over the whole run by the table of endings.

use std::collections::{BTreeMap, BTreeSet};

use rstest::rstest;
use serde_json::json;
use volley_aggregator::measured::Measured;
use volley_aggregator::outcome::{LostAttempt, WorkerOutcome};
use volley_aggregator::status;
use volley_api::load_test_run::{ThresholdOutcome, Verdict};
use volley_stats::{Collection, Limits, Recorder, Sample, SampleKind};
use volley_storage::documents::{ResultDocument, StopReason, Threshold};

use crate::fixtures::{RUN, START_S, attempt, close, collection, definition, measured, outcome, recorded, request};
use crate::whole_runs::Bench;

fn threshold(written: &serde_json::Value) -> Threshold {
    let mut threshold = json!({"name": "one", "label": null, "target": null});
    for (name, value) in written.as_object().unwrap() {
        threshold[name] = value.clone();
    }
    serde_json::from_value(threshold).unwrap()
}

fn below(metric: &str, limit: &str) -> serde_json::Value {
    json!({"metric": metric, "comparison": "Below", "limit": limit})
}

/// The result of a run with one worker for each collection.
fn judged(
    thresholds: Vec<Threshold>,
    collections: &[(String, Collection)],
    stopped: Option<StopReason>,
) -> ResultDocument {
    let mut workers: BTreeMap<&str, u32> = BTreeMap::new();
    let outcomes: Vec<_> = collections
        .iter()
        .map(|(target, collection)| {
            let index = workers.entry(target).or_default();
            *index += 1;
            outcome(measured(target, *index - 1, collection))
        })
        .collect();
    of_outcomes(thresholds, collections, &outcomes, stopped)
}

fn of_outcomes(
    thresholds: Vec<Threshold>,
    collections: &[(String, Collection)],
    outcomes: &[WorkerOutcome],
    stopped: Option<StopReason>,
) -> ResultDocument {
    let mut workers: BTreeMap<&str, u32> = BTreeMap::new();
    for outcome in outcomes {
        *workers.entry(outcome.target()).or_default() += 1;
    }
    let mut definition = definition(&workers.into_iter().collect::<Vec<_>>());
    definition.thresholds = thresholds;
    let watched = definition.thresholds.iter().filter_map(|threshold| threshold.label.clone()).collect();
    let mut close = close(Vec::new());
    close.stopped = stopped;
    let measured = Measured::of_watching(collections, &watched);
    volley_aggregator::result::result(&definition, None, &close, outcomes, &measured, Vec::new())
}

/// 100 requests: those of label `home` in eu take 10 ms, of `cart` in eu 20 ms and half of them fail, of `home` in us 30 ms.
fn two_regions() -> Vec<(String, Collection)> {
    let eu: Vec<_> = (0..40)
        .map(|number| request("home", number * 10, 10_000, true))
        .chain((0..40).map(|number| request("cart", number * 10, 20_000, number % 2 == 0)))
        .collect();
    let us: Vec<_> = (0..20).map(|number| request("home", number * 10, 30_000, true)).collect();
    vec![("eu".to_owned(), collection(&eu)), ("us".to_owned(), collection(&us))]
}

#[rstest]
#[case::the_whole_test(json!({"criterion": below("errorRate", "20%")}), 200_000, ThresholdOutcome::Missed)]
#[case::a_label(json!({"label": "cart", "criterion": below("errorRate", "50.001%")}), 500_000, ThresholdOutcome::Met)]
#[case::a_region(json!({"target": "eu", "criterion": below("errorRate", "25.001%")}), 250_000, ThresholdOutcome::Met)]
#[case::a_label_of_all_regions(json!({"label": "home", "criterion": below("max", "30ms")}), 30_000, ThresholdOutcome::Missed)]
#[case::a_label_in_a_region(json!({"label": "home", "target": "eu", "criterion": below("max", "30ms")}), 10_000, ThresholdOutcome::Met)]
// 16.666… ms: rounded away from the limit of 17 ms.
#[case::an_average(json!({"label": "home", "criterion": below("average", "17ms")}), 16_666, ThresholdOutcome::Met)]
// 100 requests in 0.41 s, from the first start to the last end of all; a region's rate refers to that time too.
#[case::a_rate(json!({"criterion": {"metric": "requestRate", "comparison": "Above", "limit": "240/s"}}), 243_903, ThresholdOutcome::Met)]
#[case::a_rate_of_a_region(json!({"target": "us", "criterion": below("requestRate", "48/s")}), 48_781, ThresholdOutcome::Missed)]
#[case::a_number(json!({"target": "us", "criterion": {"metric": "requests", "comparison": "Above", "limit": "20"}}), 20, ThresholdOutcome::Missed)]
#[allow(clippy::needless_pass_by_value, reason = "a case is handed over")]
fn a_threshold_is_judged_on_the_requests_that_it_speaks_of(
    #[case] written: serde_json::Value,
    #[case] observed: u64,
    #[case] outcome: ThresholdOutcome,
) {
    let document = judged(vec![threshold(&written)], &two_regions(), None);
    let judged = &document.thresholds[0];
    assert_eq!((judged.observed, judged.outcome, judged.reason.as_deref()), (Some(observed), outcome, None));
    let verdict = if outcome == ThresholdOutcome::Met { Verdict::Passed } else { Verdict::Failed };
    assert_eq!(document.verdict, verdict);
}

#[rstest]
#[case::a_label(json!({"label": "chekout", "criterion": below("p99", "1s")}), "no request with the label \"chekout\" was measured")]
#[case::a_label_in_a_region(json!({"label": "cart", "target": "us", "criterion": below("p99", "1s")}), "no request with the label \"cart\" was measured in us")]
#[case::a_region(json!({"target": "ap", "criterion": below("p99", "1s")}), "no request was measured in ap")]
#[allow(clippy::needless_pass_by_value, reason = "a case is handed over")]
fn what_never_occurred_cannot_be_judged(#[case] written: serde_json::Value, #[case] reason: &str) {
    let document = judged(vec![threshold(&written)], &two_regions(), None);
    let judged = &document.thresholds[0];
    assert_eq!((judged.outcome, judged.observed), (ThresholdOutcome::NotJudged, None));
    assert_eq!(judged.reason.as_deref(), Some(reason));
    assert_eq!(document.verdict, Verdict::Inconclusive);
}

#[test]
fn a_run_without_a_request_cannot_be_judged() {
    let document = judged(
        vec![threshold(&json!({"criterion": below("requests", "10")}))],
        &[("eu".to_owned(), collection(&[]))],
        None,
    );
    assert_eq!(document.thresholds[0].reason.as_deref(), Some("no request was measured"));
    assert_eq!(document.verdict, Verdict::Inconclusive);
}

/// A worker that folded labels has no row of its own for `late`; another worker has one.
#[test]
fn a_label_of_which_a_part_may_stand_elsewhere_cannot_be_judged() {
    let few = Limits { labels: 2, ..Limits::default() };
    let mut folding = Recorder::new(few);
    for label in ["a", "b", "late"] {
        folding.record(0, &sample(SampleKind::Request, label));
    }
    let collections =
        [("eu".to_owned(), folding.into_collection()), ("eu".to_owned(), collection(&[request("late", 0, 9, true)]))];
    let document =
        judged(vec![threshold(&json!({"label": "late", "criterion": below("p99", "1s")}))], &collections, None);
    let reason = document.thresholds[0].reason.as_deref().unwrap();
    assert!(reason.contains("\"late\" may be under [other]"), "{reason}");
    let document =
        judged(vec![threshold(&json!({"label": "a", "criterion": below("p99", "1s")}))], &collections[..1], None);
    assert_eq!(document.verdict, Verdict::Passed, "the worker has a row of its own for this one");
}

fn sample(kind: SampleKind, label: &str) -> Sample<'_> {
    let start_us = START_S * 1_000_000;
    Sample {
        kind,
        label,
        start_us,
        end_us: start_us + 50,
        elapsed_us: 50,
        first_byte_us: None,
        connect_us: None,
        bytes: Some(0),
        code: "200",
        message: "",
        success: true,
        active_users: None,
    }
}

#[test]
fn a_label_that_only_a_transaction_has_is_that_of_the_transaction() {
    let mut recorder = Recorder::new(Limits::default());
    recorder.record(0, &sample(SampleKind::Request, "home"));
    for label in ["home", "home", "shopping", "shopping", "shopping"] {
        recorder.record(0, &sample(SampleKind::Transaction, label));
    }
    let collections = [("eu".to_owned(), recorder.into_collection())];
    let requests = |label: &str| {
        let written = json!({"label": label, "criterion": {"metric": "requests", "comparison": "Above", "limit": "0"}});
        judged(vec![threshold(&written)], &collections, None).thresholds[0].observed
    };
    assert_eq!((requests("home"), requests("shopping")), (Some(1), Some(3)));
}

/// The table of endings with the thresholds of one run: `met`, `missed`, `unjudged`.
#[rstest]
#[case::all_met(None, 0, &["met"], Verdict::Passed)]
#[case::no_thresholds(None, 0, &[], Verdict::NotJudged)]
#[case::missed(None, 0, &["met", "missed"], Verdict::Failed)]
#[case::unjudged(None, 0, &["met", "unjudged"], Verdict::Inconclusive)]
#[case::missed_beats_unjudged(None, 0, &["unjudged", "missed"], Verdict::Failed)]
#[case::too_few_manifests(None, 1, &["met"], Verdict::Inconclusive)]
#[case::too_few_manifests_and_missed(None, 1, &["missed"], Verdict::Failed)]
#[case::workers_lost(Some(StopReason::WorkersLost), 1, &["met"], Verdict::Inconclusive)]
#[case::workers_lost_and_missed(Some(StopReason::WorkersLost), 1, &["missed"], Verdict::Failed)]
#[case::deadline(Some(StopReason::DeadlineExceeded), 0, &["met"], Verdict::Inconclusive)]
#[case::deadline_and_missed(Some(StopReason::DeadlineExceeded), 0, &["missed"], Verdict::Failed)]
#[case::disk_full(Some(StopReason::DiskFull), 0, &["unjudged"], Verdict::Inconclusive)]
#[case::disk_full_and_missed(Some(StopReason::DiskFull), 0, &["missed"], Verdict::Failed)]
#[case::uncontrolled(Some(StopReason::Uncontrolled), 0, &[], Verdict::Inconclusive)]
#[case::uncontrolled_and_missed(Some(StopReason::Uncontrolled), 0, &["missed"], Verdict::Failed)]
#[case::stopped(Some(StopReason::Requested), 0, &["met"], Verdict::Inconclusive)]
#[case::stopped_and_missed(Some(StopReason::Requested), 0, &["missed"], Verdict::Failed)]
#[case::aborted_and_met_over_all(Some(StopReason::ThresholdsAborted), 0, &["met"], Verdict::Failed)]
#[case::aborted_and_unjudged_over_all(Some(StopReason::ThresholdsAborted), 0, &["unjudged"], Verdict::Failed)]
#[case::aborted_with_workers_lost(Some(StopReason::ThresholdsAborted), 1, &["missed"], Verdict::Failed)]
#[case::deleted_and_missed(Some(StopReason::Deleted), 0, &["missed"], Verdict::Failed)]
fn the_verdict_follows_the_table_of_endings(
    #[case] stopped: Option<StopReason>,
    #[case] lost: u32,
    #[case] thresholds: &[&str],
    #[case] verdict: Verdict,
) {
    let thresholds = thresholds
        .iter()
        .map(|what| match *what {
            "met" => threshold(&json!({"name": what, "criterion": below("max", "1s")})),
            "missed" => threshold(&json!({"name": what, "criterion": below("max", "1ms")})),
            _ => threshold(&json!({"name": what, "label": "never", "criterion": below("max", "1s")})),
        })
        .collect();
    let collections = [("eu".to_owned(), collection(&[request("home", 0, 5_000, true)]))];
    let mut outcomes = vec![outcome(measured("eu", 0, &collections[0].1))];
    outcomes.extend((1..=lost).map(|index| {
        let reason = "its pod is gone".to_owned();
        WorkerOutcome::Lost(LostAttempt { target: "eu".into(), index, pod_uid: None, reason, released_at: None })
    }));
    assert_eq!(of_outcomes(thresholds, &collections, &outcomes, stopped).verdict, verdict);
}

#[test]
fn the_status_tells_each_threshold_in_words() {
    let thresholds = vec![
        threshold(&json!({"name": "fast", "label": "home", "target": "eu", "criterion": below("p99", "1500ms")})),
        threshold(&json!({"name": "never", "label": "never", "criterion": below("errorRate", "1%")})),
    ];
    let document = judged(thresholds, &two_regions(), None);
    assert_eq!(
        json!(status::summary(&document, "s3://b/k").thresholds),
        json!([
            {"name": "fast", "metric": "p99 of home in eu", "limit": "below 1.5s", "observed": "10ms", "outcome": "Met"},
            {"name": "never", "metric": "errorRate of never", "limit": "below 1%", "outcome": "NotJudged",
             "reason": "no request with the label \"never\" was measured"},
        ])
    );
}

#[tokio::test]
async fn a_label_is_judged_over_the_files_of_all_workers_and_the_outcome_is_in_the_table() {
    let mut definition = definition(&[("eu", 2), ("us", 1)]);
    definition.thresholds = vec![
        threshold(&json!({"name": "fast", "label": "home", "criterion": below("max", "30ms")})),
        threshold(&json!({"name": "near", "label": "home", "target": "eu", "criterion": below("max", "30ms")})),
    ];
    let mut bench = Bench::of(definition).await;
    for (target, index, elapsed_us) in [("eu", 0, 10_000), ("eu", 1, 29_999), ("us", 0, 30_000)] {
        let requests = [request("home", 0, elapsed_us, true), request("cart", 5, 90_000, true)];
        bench.worker(&attempt(target, index), &recorded(&requests)).await;
    }
    let aggregated = bench.aggregate().await.unwrap();
    let outcomes: Vec<_> = aggregated.document.thresholds.iter().map(|one| (one.observed, one.outcome)).collect();
    assert_eq!(outcomes, [(Some(30_000), ThresholdOutcome::Missed), (Some(29_999), ThresholdOutcome::Met)]);
    assert_eq!(aggregated.summary.verdict, Verdict::Failed);
    let item = bench.server.results().get_run("volley", &bench.definition.run).await.unwrap().unwrap();
    assert_eq!((item.summary.verdict, item.summary.thresholds), (Verdict::Failed, aggregated.document.thresholds));
    assert_eq!(item.summary.run.uid, RUN);
    let again = bench.run().await.unwrap();
    assert_eq!(again.document, bench_document(&bench).await);
}

async fn bench_document(bench: &Bench) -> ResultDocument {
    serde_json::from_slice(&bench.bytes(&volley_storage::keys::result(RUN)).await).unwrap()
}

#[test]
fn a_label_that_no_threshold_names_is_not_kept() {
    let collections = two_regions();
    assert!(Measured::of(&collections).watched.is_empty());
    let watched = Measured::of_watching(&collections, &BTreeSet::from(["cart".to_owned()])).watched;
    assert_eq!(watched.len(), 1);
}
