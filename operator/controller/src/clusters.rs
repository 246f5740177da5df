//! The clusters that workers run in: a client per RegionTarget, and the watches on their Jobs.

mod watches;

use kube::Client;
use volley_api::RegionTarget;
use volley_api::region_target::Connection;

pub(crate) use watches::WATCH_SECONDS;
pub(crate) use watches::{ChangedRuns, JobWatches, Place};

/// Clients by RegionTarget. Which cluster a target means follows from its connection alone.
#[derive(Clone)]
pub(crate) struct Clusters {
    hub: Client,
}

impl Clusters {
    /// A registry whose own cluster is the operator's.
    #[must_use]
    pub(crate) fn new(hub: Client) -> Self {
        Self { hub }
    }

    /// The client of a target, by its connection.
    #[must_use]
    pub(crate) fn of(&self, target: &RegionTarget) -> Client {
        match &target.spec.connection {
            Connection::InCluster(_) => self.hub.clone(),
        }
    }

    /// The client of a target that a frozen definition names. A target that was deleted meanwhile must not keep its run from
    /// ending, so the connection is the one that a run could be frozen with.
    #[must_use]
    pub(crate) fn of_region(&self, _target: &str) -> Client {
        self.hub.clone()
    }
}
