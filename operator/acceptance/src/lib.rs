//! What the acceptance tests share: the cluster under test, its storage, and raw samples as an independent witness.
//!
//! The tests run against the cluster of `VOLLEY_ACCEPTANCE_KUBECONFIG`, on which the chart is installed with the embedded
//! storage and the demo target runs. `make test` sets that up. They go in by the doors that users have: `kubectl`, the
//! `volley` command and the Kubernetes API.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "this crate is test code: a failure is a panic with a message"
)]

pub mod bench;
pub mod lag;
pub mod manifests;
pub mod regions;
pub mod witness;

pub use bench::{Bench, Outcome};
pub use regions::Region;
