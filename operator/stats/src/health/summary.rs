//! What is kept of all rows.

use super::row::{CpuTime, HealthRow, MemoryUse, Throttling};
use super::share_ppm;
use super::spells::{Saturation, Spells};
use crate::histogram::add_counts;

/// How loaded a generator was in some seconds: the largest shares, in parts per million.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GeneratorLoad {
    /// Of the processor time that it may use; `None`: not measured.
    pub cpu_ppm: Option<u64>,
    /// Of the scheduler's periods those in which it was throttled; `None`: not measured, or there is no limit.
    pub throttled_ppm: Option<u64>,
    /// Of its memory limit; `None`: not measured, or there is no limit.
    pub memory_ppm: Option<u64>,
    /// It was saturated.
    pub saturated: bool,
}

impl GeneratorLoad {
    /// The load of one row by itself.
    fn of(row: &HealthRow) -> Self {
        let memory = row.memory.and_then(|memory| Some((memory.used_bytes, memory.limit_bytes?)));
        Self {
            cpu_ppm: row.cpu.and_then(|cpu| share_ppm(cpu.used_us, cpu.available_us)),
            throttled_ppm: row.throttling.and_then(|known| share_ppm(known.throttled_periods, known.periods)),
            memory_ppm: memory.and_then(|(used, limit)| share_ppm(used, limit)),
            saturated: false,
        }
    }

    /// Adds other seconds.
    pub fn merge(&mut self, other: &Self) {
        self.cpu_ppm = self.cpu_ppm.max(other.cpu_ppm);
        self.throttled_ppm = self.throttled_ppm.max(other.throttled_ppm);
        self.memory_ppm = self.memory_ppm.max(other.memory_ppm);
        self.saturated |= other.saturated;
    }

    /// Whether nothing was measured.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.cpu_ppm.is_none() && self.throttled_ppm.is_none() && self.memory_ppm.is_none()
    }
}

/// Processor time of all rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuSummary {
    /// Mean share of what might have been used, in parts per million.
    pub mean_ppm: u64,
    /// Share of the row with the largest one.
    pub maximum_ppm: u64,
    /// Processors that it might use at last, in thousandths.
    pub available_milli: u64,
}

/// Throttling of all rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThrottlingSummary {
    /// Share of the scheduler's periods with throttling, in parts per million; 0 where there is no limit.
    pub periods_ppm: u64,
    /// How long it waited, in microseconds, summed over the processors.
    pub throttled_us: u64,
}

/// Memory of all rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemorySummary {
    /// The most, in bytes.
    pub maximum_bytes: u64,
    /// The limit at last, in bytes; `None`: there is none.
    pub limit_bytes: Option<u64>,
}

/// How a generator was over the whole load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HealthSummary {
    /// How long its rows speak of, in microseconds.
    pub measured_us: u64,
    /// `None`: not measured.
    pub cpu: Option<CpuSummary>,
    /// `None`: not measured.
    pub throttling: Option<ThrottlingSummary>,
    /// `None`: not measured.
    pub memory: Option<MemorySummary>,
    /// `None`: it was never saturated, or that is not known.
    pub saturation: Option<Saturation>,
}

/// Takes rows one by one, in their order. Its size never grows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GeneratorHealth {
    last_second: Option<i64>,
    measured_us: u64,
    /// Used and available, and the largest share; all rows together.
    cpu: Option<(CpuTime, u64)>,
    available_milli: u64,
    throttling: Option<Throttling>,
    memory: Option<MemoryUse>,
    spells: Spells,
}

impl GeneratorHealth {
    /// Adds a row, and answers how loaded the generator is by it. None: it is not later than the row before, and changes nothing.
    pub fn add(&mut self, row: &HealthRow) -> Option<GeneratorLoad> {
        if self.last_second.is_some_and(|last| row.second <= last) {
            return None;
        }
        // What the row before has told of is not told twice.
        let untold = self.last_second.replace(row.second).map_or(i64::MIN, |last| last.saturating_add(1));
        let begins = row.begins().max(untold);
        let mut load = GeneratorLoad::of(row);
        load.saturated = self.spells.add(begins, row.second, &load);
        self.measured_us = add_counts(self.measured_us, row.span_us);
        if let Some(cpu) = row.cpu {
            let (sum, peak) = self.cpu.get_or_insert((CpuTime { used_us: 0, available_us: 0 }, 0));
            sum.used_us = add_counts(sum.used_us, cpu.used_us);
            sum.available_us = add_counts(sum.available_us, cpu.available_us);
            *peak = (*peak).max(load.cpu_ppm.unwrap_or(0));
            let milli = u128::from(cpu.available_us) * 1_000 / u128::from(row.span_us.max(1));
            self.available_milli = add_counts(0, u64::try_from(milli).unwrap_or(u64::MAX));
        }
        if let Some(throttling) = row.throttling {
            let sum = self.throttling.get_or_insert(Throttling { periods: 0, throttled_periods: 0, throttled_us: 0 });
            sum.periods = add_counts(sum.periods, throttling.periods);
            sum.throttled_periods = add_counts(sum.throttled_periods, throttling.throttled_periods);
            sum.throttled_us = add_counts(sum.throttled_us, throttling.throttled_us);
        }
        if let Some(memory) = row.memory {
            let most = self.memory.map_or(0, |known| known.used_bytes).max(memory.used_bytes);
            self.memory = Some(MemoryUse { used_bytes: most, limit_bytes: memory.limit_bytes });
        }
        Some(load)
    }

    /// What is known so far.
    #[must_use]
    pub fn summary(&self) -> HealthSummary {
        HealthSummary {
            measured_us: self.measured_us,
            cpu: self.cpu.map(|(sum, maximum_ppm)| CpuSummary {
                mean_ppm: share_ppm(sum.used_us, sum.available_us).unwrap_or(0),
                maximum_ppm,
                available_milli: self.available_milli,
            }),
            throttling: self.throttling.map(|sum| ThrottlingSummary {
                periods_ppm: share_ppm(sum.throttled_periods, sum.periods).unwrap_or(0),
                throttled_us: sum.throttled_us,
            }),
            memory: self
                .memory
                .map(|known| MemorySummary { maximum_bytes: known.used_bytes, limit_bytes: known.limit_bytes }),
            saturation: self.spells.all(),
        }
    }
}
