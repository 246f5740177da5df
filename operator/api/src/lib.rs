//! The objects of Volley: `LoadTest`, `LoadTestRun` and `RegionTarget` in group `volley.dev`, version `v1alpha1`,
//! with their rules, names, labels and conditions. No client, no clock, no runtime.
//!
//! The schema of a CRD has three sources, joined in [`crd`]: the types and their attributes (shapes, lengths, ranges), the
//! catalogue in [`validate::rules`] (everything that is a sentence rather than a shape, as CEL and as Rust), and what holds
//! for every field alike (no `null`, bounded conditions). [`validate`] checks a manifest by the same schema and catalogue
//! without a cluster. [`taurus`] reads what a `taurus` scenario's own configuration may say.

// kube's `KubeSchema` repeats each type inside a function, where `pub` reaches nobody.
#![allow(unreachable_pub)]
// clippy takes the `name` of a second printer column for a repetition of the first one.
#![allow(clippy::duplicated_attributes)]

pub mod condition;
pub mod crd;
pub mod digest;
pub mod duration;
pub mod figures;
pub mod labels;
pub mod load_test;
pub mod load_test_run;
pub mod names;
pub mod quantity;
pub mod region_target;
pub mod status_code;
pub mod taurus;
pub mod validate;

pub use duration::Duration;
pub use load_test::{LoadTest, LoadTestSpec, LoadTestStatus, WorkerSize};
pub use load_test_run::{LoadTestRun, LoadTestRunSpec, LoadTestRunStatus};
pub use region_target::{RegionTarget, RegionTargetSpec, RegionTargetStatus};

/// API group of all objects.
pub const GROUP: &str = "volley.dev";
/// API version of all objects.
pub const VERSION: &str = "v1alpha1";
