//! The rows in which a main container says how it was: CSV, numbers only.

use std::fmt;

use crate::histogram::{MAXIMUM_COUNT, add_counts};

/// The first line of the file. Times are microseconds of all processors together but `spanMicros`, which is time of a clock.
/// An empty field is one that cannot be measured.
pub const HEADER: &str = "second,spanMicros,cpuMicros,cpuAvailableMicros,periods,throttledPeriods,throttledMicros,memoryBytes,memoryLimitBytes";
/// Longest line, without its end. Nine numbers of 19 digits fit.
pub const LINE_BYTES: usize = 200;
/// Fields of a row.
const FIELDS: usize = 9;
/// Longest time that one row may speak of, in microseconds: one hour, for a process that was stopped.
const LONGEST_SPAN_US: u64 = 3_600_000_000;
/// The largest second: eleven digits, in the year 5138.
const LAST_SECOND: u64 = 99_999_999_999;

/// Processor time of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuTime {
    /// What was used, in microseconds.
    pub used_us: u64,
    /// What might have been used, in microseconds: the limit, or the processors that it may run on. Never 0.
    pub available_us: u64,
}

/// How often the scheduler made it wait because its limit was used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttling {
    /// Periods of the scheduler, usually of 100 ms. 0 where there is no limit.
    pub periods: u64,
    /// Those of them in which it had to wait; never more.
    pub throttled_periods: u64,
    /// How long it waited, in microseconds, summed over the processors.
    pub throttled_us: u64,
}

/// Memory at the end of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryUse {
    /// What is used and cannot be reclaimed at once, in bytes.
    pub used_bytes: u64,
    /// What may be used, in bytes; `None`: there is no limit. Never 0.
    pub limit_bytes: Option<u64>,
}

/// How a main container was in about one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthRow {
    /// The last whole second that it speaks of, since 1970-01-01 UTC.
    pub second: i64,
    /// How long it speaks of, in microseconds; more than a second where the container itself was held up. 1 to an hour.
    pub span_us: u64,
    /// Processor time; `None`: not measured.
    pub cpu: Option<CpuTime>,
    /// Throttling; `None`: not measured.
    pub throttling: Option<Throttling>,
    /// Memory; `None`: not measured.
    pub memory: Option<MemoryUse>,
}

impl HealthRow {
    /// The row of a line without its end; none where it makes no sense.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        if line.len() > LINE_BYTES {
            return None;
        }
        let mut numbers = [None; FIELDS];
        let mut fields = std::str::from_utf8(line).ok()?.split(',');
        for number in &mut numbers {
            *number = parse_number(fields.next()?).ok()?;
        }
        if fields.next().is_some() {
            return None;
        }
        let [second, span, used, available, periods, throttled_periods, throttled, memory, limit] = numbers;
        let cpu = match (used, available) {
            (None, None) => None,
            (Some(used_us), Some(available_us)) if available_us > 0 => Some(CpuTime { used_us, available_us }),
            _ => return None,
        };
        let throttling = match (periods, throttled_periods, throttled) {
            (None, None, None) => None,
            (Some(periods), Some(throttled_periods), Some(throttled_us)) if throttled_periods <= periods => {
                Some(Throttling { periods, throttled_periods, throttled_us })
            }
            _ => return None,
        };
        let memory = match (memory, limit) {
            (None, None) => None,
            (Some(used_bytes), limit_bytes) if limit_bytes != Some(0) => Some(MemoryUse { used_bytes, limit_bytes }),
            _ => return None,
        };
        let second = second.filter(|second| *second <= LAST_SECOND).and_then(|second| i64::try_from(second).ok())?;
        let span_us = span.filter(|span| (1..=LONGEST_SPAN_US).contains(span))?;
        Some(Self { second, span_us, cpu, throttling, memory })
    }

    /// The first second that it speaks of.
    #[must_use]
    pub(super) fn begins(&self) -> i64 {
        let seconds = self.span_us.saturating_add(500_000) / 1_000_000;
        self.second.saturating_add(1).saturating_sub_unsigned(seconds.max(1))
    }
}

/// A field that is neither a number nor empty.
struct NoNumber;

/// The number of a field; none where it is empty.
fn parse_number(field: &str) -> Result<Option<u64>, NoNumber> {
    if field.is_empty() {
        return Ok(None);
    }
    // `parse` takes a sign, which nobody writes.
    let digits = field.bytes().all(|byte| byte.is_ascii_digit());
    let number = field.parse().ok().filter(|number| digits && *number <= MAXIMUM_COUNT);
    number.map(Some).ok_or(NoNumber)
}

/// The line of a row, without its end.
impl fmt::Display for HealthRow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |number: Option<u64>| number.map_or_else(String::new, |number| number.to_string());
        let Self { second, span_us, cpu, throttling, memory } = self;
        let fields = [
            number(cpu.map(|cpu| cpu.used_us)),
            number(cpu.map(|cpu| cpu.available_us)),
            number(throttling.map(|throttling| throttling.periods)),
            number(throttling.map(|throttling| throttling.throttled_periods)),
            number(throttling.map(|throttling| throttling.throttled_us)),
            number(memory.map(|memory| memory.used_bytes)),
            number(memory.and_then(|memory| memory.limit_bytes)),
        ];
        write!(formatter, "{second},{span_us},{}", fields.join(","))
    }
}

/// Finds the rows in bytes that come in pieces.
#[derive(Debug, Clone, Default)]
pub struct HealthLines {
    /// The beginning of a line whose end has not come; at most [`LINE_BYTES`].
    unfinished: Vec<u8>,
    /// The line is too long: its rest is passed over.
    too_long: bool,
    malformed: u64,
}

impl HealthLines {
    /// Takes the next bytes and hands over each row that is complete.
    pub fn push(&mut self, bytes: &[u8], row: &mut impl FnMut(HealthRow)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (part, ended) = match piece.strip_suffix(b"\n") {
                Some(part) => (part, true),
                None => (piece, false),
            };
            if self.unfinished.len().saturating_add(part.len()) > LINE_BYTES {
                self.too_long = true;
                self.unfinished.clear();
            } else if !self.too_long {
                self.unfinished.extend_from_slice(part);
            }
            if ended {
                match HealthRow::parse(&self.unfinished).filter(|_| !self.too_long) {
                    Some(found) => row(found),
                    None if !self.too_long && self.unfinished == HEADER.as_bytes() => {}
                    None => self.malformed = add_counts(self.malformed, 1),
                }
                self.unfinished.clear();
                self.too_long = false;
            }
        }
    }

    /// Lines that make no sense.
    #[must_use]
    pub fn malformed(&self) -> u64 {
        self.malformed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> HealthRow {
        HealthRow {
            second: 1_795_582_173,
            span_us: 1_000_050,
            cpu: Some(CpuTime { used_us: 970_000, available_us: 1_000_050 }),
            throttling: Some(Throttling { periods: 10, throttled_periods: 9, throttled_us: 40_000 }),
            memory: Some(MemoryUse { used_bytes: 512 << 20, limit_bytes: Some(1 << 30) }),
        }
    }

    #[test]
    fn a_row_is_its_line_and_what_cannot_be_measured_is_empty() {
        let unlimited = HealthRow { memory: Some(MemoryUse { used_bytes: 7, limit_bytes: None }), ..row() };
        let nothing = HealthRow { cpu: None, throttling: None, memory: None, ..row() };
        for (row, line) in [
            (row(), "1795582173,1000050,970000,1000050,10,9,40000,536870912,1073741824"),
            (unlimited, "1795582173,1000050,970000,1000050,10,9,40000,7,"),
            (nothing, "1795582173,1000050,,,,,,,"),
        ] {
            assert_eq!(row.to_string(), line);
            assert_eq!(HealthRow::parse(line.as_bytes()), Some(row));
        }
    }

    #[test]
    fn a_line_that_makes_no_sense_is_no_row() {
        for line in [
            "",
            "1,1,,,,,,",
            "1,1,,,,,,,,",
            ",1,,,,,,,",
            "1,0,,,,,,,",
            "1,3600000001,,,,,,,",
            "100000000000,1,,,,,,,",
            "1,1,5,,,,,,",
            "1,1,5,0,,,,,",
            "1,1,,,1,2,0,,",
            "1,1,,,1,,0,,",
            "1,1,,,,,,5,0",
            "1,1,,,,,,,5",
            "-1,1,,,,,,,",
            "+1,1,,,,,,,",
            "1,1,1e3,5,,,,,",
            "1,1,9223372036854775808,5,,,,,",
            "1, 1,,,,,,,",
            "\u{661},1,,,,,,,",
        ] {
            assert_eq!(HealthRow::parse(line.as_bytes()), None, "{line:?}");
        }
        assert_eq!(HealthRow::parse(b"1,1,,,,,,,\xff"), None);
    }

    #[test]
    fn a_row_begins_where_the_one_before_ended() {
        let begins = |span_us| HealthRow { second: 20, span_us, ..row() }.begins();
        assert_eq!([1, 1_000_050, 1_499_999, 1_500_000, 7_020_000].map(begins), [20, 20, 20, 19, 14]);
    }
}
