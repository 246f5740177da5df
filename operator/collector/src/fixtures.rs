//! Values that several tests start from.

use jiff::Timestamp;
use volley_api::WorkerSize;
use volley_storage::documents::{
    Artifacts, DOCUMENT_VERSION, Definition, Images, LateWorkers, Live, Load, MissingRegion, Region, RunIdentity,
    Scenario, Start, WorkerResources,
};

/// A small run of one region with two workers.
pub(crate) fn definition(scenario: Scenario) -> Definition {
    Definition {
        version: DOCUMENT_VERSION,
        installation: "test".into(),
        run: RunIdentity {
            uid: "run".into(),
            name: "checkout-1".into(),
            namespace: "shop".into(),
            load_test: "checkout".into(),
            created_at: Timestamp::UNIX_EPOCH,
        },
        definition_digest: "v1:0".into(),
        scenario,
        load: Load { users_per_worker: 50, ramp_up_ms: 30_000, hold_for_ms: 300_000 },
        regions: vec![Region {
            target: "here".into(),
            region: "eu-west-1".into(),
            namespace: "volley-workers".into(),
            workers: 2,
            users_per_worker: None,
            execution_users: Vec::new(),
            fargate: false,
            worker_hour_nanodollars: None,
        }],
        resources: WorkerResources::Size(WorkerSize::Small),
        start: Start {
            quorum_percent: 100,
            timeout_ms: 900_000,
            late_workers: LateWorkers::Refuse,
            on_missing_region: MissingRegion::Fail,
        },
        healthy_percent: 90,
        thresholds: Vec::new(),
        artifacts: Artifacts { samples: true },
        live: Some(Live { interval_s: 1 }),
        images: Images { worker: "worker".into(), volley: "volley".into() },
        max_load_ms: 400_000,
        max_uncontrolled_ms: 300_000,
    }
}
