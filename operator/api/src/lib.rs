//! The objects of Volley: `LoadTest`, `LoadTestRun` and `RegionTarget` in group `volley.dev`, version `v1alpha1`,
//! with their rules, names, labels and conditions. No client, no clock, no runtime.

pub mod condition;
pub mod digest;
pub mod duration;
pub mod labels;
pub mod load_test;
pub mod load_test_run;
pub mod names;
pub mod region_target;
pub mod status_code;

pub use duration::Duration;
pub use load_test::{LoadTest, LoadTestSpec, LoadTestStatus, WorkerSize};
pub use load_test_run::{LoadTestRun, LoadTestRunSpec, LoadTestRunStatus};
pub use region_target::{RegionTarget, RegionTargetSpec, RegionTargetStatus};

/// API group of all objects.
pub const GROUP: &str = "volley.dev";
/// API version of all objects.
pub const VERSION: &str = "v1alpha1";
