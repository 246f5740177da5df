//! Runs for tests.

use kube::api::ObjectMeta;
use serde_json::{Value, json};
use volley_api::load_test_run::{LoadTestRun, LoadTestRunSpec};
use volley_storage::documents::{
    FrameError, FrameFigures, FrameGenerators, FrameLabel, FrameScope, FrameWorker, FrameWorkers, LIVE_FRAME_VERSION,
    LiveFrame,
};

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

/// The frame of an interval of one second.
pub(crate) fn live_frame(seq: i64) -> LiveFrame {
    let figures = |requests, errors, p95_us| FrameFigures {
        requests,
        errors,
        average_us: Some(15_480),
        p50_us: Some(14_296),
        p95_us: Some(p95_us),
        p99_us: Some(52_160),
        max_us: Some(74_000),
    };
    let scope = |users, figures| FrameScope { users, bytes: Some(1_000), figures };
    let label = |label: &str, figures| FrameLabel { label: label.into(), transaction: false, figures };
    LiveFrame {
        version: LIVE_FRAME_VERSION,
        run: "0f2c".into(),
        seq,
        second: seq,
        interval: 1,
        totals: scope(40, figures(398, 2, 31_088)),
        regions: [("eu".into(), scope(20, figures(198, 2, 33_008))), ("us".into(), scope(20, figures(200, 0, 30_000)))]
            .into(),
        labels: vec![label("home", figures(301, 0, 24_000)), label("checkout", figures(97, 2, 48_000))],
        labels_total: 2,
        errors: vec![FrameError {
            label: "checkout".into(),
            code: "503".into(),
            message: "Service Unavailable".into(),
            count: 2,
        }],
        workers: FrameWorkers {
            expected: 4,
            reported: 3,
            behind: vec![FrameWorker { target: "eu".into(), index: 1, second: Some(seq - 2) }],
        },
        generators: FrameGenerators { measured: 4, max_cpu_ppm: Some(412_000), ..FrameGenerators::default() },
    }
}
