//! Storage, operator and main container of one worker, played by the test.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use volley_collector::Settings;
use volley_storage::ObjectStore;
use volley_storage::documents::{DOCUMENT_VERSION, Definition, LateWorkers, Load, Manifest, StartDecision};
use volley_storage::embedded::Server;
use volley_storage::keys::{self, WorkerAttempt};
use volley_storage::objects::{PutOptions, sha256_hex};

pub(crate) const RUN_UID: &str = "simulated-run";
const SCRIPT: &str = "# never run";
/// Says to this program that it is the collector.
pub(crate) const CHILD: &str = "VOLLEY_SIMULATED";
const LONGEST: Duration = Duration::from_secs(30);

pub(crate) struct Scene {
    pub(crate) place: TempDir,
    pub(crate) storage: Server,
    pub(crate) objects: ObjectStore,
    pub(crate) attempt: WorkerAttempt,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        for folder in ["control", "work/status", "work/artifacts", "data"] {
            fs::create_dir_all(place.path().join(folder)).unwrap();
        }
        let storage = Server::start_on_free_ports(&place.path().join("data")).await.unwrap();
        let objects = storage.objects();
        objects.put(&keys::script(&sha256_hex(SCRIPT.as_bytes())), SCRIPT, PutOptions::default()).await.unwrap();
        objects.put_document(&keys::definition(RUN_UID), &definition()).await.unwrap();
        let attempt = WorkerAttempt { target: "here".into(), index: 0, pod_uid: "pod".into() };
        Self { place, storage, objects, attempt }
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            run_uid: RUN_UID.into(),
            worker: self.attempt.clone(),
            storage: self.storage.storage_settings(),
            listen: "127.0.0.1:0".parse().unwrap(),
            control_dir: self.control(""),
            work_dir: self.work(""),
        }
    }

    /// The collector as a process of its own.
    pub(crate) fn spawn(&self) -> Child {
        let (settings, keys) = (self.storage.storage_settings(), self.storage.run_keys(RUN_UID));
        Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "the_collector_itself"])
            .env(CHILD, "1")
            .env("VOLLEY_RUN_UID", RUN_UID)
            .env("VOLLEY_TARGET", "here")
            .env("JOB_COMPLETION_INDEX", "0")
            .env("VOLLEY_POD_UID", "pod")
            .env("VOLLEY_BUCKET", settings.bucket)
            .env("VOLLEY_S3_ENDPOINT", settings.s3_endpoint.unwrap())
            .env("AWS_REGION", settings.region)
            .env("AWS_ACCESS_KEY_ID", keys.access_key)
            .env("AWS_SECRET_ACCESS_KEY", keys.secret_key)
            .env("VOLLEY_LISTEN", "127.0.0.1:0")
            .env("VOLLEY_CONTROL_DIR", self.control(""))
            .env("VOLLEY_WORK_DIR", self.work(""))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    pub(crate) fn control(&self, name: &str) -> PathBuf {
        self.place.path().join("control").join(name)
    }

    pub(crate) fn work(&self, name: &str) -> PathBuf {
        self.place.path().join("work").join(name)
    }

    /// From the launch to the open gate.
    pub(crate) async fn open_the_gate(&self) {
        appears(self.control("launch.json")).await;
        self.status("prepared", r#""engines":[],"taurus":"simulated""#);
        let decision = StartDecision {
            version: DOCUMENT_VERSION,
            start_at: Timestamp::now() + SignedDuration::from_secs(2),
            regions: vec!["here".into()],
            late_workers: LateWorkers::Refuse,
            left_out: [].into(),
        };
        self.objects.put_document_once(&keys::start(RUN_UID), &decision).await.unwrap();
        appears(self.control("start")).await;
        self.status("released", "\"x\":0");
    }

    /// Taurus has ended; the manifest that follows.
    pub(crate) async fn end(&self) -> Manifest {
        self.status("ended", r#""exitCode":0,"stopped":false"#);
        appears(self.control("uploaded")).await;
        let key = self.attempt.manifest(RUN_UID);
        self.objects.get_document::<Manifest>(&key).await.unwrap().unwrap().0
    }

    pub(crate) fn samples(&self) -> File {
        OpenOptions::new().create(true).append(true).open(self.work("artifacts/kpi.jtl")).unwrap()
    }

    pub(crate) async fn object(&self, name: &str) -> Vec<u8> {
        self.objects.get(&self.attempt.object(RUN_UID, name), 64 << 20).await.unwrap().unwrap().to_vec()
    }

    fn status(&self, name: &str, fields: &str) {
        let text = format!(r#"{{"version":1,"at":"{}",{fields}}}"#, Timestamp::now());
        let temporary = self.work("status/.temporary");
        File::create(&temporary).unwrap().write_all(text.as_bytes()).unwrap();
        fs::rename(temporary, self.work("status").join(format!("{name}.json"))).unwrap();
    }
}

pub(crate) async fn appears(path: PathBuf) {
    until(&path.display().to_string(), || path.exists()).await;
}

pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONGEST;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {LONGEST:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn definition() -> Definition {
    let mut definition = Definition {
        scenario: volley_fixtures::locust(SCRIPT),
        load: Load { users_per_worker: 50, ramp_up_ms: 0, hold_for_ms: 600_000 },
        regions: vec![volley_fixtures::region("here", 1)],
        max_load_ms: 600_000,
        max_uncontrolled_ms: 60_000,
        ..volley_fixtures::definition()
    };
    definition.run.uid = RUN_UID.into();
    definition
}
