//! What every reconcile is given.

use std::sync::Arc;

use jiff::Timestamp;
use kube::Client;
use kube::runtime::reflector::Store;
use volley_api::RegionTarget;
use volley_storage::ObjectStore;

use crate::cadence::Failures;
use crate::capacity::Admissions;
use crate::clusters::{Clusters, JobWatches};
use crate::events::Events;
use crate::load_test_run::Glimpses;
use crate::metrics::Metrics;
use crate::region_target::Probes;
use crate::settings::Settings;

/// What every reconcile is given. Nothing in it has to survive: what it remembers only saves calls.
pub(crate) struct Context {
    /// The operator's own cluster.
    pub client: Client,
    /// The bucket.
    pub store: ObjectStore,
    /// What the installation decides.
    pub settings: Settings,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// The clusters of the workers.
    pub clusters: Clusters,
    /// The watches on their Jobs.
    pub job_watches: JobWatches,
    /// All `RegionTargets`.
    pub targets: Store<RegionTarget>,
    /// The recorder.
    pub events: Events,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// Who was let in with how much.
    pub admissions: Admissions,
    /// Failures in a row.
    pub failures: Failures,
    /// Pods that were listed lately.
    pub glimpses: Glimpses,
    /// Probes that were made lately.
    pub probes: Probes,
}
