//! Keeps in the storage what was measured so far, while the load runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use volley_storage::ObjectStore;
use volley_storage::documents::{Definition, WorkerHealth};
use volley_storage::keys::WorkerAttempt;

use crate::tail::{Snapshot, Tail};
use crate::upload::{Checkpoints, Seen, Statement};

/// How often.
const PERIOD: Duration = Duration::from_secs(30);
/// How long one may take; then the next one is due.
const PATIENCE: Duration = Duration::from_secs(25);

/// When the next checkpoint is due, and the one under way.
#[derive(Debug)]
pub(crate) struct Progress {
    checkpoints: Arc<Mutex<Checkpoints>>,
    worker: WorkerAttempt,
    /// `None`: the load has not begun.
    next: Option<Instant>,
    under_way: Option<JoinHandle<()>>,
}

impl Progress {
    /// Nothing is due yet.
    pub(crate) fn new(store: ObjectStore, run_uid: &str, worker: &WorkerAttempt) -> Self {
        let checkpoints = Checkpoints::new(store, run_uid, worker);
        Self { checkpoints: Arc::new(Mutex::new(checkpoints)), worker: worker.clone(), next: None, under_way: None }
    }

    /// Starts to write a checkpoint when it is time and none is under way. Called under load.
    ///
    /// The first one is due a part of the period after the first call, which depends on the worker: a thousand workers start at one
    /// instant and need not write at one.
    pub(crate) fn keep(&mut self, tail: &Tail, definition: &Arc<Definition>, seen: &Seen) {
        let now = Instant::now();
        let next = *self.next.get_or_insert_with(|| now + first(self.worker.index));
        if now < next || self.under_way.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        self.next = Some(now + PERIOD);
        let (checkpoints, worker) = (Arc::clone(&self.checkpoints), self.worker.clone());
        let (snapshot, definition, seen) = (tail.snapshot(), Arc::clone(definition), seen.clone());
        self.under_way = Some(tokio::spawn(async move {
            let writing = write(&checkpoints, &worker, snapshot, &definition, &seen);
            if timeout(PATIENCE, writing).await.is_err() {
                tracing::warn!(seconds = PATIENCE.as_secs(), "the checkpoint was not written in time");
            }
        }));
    }

    /// A delivery needs none any more.
    pub(crate) fn end(&mut self) {
        if let Some(task) = self.under_way.take() {
            task.abort();
        }
    }
}

/// From the beginning of the load to a worker's first checkpoint: 1 to 30 s.
fn first(index: u32) -> Duration {
    Duration::from_secs(1 + u64::from(index) % PERIOD.as_secs())
}

async fn write(
    checkpoints: &Mutex<Checkpoints>,
    worker: &WorkerAttempt,
    snapshot: oneshot::Receiver<Snapshot>,
    definition: &Definition,
    seen: &Seen,
) {
    // The tail has ended: there is a delivery instead.
    let Ok(snapshot) = snapshot.await else { return };
    let Snapshot { at, histograms, series, measured, files, health, late_samples, warnings } = snapshot;
    let health = WorkerHealth::new(health.as_ref(), late_samples, &measured.own_errors);
    let statement = Statement { definition, worker, seen, measured, health, sample_files: files, warnings };
    let objects = [("histograms", histograms), ("series", series)];
    if let Err(error) = checkpoints.lock().await.write(statement, objects, at).await {
        tracing::warn!(%error, "the checkpoint was not written; the next one is due in {} s", PERIOD.as_secs());
    }
}
