//! One test over five clusters, one after the other, because each test has all of them.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "test code: a failure is a panic with a message"
)]

use std::time::{Duration, Instant};

use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};
use volley_acceptance::bench::{Storage, WORKER_NAMESPACE, condition, reason};
use volley_acceptance::{Bench, Region, manifests, witness};
use volley_api::{LoadTestRun, labels};
use volley_storage::documents::{ResultDocument, StartDecision};
use volley_storage::keys;

/// Release skew of the 99th percentile that is still one start, in microseconds.
const ONE_START_US: u64 = 100_000;

/// The hub's own cluster and all regions, each with as many workers.
fn everywhere(regions: &[Region], workers: u32) -> Vec<(&str, u32)> {
    let names = regions.iter().map(|region| region.name.as_str());
    std::iter::once("local").chain(names).map(|name| (name, workers)).collect()
}

async fn document(storage: &Storage, run_uid: &str) -> ResultDocument {
    let found = storage.objects.get_document(&keys::result(run_uid)).await.expect("the result can be read");
    found.expect("result.json is there").0
}

/// Insists that the workers began as one, within the known distances of their clocks from the storage's.
fn assert_one_start(document: &ResultDocument) {
    let mut skews: Vec<u64> =
        document.workers.iter().filter_map(|worker| Some(worker.release_skew_us?.unsigned_abs())).collect();
    skews.sort_unstable();
    let started = document.workers_total.started as usize;
    assert_eq!(skews.len(), started, "each started worker says when it began");
    let p99_us = skews[(started * 99).div_ceil(100) - 1];
    assert!(p99_us <= ONE_START_US, "release skew p99 is {p99_us} us: {skews:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs several clusters: `make test-full PART=regions` prepares them"]
async fn five_regions_at_20_to_180_ms_start_at_one_instant_and_have_one_truth() {
    let bench = Bench::connect().await;
    let regions = Region::all().await;
    // A round trip takes twice that.
    for (region, delay) in regions.iter().zip([10, 30, 60, 90]) {
        region.far(Duration::from_millis(delay));
    }
    let test = "five-regions";
    let places = everywhere(&regions, 4);
    let address = bench.target_address().await;
    bench.apply(&manifests::over_regions(test, &address, "20s", &places, "")).await;
    let began = Instant::now();
    let run = bench.wait_finished(test, Duration::from_mins(8)).await;
    println!("five-regions: finished {:?} after apply", began.elapsed());
    assert_eq!(reason(&run, "Succeeded").expect("the condition is there").0, "Completed", "{:?}", run.status);
    let uid = run.uid().expect("a uid");
    let storage = bench.storage().await;
    let document = document(&storage, &uid).await;
    assert_eq!(document.regions.len(), 5);
    for region in &document.regions {
        assert_eq!((region.workers.started, region.workers.complete), (4, 4), "{}", region.target);
        println!(
            "{}: release {}, first sample {}",
            region.target,
            serde_json::to_string(&region.release_skew).expect("JSON"),
            serde_json::to_string(&region.first_sample_skew).expect("JSON")
        );
    }
    assert_one_start(&document);
    let samples = witness::raw_samples(&storage.objects, &uid).await;
    let totals = &document.totals;
    assert_eq!(samples.len() as u64, totals.requests + totals.interrupted, "every raw sample is in the result");
    if totals.interrupted == 0 {
        witness::assert_percentiles(totals, &samples, "all regions");
    }
    bench.delete_test(test).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs several clusters: `make test-full PART=regions` prepares them"]
async fn two_hubs_over_one_region_leave_each_others_objects_alone() {
    let first = Bench::connect().await;
    let second_hub = Region::connect("sydney").await;
    let shared = Region::connect("tokyo").await;
    let second = Bench::connect_to(second_hub.kubeconfig.clone()).await;
    let address = first.target_address().await;
    // The same name in both: only the installation and the uid tell their objects apart.
    let test = "shared-region";
    first.apply(&manifests::over_regions(test, &address, "40s", &[("tokyo", 2)], "")).await;
    second.apply(&manifests::over_regions(test, &address, "5s", &[("tokyo", 1)], "")).await;
    let running = |run: &LoadTestRun| condition(run, "Started") == Some("True");
    let long = first.wait_for_run(test, Duration::from_mins(3), "started", running).await;
    let short = second.wait_finished(test, Duration::from_mins(3)).await;
    assert_eq!(reason(&short, "Succeeded").expect("the condition is there").0, "Completed");
    second.delete_test(test).await;
    // A run holds on until its Jobs are gone; nothing else may take them away.
    second.wait_gone(test, Duration::from_mins(2)).await;
    let jobs: Api<Job> = Api::namespaced(shared.client.clone(), WORKER_NAMESPACE);
    let of =
        |run: &LoadTestRun| ListParams::default().labels(&format!("{}={}", labels::RUN_UID, run.uid().expect("a uid")));
    assert!(
        jobs.list(&of(&short)).await.expect("Jobs can be listed").items.is_empty(),
        "the second hub cleaned its own"
    );
    assert_eq!(jobs.list(&of(&long)).await.expect("Jobs can be listed").items.len(), 1, "and nothing of the first");
    let long = first.wait_finished(test, Duration::from_mins(3)).await;
    assert_eq!(reason(&long, "Succeeded").expect("the condition is there").0, "Completed");
    let result = long.status.and_then(|status| status.result).expect("a result");
    assert!(result.coverage.complete && result.coverage.workers_measured == 2, "{:?}", result.coverage);
    first.delete_test(test).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs several clusters: `make test-full PART=regions` prepares them"]
async fn a_region_that_never_gets_ready_ends_the_run_without_load_or_is_left_out_and_named_everywhere() {
    let bench = Bench::connect().await;
    let regions = Region::all().await;
    let address = bench.target_address().await;
    let places = everywhere(&regions, 1);
    let missing = regions.iter().find(|region| region.name == "tokyo").expect("tokyo is a region");
    let full = missing.full();
    let storage = bench.storage().await;

    let test = "all-or-none";
    let policy = "  start: {timeout: 60s, onMissingRegion: Fail}\n";
    bench.apply(&manifests::over_regions(test, &address, "10s", &places, policy)).await;
    let run = bench.wait_finished(test, Duration::from_mins(4)).await;
    let (why, words) = reason(&run, "Succeeded").expect("the condition is there");
    assert_eq!(why, "StartTimedOut", "{words}");
    assert!(words.contains("tokyo"), "{words}");
    let uid = run.uid().expect("a uid");
    let start = storage.objects.get_document::<StartDecision>(&keys::start(&uid)).await.expect("the storage answers");
    assert!(start.is_none(), "nobody decided to start: {start:?}");
    assert!(run.status.and_then(|status| status.result).is_none_or(|result| result.requests == 0), "no load anywhere");
    bench.delete_test(test).await;

    let test = "with-four";
    let policy = "  start: {timeout: 60s, onMissingRegion: Continue}\n";
    bench.apply(&manifests::over_regions(test, &address, "10s", &places, policy)).await;
    let run = bench.wait_finished(test, Duration::from_mins(5)).await;
    drop(full);
    let (_, words) = reason(&run, "Succeeded").expect("the condition is there");
    assert!(words.contains("tokyo"), "the condition names it: {words}");
    let uid = run.uid().expect("a uid");
    let document = document(&storage, &uid).await;
    let ran: Vec<_> = document.regions.iter().filter(|region| region.left_out.is_none()).collect();
    assert_eq!(ran.len(), 4);
    assert!(ran.iter().all(|region| region.workers.complete == 1 && region.figures.requests > 0), "{ran:?}");
    let left_out = document.regions.iter().find(|region| region.target == "tokyo").expect("tokyo is in the result");
    assert!(left_out.left_out.is_some() && left_out.figures.requests == 0, "{left_out:?}");
    assert!(document.warnings.iter().any(|warning| warning.contains("tokyo")), "{:?}", document.warnings);
    let status = run.status.as_ref().expect("a status");
    let region = status.regions.iter().find(|region| region.target == "tokyo").expect("tokyo is in the status");
    assert!(region.message.as_deref().is_some_and(|text| text.contains("takes no part")), "{region:?}");
    let printed = bench.volley(&["result", &run.name_any()], None).await;
    assert!(printed.output.contains("tokyo (did not run)"), "{}", printed.output);
    bench.delete_test(test).await;
}

/// The API server refuses to record the start of these runs, as long as this is there.
fn refusal(test: &str) -> (ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding) {
    let policy = serde_json::json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": test},
        "spec": {
            "matchConstraints": {"resourceRules": [{
                "apiGroups": ["volley.dev"], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": ["loadtestruns/status"],
            }]},
            "matchConditions": [{"name": "of-the-test", "expression": format!("object.spec.loadTest == '{test}'")}],
            "validations": [{"expression": "!has(object.status.startAt)", "message": "the test refuses to record the start"}],
        },
    });
    let binding = serde_json::json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": test},
        "spec": {"policyName": test, "validationActions": ["Deny"]},
    });
    (serde_json::from_value(policy).expect("a policy"), serde_json::from_value(binding).expect("a binding"))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs several clusters: `make test-full PART=regions` prepares them"]
async fn an_operator_killed_between_deciding_and_recording_the_start_keeps_to_the_one_instant() {
    let bench = Bench::connect().await;
    let regions = Region::all().await;
    let address = bench.target_address().await;
    let test = "decided";
    let (policy, binding) = refusal(test);
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(bench.client.clone());
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(bench.client.clone());
    policies.create(&kube::api::PostParams::default(), &policy).await.expect("a policy can be made");
    bindings.create(&kube::api::PostParams::default(), &binding).await.expect("a binding can be made");
    let storage = bench.storage().await;
    bench.apply(&manifests::over_regions(test, &address, "20s", &everywhere(&regions, 1), "")).await;
    let run = bench.wait_for_run(test, Duration::from_mins(1), "is there", |_| true).await;
    let uid = run.uid().expect("a uid");
    let began = Instant::now();
    let decided = loop {
        if let Some((decision, _)) =
            storage.objects.get_document::<StartDecision>(&keys::start(&uid)).await.expect("the storage answers")
        {
            break decision.start_at;
        }
        assert!(began.elapsed() < Duration::from_mins(3), "no start is decided");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let recorded = |run: &LoadTestRun| run.status.as_ref().and_then(|status| status.start_at.clone());
    let newest = bench.runs(test).await.pop().expect("the run");
    assert_eq!(recorded(&newest), None, "decided and not recorded");
    bench.kill_the_operator().await;
    bindings.delete(test, &DeleteParams::default()).await.expect("the binding can be deleted");
    policies.delete(test, &DeleteParams::default()).await.expect("the policy can be deleted");

    let run = bench.wait_finished(test, Duration::from_mins(4)).await;
    assert_eq!(reason(&run, "Succeeded").expect("the condition is there").0, "Completed", "{:?}", run.status);
    assert_eq!(bench.runs(test).await.len(), 1, "no second run");
    assert!(recorded(&run).is_some(), "the new operator has recorded it");
    let document = document(&storage, &uid).await;
    assert_eq!(document.start_at, Some(decided), "the instant is the one that was decided");
    assert!(
        document.regions.iter().all(|region| region.workers.complete == 1),
        "all regions ran: {:?}",
        document.regions
    );
    assert_one_start(&document);
    bench.delete_test(test).await;
}
