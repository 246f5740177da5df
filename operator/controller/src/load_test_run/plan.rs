//! The planner of a run: from what was seen to what is done next. Pure, total, and the only place that takes decisions.
//!
//! # Guarantees
//!
//! * One step a reconcile: a plan holds only actions that follow from what is already written, so that a crash between any two
//!   actions leaves a state from which the next plan goes on.
//! * Nothing runs without the claim, and nothing runs that is not frozen.
//! * The start is decided at most once (it is one put-once write), and no worker Job is made after it.
//! * Every run ends: each stage has a bound in time, see [`timing`].
//! * Same observation, same plan; a plan whose actions have taken effect is not planned again.
//!
//! # Order of decisions
//!
//! ended → clean; not adopted → adopt; not frozen → [`opening`]; closed → [`aggregation`]; started → [`measurement`]; else
//! [`provision`].

mod aggregation;
mod cleaning;
mod draft;
mod forecast;
mod measurement;
mod opening;
mod provision;
mod ramp;
mod readiness;
mod wording;

#[cfg(test)]
pub(crate) mod tables;
#[cfg(test)]
mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use volley_api::LoadTestRunStatus;
use volley_storage::documents::{ClosedWorker, StartDecision, StopDecision, StopReason};
use volley_storage::keys::WorkerAttempt;

use super::observed::{Definiteness, Observed};
use super::{ending, observed, timing};
use crate::definition::Candidate;
use draft::Draft;

/// What the installation decides about plans.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Distance of the start instant from the decision.
    pub start_delay: SignedDuration,
}

/// What is done next.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// In order; each only when the one before has succeeded.
    pub actions: Vec<Action>,
    /// What the status says once the actions have succeeded. `live` and `result` are the aggregator's and not looked at.
    pub status: LoadTestRunStatus,
    /// When to look again, at the latest; `None`: only when something changes.
    pub requeue: Option<Duration>,
}

/// One write. Each names all it needs, so that applying it takes no decision.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Put finalizer and label on the run, and make its LoadTest its owner.
    Adopt,
    /// Write the LoadTest's `status.active`, with the resource version that was seen. Takes or gives back the claim.
    SetActive(Vec<String>),
    /// Store the sources and write `definition.json`, once.
    Freeze(Box<Candidate>),
    /// Put our finalizer on a RegionTarget, which must not go while the run uses it. Comes before the Job.
    HoldTarget {
        /// Name of the target.
        target: String,
    },
    /// Make the worker Job of a target, without pods.
    CreateWorkerJob {
        /// Name of the target.
        target: String,
    },
    /// Make what the pods of a target's Job need; comes before the first step of its ramp.
    CreateRunSecret {
        /// Name of the target.
        target: String,
        /// Uid of the Job, which owns it.
        job_uid: String,
    },
    /// Raise the parallelism of a target's worker Job.
    Ramp {
        /// Name of the target.
        target: String,
        /// New parallelism.
        parallelism: u32,
        /// Now.
        at: Timestamp,
    },
    /// Make the aggregator's Job.
    CreateAggregatorJob,
    /// Write `control/start.json`, once. This is the decision.
    DecideStart(StartDecision),
    /// Write `control/stop.json`, once.
    DecideStop(StopDecision),
    /// Write `control/close.json`, once.
    DecideClose(Closing),
    /// Delete the worker Job of a target, with its pods and Secret.
    DeleteWorkerJob {
        /// Name of the target.
        target: String,
        /// Uid of the Job.
        uid: String,
    },
    /// Delete the aggregator's Job.
    DeleteAggregatorJob {
        /// Uid of the Job.
        uid: String,
    },
    /// Note on a RegionTarget that objects of the run may still be in its cluster.
    NoteLeftovers {
        /// Name of the target.
        target: String,
    },
    /// Write the annotation that says that the run has ended.
    MarkFinished(Timestamp),
    /// Take our finalizer off the run.
    RemoveFinalizer,
}

impl Action {
    /// The target in whose cluster the action writes; `None`: it writes to the hub or to the storage.
    pub(super) fn target(&self) -> Option<&str> {
        match self {
            Self::CreateWorkerJob { target }
            | Self::CreateRunSecret { target, .. }
            | Self::Ramp { target, .. }
            | Self::DeleteWorkerJob { target, .. } => Some(target),
            Self::Adopt
            | Self::HoldTarget { .. }
            | Self::SetActive(_)
            | Self::Freeze(_)
            | Self::CreateAggregatorJob
            | Self::DecideStart(_)
            | Self::DecideStop(_)
            | Self::DecideClose(_)
            | Self::DeleteAggregatorJob { .. }
            | Self::NoteLeftovers { .. }
            | Self::MarkFinished(_)
            | Self::RemoveFinalizer => None,
        }
    }
}

/// What `close.json` will list; the digests of the manifests are read while it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// When it was decided.
    pub at: Timestamp,
    /// Attempts whose manifest is merged, sorted.
    pub attempts: Vec<WorkerAttempt>,
    /// Workers without one, sorted.
    pub lost: Vec<ClosedWorker>,
    /// Why the load ended early, when it did.
    pub stopped: Option<StopReason>,
    /// When each region's workers were asked for, on average, by target.
    pub asked_at: BTreeMap<String, Timestamp>,
}

/// What to do next.
#[must_use]
pub fn plan(observed: &Observed, policy: &Policy, now: Timestamp) -> Plan {
    let mut draft = Draft::new(observed, policy, now);
    if draft.has_ended() {
        cleaning::clean(&mut draft);
    } else if observed.deleting_since().is_none() && !draft.is_adopted() {
        draft.act(Action::Adopt);
        draft.at_once();
    } else {
        match &observed.definition {
            Definiteness::Frozen(frozen) => {
                if observed.close.is_some() {
                    aggregation::aggregate(&mut draft);
                } else if let Some(start) = &observed.start {
                    measurement::measure(&mut draft, frozen, start);
                } else {
                    provision::provision(&mut draft, frozen);
                }
            }
            Definiteness::Open(candidate) => opening::open(&mut draft, candidate.as_deref().map_err(Clone::clone)),
            Definiteness::Unknown => opening::without_load_test(&mut draft),
        }
    }
    draft.into_plan()
}
