//! Checkpoints of workers without a manifest: found once, copied out of the workers' reach, and frozen in
//! `control/checkpoints.json`. Whoever writes that first decides; everybody merges what it says.

use futures::{StreamExt, TryStreamExt, stream};
use tempfile::NamedTempFile;
use volley_storage::documents::{
    Checkpoint, CheckpointDecision, ClosedWorker, DOCUMENT_VERSION, FrozenCheckpoint, ObjectDigest,
};
use volley_storage::keys::{self, WorkerAttempt};
use volley_storage::objects::{BYTES, Decided, Document, JSON, PutOptions, decode_document, sha256_hex};
use volley_storage::{ObjectError, ObjectStore};

use super::object::Unusable;
use super::statistics::MAXIMUM_FILE_BYTES;
use super::workers::{speaks_of, without_manifest};
use super::{CONCURRENCY, SERIES, STATISTICS};
use crate::error::AggregateError;
use crate::retry::patiently;

/// Objects of all attempts of one worker. More than that is no worker of ours.
const MAXIMUM_OBJECTS: usize = 1_000;
/// How often a checkpoint is read anew when its objects change under the hand: a worker that still lives replaces them.
const ATTEMPTS: u32 = 3;
/// The objects of a checkpoint that are merged.
const OBJECTS: [&str; 2] = [STATISTICS, SERIES];

/// The frozen checkpoints of a run. The first call finds and freezes them; each further one gives the same.
///
/// # Errors
/// What the storage says.
pub async fn frozen(
    store: &ObjectStore,
    run_uid: &str,
    listed: &[ClosedWorker],
) -> Result<Vec<FrozenCheckpoint>, AggregateError> {
    let without = without_manifest(listed);
    if without.is_empty() {
        return Ok(Vec::new());
    }
    let key = keys::checkpoints(run_uid);
    let known = patiently(ObjectError::class, || store.get_document::<CheckpointDecision>(&key)).await?;
    if let Some((decision, _)) = known {
        return Ok(decision.checkpoints);
    }
    let found: Vec<Vec<FrozenCheckpoint>> = stream::iter(without)
        .map(|((target, index), listed)| async move { of_worker(store, run_uid, target, index, &listed).await })
        .buffered(CONCURRENCY)
        .try_collect()
        .await?;
    let mut checkpoints: Vec<FrozenCheckpoint> = found.into_iter().flatten().collect();
    checkpoints.sort();
    let ours = CheckpointDecision { version: DOCUMENT_VERSION, checkpoints };
    match patiently(ObjectError::class, || store.put_document_once(&key, &ours)).await? {
        Decided::Ours { .. } => Ok(ours.checkpoints),
        Decided::Theirs { document, .. } => Ok(document.checkpoints),
    }
}

/// The checkpoints of all attempts of a worker but those whose manifests are `listed`.
async fn of_worker(
    store: &ObjectStore,
    run_uid: &str,
    target: &str,
    index: u32,
    listed: &[&str],
) -> Result<Vec<FrozenCheckpoint>, AggregateError> {
    let prefix = keys::worker_prefix(run_uid, target, index);
    let objects = patiently(ObjectError::class, || store.list(&prefix, None, MAXIMUM_OBJECTS)).await?.objects;
    let attempts = objects
        .iter()
        .filter_map(|object| WorkerAttempt::from_checkpoint_key(run_uid, target, &object.key))
        .filter(|attempt| !listed.contains(&attempt.pod_uid.as_str()));
    let mut frozen = Vec::new();
    for worker in attempts {
        let (checkpoint, reason) = match freeze(store, run_uid, &worker).await {
            Ok(digest) => (Some(digest), None),
            Err(unusable) => (None, Some(format!("its checkpoint cannot be used: {}", unusable.words()?))),
        };
        frozen.push(FrozenCheckpoint { worker, checkpoint, reason });
    }
    Ok(frozen)
}

/// Copies a checkpoint with its objects; answers the digest of its document.
async fn freeze(store: &ObjectStore, run_uid: &str, worker: &WorkerAttempt) -> Result<String, Unusable> {
    let key = worker.checkpoint(run_uid);
    let mut attempt = 1;
    loop {
        let read = patiently(ObjectError::class, || store.get(&key, Checkpoint::MAX_BYTES)).await?;
        let bytes = read.ok_or_else(|| Unusable::Wrong(format!("{} is gone", store.location(&key))))?;
        let checkpoint: Checkpoint = decode_document(&store.location(&key), &bytes)?;
        if !speaks_of(&checkpoint.manifest, run_uid, worker) {
            return Err(Unusable::Wrong(format!("{} speaks of another worker or run", store.location(&key))));
        }
        match copy_objects(store, run_uid, worker, &checkpoint).await {
            Ok(()) => {}
            Err(Unusable::Wrong(words)) if attempt < ATTEMPTS => {
                tracing::info!(words, "a checkpoint has changed while it was read; reading it again");
                attempt += 1;
                continue;
            }
            Err(unusable) => return Err(unusable),
        }
        let digest = sha256_hex(&bytes);
        let copy = keys::frozen_checkpoint_object(run_uid, &digest);
        let options = PutOptions { content_type: JSON, if_none_match: false };
        patiently(ObjectError::class, || store.put(&copy, bytes.clone(), options)).await?;
        return Ok(digest);
    }
}

async fn copy_objects(
    store: &ObjectStore,
    run_uid: &str,
    worker: &WorkerAttempt,
    checkpoint: &Checkpoint,
) -> Result<(), Unusable> {
    for name in OBJECTS {
        let Some(expected) = checkpoint.manifest.objects.get(name) else { continue };
        let key = worker.checkpoint_object(run_uid, checkpoint.slot, name);
        copy(store, &key, expected, &keys::frozen_checkpoint_object(run_uid, &expected.sha256)).await?;
    }
    Ok(())
}

/// Copies an object through a temporary file, and checks its digest on the way.
async fn copy(store: &ObjectStore, key: &str, expected: &ObjectDigest, to: &str) -> Result<(), Unusable> {
    let file = NamedTempFile::new().map_err(|source| ObjectError::File {
        location: store.location(key),
        path: std::env::temp_dir(),
        source,
    })?;
    let fetched = patiently(ObjectError::class, || store.get_to_file(key, file.path(), MAXIMUM_FILE_BYTES)).await?;
    if fetched.sha256 != expected.sha256 || fetched.size != expected.size {
        let (location, expected) = (store.location(key), expected.sha256.clone());
        return Err(ObjectError::DigestMismatch { location, expected, found: fetched.sha256 }.into());
    }
    patiently(ObjectError::class, || store.put_file(to, file.path(), BYTES)).await?;
    Ok(())
}
