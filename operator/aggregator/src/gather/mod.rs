//! Reads what a run left in the storage: its documents, the workers' manifests or checkpoints, then their statistics and
//! series.

pub mod checkpoints;
pub mod documents;
pub mod series;
pub mod statistics;
pub mod workers;

mod labels;
mod merging;
mod object;

/// Requests to the storage at the same time.
const CONCURRENCY: usize = 16;
/// Name of the statistics below a worker's prefix.
pub const STATISTICS: &str = "histograms";
/// Name of the series below a worker's prefix.
pub const SERIES: &str = "series";
