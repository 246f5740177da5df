//! A result of a run, for tests.

use serde_json::json;
use volley_storage::documents::ResultDocument;

/// Two workers in one region, one label.
pub(in crate::report) fn sample_result() -> ResultDocument {
    let figures = json!({
        "requests": 2, "errors": 1, "interrupted": 0, "bytes": 20, "errorRatePpm": 500_000, "requestRateMilli": 1000,
        "averageUs": 20_000, "standardDeviationUs": 10_000, "minUs": 10_000, "p50Us": 10_000, "p90Us": 30_000, "p95Us": 30_000, "p99Us": 30_000,
        "p999Us": 30_000, "maxUs": 30_000, "connectAverageUs": null, "firstByteAverageUs": null,
        "codes": {"200": 1, "none": 1},
    });
    let workers = json!({"planned": 2, "started": 2, "complete": 1, "partial": 0, "lost": 1});
    let label = |target: Option<&str>| json!({"target": target, "label": "home", "transaction": false, "lowerBound": false, "figures": figures});
    let document = json!({
        "version": 1,
        "run": {"uid": "u", "name": "checkout-1", "namespace": "shop", "loadTest": "checkout",
                "createdAt": "2026-11-25T10:00:00Z"},
        "definitionDigest": "v1:0", "verdict": "Inconclusive", "stopped": null, "startAt": "2026-11-25T10:00:05Z",
        "interval": {"from": "2026-11-25T10:00:05Z", "to": "2026-11-25T10:00:07Z"},
        "peakUsers": 4, "totals": figures, "workersTotal": workers,
        "regions": [{"target": "local", "region": "eu-west-1", "workers": workers, "figures": figures}],
        "workers": [], "labels": [label(None), label(Some("local"))],
        "errors": [{"label": "home", "code": "500", "message": "no", "count": 1}],
        "complete": false, "warnings": ["worker local/1 is lost: no manifest"],
    });
    serde_json::from_value(document).unwrap()
}
