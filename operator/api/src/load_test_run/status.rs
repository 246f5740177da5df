//! What operator and aggregator say about a run.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Status of a run. `live` and `result` belong to the aggregator, everything else to the operator.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct LoadTestRunStatus {
    /// A summary of the conditions in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The truth; `Succeeded` is the summary, `Finished` becomes True at every end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The frozen definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<DefinitionReference>,
    /// What will run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<RunPlan>,
    /// The instant at which every worker starts its load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<Time>,
    /// When the operator saw that the load runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When the run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// Workers by region.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["target".into()]))]
    pub regions: Vec<RegionProgress>,
    /// Newest figures; the final ones when the run has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<LiveFigures>,
    /// Summary of the final result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<RunResult>,
}

/// Where the frozen definition is.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DefinitionReference {
    /// SHA-256 of its bytes, lower-case hexadecimal.
    #[schemars(length(max = 80))]
    pub digest: String,
    /// `s3://bucket/key`.
    #[schemars(length(max = 2048))]
    pub location: String,
}

/// What will run.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RunPlan {
    /// Workers of all regions.
    pub workers: i64,
    /// Fargate size of each worker, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<crate::load_test::WorkerSize>,
    /// Requests of each worker's engine, where it has no size: `cpu=200m,memory=256Mi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub resources: Option<String>,
    /// vCPU of the workers of all regions together, for example `7.5`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub vcpu: Option<String>,
    /// Ramp-up and hold together, for example `5m30s`.
    #[schemars(length(max = 32))]
    pub duration: String,
    /// The latest instant at which load may start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_by: Option<Time>,
    /// When load is expected to start; absent where a region is not on Fargate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_start: Option<Time>,
    /// What the workers will cost on AWS Fargate, for example `$12.3`; absent where the rates of a region are not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub estimated_cost: Option<String>,
    /// Image of the workers.
    #[schemars(length(max = 1024))]
    pub worker_image: String,
    /// Image of collector and aggregator.
    #[schemars(length(max = 1024))]
    pub volley_image: String,
}

/// Workers of one region, as the operator sees them.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RegionProgress {
    /// Name of the RegionTarget.
    #[schemars(length(max = 63))]
    pub target: String,
    /// Workers that the plan asks for.
    pub planned: i64,
    /// Worker pods that exist.
    pub created: i64,
    /// Workers at the gate.
    pub prepared: i64,
    /// What keeps workers from getting ready, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub message: Option<String>,
}

/// A summary of a run's conditions in one word.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Accepted, nothing done yet.
    Pending,
    /// Waits for its turn.
    Queued,
    /// Workers are being created.
    Provisioning,
    /// The start instant is set.
    Ready,
    /// Load is running.
    Running,
    /// Load has ended, workers upload.
    Collecting,
    /// The result is being made.
    Aggregating,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
    /// Ended by request.
    Stopped,
    /// Never ran.
    Skipped,
}

/// The judgement over a run.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// All thresholds met.
    Passed,
    /// A threshold missed.
    Failed,
    /// It cannot be said.
    Inconclusive,
    /// There was nothing to judge.
    NotJudged,
}

/// What a threshold says about a run.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ThresholdOutcome {
    /// The value is on the side of the limit where it must be.
    Met,
    /// It is not.
    Missed,
    /// There is no value, or only a part of it.
    NotJudged,
}

/// Newest figures of a run. Times are durations such as `142ms`, rates such as `398/s`, ratios such as `0.12%`.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct LiveFigures {
    /// The instant that the figures speak of.
    pub at: Time,
    /// Active virtual users; in the final figures the highest number.
    pub users: i64,
    /// Requests per second.
    #[schemars(length(max = 32))]
    pub request_rate: String,
    /// Share of failed requests.
    #[schemars(length(max = 32))]
    pub error_rate: String,
    /// Median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub p50: Option<String>,
    /// 95th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub p95: Option<String>,
    /// 99th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub p99: Option<String>,
    /// The largest use of the processor by a worker, of what it may use; absent where it is not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub highest_worker_cpu: Option<String>,
    /// Workers that are saturated, so that response times may be theirs and not the target's; in the final figures those that were at any
    /// time. Absent: none is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saturated_workers: Option<i64>,
}

/// Summary of the final result. Exact numbers are in `result.json`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RunResult {
    /// Requests, failed ones included, interrupted ones not.
    pub requests: i64,
    /// Failed requests.
    pub errors: i64,
    /// Share of failed requests, for example `0.12%`.
    #[schemars(length(max = 32))]
    pub error_rate: String,
    /// Requests per second of the measured interval, for example `398/s`.
    #[schemars(length(max = 32))]
    pub request_rate: String,
    /// Bytes received; absent where an engine does not tell them of every request (k6, Molotov).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<i64>,
    /// Mean response time; absent where there was no request, like all times below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub average: Option<String>,
    /// Shortest response time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub min: Option<String>,
    /// Median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub p50: Option<String>,
    /// 90th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub p90: Option<String>,
    /// 95th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub p95: Option<String>,
    /// 99th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub p99: Option<String>,
    /// 99.9th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub p999: Option<String>,
    /// Longest response time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub max: Option<String>,
    /// The judgement.
    pub verdict: Verdict,
    /// What each threshold says, in the order of the definition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub thresholds: Vec<ThresholdResult>,
    /// Which workers the numbers speak of.
    pub coverage: Coverage,
    /// The 20 busiest labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub labels: Vec<LabelResult>,
    /// By region.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub regions: Vec<RegionResult>,
    /// What the workers have cost on AWS Fargate, for example `$12.3`; absent where that of a region is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub cost: Option<String>,
    /// What a reader should know, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(max = 1024)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub warnings: Vec<String>,
    /// `s3://bucket/key` of `result.json`.
    #[schemars(length(max = 2048))]
    pub location: String,
}

/// What one threshold says.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ThresholdResult {
    /// Name of the threshold.
    #[schemars(length(max = 40))]
    pub name: String,
    /// What was looked at, for example `p99 of checkout in eu-west-1`.
    #[schemars(length(max = 512))]
    pub metric: String,
    /// The limit, for example `below 300ms`.
    #[schemars(length(max = 64))]
    pub limit: String,
    /// The value, for example `142ms`; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub observed: Option<String>,
    /// What follows.
    pub outcome: ThresholdOutcome,
    /// Why it cannot be judged, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub reason: Option<String>,
}

impl ThresholdResult {
    /// In words, without the name: `p99 of checkout is 312ms, not below 300ms`.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { metric, limit, .. } = self;
        match (&self.observed, &self.reason) {
            (Some(observed), _) if self.outcome == ThresholdOutcome::Missed => {
                format!("{metric} is {observed}, not {limit}")
            }
            (Some(observed), _) => format!("{metric} is {observed}, {limit}"),
            (None, Some(reason)) => reason.clone(),
            (None, None) => format!("{metric} {limit}"),
        }
    }
}

/// Which workers the numbers speak of.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    /// Workers that the plan asked for.
    pub workers_planned: i64,
    /// Workers whose samples are in the result.
    pub workers_measured: i64,
    /// Of those: workers that measured less than the full time.
    pub partial: i64,
    /// True: every planned worker measured its full time.
    pub complete: bool,
}

/// Figures of one label.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct LabelResult {
    /// The label.
    #[schemars(length(max = 1024))]
    pub label: String,
    /// Requests.
    pub requests: i64,
    /// Failed requests.
    pub errors: i64,
    /// Requests per second.
    #[schemars(length(max = 32))]
    pub request_rate: String,
    /// Mean response time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub average: Option<String>,
    /// Median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub p50: Option<String>,
    /// 95th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub p95: Option<String>,
    /// 99th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub p99: Option<String>,
}

/// Workers of one region in the result.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RegionResult {
    /// Name of the RegionTarget.
    #[schemars(length(max = 63))]
    pub target: String,
    /// Why the run started without this region. Absent: it took part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub left_out: Option<String>,
    /// Workers whose gate opened.
    pub started: i64,
    /// Of those: workers that began more than a second after the start instant. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<i64>,
    /// How long after the start instant the last of them began, for example `12.3s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub latest: Option<String>,
    /// Workers without any result.
    pub lost: i64,
    /// Workers that measured less than the full time.
    pub partial: i64,
    /// How far from the start instant the gates opened. Absent where none opened in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_skew: Option<SkewSummary>,
    /// How far from the start instant the first samples began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_sample_skew: Option<SkewSummary>,
}

/// Distances from the start instant, corrected by what is known of the workers' clocks; without late workers. Times such as `3.1ms`.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SkewSummary {
    /// Median over the workers.
    #[schemars(length(max = 32))]
    pub p50: String,
    /// 99th percentile over the workers, nearest rank.
    #[schemars(length(max = 32))]
    pub p99: String,
    /// The largest.
    #[schemars(length(max = 32))]
    pub max: String,
    /// How wrong a figure may be at most, because clocks are compared over the network. Absent: the clock of a worker is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub bound: Option<String>,
}
