//! How workers and regions began: skew, lateness, regions that took no part.

use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;
use volley_aggregator::measured::Measured;
use volley_aggregator::outcome::WorkerOutcome;
use volley_aggregator::status::summary;
use volley_api::load_test_run::ThresholdOutcome::{self, Met, NotJudged};
use volley_api::load_test_run::Verdict;
use volley_storage::documents::{
    ClockOffset, LateWorkers, RegionFigures, ResultDocument, StartDecision, StopReason, WorkerState,
};

use crate::fixtures::{START_S, at, close, collection, definition, measured, outcome, request};

fn start(regions: &[&str], left_out: &[(&str, &str)]) -> StartDecision {
    StartDecision {
        version: 1,
        start_at: at(0),
        regions: regions.iter().map(|region| (*region).into()).collect(),
        late_workers: LateWorkers::Join,
        left_out: left_out.iter().map(|(target, why)| ((*target).into(), (*why).into())).collect(),
    }
}

/// A worker whose gate opened so many microseconds after the instant, by its own clock.
fn worker(target: &str, index: u32, release_us: i64, clock: Option<(i64, u64)>) -> WorkerOutcome {
    let instant = |us: i64| jiff::Timestamp::from_microsecond(START_S * 1_000_000 + us).ok();
    let mut worker = measured(target, index, &collection(&[request("home", 2_000, 10_000, true)]));
    worker.manifest.released_at = instant(release_us);
    worker.manifest.first_sample_at = instant(release_us + 300_000);
    worker.manifest.clock = clock.map(|(offset_us, bound_us)| ClockOffset { offset_us, bound_us });
    outcome(worker)
}

fn result(regions: &[(&str, u32)], start: &StartDecision, outcomes: &[WorkerOutcome]) -> ResultDocument {
    let collections: Vec<_> = outcomes
        .iter()
        .map(|outcome| (outcome.target().to_owned(), collection(&[request("home", 2_000, 10_000, true)])))
        .collect();
    let (definition, close) = (definition(regions), close(Vec::new()));
    volley_aggregator::result::result(
        &definition,
        Some(start),
        &close,
        outcomes,
        &Measured::of(&collections),
        Vec::new(),
    )
}

fn region<'a>(document: &'a ResultDocument, target: &str) -> &'a RegionFigures {
    document.regions.iter().find(|region| region.target == target).unwrap()
}

#[test]
fn a_worker_whose_clock_is_slow_opened_late_by_as_much() {
    // Its clock says 5 ms, and is 40 ms behind the storage's.
    let document = result(&[("eu", 1)], &start(&["eu"], &[]), &[worker("eu", 0, 5_000, Some((40_000, 12_000)))]);
    let worker = &document.workers[0];
    assert_eq!((worker.release_skew_us, worker.first_sample_skew_us), (Some(45_000), Some(345_000)));
    assert_eq!((worker.clock_offset_us, worker.clock_bound_us), (Some(40_000), Some(12_000)));
    let status = &summary(&document, "s3://b/k").regions[0];
    let skew = status.release_skew.as_ref().unwrap();
    assert_eq!((skew.p99.as_str(), skew.bound.as_deref()), ("45ms", Some("12ms")));
    assert_eq!((status.late, document.warnings), (None, vec![]));
}

#[test]
fn late_workers_are_counted_apart_with_the_latest_of_them() {
    let clock = Some((0, 10_000));
    let outcomes = [
        worker("eu", 0, 4_000, clock),
        worker("eu", 1, 12_300_000, clock),
        worker("eu", 2, 2_000_000, clock),
        worker("us", 0, 9_000, clock),
    ];
    let document = result(&[("eu", 3), ("us", 1)], &start(&["eu", "us"], &[]), &outcomes);
    let eu = region(&document, "eu");
    assert_eq!((eu.workers.started, eu.workers.late, eu.latest_us), (3, 2, Some(12_300_000)));
    assert_eq!(eu.release_skew.map(|skew| (skew.workers, skew.max_us)), Some((1, 4_000)));
    assert_eq!((region(&document, "us").workers.late, document.workers_total.late), (0, 2));
    let words = "in region eu 2 of 3 workers began late, the last 12.3s after the start instant";
    assert_eq!(document.warnings, [words]);
    let status = &summary(&document, "s3://b/k").regions[0];
    assert_eq!((status.late, status.latest.as_deref()), (Some(2), Some("12.3s")));
}

#[test]
fn a_late_worker_that_ended_with_the_others_is_partial_and_says_so() {
    let mut late = measured("eu", 0, &collection(&[request("home", 4_000, 10_000, true)]));
    late.manifest.released_at = Some(at(3));
    late.manifest.complete = false;
    late.manifest.stopped = Some(StopReason::DeadlineExceeded);
    let document = result(&[("eu", 1)], &start(&["eu"], &[]), &[outcome(late)]);
    assert_eq!(document.workers[0].state, WorkerState::Partial);
    let reason = document.workers[0].reason.as_deref().unwrap();
    assert_eq!(reason, "it began 3.0 s late, and its load ended with that of the others");
}

#[test]
fn a_region_that_took_no_part_is_said_once_and_judged_by_nothing() {
    let start = start(&["eu"], &[("us", "its API server did not answer")]);
    let document = result(&[("eu", 1), ("us", 30)], &start, &[worker("eu", 0, 0, Some((0, 10_000)))]);
    assert_eq!((document.verdict, document.complete), (Verdict::NotJudged, false));
    let us = region(&document, "us");
    assert_eq!(us.left_out.as_deref(), Some("its API server did not answer"));
    assert_eq!((us.workers.planned, us.workers.started, us.workers.lost, us.release_skew), (30, 0, 30, None));
    assert_eq!(
        document.warnings,
        ["region us did not run, 30 workers of the plan are missing: its API server did not answer"]
    );
    assert_eq!(document.workers.len(), 31);
    assert_eq!(document.workers[30].reason.as_deref(), Some("its region took no part: its API server did not answer"));
    assert_eq!(summary(&document, "s3://b/k").regions[1].left_out.as_deref(), Some("its API server did not answer"));
}

/// The policy lets the region go, and judges nothing in its place: what the test asks of that region nobody knows.
#[rstest]
#[case::of_the_whole_test(&[None], &[Met], Verdict::Passed)]
#[case::of_a_region_that_ran(&[Some("eu")], &[Met], Verdict::Passed)]
#[case::of_the_region_that_took_no_part(&[None, Some("us")], &[Met, NotJudged], Verdict::Inconclusive)]
fn a_threshold_is_judged_where_load_was_and_one_of_a_region_that_took_no_part_cannot_be(
    #[case] targets: &[Option<&str>],
    #[case] outcomes: &[ThresholdOutcome],
    #[case] verdict: Verdict,
) {
    let mut definition = definition(&[("eu", 1), ("us", 2)]);
    let threshold = |(number, target): (usize, Option<&str>)| {
        let criterion = json!({"metric": "p99", "comparison": "Below", "limit": "1s"});
        let written = json!({"name": format!("t{number}"), "label": null, "target": target, "criterion": criterion});
        serde_json::from_value(written).unwrap()
    };
    definition.thresholds = targets.iter().copied().enumerate().map(threshold).collect();
    let (start, workers) = (start(&["eu"], &[("us", "no such image")]), [worker("eu", 0, 0, None)]);
    let collections = [("eu".to_owned(), collection(&[request("home", 2_000, 10_000, true)]))];
    let measured = Measured::of(&collections);
    let document =
        volley_aggregator::result::result(&definition, Some(&start), &close(Vec::new()), &workers, &measured, vec![]);
    let judged: Vec<_> = document.thresholds.iter().map(|threshold| threshold.outcome).collect();
    assert_eq!((judged.as_slice(), document.verdict), (outcomes, verdict));
    for threshold in document.thresholds.iter().filter(|threshold| threshold.outcome == NotJudged) {
        assert_eq!(threshold.reason.as_deref(), Some("no request was measured in us"));
    }
}

#[test]
fn what_is_not_known_of_the_clocks_is_said() {
    let start = start(&["eu"], &[]);
    let doubtful = result(&[("eu", 1)], &start, &[worker("eu", 0, 0, Some((0, 50_001)))]);
    assert_eq!(doubtful.warnings, ["skews may be wrong by up to 50ms: so much is unknown of the workers' clocks"]);
    let unknown = result(&[("eu", 2)], &start, &[worker("eu", 0, 0, Some((0, 9))), worker("eu", 1, 0, None)]);
    assert_eq!(region(&unknown, "eu").release_skew.unwrap().bound_us, None);
    assert_eq!(unknown.warnings, ["the clock of a worker is unknown, so skews are not corrected by it"]);
}

#[test]
fn a_replacement_does_not_count_as_late_where_its_predecessor_began_in_time() {
    let second = |pod: &str, release_us| {
        let WorkerOutcome::Measured(mut worker) = worker("eu", 0, release_us, Some((0, 10_000))) else { panic!() };
        worker.attempt.pod_uid = pod.into();
        WorkerOutcome::Measured(worker)
    };
    let document = result(&[("eu", 1)], &start(&["eu"], &[]), &[second("b", 9_000_000), second("a", 2_000)]);
    let eu = region(&document, "eu");
    assert_eq!((eu.workers.late, eu.release_skew.map(|skew| skew.max_us)), (0, Some(2_000)));
}

proptest! {
    /// The judge sorts all distances and counts to the rank.
    #[test]
    fn percentiles_of_the_skew_are_those_of_the_sorted_distances(
        released in prop::collection::vec((-900_000_i64..900_000, -100_000_i64..100_000, 0_u64..40_000), 1..120),
    ) {
        let outcomes: Vec<_> = (0..).zip(&released)
            .map(|(index, (release_us, offset_us, bound_us))| worker("eu", index, *release_us, Some((*offset_us, *bound_us))))
            .collect();
        let planned = u32::try_from(released.len()).unwrap();
        let document = result(&[("eu", planned)], &start(&["eu"], &[]), &outcomes);
        let skew = region(&document, "eu").release_skew.unwrap();
        let mut distances: Vec<u64> = released.iter().map(|(release, offset, _)| (release + offset).unsigned_abs()).collect();
        distances.sort_unstable();
        let at = |percent: usize| distances[(distances.len() * percent).div_ceil(100).max(1) - 1];
        prop_assert_eq!((skew.p50_us, skew.p99_us, skew.max_us), (at(50), at(99), *distances.last().unwrap()));
        prop_assert_eq!(skew.bound_us, released.iter().map(|(.., bound)| *bound).max());
        prop_assert_eq!(skew.workers, planned);
    }
}
