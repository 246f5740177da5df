//! Taurus' own summary of a run (`final-stats` with `dump-xml`), how it compares with ours, and what several of them say
//! together.
//!
//! Source of the format: `FinalStatus` in `bzt/modules/reporting.py` of Taurus 1.17 (`__dump_xml`):
//!
//! ```xml
//! <FinalStatus>
//!   <TestDuration>35.0</TestDuration>             seconds from the first second with samples to the last
//!   <Group label="checkout">                        the label "" holds all labels together
//!     <throughput value="4003"> … </throughput>     number of samples
//!     <succ value="…"/> <fail value="…"/>           counts
//!     <avg_rt value="0.02118"/>                     seconds; also avg_lt (first byte) and avg_ct (connect)
//!     <stdev_rt value="0.00156"/>                   seconds
//!     <bytes value="2408497"/>                      with decimals where k6 took part
//!     <rc param="200" value="4003"/>                zero or more
//!     <perc param="99.9" value="0.03200"/>          seconds, whole milliseconds
//! ```
//!
//! # Guarantees
//!
//! * A single part that makes no sense costs only itself: it is left out and named in [`FinalStats::oddities`]. What is
//!   no report at all, or only the beginning of one, is a [`FinalStatsError`].
//! * [`Merged`] adds up what can be added, and says nothing about percentiles, which cannot.

mod cross_check;
mod group;
mod merged;
mod oddity;
mod reader;

use std::collections::BTreeMap;

pub use cross_check::{Difference, Figure, cross_check};
pub use merged::{Merged, Sum};
pub use oddity::{MAXIMUM_ODDITIES, Oddities, Oddity};
pub use reader::{FinalStatsError, MAXIMUM_BYTES, read};

use crate::percentile::Percentile;

/// What Taurus reports.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FinalStats {
    /// From the first second that has samples to the last one, in microseconds (Taurus counts whole seconds, so this is
    /// up to a second less than the load took); none where absent.
    pub duration_us: Option<u64>,
    /// All labels together, transactions included; none where the report has no such group.
    pub total: Option<Group>,
    /// Requests and transactions by name.
    pub labels: BTreeMap<String, Group>,
    /// What was left out because it makes no sense.
    pub oddities: Oddities,
}

/// What Taurus reports for one label. Samples cut off by the stop are failures here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// Number of samples (`throughput`).
    pub count: u64,
    /// Successes.
    pub successes: u64,
    /// Failures.
    pub failures: u64,
    /// Largest number of users seen; none where absent.
    pub users: Option<u64>,
    /// Mean response time in microseconds, rounded to 10 µs; none where absent or impossible.
    pub average_us: Option<u64>,
    /// Standard deviation of the response time in microseconds, rounded to 10 µs; none where absent.
    pub standard_deviation_us: Option<u64>,
    /// Mean time to the first byte in microseconds, rounded to 10 µs; none where absent.
    pub first_byte_us: Option<u64>,
    /// Mean time to connect in microseconds, rounded to 10 µs; none where absent.
    pub connect_us: Option<u64>,
    /// Bytes received; none where absent, and where k6 took part: Taurus adds all of a second once per sample.
    pub bytes: Option<u64>,
    /// Samples per response code; empty for engines that report none.
    pub codes: BTreeMap<String, u64>,
    /// Percentiles in microseconds, in steps of a millisecond. p0 is the minimum, p100 the maximum.
    pub percentiles: BTreeMap<Percentile, u64>,
}
