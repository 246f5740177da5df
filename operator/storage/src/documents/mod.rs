//! The JSON documents that pass between operator, workers and aggregator through S3.
//!
//! Each carries a `version`; a reader refuses a version it does not know instead of guessing. Unknown fields are ignored, so
//! that a newer writer may add some. Instants are RFC 3339 in UTC, durations integer milliseconds (`…Ms`).

mod checkpoint;
mod control;
mod definition;
mod health;
mod live_frame;
mod manifest;
mod result;
mod schema;
mod threshold;

pub use checkpoint::{Checkpoint, CheckpointDecision, FrozenCheckpoint};
pub use control::{CloseDecision, ClosedWorker, StartDecision, StopDecision, StopReason};
pub use definition::{
    Artifacts, Assertion, Definition, Images, LateWorkers, Live, Load, MissingRegion, Region, RequestStep, RunIdentity,
    Scenario, Source, Start, TaurusExecution, WorkerResources,
};
pub use health::{SaturatedSpell, SaturationCause, WorkerHealth, WorkerSaturation};
pub use live_frame::{
    FRAME_ERRORS, FRAME_LABELS, FRAME_TEXT_CHARACTERS, FRAME_WORKERS_BEHIND, FRAME_WORKERS_SATURATED, FrameError,
    FrameFigures, FrameGenerators, FrameLabel, FrameScope, FrameWorker, FrameWorkers, LIVE_FRAME_VERSION, LiveCourse,
    LiveFrame, Publishing, SaturatedWorker,
};
pub use manifest::{
    ClockOffset, Counters, EngineVersion, FailedStage, FrameCounts, Manifest, ObjectDigest, SampleFile, WorkerFailure,
};
pub use result::{
    ErrorGroup, Figures, LabelFigures, MeasuredInterval, RegionFigures, ResultDocument, SeriesFigures,
    SeriesPercentiles, Skew, WorkerCounts, WorkerResult, WorkerState, rate_milli, ratio_ppm,
};

pub use schema::{live_schema, result_schema};
pub use threshold::{Abort, Threshold, ThresholdFigures};

use crate::objects::Document;

/// Version of every document written by this release.
pub const DOCUMENT_VERSION: u32 = 1;

/// Declares how the documents are called and how big they may be.
macro_rules! documents {
    ($($document:ty: $kind:literal, $max_bytes:expr;)*) => {
        $(impl Document for $document {
            const KIND: &'static str = $kind;
            const MAX_BYTES: u64 = $max_bytes;
            fn version(&self) -> u32 {
                self.version
            }
        })*
    };
}

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

// Limits: a definition is bounded by the LoadTest (requests and bodies within etcd's 1.5 MiB); a close decision holds one
// line a worker (5 regions of at most 1,000 workers, several attempts); a result holds every label of every region.
documents! {
    Definition: "definition", 4 * MIB;
    StartDecision: "start decision", 64 * KIB;
    StopDecision: "stop decision", 64 * KIB;
    CloseDecision: "close decision", 16 * MIB;
    Manifest: "manifest", MIB;
    Checkpoint: "checkpoint", MIB;
    CheckpointDecision: "checkpoint decision", 16 * MIB;
    WorkerFailure: "worker failure", 16 * KIB;
    ResultDocument: "result", 256 * MIB;
}
