//! Writes the result: histograms, `result.json`, rows, and last the run's status.

use std::future::Future;
use std::io::{BufWriter, Write};
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use volley_api::LoadTestRun;
use volley_api::labels::AGGREGATOR_MANAGER;
use volley_api::load_test_run::{LiveFigures, RunResult};
use volley_storage::documents::{CloseDecision, Definition, ResultDocument, RunIdentity};
use volley_storage::objects::{BYTES, PutOptions};
use volley_storage::results::{Publication, rows_of, summary_of};
use volley_storage::{FailureClass, ObjectError, ObjectStore, ResultStore, ResultsError, keys};

use crate::error::AggregateError;
use crate::gather::statistics::Outputs;
use crate::measured::Measured;
use crate::retry::patiently;
use crate::status;

/// One call to the API server takes at most this long.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// How long rows are kept after the run was closed, in hours: 365 days.
const RETENTION_HOURS: i64 = 365 * 24;

/// Opens the temporary files of the merged statistics.
///
/// # Errors
/// When the temporary folder cannot be written.
pub fn temporary_outputs(definition: &Definition) -> Result<Outputs<BufWriter<NamedTempFile>>, AggregateError> {
    let targets = definition.regions.iter().map(|region| region.target.as_str());
    Outputs::begin(targets, |_| NamedTempFile::new().map(BufWriter::new))
}

/// Uploads the merged statistics: of the whole run, and of each region.
///
/// # Errors
/// When a file cannot be written, or what the storage says.
pub async fn histograms(
    store: &ObjectStore,
    run_uid: &str,
    measured: &Measured,
    outputs: Outputs<BufWriter<NamedTempFile>>,
) -> Result<(), AggregateError> {
    let Outputs { whole, regions } = outputs;
    let whole = whole.finish(&measured.whole.overview, &measured.whole.errors)?;
    upload(store, &keys::histograms(run_uid), whole).await?;
    for (target, writer) in regions {
        let scope = measured.regions.get(&target).cloned().unwrap_or_default();
        let region = writer.finish(&scope.overview, &scope.errors)?;
        upload(store, &keys::region_histograms(run_uid, &target), region).await?;
    }
    Ok(())
}

/// Uploads the merged series of a region, or of the whole run (`None`).
///
/// # Errors
/// What the storage says.
pub async fn series(
    store: &ObjectStore,
    run_uid: &str,
    target: Option<&str>,
    series: Vec<u8>,
) -> Result<(), AggregateError> {
    let key = target.map_or_else(|| keys::series(run_uid), |target| keys::region_series(run_uid, target));
    let series = Bytes::from(series);
    patiently(ObjectError::class, || store.put(&key, series.clone(), PutOptions::default())).await?;
    Ok(())
}

async fn upload(store: &ObjectStore, key: &str, mut file: BufWriter<NamedTempFile>) -> Result<(), AggregateError> {
    file.flush()?;
    let path = file.get_ref().path();
    patiently(ObjectError::class, || store.put_file(key, path, BYTES)).await?;
    Ok(())
}

/// Uploads `result.json` and answers its location.
///
/// # Errors
/// What the storage says.
pub async fn document(store: &ObjectStore, document: &ResultDocument) -> Result<String, AggregateError> {
    let key = keys::result(&document.run.uid);
    patiently(ObjectError::class, || store.put_document(&key, document)).await?;
    Ok(store.location(&key))
}

/// Writes the rows: details first, then the summary, which makes the run final. Repeating it changes nothing.
///
/// # Errors
/// What the table says.
pub async fn rows(
    results: &ResultStore,
    store: &ObjectStore,
    definition: &Definition,
    close: &CloseDecision,
    document: &ResultDocument,
) -> Result<(), AggregateError> {
    let location = store.location(&keys::run_prefix(&document.run.uid));
    // From the document, not from the clock: a repetition must write the same item.
    let expires_at = close.at.saturating_add(SignedDuration::from_hours(RETENTION_HOURS)).unwrap_or(Timestamp::MAX);
    let (summary, rows) = (summary_of(document, location, expires_at), rows_of(document));
    let written =
        patiently(ResultsError::class, || results.write_run(&definition.installation, &summary, &rows)).await?;
    match written {
        Publication::Written | Publication::Repeated => {}
        Publication::Differs => tracing::error!(
            run_uid = document.run.uid,
            "the table holds another final summary of this run; it stays, and result.json is the newer one"
        ),
    }
    Ok(())
}

/// Writes `status.result` and `status.live` of the run, as field manager `volley-aggregator`.
/// A run that is gone, or whose name another run has, needs no status: that is no error.
///
/// # Errors
/// [`AggregateError::Status`].
pub async fn run_status(
    client: &Client,
    run: &RunIdentity,
    result: &RunResult,
    live: &LiveFigures,
) -> Result<(), AggregateError> {
    let status = json!({"result": result, "live": live});
    if !patiently(AggregateError::class, || apply_status(client, run, &status)).await? {
        tracing::warn!(namespace = run.namespace, run = run.name, "the run is gone; its result stays in the storage");
    }
    Ok(())
}

/// Writes `status.live` alone. It takes a result of an earlier process out of the status, so it is only for a run that is not
/// closed.
///
/// # Errors
/// [`AggregateError::Status`].
pub async fn live_status(client: &Client, run: &RunIdentity, live: &LiveFigures) -> Result<(), AggregateError> {
    apply_status(client, run, &json!({"live": live})).await.map(drop)
}

/// Applies what this process says in a run's status; false: the run is gone.
///
/// The API server ignores a uid in a patch of a status. So the patch is first made as a dry run, whose answer says which
/// object it would change; the real one carries that object's resource version. The right to patch is enough for both.
async fn apply_status(client: &Client, run: &RunIdentity, status: &Value) -> Result<bool, AggregateError> {
    let runs: Api<LoadTestRun> = Api::namespaced(client.clone(), &run.namespace);
    let apply = PatchParams::apply(AGGREGATOR_MANAGER).force();
    let dry = PatchParams { dry_run: true, ..apply.clone() };
    let body = |version: Option<&str>| Patch::Apply(status::patch(run, status, version));
    let Some(seen) = answered(run, runs.patch_status(&run.name, &dry, &body(None))).await? else {
        return Ok(false);
    };
    if seen.metadata.uid.as_deref() != Some(run.uid.as_str()) {
        return Ok(false);
    }
    let version = seen.metadata.resource_version.as_deref();
    Ok(answered(run, runs.patch_status(&run.name, &apply, &body(version))).await?.is_some())
}

/// The answer to one call within [`CALL_TIMEOUT`]; `None`: the run is not there. A conflict passes: the object has changed
/// since it was seen.
async fn answered(
    run: &RunIdentity,
    call: impl Future<Output = Result<LoadTestRun, kube::Error>>,
) -> Result<Option<LoadTestRun>, AggregateError> {
    let (words, class) = match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(Ok(run)) => return Ok(Some(run)),
        Ok(Err(kube::Error::Api(answer))) if answer.code == 404 => return Ok(None),
        Ok(Err(kube::Error::Api(answer))) => {
            let passes = answer.code == 409 || answer.code == 429 || answer.code >= 500;
            (answer.message.clone(), if passes { FailureClass::Transient } else { FailureClass::NeedsChange })
        }
        Ok(Err(error)) => (error.to_string(), FailureClass::Transient),
        Err(_) => (format!("no answer within {} s", CALL_TIMEOUT.as_secs()), FailureClass::Transient),
    };
    let (namespace, name) = (run.namespace.clone(), run.name.clone());
    Err(AggregateError::Status { namespace, name, words, class })
}
