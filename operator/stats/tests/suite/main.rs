//! Properties of the crate's public interface, each with an oracle that shares no code with it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly, also outside of test functions")]
#![allow(clippy::cast_precision_loss, reason = "Taurus computes in floating point, and so does its double here")]

mod checkpoint;
mod cross_check;
mod file;
mod final_stats;
mod frames;
mod generators;
mod health;
mod measured_reports;
mod merging;
mod percentiles;
mod recorder;
mod samples;
mod series;
mod thresholds;
mod wire;
mod workers;
