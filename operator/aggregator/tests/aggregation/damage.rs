//! Objects of workers that are damaged in any way: the worker is named, the others stand.

use proptest::prelude::*;
use volley_aggregator::gather::STATISTICS;
use volley_aggregator::measured::Measured;
use volley_stats::Collection;
use volley_storage::documents::{Figures, LabelFigures, WorkerState};
use volley_storage::objects::PutOptions;

use crate::fixtures::{RUN, attempt, collection, manifest, request};
use crate::whole_runs::Bench;

/// How an object of a worker is damaged. Places are shares of its length, in thousandths.
#[derive(Clone, Debug)]
enum Damage {
    /// It is cut there.
    Cut { place: usize },
    /// A byte there is another one.
    Flip { place: usize, by: u8 },
    /// Bytes are put in there.
    Insert { place: usize, bytes: Vec<u8> },
    /// It is something else.
    Replace { bytes: Vec<u8> },
    /// It is not there.
    Remove,
}

impl Damage {
    /// The damaged bytes, different from the good ones; `None`: no object.
    fn apply(&self, good: &[u8]) -> Option<Vec<u8>> {
        let at = |place: usize| good.len().saturating_sub(1) * place / 1_000;
        let mut bytes = good.to_vec();
        match self {
            Self::Cut { place } => bytes.truncate(at(*place)),
            Self::Flip { place, by } => bytes[at(*place)] ^= by,
            Self::Insert { place, bytes: inserted } => {
                bytes.splice(at(*place)..at(*place), inserted.iter().copied());
            }
            Self::Replace { bytes: other } => bytes.clone_from(other),
            Self::Remove => return None,
        }
        Some(bytes)
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (0_usize..1_000).prop_map(|place| Damage::Cut { place }),
        (0_usize..=1_000, 1_u8..).prop_map(|(place, by)| Damage::Flip { place, by }),
        (0_usize..=1_000, prop::collection::vec(any::<u8>(), 1..40))
            .prop_map(|(place, bytes)| Damage::Insert { place, bytes }),
        prop::collection::vec(any::<u8>(), 0..400).prop_map(|bytes| Damage::Replace { bytes }),
        Just(Damage::Remove),
    ]
}

/// Which object of a worker is damaged.
#[derive(Clone, Copy, Debug)]
enum Victim {
    Manifest,
    Statistics,
    /// The statistics, with a manifest that states the digest of the damaged bytes, as a worker with a fault would write it.
    StatisticsWithTheirDigest,
}

/// The damage of each of a run's workers; `None`: it is sound.
fn damages() -> impl Strategy<Value = Vec<Option<(Victim, Damage)>>> {
    let victim = prop_oneof![Just(Victim::Manifest), Just(Victim::Statistics), Just(Victim::StatisticsWithTheirDigest)];
    prop::collection::vec(prop::option::of((victim, damage())), 1..6)
}

/// A label of its own for each worker, and one that all have.
fn measured_by(worker: usize) -> Collection {
    // No single byte makes one of these another one.
    let own = format!("only {}", worker.to_string().repeat(5));
    let number = i64::try_from(worker).unwrap();
    let requests: Vec<_> = (0..20)
        .flat_map(|at| {
            [request(&own, at * 50, 1_000 + at.unsigned_abs(), at % 5 != number), request("all", at, 9_000, true)]
        })
        .collect();
    collection(&requests)
}

async fn damage_worker(bench: &mut Bench, index: u32, victim: Victim, damage: &Damage) {
    let attempt = attempt("eu", index);
    let key = match victim {
        Victim::Manifest => attempt.manifest(RUN),
        Victim::Statistics | Victim::StatisticsWithTheirDigest => attempt.object(RUN, STATISTICS),
    };
    let damaged = damage.apply(&bench.bytes(&key).await);
    match &damaged {
        Some(bytes) => bench.store.put(&key, bytes.clone(), PutOptions::default()).await.unwrap(),
        None => bench.store.delete(&key).await.unwrap(),
    }
    if let (Victim::StatisticsWithTheirDigest, Some(damaged)) = (victim, damaged) {
        let collection = measured_by(usize::try_from(index).unwrap());
        let manifest = manifest(&attempt, &collection, &damaged);
        let digest = bench.store.put_document(&attempt.manifest(RUN), &manifest).await.unwrap();
        bench.close.workers[usize::try_from(index).unwrap()].manifest = Some(digest);
    }
}

async fn the_sound_stand(damages: Vec<Option<(Victim, Damage)>>) {
    let planned = u32::try_from(damages.len()).unwrap();
    let mut bench = Bench::new(&[("eu", planned)]).await;
    for (worker, index) in (0..planned).enumerate() {
        bench.worker(&attempt("eu", index), &measured_by(worker)).await;
    }
    for (index, damage) in (0..planned).zip(&damages) {
        if let Some((victim, damage)) = damage {
            damage_worker(&mut bench, index, *victim, damage).await;
        }
    }
    let document = bench.aggregate().await.unwrap().document;
    let mut sound = Vec::new();
    for (worker, damage) in damages.iter().enumerate() {
        let row = &document.workers[worker];
        match damage {
            None => assert_eq!((row.state, &row.reason), (WorkerState::Complete, &None)),
            // Another number in the right form is one that nobody can tell from a measured one.
            Some((Victim::StatisticsWithTheirDigest, _)) if row.state == WorkerState::Complete => {}
            Some(_) => {
                assert_eq!(row.state, WorkerState::Lost, "{damage:?}");
                let name = format!("worker eu/{worker} is lost: its ");
                assert!(document.warnings.iter().any(|warning| warning.starts_with(&name)), "{:?}", document.warnings);
            }
        }
        if damage.is_none() {
            sound.push(("eu".to_owned(), measured_by(worker)));
        }
    }
    // The labels that only one worker has are its own figures, whatever the others are.
    let expected = Measured::of(&sound);
    for label in expected.labels.iter().filter(|label| label.label.starts_with("only")) {
        let found = document.labels.iter().find(|found| (&found.target, &found.label) == (&label.target, &label.label));
        let rate = |label: &LabelFigures| Figures { request_rate_milli: 0, ..label.figures.clone() };
        assert_eq!(found.map(rate), Some(rate(label)), "{}", label.label);
    }
    let survivors = document.workers.iter().filter(|worker| worker.state == WorkerState::Complete).count();
    if survivors == sound.len() {
        assert_eq!(document.labels, expected.labels);
        assert_eq!(document.interval, expected.whole.interval());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn damage_to_some_workers_never_changes_the_figures_of_the_others_and_is_always_named(damages in damages()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(the_sound_stand(damages));
    }
}
