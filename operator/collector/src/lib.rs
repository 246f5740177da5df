//! The sidecar of a worker.
pub mod configuration;
pub mod control;
pub mod fetch;
pub mod files;
#[cfg(test)]
mod fixtures;
pub mod probe;
mod settings;
pub mod tail;
pub use settings::{Settings, SettingsError};
