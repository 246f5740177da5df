//! What was measured so far, for the case that this worker never writes its manifest.

use std::collections::BTreeMap;

use axum::body::Bytes;
use jiff::Timestamp;
use volley_storage::documents::{Checkpoint, DOCUMENT_VERSION, ObjectDigest};
use volley_storage::keys::{CheckpointSlot, WorkerAttempt};
use volley_storage::objects::{BYTES, PutOptions, sha256_hex};
use volley_storage::{ObjectError, ObjectStore};

use super::Statement;

/// Writes the checkpoints of one attempt, one after the other.
#[derive(Debug)]
pub struct Checkpoints {
    store: ObjectStore,
    run_uid: String,
    worker: WorkerAttempt,
    /// The slot that the document names; none until the storage was asked what a predecessor left.
    named: Option<CheckpointSlot>,
}

impl Checkpoints {
    /// Nothing is asked or written yet.
    #[must_use]
    pub fn new(store: ObjectStore, run_uid: &str, worker: &WorkerAttempt) -> Self {
        Self { store, run_uid: run_uid.to_owned(), worker: worker.clone(), named: None }
    }

    /// Writes objects into the slot that the document does not name, then the document. Whatever fails, what it names is whole.
    ///
    /// # Errors
    /// [`ObjectError`]; the next one is a repetition.
    pub async fn write(
        &mut self,
        statement: Statement<'_>,
        objects: [(&str, Vec<u8>); 2],
        at: Timestamp,
    ) -> Result<(), ObjectError> {
        let slot = self.free_slot().await?;
        let mut digests = BTreeMap::new();
        for (name, bytes) in objects {
            let size = bytes.len() as u64;
            let digest = ObjectDigest { sha256: sha256_hex(&bytes), size, stored_size: size };
            let key = self.worker.checkpoint_object(&self.run_uid, slot, name);
            let options = PutOptions { content_type: BYTES, if_none_match: false };
            self.store.put(&key, Bytes::from(bytes), options).await?;
            digests.insert(name.to_owned(), digest);
        }
        let checkpoint = Checkpoint { version: DOCUMENT_VERSION, at, slot, manifest: statement.so_far(digests) };
        // Its answer may be lost although it is written: then the slots are as unknown as at the beginning.
        self.named = None;
        self.store.put_document(&self.worker.checkpoint(&self.run_uid), &checkpoint).await?;
        self.named = Some(slot);
        Ok(())
    }

    async fn free_slot(&self) -> Result<CheckpointSlot, ObjectError> {
        if let Some(named) = self.named {
            return Ok(named.other());
        }
        let found = self.store.get_document::<Checkpoint>(&self.worker.checkpoint(&self.run_uid)).await;
        match found {
            Ok(found) => Ok(found.map_or(CheckpointSlot::Even, |(checkpoint, _)| checkpoint.slot.other())),
            // Nobody can use that one.
            Err(ObjectError::Malformed { .. } | ObjectError::UnknownVersion { .. }) => Ok(CheckpointSlot::Even),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use volley_storage::documents::{Scenario, Source, WorkerHealth};
    use volley_storage::embedded::Server;

    use super::*;
    use crate::fixtures;
    use crate::tail::Measured;
    use crate::upload::Seen;

    struct Place {
        server: Server,
        worker: WorkerAttempt,
        _data: tempfile::TempDir,
    }

    impl Place {
        async fn new() -> Self {
            let data = tempfile::tempdir().unwrap();
            let server = Server::start_on_free_ports(data.path()).await.unwrap();
            Self {
                server,
                worker: WorkerAttempt { target: "here".into(), index: 0, pod_uid: "pod".into() },
                _data: data,
            }
        }

        fn checkpoints(&self) -> Checkpoints {
            Checkpoints::new(self.server.objects_of_run("run"), "run", &self.worker)
        }

        /// One checkpoint whose objects are this text.
        async fn write(&self, checkpoints: &mut Checkpoints, text: &str) -> Result<(), ObjectError> {
            let definition =
                fixtures::definition(Scenario::Locust { script: Source { sha256: String::new(), size: 0 } });
            let statement = Statement {
                definition: &definition,
                worker: &self.worker,
                seen: &Seen::default(),
                measured: Measured::default(),
                health: WorkerHealth::default(),
                sample_files: Vec::new(),
                warnings: vec![text.to_owned()],
            };
            let objects = [("histograms", text.into()), ("series", text.into())];
            checkpoints.write(statement, objects, Timestamp::UNIX_EPOCH).await
        }

        /// What the document says, when all its objects are what it says.
        async fn read(&self) -> Checkpoint {
            let objects = self.server.objects();
            let (found, _) = objects.get_document::<Checkpoint>(&self.worker.checkpoint("run")).await.unwrap().unwrap();
            for (name, digest) in &found.manifest.objects {
                let key = self.worker.checkpoint_object("run", found.slot, name);
                objects.get_verified(&key, &digest.sha256, digest.size).await.unwrap();
            }
            found
        }
    }

    #[tokio::test]
    async fn each_checkpoint_replaces_the_one_before_also_after_a_restart() {
        let place = Place::new().await;
        let mut checkpoints = place.checkpoints();
        for (number, slot) in [CheckpointSlot::Even, CheckpointSlot::Odd, CheckpointSlot::Even].into_iter().enumerate()
        {
            place.write(&mut checkpoints, &number.to_string()).await.unwrap();
            let found = place.read().await;
            assert_eq!((found.slot, found.manifest.warnings), (slot, vec![number.to_string()]));
            assert!(!found.manifest.complete);
        }
        place.write(&mut place.checkpoints(), "restarted").await.unwrap();
        assert_eq!(place.read().await.slot, CheckpointSlot::Odd);
    }

    #[tokio::test]
    async fn one_that_breaks_off_leaves_the_one_before_whole() {
        let place = Place::new().await;
        place.write(&mut place.checkpoints(), "first").await.unwrap();
        // As a process that is killed before the document.
        let slot = place.checkpoints().free_slot().await.unwrap();
        for name in ["histograms", "series"] {
            let key = place.worker.checkpoint_object("run", slot, name);
            place.server.objects().put(&key, "half", PutOptions::default()).await.unwrap();
        }
        assert_eq!(place.read().await.manifest.warnings, ["first"]);
        place.write(&mut place.checkpoints(), "second").await.unwrap();
        assert_eq!(place.read().await.manifest.warnings, ["second"]);
    }
}
