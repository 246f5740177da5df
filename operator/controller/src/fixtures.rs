//! Objects of the tests.

use std::collections::BTreeMap;

use volley_api::{RegionTarget, WorkerSize};
use volley_storage::documents::{Definition, Load, Region, Scenario, Source, WorkerResources};

use crate::settings::{AggregatorSettings, AwsSettings, EmbeddedStorage, ImagePullPolicy, Settings, StorageSettings};

pub(crate) fn settings() -> Settings {
    Settings {
        installation: "volley".into(),
        namespace: "volley-system".into(),
        worker_image: "example.com/worker:1".into(),
        volley_image: "example.com/volley:1".into(),
        image_pull_policy: ImagePullPolicy::IfNotPresent,
        image_pull_secrets: vec![],
        storage: StorageSettings {
            bucket: "volley".into(),
            table: "volley".into(),
            region: "us-east-1".into(),
            s3_endpoint: Some("http://volley-storage.volley-system.svc:9000".into()),
            worker_s3_endpoint: None,
            dynamodb_endpoint: Some("http://volley-storage.volley-system.svc:8000".into()),
            embedded: Some(EmbeddedStorage {
                root_key: "a-root-key-of-tests".into(),
                secret: "volley-storage".into(),
                secret_key: "root-key".into(),
            }),
        },
        aws: AwsSettings::Environment,
        start_delay: std::time::Duration::from_secs(5),
        aggregator: AggregatorSettings {
            service_account: "volley-aggregator".into(),
            resources: serde_json::from_value(
                serde_json::json!({"requests": {"cpu": "100m"}, "limits": {"memory": "512Mi"}}),
            )
            .unwrap(),
            iot: None,
        },
        listen: "127.0.0.1:0".parse().unwrap(),
        log: None,
    }
}

pub(crate) fn settings_on_aws() -> Settings {
    let mut settings = settings();
    settings.storage.s3_endpoint = None;
    settings.storage.dynamodb_endpoint = None;
    settings.storage.embedded = None;
    settings
}

pub(crate) fn definition() -> Definition {
    let mut definition = Definition {
        scenario: Scenario::Locust { script: Source { sha256: "b".repeat(64), size: 3 } },
        load: Load { users_per_worker: 5, ramp_up_ms: 1_000, hold_for_ms: 9_000 },
        regions: vec![Region { region: "us-east-1".into(), ..volley_fixtures::region("local", 2) }],
        resources: WorkerResources::Size(WorkerSize::Standard),
        ..volley_fixtures::definition()
    };
    definition.run.created_at = "2026-11-25T10:00:00Z".parse().unwrap();
    definition.start.timeout_ms = 900_000;
    definition
}

pub(crate) fn target(name: &str) -> RegionTarget {
    serde_json::from_value(serde_json::json!({
        "apiVersion": "volley.dev/v1alpha1",
        "kind": "RegionTarget",
        "metadata": {"name": name, "uid": format!("uid-{name}"), "generation": 1},
        "spec": {
            "region": "us-east-1", "connection": {"inCluster": {}}, "namespace": "volley-workers",
            "allowedNamespaces": ["shop"], "fargate": false,
        },
        "status": {"conditions": [{
            "type": "Ready", "status": "True", "reason": "Ready", "message": "",
            "lastTransitionTime": "2026-11-25T09:00:00Z"}]},
    }))
    .unwrap()
}

/// A LoadTest as YAML-free JSON; `changes` are merged into its spec.
pub(crate) fn load_test(changes: serde_json::Value) -> volley_api::LoadTest {
    let mut object = serde_json::json!({
        "apiVersion": "volley.dev/v1alpha1",
        "kind": "LoadTest",
        "metadata": {"name": "checkout", "namespace": "shop", "uid": "test-uid", "generation": 1, "resourceVersion": "7"},
        "spec": {
            "scenario": {"locust": {"script": {"inline": "print()"}}},
            "load": {"usersPerWorker": 5, "rampUp": "1s", "holdFor": "9s"},
            "regions": [{"target": "local", "workers": 2}],
        },
    });
    if let (Some(spec), serde_json::Value::Object(changes)) = (object["spec"].as_object_mut(), changes) {
        spec.extend(changes);
    }
    serde_json::from_value(object).unwrap()
}

pub(crate) fn references() -> crate::definition::References {
    crate::definition::References {
        targets: BTreeMap::from([("local".to_owned(), target("local"))]),
        contents: crate::definition::Contents::default(),
    }
}
