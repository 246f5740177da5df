//! What a run over regions does when one of them goes away. Each test has regions of its own, so several go at once.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "test code: a failure is a panic with a message"
)]

use std::time::{Duration, Instant};

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};
use volley_acceptance::bench::{NAMESPACE, WORKER_NAMESPACE, condition, reason};
use volley_acceptance::{Bench, Region, manifests, regions, witness};
use volley_api::load_test_run::{LoadTestRunStatus, RunResult};
use volley_api::{LoadTest, LoadTestRun, RegionTarget, labels};

const START_LIMIT: Duration = Duration::from_mins(3);

/// Where workers reach the storage.
fn storage_address() -> String {
    format!("{}:30900", regions::node_address("hub"))
}

/// Applies a test and waits until its load runs.
async fn start(bench: &Bench, test: &str, hold_for: &str, places: &[(&str, u32)], policy: &str) -> LoadTestRun {
    let address = bench.target_address().await;
    bench.apply(&manifests::over_regions(test, &address, hold_for, places, policy)).await;
    let running = |run: &LoadTestRun| condition(run, "Started") == Some("True");
    bench.wait_for_run(test, START_LIMIT, "started", running).await
}

fn result(run: &LoadTestRun) -> &RunResult {
    run.status.as_ref().and_then(|status| status.result.as_ref()).expect("a finished run has a result")
}

fn message_of_region<'a>(status: &'a LoadTestRunStatus, target: &str) -> Option<&'a str> {
    status.regions.iter().find(|region| region.target == target)?.message.as_deref()
}

/// Insists that the run is complete and that its requests are all of the workers' raw samples.
async fn assert_complete(bench: &Bench, run: &LoadTestRun, workers: i64) {
    assert_eq!(reason(run, "Succeeded").map(|found| found.0).as_deref(), Some("Completed"), "{:?}", run.status);
    assert_complete_result(run, workers);
    let storage = bench.storage().await;
    let samples = witness::raw_samples(&storage.objects, &run.uid().expect("a uid")).await;
    assert_eq!(i64::try_from(samples.len()), Ok(result(run).requests), "every raw sample is in the result");
}

/// Waits until nothing of a run is in a region.
async fn assert_nothing_left(region: &Region, run_uid: &str, limit: Duration) {
    let jobs: Api<Job> = Api::namespaced(region.client.clone(), WORKER_NAMESPACE);
    let selector = ListParams::default().labels(&format!("{}={run_uid}", labels::RUN_UID));
    let began = Instant::now();
    while !jobs.list(&selector).await.expect("Jobs can be listed").items.is_empty() {
        assert!(began.elapsed() < limit, "the Job of {run_uid} is still in {} after {limit:?}", region.name);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs several clusters: `make test-full PART=regions` prepares them"]
async fn a_region_whose_api_server_is_away_or_refuses_us_goes_on_and_is_complete() {
    let bench = Bench::connect().await;
    let region = Region::connect("ashburn").await;
    let places = [("local", 1), ("ashburn", 2)];

    let run = start(&bench, "api-away", "190s", &places, "").await;
    region.cut_api_server();
    let told = |run: &LoadTestRun| {
        run.status.as_ref().and_then(|status| message_of_region(status, "ashburn")).is_some_and(|text| !text.is_empty())
    };
    bench.wait_for_run("api-away", Duration::from_mins(2), "says that ashburn is away", told).await;
    tokio::time::sleep(Duration::from_mins(2)).await;
    region.mend();
    let uid = run.uid().expect("a uid");
    let run = bench.wait_finished("api-away", Duration::from_mins(4)).await;
    assert_complete(&bench, &run, 3).await;
    assert_nothing_left(&region, &uid, Duration::from_mins(3)).await;
    bench.delete_test("api-away").await;

    start(&bench, "revoked", "30s", &places, "").await;
    // The token's Secret goes, and with it the token.
    let secrets: Api<Secret> = Api::namespaced(region.client.clone(), "volley-region");
    let secret = secrets.get("volley-hub").await.expect("the token's Secret is there");
    secrets.delete("volley-hub", &DeleteParams::default()).await.expect("it can be deleted");
    let run = bench.wait_for_run("revoked", Duration::from_mins(2), "says that ashburn refuses us", told).await;
    let message = run.status.as_ref().and_then(|status| message_of_region(status, "ashburn").map(str::to_owned));
    println!("revoked: {message:?}");
    let run = bench
        .wait_for_run("revoked", Duration::from_mins(5), "has its result", |run| {
            run.status.as_ref().is_some_and(|status| status.result.is_some())
        })
        .await;
    assert_complete_result(&run, 3);
    // A new token, as docs/users/add-a-region.md makes it, brings the region back and the Job goes.
    let fresh = Secret {
        metadata: kube::api::ObjectMeta {
            name: secret.metadata.name,
            annotations: secret.metadata.annotations,
            labels: secret.metadata.labels,
            ..Default::default()
        },
        type_: secret.type_,
        ..Default::default()
    };
    secrets.create(&kube::api::PostParams::default(), &fresh).await.expect("a token can be made");
    renew_kubeconfig(&bench, &region).await;
    assert_nothing_left(&region, &run.uid().expect("a uid"), Duration::from_mins(5)).await;
    bench.delete_test("revoked").await;
}

fn assert_complete_result(run: &LoadTestRun, workers: i64) {
    let coverage = &result(run).coverage;
    assert!(coverage.complete && coverage.workers_measured == workers, "{coverage:?}: {:?}", result(run).warnings);
}

/// Puts the region's present token into the hub's Secret.
async fn renew_kubeconfig(bench: &Bench, region: &Region) {
    let token = loop {
        let token =
            region.kubectl(&["get", "secret", "volley-hub", "-n", "volley-region", "-o", "jsonpath={.data.token}"]);
        if !token.is_empty() {
            break token;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let name = format!("region-{}", region.name);
    let get = ["get", "secret", &name, "-n", "volley-system", "-o", "jsonpath={.data.kubeconfig}"];
    let old = decode(&bench.kubectl(&get, None).await.output);
    let (before, rest) = old.split_once("token: \"").expect("the kubeconfig has a token");
    let (_, after) = rest.split_once('"').expect("the token ends");
    let renewed = format!("{before}token: \"{}\"{after}", decode(&token));
    let patch = serde_json::json!({"stringData": {"kubeconfig": renewed}}).to_string();
    let outcome = bench.kubectl(&["patch", "secret", &name, "-n", "volley-system", "-p", &patch], None).await;
    assert_eq!(outcome.code, 0, "{}", outcome.errors);
}

/// Base64 as the API server writes it.
fn decode(text: &str) -> String {
    let bytes: k8s_openapi::ByteString =
        serde_json::from_value(serde_json::Value::String(text.trim().to_owned())).expect("base64");
    String::from_utf8(bytes.0).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs several clusters: `make test-full PART=regions` prepares them"]
async fn a_region_without_storage_for_a_minute_loses_nothing_and_one_that_is_deleted_while_away_is_swept() {
    let bench = Bench::connect().await;
    let region = Region::connect("dublin").await;
    let places = [("local", 1), ("dublin", 2)];

    start(&bench, "storage-away", "90s", &places, "").await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    region.cut_from(&storage_address());
    tokio::time::sleep(Duration::from_mins(1)).await;
    region.mend();
    let run = bench.wait_finished("storage-away", Duration::from_mins(4)).await;
    assert_complete(&bench, &run, 3).await;
    bench.delete_test("storage-away").await;

    let run = start(&bench, "gone", "300s", &places, "").await;
    let uid = run.uid().expect("a uid");
    region.cut_off();
    let tests: Api<LoadTest> = Api::namespaced(bench.client.clone(), NAMESPACE);
    let began = Instant::now();
    tests.delete("gone", &DeleteParams::default()).await.expect("a test can be deleted");
    bench.wait_gone("gone", Duration::from_mins(5)).await;
    println!("gone: the run left {:?} after its test was deleted", began.elapsed());
    wait_for_leftovers(&bench, "dublin", "True").await;
    region.mend();
    assert_nothing_left(&region, &uid, Duration::from_mins(5)).await;
    wait_for_leftovers(&bench, "dublin", "False").await;
}

async fn wait_for_leftovers(bench: &Bench, target: &str, wanted: &str) {
    let targets: Api<RegionTarget> = Api::all(bench.client.clone());
    let began = Instant::now();
    loop {
        let found = targets.get(target).await.expect("the RegionTarget is there");
        let conditions = found.status.map(|status| status.conditions).unwrap_or_default();
        let leftovers = conditions.iter().find(|condition| condition.type_ == "Leftovers");
        if leftovers.map_or("False", |condition| condition.status.as_str()) == wanted {
            return;
        }
        assert!(began.elapsed() < Duration::from_mins(3), "Leftovers of {target} is not {wanted}: {conditions:?}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs several clusters: `make test-full PART=regions` prepares them"]
async fn a_region_without_storage_for_ever_stops_its_load_and_is_said_to_be_lost_or_partial() {
    let bench = Bench::connect().await;
    let region = Region::connect("tokyo").await;
    start(&bench, "storage-gone", "420s", &[("local", 1), ("tokyo", 2)], "").await;
    tokio::time::sleep(Duration::from_secs(45)).await;
    region.cut_from(&storage_address());
    let cut_at = Instant::now();
    // The worker's own guard ends the load 5 minutes after its last contact, long before the planned end.
    let pods: Api<Pod> = Api::namespaced(region.client.clone(), WORKER_NAMESPACE);
    let run = bench.runs("storage-gone").await.pop().expect("a run");
    let selector = ListParams::default().labels(&format!("{}={}", labels::RUN_UID, run.uid().expect("a uid")));
    loop {
        let pods = pods.list(&selector).await.expect("pods can be listed");
        let engines: usize = pods
            .iter()
            .map(|pod| {
                let name = pod.name_any();
                region
                    .kubectl(&[
                        "exec",
                        &name,
                        "-n",
                        WORKER_NAMESPACE,
                        "-c",
                        "taurus",
                        "--",
                        "cat",
                        "/proc/1/task/1/children",
                    ])
                    .split_whitespace()
                    .count()
            })
            .sum();
        if engines == 0 {
            break;
        }
        assert!(cut_at.elapsed() < Duration::from_mins(7), "{engines} engines still run");
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    println!("storage-gone: no engine runs {:?} after the cut", cut_at.elapsed());
    let run = bench.wait_finished("storage-gone", Duration::from_mins(6)).await;
    let result = result(&run);
    let tokyo = result.regions.iter().find(|region| region.target == "tokyo").expect("tokyo is in the result");
    assert_eq!(tokyo.lost + tokyo.partial, 2, "{tokyo:?}");
    assert!(!result.coverage.complete && result.coverage.workers_measured >= 1, "{:?}", result.coverage);
    assert!(result.warnings.iter().any(|warning| warning.contains("tokyo")), "{:?}", result.warnings);
    bench.delete_test("storage-gone").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs several clusters: `make test-full PART=regions` prepares them"]
async fn a_run_that_loses_workers_of_a_region_stops_and_keeps_its_results() {
    let bench = Bench::connect().await;
    let region = Region::connect("sydney").await;
    let policy = "  healthyPercent: 90\n";
    let run = start(&bench, "workers-lost", "180s", &[("local", 1), ("sydney", 10)], policy).await;
    // A worker that vanishes leaves its last checkpoint, at most 30 s old.
    tokio::time::sleep(Duration::from_secs(40)).await;
    let pods: Api<Pod> = Api::namespaced(region.client.clone(), WORKER_NAMESPACE);
    let selector = ListParams::default().labels(&format!("{}={}", labels::RUN_UID, run.uid().expect("a uid")));
    let victims: Vec<_> =
        pods.list(&selector).await.expect("pods can be listed").iter().map(ResourceExt::name_any).take(3).collect();
    for victim in &victims {
        pods.delete(victim, &DeleteParams::default().grace_period(0)).await.expect("a pod can be killed");
    }
    let killed = Instant::now();
    let run = bench.wait_finished("workers-lost", Duration::from_mins(4)).await;
    println!("workers-lost: finished {:?} after three of ten pods were killed", killed.elapsed());
    assert_eq!(reason(&run, "Succeeded").expect("the condition is there").0, "WorkersLost");
    let result = result(&run);
    assert!(result.requests > 0, "what ran is kept");
    let sydney = result.regions.iter().find(|region| region.target == "sydney").expect("sydney is in the result");
    assert!(sydney.partial >= 3 && sydney.lost == 0, "the killed workers' checkpoints are in the result: {sydney:?}");
    bench.delete_test("workers-lost").await;
}
