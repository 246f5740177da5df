//! What the collector does next, from what it sees. Pure: no clock, no file, no network.
//!
//! [`plan`] looks at the whole state each time (level, not edge), so a restarted collector that finds the files of its
//! predecessor decides as the predecessor would have.
//!
//! # Guarantees (each one is a property in the tests, with a judge of its own)
//!
//! * The gate is never opened before the instant, without a start decision, twice, after a stop, after a refusal, or for a worker that
//!   is not prepared. It is opened late only where the decision lets late workers join, and then the load ends with that of the others.
//! * A stop that is seen together with the start instant wins.
//! * Load never outlasts `maxLoad` after the start instant, `maxUncontrolled` without storage, or the room on the disk by more
//!   than one step.
//! * Whatever happens, a worker that has ended, failed or was refused reaches [`State::Done`], and one that is told to
//!   end exits.
//!
//! # Order of the decisions
//!
//! done → not launched (late, fetch failed, launch) → worker failed or ended → stop → start → wait.

mod plan;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use volley_storage::documents::{StartDecision, StopDecision, StopReason};

pub use plan::plan;

/// How late the gate may open after the instant because this process was not given the processor, in milliseconds. Beyond, the
/// worker is late like any other.
pub const MAXIMUM_DELAY_MS: i64 = 5_000;
/// How long a collector that is told to end waits for Taurus to end, in milliseconds. A pod's grace period has to hold
/// this and the upload.
pub const TERMINATION_PATIENCE_MS: u64 = 20_000;

/// Bounds from the definition, in milliseconds.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Name of this worker's RegionTarget.
    pub target: String,
    /// The load is planned to take this long.
    pub load_ms: u64,
    /// Load is stopped this long after the start instant.
    pub max_load_ms: u64,
    /// Load is stopped after this long without an answer of the storage.
    pub max_uncontrolled_ms: u64,
}

/// Where the fetching of definition and sources stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sources {
    /// Under way.
    Pending,
    /// The workspace is complete.
    Ready,
    /// It cannot succeed.
    Failed,
}

/// A start decision and when it was first read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartSeen {
    /// The decision.
    pub decision: StartDecision,
    /// When this process first had it in hand.
    pub at: Timestamp,
}

/// Everything the plan depends on.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each says whether one file of the contract is there")]
pub struct Observed {
    /// Fetching.
    pub sources: Sources,
    /// Whether the storage has said if there is a start decision (a pod must know that before it launches).
    pub start_looked_for: bool,
    /// The start decision.
    pub start: Option<StartSeen>,
    /// The stop decision.
    pub stop: Option<StopDecision>,
    /// Time since the storage last answered, in milliseconds.
    pub without_storage_ms: u64,
    /// `launch.json` is there.
    pub launched: bool,
    /// `refused.json` is there.
    pub refused: bool,
    /// `start` is there.
    pub opened: bool,
    /// `stop.json` is there.
    pub stopping: bool,
    /// `uploaded` is there.
    pub uploaded: bool,
    /// `prepared.json` is there.
    pub prepared: bool,
    /// When the gate opened, by `released.json`.
    pub released_at: Option<Timestamp>,
    /// The worker's `failed.json` is there.
    pub failed: bool,
    /// `ended.json` is there.
    pub ended: bool,
    /// Bytes free on the worker's disk; `None`: not known.
    pub free_bytes: Option<u64>,
    /// What was delivered by this process.
    pub delivered: Option<Outcome>,
    /// Time since this process was told to end, in milliseconds.
    pub terminating_ms: Option<u64>,
}

impl Observed {
    /// A collector that has just started and found nothing.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            sources: Sources::Pending,
            start_looked_for: false,
            start: None,
            stop: None,
            without_storage_ms: 0,
            launched: false,
            refused: false,
            opened: false,
            stopping: false,
            uploaded: false,
            prepared: false,
            released_at: None,
            failed: false,
            ended: false,
            free_bytes: None,
            delivered: None,
            terminating_ms: None,
        }
    }
}

/// How a delivery went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is in the storage.
    Complete,
    /// The deadline passed.
    GaveUp,
}

/// What is brought to the storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Statistics, logs and a manifest; also of a worker that was stopped in the gate.
    Results,
    /// `failed.json` and logs of a worker that never started load. No manifest: it took no part.
    Failure,
}

/// Why a worker must not start load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalReason {
    /// The load has started, or starts, without this worker.
    Late,
    /// The worker's RegionTarget takes no part.
    NotInRegions,
    /// A source could not be fetched, or the definition cannot be run; `failed.json` says which.
    FetchFailed,
}

/// `refused.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// Document version.
    pub version: u32,
    /// Why.
    pub reason: RefusalReason,
    /// For people: one sentence.
    pub message: String,
}

/// `stop.json` in the control folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StopFile {
    /// Document version.
    pub version: u32,
    /// Why.
    pub reason: StopReason,
    /// For people: one sentence.
    pub message: String,
}

/// One step of the collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write `launch.json`.
    Launch,
    /// Write `refused.json`.
    Refuse(Refusal),
    /// Create `start`.
    OpenGate,
    /// Write `stop.json`.
    Stop(StopFile),
    /// Bring results or failure to the storage.
    Deliver(Delivery),
    /// Create `uploaded`.
    ConfirmUpload,
    /// End the process.
    Exit,
}

/// Where the worker is, for the probe and the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum State {
    /// Definition and sources are being fetched.
    Fetching,
    /// Taurus prepares.
    Preparing,
    /// Taurus waits at the gate.
    Prepared,
    /// The gate is open.
    Running,
    /// A stop was ordered.
    Stopping,
    /// Results or a failure are being brought to the storage.
    Delivering,
    /// This worker does not start load.
    Refused,
    /// Nothing is left to do.
    Done,
}

/// What to do now and when to look again at the latest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// At most one step; after it the world is looked at again.
    pub action: Option<Action>,
    /// Where the worker is.
    pub state: State,
    /// An instant at which the plan will be another one, whatever else happens.
    pub wake_at: Option<Timestamp>,
}
