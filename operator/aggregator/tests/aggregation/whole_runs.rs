//! Whole aggregations against the embedded storage: the real protocols over 127.0.0.1.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::{conditions, wait};
use kube::{Client, Config, ResourceExt};
use proptest::prelude::*;
use volley_aggregator::feed::Outlets;
use volley_aggregator::gather::STATISTICS;
use volley_aggregator::measured::Measured;
use volley_aggregator::over_time::over_time;
use volley_aggregator::{AggregateError, Aggregated, Settings, gather, publish, result, status};
use volley_api::LoadTestRun;
use volley_api::crd::{Kind, crd};
use volley_api::load_test_run::Verdict;
use volley_stats::{Collection, Series};
use volley_storage::documents::{
    CloseDecision, ClosedWorker, Definition, LateWorkers, ResultDocument, StartDecision, WorkerState,
};
use volley_storage::embedded::Server;
use volley_storage::keys::{self, WorkerAttempt};
use volley_storage::objects::{PutOptions, encode_document, sha256_hex};
use volley_storage::{FailureClass, ObjectStore};

use crate::fixtures::{RUN, Recorded, Request, at, attempt, collection, definition, manifest, recorded, request};

/// A storage with one run in it.
pub(crate) struct Bench {
    _folder: tempfile::TempDir,
    pub(crate) server: Server,
    pub(crate) store: ObjectStore,
    pub(crate) definition: Definition,
    pub(crate) close: CloseDecision,
}

impl Bench {
    pub(crate) async fn new(regions: &[(&str, u32)]) -> Self {
        Self::of(definition(regions)).await
    }

    pub(crate) async fn of(definition: Definition) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start_on_free_ports(folder.path()).await.unwrap();
        let store = server.objects();
        store.put_document(&keys::definition(RUN), &definition).await.unwrap();
        let start = StartDecision {
            version: 1,
            start_at: at(0),
            regions: definition.regions.iter().map(|region| region.target.clone()).collect(),
            late_workers: LateWorkers::Refuse,
            left_out: [].into(),
        };
        store.put_document(&keys::start(RUN), &start).await.unwrap();
        Self { _folder: folder, server, store, definition, close: crate::fixtures::close(Vec::new()) }
    }

    /// Uploads as a worker does, with the run's own key.
    pub(crate) async fn worker(&mut self, attempt: &WorkerAttempt, recorded: &Recorded) {
        let store = self.server.objects_of_run(RUN);
        let objects = recorded.objects();
        for (name, bytes) in &objects {
            store.put(&attempt.object(RUN, name), bytes.clone(), PutOptions::default()).await.unwrap();
        }
        let manifest = manifest(attempt, &recorded.collection, &objects);
        store.put_document_once(&attempt.manifest(RUN), &manifest).await.unwrap();
        let digest = sha256_hex(&encode_document("", &manifest).unwrap());
        self.close.workers.push(ClosedWorker {
            target: attempt.target.clone(),
            index: attempt.index,
            pod_uid: Some(attempt.pod_uid.clone()),
            manifest: Some(digest),
            reason: None,
        });
    }

    pub(crate) async fn aggregate(&self) -> Result<Aggregated, AggregateError> {
        self.store.put_document(&keys::close(RUN), &self.close).await.unwrap();
        self.run().await
    }

    pub(crate) async fn run(&self) -> Result<Aggregated, AggregateError> {
        let settings =
            Settings { run_uid: RUN.into(), patience: Some(Duration::from_secs(1)), outlets: Outlets::default() };
        volley_aggregator::run(settings, self.store.clone(), self.server.results(), None, std::future::pending()).await
    }

    /// Lists a worker without a manifest, as the operator does when none is there.
    pub(crate) fn without_manifest(&mut self, target: &str, index: u32, reason: &str) {
        let reason = Some(reason.to_owned());
        self.close.workers.push(ClosedWorker { target: target.into(), index, pod_uid: None, manifest: None, reason });
    }

    pub(crate) async fn bytes(&self, key: &str) -> Vec<u8> {
        self.store.get(key, 1 << 30).await.unwrap().unwrap_or_else(|| panic!("{key} is not there")).to_vec()
    }
}

/// Requests over many labels, different for each worker.
fn many_labels(worker: i64) -> Vec<Request> {
    (0_i64..450)
        .flat_map(|label| {
            (0..3).map(move |number| {
                let elapsed_us = 1_000 + label.unsigned_abs() * 37 + number * 1_001_u64 + worker.unsigned_abs() * 13;
                request(&format!("page {}", label + worker * 25), label * 10, elapsed_us, number != 2 || label % 7 != 0)
            })
        })
        .collect()
}

#[tokio::test]
async fn aggregating_twice_gives_the_same_bytes_and_one_item() {
    let mut bench = Bench::new(&[("eu", 2), ("us", 1)]).await;
    for (number, (target, index)) in [("eu", 0), ("eu", 1), ("us", 0)].into_iter().enumerate() {
        let requests = many_labels(i64::try_from(number).unwrap());
        bench.worker(&attempt(target, index), &recorded(&requests)).await;
    }
    let first = bench.aggregate().await.unwrap();
    let keys = [
        keys::result(RUN),
        keys::histograms(RUN),
        keys::region_histograms(RUN, "eu"),
        keys::region_histograms(RUN, "us"),
        keys::series(RUN),
        keys::region_series(RUN, "eu"),
    ];
    let mut before = Vec::new();
    for key in &keys {
        before.push(bench.bytes(key).await);
    }

    let second = bench.run().await.unwrap();
    assert_eq!(first, second);
    for (key, before) in keys.iter().zip(before) {
        assert!(bench.bytes(key).await == before, "{key} has other bytes the second time");
    }
    let run = &bench.definition.run;
    let page = bench.server.results().list_runs("volley", "shop", "checkout", 10, None).await.unwrap();
    assert_eq!(page.runs.len(), 1);
    let item = bench.server.results().get_run("volley", run).await.unwrap().unwrap();
    assert_eq!(item.summary.totals.requests, 3 * 450 * 3);
    let rows = bench.server.results().get_rows("volley", RUN).await.unwrap();
    assert_eq!(rows.regions.len(), 2);
}

#[tokio::test]
async fn what_is_written_is_what_one_merge_of_everything_gives() {
    let mut bench = Bench::new(&[("eu", 2), ("us", 1)]).await;
    let (mut collections, mut series) = (Vec::new(), Vec::new());
    for (number, (target, index)) in [("eu", 0), ("eu", 1), ("us", 0)].into_iter().enumerate() {
        let recorded = recorded(&many_labels(i64::try_from(number).unwrap()));
        bench.worker(&attempt(target, index), &recorded).await;
        collections.push((target.to_owned(), recorded.collection));
        series.push(recorded.series);
    }
    let aggregated = bench.aggregate().await.unwrap();
    let mut whole = Collection::default();
    for (_, collection) in &collections {
        whole.merge(collection);
    }
    assert!(bench.bytes(&keys::histograms(RUN)).await == volley_stats::file::encode(&whole));
    let mut eu = collections[0].1.clone();
    eu.merge(&collections[1].1);
    assert!(bench.bytes(&keys::region_histograms(RUN, "eu")).await == volley_stats::file::encode(&eu));

    let mut all = Series::default();
    for series in &series {
        all.merge(series);
    }
    assert!(bench.bytes(&keys::series(RUN)).await == all.encode());
    let mut eu = series[0].clone();
    eu.merge(&series[1]);
    assert!(bench.bytes(&keys::region_series(RUN, "eu")).await == eu.encode());

    let document: ResultDocument = serde_json::from_slice(&bench.bytes(&keys::result(RUN)).await).unwrap();
    assert_eq!(document, aggregated.document);
    assert_eq!(document.labels, Measured::of(&collections).labels);
    assert_eq!(document.totals.requests, whole.total().requests());
    assert_eq!(document.verdict, Verdict::NotJudged);
    let expected = [over_time(None, &all), over_time(Some("eu"), &eu), over_time(Some("us"), &series[2])];
    assert_eq!(document.series, expected);
    // 450 labels, one each 10 ms; three requests each, of at most 20 ms.
    assert_eq!(document.series[0].seconds.len(), 5);
    assert_eq!(document.series[0].requests.iter().sum::<u64>(), document.totals.requests);
    assert_eq!(document.series[0].errors.iter().sum::<u64>(), document.totals.errors);
    assert_eq!(document.warnings, Vec::<String>::new());
    assert_eq!(aggregated.summary.location, format!("s3://volley-test/{}", keys::result(RUN)));
    assert_eq!(aggregated.summary.labels.len(), 20);
}

#[tokio::test]
async fn files_that_do_not_fit_the_cache_are_read_by_range_with_the_same_outcome() {
    let mut bench = Bench::new(&[("eu", 2)]).await;
    for index in 0..2 {
        bench.worker(&attempt("eu", index), &recorded(&many_labels(i64::from(index)))).await;
    }
    bench.aggregate().await.unwrap();
    let mut merged = Vec::new();
    for cache_bytes in [0, u64::MAX] {
        let mut outcomes = gather::workers::outcomes(&bench.store, RUN, &bench.close.workers, &[]).await.unwrap();
        let outputs = || publish::temporary_outputs(&bench.definition);
        let (measured, _) =
            gather::statistics::merge(&bench.store, RUN, &mut outcomes, &BTreeSet::new(), cache_bytes, outputs)
                .await
                .unwrap();
        merged.push(measured);
    }
    assert_eq!(merged[0], merged[1]);
    assert_eq!(merged[0].whole.total.requests(), 2 * 450 * 3);
}

#[tokio::test]
async fn a_damaged_object_makes_a_lost_worker_with_a_reason_and_keeps_the_others() {
    let mut bench = Bench::new(&[("eu", 5)]).await;
    let measured = recorded(&[request("home", 0, 5_000, true)]);
    for index in 0..5 {
        bench.worker(&attempt("eu", index), &measured).await;
    }
    // 1: other statistics than the manifest says. 2: no statistics. 3: another manifest than the list says. 4: no manifest.
    let other = volley_stats::file::encode(&collection(&[request("home", 0, 6_000, true)]));
    bench.store.put(&attempt("eu", 1).object(RUN, STATISTICS), other, PutOptions::default()).await.unwrap();
    bench.store.delete(&attempt("eu", 2).object(RUN, STATISTICS)).await.unwrap();
    bench.close.workers[3].manifest = Some("0".repeat(64));
    bench.close.workers[4].pod_uid = None;
    bench.close.workers[4].manifest = None;
    bench.close.workers[4].reason = Some("the pod was evicted".into());

    let document = bench.aggregate().await.unwrap().document;
    assert_eq!(document.totals.requests, 1);
    let states: Vec<_> = document.workers.iter().map(|worker| worker.state).collect();
    assert_eq!(
        states,
        [WorkerState::Complete, WorkerState::Lost, WorkerState::Lost, WorkerState::Lost, WorkerState::Lost]
    );
    let reasons: Vec<_> = document.workers.iter().map(|worker| worker.reason.clone().unwrap_or_default()).collect();
    assert!(reasons[1].contains("SHA-256"), "{}", reasons[1]);
    assert!(reasons[2].contains("is not there"), "{}", reasons[2]);
    assert!(reasons[3].contains("its manifest cannot be used"), "{}", reasons[3]);
    assert_eq!(reasons[4], "the pod was evicted");
    assert_eq!(document.verdict, Verdict::Inconclusive);
    assert_eq!(document.warnings.len(), 4, "{:?}", document.warnings);
}

#[tokio::test]
async fn statistics_with_the_right_digest_but_broken_inside_lose_only_their_worker() {
    let mut bench = Bench::new(&[("eu", 2)]).await;
    let measured = recorded(&[request("home", 0, 5_000, true)]);
    bench.worker(&attempt("eu", 0), &measured).await;
    let mut objects = measured.objects();
    let broken = objects.get_mut(STATISTICS).unwrap();
    // Inside the first record: its outcome's marker.
    broken[8] = 9;
    let attempt = attempt("eu", 1);
    bench.store.put(&attempt.object(RUN, STATISTICS), broken.clone(), PutOptions::default()).await.unwrap();
    let manifest = manifest(&attempt, &measured.collection, &objects);
    let digest = bench.store.put_document(&attempt.manifest(RUN), &manifest).await.unwrap();
    bench.close.workers.push(ClosedWorker {
        target: "eu".into(),
        index: 1,
        pod_uid: Some(attempt.pod_uid.clone()),
        manifest: Some(digest),
        reason: None,
    });
    let document = bench.aggregate().await.unwrap().document;
    assert_eq!(document.totals.requests, 1);
    assert_eq!(document.workers[1].state, WorkerState::Lost);
    let reason = document.workers[1].reason.clone().unwrap();
    assert!(reason.starts_with("its statistics cannot be used: histogram file"), "{reason}");
}

#[tokio::test]
async fn a_run_that_is_never_closed_is_an_error_that_names_it() {
    let bench = Bench::new(&[("eu", 1)]).await;
    let error = bench.run().await.unwrap_err();
    assert_eq!(error.class(), FailureClass::NeedsChange);
    let words = error.to_string();
    assert!(words.contains("control/close.json did not appear within 1 s"), "{words}");
    assert!(words.contains("kubectl describe loadtestrun checkout-1 -n shop"), "{words}");
}

#[tokio::test]
async fn a_run_without_a_definition_is_an_error_that_names_the_variable() {
    let bench = Bench::new(&[("eu", 1)]).await;
    bench.store.delete(&keys::definition(RUN)).await.unwrap();
    let words = bench.run().await.unwrap_err().to_string();
    assert!(words.contains("VOLLEY_RUN_UID is wrong"), "{words}");
}

#[tokio::test]
async fn a_shutdown_ends_waiting_at_once() {
    let bench = Bench::new(&[("eu", 1)]).await;
    let settings = Settings { run_uid: RUN.into(), patience: None, outlets: Outlets::default() };
    let ended = volley_aggregator::run(settings, bench.store.clone(), bench.server.results(), None, async {
        tokio::time::sleep(Duration::from_millis(200)).await;
    })
    .await;
    assert!(matches!(ended, Err(AggregateError::ShutDown)), "{ended:?}");
}

proptest! {
    #[test]
    fn a_closing_within_the_patience_of_any_definition_is_waited_for(timeout_ms in 0_u64..u64::MAX, load_ms in 0_u64..u64::MAX) {
        let mut definition = definition(&[("eu", 1)]);
        definition.start.timeout_ms = timeout_ms;
        definition.max_load_ms = load_ms;
        let patience = gather::documents::patience(&definition);
        prop_assert!(patience >= Duration::from_millis(timeout_ms));
        prop_assert!(patience >= Duration::from_millis(load_ms));
    }
}

/// A client of the tests' API server, and a new run there.
pub(crate) async fn api_server_with_a_run() -> (Client, LoadTestRun) {
    let path = std::env::var("VOLLEY_TEST_KUBECONFIG").expect("VOLLEY_TEST_KUBECONFIG names a kubeconfig");
    let kubeconfig = Kubeconfig::read_from(&path).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let client = Client::try_from(config).unwrap();
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let definition_of_runs = crd(Kind::LoadTestRun).unwrap();
    let parameters = PatchParams::apply("volley-tests").force();
    crds.patch(&definition_of_runs.name_any(), &parameters, &Patch::Apply(&definition_of_runs)).await.unwrap();
    let crd_name = definition_of_runs.name_any();
    let established = wait::await_condition(crds, &crd_name, conditions::is_crd_established());
    tokio::time::timeout(Duration::from_secs(30), established).await.unwrap().unwrap();

    let runs: Api<LoadTestRun> = Api::namespaced(client.clone(), "default");
    let created: LoadTestRun = serde_json::from_value(serde_json::json!({
        "apiVersion": "volley.dev/v1alpha1", "kind": "LoadTestRun",
        "metadata": {"generateName": "aggregated-"}, "spec": {"loadTest": "no-such-test"}
    }))
    .unwrap();
    let created = runs.create(&PostParams::default(), &created).await.unwrap();
    (client, created)
}

#[tokio::test]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn the_status_of_the_run_gets_result_and_live_and_nothing_else() {
    let (client, created) = api_server_with_a_run().await;
    let runs: Api<LoadTestRun> = Api::namespaced(client.clone(), "default");
    let name = created.name_any();

    let measured = Measured::of(&[("eu".to_owned(), collection(&many_labels(0)))]);
    let mut definition = definition(&[("eu", 30)]);
    definition.run.name.clone_from(&name);
    definition.run.namespace = "default".into();
    definition.run.uid = created.uid().unwrap();
    // Thirty lost workers make more warnings than a status holds.
    let document = result::result(&definition, None, &crate::fixtures::close(Vec::new()), &[], &measured, Vec::new());
    let summary = status::summary(&document, "s3://volley/key");
    let live = status::live(&document, at(20));
    publish::run_status(&client, &document.run, &summary, &live).await.unwrap();
    let written = runs.get(&name).await.unwrap();
    let status = written.status.clone().unwrap();
    assert_eq!(status.result.as_ref(), Some(&summary));
    assert_eq!(summary.warnings.len(), 20);
    assert_eq!(status.live.as_ref(), Some(&live));
    let ours: Vec<_> = written
        .managed_fields()
        .iter()
        .filter(|entry| entry.manager.as_deref() == Some("volley-aggregator"))
        .map(|entry| serde_json::to_value(&entry.fields_v1).unwrap())
        .collect();
    let owned: Vec<_> = ours[0]["f:status"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!((ours.len(), owned), (1, vec!["f:live", "f:result"]));

    publish::run_status(&client, &document.run, &summary, &live).await.unwrap();
    assert_eq!(
        runs.get(&name).await.unwrap().resource_version(),
        written.resource_version(),
        "the second write changes nothing"
    );

    let mut other = document.clone();
    other.run.uid = "another-run".into();
    other.totals.requests += 1;
    let changed = status::summary(&other, "s3://volley/other");
    publish::run_status(&client, &other.run, &changed, &live).await.unwrap();
    assert_eq!(
        runs.get(&name).await.unwrap().status.unwrap().result,
        Some(summary),
        "a run of the same name is left alone"
    );
    runs.delete(&name, &DeleteParams::default()).await.unwrap();
}
