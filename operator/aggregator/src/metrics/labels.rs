//! Labels of the metrics: closed enums.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use volley_storage::FailureClass;
use volley_storage::iot::IotError;

/// What became of a worker's frame that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum WorkerFrame {
    /// It was added up before its last second was closed.
    Merged,
    /// It came after that: it is in the course, and in no frame that is published.
    Late,
    /// It is damaged, of another version, or not the one that its name says.
    Unreadable,
}

impl WorkerFrame {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Merged, Self::Late, Self::Unreadable];
}

/// What became of the live sum that was to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Checkpoint {
    /// It is in the storage.
    Written,
    /// It is not; the next one is tried.
    Failed,
}

impl Checkpoint {
    /// All of them.
    pub(super) const ALL: [Self; 2] = [Self::Written, Self::Failed];
}

/// Why IoT Core did not take a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(super) enum Reason {
    Denied,
    Throttled,
    TimedOut,
    Unavailable,
    Refused,
}

impl Reason {
    pub(super) const ALL: [Self; 5] = [Self::Denied, Self::Throttled, Self::TimedOut, Self::Unavailable, Self::Refused];
}

impl From<&IotError> for Reason {
    fn from(error: &IotError) -> Self {
        match error {
            IotError::Denied { .. } => Self::Denied,
            IotError::Throttled { .. } => Self::Throttled,
            IotError::TimedOut { .. } => Self::TimedOut,
            IotError::Unavailable { .. } => Self::Unavailable,
            IotError::Refused { .. } => Self::Refused,
        }
    }
}

/// What can be done about an error, as the operator's metrics write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(super) enum Class {
    Transient,
    NeedsChange,
    Terminal,
}

impl Class {
    pub(super) const ALL: [Self; 3] = [Self::Transient, Self::NeedsChange, Self::Terminal];
}

impl From<FailureClass> for Class {
    fn from(class: FailureClass) -> Self {
        match class {
            FailureClass::Transient => Self::Transient,
            FailureClass::NeedsChange => Self::NeedsChange,
            FailureClass::Terminal => Self::Terminal,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct FrameLabels {
    pub(super) outcome: WorkerFrame,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CheckpointLabels {
    pub(super) outcome: Checkpoint,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReasonLabels {
    pub(super) reason: Reason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ClassLabels {
    pub(super) class: Class,
}
