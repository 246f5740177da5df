//! A threshold that stops the load.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use kube::ResourceExt;
use volley_acceptance::bench::{NAMESPACE, reason};
use volley_acceptance::witness::{self, RawSample};
use volley_acceptance::{Bench, manifests};
use volley_api::load_test_run::{Phase, ThresholdOutcome, Verdict};
use volley_storage::documents::{ResultDocument, StopDecision, StopReason};
use volley_storage::keys;

/// Its requests succeed for eight seconds and fail from then on.
const TURNING: &str = r#"import time

from locust import HttpUser, constant, task


class Visitor(HttpUser):
    host = "http://volley-target.default.svc"
    wait_time = constant(0.05)
    began = None

    @task
    def home(self):
        Visitor.began = Visitor.began or time.monotonic()
        failing = time.monotonic() - Visitor.began > 8
        self.client.get("/status/500" if failing else "/", name="home")
"#;

/// Seconds of `for` in the test's threshold.
const WINDOW_S: i64 = 4;
/// The load would take so many seconds.
const HOLD_S: i64 = 60;
/// Its end may come so much later than it should on a busy machine, in seconds, and is early still.
const PATIENCE_S: i64 = 45;

/// The first second over whose window, ending with it, not less than 10 % of the raw samples failed.
fn first_missed(samples: &[RawSample]) -> i64 {
    let mut seconds: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
    for sample in samples {
        let (requests, errors) = seconds.entry(sample.ended_ms.div_euclid(1000)).or_default();
        *requests += 1;
        *errors += u64::from(!sample.success);
    }
    let is_missed = |second: &i64| {
        let window = seconds.range(second - WINDOW_S + 1..=*second);
        let (requests, errors) =
            window.fold((0, 0), |(all, bad), (_, (requests, errors))| (all + requests, bad + errors));
        errors * 10 >= requests
    };
    seconds.keys().copied().find(is_missed).expect("errors came")
}

fn seconds(milliseconds: i64) -> String {
    format!("{:.1} s", SignedDuration::from_millis(milliseconds).as_secs_f64())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster with Volley: `make test` prepares it"]
async fn a_threshold_that_breaks_under_load_stops_it_everywhere_and_fails_the_run() {
    let bench = Bench::connect().await;
    let test = "aborted";
    let manifest = format!(
        "{}  thresholds:
  - {{name: clean, metric: errorRate, below: 10%, abort: {{after: 2s, for: {WINDOW_S}s}}}}
  - {{name: fast, metric: p99, below: 60s}}
",
        manifests::locust(test, TURNING, &format!("{HOLD_S}s"), "Once")
    );
    let outcome = bench.volley(&["run", "--namespace", NAMESPACE, "-f", "-"], Some(&manifest)).await;
    assert_eq!(outcome.code, 1, "volley run: {}\n{}", outcome.output, outcome.errors);
    assert!(outcome.output.contains("MISSED      clean: errorRate is "), "{}", outcome.output);

    let run = bench.runs(test).await.pop().expect("volley run made a run");
    let (reason, message) = reason(&run, "Succeeded").expect("a finished run says whether it succeeded");
    assert_eq!(reason, "ThresholdsAborted", "{message}");
    let words = format!("clean: over the last {WINDOW_S}s errorRate is ");
    assert!(message.contains(&words), "{message}");
    let status = run.status.as_ref().expect("a finished run has a status");
    assert_eq!(status.phase, Some(Phase::Failed));
    let result = status.result.as_ref().expect("the results of what ran are kept");
    let outcomes: Vec<_> = result.thresholds.iter().map(|one| (one.name.as_str(), one.outcome)).collect();
    assert_eq!(outcomes, [("clean", ThresholdOutcome::Missed), ("fast", ThresholdOutcome::Met)]);
    assert_eq!((result.verdict, result.coverage.workers_measured), (Verdict::Failed, 2), "{:?}", result.warnings);

    let uid = run.uid().expect("a run has a uid");
    let storage = bench.storage().await;
    let store = &storage.objects;
    let (stop, _) = store
        .get_document::<StopDecision>(&keys::stop(&uid))
        .await
        .expect("the decision can be read")
        .expect("stop.json is there");
    assert_eq!(stop.reason, StopReason::ThresholdsAborted);
    assert!(stop.message.starts_with(&words), "{}", stop.message);
    let (document, _) = store
        .get_document::<ResultDocument>(&keys::result(&uid))
        .await
        .expect("the result can be read")
        .expect("result.json is there");
    let samples = witness::raw_samples(store, &uid).await;
    let counted = document.totals.requests + document.totals.interrupted;
    assert_eq!(samples.len() as u64, counted, "every raw sample is in the result");

    let missed_ms = (first_missed(&samples) + 1) * 1000;
    let decided_ms = stop.at.as_millisecond();
    assert!(decided_ms > missed_ms - 1000, "decided {} ms before the second that ends `for`", missed_ms - decided_ms);
    let mut ends: BTreeMap<&str, i64> = BTreeMap::new();
    for sample in &samples {
        let end = ends.entry(&sample.worker).or_insert(i64::MIN);
        *end = sample.ended_ms.max(*end);
    }
    assert_eq!(ends.len(), 2, "{ends:?}");
    let planned_end_ms = status.start_at.as_ref().expect("it started").0.as_millisecond() + HOLD_S * 1000;
    for (worker, end_ms) in ends {
        let [after, decided, in_all] = [decided_ms - missed_ms, end_ms - decided_ms, end_ms - missed_ms].map(seconds);
        println!(
            "aborted: the second that ends `for` was decided on {after} after its end; the last sample of {worker} ended {decided} \
             after that, {in_all} after the second"
        );
        assert!(end_ms - missed_ms < PATIENCE_S * 1000 && end_ms < planned_end_ms, "{worker} went on for {in_all}");
    }
    bench.assert_nothing_left(&uid).await;
    bench.delete_test(test).await;
}
