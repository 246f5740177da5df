//! The documents of a run without Kubernetes, as the operator would write them: for tests and measurements on one machine.

use std::time::Duration;

use jiff::Timestamp;
use volley_storage::documents::{
    DOCUMENT_VERSION, Definition, LateWorkers, Live, Load, Region, StartDecision, Threshold,
};
use volley_storage::keys::{self, WorkerAttempt};
use volley_storage::objects::{PutOptions, sha256_hex};
use volley_storage::{ObjectError, ObjectStore};

/// A source has to be there; simulated engines never read it.
const SCRIPT: &str = "# never run";
/// A run has at most as many regions.
const REGIONS: u32 = 5;
/// What a load may take longer than planned.
const LONGER: Duration = Duration::from_mins(10);

/// What a run is to be.
#[derive(Clone, Debug)]
pub struct Outline {
    /// Uid of the run.
    pub run_uid: String,
    /// Names of its regions with their workers.
    pub regions: Vec<(String, u32)>,
    /// Virtual users of each worker.
    pub users_per_worker: u32,
    /// How long the load takes.
    pub hold_for: Duration,
    /// Seconds from one live frame of a worker to the next; `None`: nothing is told.
    pub live_interval_s: Option<u32>,
    /// What must hold.
    pub thresholds: Vec<Threshold>,
}

impl Outline {
    /// So many workers in up to five regions of about the same size.
    #[must_use]
    pub fn regions_of(workers: u32) -> Vec<(String, u32)> {
        let regions = REGIONS.min(workers.max(1));
        let of_region = |region| workers / regions + u32::from(region < workers % regions);
        (0..regions).map(|region| (format!("region-{region}"), of_region(region))).collect()
    }

    /// The first pod of each worker.
    #[must_use]
    pub fn attempts(&self) -> Vec<WorkerAttempt> {
        let of_region = |(target, workers): &(String, u32)| {
            let target = target.clone();
            (0..*workers).map(move |index| WorkerAttempt {
                pod_uid: format!("{index:08x}-{target}"),
                target: target.clone(),
                index,
            })
        };
        self.regions.iter().flat_map(of_region).collect()
    }

    /// Writes the definition and its source.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn define(&self, objects: &ObjectStore) -> Result<(), ObjectError> {
        objects.put(&keys::script(&sha256_hex(SCRIPT.as_bytes())), SCRIPT, PutOptions::default()).await?;
        objects.put_document(&keys::definition(&self.run_uid), &self.definition()).await?;
        Ok(())
    }

    /// Decides that the load begins at an instant, in all regions.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn start(&self, objects: &ObjectStore, start_at: Timestamp) -> Result<(), ObjectError> {
        let decision = StartDecision {
            version: DOCUMENT_VERSION,
            start_at,
            regions: self.regions.iter().map(|(target, _)| target.clone()).collect(),
            late_workers: LateWorkers::Refuse,
            left_out: [].into(),
        };
        objects.put_document_once(&keys::start(&self.run_uid), &decision).await?;
        Ok(())
    }

    fn definition(&self) -> Definition {
        let region = |(target, workers): &(String, u32)| Region {
            region: target.clone(),
            ..volley_fixtures::region(target, *workers)
        };
        let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let hold_for_ms = milliseconds(self.hold_for);
        let mut definition = Definition {
            scenario: volley_fixtures::locust(SCRIPT),
            load: Load { users_per_worker: self.users_per_worker, ramp_up_ms: 0, hold_for_ms },
            regions: self.regions.iter().map(region).collect(),
            thresholds: self.thresholds.clone(),
            live: self.live_interval_s.map(|interval_s| Live { interval_s }),
            max_load_ms: milliseconds(self.hold_for.saturating_add(LONGER)),
            ..volley_fixtures::definition()
        };
        definition.run.uid.clone_from(&self.run_uid);
        definition
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_spread_over_up_to_five_regions() {
        let workers = |of| Outline::regions_of(of).into_iter().map(|(_, workers)| workers).collect::<Vec<_>>();
        assert_eq!(workers(2), [1, 1]);
        assert_eq!(workers(13), [3, 3, 3, 2, 2]);
    }
}
