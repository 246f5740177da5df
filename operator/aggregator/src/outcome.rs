//! What became of each entry of `close.json`, and of checkpoints that stand for workers without a manifest.

use jiff::Timestamp;
use volley_storage::documents::{Manifest, ObjectDigest};
use volley_storage::keys::{WorkerAttempt, frozen_checkpoint_object};

/// One attempt after its objects were looked at.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkerOutcome {
    /// Manifest (or checkpoint) and statistics are there and have the digests that they should have.
    Measured(Box<MeasuredAttempt>),
    /// Nothing of it is in the result.
    Lost(LostAttempt),
}

/// An attempt whose statistics are merged.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasuredAttempt {
    /// Which worker and pod.
    pub attempt: WorkerAttempt,
    /// Its manifest, or the one in its last checkpoint.
    pub manifest: Manifest,
    /// Where its figures are from.
    pub provenance: Provenance,
    /// What is missing of it although its statistics are merged, for people.
    pub lacks: Option<String>,
}

/// Where the figures of an attempt are from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provenance {
    /// It ended and wrote its manifest.
    Manifest,
    /// It left no manifest; this is the frozen copy of its last checkpoint.
    Checkpoint {
        /// Everything that it measured until then is in it.
        at: Timestamp,
        /// Why there is no manifest, for people.
        reason: String,
    },
}

impl MeasuredAttempt {
    /// Key of one of its objects, with its digest; `None` where the manifest names no such object.
    #[must_use]
    pub fn object(&self, run_uid: &str, name: &str) -> Option<(String, &ObjectDigest)> {
        let digest = self.manifest.objects.get(name)?;
        let key = match self.provenance {
            Provenance::Manifest => self.attempt.object(run_uid, name),
            Provenance::Checkpoint { .. } => frozen_checkpoint_object(run_uid, &digest.sha256),
        };
        Some((key, digest))
    }
}

/// An attempt of which nothing is in the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostAttempt {
    /// Name of the RegionTarget.
    pub target: String,
    /// Completion index.
    pub index: u32,
    /// Uid of the pod, where one is known.
    pub pod_uid: Option<String>,
    /// Why, for people.
    pub reason: String,
    /// When its gate opened, where its manifest could be read.
    pub released_at: Option<Timestamp>,
}

impl WorkerOutcome {
    /// Name of the RegionTarget.
    #[must_use]
    pub fn target(&self) -> &str {
        match self {
            Self::Measured(measured) => &measured.attempt.target,
            Self::Lost(lost) => &lost.target,
        }
    }

    /// Completion index.
    #[must_use]
    pub fn index(&self) -> u32 {
        match self {
            Self::Measured(measured) => measured.attempt.index,
            Self::Lost(lost) => lost.index,
        }
    }

    /// Uid of the pod, where one is known.
    #[must_use]
    pub fn pod_uid(&self) -> Option<&str> {
        match self {
            Self::Measured(measured) => Some(&measured.attempt.pod_uid),
            Self::Lost(lost) => lost.pod_uid.as_deref(),
        }
    }
}
