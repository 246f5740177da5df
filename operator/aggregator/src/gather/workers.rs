//! The manifests that `close.json` lists, each checked against its digest.

use futures::{StreamExt, TryStreamExt, stream};
use volley_storage::documents::{ClosedWorker, Manifest};
use volley_storage::keys::WorkerAttempt;
use volley_storage::{FailureClass, ObjectError, ObjectStore};

use super::statistics::CONCURRENCY;
use crate::error::AggregateError;
use crate::outcome::{LostAttempt, MeasuredAttempt, WorkerOutcome};
use crate::retry::patiently;

/// Reads the manifest of each listed worker. One that is missing, damaged or of another worker makes a lost worker with a
/// reason; one that cannot be read *now* is an error, because a worker must not be lost to an outage of the storage.
///
/// # Errors
/// What the storage says.
pub async fn outcomes(
    store: &ObjectStore,
    run_uid: &str,
    listed: &[ClosedWorker],
) -> Result<Vec<WorkerOutcome>, AggregateError> {
    stream::iter(listed.to_vec())
        .map(|worker| async move { outcome(store, run_uid, worker).await })
        .buffered(CONCURRENCY)
        .try_collect()
        .await
}

async fn outcome(store: &ObjectStore, run_uid: &str, listed: ClosedWorker) -> Result<WorkerOutcome, AggregateError> {
    let ClosedWorker { target, index, pod_uid, manifest, reason } = listed;
    let (Some(pod_uid), Some(digest)) = (pod_uid.clone(), manifest) else {
        let reason = reason.unwrap_or_else(|| "it left no manifest".into());
        return Ok(WorkerOutcome::Lost(LostAttempt { target, index, pod_uid, reason, released_at: None }));
    };
    let attempt = WorkerAttempt { target, index, pod_uid };
    let key = attempt.manifest(run_uid);
    let read = patiently(ObjectError::class, || store.get_document_verified::<Manifest>(&key, &digest)).await;
    match read {
        Ok(manifest) if manifest.run_uid != run_uid || manifest.worker != attempt => {
            Ok(lost(attempt, format!("its manifest {} speaks of another worker or run", store.location(&key)), None))
        }
        Ok(manifest) => Ok(WorkerOutcome::Measured(Box::new(MeasuredAttempt { attempt, manifest }))),
        Err(error) if error.class() == FailureClass::Terminal => {
            Ok(lost(attempt, format!("its manifest cannot be used: {error}"), None))
        }
        Err(error) => Err(error.into()),
    }
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
