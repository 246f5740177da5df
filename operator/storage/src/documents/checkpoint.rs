//! `checkpoint.json` and `control/checkpoints.json`: what a worker measured until a moment, for the case that it never gets
//! to write its manifest, and which of these the final merge reads.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::keys::{CheckpointSlot, WorkerAttempt};

use super::manifest::Manifest;

/// `checkpoint.json`: what an attempt has measured so far. The last one written counts, and only where there is no manifest.
///
/// Its objects are `checkpoint/<slot>/<name>` below the attempt's prefix
/// ([`WorkerAttempt::checkpoint_object`]); they are written before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// Document version.
    pub version: u32,
    /// Until when everything that the worker measured is in it.
    pub at: Timestamp,
    /// Where its objects are.
    pub slot: CheckpointSlot,
    /// What the worker would have said, had it ended here: `complete` is false, and `objects` names `histograms` and `series`.
    pub manifest: Manifest,
}

/// One checkpoint in the frozen list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FrozenCheckpoint {
    /// Which worker and pod.
    pub worker: WorkerAttempt,
    /// Lower-case hexadecimal SHA-256 of the checkpoint document's bytes, under which its copy is kept; `None`: it is of no
    /// use.
    pub checkpoint: Option<String>,
    /// Why it is of no use, for people.
    pub reason: Option<String>,
}

/// `control/checkpoints.json`: the checkpoints that stand for workers without a manifest, written once by the aggregator
/// before it merges. A worker that still lives cannot change what was merged: the copies are out of its reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointDecision {
    /// Document version.
    pub version: u32,
    /// Sorted by target, index, pod.
    pub checkpoints: Vec<FrozenCheckpoint>,
}
