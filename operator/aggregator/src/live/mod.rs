//! The run while it runs: frames of all workers, merged second by second.
//!
//! Gather ([`listing`]): one LIST a second and region finds new frames, which are read with bounded concurrency. Merge
//! ([`merger`], pure): adds them up and closes seconds. Report ([`report`]): the run's status. Whoever wants to see the seconds
//! [subscribes](Live::subscribe). Thresholds may stop the load ([`abort`]).
//!
//! # Guarantees
//!
//! * Nothing here can fail a run but a threshold that says so, and no final number depends on it.
//! * A frame is merged once, however often it is listed, also over a restart of this process.
//! * The live percentiles of a second are those of its samples, within 0.05 %, when all workers are in it.
//! * Memory does not grow with the length of the run: seconds are kept until they are closed, the series needs no more after ten
//!   minutes, and what was merged is remembered for the window in which it can be listed again.

mod abort;
mod checkpoint;
mod follow;
mod generators;
mod listing;
mod merger;
mod report;
mod second;
mod silence;
mod sweep;

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;
pub use volley_stats::series::{LivePoint, LiveSeries};

pub use abort::AbortJudge;
pub use checkpoint::CheckpointError;
pub use follow::{follow, merge};
pub use merger::{Merger, Outline, WorkerHeard};
pub use report::figures;
pub use second::{Behind, ClosedRegion, ClosedSecond, Generators, Heard, Saturated};
pub use sweep::all as delete_frames;

use crate::metrics::Metrics;

/// Error groups of a closed second.
pub const ERROR_GROUPS: usize = 100;
/// Labels of a region in a second; those that come later are under `[other]`, one row of each kind.
pub const LABELS: usize = 500;
/// Workers that are named because they are behind.
pub const BEHIND: usize = 20;
/// Workers that are named because they are saturated.
pub const SATURATED: usize = 20;
/// Closed seconds that a subscriber may be behind before it misses some. A second of 50 labels is about half a megabyte.
const BACKLOG: usize = 16;

/// What the rest of the aggregator sees of the running run. Cheap to clone; clones are the same.
#[derive(Clone, Debug)]
pub struct Live {
    merger: Arc<Mutex<Merger>>,
    closed: broadcast::Sender<Arc<ClosedSecond>>,
    metrics: Arc<Metrics>,
}

impl Live {
    /// The live view of a run as it stands in `merger`.
    #[must_use]
    pub fn new(merger: Merger, metrics: Arc<Metrics>) -> Self {
        Self { merger: Arc::new(Mutex::new(merger)), closed: broadcast::Sender::new(BACKLOG), metrics }
    }

    /// Closed seconds from now on, in their order. A receiver that is more than 16 behind is told how many it has missed.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<ClosedSecond>> {
        self.closed.subscribe()
    }

    /// Lets something look at the series so far. It must be quick: merging waits for it.
    pub fn series<T>(&self, look: impl FnOnce(&LiveSeries) -> T) -> T {
        self.with(|merger| look(merger.series()))
    }

    /// What was heard of each worker, by target, index and pod.
    #[must_use]
    pub fn workers(&self) -> Vec<WorkerHeard> {
        self.with(|merger| merger.workers())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Merger) -> T) -> T {
        // A panic while it was held is a defect that has been told already; figures that are half added are no worse than none.
        act(&mut self.merger.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
