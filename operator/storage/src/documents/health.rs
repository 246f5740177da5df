//! Whether a worker's load generator had what it needed, as manifests and `result.json` say it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use volley_stats::health::{Cause, HealthSummary, OwnErrors, Saturation, Spell};

use super::schema::Instant;

/// Characters of the words of an error that are kept.
const ERROR_CHARACTERS: usize = 200;

/// Why a worker was saturated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SaturationCause {
    /// It used 90 % or more of the processor time that it may use.
    Cpu,
    /// Its processor limit made it wait in a quarter of the scheduler's periods or more.
    Throttling,
    /// It used 95 % or more of its memory limit.
    Memory,
}

/// Three or more seconds in a row in which a worker was saturated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SaturatedSpell {
    /// Its first second, by the worker's clock.
    #[schemars(with = "Instant")]
    pub from: Timestamp,
    /// How many seconds.
    pub seconds: u64,
    /// The cause of most of its seconds.
    pub cause: SaturationCause,
    /// The largest share of that cause: of the processor time that it may use, of the scheduler's periods, of the memory limit.
    pub peak_ppm: u64,
}

/// When a worker was saturated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerSaturation {
    /// Seconds of all spells.
    pub seconds: u64,
    /// How many spells.
    pub spells: u64,
    /// The first spell.
    pub first: SaturatedSpell,
    /// The longest one; of equally long ones the first.
    pub longest: SaturatedSpell,
}

/// How a worker's load generator was: the container in which the engine runs. Null is not measured, never zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerHealth {
    /// Seconds of load of which it was measured, rounded down; 0: none.
    pub measured_seconds: u64,
    /// Mean use of the processor time that it may use: its limit, or without one the processors that it may run on.
    pub cpu_mean_ppm: Option<u64>,
    /// The largest use in about a second.
    pub cpu_max_ppm: Option<u64>,
    /// Processors that it may use, in thousandths.
    pub cpu_available_milli: Option<u64>,
    /// Share of the scheduler's periods (usually of 100 ms) in which its limit made it wait; 0 without a limit.
    pub throttled_ppm: Option<u64>,
    /// How long its limit made it wait, in microseconds, summed over processors.
    pub throttled_us: Option<u64>,
    /// The most memory that it used, without what can be reclaimed at once, in bytes.
    pub memory_max_bytes: Option<u64>,
    /// Its memory limit in bytes; null also where there is none.
    pub memory_limit_bytes: Option<u64>,
    /// Samples that came after their second had been told to those who look on; null where nothing is told while the load runs. They are
    /// in every figure of the result.
    pub late_samples: Option<u64>,
    /// Failed requests that are the worker's own, such as `Cannot assign requested address`: it had no port, descriptor, thread or
    /// memory left. They are errors in every figure.
    pub own_errors: u64,
    /// Code and words of the most frequent of them.
    pub own_error: Option<String>,
    /// When it was saturated, so that response times may be its own and not the target's; null: never, or not measured.
    pub saturation: Option<WorkerSaturation>,
}

impl WorkerHealth {
    /// What is known of a worker. `summary`: `None` where the container said nothing.
    #[must_use]
    pub fn new(summary: Option<&HealthSummary>, late_samples: Option<u64>, own_errors: &OwnErrors) -> Self {
        let HealthSummary { measured_us, cpu, throttling, memory, saturation } = summary.copied().unwrap_or_default();
        Self {
            measured_seconds: measured_us / 1_000_000,
            cpu_mean_ppm: cpu.map(|cpu| cpu.mean_ppm),
            cpu_max_ppm: cpu.map(|cpu| cpu.maximum_ppm),
            cpu_available_milli: cpu.map(|cpu| cpu.available_milli),
            throttled_ppm: throttling.map(|throttling| throttling.periods_ppm),
            throttled_us: throttling.map(|throttling| throttling.throttled_us),
            memory_max_bytes: memory.map(|memory| memory.maximum_bytes),
            memory_limit_bytes: memory.and_then(|memory| memory.limit_bytes),
            late_samples,
            own_errors: own_errors.count,
            own_error: own_errors.example.as_ref().map(|(code, message)| words(code, message)),
            saturation: saturation.as_ref().and_then(WorkerSaturation::of),
        }
    }
}

impl WorkerSaturation {
    /// None where a second is no instant, which the reader of the rows excludes.
    fn of(saturation: &Saturation) -> Option<Self> {
        Some(Self {
            seconds: saturation.seconds,
            spells: saturation.spells,
            first: SaturatedSpell::of(&saturation.first)?,
            longest: SaturatedSpell::of(&saturation.longest)?,
        })
    }
}

impl SaturatedSpell {
    fn of(spell: &Spell) -> Option<Self> {
        let cause = match spell.cause {
            Cause::Cpu => SaturationCause::Cpu,
            Cause::Throttling => SaturationCause::Throttling,
            Cause::Memory => SaturationCause::Memory,
        };
        let from = Timestamp::from_second(spell.from).ok()?;
        Some(Self { from, seconds: spell.seconds, cause, peak_ppm: spell.peak_ppm })
    }
}

/// Code and message in one short text.
fn words(code: &str, message: &str) -> String {
    let text = format!("{code} {message}");
    match text.char_indices().nth(ERROR_CHARACTERS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default().trim()),
        None => text.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use volley_stats::health::{CpuTime, GeneratorHealth, HealthRow, MemoryUse, Throttling};

    use super::*;

    #[test]
    fn what_a_container_said_is_told_with_its_units() {
        let mut health = GeneratorHealth::default();
        for second in 1_795_582_173..1_795_582_177 {
            health.add(&HealthRow {
                second,
                span_us: 1_000_000,
                cpu: Some(CpuTime { used_us: 475_000, available_us: 500_000 }),
                throttling: Some(Throttling { periods: 10, throttled_periods: 1, throttled_us: 9_000 }),
                memory: Some(MemoryUse { used_bytes: 100, limit_bytes: Some(400) }),
            });
        }
        let own = OwnErrors { count: 3, example: Some(("BindException".into(), "x".repeat(300).into())) };
        let told = WorkerHealth::new(Some(&health.summary()), Some(2), &own);
        let spell = SaturatedSpell {
            from: "2026-11-25T04:49:33Z".parse().unwrap(),
            seconds: 4,
            cause: SaturationCause::Cpu,
            peak_ppm: 950_000,
        };
        let expected = WorkerHealth {
            measured_seconds: 4,
            cpu_mean_ppm: Some(950_000),
            cpu_max_ppm: Some(950_000),
            cpu_available_milli: Some(500),
            throttled_ppm: Some(100_000),
            throttled_us: Some(36_000),
            memory_max_bytes: Some(100),
            memory_limit_bytes: Some(400),
            late_samples: Some(2),
            own_errors: 3,
            own_error: Some(format!("BindException {}…", "x".repeat(186))),
            saturation: Some(WorkerSaturation { seconds: 4, spells: 1, first: spell, longest: spell }),
        };
        assert_eq!(told, expected);
        let text = serde_json::to_string(&told).unwrap();
        assert_eq!(serde_json::from_str::<WorkerHealth>(&text).unwrap(), told);
    }

    #[test]
    fn of_a_container_that_said_nothing_nothing_is_known() {
        let told = WorkerHealth::new(None, None, &OwnErrors::default());
        assert_eq!(told, WorkerHealth::default());
        assert_eq!(told.cpu_max_ppm, None);
    }
}
