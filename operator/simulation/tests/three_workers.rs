//! A run of three simulated workers without Kubernetes: real storage, real collectors, real aggregator.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may fail loudly, their helpers too")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;
use volley_collector::Settings;
use volley_simulation::outline::Outline;
use volley_simulation::worker::{Behaviour, ExitCode, Generator, Place, Played, Sample, Worker, play};
use volley_storage::documents::{
    CloseDecision, ClosedWorker, DOCUMENT_VERSION, Manifest, ResultDocument, SaturationCause, StopDecision, StopReason,
};
use volley_storage::embedded::Server;
use volley_storage::keys::{self, WorkerAttempt};
use volley_storage::objects::sha256_hex;

const RUN: &str = "simulated-run";
const LONGEST: Duration = Duration::from_secs(30);

/// Storage and operator of a run with two workers in `eu` and one in `us`.
struct Scene {
    outline: Outline,
    place: TempDir,
    storage: Server,
    never: watch::Sender<bool>,
    workers: JoinSet<(WorkerAttempt, Played)>,
    /// Where each worker says that it is prepared.
    prepared: Vec<PathBuf>,
}

impl Scene {
    async fn new(load_seconds: u64) -> Self {
        let place = tempfile::tempdir().unwrap();
        let storage = Server::start_on_free_ports(&place.path().join("data")).await.unwrap();
        let outline = Outline {
            run_uid: RUN.into(),
            regions: vec![("eu".into(), 2), ("us".into(), 1)],
            users_per_worker: 10,
            hold_for: Duration::from_secs(load_seconds),
            live_interval_s: None,
            thresholds: Vec::new(),
        };
        outline.define(&storage.objects()).await.unwrap();
        let never = watch::channel(false).0;
        Self { outline, place, storage, never, workers: JoinSet::new(), prepared: Vec::new() }
    }

    fn begin(&mut self, attempt: WorkerAttempt) {
        self.begin_as(attempt, behaviour());
    }

    fn begin_as(&mut self, attempt: WorkerAttempt, behaviour: Behaviour) {
        let settings = Settings {
            run_uid: RUN.into(),
            worker: attempt.clone(),
            storage: self.storage.storage_settings(),
            listen: "127.0.0.1:0".parse().unwrap(),
            control_dir: "replaced".into(),
            work_dir: "replaced".into(),
        };
        let objects = self.storage.objects_of_run(RUN);
        let worker = Worker { settings, objects, behaviour, grace: LONGEST };
        let (place, terminated) = (Place::new(self.place.path()).unwrap(), self.never.subscribe());
        self.prepared.push(place.work().join("status/prepared.json"));
        self.workers.spawn(async move { (attempt, play(worker, &place, terminated).await) });
    }

    fn begin_all(&mut self) {
        for attempt in self.outline.attempts() {
            self.begin(attempt);
        }
    }

    /// Decides as the operator does, once all that were begun are prepared: a worker that comes to a decision is refused.
    async fn start(&self) -> Timestamp {
        let deadline = Instant::now() + LONGEST;
        while !self.prepared.iter().all(|marker| marker.exists()) {
            assert!(Instant::now() < deadline, "the workers do not get prepared");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let start_at = Timestamp::now() + SignedDuration::from_secs(3);
        self.outline.start(&self.storage.objects(), start_at).await.unwrap();
        start_at
    }

    async fn ends(&mut self) -> BTreeMap<WorkerAttempt, Played> {
        let mut played = BTreeMap::new();
        while let Some(ended) = tokio::time::timeout(LONGEST, self.workers.join_next()).await.expect("workers end") {
            let (attempt, what) = ended.unwrap();
            played.insert(attempt, what);
        }
        played
    }

    /// What the operator and then the aggregator do.
    async fn result(&self) -> ResultDocument {
        let objects = self.storage.objects();
        let mut workers = Vec::new();
        for attempt in self.outline.attempts() {
            let manifest = objects.get(&attempt.manifest(RUN), 1 << 20).await.unwrap().expect("a manifest");
            workers.push(ClosedWorker {
                target: attempt.target.clone(),
                index: attempt.index,
                pod_uid: Some(attempt.pod_uid.clone()),
                manifest: Some(sha256_hex(&manifest)),
                reason: None,
            });
        }
        let (at, asked_at) = (Timestamp::now(), BTreeMap::new());
        let close = CloseDecision { version: DOCUMENT_VERSION, at, workers, stopped: None, asked_at };
        objects.put_document_once(&keys::close(RUN), &close).await.unwrap();
        let settings = volley_aggregator::Settings {
            run_uid: RUN.into(),
            patience: Some(LONGEST),
            outlets: volley_aggregator::feed::Outlets::default(),
        };
        let results = self.storage.results();
        volley_aggregator::run(settings, objects, results, None, std::future::pending()).await.unwrap().document
    }
}

fn behaviour() -> Behaviour {
    Behaviour {
        prepare: Duration::from_millis(200),
        samples_per_minute: 6_000,
        failures_per_thousand: 100,
        ..Behaviour::default()
    }
}

/// What the workers must have written, from their seeds alone.
fn samples(played: &BTreeMap<WorkerAttempt, Played>, load_seconds: i64) -> Vec<Sample> {
    let mut all = Vec::new();
    for (attempt, played) in played {
        let began_ms = played.moments.released.unwrap().as_millisecond();
        let mut generator = Generator::new(&behaviour(), behaviour().seed_of(attempt), began_ms);
        let of_worker: Vec<_> = std::iter::from_fn(|| generator.before(began_ms + load_seconds * 1000)).collect();
        assert_eq!(of_worker.len() as u64, played.samples);
        all.extend(of_worker);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn three_workers_come_to_the_result_that_their_samples_give() {
    let mut scene = Scene::new(4).await;
    scene.begin_all();
    let start_at = scene.start().await;
    let played = scene.ends().await;
    for played in played.values() {
        assert_eq!(played.exit, ExitCode::Done);
        assert!(played.moments.released.unwrap() >= start_at);
        assert!(played.moments.uploaded.is_some());
        assert!(played.requests.gone.writes > 0 && played.requests.gone.reads > 0);
    }
    let document = scene.result().await;
    let samples = samples(&played, 4);
    assert!(document.complete);
    assert_eq!(document.totals.requests, samples.len() as u64);
    assert_eq!(document.totals.errors, samples.iter().filter(|sample| sample.failed).count() as u64);
    assert_eq!(document.totals.bytes, Some(samples.iter().map(|sample| u64::from(sample.bytes)).sum::<u64>()));
    let mut times: Vec<_> = samples.iter().map(|sample| u64::from(sample.elapsed_ms) * 1000).collect();
    times.sort_unstable();
    let exact = times[(times.len() * 99).div_ceil(100) - 1];
    let merged = document.totals.p99_us.unwrap();
    assert!(merged.abs_diff(exact) * 2000 <= exact, "{merged} instead of {exact}");
    for number in 0..behaviour().labels {
        let expected = samples.iter().filter(|sample| sample.label == number).count() as u64;
        let label = format!("page {number}");
        let row = document.labels.iter().find(|row| row.target.is_none() && row.label == label).unwrap();
        assert_eq!(row.figures.requests, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saturated_worker_is_a_warning_with_worker_and_second() {
    let mut scene = Scene::new(6).await;
    let [calm, saturated, other] = scene.outline.attempts().try_into().expect("three workers");
    scene.begin(calm.clone());
    scene.begin_as(saturated.clone(), Behaviour { cpu_per_thousand: 970, ..behaviour() });
    scene.begin(other);
    scene.start().await;
    let played = scene.ends().await;
    let document = scene.result().await;
    let row = |attempt: &WorkerAttempt| {
        let mut rows = document.workers.iter();
        rows.find(|row| row.target == attempt.target && row.index == attempt.index).unwrap().health.clone().unwrap()
    };
    let health = row(&calm);
    assert_eq!((health.cpu_max_ppm, health.memory_limit_bytes), (Some(300_000), Some(1 << 30)));
    assert_eq!((health.saturation, health.own_errors), (None, 0));
    let health = row(&saturated);
    assert!((5..=6).contains(&health.measured_seconds), "{health:?}");
    assert_eq!((health.cpu_mean_ppm, health.cpu_available_milli), (Some(970_000), Some(1_000)));
    let saturation = health.saturation.unwrap();
    let released_s = played[&saturated].moments.released.unwrap().as_second();
    let spell = saturation.first;
    assert_eq!((saturation.spells, spell.from.as_second()), (1, released_s));
    assert_eq!((spell.cause, spell.seconds), (SaturationCause::Cpu, health.measured_seconds));
    let warnings: Vec<_> = document.warnings.iter().filter(|warning| !warning.contains("clock")).collect();
    let [all, one] = warnings[..] else { panic!("{:?}", document.warnings) };
    assert!(all.starts_with("1 of 3 workers were saturated: response times and rates may be theirs"), "{all}");
    let expected =
        format!("worker eu/1: CPU at up to 97% of what it may use for {} s from {}", spell.seconds, spell.from);
    assert_eq!(*one, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_at_the_gate_makes_workers_leave_without_samples() {
    let mut scene = Scene::new(60).await;
    scene.begin_all();
    let stop = StopDecision {
        version: DOCUMENT_VERSION,
        reason: StopReason::Requested,
        message: "not now".into(),
        at: Timestamp::now(),
    };
    scene.storage.objects().put_document_once(&keys::stop(RUN), &stop).await.unwrap();
    for played in scene.ends().await.values() {
        assert_eq!((played.exit, played.samples), (ExitCode::Done, 0));
        assert_eq!(played.moments.released, None);
    }
    assert_eq!(scene.result().await.totals.requests, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_keeps_what_was_measured_and_a_late_worker_is_refused() {
    let mut scene = Scene::new(60).await;
    let first = scene.outline.attempts().swap_remove(0);
    scene.begin(first.clone());
    let load = scene.start().await + SignedDuration::from_secs(1);
    tokio::time::sleep(Duration::try_from(load.duration_since(Timestamp::now())).unwrap()).await;
    scene.begin(WorkerAttempt { pod_uid: "replacement".into(), ..first.clone() });
    let (late, refused) = tokio::time::timeout(LONGEST, scene.workers.join_next()).await.unwrap().unwrap().unwrap();
    assert_eq!((late.pod_uid.as_str(), refused.exit, refused.samples), ("replacement", ExitCode::Refused, 0));
    let stop = StopDecision {
        version: DOCUMENT_VERSION,
        reason: StopReason::Requested,
        message: "enough".into(),
        at: Timestamp::now(),
    };
    scene.storage.objects().put_document_once(&keys::stop(RUN), &stop).await.unwrap();
    let played = scene.ends().await;
    assert_eq!(played.len(), 1);
    assert_eq!(played[&first].exit, ExitCode::Done);
    assert!(played[&first].samples > 0);
    let manifest = scene.storage.objects().get_document::<Manifest>(&first.manifest(RUN)).await.unwrap().unwrap().0;
    assert_eq!(manifest.counters.requests, played[&first].samples);
    assert_eq!(manifest.stopped, Some(StopReason::Requested));
}
