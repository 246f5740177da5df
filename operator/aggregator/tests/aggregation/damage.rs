//! Objects of workers that are damaged in any way: the worker is named, the others stand.

use proptest::prelude::*;
use volley_aggregator::gather::{SERIES, STATISTICS};
use volley_aggregator::measured::Measured;
use volley_aggregator::over_time::over_time;
use volley_stats::Series;
use volley_storage::documents::{Figures, LabelFigures, WorkerState};
use volley_storage::objects::PutOptions;

use crate::fixtures::{RUN, Recorded, attempt, manifest, recorded, request};
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
    Series,
    /// One of them, with a manifest that states the digest of the damaged bytes, as a worker with a fault would write it.
    WithItsDigest(&'static str),
}

impl Victim {
    /// Whether the worker's statistics and manifest are sound.
    fn leaves_the_figures(self) -> bool {
        matches!(self, Self::Series | Self::WithItsDigest(SERIES))
    }
}

/// The damage of each of a run's workers; `None`: it is sound.
fn damages() -> impl Strategy<Value = Vec<Option<(Victim, Damage)>>> {
    let victim = prop_oneof![
        Just(Victim::Manifest),
        Just(Victim::Statistics),
        Just(Victim::Series),
        Just(Victim::WithItsDigest(STATISTICS)),
        Just(Victim::WithItsDigest(SERIES))
    ];
    prop::collection::vec(prop::option::of((victim, damage())), 1..6)
}

/// A label of its own for each worker, and one that all have.
fn measured_by(worker: usize) -> Recorded {
    // No single byte makes one of these another one.
    let own = format!("only {}", worker.to_string().repeat(5));
    let number = i64::try_from(worker).unwrap();
    let requests: Vec<_> = (0..20)
        .flat_map(|at| {
            [request(&own, at * 50, 1_000 + at.unsigned_abs(), at % 5 != number), request("all", at, 9_000, true)]
        })
        .collect();
    recorded(&requests)
}

async fn damage_worker(bench: &mut Bench, index: u32, victim: Victim, damage: &Damage) {
    let attempt = attempt("eu", index);
    let key = match victim {
        Victim::Manifest => attempt.manifest(RUN),
        Victim::Statistics => attempt.object(RUN, STATISTICS),
        Victim::Series => attempt.object(RUN, SERIES),
        Victim::WithItsDigest(name) => attempt.object(RUN, name),
    };
    let damaged = damage.apply(&bench.bytes(&key).await);
    match &damaged {
        Some(bytes) => bench.store.put(&key, bytes.clone(), PutOptions::default()).await.unwrap(),
        None => bench.store.delete(&key).await.unwrap(),
    }
    if let (Victim::WithItsDigest(name), Some(damaged)) = (victim, damaged) {
        let recorded = measured_by(usize::try_from(index).unwrap());
        let mut objects = recorded.objects();
        objects.insert(name, damaged);
        let manifest = manifest(&attempt, &recorded.collection, &objects);
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
    let (mut sound, mut over_time_of) = (Vec::new(), Series::default());
    let mut plausible = 0;
    for (worker, damage) in damages.iter().enumerate() {
        let row = &document.workers[worker];
        match damage {
            None => assert_eq!((row.state, &row.reason), (WorkerState::Complete, &None)),
            // Another number in the right form is one that nobody can tell from a measured one.
            Some((Victim::WithItsDigest(_), _)) if row.state == WorkerState::Complete && row.reason.is_none() => {
                plausible += 1;
            }
            Some((victim, _)) if victim.leaves_the_figures() => {
                assert_eq!(row.state, WorkerState::Complete);
                let name =
                    format!("worker eu/{worker}: its requests are in the figures but not in the course over time: ");
                assert!(document.warnings.iter().any(|warning| warning.starts_with(&name)), "{:?}", document.warnings);
            }
            Some(_) => {
                assert_eq!(row.state, WorkerState::Lost, "{damage:?}");
                let name = format!("worker eu/{worker} is lost: its ");
                assert!(document.warnings.iter().any(|warning| warning.starts_with(&name)), "{:?}", document.warnings);
            }
        }
        let recorded = measured_by(worker);
        if damage.is_none() {
            over_time_of.merge(&recorded.series);
        }
        if damage.as_ref().is_none_or(|(victim, _)| victim.leaves_the_figures()) {
            sound.push(("eu".to_owned(), recorded.collection));
        }
    }
    // The labels that only one worker has are its own figures, whatever the others are.
    let expected = Measured::of(&sound);
    for label in expected.labels.iter().filter(|label| label.label.starts_with("only")) {
        let found = document.labels.iter().find(|found| (&found.target, &found.label) == (&label.target, &label.label));
        let rate = |label: &LabelFigures| Figures { request_rate_milli: 0, ..label.figures.clone() };
        assert_eq!(found.map(rate), Some(rate(label)), "{}", label.label);
    }
    if plausible == 0 {
        assert_eq!(document.labels, expected.labels);
        assert_eq!(document.interval, expected.whole.interval());
        let series: Vec<_> = [None, Some("eu")].into_iter().map(|target| over_time(target, &over_time_of)).collect();
        assert!(document.series == series || (over_time_of.is_empty() && document.series.is_empty()));
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
