//! `LoadTest`: the definition of a test. Executions are `LoadTestRun`s.

mod live;
mod scenario;
mod status;
mod threshold;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use live::LiveInterval;
pub use scenario::{
    ConfigMapSource, Expect, HttpMethod, HttpRequest, HttpScenario, JmeterScenario, K6Scenario, LocustScenario,
    Scenario, Source, TaurusScenario,
};
pub use status::{LastRun, LoadTestStatus, RunCounts};
pub use threshold::{Abort, METRIC_PATTERN, Threshold, ThresholdLimit};

use crate::duration::Duration;

/// What a load test does, where, and how large it is.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "volley.dev",
    version = "v1alpha1",
    kind = "LoadTest",
    namespaced,
    status = "LoadTestStatus",
    shortname = "vlt",
    category = "volley",
    derive = "PartialEq",
    doc = "The definition of a load test: what the virtual users do, how many, and where. Executions are LoadTestRuns.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        description = "Whether the definition can be run, or the run that it triggered went well",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#
    ),
    printcolumn(
        name = "Last",
        type_ = "string",
        description = "Phase of the newest run",
        json_path = ".status.lastRun.phase"
    ),
    printcolumn(
        name = "Verdict",
        type_ = "string",
        description = "Judgement over the newest run",
        json_path = ".status.lastRun.verdict"
    ),
    printcolumn(
        name = "Regions",
        type_ = "integer",
        description = "Number of regions",
        json_path = ".status.regions",
        priority = 1
    ),
    printcolumn(
        name = "Workers",
        type_ = "integer",
        description = "Workers of all regions",
        json_path = ".status.workers",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoadTestSpec {
    /// What the virtual users do. Exactly one of http, jmeter, k6, locust, taurus.
    pub scenario: Scenario,
    /// How much load each worker makes.
    pub load: Load,
    /// Where the workers run: one entry for each RegionTarget.
    #[schemars(length(min = 1, max = 5))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["target".into()]))]
    pub regions: Vec<RegionLoad>,
    /// Size of each worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<Worker>,
    /// When a run may start.
    #[serde(default)]
    pub start: StartPolicy,
    /// Share of the started workers of each region that must stay healthy, in percent, rounded up to whole workers. Below it the load
    /// is stopped, and the run ends with reason `WorkersLost` and what was measured.
    #[serde(default = "default_healthy_percent")]
    #[schemars(range(min = 1, max = 100))]
    pub healthy_percent: i64,
    /// What must hold for a run to pass, at most 20. Absent: a run that ends as planned succeeds, and is not judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub thresholds: Vec<Threshold>,
    /// What makes a run. Absent: Once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Trigger>,
    /// What is kept beside the statistics.
    #[serde(default)]
    pub artifacts: Artifacts,
    /// Figures while the load runs. The result does not depend on them.
    #[serde(default)]
    pub live: Live,
    /// How many finished LoadTestRun objects are kept.
    #[serde(default)]
    pub history: History,
}

impl LoadTestSpec {
    /// Workers of all regions: what `status.workers` and the column say.
    #[must_use]
    pub fn workers(&self) -> i64 {
        self.regions.iter().fold(0, |sum, region| sum.saturating_add(region.workers))
    }
}

/// How much load each worker makes.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Load {
    /// Virtual users of each worker.
    #[schemars(range(min = 1, max = 100_000))]
    pub users_per_worker: i64,
    /// Time over which the users start. Absent: all start at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp_up: Option<Duration>,
    /// Time with all users, at least 1s. Together with rampUp at most 24h.
    pub hold_for: Duration,
}

/// Workers in one region.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegionLoad {
    /// Name of a RegionTarget.
    #[schemars(length(min = 1, max = 15))]
    pub target: String,
    /// Number of workers.
    #[schemars(range(min = 1, max = 1000))]
    pub workers: i64,
    /// Virtual users of each worker in this region. Absent: as `load.usersPerWorker` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub users_per_worker: Option<i64>,
}

/// Size of each worker.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Worker {
    /// A Fargate size. Absent, and no resources: Standard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<WorkerSize>,
    /// Free quantities, only where every target has `fargate: false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<WorkerResources>,
}

/// A Fargate pod size, in vCPU and GB.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WorkerSize {
    /// 0.5 vCPU, 2 GB.
    Small,
    /// 1 vCPU, 2 GB.
    #[default]
    Standard,
    /// 1 vCPU, 4 GB.
    Standard4,
    /// 2 vCPU, 4 GB.
    Large,
    /// 2 vCPU, 8 GB.
    Large8,
    /// 4 vCPU, 8 GB.
    XLarge,
}

impl WorkerSize {
    /// Its vCPU, in thousandths.
    #[must_use]
    pub fn millicores(self) -> u32 {
        match self {
            Self::Small => 500,
            Self::Standard | Self::Standard4 => 1_000,
            Self::Large | Self::Large8 => 2_000,
            Self::XLarge => 4_000,
        }
    }

    /// Its memory, in GiB.
    #[must_use]
    pub fn gibibytes(self) -> u32 {
        match self {
            Self::Small | Self::Standard => 2,
            Self::Standard4 | Self::Large => 4,
            Self::Large8 | Self::XLarge => 8,
        }
    }
}

/// Requests and limits of the engine's container.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkerResources {
    /// What a worker's engine is given at least: cpu, memory. Absent: as the limits say.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 2))]
    pub requests: BTreeMap<String, Quantity>,
    /// What a worker's engine gets at most: memory, and cpu where it is to be bounded. A limit of memory is required.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 2))]
    pub limits: BTreeMap<String, Quantity>,
}

/// When a run may start, once its workers are created.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StartPolicy {
    /// Share of each region's workers that must be ready before load starts, in percent.
    #[serde(default = "default_quorum_percent")]
    #[schemars(range(min = 1, max = 100))]
    pub quorum_percent: i64,
    /// How long to wait for them, 1s to 6h. After it the run ends with reason `StartTimedOut`, or starts without the regions that are
    /// missing, as `onMissingRegion` says.
    #[serde(default = "default_start_timeout")]
    pub timeout: Duration,
    /// What happens when a region does not get its workers ready in time.
    #[serde(default)]
    pub on_missing_region: MissingRegion,
    /// What a worker does that gets ready after the start instant.
    #[serde(default)]
    pub late_workers: LateWorkers,
}

/// What happens when a region does not get its workers ready in time.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MissingRegion {
    /// No load anywhere: the run ends.
    #[default]
    Fail,
    /// The load starts in the regions that are ready, at least one. The result says which did not run.
    Continue,
}

/// What a worker does that gets ready after the start instant.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LateWorkers {
    /// It never starts load.
    #[default]
    Refuse,
    /// It starts at once and ends with the others. The result says how many were late, and how late.
    Join,
}

/// What makes a run.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// One run, when the LoadTest is created. Later edits start nothing.
    #[default]
    Once,
    /// A run whenever the definition changes.
    OnChange,
    /// Only a LoadTestRun that somebody creates.
    Manual,
}

/// What is kept beside the statistics.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Artifacts {
    /// Upload the engines' raw sample files, compressed.
    #[serde(default)]
    pub samples: bool,
}

/// Figures while the load runs.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Live {
    /// Whether there are any. Without them the status has no figures before the end, and nothing can be watched.
    #[serde(default = "default_live_enabled")]
    pub enabled: bool,
    /// How often each worker tells its figures: whole seconds, 1s to 60s, or Auto. Auto is 1s up to 100 workers, 2s up to
    /// 250, 5s above. Each telling is one PUT request to S3.
    #[serde(default)]
    pub interval: LiveInterval,
}

/// How many finished LoadTestRun objects are kept.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct History {
    /// Succeeded runs, 0 to 100.
    #[serde(default = "default_history")]
    #[schemars(range(min = 0, max = 100))]
    pub succeeded: i64,
    /// Runs with any other end, 0 to 100.
    #[serde(default = "default_history")]
    #[schemars(range(min = 0, max = 100))]
    pub failed: i64,
}

fn default_quorum_percent() -> i64 {
    100
}

fn default_start_timeout() -> Duration {
    Duration::from_minutes(15)
}

fn default_healthy_percent() -> i64 {
    90
}

fn default_history() -> i64 {
    5
}

fn default_live_enabled() -> bool {
    true
}

impl Default for StartPolicy {
    fn default() -> Self {
        Self {
            quorum_percent: default_quorum_percent(),
            timeout: default_start_timeout(),
            on_missing_region: MissingRegion::default(),
            late_workers: LateWorkers::default(),
        }
    }
}

impl Default for Live {
    fn default() -> Self {
        Self { enabled: default_live_enabled(), interval: LiveInterval::default() }
    }
}

impl Default for History {
    fn default() -> Self {
        Self { succeeded: default_history(), failed: default_history() }
    }
}
