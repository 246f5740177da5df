//! The case tables against a real API server, which is the judge of what the CRDs say.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind, Status};
use kube::{Client, Config};
use serde_json::{Value, json};
use volley_api::crd::{self, Kind};
use volley_api::validate::rules;

use crate::cases::{self, Ready};

const VARIABLE: &str = "VOLLEY_TEST_KUBECONFIG";
/// The API server establishes a CRD within a second.
const PATIENCE: Duration = Duration::from_secs(30);
const NAMESPACE: &str = "default";

async fn client() -> Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let path = std::env::var(VARIABLE).unwrap_or_else(|_| {
        panic!("{VARIABLE} is not set; start an API server with `cluster up --api-server-only api-test` and set it to its kubeconfig")
    });
    let kubeconfig = Kubeconfig::read_from(&path).unwrap_or_else(|error| panic!("{VARIABLE}={path}: {error}"));
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

/// Applies the CRDs of the code, not those of a file, and waits until they are served.
async fn install(client: &Client) {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for kind in Kind::ALL {
        let crd = crd::crd(kind).unwrap();
        let name = crd.metadata.name.clone().unwrap();
        api.patch(&name, &PatchParams::apply("volley-tests").force(), &Patch::Apply(&crd)).await.unwrap_or_else(
            |error| {
                panic!("the API server refuses the CRD of {}: {error}", kind.as_str());
            },
        );
        let established =
            kube::runtime::wait::await_condition(api.clone(), &name, kube::runtime::conditions::is_crd_established());
        tokio::time::timeout(PATIENCE, established).await.expect("the CRD is established in time").unwrap();
    }
}

fn api(client: &Client, kind: Kind) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(volley_api::GROUP, volley_api::VERSION, kind.as_str()));
    match kind {
        Kind::RegionTarget => Api::all_with(client.clone(), &resource),
        Kind::LoadTest | Kind::LoadTestRun => Api::namespaced_with(client.clone(), NAMESPACE, &resource),
    }
}

fn object(value: &Value) -> DynamicObject {
    serde_json::from_value(value.clone()).unwrap()
}

/// What the server complains about, field and message, and whether it left the rules unchecked because the shape is wrong.
fn complaints(status: &Status) -> (Vec<(String, String)>, bool) {
    let causes = status.details.as_ref().map(|details| details.causes.clone()).unwrap_or_default();
    let is_note = |message: &str| message.contains("some validation rules were not checked");
    let unchecked = causes.iter().any(|cause| is_note(&cause.message));
    let said = causes.into_iter().filter(|cause| !is_note(&cause.message)).map(|cause| (cause.field, cause.message));
    (said.collect(), unchecked)
}

async fn refusal(client: &Client, case: &Ready) -> Option<Status> {
    let api = api(client, case.kind);
    let dry = PostParams { dry_run: true, field_manager: None };
    let answer = match &case.changed {
        None => {
            // Strict field validation, as kubectl asks for: an unknown field is an error, not dropped.
            let request = kube::core::Request::new(api.resource_url())
                .create(&dry, serde_json::to_vec(&case.object).unwrap())
                .map(strict)
                .unwrap();
            client.request::<Value>(request).await.map(|_| ())
        }
        Some(changed) => {
            let name = case.object["metadata"]["name"].as_str().unwrap();
            let _ = api.delete(name, &DeleteParams::default()).await;
            let created = api.create(&PostParams::default(), &object(&case.object)).await.unwrap_or_else(|error| {
                panic!("{}: the old object is refused: {error}", case.says);
            });
            let mut changed = object(changed);
            changed.metadata.resource_version = created.metadata.resource_version;
            let answer = api.replace(name, &dry, &changed).await.map(|_| ());
            api.delete(name, &DeleteParams::default()).await.unwrap();
            answer
        }
    };
    match answer {
        Ok(()) => None,
        Err(kube::Error::Api(status)) => Some(*status),
        Err(error) => panic!("{}: {error}", case.says),
    }
}

fn strict(request: http::Request<Vec<u8>>) -> http::Request<Vec<u8>> {
    let (mut parts, body) = request.into_parts();
    parts.uri = format!("{}&fieldValidation=Strict", parts.uri).parse().unwrap();
    http::Request::from_parts(parts, body)
}

/// The server's words mean what the table says, no more and no less.
fn judge(case: &Ready, refusal: Option<&Status>) -> Result<(), String> {
    let Some(status) = refusal else {
        return if case.refused.is_empty() { Ok(()) } else { Err("it was accepted".into()) };
    };
    if case.refused.is_empty() {
        return Err(format!("it was refused: {}", status.message));
    }
    // An unknown field is refused while the server reads, before it looks at anything else.
    let unknown: Vec<_> = case.refused.iter().filter(|(rule, _)| rule == "unknownField").collect();
    if !unknown.is_empty() {
        let named = unknown.iter().all(|(_, path)| status.message.contains(&format!("unknown field \"{path}\"")));
        return if named { Ok(()) } else { Err(format!("the unknown field is not named: {}", status.message)) };
    }
    let (mut left, unchecked) = complaints(status);
    for (name, path) in &case.refused {
        let rule = rules::of(case.kind).into_iter().find(|rule| rule.name == name);
        let index = left.iter().position(|(field, message)| match rule {
            Some(rule) => message.contains(rule.message) && is_field(field, path),
            None => is_field(field, path),
        });
        match index {
            Some(index) => drop(left.remove(index)),
            None if unchecked && rule.is_some() => {}
            None => return Err(format!("{name} at {path:?} is not among {left:?}")),
        }
    }
    if left.is_empty() { Ok(()) } else { Err(format!("the server complains of more: {left:?}")) }
}

/// The server calls the object itself `<nil>` or leaves the field empty.
fn is_field(field: &str, path: &str) -> bool {
    field == path || (path.is_empty() && (field == "<nil>" || field.is_empty()))
}

#[tokio::test]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn the_api_server_judges_every_case_as_its_table_says() {
    let client = client().await;
    install(&client).await;
    let mut wrong = Vec::new();
    for case in cases::all() {
        let refusal = refusal(&client, &case).await;
        if let Err(words) = judge(&case, refusal.as_ref()) {
            wrong.push(format!("{}: {}: {words}", case.kind.as_str(), case.says));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn the_api_server_sets_the_defaults_that_the_code_has() {
    let client = client().await;
    install(&client).await;
    let written = json!({
        "apiVersion": "volley.dev/v1alpha1",
        "kind": "LoadTest",
        "metadata": {"name": "defaults"},
        "spec": {
            "scenario": {"locust": {"script": {"inline": "x"}}},
            "load": {"usersPerWorker": 1, "rampUp": null, "holdFor": "1s"},
            "regions": [{"target": "local", "workers": 1}],
        },
    });
    let dry = PostParams { dry_run: true, field_manager: None };
    let stored = api(&client, Kind::LoadTest).create(&dry, &object(&written)).await.unwrap();
    assert_eq!(
        stored.data["spec"]["start"],
        json!({"quorumPercent": 100, "timeout": "15m", "onMissingRegion": "Fail", "lateWorkers": "Refuse"})
    );
    assert!(stored.data["spec"]["load"].get("rampUp").is_none(), "a null is absent");
    let by_server: volley_api::LoadTestSpec = serde_json::from_value(stored.data["spec"].clone()).unwrap();
    let by_code: volley_api::LoadTestSpec = serde_json::from_value(written["spec"].clone()).unwrap();
    assert_eq!(by_server, by_code);
}
