//! Merges what the workers of a run uploaded.
//!
//! Order: read the definition → wait for `close.json`, and [follow](live) the run and [show](feed) it meanwhile → freeze the checkpoints of workers that left no manifest → read exactly
//! the manifests that it lists, and those checkpoints → merge statistics and series of those workers → make the result (pure) → write histograms, `result.json`, rows, and last the run's status.
//!
//! # Guarantees
//!
//! * Aggregating again gives the same bytes and the same rows: no instant of now and no order of answers enters them.
//! * A worker whose manifest or statistics are wrong is lost with a reason, never a crash and never a silent gap; an outage
//!   of the storage makes no worker lost.
//! * Memory does not depend on the number of samples, and on that of workers and labels only by 12 bytes each and the figures
//!   that are published, which are bounded.
//! * `status.result` comes last: who sees it finds everything else.

pub mod error;
pub mod feed;
pub mod gather;
pub mod live;
pub mod measured;
pub mod metrics;
pub mod outcome;
pub mod over_time;
pub mod publish;
pub mod result;
mod retry;
pub mod status;

pub use error::AggregateError;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::Client;
use tokio::sync::oneshot;
use volley_api::load_test_run::{RunResult, ThresholdResult};
use volley_storage::documents::ResultDocument;
use volley_storage::{ObjectStore, ResultStore};

use feed::Outlets;
use gather::documents::RunDocuments;
use metrics::Metrics;

/// What the aggregator is told from outside. The rest is in the storage.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Uid of the LoadTestRun.
    pub run_uid: String,
    /// How long `close.json` is waited for; `None`: as long as the run may take by its definition.
    pub patience: Option<Duration>,
    /// Where live figures go.
    pub outlets: Outlets,
}

/// What was aggregated.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregated {
    /// The document, as it is in the storage.
    pub document: ResultDocument,
    /// What stands in the run's status.
    pub summary: RunResult,
}

/// Aggregates one run. Without a client no status is written. Repeating it is safe.
///
/// # Errors
/// [`AggregateError`], whose class says whether a repetition may help.
pub async fn run(
    settings: Settings,
    store: ObjectStore,
    results: ResultStore,
    client: Option<Client>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<Aggregated, AggregateError> {
    tokio::select! {
        aggregated = Box::pin(aggregate(&settings, &store, &results, client.as_ref())) => aggregated,
        () = shutdown => Err(AggregateError::ShutDown),
    }
}

async fn aggregate(
    settings: &Settings,
    store: &ObjectStore,
    results: &ResultStore,
    client: Option<&Client>,
) -> Result<Aggregated, AggregateError> {
    let definition = gather::documents::definition(store, &settings.run_uid).await?;
    let patience = settings.patience.unwrap_or_else(|| gather::documents::patience(&definition));
    let run = &definition.run;
    tracing::info!(
        run_uid = run.uid,
        namespace = run.namespace,
        run = run.name,
        patience_s = patience.as_secs(),
        "waiting for the run to be closed"
    );
    let (tell_followed, followed) = oneshot::channel();
    let (tell_over, over) = oneshot::channel();
    let (tell_stop, stop) = oneshot::channel();
    let metrics = Arc::new(Metrics::of(run));
    let shown = feed::serve(&definition, &settings.outlets, &metrics, feed::Signals { followed, over, stop });
    let aggregated = async {
        let mut closed = pin!(gather::documents::closed(store, definition.clone(), patience));
        let documents = tokio::select! {
            closed = &mut closed => closed,
            // It follows as long as it is let; nothing of it decides.
            () = Box::pin(live::follow(store, &definition, client, &metrics, tell_followed)) => closed.await,
        };
        drop(tell_over);
        let documents = documents?;
        let merged = async {
            let merged = merge(store, results, client, documents).await;
            drop(tell_stop);
            merged
        };
        // Beside it: no result waits for that, and who sees the result may end this process.
        let swept = async {
            if definition.live.is_some() {
                live::delete_frames(store, &run.uid, &metrics).await;
            }
        };
        let (merged, ()) = tokio::join!(merged, swept);
        merged
    };
    let (aggregated, ()) = tokio::join!(aggregated, shown);
    aggregated
}

/// Merges what a closed run left, and writes its result.
async fn merge(
    store: &ObjectStore,
    results: &ResultStore,
    client: Option<&Client>,
    documents: RunDocuments,
) -> Result<Aggregated, AggregateError> {
    let RunDocuments { definition, start, close } = documents;
    let run_uid = definition.run.uid.as_str();

    let frozen = gather::checkpoints::frozen(store, run_uid, &close.workers).await?;
    let mut outcomes = gather::workers::outcomes(store, run_uid, &close.workers, &frozen).await?;
    let watched = definition.thresholds.iter().filter_map(|threshold| threshold.label.clone()).collect();
    let cache_bytes = gather::statistics::CACHE_BYTES;
    let (measured, outputs) = gather::statistics::merge(store, run_uid, &mut outcomes, &watched, cache_bytes, || {
        publish::temporary_outputs(&definition)
    })
    .await?;
    let began = Instant::now();
    let targets = definition.regions.iter().map(|region| region.target.as_str());
    let series = gather::series::merge(store, run_uid, &mut outcomes, targets, async |target, bytes| {
        publish::series(store, run_uid, target, bytes).await
    })
    .await?;
    tracing::info!(ms = began.elapsed().as_millis(), "the workers' series are merged");
    let began = Instant::now();
    let document = result::result(&definition, start.as_ref(), &close, &outcomes, &measured, series);
    for warning in &document.warnings {
        tracing::warn!(run_uid, warning, "the result has a warning");
    }

    for threshold in document.thresholds.iter().map(ThresholdResult::from) {
        let (name, outcome, words) = (&threshold.name, threshold.outcome, threshold.sentence());
        tracing::info!(run_uid, name, ?outcome, words, "a threshold is judged");
    }

    publish::histograms(store, run_uid, &measured, outputs).await?;
    let location = publish::document(store, &document).await?;
    publish::rows(results, store, &definition, &close, &document).await?;
    let summary = status::summary(&document, &location);
    if let Some(client) = client {
        publish::run_status(client, &document.run, &summary, &status::live(&document, close.at)).await?;
    }
    tracing::info!(
        run_uid,
        requests = document.totals.requests,
        errors = document.totals.errors,
        workers = document.workers_total.complete + document.workers_total.partial,
        written_ms = began.elapsed().as_millis(),
        location,
        "the run is aggregated"
    );
    Ok(Aggregated { document, summary })
}
