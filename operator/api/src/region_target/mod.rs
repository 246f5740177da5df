//! `RegionTarget`: a place that runs workers.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::core::cel::ListMerge;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A place that runs workers: a cluster and a namespace in it.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "volley.dev",
    version = "v1alpha1",
    kind = "RegionTarget",
    status = "RegionTargetStatus",
    shortname = "vrt",
    category = "volley",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegionTargetSpec {
    /// The AWS region, for example `eu-west-1`.
    pub region: String,
    /// How the operator reaches the cluster.
    pub connection: Connection,
    /// Namespace of the workers in that cluster; not the operator's own.
    pub namespace: String,
    /// Namespaces whose tests may run here.
    pub allowed_namespaces: Vec<String>,
    /// True where workers run on EKS Fargate: sizes are Fargate's, free resources are refused.
    #[serde(default = "default_fargate")]
    pub fargate: bool,
}

/// How the operator reaches the cluster. Exactly one.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum Connection {
    /// The cluster that the operator itself runs in.
    InCluster(InCluster),
}

/// The cluster that the operator itself runs in.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InCluster {}

/// What the operator says about a RegionTarget.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RegionTargetStatus {
    /// Conditions; `Ready` is the summary.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Version of the cluster's API server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes_version: Option<String>,
    /// Workers that run there now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_workers: Option<i64>,
    /// When the last probe ended. Written on change of the outcome only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_probe: Option<Time>,
}

fn default_fargate() -> bool {
    true
}
