//! The workers' statistics files: verified as a whole, then read some hundred labels at a time.
//!
//! A file is read once in blocks to check its digest. Small files stay in memory within [`CACHE_BYTES`], so that usual runs
//! read everything once; bigger ones are read again by range. What stays in memory of every file is its index, about
//! 100 bytes a label.

use std::io::Write;

use bytes::Bytes;
use futures::{StreamExt, stream};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use volley_stats::LabelStatistics;
use volley_stats::file::{FileError, Index, TAIL_BYTES, Tail, Writer, read_labels};
use volley_stats::statistics::{ErrorGroups, LabelKey};
use volley_storage::documents::ObjectDigest;
use volley_storage::{FailureClass, ObjectError, ObjectStore};

use super::workers::lost;
use crate::error::AggregateError;
use crate::measured::Measured;
use crate::outcome::{MeasuredAttempt, WorkerOutcome};
use crate::retry::patiently;

/// Requests to the storage at the same time.
pub const CONCURRENCY: usize = 16;
/// Labels that are merged at a time.
const LABELS_AT_A_TIME: usize = 200;
/// Bytes of a block while a file is verified.
const BLOCK_BYTES: u64 = 4 * 1024 * 1024;
/// The largest file that is read: the bound of a worker (4,000 labels, three full histograms each) does not reach it.
const MAXIMUM_FILE_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Bytes of all files that stay in memory after they were verified.
pub const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// Name of the statistics below a worker's prefix.
pub const STATISTICS: &str = "histograms";

/// A file whose digest is right.
struct StatisticsFile {
    /// Place of the worker in the list of outcomes.
    place: usize,
    target: String,
    key: String,
    tail: Tail,
    index: Index,
    errors: ErrorGroups,
    /// The whole file, where it is small.
    cached: Option<Bytes>,
}

/// Why a file is not merged.
enum Unusable {
    /// It is wrong for good: the worker is lost.
    Lost(String),
    /// It could not be read now.
    Now(ObjectError),
}

impl From<ObjectError> for Unusable {
    fn from(error: ObjectError) -> Self {
        match error.class() {
            FailureClass::Terminal => Self::Lost(format!("its statistics cannot be used: {error}")),
            FailureClass::Transient | FailureClass::NeedsChange => Self::Now(error),
        }
    }
}

impl From<FileError> for Unusable {
    fn from(error: FileError) -> Self {
        Self::Lost(format!("its statistics cannot be used: {error}"))
    }
}

/// Where the merged statistics are written, label by label: the whole run, and each region.
pub struct Outputs<W> {
    /// All regions together.
    pub whole: Writer<W>,
    /// By RegionTarget.
    pub regions: BTreeMap<String, Writer<W>>,
}

impl<W: Write> Outputs<W> {
    /// Begins the files; `sink` opens one for a region, or for the whole (`None`).
    ///
    /// # Errors
    /// What the sink says.
    pub fn begin<'a>(
        targets: impl IntoIterator<Item = &'a str>,
        mut sink: impl FnMut(Option<&str>) -> std::io::Result<W>,
    ) -> Result<Self, AggregateError> {
        let whole = Writer::new(sink(None)?)?;
        let mut regions = BTreeMap::new();
        for target in targets {
            regions.insert(target.to_owned(), Writer::new(sink(Some(target))?)?);
        }
        Ok(Self { whole, regions })
    }
}

/// Merges the statistics of all measured workers. A worker whose file is wrong becomes lost, with a reason, in `outcomes`.
/// Each time that happens in the middle, the merge begins anew without it; `outputs` opens the files of an attempt.
/// `cache_bytes` bounds the files that stay in memory, usually [`CACHE_BYTES`]; it changes no result.
///
/// # Errors
/// What the storage or the sink says.
pub async fn merge<W: Write>(
    store: &ObjectStore,
    run_uid: &str,
    outcomes: &mut [WorkerOutcome],
    cache_bytes: u64,
    mut outputs: impl FnMut() -> Result<Outputs<W>, AggregateError>,
) -> Result<(Measured, Outputs<W>), AggregateError> {
    let mut files = open(store, run_uid, outcomes, cache_bytes).await?;
    loop {
        match merge_files(store, &files, outputs()?).await? {
            Merged::Done(done) => return Ok(*done),
            Merged::Broken { place, reason } => {
                files.retain(|file| file.place != place);
                lose(outcomes, place, reason);
            }
        }
    }
}

fn lose(outcomes: &mut [WorkerOutcome], place: usize, reason: String) {
    if let Some(outcome) = outcomes.get_mut(place)
        && let WorkerOutcome::Measured(measured) = outcome
    {
        *outcome = lost(measured.attempt.clone(), reason, Some(&measured.manifest));
    }
}

/// Verifies every file and reads its index.
async fn open(
    store: &ObjectStore,
    run_uid: &str,
    outcomes: &mut [WorkerOutcome],
    cache_bytes: u64,
) -> Result<Vec<StatisticsFile>, AggregateError> {
    let mut cache_left = cache_bytes;
    let mut wanted = Vec::new();
    for (place, outcome) in outcomes.iter().enumerate() {
        let WorkerOutcome::Measured(measured) = outcome else { continue };
        let size = measured.manifest.objects.get(STATISTICS).map_or(0, |object| object.size);
        let cache = size <= cache_left;
        if cache {
            cache_left -= size;
        }
        wanted.push((place, (**measured).clone(), cache));
    }
    let opened: Vec<_> = stream::iter(wanted)
        .map(|(place, measured, cache)| async move { (place, open_one(store, run_uid, place, &measured, cache).await) })
        .buffered(CONCURRENCY)
        .collect()
        .await;
    let mut files = Vec::new();
    for (place, opened) in opened {
        match opened {
            Ok(Some(file)) => files.push(file),
            Ok(None) => {}
            Err(Unusable::Lost(reason)) => lose(outcomes, place, reason),
            Err(Unusable::Now(error)) => return Err(error.into()),
        }
    }
    Ok(files)
}

async fn open_one(
    store: &ObjectStore,
    run_uid: &str,
    place: usize,
    measured: &MeasuredAttempt,
    cache: bool,
) -> Result<Option<StatisticsFile>, Unusable> {
    let manifest = &measured.manifest;
    let Some(object) = manifest.objects.get(STATISTICS) else {
        let counters = &manifest.counters;
        // A worker that was stopped at the gate has none, and that is right.
        let nothing = counters.requests == 0 && counters.interrupted == 0;
        return if nothing { Ok(None) } else { Err(Unusable::Lost("its manifest lists no statistics".into())) };
    };
    if object.stored_size != object.size || object.size > MAXIMUM_FILE_BYTES {
        return Err(Unusable::Lost(format!(
            "its statistics have {} bytes, stored as {}; at most {MAXIMUM_FILE_BYTES} uncompressed bytes can be read",
            object.size, object.stored_size
        )));
    }
    let key = measured.attempt.object(run_uid, STATISTICS);
    let cached = verify(store, &key, object, cache).await?;
    let file = Source { store, key: &key, cached: cached.as_ref() };
    let tail_start = object.size.saturating_sub(TAIL_BYTES as u64);
    let tail = Tail::read(object.size, &file.range(tail_start..object.size).await?)?;
    let index = tail.read_index(&file.range(tail.index_range()).await?)?;
    let errors = tail.read_errors(&file.range(tail.errors_range()).await?)?;
    let target = measured.attempt.target.clone();
    Ok(Some(StatisticsFile { place, target, key, tail, index, errors, cached }))
}

/// Reads a file in blocks and compares its digest; answers its bytes where they shall be kept.
async fn verify(store: &ObjectStore, key: &str, object: &ObjectDigest, keep: bool) -> Result<Option<Bytes>, Unusable> {
    let mut digest = Sha256::new();
    let mut kept = Vec::new();
    let mut offset = 0;
    while offset < object.size {
        let end = object.size.min(offset + BLOCK_BYTES);
        let block = Source { store, key, cached: None }.range(offset..end).await?;
        digest.update(&block);
        if keep {
            kept.extend_from_slice(&block);
        }
        offset = end;
    }
    let found = hex::encode(digest.finalize());
    if found != object.sha256 {
        let (location, expected) = (store.location(key), object.sha256.clone());
        return Err(ObjectError::DigestMismatch { location, expected, found }.into());
    }
    Ok(keep.then(|| Bytes::from(kept)))
}

/// A file in memory or in the storage.
struct Source<'a> {
    store: &'a ObjectStore,
    key: &'a str,
    cached: Option<&'a Bytes>,
}

impl Source<'_> {
    async fn range(&self, range: std::ops::Range<u64>) -> Result<Bytes, Unusable> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let length = range.end - range.start;
        let bytes = match self.cached {
            Some(whole) => {
                let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(whole.len());
                whole.slice(place(range.start)..place(range.end))
            }
            None => patiently(ObjectError::class, || self.store.get_range(self.key, range.clone())).await?,
        };
        if bytes.len() as u64 != length {
            return Err(Unusable::Lost(format!(
                "its statistics {} are shorter than its manifest says",
                self.store.location(self.key)
            )));
        }
        Ok(bytes)
    }
}

/// How a pass over all files ended.
enum Merged<W> {
    Done(Box<(Measured, Outputs<W>)>),
    Broken { place: usize, reason: String },
}

async fn merge_files<W: Write>(
    store: &ObjectStore,
    files: &[StatisticsFile],
    mut outputs: Outputs<W>,
) -> Result<Merged<W>, AggregateError> {
    let mut measured = Measured::default();
    for file in files {
        measured.add_overview(&file.target, &file.tail.overview, &file.errors);
    }
    let keys: BTreeSet<&LabelKey> =
        files.iter().flat_map(|file| file.index.entries()).map(|entry| &entry.key).collect();
    let keys: Vec<&LabelKey> = keys.into_iter().collect();
    for some in keys.chunks(LABELS_AT_A_TIME) {
        let (Some(first), Some(last)) = (some.first(), some.last()) else { continue };
        let labels = match merge_labels(store, files, first, last).await? {
            Ok(labels) => labels,
            Err((place, reason)) => return Ok(Merged::Broken { place, reason }),
        };
        for (key, by_region) in &labels {
            let whole = measured.add_label(key.kind, &key.name, by_region);
            outputs.whole.label(key, &whole)?;
            for (target, label) in by_region {
                if let Some(writer) = outputs.regions.get_mut(target) {
                    writer.label(key, label)?;
                }
            }
        }
    }
    measured.sort();
    Ok(Merged::Done(Box::new((measured, outputs))))
}

/// Labels with what each region measured of them.
type LabelsByRegion = BTreeMap<LabelKey, BTreeMap<String, LabelStatistics>>;

/// Merges the labels from `first` to `last` of all files; the inner error names a file that is wrong.
async fn merge_labels(
    store: &ObjectStore,
    files: &[StatisticsFile],
    first: &LabelKey,
    last: &LabelKey,
) -> Result<Result<LabelsByRegion, (usize, String)>, AggregateError> {
    let mut merged: LabelsByRegion = BTreeMap::new();
    let mut records = stream::iter(files)
        .map(|file| async move {
            let entries = file.index.between(first, last);
            let range = Index::range(entries).unwrap_or(0..0);
            let source = Source { store, key: &file.key, cached: file.cached.as_ref() };
            (file, entries, source.range(range).await)
        })
        .buffered(CONCURRENCY);
    while let Some((file, entries, bytes)) = records.next().await {
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(Unusable::Lost(reason)) => return Ok(Err((file.place, reason))),
            Err(Unusable::Now(error)) => return Err(error.into()),
        };
        for label in read_labels(entries, &bytes) {
            match label {
                Ok((key, label)) => {
                    let by_region = merged.entry(key.clone()).or_default();
                    by_region.entry(file.target.clone()).or_default().merge(&label);
                }
                Err(error) => return Ok(Err((file.place, format!("its statistics cannot be used: {error}")))),
            }
        }
    }
    Ok(Ok(merged))
}
