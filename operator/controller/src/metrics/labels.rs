//! Labels of the metrics: closed enums, each value as it is written in the objects.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use volley_api::load_test_run::{EndReason, Phase};
use volley_storage::FailureClass;

/// A kind of object that is reconciled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Kind {
    /// `LoadTest`.
    LoadTest,
    /// `LoadTestRun`.
    LoadTestRun,
    /// `RegionTarget`.
    RegionTarget,
}

/// How a reconcile ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Outcome {
    /// Well.
    Success,
    /// With an error that passes.
    Transient,
    /// With an error that somebody has to mend.
    NeedsChange,
    /// With an error that stays.
    Terminal,
}

impl Outcome {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [Self::Success, Self::Transient, Self::NeedsChange, Self::Terminal];
}

impl From<FailureClass> for Outcome {
    fn from(class: FailureClass) -> Self {
        match class {
            FailureClass::Transient => Self::Transient,
            FailureClass::NeedsChange => Self::NeedsChange,
            FailureClass::Terminal => Self::Terminal,
        }
    }
}

/// A phase of a run, as its status writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelValue)]
pub(super) enum PhaseLabel {
    Pending,
    Queued,
    Provisioning,
    Ready,
    Running,
    Collecting,
    Aggregating,
    Succeeded,
    Failed,
    Stopped,
    Skipped,
}

impl From<Phase> for PhaseLabel {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Pending => Self::Pending,
            Phase::Queued => Self::Queued,
            Phase::Provisioning => Self::Provisioning,
            Phase::Ready => Self::Ready,
            Phase::Running => Self::Running,
            Phase::Collecting => Self::Collecting,
            Phase::Aggregating => Self::Aggregating,
            Phase::Succeeded => Self::Succeeded,
            Phase::Failed => Self::Failed,
            Phase::Stopped => Self::Stopped,
            Phase::Skipped => Self::Skipped,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KindLabels {
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReconcileLabels {
    pub(super) kind: Kind,
    pub(super) outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ErrorLabels {
    pub(super) class: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub(super) struct PhaseLabels {
    pub(super) phase: PhaseLabel,
}

/// How a run ended: the final phase, which follows from the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RunLabels {
    outcome: PhaseLabel,
    reason: &'static str,
}

impl RunLabels {
    pub(super) fn of(reason: EndReason) -> Self {
        Self { outcome: reason.phase().into(), reason: reason.as_str() }
    }
}
