//! The decisions of a run: start, stop, close. Each is written once with `If-None-Match: *`; that write *is* the decision.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::definition::LateWorkers;

/// `control/start.json`: when and where the load starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartDecision {
    /// Document version.
    pub version: u32,
    /// The instant at which every gate opens.
    pub start_at: Timestamp,
    /// Names of the `RegionTarget`s that take part.
    pub regions: Vec<String>,
    /// What a worker does that reads this after `start_at`.
    pub late_workers: LateWorkers,
    /// The regions of the definition that take no part, and why, for people.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<String, String>,
}

impl StartDecision {
    /// Whether a target takes part.
    #[must_use]
    pub fn includes(&self, target: &str) -> bool {
        self.regions.iter().any(|region| region == target)
    }

    /// How long after the start instant a worker began that is late; `None`: it began in time.
    #[must_use]
    pub fn lateness(&self, began: Timestamp) -> Option<SignedDuration> {
        Some(began.duration_since(self.start_at)).filter(|after| *after > LATE_AFTER)
    }
}

/// A worker that begins more than this after the start instant is late; what is less shows in the skew.
const LATE_AFTER: SignedDuration = SignedDuration::from_secs(1);

/// Why load ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum StopReason {
    /// `spec.stop` was set.
    Requested,
    /// The run or its LoadTest is being deleted.
    Deleted,
    /// Fewer workers than `healthyPercent` are left in a region.
    WorkersLost,
    /// The run's deadline has passed.
    DeadlineExceeded,
    /// A worker's disk is nearly full.
    DiskFull,
    /// A worker could not reach the storage for too long.
    Uncontrolled,
    /// A threshold was missed while the load ran.
    ThresholdsAborted,
}

/// `control/stop.json`: end the load in order, keep the results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StopDecision {
    /// Document version.
    pub version: u32,
    /// Why.
    pub reason: StopReason,
    /// For people: one sentence.
    pub message: String,
    /// When it was decided.
    pub at: Timestamp,
}

/// One worker in the frozen list of what is merged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClosedWorker {
    /// Name of the RegionTarget.
    pub target: String,
    /// Completion index.
    pub index: u32,
    /// Uid of the pod whose manifest is merged; `None`: no manifest of any attempt was there.
    pub pod_uid: Option<String>,
    /// Lower-case hexadecimal SHA-256 of the manifest's bytes; `None`: the worker is lost.
    pub manifest: Option<String>,
    /// Why there is no manifest, for people.
    pub reason: Option<String>,
}

/// `control/close.json`: exactly what the final merge reads. A manifest that arrives later is never merged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CloseDecision {
    /// Document version.
    pub version: u32,
    /// When it was decided.
    pub at: Timestamp,
    /// Sorted by target, index, pod; an index stands here once per attempt with a manifest, at least once.
    pub workers: Vec<ClosedWorker>,
    /// Why the load ended early, when it did.
    pub stopped: Option<StopReason>,
    /// When a region's workers were asked for, on average, by target. A region whose Job could not be seen is missing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub asked_at: BTreeMap<String, Timestamp>,
}
