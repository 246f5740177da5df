//! Exact counts, sums and histograms per label.
//!
//! [`Recorder`] is what a worker uses: it takes samples one by one, decides which were cut off by the stop, and keeps
//! within [`Limits`]. [`Collection`] is the value: what a worker measured, or several of them together. Merging
//! collections is a sum of maps without any bound, so it is commutative and associative to the byte.

mod collection;
mod distribution;
mod errors;
mod interruption;
mod label;
mod recorder;

pub use collection::{Collection, LabelKey, Overview};
pub use distribution::{Distribution, Mean};
pub use errors::{ErrorGroups, ErrorKey};
pub use interruption::was_interrupted;
pub use label::{LabelStatistics, Outcome};
pub use recorder::{Limits, OTHER, Recorder};
