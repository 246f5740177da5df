//! The workers' statistics files: verified as a whole, then merged some hundred labels at a time.
//!
//! A file is read once in blocks to check its digest. Small files stay in memory within [`CACHE_BYTES`], so that usual runs
//! read everything once; bigger ones are read again by range. What stays in memory of every file are the places of its
//! records, 12 bytes a label.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use futures::{StreamExt, TryStreamExt, stream};
use volley_stats::file::{FileError, Index, TAIL_BYTES, Tail, Writer};
use volley_stats::statistics::{ErrorGroups, LabelKey};
use volley_storage::ObjectStore;
use volley_storage::documents::ObjectDigest;

use super::labels::{Places, Records, Vocabulary};
use super::merging::{Broken, merge_labels};
use super::object::{Unusable, VerifiedObject};
use super::workers::lost;
use super::{CONCURRENCY, STATISTICS};
use crate::error::AggregateError;
use crate::measured::{Measured, MergedLabel};
use crate::outcome::{MeasuredAttempt, WorkerOutcome};

/// Labels that are merged at a time, times the regions that measured them.
const SCOPES_AT_A_TIME: usize = 1_000;
/// The largest file that is read: the bound of a worker (4,000 labels, three full histograms each) does not reach it.
pub const MAXIMUM_FILE_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Bytes of all files that stay in memory after they were verified.
pub const CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// A file whose digest is right.
#[derive(Debug)]
pub(super) struct StatisticsFile {
    /// Place of the worker in the list of outcomes.
    pub(super) place: usize,
    /// Place of its target in [`Opened::regions`].
    pub(super) region: usize,
    pub(super) object: VerifiedObject,
    tail: Tail,
    places: Places,
}

impl StatisticsFile {
    /// The records of the labels with the given ranks.
    pub(super) fn records(&self, ranks: &Range<u32>) -> Records<'_> {
        self.places.records(ranks)
    }

    async fn errors(&self, store: &ObjectStore) -> Result<ErrorGroups, Unusable> {
        Ok(self.tail.read_errors(&self.object.range(store, self.tail.errors_range()).await?)?)
    }
}

/// All files whose digests are right.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) files: Vec<Arc<StatisticsFile>>,
    /// All labels in the order of their keys; the place of a label is its rank.
    pub(super) keys: Arc<[Arc<LabelKey>]>,
    /// Targets, sorted.
    pub(super) regions: Arc<[String]>,
}

impl From<FileError> for Unusable {
    fn from(error: FileError) -> Self {
        Self::Wrong(error.to_string())
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

    fn write(&mut self, label: &MergedLabel) -> Result<(), AggregateError> {
        self.whole.label(&label.key, &label.whole)?;
        for (target, statistics) in &label.by_region {
            if let Some(writer) = self.regions.get_mut(target) {
                writer.label(&label.key, statistics)?;
            }
        }
        Ok(())
    }
}

/// Merges the statistics of all measured workers. A worker whose file is wrong becomes lost, with a reason, in `outcomes`.
/// Each time that happens in the middle, the merge begins anew without it; `outputs` opens the files of an attempt.
/// The statistics of labels named in `watched` are kept. `cache_bytes` bounds the files that stay in memory, usually [`CACHE_BYTES`]; it changes no result.
///
/// # Errors
/// What the storage or the sink says.
pub async fn merge<W: Write>(
    store: &ObjectStore,
    run_uid: &str,
    outcomes: &mut [WorkerOutcome],
    watched: &BTreeSet<String>,
    cache_bytes: u64,
    mut outputs: impl FnMut() -> Result<Outputs<W>, AggregateError>,
) -> Result<(Measured, Outputs<W>), AggregateError> {
    let began = Instant::now();
    let mut opened = open(store, run_uid, outcomes, cache_bytes).await?;
    let (workers, labels) = (opened.files.len(), opened.keys.len());
    tracing::info!(workers, labels, ms = began.elapsed().as_millis(), "the workers' statistics are verified");
    let began = Instant::now();
    loop {
        match merge_files(store, &opened, watched, outputs()?).await? {
            Ok(done) => {
                tracing::info!(ms = began.elapsed().as_millis(), "the workers' statistics are merged");
                return Ok(done);
            }
            Err(broken) => {
                opened.files.retain(|file| !broken.contains_key(&file.place));
                for (place, reason) in broken {
                    lose(outcomes, place, reason);
                }
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

/// A file that is to be opened.
struct Wanted {
    place: usize,
    region: usize,
    key: String,
    digest: ObjectDigest,
    keep: bool,
}

/// Verifies every file and reads its index.
async fn open(
    store: &ObjectStore,
    run_uid: &str,
    outcomes: &mut [WorkerOutcome],
    cache_bytes: u64,
) -> Result<Opened, AggregateError> {
    let (regions, wanted) = wanted(run_uid, outcomes, cache_bytes);
    let mut opening = stream::iter(wanted)
        .map(|wanted| {
            let store = store.clone();
            // A task of its own, so that digests are computed on all processors.
            let task = tokio::spawn(async move { (wanted.place, open_one(&store, wanted).await) });
            async move { task.await.map_err(|error| AggregateError::Merging(error.to_string())) }
        })
        .buffered(CONCURRENCY);
    let mut vocabulary = Vocabulary::default();
    let mut files = Vec::new();
    let mut broken = Broken::new();
    while let Some((place, opened)) = opening.try_next().await? {
        match opened {
            Ok((region, object, tail, index)) => {
                let places = vocabulary.places(&index);
                files.push(StatisticsFile { place, region, object, tail, places });
            }
            Err(unusable) => {
                broken.insert(place, format!("its statistics cannot be used: {}", unusable.words()?));
            }
        }
    }
    drop(opening);
    for (place, reason) in broken {
        lose(outcomes, place, reason);
    }
    let (keys, ranks) = vocabulary.ranked();
    let files = files.into_iter().map(|mut file| {
        file.places.rank(&ranks);
        Arc::new(file)
    });
    Ok(Opened { files: files.collect(), keys: keys.into(), regions: regions.into() })
}

/// The files to open, with the sorted targets. A worker whose manifest lists none although it measured something is lost.
fn wanted(run_uid: &str, outcomes: &mut [WorkerOutcome], cache_bytes: u64) -> (Vec<String>, Vec<Wanted>) {
    let mut regions: Vec<String> = outcomes.iter().map(|outcome| outcome.target().to_owned()).collect();
    regions.sort_unstable();
    regions.dedup();
    let mut cache_left = cache_bytes;
    let mut wanted = Vec::new();
    let mut without = Vec::new();
    for (place, outcome) in outcomes.iter().enumerate() {
        let WorkerOutcome::Measured(measured) = outcome else { continue };
        let Some((key, digest)) = measured.object(run_uid, STATISTICS) else {
            if !measured_nothing(measured) {
                without.push(place);
            }
            continue;
        };
        let keep = digest.size <= cache_left;
        if keep {
            cache_left -= digest.size;
        }
        let region = regions.partition_point(|target| *target < measured.attempt.target);
        wanted.push(Wanted { place, region, key, digest: digest.clone(), keep });
    }
    for place in without {
        lose(outcomes, place, "its manifest lists no statistics".into());
    }
    (regions, wanted)
}

/// A worker that was stopped at the gate uploads nothing, and that is right.
pub(super) fn measured_nothing(measured: &MeasuredAttempt) -> bool {
    let counters = &measured.manifest.counters;
    counters.requests == 0 && counters.interrupted == 0
}

async fn open_one(store: &ObjectStore, wanted: Wanted) -> Result<(usize, VerifiedObject, Tail, Index), Unusable> {
    let Wanted { region, key, digest, keep, .. } = wanted;
    let object = VerifiedObject::open(store, key, &digest, MAXIMUM_FILE_BYTES, keep).await?;
    let size = object.size();
    let tail = Tail::read(size, &object.range(store, size.saturating_sub(TAIL_BYTES as u64)..size).await?)?;
    let index = tail.read_index(&object.range(store, tail.index_range()).await?)?;
    Ok((region, object, tail, index))
}

/// One pass over all files. The inner error names the files that are wrong.
async fn merge_files<W: Write>(
    store: &ObjectStore,
    opened: &Opened,
    watched: &BTreeSet<String>,
    mut outputs: Outputs<W>,
) -> Result<Result<(Measured, Outputs<W>), Broken>, AggregateError> {
    let mut measured = Measured::watching(watched);
    let target_of = |file: &StatisticsFile| opened.regions.get(file.region).map_or("", String::as_str);
    for file in &opened.files {
        measured.add_overview(target_of(file), &file.tail.overview);
    }
    match merge_errors(store, opened, |file, errors| measured.add_errors(target_of(file), errors)).await? {
        Ok(()) => {}
        Err(broken) => return Ok(Err(broken)),
    }
    let overviews = Arc::new(measured.overviews());
    let labels = u32::try_from(opened.keys.len()).unwrap_or(u32::MAX);
    let at_a_time = u32::try_from(SCOPES_AT_A_TIME / opened.regions.len().max(1)).unwrap_or(1).max(50);
    let mut first = 0;
    while first < labels {
        let last = first.saturating_add(at_a_time).min(labels);
        match merge_labels(store, opened, &overviews, first..last).await? {
            Ok(labels) => {
                for label in labels {
                    outputs.write(&label)?;
                    measured.add_label(label);
                }
            }
            Err(broken) => return Ok(Err(broken)),
        }
        first = last;
    }
    measured.sort();
    Ok(Ok((measured, outputs)))
}

/// Reads the error groups of every file, one after the other.
async fn merge_errors(
    store: &ObjectStore,
    opened: &Opened,
    mut add: impl FnMut(&StatisticsFile, &ErrorGroups),
) -> Result<Result<(), Broken>, AggregateError> {
    let mut broken = Broken::new();
    let mut reading =
        stream::iter(&opened.files).map(|file| async move { (file, file.errors(store).await) }).buffered(CONCURRENCY);
    while let Some((file, errors)) = reading.next().await {
        match errors {
            Ok(errors) => add(file, &errors),
            Err(unusable) => {
                broken.insert(file.place, format!("its statistics cannot be used: {}", unusable.words()?));
            }
        }
    }
    Ok(if broken.is_empty() { Ok(()) } else { Err(broken) })
}
