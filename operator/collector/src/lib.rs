//! The sidecar of a worker: fetches what the run needs, opens the gate at the instant, follows the samples, uploads.
//!
//! What passes between it and its neighbours is in `docs/contributors/worker-contract.md`.
//!
//! * [`configuration`] turns the definition into Taurus' configuration, [`control`] decides, [`clock`] compares; they are pure.
//! * [`fetch`], [`tail`], [`frames`], [`upload`], [`probe`] and [`files`] touch the world; [`run`] drives them.
//!
//! # Guarantees
//!
//! * A worker never starts load before the instant, late (but where late workers may join), twice, or after a stop; a restart of this
//!   process changes nothing in that.
//! * Every sample row that the engine finished is counted once; what could not be read is counted and said.
//! * The manifest is the last object of a worker and is written once. A missing log never loses a worker's result.
//! * A restart of this process loses and repeats no row; of a worker that vanishes, at most the last half minute is lost.
//! * Memory depends on the number of labels, not on the length of the run. Nothing that a test's script leaves behind is followed.

pub mod clock;
mod collector;
pub mod configuration;
pub mod control;
pub mod disk;
pub mod fetch;
pub mod files;
#[cfg(test)]
mod fixtures;
pub mod frames;
pub mod probe;
mod progress;
mod settings;
pub mod tail;
pub mod upload;
mod watcher;

pub use collector::{Error, run, run_with};
pub use settings::{Settings, SettingsError};
