//! One worker: the collector itself, and beside it a main container that is played.

mod behaviour;
mod changes;
mod folders;
mod health;
mod launcher;
mod samples;

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use volley_collector::{Settings, disk};
use volley_storage::ObjectStore;
use volley_storage::objects::RequestCounts;

pub use behaviour::Behaviour;
pub use folders::Place;
pub use launcher::{ExitCode, Moments};
pub use samples::{Generator, Sample};

use launcher::Launcher;

/// Pause before a collector that could not go on is started again, as a kubelet does with a sidecar.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// What is needed to play a worker.
#[derive(Clone, Debug)]
pub struct Worker {
    /// What the collector is told; its folders are those of the place.
    pub settings: Settings,
    /// The collector's storage, with a client of its own as a pod has.
    pub objects: ObjectStore,
    /// How the main container behaves.
    pub behaviour: Behaviour,
    /// How long the collector may take once the main container has ended or the pod is deleted.
    pub grace: Duration,
}

/// What a worker did.
#[derive(Clone, Debug)]
pub struct Played {
    /// Exit code of the main container.
    pub exit: ExitCode,
    /// When what happened.
    pub moments: Moments,
    /// Samples that were written.
    pub samples: u64,
    /// Requests to the storage.
    pub requests: RequestsByPhase,
    /// When the worker was gone.
    pub gone_at: Timestamp,
}

/// Requests to the storage from the beginning up to the end of each phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestsByPhase {
    /// Up to `prepared.json`.
    pub prepared: RequestCounts,
    /// Up to `released.json`.
    pub released: RequestCounts,
    /// Up to `ended.json`.
    pub ended: RequestCounts,
    /// In all.
    pub gone: RequestCounts,
}

/// Plays a worker to its end, or until `terminated` becomes true, which is the SIGTERM of a pod that is deleted.
pub async fn play(worker: Worker, place: &Place, terminated: watch::Receiver<bool>) -> Played {
    let Worker { mut settings, objects, behaviour, grace } = worker;
    settings.control_dir = place.control();
    settings.work_dir = place.work();
    let generator_seed = behaviour.seed_of(&settings.worker);
    let (end_collector, ending) = watch::channel(false);
    let mut collector = JoinSet::new();
    collector.spawn(sidecar(settings, objects.clone(), ending));

    // A pod's containers get SIGTERM in the opposite order of their start: the sidecar last.
    let launcher = Launcher::new(place, &behaviour, generator_seed, &objects, terminated);
    let (exit, moments, samples, mut requests) = launcher.run().await;

    end_collector.send_replace(true);
    if timeout(grace, collector.join_next()).await.is_err() {
        tracing::warn!(grace_s = grace.as_secs(), "a collector did not end in time and is killed");
    }
    requests.gone = objects.requests();
    Played { exit, moments, samples, requests, gone_at: Timestamp::now() }
}

/// The collector, started again where it ends with an error.
async fn sidecar(settings: Settings, objects: ObjectStore, ending: watch::Receiver<bool>) {
    loop {
        let shutdown = requested(ending.clone());
        match volley_collector::run_with(settings.clone(), objects.clone(), disk::free_bytes, shutdown).await {
            Ok(()) => return,
            Err(error) => tracing::error!(%error, worker = ?settings.worker, "a collector could not go on"),
        }
        tokio::select! {
            () = sleep(RESTART_PAUSE) => {}
            () = requested(ending.clone()) => return,
        }
    }
}

/// Resolves when the value becomes true; never where its sender is gone.
pub(crate) async fn requested(mut value: watch::Receiver<bool>) {
    if value.wait_for(|requested| *requested).await.is_err() {
        std::future::pending::<()>().await;
    }
}
