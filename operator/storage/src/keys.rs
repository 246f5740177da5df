//! The keys of all objects in the bucket. One place, so that rights, retention and readers agree.
//!
//! Source of the layout: `docs/contributors/data.md`. `<target>` is the RegionTarget's name, never the AWS region.

/// Where scripts and data files of all tests lie, addressed by content.
pub const SCRIPTS_PREFIX: &str = "scripts/v1/";

/// Key of a source with the given lower-case hexadecimal SHA-256.
#[must_use]
pub fn script(sha256: &str) -> String {
    format!("{SCRIPTS_PREFIX}{sha256}")
}

/// Prefix of everything that belongs to a run. Ends with a slash.
#[must_use]
pub fn run_prefix(run_uid: &str) -> String {
    format!("runs/v1/{run_uid}/")
}

/// The frozen definition of a run.
#[must_use]
pub fn definition(run_uid: &str) -> String {
    format!("runs/v1/{run_uid}/definition.json")
}

/// The start decision of a run. Writing it is the decision.
#[must_use]
pub fn start(run_uid: &str) -> String {
    format!("runs/v1/{run_uid}/control/start.json")
}

/// The stop decision of a run.
#[must_use]
pub fn stop(run_uid: &str) -> String {
    format!("runs/v1/{run_uid}/control/stop.json")
}

/// The frozen list of what the final merge reads.
#[must_use]
pub fn close(run_uid: &str) -> String {
    format!("runs/v1/{run_uid}/control/close.json")
}

/// The frozen list of the checkpoints that the final merge reads. The aggregator writes it once.
#[must_use]
pub fn checkpoints(run_uid: &str) -> String {
    format!("runs/v1/{run_uid}/control/checkpoints.json")
}

/// A frozen copy of a checkpoint's object, by the lower-case hexadecimal SHA-256 of its bytes. No worker may write there.
#[must_use]
pub fn frozen_checkpoint_object(run_uid: &str, sha256: &str) -> String {
    format!("runs/v1/{run_uid}/checkpoints/{sha256}")
}

/// The result of a run.
#[must_use]
pub fn result(run_uid: &str) -> String {
    format!("runs/v1/{run_uid}/result.json")
}

/// The merged histograms of a run per label, all regions together.
#[must_use]
pub fn histograms(run_uid: &str) -> String {
    format!("runs/v1/{run_uid}/histograms")
}

/// The merged histograms of one region of a run per label.
#[must_use]
pub fn region_histograms(run_uid: &str, target: &str) -> String {
    format!("runs/v1/{run_uid}/regions/{target}/histograms")
}

/// The merged series of a run, all regions together.
#[must_use]
pub fn series(run_uid: &str) -> String {
    format!("runs/v1/{run_uid}/series")
}

/// The merged series of one region of a run.
#[must_use]
pub fn region_series(run_uid: &str, target: &str) -> String {
    format!("runs/v1/{run_uid}/regions/{target}/series")
}

/// Prefix of all live frames of a run. Ends with a slash.
#[must_use]
pub fn all_frames_prefix(run_uid: &str) -> String {
    format!("runs/v1/{run_uid}/live/")
}

/// Prefix of the live frames of a target's workers. Ends with a slash; the seconds come next, so keys are in the order of time.
#[must_use]
pub fn frames_prefix(run_uid: &str, target: &str) -> String {
    format!("runs/v1/{run_uid}/live/{target}/")
}

/// The place in a listing of a target's frames behind which those are that [close](WorkerAttempt::frame) a second or later ones.
#[must_use]
pub fn frames_before(run_uid: &str, target: &str, second: i64) -> String {
    format!("{}{}", frames_prefix(run_uid, target), bucket(second))
}

/// Ten digits, so that the order of keys is that of time: enough until the year 2286.
fn bucket(second: i64) -> String {
    format!("{:010}", second.max(0))
}

/// Where the aggregator keeps what it has merged live. No worker may write there.
#[must_use]
pub fn live_state(run_uid: &str) -> String {
    format!("runs/v1/{run_uid}/live-state")
}

/// Prefix of all manifests of a run. Ends with a slash.
#[must_use]
pub fn manifests_prefix(run_uid: &str) -> String {
    format!("runs/v1/{run_uid}/manifests/")
}

/// Prefix of what all workers of a target wrote. Ends with a slash.
#[must_use]
pub fn workers_prefix(run_uid: &str, target: &str) -> String {
    format!("runs/v1/{run_uid}/workers/{target}/")
}

/// Prefix of what all attempts of one worker wrote. Ends with a slash.
#[must_use]
pub fn worker_prefix(run_uid: &str, target: &str, index: u32) -> String {
    format!("{}{index}/", workers_prefix(run_uid, target))
}

/// Name of the checkpoint document below an attempt's prefix.
pub const CHECKPOINT: &str = "checkpoint.json";

/// One of the two places for the objects of a checkpoint. A writer fills the one that the document does not name, then
/// replaces the document: whoever reads the document finds its objects whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum CheckpointSlot {
    /// The first.
    #[default]
    Even,
    /// The second.
    Odd,
}

impl CheckpointSlot {
    /// The place for the next checkpoint.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Even => Self::Odd,
            Self::Odd => Self::Even,
        }
    }

    fn number(self) -> u8 {
        match self {
            Self::Even => 0,
            Self::Odd => 1,
        }
    }
}

/// Identity of one attempt of one worker: target, index and pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerAttempt {
    /// Name of the RegionTarget.
    pub target: String,
    /// Completion index in the target's Job.
    pub index: u32,
    /// Uid of the pod.
    pub pod_uid: String,
}

impl WorkerAttempt {
    /// Key of the attempt's manifest.
    #[must_use]
    pub fn manifest(&self, run_uid: &str) -> String {
        format!("{}{}/{}/{}.json", manifests_prefix(run_uid), self.target, self.index, self.pod_uid)
    }

    /// Prefix of the attempt's objects. Ends with a slash.
    #[must_use]
    pub fn prefix(&self, run_uid: &str) -> String {
        format!("{}{}/{}/", workers_prefix(run_uid, &self.target), self.index, self.pod_uid)
    }

    /// Key of one of the attempt's objects.
    #[must_use]
    pub fn object(&self, run_uid: &str, name: &str) -> String {
        format!("{}{name}", self.prefix(run_uid))
    }

    /// Key of the attempt's newest checkpoint document.
    #[must_use]
    pub fn checkpoint(&self, run_uid: &str) -> String {
        self.object(run_uid, CHECKPOINT)
    }

    /// Key of an object that belongs to a checkpoint in the given slot, see [`Checkpoint`](crate::documents::Checkpoint).
    #[must_use]
    pub fn checkpoint_object(&self, run_uid: &str, slot: CheckpointSlot, name: &str) -> String {
        format!("{}checkpoint/{}/{name}", self.prefix(run_uid), slot.number())
    }

    /// Key of the attempt's live frame that closes seconds through that one, since 1970-01-01 UTC.
    #[must_use]
    pub fn frame(&self, run_uid: &str, through: i64) -> String {
        format!("{}{}/{}-{}", frames_prefix(run_uid, &self.target), bucket(through), self.index, self.pod_uid)
    }

    /// The attempt and the second that a key names as [`frame`](Self::frame) does; `None` for any other key.
    #[must_use]
    pub fn from_frame_key(run_uid: &str, target: &str, key: &str) -> Option<(Self, i64)> {
        let (second, worker) = key.strip_prefix(&frames_prefix(run_uid, target))?.split_once('/')?;
        let (index, pod_uid) = worker.split_once('-')?;
        let (through, index) = (second.parse().ok()?, index.parse().ok()?);
        let attempt = Self { target: target.to_owned(), index, pod_uid: pod_uid.to_owned() };
        (attempt.frame(run_uid, through) == key && !pod_uid.is_empty() && !pod_uid.contains('/'))
            .then_some((attempt, through))
    }

    /// The attempt whose checkpoint document has this key; `None` for any other key.
    #[must_use]
    pub fn from_checkpoint_key(run_uid: &str, target: &str, key: &str) -> Option<Self> {
        let rest = key.strip_prefix(&workers_prefix(run_uid, target))?;
        let mut parts = rest.split('/');
        let (index, pod_uid, name) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || pod_uid.is_empty() || name != CHECKPOINT {
            return None;
        }
        Some(Self { target: target.to_owned(), index: index.parse().ok()?, pod_uid: pod_uid.to_owned() })
    }

    /// The attempt that a manifest's key names; `None` where the key is none of this run.
    #[must_use]
    pub fn from_manifest_key(run_uid: &str, key: &str) -> Option<Self> {
        let rest = key.strip_prefix(&manifests_prefix(run_uid))?.strip_suffix(".json")?;
        let mut parts = rest.split('/');
        let (target, index, pod_uid) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || target.is_empty() || pod_uid.is_empty() {
            return None;
        }
        Some(Self { target: target.to_owned(), index: index.parse().ok()?, pod_uid: pod_uid.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_key_names_its_attempt_and_no_other_run() {
        let attempt = WorkerAttempt { target: "eu-west-1".into(), index: 3, pod_uid: "p".into() };
        let key = attempt.manifest("r");
        assert_eq!(key, "runs/v1/r/manifests/eu-west-1/3/p.json");
        assert_eq!(WorkerAttempt::from_manifest_key("r", &key), Some(attempt));
        assert_eq!(WorkerAttempt::from_manifest_key("other", &key), None);
        assert_eq!(WorkerAttempt::from_manifest_key("r", "runs/v1/r/manifests/eu-west-1/x/p.json"), None);
        assert_eq!(WorkerAttempt::from_manifest_key("r", "runs/v1/r/manifests/eu-west-1/3/p/q.json"), None);
    }

    #[test]
    fn frames_are_in_the_order_of_their_seconds_and_their_keys_name_the_attempt() {
        let attempt = WorkerAttempt { target: "eu".into(), index: 12, pod_uid: "3f-4".into() };
        let key = attempt.frame("r", 1_795_578_546);
        assert_eq!(key, "runs/v1/r/live/eu/1795578546/12-3f-4");
        assert_eq!(WorkerAttempt::from_frame_key("r", "eu", &key), Some((attempt.clone(), 1_795_578_546)));
        assert!(attempt.frame("r", 999_999_999) < key);
        let before = frames_before("r", "eu", 1_795_578_546);
        assert!(before < key && before > attempt.frame("r", 1_795_578_545));
        for key in [
            "runs/v1/r/live/eu/01795578546/1-p",
            "runs/v1/r/live/eu/1795578546/01-p",
            "runs/v1/r/live/eu/1795578546/1-",
        ] {
            assert_eq!(WorkerAttempt::from_frame_key("r", "eu", key), None, "{key}");
        }
        assert_eq!(WorkerAttempt::from_frame_key("r", "us", &key), None);
    }

    #[test]
    fn a_checkpoint_key_names_its_attempt_and_no_object_of_a_slot_is_one() {
        let attempt = WorkerAttempt { target: "eu".into(), index: 3, pod_uid: "p".into() };
        let key = attempt.checkpoint("r");
        assert_eq!(key, "runs/v1/r/workers/eu/3/p/checkpoint.json");
        assert_eq!(WorkerAttempt::from_checkpoint_key("r", "eu", &key), Some(attempt.clone()));
        let object = attempt.checkpoint_object("r", CheckpointSlot::Even.other(), "histograms");
        assert_eq!(object, "runs/v1/r/workers/eu/3/p/checkpoint/1/histograms");
        assert_eq!(WorkerAttempt::from_checkpoint_key("r", "eu", &object), None);
        assert_eq!(WorkerAttempt::from_checkpoint_key("r", "us", &key), None);
    }
}
