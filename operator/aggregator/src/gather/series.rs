//! The workers' series: each verified and checked, added up region by region, the regions to the whole.
//!
//! Only one region's sum and that of all regions are in memory at a time. A worker whose series is wrong stays in all other
//! figures, because its statistics are sound; it says what it lacks.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use volley_stats::Series;
use volley_stats::series::{EncodedSeries, SeriesSum};
use volley_storage::ObjectStore;
use volley_storage::documents::{ObjectDigest, SeriesFigures};

use super::object::{Unusable, VerifiedObject};
use super::statistics::measured_nothing;
use super::{CONCURRENCY, SERIES};
use crate::error::AggregateError;
use crate::outcome::WorkerOutcome;
use crate::over_time::over_time;

/// The largest series of a worker that is read; its bounds keep it far below.
const MAXIMUM_SERIES_BYTES: u64 = 32 * 1024 * 1024;
/// Bytes of series that are read at the same time.
const READING_BYTES: u64 = 32 * 1024 * 1024;

/// A series that is to be read.
struct Wanted {
    place: usize,
    key: String,
    digest: ObjectDigest,
}

/// Adds up the series of all measured workers. `publish` gets the sum of each of `targets`, then that of all (`None`).
/// Answers what stands in the result: all regions together first; a region without a sample is left out.
///
/// # Errors
/// What the storage or `publish` says.
pub async fn merge(
    store: &ObjectStore,
    run_uid: &str,
    outcomes: &mut [WorkerOutcome],
    targets: impl IntoIterator<Item = &str>,
    mut publish: impl AsyncFnMut(Option<&str>, Vec<u8>) -> Result<(), AggregateError>,
) -> Result<Vec<SeriesFigures>, AggregateError> {
    let mut wanted = wanted(run_uid, outcomes);
    let mut figures = Vec::new();
    let mut whole = SeriesSum::default();
    for target in targets {
        let series = merge_region(store, outcomes, wanted.remove(target).unwrap_or_default()).await?;
        publish(Some(target), series.encode()).await?;
        figures.push(over_time(Some(target), &series));
        whole.add(&series);
    }
    // A sound operator lists no worker of another target; if it did, its totals would be in the whole too.
    for (_, others) in wanted {
        whole.add(&merge_region(store, outcomes, others).await?);
    }
    let whole = whole.finish();
    publish(None, whole.encode()).await?;
    figures.insert(0, over_time(None, &whole));
    figures.retain(|series| !series.seconds.is_empty());
    Ok(figures)
}

/// What is to be read, by target. A worker that measured something and lists no series says so.
fn wanted(run_uid: &str, outcomes: &mut [WorkerOutcome]) -> BTreeMap<String, Vec<Wanted>> {
    let mut wanted: BTreeMap<String, Vec<Wanted>> = BTreeMap::new();
    for (place, outcome) in outcomes.iter_mut().enumerate() {
        let WorkerOutcome::Measured(measured) = outcome else { continue };
        if let Some((key, digest)) = measured.object(run_uid, SERIES) {
            let digest = digest.clone();
            wanted.entry(measured.attempt.target.clone()).or_default().push(Wanted { place, key, digest });
        } else if !measured_nothing(measured) {
            measured.lacks = Some(lacks("its manifest lists none"));
        }
    }
    wanted
}

fn lacks(why: &str) -> String {
    format!("its requests are in the figures but not in the course over time: {why}")
}

async fn merge_region(
    store: &ObjectStore,
    outcomes: &mut [WorkerOutcome],
    wanted: Vec<Wanted>,
) -> Result<Series, AggregateError> {
    let largest = wanted.iter().map(|wanted| wanted.digest.size).max().unwrap_or_default().max(1);
    let concurrency = usize::try_from(READING_BYTES / largest).unwrap_or(CONCURRENCY).clamp(1, CONCURRENCY);
    let mut reading = stream::iter(wanted)
        .map(|Wanted { place, key, digest }| {
            let store = store.clone();
            // A task of its own, so that series are checked on all processors.
            let task = tokio::spawn(async move { (place, read(&store, key, &digest).await) });
            async move { task.await.map_err(|error| AggregateError::Merging(error.to_string())) }
        })
        .buffered(concurrency);
    let mut sum = SeriesSum::default();
    while let Some((place, series)) = reading.try_next().await? {
        match series {
            Ok(series) => sum.add_encoded(&series),
            Err(unusable) => {
                let words = unusable.words()?;
                if let Some(WorkerOutcome::Measured(measured)) = outcomes.get_mut(place) {
                    measured.lacks = Some(lacks(&words));
                }
            }
        }
    }
    Ok(sum.finish())
}

async fn read(store: &ObjectStore, key: String, digest: &ObjectDigest) -> Result<EncodedSeries<Bytes>, Unusable> {
    let object = VerifiedObject::open(store, key, digest, MAXIMUM_SERIES_BYTES, true).await?;
    let bytes = object.range(store, 0..object.size()).await?;
    EncodedSeries::read(bytes).map_err(|error| Unusable::Wrong(error.to_string()))
}
