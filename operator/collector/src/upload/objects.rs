//! Objects below the attempt's prefix, with repetition until a deadline.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use volley_storage::documents::{Manifest, ObjectDigest, WorkerFailure};
use volley_storage::keys::WorkerAttempt;
use volley_storage::objects::{BYTES, Decided, JSON, PutOptions, sha256_hex};
use volley_storage::{FailureClass, ObjectError, ObjectStore};

use super::Staged;

/// Pause after the first failure; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Content type of zstd: RFC 8878.
const ZSTD: &str = "application/zstd";

/// Writes the objects of one attempt and keeps the list for its manifest.
#[derive(Debug)]
pub struct Objects {
    store: ObjectStore,
    run_uid: String,
    worker: WorkerAttempt,
    written: BTreeMap<String, ObjectDigest>,
}

impl Objects {
    /// Nothing is written yet.
    #[must_use]
    pub fn new(store: ObjectStore, run_uid: &str, worker: &WorkerAttempt) -> Self {
        Self { store, run_uid: run_uid.to_owned(), worker: worker.clone(), written: BTreeMap::new() }
    }

    /// What was written, by name below the attempt's prefix.
    #[must_use]
    pub fn written(&self) -> &BTreeMap<String, ObjectDigest> {
        &self.written
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// The last error, when it does not pass by itself or the deadline has come.
    pub async fn bytes(
        &mut self,
        name: &str,
        bytes: Vec<u8>,
        json: bool,
        deadline: Instant,
    ) -> Result<(), ObjectError> {
        let size = bytes.len() as u64;
        let digest = ObjectDigest { sha256: sha256_hex(&bytes), size, stored_size: size };
        let (key, bytes) = (self.key(name), axum::body::Bytes::from(bytes));
        let options = PutOptions { content_type: if json { JSON } else { BYTES }, if_none_match: false };
        until(deadline, || self.store.put(&key, bytes.clone(), options)).await?;
        self.written.insert(name.to_owned(), digest);
        Ok(())
    }

    /// Writes a compressed file.
    ///
    /// # Errors
    /// As [`Self::bytes`].
    pub async fn staged(&mut self, name: &str, staged: Staged, deadline: Instant) -> Result<(), ObjectError> {
        let key = self.key(name);
        until(deadline, || self.store.put_file(&key, staged.file.path(), ZSTD)).await?;
        self.written.insert(name.to_owned(), staged.digest);
        Ok(())
    }

    /// Writes `failed.json`.
    ///
    /// # Errors
    /// As [`Self::bytes`].
    pub async fn failure(&mut self, failure: &WorkerFailure, deadline: Instant) -> Result<(), ObjectError> {
        let bytes = serde_json::to_vec(failure).map_err(|source| ObjectError::Malformed {
            location: self.store.location(&self.key("failed.json")),
            kind: "worker failure",
            source,
        })?;
        self.bytes("failed.json", bytes, true, deadline).await
    }

    /// Writes the manifest, once. One that is there already counts: a predecessor of this process wrote it.
    ///
    /// # Errors
    /// As [`Self::bytes`].
    pub async fn manifest(&self, manifest: &Manifest, deadline: Instant) -> Result<(), ObjectError> {
        let key = self.worker.manifest(&self.run_uid);
        match until(deadline, || self.store.put_document_once(&key, manifest)).await {
            Ok(Decided::Ours { .. }) => Ok(()),
            // Its bytes are what everybody reads, even where this release could not.
            Ok(Decided::Theirs { .. }) | Err(ObjectError::Malformed { .. } | ObjectError::UnknownVersion { .. }) => {
                tracing::error!(
                    manifest = self.store.location(&key),
                    "another manifest of this attempt is there already and is kept"
                );
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn key(&self, name: &str) -> String {
        self.worker.object(&self.run_uid, name)
    }
}

/// Repeats what may pass by itself, until the deadline.
async fn until<T, F>(deadline: Instant, mut attempt: impl FnMut() -> F) -> Result<T, ObjectError>
where
    F: Future<Output = Result<T, ObjectError>>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match attempt().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        if error.class() != FailureClass::Transient || Instant::now() + pause >= deadline {
            return Err(error);
        }
        tracing::warn!(%error, pause_ms = pause.as_millis(), "will be tried again");
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn error(transient: bool) -> ObjectError {
        let location = "s3://b/k".to_owned();
        if transient {
            ObjectError::Unavailable { operation: "write", location, words: "503".into() }
        } else {
            ObjectError::Denied { operation: "write", location, words: "403".into() }
        }
    }

    #[tokio::test]
    async fn what_passes_by_itself_is_repeated_until_the_deadline_and_nothing_else() {
        let deadline = Instant::now() + Duration::from_millis(1200);
        let tries = Cell::new(0);
        let fails = |times: u32, transient: bool| {
            tries.set(0);
            let tries = &tries;
            until(deadline, move || {
                tries.set(tries.get() + 1);
                let outcome = if tries.get() > times { Ok(()) } else { Err(error(transient)) };
                async move { outcome }
            })
        };
        assert!(fails(1, true).await.is_ok());
        assert_eq!(tries.get(), 2);
        assert!(fails(1, false).await.is_err());
        assert_eq!(tries.get(), 1);
        assert!(fails(u32::MAX, true).await.is_err());
        assert!(Instant::now() <= deadline);
    }
}
