//! Measures in processor time, so that figures are per core and stand beside other load.

use std::fs;
use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};

/// The time that this thread has run on a processor, as Linux accounts for it.
pub(crate) struct ProcessorTime;

impl ProcessorTime {
    fn now() -> Duration {
        let accounts = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        Duration::from_nanos(accounts.split(' ').next().and_then(|time| time.parse().ok()).unwrap_or(0))
    }
}

impl Measurement for ProcessorTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        Self::now()
    }

    fn end(&self, start: Duration) -> Duration {
        Self::now().saturating_sub(start)
    }

    fn add(&self, left: &Duration, right: &Duration) -> Duration {
        *left + *right
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}
