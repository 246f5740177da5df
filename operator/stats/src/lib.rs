//! Samples, histograms and merging: everything that turns an engine's sample files into figures that can be added up.
//!
//! The crate is pure: no clock, no file, no network, no async. Callers hand in bytes and instants and get values.
//!
//! * [`samples`] parses the sample files of the engines as they grow.
//! * [`statistics`] keeps exact counts, sums and [histograms](histogram) per label, and adds them up without bounds.
//! * [`series`] keeps the same over time, in points that grow longer as the run does.
//! * [`recorder`] fills both from samples, with the bounds of a worker.
//! * [`frame`] is what a worker measured in a few seconds, while the load runs.
//! * [`health`] says whether a worker had what it needed.
//! * [`mod@file`] is the byte format in which a worker hands its collection to the aggregator.
//! * [`thresholds`] judges what was measured.
//! * [`final_stats`] reads Taurus' own summary and compares it with ours.
//!
//! # Guarantees
//!
//! * Merging is commutative and associative to the byte, whatever the order or grouping of the workers.
//! * Percentiles are nearest-rank over all samples, with a value error of at most 0.05 %; p0 and p100 are exact.
//! * No input makes the crate panic, wrap a number or allocate more than the documented bounds.

pub mod file;
pub mod final_stats;
pub mod frame;
pub mod health;
pub mod histogram;
mod leb128;
pub mod percentile;
pub mod recorder;
pub mod samples;
pub mod series;
pub mod statistics;
pub mod thresholds;

pub use frame::{Frame, FrameRecorder};
pub use histogram::Histogram;
pub use percentile::Percentile;
pub use recorder::{Limits, Recorder};
pub use samples::{Engine, Parser, Sample, SampleKind};
pub use series::Series;
pub use statistics::{Collection, Distribution, LabelStatistics};
