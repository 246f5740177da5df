//! The operator dies in the middle of a run. A test file of its own: cargo runs files one after the other, so that no other
//! test loses its operator.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "test code: a failure is a panic with a message"
)]

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use volley_acceptance::bench::{OPERATOR_NAMESPACE, condition, reason};
use volley_acceptance::{Bench, manifests};
use volley_api::LoadTestRun;

/// Kills the operator's process with SIGKILL, from outside, and says which container it was.
async fn kill_the_operator(bench: &Bench) -> String {
    let pods: Api<Pod> = Api::namespaced(bench.client.clone(), OPERATOR_NAMESPACE);
    let selector = ListParams::default().labels("app.kubernetes.io/component=operator");
    let pod = pods.list(&selector).await.expect("pods can be listed").items.pop().expect("the operator runs");
    let statuses = pod.status.and_then(|status| status.container_statuses).expect("the pod has containers");
    let container = statuses[0].container_id.clone().expect("the container runs");
    let id = container.rsplit('/').next().expect("an id").to_owned();
    let mut killed = 0;
    for entry in std::fs::read_dir("/proc").expect("this test runs on the node's machine") {
        let path = entry.expect("readable").path();
        let Some(pid) = path
            .file_name()
            .and_then(|name| name.to_str())
            .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        else {
            continue;
        };
        let of_container = std::fs::read_to_string(path.join("cgroup")).is_ok_and(|groups| groups.contains(&id));
        let command = std::fs::read(path.join("cmdline")).unwrap_or_default();
        if of_container && command.windows(8).any(|window| window == b"operator") {
            let status = std::process::Command::new("kill").args(["-KILL", pid]).status().expect("kill can be started");
            killed += i32::from(status.success());
        }
    }
    assert_eq!(killed, 1, "exactly one process is the operator");
    container
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster with Volley: `make test` prepares it"]
async fn a_run_whose_operator_is_killed_ends_as_if_nothing_had_happened() {
    let bench = Bench::connect().await;
    let test = "killed-operator";
    bench.apply(&manifests::locust(test, manifests::VISITOR, "12s", "Once")).await;
    let running = |run: &LoadTestRun| condition(run, "Started") == Some("True");
    let before = bench.wait_for_run(test, Duration::from_mins(1), "started", running).await;
    kill_the_operator(&bench).await;
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
