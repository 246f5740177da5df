//! Runs for tests.

use kube::api::ObjectMeta;
use serde_json::{Value, json};
use volley_api::load_test_run::{LoadTestRun, LoadTestRunSpec};

/// The run `shop/checkout-1` with the given status.
pub(crate) fn run(status: Value) -> LoadTestRun {
    let mut run = LoadTestRun::new(
        "checkout-1",
        LoadTestRunSpec { load_test: "checkout".into(), definition_digest: None, stop: None },
    );
    run.metadata = ObjectMeta {
        name: Some("checkout-1".into()),
        namespace: Some("shop".into()),
        uid: Some("0f2c".into()),
        ..ObjectMeta::default()
    };
    run.status = Some(serde_json::from_value(status).expect("a status"));
    run
}

/// A condition.
pub(crate) fn condition(kind: &str, status: &str, reason: &str) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": format!("{reason}."),
           "lastTransitionTime": "2026-11-25T12:00:00Z"})
}

/// A result with one label.
pub(crate) fn result(verdict: &str) -> Value {
    json!({
        "requests": 1200, "errors": 3, "errorRate": "0.25%", "requestRate": "40/s", "bytes": 90_000,
        "average": "21ms", "min": "3.1ms", "p50": "20ms", "p90": "31ms", "p95": "35ms", "p99": "52ms", "p999": "90ms",
        "max": "101ms", "verdict": verdict,
        "coverage": {"workersPlanned": 2, "workersMeasured": 2, "partial": 0, "complete": true},
        "labels": [{"label": "home", "requests": 1200, "errors": 3, "requestRate": "40/s", "average": "21ms",
                    "p50": "20ms", "p95": "35ms", "p99": "52ms"}],
        "regions": [{"target": "local", "started": 2, "lost": 0, "partial": 0}],
        "location": "s3://volley/runs/v1/0f2c/result.json"
    })
}
