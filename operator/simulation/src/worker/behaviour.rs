//! How simulated main containers behave: the same for all, but for their random numbers.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use volley_storage::keys::WorkerAttempt;

/// What a main container does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// Time from `launch.json` to `prepared.json`: what Taurus and its engines take to start.
    pub prepare: Duration,
    /// Samples a minute of each worker, on average; at least 1.
    pub samples_per_minute: u32,
    /// Different labels; at least 1.
    pub labels: u16,
    /// Mean response time; the times are distributed exponentially.
    pub mean_response: Duration,
    /// Of a thousand samples as many fail, on average.
    pub failures_per_thousand: u16,
    /// Share of its processor time that the main container says it uses, in thousandths; from 900 on it is saturated.
    pub cpu_per_thousand: u16,
    /// With the worker's name it decides all random numbers, so that the same workers write the same samples.
    pub seed: u64,
}

impl Default for Behaviour {
    /// What real workers did: 3 s to prepare, then a modest load.
    fn default() -> Self {
        Self {
            prepare: Duration::from_secs(3),
            samples_per_minute: 120,
            labels: 5,
            mean_response: Duration::from_millis(80),
            failures_per_thousand: 5,
            cpu_per_thousand: 300,
            seed: 1,
        }
    }
}

impl Behaviour {
    /// The seed of one worker. A replacement of a pod writes what the first one would have written.
    #[must_use]
    pub fn seed_of(&self, worker: &WorkerAttempt) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.seed, &worker.target, worker.index).hash(&mut hasher);
        hasher.finish()
    }

    /// Mean time between two samples of a worker.
    #[must_use]
    pub fn mean_gap(&self) -> Duration {
        Duration::from_mins(1) / self.samples_per_minute.max(1)
    }
}
