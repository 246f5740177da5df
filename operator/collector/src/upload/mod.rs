//! Brings what a worker made to the storage: first what the result needs, then what helps people, last the manifest.
//!
//! What the result needs (`histograms`, `series`, manifest) decides whether the delivery succeeded. Anything else that cannot be uploaded
//! becomes a warning in the manifest: a lost log must not lose a worker.

mod checkpoint;
mod manifest;
mod objects;
mod staging;
mod summary;

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;
use volley_stats::Collection;
use volley_storage::documents::{DOCUMENT_VERSION, Definition, WorkerFailure, WorkerHealth};
use volley_storage::keys::WorkerAttempt;
use volley_storage::{ObjectError, ObjectStore};

pub use checkpoint::Checkpoints;
pub use manifest::{Seen, Statement};
pub use objects::Objects;
pub use staging::{Staged, compress, compress_logs};

use crate::files::{FileError, UntrustedFolder};
use crate::tail::{Measured, Tailed};

/// How long a delivery is tried. A little less than the launcher waits.
pub const DEADLINE: Duration = Duration::from_secs(570);
/// How much of that everything but the manifest may take.
const BEFORE_MANIFEST: Duration = Duration::from_secs(450);
/// How long the logs of a worker that never started may take: its launcher waits 20 s in all.
const FAILURE_LOGS: Duration = Duration::from_secs(8);
/// Largest summary of Taurus that is read; 2,000 folded labels are some 3 MB.
const MAXIMUM_FINAL_STATS: u64 = 64 * 1024 * 1024;
/// Bytes kept of each log file, its last ones.
const MAXIMUM_LOG: u64 = 16 * 1024 * 1024;
/// Log files of the engines that are kept.
const MAXIMUM_LOG_FILES: usize = 16;
/// Bytes kept of a raw sample file: what fits a Fargate worker's disk.
const MAXIMUM_SAMPLES: u64 = 20 * 1024 * 1024 * 1024;
/// Endings of engines' logs in the artifacts folder.
const LOG_ENDINGS: [&str; 3] = [".log", ".out", ".err"];

/// A delivery did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The storage.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// Definition or statistics never came to be.
    #[error("there is no definition or no statistics of this worker, so no manifest can be written")]
    Unprepared,
}

/// `errors.json`.
#[derive(Debug, Serialize)]
struct ErrorsDocument<'a> {
    version: u32,
    groups: Vec<ErrorRow<'a>>,
}

#[derive(Debug, Serialize)]
struct ErrorRow<'a> {
    label: &'a str,
    code: &'a str,
    message: &'a str,
    count: u64,
}

/// Everything a delivery works with.
#[derive(Debug)]
pub struct Courier<'a> {
    /// Where to.
    pub store: ObjectStore,
    /// Uid of the run.
    pub run_uid: &'a str,
    /// Which attempt.
    pub worker: &'a WorkerAttempt,
    /// The work folder.
    pub work: &'a UntrustedFolder,
}

impl Courier<'_> {
    /// Delivers statistics, logs and the manifest.
    ///
    /// # Errors
    /// [`DeliveryError`] where histograms, series or manifest are not in the storage when the time is over.
    pub async fn results(&self, definition: &Definition, seen: &Seen, tailed: Tailed) -> Result<(), DeliveryError> {
        let began = Instant::now();
        let (deadline, early) = (began + DEADLINE, began + BEFORE_MANIFEST);
        let mut objects = Objects::new(self.store.clone(), self.run_uid, self.worker);
        let Tailed { collection, series, files: sample_files, health, late_samples, mut warnings } = tailed;

        objects.bytes("histograms", volley_stats::file::encode(&collection), false, deadline).await?;
        objects.bytes("series", series.encode(), false, deadline).await?;

        if let Some(failure) = &seen.failed {
            note("failed.json", objects.failure(failure, early).await, &mut warnings);
        }
        note(
            "errors.json",
            objects.bytes("errors.json", errors_document(&collection), true, early).await,
            &mut warnings,
        );
        self.final_stats(&mut objects, &collection, early, &mut warnings).await;
        self.logs(&mut objects, early, &mut warnings).await;
        // A pod that is told to end has seconds, and raw samples are the largest and least needed part.
        if definition.artifacts.samples && !seen.terminated {
            for file in &sample_files {
                self.samples(&mut objects, &file.path, early, &mut warnings).await;
            }
        }
        let measured = Measured::of(&collection);
        let health = WorkerHealth::new(health.as_ref(), late_samples, &measured.own_errors);
        let statement = Statement { definition, worker: self.worker, seen, measured, health, sample_files, warnings };
        let manifest = statement.manifest(objects.written().clone());
        objects.manifest(&manifest, deadline).await?;
        let asked = self.store.requests();
        tracing::info!(
            requests = manifest.counters.requests,
            errors = manifest.counters.errors,
            complete = manifest.complete,
            storage_reads = asked.reads,
            storage_writes = asked.writes,
            "the manifest is written"
        );
        Ok(())
    }

    /// Delivers why a worker cannot run, and its logs.
    ///
    /// # Errors
    /// [`DeliveryError`] where `failed.json` is not in the storage when the time is over.
    pub async fn failure(&self, failure: Option<&WorkerFailure>) -> Result<(), DeliveryError> {
        let began = Instant::now();
        let mut objects = Objects::new(self.store.clone(), self.run_uid, self.worker);
        if let Some(failure) = failure {
            objects.failure(failure, began + DEADLINE).await?;
        }
        let mut warnings = Vec::new();
        let logs = self.logs(&mut objects, Instant::now() + FAILURE_LOGS, &mut warnings);
        if tokio::time::timeout(FAILURE_LOGS, logs).await.is_err() {
            tracing::warn!("the logs of this worker could not be uploaded in time");
        }
        Ok(())
    }

    async fn final_stats(
        &self,
        objects: &mut Objects,
        collection: &Collection,
        deadline: Instant,
        warnings: &mut Vec<String>,
    ) {
        let xml = match self.work.read("artifacts/final-stats.xml", MAXIMUM_FINAL_STATS) {
            Ok(Some(xml)) => xml,
            Ok(None) => return,
            Err(error) => return warnings.push(format!("Taurus' own summary was not read: {error}")),
        };
        warnings.extend(summary::warnings(&xml, collection));
        note("final-stats.xml", objects.bytes("final-stats.xml", xml, false, deadline).await, warnings);
    }

    async fn logs(&self, objects: &mut Objects, deadline: Instant, warnings: &mut Vec<String>) {
        let engine_logs = match self.work.names("artifacts") {
            Ok(names) => engine_logs(&names),
            Err(error) => {
                warnings.push(error.to_string());
                Vec::new()
            }
        };
        for (name, paths) in [("taurus.log.zst", vec!["taurus.log".to_owned()]), ("engine.log.zst", engine_logs)] {
            match in_background(|| compress_logs(self.work, &paths, MAXIMUM_LOG)) {
                Ok(Some(staged)) => note(name, objects.staged(name, staged, deadline).await, warnings),
                Ok(None) => {}
                Err(error) => warnings.push(format!("{name} is missing: {error}")),
            }
        }
    }

    async fn samples(&self, objects: &mut Objects, path: &str, deadline: Instant, warnings: &mut Vec<String>) {
        let Some(file_name) = path.rsplit('/').next() else { return };
        let name = format!("samples/{file_name}.zst");
        let staged = in_background(|| {
            let Some(opened) = self.work.file(path)? else { return Ok(None) };
            let staged = compress(std::io::Read::take(opened.file, opened.size.min(MAXIMUM_SAMPLES)));
            staged.map(Some).map_err(|source| FileError::Io { what: "compress", path: path.into(), source })
        });
        match staged {
            Ok(Some(staged)) => note(&name, objects.staged(&name, staged, deadline).await, warnings),
            Ok(None) => warnings.push(format!("{name} is missing: {path} is gone")),
            Err(error) => warnings.push(format!("{name} is missing: {error}")),
        }
    }
}

/// Which files of the artifacts folder are logs of the engines and of Taurus itself.
fn engine_logs(names: &[String]) -> Vec<String> {
    let is_log = |name: &&String| LOG_ENDINGS.iter().any(|ending| name.ends_with(ending));
    names.iter().filter(is_log).take(MAXIMUM_LOG_FILES).map(|name| format!("artifacts/{name}")).collect()
}

fn errors_document(collection: &Collection) -> Vec<u8> {
    let groups = collection.errors.largest(collection.errors.len());
    let document = ErrorsDocument {
        version: DOCUMENT_VERSION,
        groups: groups
            .into_iter()
            .map(|(key, count)| ErrorRow { label: &key.label, code: &key.code, message: &key.message, count })
            .collect(),
    };
    // Texts and numbers: nothing in it can fail to become JSON.
    serde_json::to_vec(&document).unwrap_or_default()
}

/// Compressing is work for the processor: it must not hold up the probe.
fn in_background<T>(work: impl FnOnce() -> T) -> T {
    if tokio::runtime::Handle::current().runtime_flavor() == tokio::runtime::RuntimeFlavor::MultiThread {
        tokio::task::block_in_place(work)
    } else {
        work()
    }
}

fn note(name: &str, outcome: Result<(), ObjectError>, warnings: &mut Vec<String>) {
    if let Err(error) = outcome {
        tracing::warn!(name, %error, "not uploaded");
        warnings.push(format!("{name} is missing: {error}"));
    }
}
