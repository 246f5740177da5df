//! `manifest.json`: a worker's statement of what it uploaded, written last of all. Completeness is decided by manifests,
//! never by the phase of a pod.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use volley_stats::Engine;

use crate::keys::WorkerAttempt;

use super::control::StopReason;
use super::health::WorkerHealth;

/// Digest and size of one uploaded object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectDigest {
    /// Lower-case hexadecimal SHA-256 of the uncompressed bytes.
    pub sha256: String,
    /// Size of the uncompressed bytes.
    pub size: u64,
    /// Size as stored; differs from `size` where the object is compressed.
    pub stored_size: u64,
}

/// An engine and its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EngineVersion {
    /// `jmeter`, `k6`, `locust`, …
    pub name: String,
    /// As the engine says it.
    pub version: String,
}

/// A sample file of an engine that the collector read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SampleFile {
    /// Below the work folder: `artifacts/kpi.jtl`.
    pub path: String,
    /// Whose file it is, by its first row; `None` where that was not complete or is of no engine.
    pub engine: Option<Engine>,
    /// Samples found in it.
    pub samples: u64,
    /// Bytes read of it.
    pub bytes: u64,
}

/// Counters of what the collector saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    /// Requests, successes and failures together, without interrupted ones.
    pub requests: u64,
    /// Failed requests.
    pub errors: u64,
    /// Requests that the stop cut off.
    pub interrupted: u64,
    /// Bytes received; `None` where an engine does not tell them of every request.
    pub bytes: Option<u64>,
    /// Rows that could not be read.
    pub malformed_rows: u64,
    /// Labels that were folded into `[other]`.
    pub folded_labels: u64,
}

/// What became of the live frames of an attempt. The result does not depend on them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FrameCounts {
    /// Frames that were written.
    pub written: u64,
    /// Frames that were not, because the storage did not take them in time.
    pub dropped: u64,
    /// Samples that no frame told of, because their time stamps were too far apart.
    pub left_out: u64,
}

/// In which stage a worker failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FailedStage {
    /// A source could not be fetched or its digest is wrong.
    Fetch,
    /// Taurus refused the configuration.
    Configuration,
    /// The engine refused the script.
    Script,
    /// Taurus failed while it prepared.
    Prepare,
    /// Failed after the gate opened.
    Start,
}

/// `status/failed.json` and the uploaded `failed.json`: why a worker cannot run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerFailure {
    /// Document version.
    pub version: u32,
    /// Where it failed.
    pub stage: FailedStage,
    /// The script, relative to the workspace.
    pub file: Option<String>,
    /// Line in the script, from 1.
    pub line: Option<u64>,
    /// The engine's own words, at most 2 KiB.
    pub words: String,
}

/// What a worker's clock differs from the storage's: to be added to an instant of the worker to get that of the storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClockOffset {
    /// The storage's clock minus the worker's, in microseconds: the middle of what is possible.
    pub offset_us: i64,
    /// The true difference is at most this much above or below, in microseconds.
    pub bound_us: u64,
}

/// What one attempt of one worker did and uploaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Document version.
    pub version: u32,
    /// Uid of the run.
    pub run_uid: String,
    /// Which worker and attempt.
    pub worker: WorkerAttempt,
    /// Version of Taurus.
    pub taurus: Option<String>,
    /// Engines and their versions.
    pub engines: Vec<EngineVersion>,
    /// Exit code of Taurus: information, never the verdict. `None`: it never ran or its end was not seen.
    pub exit_code: Option<i32>,
    /// When the gate opened; `None`: it never did.
    pub released_at: Option<Timestamp>,
    /// Start of the first sample.
    pub first_sample_at: Option<Timestamp>,
    /// End of the last sample.
    pub last_sample_at: Option<Timestamp>,
    /// The worker's clock around the opening of its gate; `None`: the storage told no time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockOffset>,
    /// True when the load ran its full time or was stopped by decision; false: it ended early.
    pub complete: bool,
    /// Why the load was stopped, when it was.
    pub stopped: Option<StopReason>,
    /// What the collector counted.
    pub counters: Counters,
    /// What it told while the load ran; `None`: live figures were off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<FrameCounts>,
    /// How its load generator was; `None` in manifests of older releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<WorkerHealth>,
    /// Where the samples came from.
    pub sample_files: Vec<SampleFile>,
    /// Uploaded objects by name below the attempt's prefix.
    pub objects: BTreeMap<String, ObjectDigest>,
    /// Things a reader of the result should know, for people.
    pub warnings: Vec<String>,
}
