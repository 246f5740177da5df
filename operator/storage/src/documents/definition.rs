//! `definition.json`: what a run executes, frozen in its first reconcile. Whatever happens to the LoadTest afterwards,
//! workers, operator and aggregator read this and nothing else.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use volley_api::WorkerSize;

use super::schema::Instant;
use super::threshold::Threshold;

/// Who the run is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunIdentity {
    /// Uid of the LoadTestRun.
    pub uid: String,
    /// Name of the LoadTestRun.
    pub name: String,
    /// Namespace of the LoadTestRun.
    pub namespace: String,
    /// Name of the LoadTest.
    pub load_test: String,
    /// When the LoadTestRun was created.
    #[schemars(with = "Instant")]
    pub created_at: jiff::Timestamp,
}

/// A script or data file, content-addressed under `scripts/v1/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// Lower-case hexadecimal SHA-256 of the content.
    pub sha256: String,
    /// Size in bytes.
    pub size: u64,
}

/// What a response must be like to count as a success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Assertion {
    /// Accepted status codes or classes (`200`, `2xx`); empty: JMeter's own rule (below 400).
    pub status: Vec<String>,
    /// Text that the body must contain.
    pub contains: Option<String>,
}

/// One request of an `http` scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestStep {
    /// Unique name, the label of its samples.
    pub name: String,
    /// HTTP method.
    pub method: String,
    /// Path, appended to the base URL.
    pub path: String,
    /// Request headers.
    pub headers: BTreeMap<String, String>,
    /// Request body.
    pub body: Option<String>,
    /// Pause after the request, in milliseconds.
    pub think_time_ms: Option<u64>,
    /// What counts as a success.
    pub expect: Option<Assertion>,
}

/// What the virtual users do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Scenario {
    /// A list of requests, run by JMeter.
    #[serde(rename_all = "camelCase")]
    Http {
        /// Scheme, host and port.
        base_url: String,
        /// In order.
        requests: Vec<RequestStep>,
    },
    /// A JMX.
    Jmeter {
        /// The JMX.
        script: Source,
        /// JMeter properties.
        properties: BTreeMap<String, String>,
    },
    /// A script of k6.
    K6 {
        /// The script.
        script: Source,
        /// Options of `k6 run`.
        arguments: Vec<String>,
    },
    /// A Locust file.
    Locust {
        /// The Locust file.
        script: Source,
    },
    /// A Taurus configuration of the user's own.
    Taurus {
        /// The configuration.
        script: Source,
        /// Its executions, in its order.
        executions: Vec<TaurusExecution>,
    },
}

/// One execution of a Taurus configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaurusExecution {
    /// Name of the executor, as Taurus knows it.
    pub executor: String,
    /// Its virtual users of each worker, at least 1. All executions together have `usersPerWorker`.
    pub users: u32,
}

/// How much load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Load {
    /// Virtual users of each worker, where its region says nothing else.
    pub users_per_worker: u32,
    /// Time over which the users start, in milliseconds.
    pub ramp_up_ms: u64,
    /// Time with all users, in milliseconds.
    pub hold_for_ms: u64,
}

impl Load {
    /// Ramp-up and hold together, in milliseconds.
    #[must_use]
    pub fn duration_ms(&self) -> u64 {
        self.ramp_up_ms.saturating_add(self.hold_for_ms)
    }
}

/// One RegionTarget of the run, as it was when the run was planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Region {
    /// Name of the RegionTarget.
    pub target: String,
    /// AWS region.
    pub region: String,
    /// Namespace of the workers in that cluster.
    pub namespace: String,
    /// Number of workers.
    pub workers: u32,
    /// Virtual users of each worker here; `None`: as `load` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users_per_worker: Option<u32>,
    /// Of a `taurus` scenario: how those users are shared among the executions; empty: as the scenario says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub execution_users: Vec<u32>,
    /// The workers run on Fargate.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fargate: bool,
    /// What an hour of a worker costs, in billionths of a US dollar, by AWS' rates when the run was planned; `None`: the workers
    /// are not on Fargate, or the rates of the region are not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_hour_nanodollars: Option<u64>,
}

impl Region {
    /// What the region's workers cost that were there this long on average, in millionths of a US dollar, rounded half up. Fargate
    /// charges a minute at least.
    #[must_use]
    pub fn cost_microdollars(&self, each: SignedDuration) -> Option<u64> {
        const HOUR_MS: u128 = 3_600_000;
        let each = each.max(SignedDuration::from_mins(1));
        let nanodollars = u128::from(self.worker_hour_nanodollars?)
            .saturating_mul(u128::from(self.workers))
            .saturating_mul(each.unsigned_abs().as_millis());
        u64::try_from(nanodollars.saturating_add(HOUR_MS * 500) / (HOUR_MS * 1000)).ok()
    }
}

/// What a worker does that is not ready at the start instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LateWorkers {
    /// It never starts load.
    Refuse,
    /// It starts at once and ends with the others.
    Join,
}

/// What happens when a region does not get its quorum in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MissingRegion {
    /// The run ends without load.
    #[default]
    Fail,
    /// It starts in the others, at least one.
    Continue,
}

/// When the run may start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    /// Share of each region's workers that must be ready, 1 to 100.
    pub quorum_percent: u32,
    /// How long to wait for them, in milliseconds.
    pub timeout_ms: u64,
    /// What late workers do.
    pub late_workers: LateWorkers,
    /// What happens without a region.
    #[serde(default)]
    pub on_missing_region: MissingRegion,
}

/// What is kept beside the statistics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifacts {
    /// Upload the engines' raw sample files.
    pub samples: bool,
}

/// What workers tell while the load runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Live {
    /// Seconds from one frame of a worker to the next, 1 to 60.
    pub interval_s: u32,
}

/// Image references that the run keeps through operator upgrades.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Images {
    /// Image of the main container (Taurus and engines).
    pub worker: String,
    /// Image of the collector and the aggregator.
    pub volley: String,
}

/// Requests and limits of the main container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WorkerResources {
    /// A Fargate size.
    Size(WorkerSize),
    /// Free quantities, for targets that are not Fargate.
    Quantities {
        /// Requests by resource name.
        requests: BTreeMap<String, String>,
        /// Limits by resource name.
        limits: BTreeMap<String, String>,
    },
}

/// The whole frozen definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    /// Document version.
    pub version: u32,
    /// Name of the Volley installation.
    pub installation: String,
    /// Who the run is.
    pub run: RunIdentity,
    /// Digest of the LoadTest's definition (`v1:<hex>`), see `volley_api`.
    pub definition_digest: String,
    /// What the virtual users do.
    pub scenario: Scenario,
    /// How much load.
    pub load: Load,
    /// Where, sorted by target.
    pub regions: Vec<Region>,
    /// Size of a worker.
    pub resources: WorkerResources,
    /// When it may start.
    pub start: Start,
    /// Share of the started workers of a region that must stay healthy, in percent.
    pub healthy_percent: u32,
    /// What must hold, in the order of the LoadTest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<Threshold>,
    /// What is kept.
    pub artifacts: Artifacts,
    /// What workers tell while the load runs; `None`: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Live>,
    /// Image references.
    pub images: Images,
    /// Load is stopped by the collector itself this long after the start instant, in milliseconds.
    pub max_load_ms: u64,
    /// Load is stopped by the collector itself after this long without S3, in milliseconds.
    pub max_uncontrolled_ms: u64,
}

impl Definition {
    /// Workers of all regions.
    #[must_use]
    pub fn workers(&self) -> u32 {
        self.regions.iter().map(|region| region.workers).sum()
    }

    /// Virtual users of each worker of a region.
    #[must_use]
    pub fn users_per_worker(&self, region: &Region) -> u32 {
        region.users_per_worker.unwrap_or(self.load.users_per_worker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case::an_hour(Some(49_370_000), 1000, SignedDuration::from_hours(1), Some(49_370_000))]
    #[case::a_second_counts_as_a_minute(Some(60_000_000), 1, SignedDuration::from_secs(1), Some(1_000))]
    #[case::half_a_microdollar_is_rounded_up(Some(30_000), 1, SignedDuration::from_mins(1), Some(1))]
    #[case::less_is_rounded_down(Some(29_999), 1, SignedDuration::from_mins(1), Some(0))]
    #[case::no_rate(None, 1000, SignedDuration::from_hours(1), None)]
    fn a_region_costs_its_workers_times_their_time(
        #[case] worker_hour_nanodollars: Option<u64>,
        #[case] workers: u32,
        #[case] each: SignedDuration,
        #[case] expected: Option<u64>,
    ) {
        let (target, region, namespace) = ("a".to_owned(), "us-east-1".to_owned(), "w".to_owned());
        let region = Region {
            target,
            region,
            namespace,
            workers,
            users_per_worker: None,
            execution_users: Vec::new(),
            fargate: true,
            worker_hour_nanodollars,
        };
        assert_eq!(region.cost_microdollars(each), expected);
    }
}
