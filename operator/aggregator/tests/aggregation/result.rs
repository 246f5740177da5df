//! Tables of what may come out of a run, and a property against figures that are computed from the raw samples.

use proptest::prelude::*;
use volley_aggregator::measured::Measured;
use volley_aggregator::outcome::{LostAttempt, WorkerOutcome};
use volley_api::load_test_run::Verdict;
use volley_storage::documents::{
    CloseDecision, Definition, ResultDocument, SaturatedSpell, SaturationCause, StartDecision, StopReason,
    WorkerHealth, WorkerSaturation, WorkerState,
};

use crate::fixtures::{Request, at, close, collection, definition, measured, outcome, recorded, request};

fn result(
    definition: &Definition,
    start: Option<&StartDecision>,
    close: &CloseDecision,
    outcomes: &[WorkerOutcome],
    measured: &Measured,
) -> ResultDocument {
    volley_aggregator::result::result(definition, start, close, outcomes, measured, Vec::new())
}

fn lost(target: &str, index: u32, reason: &str) -> WorkerOutcome {
    WorkerOutcome::Lost(LostAttempt {
        target: target.into(),
        index,
        pod_uid: None,
        reason: reason.into(),
        released_at: None,
    })
}

#[test]
fn the_final_figures_of_the_status_name_the_largest_use_of_a_processor_and_count_each_saturated_worker_once() {
    let one = collection(&twenty("home", true));
    let in_pod = |index, pod: &str, cpu_max_ppm, is_saturated: bool| {
        let mut measured = measured("eu", index, &one);
        measured.attempt.pod_uid = pod.into();
        let spell = SaturatedSpell { from: at(3), seconds: 4, cause: SaturationCause::Cpu, peak_ppm: 950_000 };
        let saturation = WorkerSaturation { seconds: 4, spells: 1, first: spell, longest: spell };
        measured.manifest.health = Some(WorkerHealth {
            cpu_max_ppm,
            saturation: is_saturated.then_some(saturation),
            ..WorkerHealth::default()
        });
        outcome(measured)
    };
    let (definition, close) = (definition(&[("eu", 2)]), close(Vec::new()));
    let live = |outcomes: &[WorkerOutcome]| {
        let document = result(&definition, None, &close, outcomes, &Measured::default());
        let live = volley_aggregator::status::live(&document, at(20));
        (live.highest_worker_cpu, live.saturated_workers)
    };
    assert_eq!(live(&[in_pod(0, "a", None, false)]), (None, None));
    let twice = [
        in_pod(0, "a", Some(941_000), true),
        in_pod(0, "b", Some(950_000), true),
        in_pod(1, "c", Some(300_000), false),
    ];
    assert_eq!(live(&twice), (Some("95%".into()), Some(1)));
    assert_eq!(live(&[in_pod(0, "a", Some(300_000), false)]), (Some("30%".into()), None));
}

fn twenty(label: &str, success: bool) -> Vec<Request> {
    (0..20).map(|number| request(label, number * 100, 10_000 + number.unsigned_abs() * 100, success)).collect()
}

#[test]
fn two_complete_workers_make_a_complete_result_without_warnings() {
    let one = collection(&twenty("home", true));
    let two = collection(&twenty("cart", true));
    let outcomes = [outcome(measured("eu", 0, &one)), outcome(measured("eu", 1, &two))];
    let start = StartDecision {
        version: 1,
        start_at: at(0),
        regions: vec!["eu".into()],
        late_workers: volley_storage::documents::LateWorkers::Refuse,
        left_out: [].into(),
    };
    let merged = Measured::of(&[("eu".into(), one), ("eu".into(), two)]);
    let document = result(&definition(&[("eu", 2)]), Some(&start), &close(Vec::new()), &outcomes, &merged);
    assert_eq!(document.warnings, Vec::<String>::new());
    assert!(document.complete);
    assert_eq!(document.verdict, Verdict::NotJudged);
    assert_eq!(document.start_at, Some(at(0)));
    assert_eq!((document.totals.requests, document.totals.bytes), (40, Some(4_000)));
    assert_eq!(document.totals.min_us, Some(10_000));
    assert_eq!(document.totals.max_us, Some(11_900));
    assert_eq!(document.peak_users, Some(10));
    // 1.9 s from the first start to the last, and 11.9 ms of the last request.
    assert_eq!(document.interval.unwrap().length_us(), 1_911_900);
    let labels: Vec<_> = document.labels.iter().map(|label| (label.target.as_deref(), label.label.as_str())).collect();
    assert_eq!(labels, [(None, "cart"), (None, "home"), (Some("eu"), "cart"), (Some("eu"), "home")]);
}

#[test]
fn bytes_are_null_in_every_scope_with_requests_of_which_no_engine_tells_them() {
    let told = recorded(&twenty("home", true));
    let untold: Vec<_> = twenty("home", true).into_iter().map(|request| Request { bytes: None, ..request }).collect();
    let untold = recorded(&untold);
    let outcomes = [outcome(measured("eu", 0, &untold.collection)), outcome(measured("us", 0, &told.collection))];
    let series =
        [None, Some("eu"), Some("us")].map(|target| volley_aggregator::over_time::over_time(target, &told.series));
    let merged = Measured::of(&[("eu".into(), untold.collection), ("us".into(), told.collection)]);
    let definition = definition(&[("eu", 1), ("us", 1)]);
    let close = close(Vec::new());
    let document = volley_aggregator::result::result(&definition, None, &close, &outcomes, &merged, series.to_vec());
    assert_eq!(document.totals.bytes, None);
    assert_eq!(document.regions.iter().map(|region| region.figures.bytes).collect::<Vec<_>>(), [None, Some(2_000)]);
    assert_eq!(document.workers.iter().map(|worker| worker.bytes).collect::<Vec<_>>(), [None, Some(2_000)]);
    let labels: Vec<_> = document.labels.iter().map(|label| (label.target.as_deref(), label.figures.bytes)).collect();
    assert_eq!(labels, [(None, None), (Some("eu"), None), (Some("us"), Some(2_000))]);
    let known: Vec<_> = document.series.iter().map(|series| series.bytes.iter().all(Option::is_some)).collect();
    assert_eq!(known, [false, false, true]);
    assert_eq!(document.warnings, Vec::<String>::new());
}

#[test]
fn a_lost_worker_is_named_with_its_reason_and_the_result_is_inconclusive() {
    let one = collection(&twenty("home", true));
    let outcomes = [outcome(measured("eu", 0, &one)), lost("eu", 1, "the pod was evicted")];
    let merged = Measured::of(&[("eu".into(), one)]);
    let document = result(&definition(&[("eu", 2)]), None, &close(Vec::new()), &outcomes, &merged);
    assert_eq!(document.warnings, ["worker eu/1 is lost: the pod was evicted"]);
    assert!(!document.complete);
    assert_eq!(document.verdict, Verdict::Inconclusive);
    let counts = document.workers_total;
    assert_eq!((counts.planned, counts.started, counts.complete, counts.partial, counts.lost), (2, 1, 1, 0, 1));
}

#[test]
fn a_planned_worker_that_nobody_lists_is_lost_and_not_a_gap() {
    let one = collection(&twenty("home", true));
    let outcomes = [outcome(measured("eu", 0, &one))];
    let document = result(
        &definition(&[("eu", 1), ("us", 1)]),
        None,
        &close(Vec::new()),
        &outcomes,
        &Measured::of(&[("eu".into(), one)]),
    );
    assert_eq!(document.workers.len(), 2);
    assert_eq!(document.warnings, ["worker us/0 is lost: it is not in the list of what was to be merged"]);
    assert_eq!(document.regions[1].figures.requests, 0);
}

#[test]
fn a_worker_that_ended_early_is_partial_and_still_counts() {
    let one = collection(&twenty("home", true));
    let mut early = measured("eu", 0, &one);
    early.manifest.complete = false;
    early.manifest.exit_code = Some(1);
    let merged = Measured::of(&[("eu".into(), one)]);
    let document = result(&definition(&[("eu", 1)]), None, &close(Vec::new()), &[outcome(early)], &merged);
    let warning = "worker eu/0 measured less than its full time: Taurus ended early with exit code 1";
    assert_eq!(document.warnings, [warning]);
    assert_eq!((document.workers_total.partial, document.complete), (1, false));
    assert_eq!(document.verdict, Verdict::NotJudged);
}

#[test]
fn all_attempts_of_a_worker_are_merged_and_it_counts_once() {
    let one = collection(&twenty("home", true));
    let two = collection(&twenty("home", true));
    let mut first = measured("eu", 0, &one);
    first.attempt.pod_uid = "a".into();
    first.manifest.complete = false;
    let second = measured("eu", 0, &two);
    let merged = Measured::of(&[("eu".into(), one), ("eu".into(), two)]);
    let outcomes = [outcome(second), outcome(first)];
    let document = result(&definition(&[("eu", 1)]), None, &close(Vec::new()), &outcomes, &merged);
    assert_eq!(document.totals.requests, 40);
    assert_eq!(document.warnings, ["worker eu/0 made load in 2 pods; all of it is merged"]);
    assert!(document.complete);
    assert_eq!(
        document.workers.iter().map(|worker| worker.pod_uid.clone().unwrap()).collect::<Vec<_>>(),
        ["a", "pod-eu-0"]
    );
}

#[test]
fn a_run_in_which_every_request_failed_says_so_first_and_loudly() {
    let one = collection(&twenty("home", false));
    let outcomes = [outcome(measured("eu", 0, &one))];
    let document =
        result(&definition(&[("eu", 1)]), None, &close(Vec::new()), &outcomes, &Measured::of(&[("eu".into(), one)]));
    assert_eq!(
        document.warnings,
        [
            "EVERY request failed (20 of 20): this run did not test the target; most often 503 Service Unavailable (20 times)"
        ]
    );
    assert_eq!((document.totals.errors, document.totals.error_rate_ppm), (20, 1_000_000));
}

#[test]
fn a_run_without_a_sample_has_figures_of_nothing_and_a_warning() {
    let mut nothing = measured("eu", 0, &collection(&[]));
    nothing.manifest.first_sample_at = None;
    let document =
        result(&definition(&[("eu", 1)]), None, &close(Vec::new()), &[outcome(nothing)], &Measured::default());
    assert_eq!(document.interval, None);
    assert_eq!(document.totals.average_us, None);
    assert_eq!(document.totals.request_rate_milli, 0);
    assert!(document.warnings[0].starts_with("no request was measured"), "{:?}", document.warnings);
}

#[test]
fn a_stopped_run_is_inconclusive_whatever_it_measured() {
    let one = collection(&twenty("home", true));
    let outcomes = [outcome(measured("eu", 0, &one))];
    let mut close = close(Vec::new());
    close.stopped = Some(StopReason::Requested);
    let document = result(&definition(&[("eu", 1)]), None, &close, &outcomes, &Measured::of(&[("eu".into(), one)]));
    assert_eq!(document.verdict, Verdict::Inconclusive);
    assert_eq!(document.warnings, ["the load ended before its time: it was asked to stop"]);
}

#[test]
fn a_worker_whose_gate_never_opened_made_no_load() {
    let mut stopped = measured("eu", 0, &collection(&[]));
    stopped.manifest.released_at = None;
    let document =
        result(&definition(&[("eu", 1)]), None, &close(Vec::new()), &[outcome(stopped)], &Measured::default());
    assert_eq!(document.workers[0].state, WorkerState::Lost);
    assert_eq!(document.workers_total.started, 0);
    assert!(document.warnings.contains(&"worker eu/0 is lost: its gate never opened, so it made no load".to_owned()));
}

#[test]
fn books_that_differ_and_the_warnings_of_workers_are_told_with_both_numbers() {
    let one = collection(&twenty("home", true));
    let mut odd = measured("eu", 0, &one);
    odd.manifest.counters.requests = 21;
    odd.manifest.warnings = (0..7).map(|number| format!("cross-check {number}")).collect();
    let merged = Measured::of(&[("eu".into(), one)]);
    let document = result(&definition(&[("eu", 1)]), None, &close(Vec::new()), &[outcome(odd)], &merged);
    assert_eq!(document.warnings[0], "the workers counted 21 requests, their statistics hold 20");
    assert_eq!(document.warnings[1], "worker eu/0: cross-check 0");
    assert_eq!(document.warnings.last().unwrap(), "worker eu/0: 2 more warnings");
}

#[test]
fn what_several_workers_say_in_the_same_words_is_told_once() {
    let none = collection(&twenty("home", true));
    let outcomes: Vec<_> = (0..5)
        .map(|index| {
            let mut worker = measured("eu", index, &none);
            worker.manifest.warnings = vec!["the script's own thresholds are not judged".into()];
            if index == 3 {
                worker.manifest.warnings.push("of its own".into());
            }
            outcome(worker)
        })
        .collect();
    let merged = Measured::of(&(0..5).map(|_| ("eu".to_owned(), none.clone())).collect::<Vec<_>>());
    let document = result(&definition(&[("eu", 5)]), None, &close(Vec::new()), &outcomes, &merged);
    assert_eq!(
        document.warnings,
        ["5 workers (eu/0, eu/1, eu/2, …): the script's own thresholds are not judged", "worker eu/3: of its own"]
    );
}

#[test]
fn many_lost_workers_are_named_up_to_a_bound_and_counted_beyond() {
    let outcomes: Vec<_> = (0..50).map(|index| lost("eu", index, "no manifest")).collect();
    let document = result(&definition(&[("eu", 50)]), None, &close(Vec::new()), &outcomes, &Measured::default());
    assert_eq!(document.warnings.len(), 1 + 20 + 1);
    assert_eq!(document.warnings.last().unwrap(), "30 more workers: is lost");
    assert_eq!(document.workers_total.lost, 50);
}

/// Requests of up to four workers over two regions.
fn workers() -> impl Strategy<Value = Vec<(bool, Vec<Request>)>> {
    let one = (0_usize..4, -2_000_i64..20_000, 1_u64..90_000_000, prop::bool::weighted(0.8), 0_u64..5_000);
    let request = one.prop_map(|(label, start_ms, elapsed_us, success, bytes)| Request {
        label: ["home", "cart", "pay", "ü/{id}"][label].into(),
        start_ms,
        elapsed_us,
        success,
        bytes: Some(bytes),
    });
    prop::collection::vec((any::<bool>(), prop::collection::vec(request, 0..60)), 1..4)
}

/// The oracle: nearest rank over the sorted raw values, in floating-free arithmetic of its own.
fn nearest_rank(sorted: &[u64], per_thousand: u64) -> Option<u64> {
    let count = u64::try_from(sorted.len()).unwrap();
    let rank = (count * per_thousand).div_ceil(1000).max(1);
    sorted.get(usize::try_from(rank).unwrap() - 1).copied()
}

fn agrees(shown: Option<u64>, exact: Option<u64>) -> bool {
    match (shown, exact) {
        (None, None) => true,
        // The promise is 0.05 % of the value; below 1 ms the slot of 1 µs is the bound.
        (Some(shown), Some(exact)) => shown.abs_diff(exact) * 2_000 <= exact.max(2_000),
        _ => false,
    }
}

fn check(figures: &volley_storage::documents::Figures, requests: &[&Request], interval_us: u64) {
    let mut times: Vec<u64> = requests.iter().map(|request| request.elapsed_us).collect();
    times.sort_unstable();
    let count = u64::try_from(times.len()).unwrap();
    let errors = requests.iter().filter(|request| !request.success).count() as u64;
    assert_eq!(figures.requests, count);
    assert_eq!(figures.errors, errors);
    assert_eq!(figures.bytes, requests.iter().map(|request| request.bytes).sum::<Option<u64>>());
    assert_eq!(figures.min_us, times.first().copied());
    assert_eq!(figures.max_us, times.last().copied());
    for (shown, per_thousand) in [
        (figures.p50_us, 500),
        (figures.p90_us, 900),
        (figures.p95_us, 950),
        (figures.p99_us, 990),
        (figures.p999_us, 999),
    ] {
        let exact = nearest_rank(&times, per_thousand);
        assert!(agrees(shown, exact), "p{per_thousand}: {shown:?} instead of {exact:?}");
    }
    let sum: u64 = times.iter().sum();
    match figures.average_us {
        None => assert_eq!(count, 0),
        Some(average) => assert!((average * count).abs_diff(sum) * 2 <= count, "{average} is not {sum} / {count}"),
    }
    if let Some(shown) = figures.standard_deviation_us {
        // |σ - shown| <= 1/2, in integers: (2 n σ)^2 = 4 (n Σx² - (Σx)²).
        let (count, shown) = (u128::from(count), u128::from(shown));
        let squares: u128 = times.iter().map(|time| u128::from(*time).pow(2)).sum();
        let exact = 4 * (count * squares - u128::from(sum).pow(2));
        assert!((count * (2 * shown + 1)).pow(2) > exact, "{shown} is too small");
        assert!(shown == 0 || (count * (2 * shown - 1)).pow(2) <= exact, "{shown} is too large");
    }
    assert_eq!(figures.standard_deviation_us.is_some(), count > 0);
    if interval_us > 0 {
        let exact = u128::from(count) * 1_000_000_000;
        let shown = u128::from(figures.request_rate_milli) * u128::from(interval_us);
        assert!(shown.abs_diff(exact) * 2 <= u128::from(interval_us), "rate {}", figures.request_rate_milli);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_figures_are_those_of_the_raw_samples(workers in workers(), swap in any::<bool>()) {
        let mut collections = Vec::new();
        let mut outcomes = Vec::new();
        for (index, (eu, requests)) in workers.iter().enumerate() {
            let target = if *eu { "eu" } else { "us" };
            let collection = collection(requests);
            outcomes.push(outcome(measured(target, u32::try_from(index).unwrap(), &collection)));
            collections.push((target.to_owned(), collection));
        }
        let definition = definition(&[("eu", 4), ("us", 4)]);
        let document = result(&definition, None, &close(Vec::new()), &outcomes, &Measured::of(&collections));

        let all: Vec<&Request> = workers.iter().flat_map(|(_, requests)| requests).collect();
        let first = all.iter().map(|request| request.start_ms * 1000).min();
        let last = all.iter().map(|request| request.start_ms * 1000 + i64::try_from(request.elapsed_us).unwrap()).max();
        let interval_us = first.zip(last).map_or(0, |(first, last)| u64::try_from(last - first).unwrap());
        prop_assert_eq!(document.interval.map_or(0, |interval| interval.length_us()), interval_us);
        check(&document.totals, &all, interval_us);
        for region in &document.regions {
            let of_region: Vec<&Request> = workers.iter()
                .filter(|(eu, _)| *eu == (region.target == "eu")).flat_map(|(_, requests)| requests).collect();
            check(&region.figures, &of_region, interval_us);
        }
        for label in &document.labels {
            let of_label: Vec<&Request> = workers.iter()
                .filter(|(eu, _)| label.target.as_deref().is_none_or(|target| *eu == (target == "eu")))
                .flat_map(|(_, requests)| requests).filter(|request| request.label == label.label).collect();
            check(&label.figures, &of_label, interval_us);
        }
        prop_assert!(!document.warnings.iter().any(|warning| warning.starts_with("the workers counted")));

        // The order of workers changes nothing, to the byte.
        if swap {
            outcomes.reverse();
            collections.reverse();
        }
        let again = result(&definition, None, &close(Vec::new()), &outcomes, &Measured::of(&collections));
        prop_assert_eq!(serde_json::to_vec(&again).unwrap(), serde_json::to_vec(&document).unwrap());
    }
}

#[test]
fn a_run_costs_what_its_workers_were_there_and_has_no_cost_where_that_of_a_region_is_unknown() {
    let mut definition = definition(&[("eu", 2), ("us", 1)]);
    for region in &mut definition.regions {
        // A thousandth of a dollar a second.
        region.worker_hour_nanodollars = Some(3_600_000_000);
    }
    let mut close = close(Vec::new());
    let before = |seconds| close.at.saturating_sub(jiff::SignedDuration::from_secs(seconds)).unwrap();
    close.asked_at = [("eu".to_owned(), before(600)), ("us".to_owned(), before(10))].into();
    let nothing = Measured::of(&[]);
    let costs = |definition: &Definition, close: &CloseDecision| {
        let document = result(definition, None, close, &[], &nothing);
        let regions: Vec<_> = document.regions.iter().map(|region| region.cost_micro_dollars).collect();
        (regions, document.cost_micro_dollars, volley_aggregator::status::summary(&document, "s3://b/k").cost)
    };
    let (regions, total, said) = costs(&definition, &close);
    // The second region's worker is charged a minute.
    assert_eq!((regions, total), (vec![Some(1_200_000), Some(60_000)], Some(1_260_000)));
    assert_eq!(said.as_deref(), Some("$1.26"));

    let mut one_away = close.clone();
    one_away.asked_at.remove("us");
    assert_eq!(costs(&definition, &one_away), (vec![Some(1_200_000), None], None, None));
    definition.regions[0].worker_hour_nanodollars = None;
    assert_eq!(costs(&definition, &close), (vec![None, Some(60_000)], None, None));
}
