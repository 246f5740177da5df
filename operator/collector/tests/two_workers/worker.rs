//! One worker: a collector in this process and a real launcher beside it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use volley_collector::disk::free_bytes;
use volley_collector::{Error, Settings, run_with};
use volley_storage::ObjectStore;
use volley_storage::documents::{Manifest, WorkerFailure};
use volley_storage::keys::WorkerAttempt;

use crate::run::{RUN_UID, Run};

const LONGEST: Duration = Duration::from_mins(1);

/// The running collector, and what tells it to end.
type Collector = (JoinHandle<Result<(), Error>>, oneshot::Sender<()>);

pub(crate) struct Worker {
    pub(crate) place: TempDir,
    pub(crate) attempt: WorkerAttempt,
    settings: Settings,
    objects: ObjectStore,
    collector: Option<Collector>,
    launcher: Child,
}

impl Worker {
    /// Starts both parts.
    pub(crate) async fn start(run: &Run, index: u32) -> Self {
        let place = tempfile::Builder::new().prefix("volley-worker-").tempdir().unwrap();
        let (control, work) = (place.path().join("control"), place.path().join("work"));
        std::fs::create_dir(&control).unwrap();
        std::fs::create_dir(&work).unwrap();
        let attempt = WorkerAttempt { target: "here".into(), index, pod_uid: format!("pod-{index}") };
        let settings = Settings {
            run_uid: RUN_UID.into(),
            worker: attempt.clone(),
            storage: run.storage.storage_settings(),
            listen: free_address().await,
            control_dir: control.clone(),
            work_dir: work.clone(),
        };
        let launcher = launcher(&control, &work);
        let mut worker =
            Self { place, attempt, settings, objects: run.storage.objects_of_run(RUN_UID), collector: None, launcher };
        worker.start_collector();
        worker
    }

    fn start_collector(&mut self) {
        let (sender, receiver) = oneshot::channel::<()>();
        let shutdown = async move {
            // A dropped sender is no order to end.
            if receiver.await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let task = tokio::spawn(run_with(self.settings.clone(), self.objects.clone(), free_bytes, shutdown));
        self.collector = Some((task, sender));
    }

    /// Kills the collector where it stands, and starts it again.
    pub(crate) async fn restart_collector(&mut self) {
        let (task, _sender) = self.collector.take().unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        // The kernel frees the address of a killed process; here the probe's task is cancelled, and lets go of it a little later.
        let deadline = Instant::now() + LONGEST;
        while let Err(error) = TcpListener::bind(self.settings.listen).await {
            assert!(Instant::now() < deadline, "{} is not free: {error}", self.settings.listen);
            sleep(Duration::from_millis(10)).await;
        }
        self.start_collector();
    }

    pub(crate) async fn ready(&self) {
        let deadline = Instant::now() + LONGEST;
        while !get(self.settings.listen, "/ready").await.starts_with("HTTP/1.1 200") {
            assert!(
                Instant::now() < deadline,
                "not ready: {}\n{}",
                get(self.settings.listen, "/ready").await,
                self.log()
            );
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// The exit code of the main container; then the collector is told to end, as the kubelet does.
    pub(crate) async fn exit_code(&mut self) -> i32 {
        let status =
            timeout(LONGEST, self.launcher.wait()).await.unwrap_or_else(|_| panic!("no end: {}", self.log())).unwrap();
        let (task, sender) = self.collector.take().unwrap();
        sender.send(()).unwrap();
        timeout(Duration::from_secs(10), task).await.expect("the collector does not end").unwrap().unwrap();
        status.code().unwrap()
    }

    pub(crate) fn control(&self, name: &str) -> PathBuf {
        self.place.path().join("control").join(name)
    }

    pub(crate) async fn manifest(&self) -> Option<Manifest> {
        let key = self.attempt.manifest(&self.settings.run_uid);
        self.objects.get_document::<Manifest>(&key).await.unwrap().map(|(manifest, _)| manifest)
    }

    pub(crate) async fn failure(&self) -> Option<WorkerFailure> {
        let key = self.attempt.object(&self.settings.run_uid, "failed.json");
        self.objects.get_document::<WorkerFailure>(&key).await.unwrap().map(|(failure, _)| failure)
    }

    pub(crate) async fn object(&self, name: &str) -> Vec<u8> {
        let key = self.attempt.object(&self.settings.run_uid, name);
        let bytes = self.objects.get(&key, 1 << 28).await.unwrap().unwrap_or_else(|| panic!("{key} is not there"));
        if std::path::Path::new(name).extension().is_some_and(|extension| extension == "zst") {
            zstd::decode_all(&bytes[..]).unwrap()
        } else {
            bytes.to_vec()
        }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.place.path().join("work/taurus.log")).unwrap_or_default()
    }
}

pub(crate) fn since(start: Timestamp) -> f64 {
    Timestamp::now().duration_since(start).as_secs_f64()
}

fn launcher(control: &Path, work: &Path) -> Child {
    let needed = |name: &str| {
        std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; see container/taurus/dev-setup.sh"))
    };
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../container/taurus");
    let python = Path::new(&needed("VOLLEY_WORKER_VENV")).join("bin/python3");
    let path = format!("{}:{}", python.parent().unwrap().display(), needed("PATH"));
    Command::new(&python)
        .args(["-m", "volley_worker.launcher"])
        .env("PATH", path)
        .env("PYTHONPATH", package)
        .env("VOLLEY_JMETER", needed("VOLLEY_JMETER"))
        .env("VOLLEY_K6", needed("VOLLEY_K6"))
        .env("VOLLEY_CONTROL_DIR", control)
        .env("VOLLEY_WORK_DIR", work)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the launcher starts")
}

async fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

async fn get(address: SocketAddr, path: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(address).await else { return "no answer".into() };
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
