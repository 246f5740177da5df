//! What a reconcile of a RegionTarget has seen, as data.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use volley_api::region_target::TargetQuota;
use volley_api::{RegionTarget, labels};

use super::timing;
use crate::clusters::{Away, ClusterKey};

/// Everything that a plan may depend on, beside the time.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The target.
    pub target: RegionTarget,
    /// The operator's own namespace.
    pub operator_namespace: String,
    /// What its cluster said.
    pub probe: Probe,
    /// Worker Jobs of this installation and target there; `None`: it could not be asked.
    pub jobs: Option<Vec<JobThere>>,
    /// The runs of all namespaces. **Listed after the Jobs**: a Job without a run in this list is nobody's.
    pub runs: Vec<RunKnown>,
}

/// A worker Job in a target's cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobThere {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Uid of its run, by its label.
    pub run_uid: String,
    /// Being deleted.
    pub deleting: bool,
    /// Pods that have not ended.
    pub active: i64,
}

/// A run, as far as a target needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunKnown {
    /// Its uid.
    pub uid: String,
    /// `namespace/name`.
    pub name: String,
    /// It has not been cleaned yet: its Jobs are its own matter.
    pub acts: bool,
    /// Its plan names the target.
    pub uses_target: bool,
}

/// What a cluster said when it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// When it was asked.
    pub at: Timestamp,
    /// Its version, `v1.36.3`; or why it could not be asked.
    pub version: Result<String, Away>,
    /// The worker namespace exists; `None`: not asked.
    pub namespace_exists: Option<bool>,
    /// Rights that are missing, as `verb resource.group`; `None`: not asked.
    pub missing_rights: Option<Vec<String>>,
    /// What the account may run on Fargate, or why that is not known; `None`: not asked.
    pub quota: Option<Result<TargetQuota, String>>,
}

/// Probes that were made lately, by target, so that other changes of a target do not repeat them.
#[derive(Debug, Default)]
pub struct Probes {
    known: Mutex<HashMap<String, Known>>,
}

/// Generation and credentials that a probe was made with, and what it found.
type Known = (Option<i64>, ClusterKey, Probe);

impl Probes {
    /// A probe of this generation, with these credentials, that is young enough. One that found a fault is repeated sooner.
    pub(super) fn recent(&self, target: &RegionTarget, credentials: &ClusterKey, now: Timestamp) -> Option<Probe> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (generation, with, probe) = known.get(target.metadata.uid.as_deref()?)?;
        let every = if probe.is_good() { timing::PROBE_EVERY } else { timing::PROBE_AGAIN };
        let same = *generation == target.metadata.generation && with == credentials;
        (same && now.duration_since(probe.at) < every).then(|| probe.clone())
    }

    pub(super) fn keep(&self, target: &RegionTarget, credentials: ClusterKey, probe: &Probe) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (.., old)| probe.at.duration_since(old.at) < timing::FORGET_AFTER);
        if let Some(uid) = &target.metadata.uid {
            known.insert(uid.clone(), (target.metadata.generation, credentials, probe.clone()));
        }
    }
}

impl Observed {
    /// Our finalizer is on the target.
    #[must_use]
    pub fn is_held(&self) -> bool {
        is_held(&self.target)
    }

    /// The target is being deleted.
    #[must_use]
    pub fn is_being_deleted(&self) -> bool {
        self.target.metadata.deletion_timestamp.is_some()
    }
}

/// Our finalizer is on a target.
pub(crate) fn is_held(target: &RegionTarget) -> bool {
    target.metadata.finalizers.iter().flatten().any(|name| name == labels::TARGET_FINALIZER)
}

impl Probe {
    /// Nothing is wrong with the cluster.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.version.is_ok()
            && self.namespace_exists == Some(true)
            && self.missing_rights.as_ref().is_some_and(Vec::is_empty)
    }
}
