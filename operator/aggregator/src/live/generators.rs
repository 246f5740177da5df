//! How loaded the workers are, by what each has said last. Pure.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use volley_stats::frame::EncodedFrame;
use volley_stats::health::GeneratorLoad;
use volley_storage::keys::WorkerAttempt;

use super::{Generators, SATURATED, Saturated};

/// What a worker has said counts until it is so many seconds and the live interval old: a row of its file may come one frame late.
const STALE_S: i64 = 5;

/// What the attempts have said. There are no more of them than the merger keeps apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    loads: BTreeMap<WorkerAttempt, (i64, GeneratorLoad)>,
    /// Since the last closed second.
    late: u64,
}

impl Said {
    /// Takes what a frame says that was not merged before.
    pub(super) fn add(&mut self, attempt: &WorkerAttempt, frame: &EncodedFrame<'_>) {
        self.late = self.late.saturating_add(frame.late);
        let Some(load) = frame.load else { return };
        let is_newest = self.loads.get(attempt).is_none_or(|(through, _)| *through <= frame.through);
        if is_newest {
            self.loads.insert(attempt.clone(), (frame.through, load));
        }
    }

    /// How loaded the workers are when a second is closed. What is too old is forgotten.
    pub(super) fn close(&mut self, second: i64, interval_s: u32) -> Generators {
        let oldest = second.saturating_sub(STALE_S + i64::from(interval_s));
        self.loads.retain(|_, (through, _)| *through >= oldest);
        let mut generators = Generators { late: std::mem::take(&mut self.late), ..Generators::default() };
        for (attempt, (_, load)) in &self.loads {
            generators.measured += 1;
            generators.highest.merge(load);
            if load.saturated {
                generators.saturated += 1;
                let WorkerAttempt { target, index, .. } = attempt;
                generators.named.push(Saturated { target: target.clone(), index: *index, load: *load });
            }
        }
        generators.named.sort_by_key(|worker| Reverse(worker.load.cpu_ppm));
        generators.named.truncate(SATURATED);
        generators
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(index: u32) -> WorkerAttempt {
        WorkerAttempt { target: "eu".into(), index, pod_uid: format!("pod-{index}") }
    }

    fn frame(through: i64, late: u64, load: Option<(u64, bool)>) -> EncodedFrame<'static> {
        let load = load.map(|(cpu_ppm, saturated)| GeneratorLoad {
            cpu_ppm: Some(cpu_ppm),
            saturated,
            ..GeneratorLoad::default()
        });
        EncodedFrame { from: through, through, ended: false, left_out: 0, late, load, seconds: Vec::new() }
    }

    #[test]
    fn the_newest_word_of_each_worker_counts_until_it_is_old() {
        let mut said = Said::default();
        said.add(&attempt(0), &frame(10, 2, Some((400_000, false))));
        said.add(&attempt(1), &frame(10, 1, Some((970_000, true))));
        said.add(&attempt(2), &frame(10, 0, None));
        said.add(&attempt(1), &frame(9, 0, Some((100_000, false))));
        let closed = said.close(10, 1);
        assert_eq!((closed.measured, closed.saturated, closed.highest.cpu_ppm, closed.late), (2, 1, Some(970_000), 3));
        let named: Vec<_> = closed.named.iter().map(|worker| (worker.index, worker.load.cpu_ppm)).collect();
        assert_eq!(named, [(1, Some(970_000))]);

        said.add(&attempt(1), &frame(11, 0, None));
        said.add(&attempt(0), &frame(12, 0, Some((500_000, false))));
        let closed = said.close(16, 1);
        assert_eq!(
            (closed.measured, closed.saturated, closed.late),
            (2, 1, 0),
            "a frame without a word changes nothing"
        );
        let closed = said.close(17, 1);
        assert_eq!((closed.measured, closed.saturated, closed.highest.cpu_ppm), (1, 0, Some(500_000)));
    }

    #[test]
    fn of_many_saturated_workers_the_most_loaded_are_named_and_all_are_counted() {
        let mut said = Said::default();
        for index in 0..1_000 {
            said.add(&attempt(index), &frame(10, 0, Some((900_000 + u64::from(index), true))));
        }
        let closed = said.close(10, 1);
        assert_eq!((closed.saturated, closed.named.len(), closed.named[0].index), (1_000, SATURATED, 999));
    }
}
