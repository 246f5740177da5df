//! What the operator does for a run: storage, definition, decisions.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use volley_fixtures::locust;
use volley_storage::documents::{
    Artifacts, DOCUMENT_VERSION, Definition, LateWorkers, Load, RequestStep, Scenario, StartDecision, StopDecision,
    StopReason,
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
        Self::of(locust(script), &[script], seconds, 5).await
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
    let mut definition = Definition {
        scenario,
        load: Load { users_per_worker: users, ramp_up_ms: 0, hold_for_ms: seconds * 1_000 },
        artifacts: Artifacts { samples: true },
        max_load_ms: seconds * 1_000 + 60_000,
        max_uncontrolled_ms: 60_000,
        ..volley_fixtures::definition()
    };
    definition.run.uid = RUN_UID.into();
    definition
}
