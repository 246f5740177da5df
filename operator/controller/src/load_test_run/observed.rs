//! What a reconcile of a run has seen, as data. The planner sees nothing else.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use volley_api::{LoadTest, LoadTestRun, labels};
use volley_storage::documents::{CloseDecision, Definition, StartDecision, StopDecision, WorkerFailure};
use volley_storage::keys::WorkerAttempt;

use super::build::{RAMPED_AT_ANNOTATION, worker_job::MAIN_CONTAINER};
use super::ending::Refusal;
use super::timing;
use crate::capacity::Shortage;
use crate::definition::{Candidate, Problem};

/// Everything that a plan may depend on, beside the time and the policy.
///
/// # Assumptions
/// The run, its LoadTest, its Jobs and the control objects were read from the servers in this reconcile, not from a cache, and
/// the manifests were listed **after** the Jobs were read: what a finished Job's pods uploaded is in the list.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The run.
    pub run: LoadTestRun,
    /// Its LoadTest; `None`: there is none of that name, or another one that the run does not belong to.
    pub load_test: Option<LoadTest>,
    /// The other runs that stand in the LoadTest's `status.active`.
    pub rivals: Vec<Rival>,
    /// What the run executes.
    pub definition: Definiteness,
    /// By name of the target; every region of a frozen definition stands here.
    pub regions: BTreeMap<String, RegionSeen>,
    /// The aggregator's Job.
    pub aggregator: Option<JobSeen>,
    /// `control/start.json`.
    pub start: Option<StartDecision>,
    /// `control/stop.json`.
    pub stop: Option<StopDecision>,
    /// `control/close.json`.
    pub close: Option<CloseDecision>,
    /// Attempts whose manifest is there.
    pub manifests: BTreeSet<WorkerAttempt>,
    /// The run does not fit into a target beside the others. Looked at until the plan stands in the status.
    pub shortage: Option<Shortage>,
    /// Actions of the plan before that a server refused for good.
    pub refusals: Vec<Refusal>,
}

/// What a run executes.
#[derive(Clone, Debug)]
pub enum Definiteness {
    /// `definition.json` is written.
    Frozen(Box<Frozen>),
    /// It is not; this is what would be.
    Open(Result<Box<Candidate>, Problem>),
    /// It is not, and there is no LoadTest to make it from.
    Unknown,
}

/// The frozen definition and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Frozen {
    /// The document.
    pub definition: Definition,
    /// SHA-256 of its bytes, lower-case hexadecimal.
    pub digest: String,
    /// `s3://bucket/key`.
    pub location: String,
}

/// Another run that stands in `status.active`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rival {
    /// Its uid.
    pub uid: String,
    /// Its name, where it exists.
    pub name: Option<String>,
    /// Whether it still acts.
    pub state: RivalState,
}

/// Whether a rival still acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RivalState {
    /// It has not ended.
    Active,
    /// It has ended, its Jobs are being removed.
    Ending,
    /// It has ended and is cleaned, or does not exist: its claim means nothing.
    Gone,
}

/// One region as it is.
#[derive(Clone, Debug, Default)]
pub struct RegionSeen {
    /// Its worker Job; `None`: there is none, or the region is away and nobody knows.
    pub job: Option<JobSeen>,
    /// The RegionTarget does not carry our finalizer yet, so it could go while the run uses it.
    pub unheld: bool,
    /// Why the region's cluster could not be asked; `None`: it was.
    pub away: Option<String>,
    /// Its pods, where they were listed: only while something is late.
    pub pods: Option<Vec<PodSeen>>,
    /// What its workers say about a failure before the start; read only when the Job failed by exit code 64.
    pub failures: Vec<WorkerFailure>,
}

/// A Job as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobSeen {
    /// Its uid.
    pub uid: String,
    /// Uid of the run that it belongs to, by its label.
    pub run_uid: String,
    /// Being deleted.
    pub deleting: bool,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// `spec.parallelism`.
    pub parallelism: u32,
    /// When the parallelism was last raised.
    pub ramped_at: Option<Timestamp>,
    /// Pods that exist and have not ended.
    pub active: u32,
    /// Of those: ready, which means at the gate.
    pub ready: u32,
    /// Indexes that ended well.
    pub succeeded: u32,
    /// Indexes that failed for good.
    pub failed_indexes: BTreeSet<u32>,
    /// A worker exited with 64: configuration or script is wrong. Known before the other pods have ended.
    pub script_failed: bool,
    /// How it ended; all its pods have ended then.
    pub end: Option<JobEnd>,
}

impl JobSeen {
    /// When its pods were asked for, on average: steps of the ramp are equal and equally far apart.
    #[must_use]
    pub fn asked_at(&self) -> Option<Timestamp> {
        let (first, last) = (self.created_at?, self.ramped_at?);
        timing::middle(first.min(last), last)
    }
}

/// How a Job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobEnd {
    /// Failed rather than complete.
    pub failed: bool,
    /// `PodFailurePolicy`, `DeadlineExceeded`, …
    pub reason: String,
    /// For people.
    pub message: String,
}

impl From<&Job> for JobSeen {
    fn from(job: &Job) -> Self {
        let count = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok()).unwrap_or(0);
        let status = job.status.clone().unwrap_or_default();
        let label =
            |name: &str| job.metadata.labels.as_ref().and_then(|all| all.get(name)).cloned().unwrap_or_default();
        // Once `FailureTarget` stands, the end is decided; `Failed` follows when all pods have ended.
        let conditions: Vec<_> =
            status.conditions.unwrap_or_default().into_iter().filter(|condition| condition.status == "True").collect();
        let script_failed = conditions.iter().any(|condition| {
            matches!(condition.type_.as_str(), "FailureTarget" | "Failed")
                && condition.reason.as_deref() == Some("PodFailurePolicy")
        });
        let end = conditions.into_iter().find_map(|condition| {
            let failed = match condition.type_.as_str() {
                "Failed" => true,
                "Complete" => false,
                _ => return None,
            };
            Some(JobEnd {
                failed,
                reason: condition.reason.unwrap_or_default(),
                message: condition.message.unwrap_or_default(),
            })
        });
        Self {
            uid: job.metadata.uid.clone().unwrap_or_default(),
            run_uid: label(labels::RUN_UID),
            deleting: job.metadata.deletion_timestamp.is_some(),
            created_at: job.metadata.creation_timestamp.as_ref().map(|time| time.0),
            parallelism: count(job.spec.as_ref().and_then(|spec| spec.parallelism)),
            ramped_at: job
                .metadata
                .annotations
                .as_ref()
                .and_then(|all| all.get(RAMPED_AT_ANNOTATION))
                .and_then(|text| text.parse().ok()),
            active: count(status.active),
            ready: count(status.ready),
            succeeded: count(status.succeeded),
            failed_indexes: indexes(status.failed_indexes.as_deref().unwrap_or_default()),
            script_failed,
            end,
        }
    }
}

/// The Job controller's compressed list: `1,3-5,7`. What is no index is left out.
fn indexes(text: &str) -> BTreeSet<u32> {
    /// A Job of ours has at most 1,000 indexes; a longer range can only be nonsense.
    const LONGEST_RANGE: usize = 100_000;
    text.split(',')
        .filter_map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            Some((first.trim().parse::<u32>().ok()?, last.trim().parse::<u32>().ok()?))
        })
        .flat_map(|(first, last)| (first..=last).take(LONGEST_RANGE))
        .collect()
}

/// A pod of a region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodSeen {
    /// Why it waits, where it does.
    pub waiting: Option<Waiting>,
    /// When its main container ended.
    pub main_ended_at: Option<Timestamp>,
    /// Neither succeeded nor failed.
    pub alive: bool,
}

/// Why a pod waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// What kind.
    pub kind: WaitingKind,
    /// Kubernetes' words.
    pub message: String,
}

/// What a pod waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WaitingKind {
    /// Its image cannot be pulled.
    Image,
    /// A Secret or ConfigMap that its container names is missing.
    Secret,
    /// No node has room.
    Capacity,
    /// Its container ends and is started again.
    Crash,
}

impl PodSeen {
    /// Its main container has not run and cannot as long as this lasts.
    #[must_use]
    pub fn waits_to_start(&self) -> bool {
        self.waiting.as_ref().is_some_and(|waiting| match waiting.kind {
            WaitingKind::Image | WaitingKind::Secret | WaitingKind::Capacity => true,
            // A sidecar that ends again and again leaves the main container alone.
            WaitingKind::Crash => false,
        })
    }
}

impl From<&Pod> for PodSeen {
    fn from(pod: &Pod) -> Self {
        let status = pod.status.clone().unwrap_or_default();
        let alive = !matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
        let containers = status.container_statuses.clone().unwrap_or_default();
        let main_ended_at = containers
            .iter()
            .find(|container| container.name == MAIN_CONTAINER)
            .and_then(|container| container.state.as_ref())
            .and_then(|state| state.terminated.as_ref())
            .and_then(|terminated| terminated.finished_at.as_ref())
            .map(|time| time.0);
        let mut waiting =
            status.init_container_statuses.unwrap_or_default().into_iter().chain(containers).find_map(|container| {
                let waiting = container.state?.waiting?;
                let reason = waiting.reason.unwrap_or_default();
                let kind = match reason.as_str() {
                    "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull"
                    | "ImageInspectError" => WaitingKind::Image,
                    "CreateContainerConfigError" => WaitingKind::Secret,
                    "CrashLoopBackOff" => WaitingKind::Crash,
                    _ => return None,
                };
                let message = waiting.message.unwrap_or_default();
                Some(Waiting { kind, message: format!("container {}: {reason}: {message}", container.name) })
            });
        if waiting.is_none() {
            waiting = status.conditions.unwrap_or_default().into_iter().find_map(|condition| {
                (condition.type_ == "PodScheduled" && condition.status == "False").then(|| Waiting {
                    kind: WaitingKind::Capacity,
                    message: condition.message.unwrap_or_else(|| "no node has room".to_owned()),
                })
            });
        }
        Self { waiting: waiting.filter(|_| alive), main_ended_at, alive }
    }
}

impl Observed {
    /// Uid of the run.
    #[must_use]
    pub fn uid(&self) -> &str {
        self.run.metadata.uid.as_deref().unwrap_or_default()
    }

    /// The frozen definition.
    #[must_use]
    pub fn frozen(&self) -> Option<&Frozen> {
        match &self.definition {
            Definiteness::Frozen(frozen) => Some(frozen),
            Definiteness::Open(_) | Definiteness::Unknown => None,
        }
    }

    /// The run stands in its LoadTest's `status.active`.
    #[must_use]
    pub fn holds_claim(&self) -> bool {
        self.load_test
            .as_ref()
            .and_then(|load_test| load_test.status.as_ref())
            .is_some_and(|status| status.active.iter().any(|uid| uid == self.uid()))
    }

    /// The run is being deleted since.
    #[must_use]
    pub fn deleting_since(&self) -> Option<Timestamp> {
        self.run.metadata.deletion_timestamp.as_ref().map(|time| time.0)
    }

    /// The LoadTest is gone or going, so nobody wants the run's load any more.
    #[must_use]
    pub fn orphaned(&self) -> bool {
        self.load_test.as_ref().is_none_or(|load_test| load_test.metadata.deletion_timestamp.is_some())
    }

    /// Our finalizer is on the run.
    #[must_use]
    pub fn has_finalizer(&self) -> bool {
        self.run.metadata.finalizers.as_ref().is_some_and(|all| all.iter().any(|name| name == labels::RUN_FINALIZER))
    }

    /// Value of the annotation that says that the run has ended.
    #[must_use]
    pub fn finished_annotation(&self) -> Option<&str> {
        self.run.metadata.annotations.as_ref()?.get(labels::FINISHED).map(String::as_str)
    }

    /// True while a Job of the run exists, also one that is being deleted.
    #[must_use]
    pub fn jobs_of_the_run(&self) -> bool {
        let workers = self.regions.values().filter_map(|region| region.job.as_ref());
        workers.chain(&self.aggregator).any(|job| job.run_uid == self.uid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compressed_list_of_indexes_is_read_and_nonsense_left_out() {
        assert_eq!(indexes("1,3-5,7"), BTreeSet::from([1, 3, 4, 5, 7]));
        assert_eq!(indexes(""), BTreeSet::new());
        assert_eq!(indexes("x,2-y,4-3,9"), BTreeSet::from([9]));
        assert_eq!(indexes("0-4294967295").len(), 100_000);
    }

    #[test]
    fn a_pod_without_its_image_waits_for_the_image_and_an_ended_one_for_nothing() {
        let pod = |phase: &str| -> Pod {
            serde_json::from_value(serde_json::json!({"status": {"phase": phase, "containerStatuses": [{
                "name": "taurus", "ready": false, "restartCount": 0, "image": "x", "imageID": "",
                "state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}]}}))
            .unwrap()
        };
        let seen = PodSeen::from(&pod("Pending"));
        assert_eq!(seen.waiting.as_ref().map(|waiting| waiting.kind), Some(WaitingKind::Image));
        assert!(seen.waiting.unwrap().message.contains("taurus: ErrImagePull: not found"));
        assert_eq!(PodSeen::from(&pod("Failed")), PodSeen::default());
    }

    #[test]
    fn a_pod_that_no_node_can_hold_waits_for_capacity() {
        let pod: Pod = serde_json::from_value(serde_json::json!({"status": {"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}]}}))
        .unwrap();
        assert_eq!(
            PodSeen::from(&pod).waiting,
            Some(Waiting { kind: WaitingKind::Capacity, message: "0/3 nodes are available".into() })
        );
    }

    #[test]
    fn a_job_is_read_with_its_end_and_its_last_ramp() {
        let job: Job = serde_json::from_value(serde_json::json!({
            "metadata": {"uid": "j", "labels": {"volley.dev/run-uid": "r"}, "annotations": {"volley.dev/ramped-at": "2026-11-25T10:00:00Z"}},
            "spec": {"parallelism": 3, "template": {"spec": {"containers": []}}},
            "status": {"active": 1, "ready": 1, "succeeded": 1, "failedIndexes": "2", "conditions": [
                {"type": "FailureTarget", "status": "True", "reason": "PodFailurePolicy"},
                {"type": "Failed", "status": "True", "reason": "PodFailurePolicy", "message": "exit code 64"}]}
        }))
        .unwrap();
        let seen = JobSeen::from(&job);
        assert!(seen.script_failed && seen.end.as_ref().unwrap().failed);
        assert_eq!((seen.parallelism, seen.active, seen.ready, seen.succeeded), (3, 1, 1, 1));
        assert_eq!(seen.failed_indexes, BTreeSet::from([2]));
        assert_eq!(seen.ramped_at, Some("2026-11-25T10:00:00Z".parse().unwrap()));
    }
}
