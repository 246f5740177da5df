//! Taurus' own summary of a run (`final-stats` with `dump-xml`), and how it compares with ours.
//!
//! Source of the format: `FinalStatus` in `bzt/modules/reporting.py` of Taurus 1.17 (`__dump_xml`):
//!
//! ```xml
//! <FinalStatus>
//!   <TestDuration>35.0</TestDuration>
//!   <Group label="checkout">                        the label "" holds all labels together
//!     <throughput value="4003"> … </throughput>     number of samples
//!     <succ value="…"/> <fail value="…"/>           counts
//!     <avg_rt value="0.02118"/>                     seconds; also avg_lt (first byte) and avg_ct (connect)
//!     <bytes value="2408497"/>
//!     <rc param="200" value="4003"/>                zero or more
//!     <perc param="99.9" value="0.03200"/>          seconds, whole milliseconds
//! ```

mod cross_check;
mod reader;

use std::collections::BTreeMap;

pub use cross_check::{CrossCheck, Difference, Figure, cross_check};
pub use reader::{FinalStatsError, MAXIMUM_BYTES, read};

use crate::percentile::Percentile;

/// What Taurus reports.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FinalStats {
    /// All labels together, transactions included; none where the report has no such group.
    pub total: Option<Group>,
    /// Requests and transactions by name.
    pub labels: BTreeMap<String, Group>,
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
    /// Mean response time in microseconds, rounded to 10 µs; none where absent.
    pub average_us: Option<u64>,
    /// Mean time to the first byte in microseconds, rounded to 10 µs; none where absent.
    pub first_byte_us: Option<u64>,
    /// Mean time to connect in microseconds, rounded to 10 µs; none where absent.
    pub connect_us: Option<u64>,
    /// Bytes received; none where absent. For k6 the number is wrong.
    pub bytes: Option<u64>,
    /// Samples per response code; empty for engines that report none.
    pub codes: BTreeMap<String, u64>,
    /// Percentiles in microseconds, in steps of a millisecond.
    pub percentiles: BTreeMap<Percentile, u64>,
}
