//! What tools that sync from Git do with manifests: apply them again and again, look for drift, and wait for objects to settle.

use std::time::Duration;

use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};
use volley_api::{LoadTest, LoadTestRun, RegionTarget};

use super::harness::{Harness, eventually};
use super::{ConditionType, SOON, condition};

/// Field manager of the tool.
const TOOL: &str = "argocd-controller";

/// The API of a manifest's kind, and the manifest's name.
fn place(harness: &Harness, manifest: &Value) -> (Api<DynamicObject>, String) {
    let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (group, version) = text("/apiVersion").split_once('/').unwrap_or(("", text("/apiVersion")));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, text("/kind")));
    let api = match text("/metadata/namespace") {
        "" => Api::all_with(harness.client.clone(), &resource),
        namespace => Api::namespaced_with(harness.client.clone(), namespace, &resource),
    };
    (api, text("/metadata/name").to_owned())
}

/// One sync, by server-side apply.
async fn sync(harness: &Harness, manifest: &Value) {
    let (api, name) = place(harness, manifest);
    api.patch(&name, &PatchParams::apply(TOOL).force(), &Patch::Apply(manifest)).await.unwrap();
}

/// What a tool shows as drift: by a server-side dry run, and by comparing each field of the manifest with the live object.
async fn drift(harness: &Harness, manifest: &Value) -> Vec<String> {
    let (api, name) = place(harness, manifest);
    let parameters = PatchParams { dry_run: true, ..PatchParams::apply(TOOL).force() };
    // The operator may write in between; then the two are of different versions and say nothing.
    let (live, predicted) = eventually("nobody writes between two reads", SOON, async || {
        let live = api.get(&name).await.unwrap();
        let predicted = api.patch(&name, &parameters, &Patch::Apply(manifest)).await.unwrap();
        (live.metadata.resource_version == predicted.metadata.resource_version).then_some((live, predicted))
    })
    .await;
    let bare = |mut object: DynamicObject| {
        object.metadata.managed_fields = None;
        serde_json::to_value(object).unwrap()
    };
    let live = bare(live);
    let mut found = differences(&live, &bare(predicted), "dry run: ");
    found.extend(missing(manifest, &live, "manifest: "));
    found
}

fn differences(one: &Value, other: &Value, path: &str) -> Vec<String> {
    let mut found = missing(one, other, path);
    found.extend(missing(other, one, path));
    found
}

/// Fields whose value another object does not have. Lists are compared as a whole, as a merge patch does.
fn missing(of: &Value, in_: &Value, path: &str) -> Vec<String> {
    match (of, in_) {
        (Value::Object(fields), Value::Object(others)) => fields
            .iter()
            .flat_map(|(name, value)| {
                missing(value, others.get(name).unwrap_or(&Value::Null), &format!("{path}.{name}"))
            })
            .collect(),
        (one, other) if one == other => Vec::new(),
        (one, other) => vec![format!("{path}: {one} and {other}")],
    }
}

/// The manifests of an example, in the namespace of the test.
fn example(harness: &Harness, name: &str) -> Vec<Value> {
    let path = format!("{}/../../examples/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let documents = serde_saphyr::from_multiple::<Value>(&text).unwrap();
    documents
        .into_iter()
        .map(|mut manifest| {
            manifest["metadata"]["namespace"] = json!(harness.shop);
            manifest
        })
        .collect()
}

#[tokio::test]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn a_manifest_that_is_synced_twice_starts_one_run_and_shows_no_drift() {
    let harness = Harness::start().await;
    let operator = harness.operator();
    let target = json!({
        "apiVersion": "volley.dev/v1alpha1", "kind": "RegionTarget", "metadata": {"name": harness.target},
        "spec": {"region": "us-east-1", "connection": {"inCluster": {}}, "namespace": harness.workers,
            "allowedNamespaces": [harness.shop], "fargate": false}});
    let test = json!({
        "apiVersion": "volley.dev/v1alpha1", "kind": "LoadTest",
        "metadata": {"name": "checkout", "namespace": harness.shop,
            "annotations": {"argocd.argoproj.io/tracking-id": "shop:volley.dev/LoadTest:shop/checkout"}},
        "spec": {"scenario": {"locust": {"script": {"inline": "import locust"}}},
            "load": {"usersPerWorker": 1, "holdFor": "30s"}, "regions": [{"target": harness.target, "workers": 2}]}});
    for manifest in [&target, &test] {
        sync(&harness, manifest).await;
    }
    let run = harness.only_run().await;
    assert!(run.metadata.annotations.is_none_or(|all| !all.contains_key("argocd.argoproj.io/tracking-id")));
    for manifest in [&target, &test] {
        sync(&harness, manifest).await;
        assert_eq!(drift(&harness, manifest).await, Vec::<String>::new());
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(harness.runs().await.len(), 1, "the second sync started nothing");
    operator.stop().await;
    harness.end().await;
}

#[tokio::test]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn no_example_shows_drift_once_the_operator_has_written_its_status() {
    let harness = Harness::start().await;
    let operator = harness.operator();
    let mut tests = Vec::new();
    for name in ["http", "jmeter", "k6", "locust", "taurus"] {
        for manifest in example(&harness, name) {
            sync(&harness, &manifest).await;
            if manifest["kind"] == "LoadTest" {
                // Its target does not exist here, so that it starts nothing.
                eventually("the operator says what is missing", SOON, async || {
                    let (api, name) = place(&harness, &manifest);
                    let test = api.get(&name).await.unwrap().try_parse::<LoadTest>().unwrap();
                    condition::find(&test.status?.conditions, ConditionType::Ready).map(|_| ())
                })
                .await;
                tests.push(manifest.clone());
            }
            assert_eq!(drift(&harness, &manifest).await, Vec::<String>::new(), "example {name}");
        }
    }
    assert!(tests.len() >= 5);
    for manifest in &tests {
        let (api, name) = place(&harness, manifest);
        api.delete(&name, &kube::api::DeleteParams::background()).await.unwrap();
    }
    harness.region_target().await;
    operator.stop().await;
    harness.end().await;
}

/// kstatus, and with it `helm --wait`, takes an object whose status says nothing for settled.
#[tokio::test]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn an_object_that_no_operator_has_seen_says_so() {
    let harness = Harness::start().await;
    harness.region_target().await;
    harness.load_test(json!({})).await;
    let run = harness.create_run("unseen").await;
    assert_eq!(run.status.unwrap().observed_generation, Some(-1));
    let runs: Api<LoadTestRun> = harness.run_api();
    assert_eq!(runs.get("unseen").await.unwrap().status.unwrap().observed_generation, Some(-1));
    let tests: Api<LoadTest> = Api::namespaced(harness.client.clone(), &harness.shop);
    assert_eq!(tests.get("checkout").await.unwrap().status.unwrap().observed_generation, Some(-1));
    let targets: Api<RegionTarget> = Api::all(harness.client.clone());
    assert_eq!(targets.get(&harness.target).await.unwrap().status.unwrap().observed_generation, Some(-1));
    harness.end().await;
}
