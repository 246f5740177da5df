//! What the main container says of itself, a row a second: a share of one processor, and a third of its memory.

use std::fmt::Write as _;

use volley_stats::health::{CpuTime, HEADER, HealthRow, MemoryUse, Throttling};

/// A second in microseconds.
const SECOND_US: u64 = 1_000_000;
/// The memory limit of a small worker.
const MEMORY_LIMIT: u64 = 1 << 30;

/// Makes the rows. Pure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Health {
    cpu_per_thousand: u16,
    /// The next second to tell of.
    next: i64,
}

impl Health {
    /// The rows of a load that began at an instant, in milliseconds since 1970-01-01 UTC, and the line before them.
    pub(super) fn begin(cpu_per_thousand: u16, began_ms: i64) -> (Self, String) {
        (Self { cpu_per_thousand, next: began_ms.div_euclid(1_000) }, format!("{HEADER}\n"))
    }

    /// The lines of the seconds that are over at an instant and were not told of.
    pub(super) fn before(&mut self, now_ms: i64) -> String {
        let mut lines = String::new();
        while self.next < now_ms.div_euclid(1_000) {
            let used_us = SECOND_US * u64::from(self.cpu_per_thousand) / 1_000;
            let row = HealthRow {
                second: self.next,
                span_us: SECOND_US,
                cpu: Some(CpuTime { used_us, available_us: SECOND_US }),
                throttling: Some(Throttling { periods: 10, throttled_periods: 0, throttled_us: 0 }),
                memory: Some(MemoryUse { used_bytes: MEMORY_LIMIT / 3, limit_bytes: Some(MEMORY_LIMIT) }),
            };
            // Writing to a String cannot fail.
            let _ = writeln!(lines, "{row}");
            self.next += 1;
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use volley_stats::health::{GeneratorHealth, HealthLines};

    use super::*;

    #[test]
    fn each_second_that_is_over_is_told_once_and_is_read_as_what_it_says() {
        let (mut health, mut text) = Health::begin(950, 7_400);
        for now_ms in [7_900, 8_100, 8_100, 11_000] {
            text.push_str(&health.before(now_ms));
        }
        let (mut lines, mut read) = (HealthLines::default(), GeneratorHealth::default());
        let mut seconds = Vec::new();
        lines.push(text.as_bytes(), &mut |row| {
            seconds.push(row.second);
            read.add(&row);
        });
        assert_eq!((seconds, lines.malformed()), (vec![7, 8, 9, 10], 0));
        let summary = read.summary();
        assert_eq!((summary.cpu.unwrap().mean_ppm, summary.saturation.unwrap().seconds), (950_000, 4));
    }
}
