//! The operator dies in the middle of a run. A test file of its own: cargo runs files one after the other, so that no other
//! test loses its operator.
#![allow(clippy::expect_used, reason = "test code: a failure is a panic with a message")]

use std::time::Duration;

use kube::ResourceExt;
use volley_acceptance::bench::{condition, reason};
use volley_acceptance::{Bench, manifests};
use volley_api::LoadTestRun;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster with Volley: `make test` prepares it"]
async fn a_run_whose_operator_is_killed_ends_as_if_nothing_had_happened() {
    let bench = Bench::connect().await;
    let test = "killed-operator";
    bench.apply(&manifests::locust(test, manifests::VISITOR, "12s", "Once")).await;
    let running = |run: &LoadTestRun| condition(run, "Started") == Some("True");
    let before = bench.wait_for_run(test, Duration::from_mins(1), "started", running).await;
    bench.kill_the_operator().await;
    let run = bench.wait_finished(test, Duration::from_mins(2)).await;
    assert_eq!(reason(&run, "Succeeded").expect("the condition is there").0, "Completed");
    assert_eq!(bench.runs(test).await.len(), 1, "no second run");
    let (old, new) = (before.status.expect("a status"), run.status.clone().expect("a status"));
    assert_eq!(old.start_at, new.start_at, "the instant is the one that was decided");
    let coverage = new.result.expect("a result").coverage;
    assert!(coverage.complete && coverage.workers_measured == 2, "{coverage:?}");
    bench.assert_nothing_left(&run.uid().expect("a uid")).await;
    bench.delete_test(test).await;
}
