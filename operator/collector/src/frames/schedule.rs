//! When which seconds are closed. Pure.

use std::time::Duration;

use jiff::Timestamp;
use volley_stats::Engine;

/// How long after a second its last rows are waited for, in milliseconds: engines write a row when its request has ended.
const GRACE_MS: i64 = 300;
/// The same where an engine collects rows first: k6 writes them up to 1.24 s late, and so does our writer for executors
/// that have no sample file of their own.
const COLLECTING_GRACE_MS: i64 = 1_300;

/// When a worker closes which seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    interval_s: i64,
    grace_ms: i64,
}

impl Schedule {
    /// The schedule of a worker that runs these engines and tells a frame each interval.
    #[must_use]
    pub fn new(engines: &[Engine], interval_s: u32) -> Self {
        let collects = engines.iter().any(|engine| matches!(engine, Engine::K6 | Engine::Taurus));
        Self {
            interval_s: i64::from(interval_s.max(1)),
            grace_ms: if collects { COLLECTING_GRACE_MS } else { GRACE_MS },
        }
    }

    /// The last second that may be closed once everything is read that was written before `read_until`. Intervals are aligned to
    /// 1970, so that all workers close the same seconds together.
    #[must_use]
    pub fn through(&self, read_until: Timestamp) -> i64 {
        let over = (read_until.as_millisecond() - self.grace_ms).div_euclid(1_000);
        over.div_euclid(self.interval_s) * self.interval_s - 1
    }

    /// From now until more seconds may be closed.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Duration {
        let at_ms = (self.through(now) + 1 + self.interval_s) * 1_000 + self.grace_ms;
        Duration::from_millis(u64::try_from(at_ms - now.as_millisecond()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(millisecond).unwrap()
    }

    #[test]
    fn a_second_is_closed_300_ms_after_its_end_and_1300_ms_with_k6() {
        let jmeter = Schedule::new(&[Engine::JMeter], 1);
        assert_eq!((jmeter.through(at(8_299)), jmeter.through(at(8_300))), (6, 7));
        let k6 = Schedule::new(&[Engine::JMeter, Engine::K6], 1);
        assert_eq!((k6.through(at(9_299)), k6.through(at(9_300))), (6, 7));
        let five = Schedule::new(&[Engine::Locust], 5);
        assert_eq!((five.through(at(10_299)), five.through(at(10_300)), five.through(at(15_299))), (4, 9, 9));
    }

    proptest! {
        #[test]
        fn the_next_seconds_may_be_closed_exactly_when_it_is_said(now in 0_i64..10_000_000, interval_s in 1_u32..=60, k6: bool) {
            let schedule = Schedule::new(&[if k6 { Engine::K6 } else { Engine::JMeter }], interval_s);
            let next = now + i64::try_from(schedule.next(at(now)).as_millis()).unwrap();
            prop_assert!(next > now);
            prop_assert_eq!(schedule.through(at(next)), schedule.through(at(now)) + i64::from(interval_s));
            prop_assert_eq!(schedule.through(at(next - 1)), schedule.through(at(now)));
        }
    }
}
