//! What became of each entry of `close.json`.

use jiff::Timestamp;
use volley_storage::documents::Manifest;
use volley_storage::keys::WorkerAttempt;

/// One entry of `close.json` after its objects were looked at.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkerOutcome {
    /// Manifest and statistics are there and have the digests that they should have.
    Measured(Box<MeasuredAttempt>),
    /// Nothing of it is in the result.
    Lost(LostAttempt),
}

/// An attempt whose statistics are merged.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasuredAttempt {
    /// Which worker and pod.
    pub attempt: WorkerAttempt,
    /// Its manifest.
    pub manifest: Manifest,
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
