//! The operator: one folder per kind, each with the same furniture.
//!
//! A reconcile has one shape everywhere: `gather` → `validate` → `plan` → `apply` → `report`. Only gather, apply and report see a
//! client or a clock; a plan is data that can be printed and compared, and the planner is the only place that takes decisions.
//!
//! * [`load_test`]: triggers runs, keeps their history, says how they went.
//! * [`load_test_run`]: claims, freezes, provisions, starts, stops, collects, ends and cleans a run.
//! * [`region_target`]: probes the places in which workers run.
//! * [`definition`]: from a spec to what can be frozen; shared by the first two.
//! * [`capacity`]: whether a run fits into its targets beside the others.
//! * [`rbac`]: the rights that all of it needs.

mod aws;
mod cadence;
pub mod capacity;
mod clusters;
mod context;
pub mod definition;
mod events;
mod health;
pub mod kubernetes;
pub mod load_test;
pub mod load_test_run;
mod metrics;
pub mod rbac;
mod references;
pub mod region_target;
mod run;
pub mod settings;

#[cfg(test)]
mod argocd;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod ratchet;

pub use run::{Error, run};
pub use settings::Settings;
