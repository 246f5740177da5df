//! The manifests that `close.json` lists, each checked against its digest; and the frozen checkpoints of workers that have
//! none.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use volley_storage::documents::{Checkpoint, ClosedWorker, FrozenCheckpoint, Manifest};
use volley_storage::keys::{WorkerAttempt, frozen_checkpoint_object};
use volley_storage::{FailureClass, ObjectError, ObjectStore};

use super::CONCURRENCY;
use crate::error::AggregateError;
use crate::outcome::{LostAttempt, MeasuredAttempt, Provenance, WorkerOutcome};
use crate::retry::patiently;

/// Why a worker without a manifest has none, where `close.json` does not say it.
const NO_MANIFEST: &str = "it left no manifest";

/// Reads the manifest of each listed worker, and the checkpoints of those without one. One that is missing, damaged or of
/// another worker makes a lost worker with a reason; one that cannot be read *now* is an error, because a worker must not be
/// lost to an outage of the storage.
///
/// # Errors
/// What the storage says.
pub async fn outcomes(
    store: &ObjectStore,
    run_uid: &str,
    listed: &[ClosedWorker],
    frozen: &[FrozenCheckpoint],
) -> Result<Vec<WorkerOutcome>, AggregateError> {
    let mut outcomes: Vec<WorkerOutcome> = stream::iter(listed.to_vec())
        .map(|worker| async move { from_manifest(store, run_uid, worker).await })
        .buffered(CONCURRENCY)
        .try_collect()
        .await?;
    for checkpoint in frozen {
        let without = outcomes.iter().position(|outcome| stands_for(checkpoint, outcome));
        let reason = without.and_then(|place| outcomes.get(place)).map(reason_of);
        let attempt = from_checkpoint(store, run_uid, checkpoint, reason.unwrap_or_default()).await?;
        match without.and_then(|place| outcomes.get_mut(place)) {
            Some(outcome) => *outcome = attempt,
            // A further attempt of a worker: all attempts with samples are merged.
            None if matches!(attempt, WorkerOutcome::Measured(_)) => outcomes.push(attempt),
            None => {}
        }
    }
    Ok(outcomes)
}

/// Whether a checkpoint is that of a lost outcome: of its pod, or of its worker where no pod is known.
fn stands_for(checkpoint: &FrozenCheckpoint, outcome: &WorkerOutcome) -> bool {
    let WorkerOutcome::Lost(lost) = outcome else { return false };
    let worker = &checkpoint.worker;
    lost.target == worker.target
        && lost.index == worker.index
        && lost.pod_uid.as_ref().is_none_or(|pod_uid| *pod_uid == worker.pod_uid)
}

fn reason_of(outcome: &WorkerOutcome) -> String {
    match outcome {
        WorkerOutcome::Lost(lost) => lost.reason.clone(),
        WorkerOutcome::Measured(_) => String::new(),
    }
}

async fn from_manifest(
    store: &ObjectStore,
    run_uid: &str,
    listed: ClosedWorker,
) -> Result<WorkerOutcome, AggregateError> {
    let ClosedWorker { target, index, pod_uid, manifest, reason } = listed;
    let (Some(pod_uid), Some(digest)) = (pod_uid.clone(), manifest) else {
        let reason = reason.unwrap_or_else(|| NO_MANIFEST.into());
        return Ok(WorkerOutcome::Lost(LostAttempt { target, index, pod_uid, reason, released_at: None }));
    };
    let attempt = WorkerAttempt { target, index, pod_uid };
    let key = attempt.manifest(run_uid);
    let read = patiently(ObjectError::class, || store.get_document_verified::<Manifest>(&key, &digest)).await;
    match read {
        Ok(manifest) if !speaks_of(&manifest, run_uid, &attempt) => {
            Ok(lost(attempt, format!("its manifest {} speaks of another worker or run", store.location(&key)), None))
        }
        Ok(manifest) => Ok(measured(attempt, manifest, Provenance::Manifest)),
        Err(error) if error.class() == FailureClass::Terminal => {
            Ok(lost(attempt, format!("its manifest cannot be used: {error}"), None))
        }
        Err(error) => Err(error.into()),
    }
}

async fn from_checkpoint(
    store: &ObjectStore,
    run_uid: &str,
    frozen: &FrozenCheckpoint,
    no_manifest: String,
) -> Result<WorkerOutcome, AggregateError> {
    let attempt = frozen.worker.clone();
    let no_manifest = if no_manifest.is_empty() { NO_MANIFEST.to_owned() } else { no_manifest };
    let Some(digest) = &frozen.checkpoint else {
        let why = frozen.reason.as_deref().unwrap_or("no reason is known");
        return Ok(lost(attempt, format!("{no_manifest}; {why}"), None));
    };
    let key = frozen_checkpoint_object(run_uid, digest);
    let read = patiently(ObjectError::class, || store.get_document_verified::<Checkpoint>(&key, digest)).await;
    match read {
        Ok(Checkpoint { at, manifest, .. }) => {
            Ok(measured(attempt, manifest, Provenance::Checkpoint { at, reason: no_manifest }))
        }
        Err(error) if error.class() == FailureClass::Terminal => {
            Ok(lost(attempt, format!("{no_manifest}; its checkpoint cannot be used: {error}"), None))
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether a manifest is that of an attempt.
pub(super) fn speaks_of(manifest: &Manifest, run_uid: &str, attempt: &WorkerAttempt) -> bool {
    manifest.run_uid == run_uid && manifest.worker == *attempt
}

fn measured(attempt: WorkerAttempt, manifest: Manifest, provenance: Provenance) -> WorkerOutcome {
    WorkerOutcome::Measured(Box::new(MeasuredAttempt { attempt, manifest, provenance, lacks: None }))
}

/// A lost attempt of a known pod.
pub(super) fn lost(attempt: WorkerAttempt, reason: String, manifest: Option<&Manifest>) -> WorkerOutcome {
    WorkerOutcome::Lost(LostAttempt {
        target: attempt.target,
        index: attempt.index,
        pod_uid: Some(attempt.pod_uid),
        reason,
        released_at: manifest.and_then(|manifest| manifest.released_at),
    })
}

/// The workers of which `close.json` lists an attempt without a manifest, with the pods whose manifests it lists.
pub(super) fn without_manifest(listed: &[ClosedWorker]) -> BTreeMap<(&str, u32), Vec<&str>> {
    let mut workers: BTreeMap<(&str, u32), Vec<&str>> = listed
        .iter()
        .filter(|worker| worker.manifest.is_none())
        .map(|worker| ((worker.target.as_str(), worker.index), Vec::new()))
        .collect();
    for worker in listed.iter().filter(|worker| worker.manifest.is_some()) {
        if let Some(pods) = workers.get_mut(&(worker.target.as_str(), worker.index)) {
            pods.extend(worker.pod_uid.as_deref());
        }
    }
    workers
}
