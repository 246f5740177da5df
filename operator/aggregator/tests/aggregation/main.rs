//! Aggregations: of values, and of whole runs against the embedded storage.

// The lint configuration allows these in tests, but does not see that helpers of an integration test are tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod beginning;
mod checkpoints;
mod damage;
mod fixtures;
mod frames;
mod live;
mod result;
mod thresholds;
mod whole_runs;
