//! `LoadTestRun`: one execution of a LoadTest.

mod ending;
mod status;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use ending::{EndReason, Outcome, ThresholdsOutcome, UnknownEndReason, phase};
pub use status::{
    Coverage, DefinitionReference, LabelResult, LiveFigures, LoadTestRunStatus, Phase, RegionProgress, RegionResult,
    RunPlan, RunResult, SkewSummary, ThresholdOutcome, ThresholdResult, Verdict,
};

/// One execution of a LoadTest. Immutable, except `stop`, which may be set once.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "volley.dev",
    version = "v1alpha1",
    kind = "LoadTestRun",
    namespaced,
    status = "LoadTestRunStatus",
    shortname = "vrun",
    category = "volley",
    derive = "PartialEq",
    doc = "One execution of a LoadTest. Immutable, except spec.stop, which may be set once.",
    printcolumn(name = "Test", type_ = "string", description = "Name of the LoadTest", json_path = ".spec.loadTest"),
    printcolumn(
        name = "Phase",
        type_ = "string",
        description = "The conditions in one word",
        json_path = ".status.phase"
    ),
    printcolumn(
        name = "Users",
        type_ = "integer",
        description = "Active virtual users; of an ended run the highest number",
        json_path = ".status.live.users"
    ),
    printcolumn(
        name = "RPS",
        type_ = "string",
        description = "Requests per second",
        json_path = ".status.live.requestRate"
    ),
    printcolumn(
        name = "P95",
        type_ = "string",
        description = "95th percentile of the response times",
        json_path = ".status.live.p95"
    ),
    printcolumn(
        name = "Errors",
        type_ = "string",
        description = "Share of failed requests",
        json_path = ".status.live.errorRate"
    ),
    printcolumn(
        name = "Verdict",
        type_ = "string",
        description = "The judgement",
        json_path = ".status.result.verdict"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoadTestRunSpec {
    /// Name of the LoadTest in the same namespace.
    #[schemars(length(min = 1, max = 40))]
    pub load_test: String,
    /// Digest of the definition that triggered the run; set by the trigger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 80))]
    pub definition_digest: Option<String>,
    /// Set it to end the load; results of what ran are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
}

/// A request to end the load.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stop {
    /// Why, for people.
    #[schemars(length(min = 1, max = 512))]
    pub reason: String,
}
