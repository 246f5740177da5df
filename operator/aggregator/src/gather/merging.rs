//! Merges the records of some labels of all files, on as many threads as there are processors.
//!
//! One task reads the records of one file after the other and hands them to all threads; each merges its share of the labels.
//! So the bytes of a few files and the statistics of some hundred labels are in memory, whatever the number of either.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use volley_stats::LabelStatistics;
use volley_stats::file::merge_label;
use volley_stats::statistics::LabelKey;
use volley_storage::ObjectStore;

use super::CONCURRENCY;
use super::object::Unusable;
use super::statistics::{Opened, StatisticsFile};
use crate::error::AggregateError;
use crate::measured::{MergedLabel, Overviews};

/// Threads at most: merging is faster than reading soon.
const MAXIMUM_THREADS: usize = 8;
/// Files whose records wait for a thread.
const WAITING_FILES: usize = 4;

/// Files that are wrong inside, by their place among the outcomes, each with why.
pub(super) type Broken = BTreeMap<usize, String>;

/// What every thread knows.
struct Task {
    files: Vec<Arc<StatisticsFile>>,
    keys: Arc<[Arc<LabelKey>]>,
    regions: Arc<[String]>,
    overviews: Arc<Overviews>,
    ranks: Range<u32>,
    /// This thread merges the labels whose rank is `share` modulo `shares`.
    share: u32,
    shares: u32,
}

/// The records of a file, by its place in [`Task::files`].
#[derive(Clone)]
struct Piece {
    file: usize,
    bytes: Bytes,
}

/// What a thread made of its share.
struct Share {
    labels: Vec<(u32, MergedLabel)>,
    /// By place, with the rank of the label at which it was found.
    broken: BTreeMap<usize, (u32, String)>,
}

/// Merges the labels of the given ranks; in the order of their keys. The inner error names the files that are wrong.
pub(super) async fn merge_labels(
    store: &ObjectStore,
    opened: &Opened,
    overviews: &Arc<Overviews>,
    ranks: Range<u32>,
) -> Result<Result<Vec<MergedLabel>, Broken>, AggregateError> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(MAXIMUM_THREADS);
    let shares = u32::try_from(threads).unwrap_or(1);
    let mut senders = Vec::new();
    let mut running = JoinSet::new();
    for share in 0..shares {
        let task = Task {
            files: opened.files.clone(),
            keys: Arc::clone(&opened.keys),
            regions: Arc::clone(&opened.regions),
            overviews: Arc::clone(overviews),
            ranks: ranks.clone(),
            share,
            shares,
        };
        let (sender, pieces) = mpsc::channel(WAITING_FILES);
        senders.push(sender);
        running.spawn_blocking(move || task.run(pieces));
    }
    let broken = feed(store, opened, &ranks, senders).await?;
    let mut labels = Vec::new();
    let mut found: BTreeMap<usize, (u32, String)> = broken;
    while let Some(share) = running.join_next().await {
        let share = share.map_err(|error| AggregateError::Merging(error.to_string()))?;
        labels.extend(share.labels);
        for (place, (rank, reason)) in share.broken {
            // The reason must not depend on which thread was first.
            if found.get(&place).is_none_or(|(known, _)| rank < *known) {
                found.insert(place, (rank, reason));
            }
        }
    }
    if !found.is_empty() {
        return Ok(Err(found.into_iter().map(|(place, (_, reason))| (place, reason)).collect()));
    }
    labels.sort_unstable_by_key(|(rank, _)| *rank);
    Ok(Ok(labels.into_iter().map(|(_, label)| label).collect()))
}

/// Reads the records of each file and hands them out; answers the files that could not be read any more.
async fn feed(
    store: &ObjectStore,
    opened: &Opened,
    ranks: &Range<u32>,
    senders: Vec<mpsc::Sender<Piece>>,
) -> Result<BTreeMap<usize, (u32, String)>, AggregateError> {
    let mut broken = BTreeMap::new();
    let mut pieces = stream::iter(opened.files.iter().enumerate())
        .map(|(number, file)| async move {
            (number, file.place, file.object.range(store, file.records(ranks).range()).await)
        })
        .buffered(CONCURRENCY);
    while let Some((file, place, bytes)) = pieces.next().await {
        match bytes.map_err(Unusable::words) {
            Ok(bytes) if bytes.is_empty() => {}
            Ok(bytes) => {
                for sender in &senders {
                    // A thread that is gone is told when it is joined.
                    let _ = sender.send(Piece { file, bytes: bytes.clone() }).await;
                }
            }
            Err(words) => {
                broken.insert(place, (0, format!("its statistics cannot be used: {}", words?)));
            }
        }
    }
    Ok(broken)
}

impl Task {
    fn run(self, mut pieces: mpsc::Receiver<Piece>) -> Share {
        let mut merged: BTreeMap<u32, BTreeMap<usize, LabelStatistics>> = BTreeMap::new();
        let mut broken = BTreeMap::new();
        while let Some(Piece { file, bytes }) = pieces.blocking_recv() {
            let Some(file) = self.files.get(file) else { continue };
            for (rank, record) in file.records(&self.ranks).in_bytes(&bytes) {
                if rank % self.shares != self.share {
                    continue;
                }
                let Some(key) = self.keys.get(rank as usize) else { continue };
                let into = merged.entry(rank).or_default().entry(file.region).or_default();
                if let Err(error) = merge_label(&key.name, record, into) {
                    broken.insert(file.place, (rank, format!("its statistics cannot be used: {error}")));
                    break;
                }
            }
        }
        let labels = if broken.is_empty() {
            merged.into_iter().filter_map(|(rank, label)| Some((rank, self.figures(rank, label)?))).collect()
        } else {
            Vec::new()
        };
        Share { labels, broken }
    }

    fn figures(&self, rank: u32, by_region: BTreeMap<usize, LabelStatistics>) -> Option<MergedLabel> {
        let key = self.keys.get(rank as usize)?;
        let named =
            by_region.into_iter().filter_map(|(region, label)| Some((self.regions.get(region)?.clone(), label)));
        Some(MergedLabel::new(key, named.collect(), &self.overviews))
    }
}
