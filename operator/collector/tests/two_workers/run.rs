//! What the operator does for a run: storage, definition, decisions.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use volley_api::WorkerSize;
use volley_storage::documents::{
    Artifacts, DOCUMENT_VERSION, Definition, Images, LateWorkers, Live, Load, MissingRegion, Region, RequestStep,
    RunIdentity, Scenario, Source, Start, StartDecision, StopDecision, StopReason, WorkerResources,
};
use volley_storage::embedded::Server;
use volley_storage::objects::{PutOptions, sha256_hex};
use volley_storage::{ObjectStore, keys};

pub(crate) const RUN_UID: &str = "2b0f7a54-run";

pub(crate) struct Run {
    pub(crate) storage: Server,
    objects: ObjectStore,
    _data: TempDir,
}

impl Run {
    /// A storage that holds the definition of a run of some seconds.
    pub(crate) async fn of(scenario: Scenario, sources: &[&str], seconds: u64, users: u32) -> Self {
        let data = tempfile::tempdir().unwrap();
        let storage = Server::start_on_free_ports(data.path()).await.unwrap();
        let objects = storage.objects();
        for source in sources {
            let key = keys::script(&sha256_hex(source.as_bytes()));
            objects.put(&key, (*source).to_owned(), PutOptions::default()).await.unwrap();
        }
        let run = Self { storage, objects, _data: data };
        let definition = definition(scenario, seconds, users);
        run.objects.put_document(&keys::definition(RUN_UID), &definition).await.unwrap();
        run
    }

    pub(crate) async fn of_locust(script: &str, seconds: u64) -> Self {
        Self::of(Scenario::Locust { script: source(script) }, &[script], seconds, 5).await
    }

    /// Decides the start, some time from now; returns the instant.
    pub(crate) async fn start_in(&self, delay: Duration) -> Timestamp {
        self.decide_start(delay, LateWorkers::Refuse).await
    }

    /// The same, where late workers do as they are told.
    pub(crate) async fn decide_start(&self, delay: Duration, late_workers: LateWorkers) -> Timestamp {
        let start_at = Timestamp::now() + SignedDuration::try_from(delay).unwrap();
        let decision = StartDecision {
            version: DOCUMENT_VERSION,
            start_at,
            regions: vec!["here".into()],
            late_workers,
            left_out: [].into(),
        };
        self.objects.put_document_once(&keys::start(RUN_UID), &decision).await.unwrap();
        start_at
    }

    pub(crate) async fn stop(&self) -> Timestamp {
        let at = Timestamp::now();
        let decision =
            StopDecision { version: DOCUMENT_VERSION, reason: StopReason::Requested, message: "too hot".into(), at };
        self.objects.put_document_once(&keys::stop(RUN_UID), &decision).await.unwrap();
        at
    }
}

pub(crate) fn source(text: &str) -> Source {
    Source { sha256: sha256_hex(text.as_bytes()), size: text.len() as u64 }
}

pub(crate) fn request(name: &str, path: &str) -> RequestStep {
    RequestStep {
        name: name.into(),
        method: "GET".into(),
        path: path.into(),
        headers: BTreeMap::new(),
        body: None,
        think_time_ms: None,
        expect: None,
    }
}

fn definition(scenario: Scenario, seconds: u64, users: u32) -> Definition {
    Definition {
        version: DOCUMENT_VERSION,
        installation: "test".into(),
        run: RunIdentity {
            uid: RUN_UID.into(),
            name: "test-1".into(),
            namespace: "shop".into(),
            load_test: "test".into(),
            created_at: Timestamp::UNIX_EPOCH,
        },
        definition_digest: "v1:0".into(),
        scenario,
        load: Load { users_per_worker: users, ramp_up_ms: 0, hold_for_ms: seconds * 1_000 },
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
            timeout_ms: 60_000,
            late_workers: LateWorkers::Refuse,
            on_missing_region: MissingRegion::Fail,
        },
        healthy_percent: 90,
        thresholds: Vec::new(),
        artifacts: Artifacts { samples: true },
        live: Some(Live { interval_s: 1 }),
        images: Images { worker: "worker".into(), volley: "volley".into() },
        max_load_ms: seconds * 1_000 + 60_000,
        max_uncontrolled_ms: 60_000,
    }
}
