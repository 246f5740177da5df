//! Properties of the crate's public interface, each with an oracle that shares no code with it.

mod cross_check;
mod file;
mod generators;
mod merging;
mod percentiles;
mod recorder;
mod samples;
mod wire;
