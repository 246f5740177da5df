//! Reports: of a run that has ended, and of files that are there without any cluster.
//!
//! * [`status`] tells a run from its `status` alone: rights to `kubectl get` it are enough.
//! * [`gather`] reads files: the only part that sees a disk. [`build`] makes a [`Report`](model::Report) of what was read,
//!   [`formats`] writes it. Both are pure.
//! * [`thresholds`] judges files by thresholds of the command line.
//!
//! Labels, codes and messages come from scripts and servers, so from strangers: each format writes them by the rules of
//! [`text`] or its own, so that none of them acts on a terminal, a browser or a spreadsheet.

pub mod build;
pub mod formats;
pub mod gather;
pub mod model;
#[cfg(test)]
mod schema;
pub mod status;
pub(crate) mod table;
pub(crate) mod text;
pub mod thresholds;

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// A table for people.
    #[default]
    Table,
    /// JSON for programs.
    Json,
}
