//! The JSON documents that pass between operator, workers and aggregator through S3.
//!
//! Each carries a `version`; a reader refuses a version it does not know instead of guessing. Unknown fields are ignored, so
//! that a newer writer may add some. Instants are RFC 3339 in UTC, durations integer milliseconds (`…Ms`).

mod control;
mod definition;
mod manifest;

pub use control::{ClosedWorker, CloseDecision, StartDecision, StopDecision, StopReason};
pub use definition::{
    Assertion, Artifacts, Definition, Images, LateWorkers, Load, Region, RequestStep, RunIdentity, Scenario, Source, Start, WorkerResources,
};
pub use manifest::{Counters, EngineVersion, FailedStage, Manifest, ObjectDigest, WorkerFailure};

/// Version of every document written by this release.
pub const DOCUMENT_VERSION: u32 = 1;
