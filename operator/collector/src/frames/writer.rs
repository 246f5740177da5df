//! Brings frames to the storage.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use volley_stats::Frame;
use volley_stats::frame::MAXIMUM_ENCODED_BYTES;
use volley_storage::ObjectStore;
use volley_storage::documents::FrameCounts;
use volley_storage::keys::WorkerAttempt;
use volley_storage::objects::PutOptions;

use super::Schedule;

/// How long writing one frame may take. Later it would tell nobody anything.
const PATIENCE: Duration = Duration::from_secs(5);
/// One frame waits while another is written; the second place is for the last one, which says that the worker has ended.
const PLACES: usize = 2;

#[derive(Debug, Default)]
struct Counts {
    written: AtomicU64,
    dropped: AtomicU64,
    left_out: AtomicU64,
}

/// Where the tail's thread puts frames.
#[derive(Debug)]
pub struct Outlet {
    /// When seconds are closed.
    pub schedule: Schedule,
    frames: mpsc::Sender<Frame>,
    counts: Arc<Counts>,
}

impl Outlet {
    /// Whether the frame before was taken, so that there is room for another one.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.frames.capacity() == PLACES
    }

    /// Hands over a frame. It never waits.
    pub fn put(&self, frame: Frame) {
        self.counts.left_out.fetch_add(frame.left_out, Ordering::Relaxed);
        if self.frames.try_send(frame).is_err() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The other end: writes them, one after the other.
#[derive(Debug)]
pub struct Writer {
    frames: mpsc::Receiver<Frame>,
    counts: Arc<Counts>,
}

/// What became of the frames of a worker.
#[derive(Clone, Debug)]
pub struct Tally {
    counts: Arc<Counts>,
}

impl Tally {
    /// The numbers so far.
    #[must_use]
    pub fn counts(&self) -> FrameCounts {
        FrameCounts {
            written: self.counts.written.load(Ordering::Relaxed),
            dropped: self.counts.dropped.load(Ordering::Relaxed),
            left_out: self.counts.left_out.load(Ordering::Relaxed),
        }
    }
}

/// The two ends, and what counts.
#[must_use]
pub fn channel(schedule: Schedule) -> (Outlet, Writer, Tally) {
    let (sender, receiver) = mpsc::channel(PLACES);
    let counts = Arc::new(Counts::default());
    let outlet = Outlet { schedule, frames: sender, counts: Arc::clone(&counts) };
    (outlet, Writer { frames: receiver, counts: Arc::clone(&counts) }, Tally { counts })
}

impl Writer {
    /// Writes frames until the tail has ended.
    pub async fn run(mut self, store: ObjectStore, run_uid: Arc<str>, worker: WorkerAttempt) {
        let mut complained = false;
        while let Some(frame) = self.frames.recv().await {
            let trouble = write(&store, &worker.frame(&run_uid, frame.through), &frame).await.err();
            let counter = if trouble.is_none() { &self.counts.written } else { &self.counts.dropped };
            counter.fetch_add(1, Ordering::Relaxed);
            if let Some(trouble) = trouble.as_ref().filter(|_| !complained) {
                tracing::warn!(trouble, "a live frame was not written; the result does not depend on it");
            }
            complained = trouble.is_some();
        }
    }
}

async fn write(store: &ObjectStore, key: &str, frame: &Frame) -> Result<(), String> {
    let bytes = frame.encode();
    if bytes.len() > MAXIMUM_ENCODED_BYTES {
        return Err(format!("it has {} bytes, more than the {MAXIMUM_ENCODED_BYTES} that are read", bytes.len()));
    }
    match timeout(PATIENCE, store.put(key, bytes, PutOptions::default())).await {
        Ok(written) => written.map_err(|error| error.to_string()),
        Err(_) => Err(format!("the storage did not answer within {} s", PATIENCE.as_secs())),
    }
}
