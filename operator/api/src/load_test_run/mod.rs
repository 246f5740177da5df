//! `LoadTestRun`: one execution of a LoadTest.

mod status;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use status::{
    Coverage, DefinitionReference, LabelResult, LiveFigures, LoadTestRunStatus, Phase, RegionProgress, RegionResult,
    RunPlan, RunResult, Verdict,
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
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoadTestRunSpec {
    /// Name of the LoadTest in the same namespace.
    pub load_test: String,
    /// Digest of the definition that triggered the run; set by the trigger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
    pub reason: String,
}
