//! Whether a load generator had what it needed: processor, memory and sockets of a worker's main container.
//!
//! The main container writes a [row](HealthRow) a second, [`HealthLines`] reads them, [`GeneratorHealth`] keeps what is worth
//! telling: sums, maxima, and the spells in which the generator was saturated.
//!
//! # When a generator is saturated
//!
//! Its response times may then be its own and not the target's, because a response waits in it until it has time to look. A second
//! is saturated by one of three causes, and [`SPELL_SECONDS`] such seconds in a row are a spell:
//!
//! | cause | limit | why this one |
//! |---|---|---|
//! | processor | [`CPU_PPM`] of what it may use | queueing theory: at 90 % use a single queue waits nine times its service time (M/M/1: ρ / (1 − ρ)) |
//! | throttling | [`THROTTLED_PPM`] of the scheduler's periods | each throttled period stands still for up to 100 ms, however low the mean use is; a quarter of the periods is where the alert `CPUThrottlingHigh` of kubernetes-mixin begins |
//! | memory | [`MEMORY_PPM`] of its limit | what can be reclaimed is not counted, so the next allocation reclaims, swaps or is killed |
//!
//! Shorter peaks change few requests: a class is loaded, a garbage collection runs, users begin. What a neighbour on the same node takes
//! is not seen where no limit is set: the share is then that of the processors that the process may run on.
//!
//! # Guarantees
//!
//! What is read is written by the container that runs a test's script, so it may say anything. For any bytes memory stays the same,
//! nothing wraps, and a line that makes no sense is counted and left out. The pieces in which the bytes come change nothing.

mod own_errors;
mod row;
mod spells;
mod summary;

pub use own_errors::{OwnErrors, is_own};
pub use row::{CpuTime, HEADER, HealthLines, HealthRow, LINE_BYTES, MemoryUse, Throttling};
pub use spells::{Cause, SPELL_SECONDS, Saturation, Spell};
pub use summary::{CpuSummary, GeneratorHealth, GeneratorLoad, HealthSummary, MemorySummary, ThrottlingSummary};

/// A whole, in parts per million.
pub const WHOLE_PPM: u64 = 1_000_000;
/// Largest share that is told: a scheduler that lets more be used for a moment, or a wrong number.
pub const MAXIMUM_PPM: u64 = 10 * WHOLE_PPM;
/// Share of the available processor time from which a second is saturated.
pub const CPU_PPM: u64 = 900_000;
/// Share of the scheduler's periods with throttling from which a second is saturated.
pub const THROTTLED_PPM: u64 = 250_000;
/// Share of the memory limit from which a second is saturated.
pub const MEMORY_PPM: u64 = 950_000;

/// `part` of `whole` in parts per million, rounded down; none where there is no whole.
fn share_ppm(part: u64, whole: u64) -> Option<u64> {
    let share = (u128::from(part) * u128::from(WHOLE_PPM)).checked_div(u128::from(whole))?;
    Some(u64::try_from(share).unwrap_or(MAXIMUM_PPM).min(MAXIMUM_PPM))
}
