//! How far from the start instant workers began. Distances are taken on the storage's clock, by what each worker knows of its own.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use volley_stats::Percentile;
use volley_storage::documents::{Manifest, Skew, StartDecision, WorkerResult};

/// Distances of one worker from the start instant, in microseconds; negative: early.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Distances {
    pub(super) release_us: Option<i64>,
    pub(super) first_sample_us: Option<i64>,
}

/// The distances of an attempt.
pub(super) fn distances(start: Option<&StartDecision>, manifest: &Manifest) -> Distances {
    let Some(start) = start else { return Distances::default() };
    let offset_us = manifest.clock.map_or(0, |clock| clock.offset_us);
    let distance = |instant: Timestamp| {
        let apart_us = instant.as_microsecond().saturating_sub(start.start_at.as_microsecond());
        apart_us.saturating_add(offset_us)
    };
    Distances {
        release_us: manifest.released_at.map(distance),
        first_sample_us: manifest.first_sample_at.map(distance),
    }
}

/// How the workers of a region began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Beginning {
    /// Workers whose gate opened late.
    pub(super) late: u32,
    /// How long after the instant the last of them began, in microseconds.
    pub(super) latest_us: Option<u64>,
    /// Of the others.
    pub(super) release: Option<Skew>,
    /// Of the others.
    pub(super) first_sample: Option<Skew>,
}

/// How the workers of a target began. Of several attempts of a worker the one that began first counts: what comes after it is a
/// replacement.
pub(super) fn beginning(start: Option<&StartDecision>, target: &str, workers: &[WorkerResult]) -> Beginning {
    let Some(start) = start else { return Beginning::default() };
    let mut first: BTreeMap<u32, (i64, &WorkerResult)> = BTreeMap::new();
    for worker in workers.iter().filter(|worker| worker.target == target) {
        let Some(release_us) = worker.release_skew_us else { continue };
        let known = first.entry(worker.index).or_insert((release_us, worker));
        if release_us < known.0 {
            *known = (release_us, worker);
        }
    }
    let is_late = |release_us: i64| {
        let began = start.start_at.saturating_add(SignedDuration::from_micros(release_us)).unwrap_or(Timestamp::MAX);
        start.lateness(began).is_some()
    };
    let (late, in_time): (Vec<_>, Vec<_>) = first.into_values().partition(|(release_us, _)| is_late(*release_us));
    let in_time: Vec<&WorkerResult> = in_time.into_iter().map(|(_, worker)| worker).collect();
    Beginning {
        late: u32::try_from(late.len()).unwrap_or(u32::MAX),
        latest_us: late.iter().map(|(release_us, _)| release_us.unsigned_abs()).max(),
        release: skew(&in_time, |worker| worker.release_skew_us),
        first_sample: skew(&in_time, |worker| worker.first_sample_skew_us),
    }
}

fn skew(workers: &[&WorkerResult], distance: fn(&WorkerResult) -> Option<i64>) -> Option<Skew> {
    let measured: Vec<_> =
        workers.iter().filter_map(|worker| Some((distance(worker)?, worker.clock_bound_us))).collect();
    let mut sorted: Vec<u64> = measured.iter().map(|(distance_us, _)| distance_us.unsigned_abs()).collect();
    sorted.sort_unstable();
    let at = |percentile: Percentile| {
        let rank = usize::try_from(percentile.rank(sorted.len() as u64)).ok()?;
        sorted.get(rank.checked_sub(1)?).copied()
    };
    // Without its own bound nothing is known of a worker's clock, and so of the whole.
    let bounds: Option<Vec<u64>> = measured.iter().map(|(_, bound_us)| *bound_us).collect();
    Some(Skew {
        workers: u32::try_from(sorted.len()).unwrap_or(u32::MAX),
        p50_us: at(Percentile::P50)?,
        p99_us: at(Percentile::P99)?,
        max_us: at(Percentile::MAXIMUM)?,
        bound_us: bounds.and_then(|bounds| bounds.into_iter().max()),
    })
}
