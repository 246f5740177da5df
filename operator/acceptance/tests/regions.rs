//! One test over five clusters, one after the other, because each test has all of them.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "test code: a failure is a panic with a message"
)]

use std::time::{Duration, Instant};

use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use volley_acceptance::bench::{WORKER_NAMESPACE, condition, reason};
use volley_acceptance::{Bench, Region, manifests, witness};
use volley_api::{LoadTestRun, labels};
use volley_storage::documents::ResultDocument;
use volley_storage::keys;

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
    let places: Vec<_> = std::iter::once("local")
        .chain(regions.iter().map(|region| region.name.as_str()))
        .map(|name| (name, 4))
        .collect();
    let address = bench.target_address().await;
    bench.apply(&manifests::over_regions(test, &address, "20s", &places, "")).await;
    let began = Instant::now();
    let run = bench.wait_finished(test, Duration::from_mins(8)).await;
    println!("five-regions: finished {:?} after apply", began.elapsed());
    assert_eq!(reason(&run, "Succeeded").expect("the condition is there").0, "Completed", "{:?}", run.status);
    let uid = run.uid().expect("a uid");
    let storage = bench.storage().await;
    let (document, _) = storage
        .objects
        .get_document::<ResultDocument>(&keys::result(&uid))
        .await
        .expect("the result can be read")
        .expect("result.json is there");
    assert_eq!(document.regions.len(), 5);
    for region in &document.regions {
        assert_eq!((region.workers.started, region.workers.complete), (4, 4), "{}", region.target);
        println!("{}: {}", region.target, serde_json::to_string(&region.workers).expect("JSON"));
    }
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
