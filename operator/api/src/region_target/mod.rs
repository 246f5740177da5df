//! `RegionTarget`: a place that runs workers.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
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
    derive = "PartialEq",
    doc = "A place that runs workers: a cluster and a namespace in it.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        description = "Whether tests can run here",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#
    ),
    printcolumn(name = "Region", type_ = "string", description = "AWS region", json_path = ".spec.region"),
    printcolumn(
        name = "Namespace",
        type_ = "string",
        description = "Namespace of the workers",
        json_path = ".spec.namespace"
    ),
    printcolumn(
        name = "Workers",
        type_ = "integer",
        description = "Workers that run here now",
        json_path = ".status.activeWorkers"
    ),
    printcolumn(
        name = "Fargate",
        type_ = "boolean",
        description = "Whether workers run on EKS Fargate",
        json_path = ".spec.fargate",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegionTargetSpec {
    /// The AWS region, for example `eu-west-1`.
    #[schemars(length(min = 1, max = 32))]
    pub region: String,
    /// How the operator reaches the cluster.
    pub connection: Connection,
    /// Namespace of the workers in that cluster; not the operator's own.
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
    /// Namespaces whose tests may run here, 1 to 100.
    #[schemars(length(min = 1, max = 100), inner(length(min = 1, max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub allowed_namespaces: Vec<String>,
    /// True where workers run on EKS Fargate: a worker has one of Fargate's sizes, resources of its own choice are refused.
    #[serde(default = "default_fargate")]
    pub fargate: bool,
    /// How much all runs together may have here. A run that does not fit ends with reason `QuotaExceeded` before anything is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
    /// True: no new run starts here. Runs that have been planned go on.
    #[serde(default)]
    pub paused: bool,
}

/// How much all runs of an installation together may have in a target.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Capacity {
    /// Workers of all runs together. Absent: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_workers: Option<i64>,
    /// vCPU of the workers of all runs together, by the sizes of the workers. Absent: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub vcpu: Option<i64>,
}

/// How the operator reaches the cluster. Exactly one.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum Connection {
    /// The cluster that the operator itself runs in.
    InCluster(InCluster),
    /// Another cluster, by a kubeconfig in a Secret of the operator's namespace.
    Kubeconfig(KubeconfigSecret),
    /// A cluster of Amazon EKS in `spec.region`, with the operator's AWS credentials.
    Eks(EksCluster),
}

/// The cluster that the operator itself runs in.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InCluster {}

/// A kubeconfig in a Secret of the operator's own namespace. The Secret must carry the label `volley.dev/kubeconfig: "true"`; the
/// kubeconfig may hold a server, its certificate authority and a token or a client certificate, and nothing that runs a program or
/// reads a file.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubeconfigSecret {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: String,
    /// Key in the Secret.
    #[serde(default = "default_key")]
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// A cluster of Amazon EKS in `spec.region`. The operator's AWS credentials are those that the AWS SDK finds in its usual places; the
/// cluster must map them, or the role below, to the rights that the chart volley-region gives.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EksCluster {
    /// Name of the cluster, as EKS knows it.
    #[schemars(length(min = 1, max = 100))]
    pub cluster_name: String,
    /// Role that the operator assumes first, for example of another account:
    /// `arn:aws:iam::111122223333:role/volley-operator`. Absent: its own credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 20, max = 2048))]
    pub role_arn: Option<String>,
}

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
    #[schemars(length(max = 64))]
    pub kubernetes_version: Option<String>,
    /// Workers that run there now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_workers: Option<i64>,
    /// What the account may run on Fargate in the region, where the target is an EKS cluster on Fargate and AWS says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<TargetQuota>,
    /// When the last probe ended. Written on change of the outcome only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_probe: Option<Time>,
}

/// vCPU of an account on Fargate in one region.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct TargetQuota {
    /// The account may run so many vCPU.
    pub vcpu: i64,
    /// It runs so many, by AWS' usage metric, which is a few minutes late.
    pub used: i64,
}

fn default_fargate() -> bool {
    true
}

fn default_key() -> String {
    "kubeconfig".to_owned()
}
