//! Exact counts, sums and histograms per label.
//!
//! [`Collection`] is what a worker measured, or several of them together. Merging collections is a sum of maps without
//! any bound, so it is commutative and associative to the byte. [`Recorder`](crate::Recorder) fills it.

mod collection;
mod distribution;
mod errors;
mod interruption;
mod label;

pub use collection::{Collection, LabelKey, Overview};
pub(crate) use distribution::Moments;
pub use distribution::{Distribution, Mean};
pub use errors::{ErrorGroups, ErrorKey};
pub use interruption::was_interrupted;
pub use label::{LabelStatistics, Outcome, Received};

/// The row into which everything beyond a bound of a worker is folded.
pub const OTHER: &str = "[other]";
