//! What a reconcile of a RegionTarget has seen, as data.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use volley_api::RegionTarget;

use super::timing;

/// Everything that a plan may depend on, beside the time.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The target.
    pub target: RegionTarget,
    /// The operator's own namespace.
    pub operator_namespace: String,
    /// What its cluster said.
    pub probe: Probe,
    /// Worker pods of this installation that run there; `None`: it could not be asked.
    pub active_workers: Option<i64>,
}

/// What a cluster said when it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// When it was asked.
    pub at: Timestamp,
    /// Its version, `v1.36.3`; or why it could not be asked.
    pub version: Result<String, String>,
    /// The worker namespace exists; `None`: not asked.
    pub namespace_exists: Option<bool>,
    /// Rights that are missing, as `verb resource.group`; `None`: not asked.
    pub missing_rights: Option<Vec<String>>,
}

/// Probes that were made lately, by target, so that other changes of a target do not repeat them.
#[derive(Debug, Default)]
pub struct Probes {
    known: Mutex<HashMap<String, (Option<i64>, Probe)>>,
}

impl Probes {
    /// A probe of this generation that is young enough. One that found a fault is repeated sooner.
    pub(super) fn recent(&self, target: &RegionTarget, now: Timestamp) -> Option<Probe> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (generation, probe) = known.get(target.metadata.uid.as_deref()?)?;
        let every = if probe.is_good() { timing::PROBE_EVERY } else { timing::PROBE_AGAIN };
        (*generation == target.metadata.generation && now.duration_since(probe.at) < every).then(|| probe.clone())
    }

    pub(super) fn keep(&self, target: &RegionTarget, probe: &Probe) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (_, old)| probe.at.duration_since(old.at) < timing::FORGET_AFTER);
        if let Some(uid) = &target.metadata.uid {
            known.insert(uid.clone(), (target.metadata.generation, probe.clone()));
        }
    }
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
