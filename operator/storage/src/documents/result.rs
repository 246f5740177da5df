//! `result.json`: the exact numbers of a run. No floating point: counts, integer microseconds, thousandths of a request
//! per second, parts per million. So the same run has the same bytes, however often it is merged.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use volley_api::load_test_run::Verdict;

use super::control::StopReason;
use super::definition::RunIdentity;
use super::health::WorkerHealth;
use super::schema::{Instant, Version};
use super::threshold::ThresholdFigures;

/// Figures of a set of samples. Times are those of all requests, successes and failures together, in microseconds;
/// they are null where there was no request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// Requests, failed ones included, interrupted ones not.
    pub requests: u64,
    /// Failed requests.
    pub errors: u64,
    /// Requests that the stop cut off; in no other figure.
    pub interrupted: u64,
    /// Bytes received; null where an engine does not tell them of every request (k6, Molotov).
    pub bytes: Option<u64>,
    /// Failed requests per million requests, rounded half up.
    pub error_rate_ppm: u64,
    /// Thousandths of a request per second over the measured interval of the run, rounded half up.
    pub request_rate_milli: u64,
    /// Mean response time, rounded half up.
    pub average_us: Option<u64>,
    /// Population standard deviation of the response times, from exact sums, rounded half up.
    pub standard_deviation_us: Option<u64>,
    /// Shortest response time, exact.
    pub min_us: Option<u64>,
    /// Median, nearest rank, within 0.05 % (like all percentiles).
    pub p50_us: Option<u64>,
    /// 90th percentile.
    pub p90_us: Option<u64>,
    /// 95th percentile.
    pub p95_us: Option<u64>,
    /// 99th percentile.
    pub p99_us: Option<u64>,
    /// 99.9th percentile.
    pub p999_us: Option<u64>,
    /// Longest response time, exact.
    pub max_us: Option<u64>,
    /// Mean time to connect, where the engine measures it.
    pub connect_average_us: Option<u64>,
    /// Mean time to the first byte, where the engine measures it.
    pub first_byte_average_us: Option<u64>,
    /// Requests by response code as the engine writes it, the 50 most frequent; an empty code is the key `none`, further
    /// codes are counted under `[other]`.
    pub codes: BTreeMap<String, u64>,
}

/// The interval from the start of the first sample to the end of the last one, over all workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeasuredInterval {
    /// Start of the first sample.
    #[schemars(with = "Instant")]
    pub from: Timestamp,
    /// End of the last sample.
    #[schemars(with = "Instant")]
    pub to: Timestamp,
}

impl MeasuredInterval {
    /// Its length in microseconds; 0 where it is empty or the clocks run backwards.
    #[must_use]
    pub fn length_us(&self) -> u64 {
        u64::try_from(self.to.as_microsecond().saturating_sub(self.from.as_microsecond())).unwrap_or_default()
    }
}

/// Which workers the numbers speak of. `complete + partial + lost` is the number of planned workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerCounts {
    /// Workers that the plan asked for.
    pub planned: u32,
    /// Workers whose gate opened.
    pub started: u32,
    /// Of those: workers that began more than a second after the start instant.
    #[serde(default)]
    pub late: u32,
    /// Workers that measured their full time.
    pub complete: u32,
    /// Workers that measured less.
    pub partial: u32,
    /// Workers without any result.
    pub lost: u32,
}

/// How far from the start instant the workers of a region began, in microseconds: distances, whether early or late. Each is corrected
/// by what is known of the worker's clock. Late workers are not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Skew {
    /// Workers that the figures speak of.
    pub workers: u32,
    /// Median, nearest rank.
    pub p50_us: u64,
    /// 99th percentile, nearest rank.
    pub p99_us: u64,
    /// The largest.
    pub max_us: u64,
    /// How wrong a figure may be at most, because clocks are compared over the network; null: a worker's clock is unknown and taken for
    /// right.
    pub bound_us: Option<u64>,
}

/// Figures of one region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegionFigures {
    /// Name of the RegionTarget.
    pub target: String,
    /// AWS region.
    pub region: String,
    /// Virtual users of each worker; null in results of older releases.
    #[serde(default)]
    pub users_per_worker: Option<u32>,
    /// Why the run started without this region; null: it took part.
    #[serde(default)]
    pub left_out: Option<String>,
    /// Its workers.
    pub workers: WorkerCounts,
    /// How long after the start instant the last of its late workers began, in microseconds; null: none was late.
    #[serde(default)]
    pub latest_us: Option<u64>,
    /// How far from the start instant the gates opened; null: none opened in time.
    #[serde(default)]
    pub release_skew: Option<Skew>,
    /// How far from the start instant the first samples began; null: there is none of a worker that began in time.
    #[serde(default)]
    pub first_sample_skew: Option<Skew>,
    /// Its figures.
    pub figures: Figures,
    /// What its workers cost, in millionths of a US dollar, by AWS' rates when the run was planned. Null: they were not on
    /// Fargate, the rates of the region are not known, or how long they were there is not.
    #[serde(default)]
    pub cost_micro_dollars: Option<u64>,
}

/// How much of a worker is in the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum WorkerState {
    /// A manifest of the full time.
    Complete,
    /// A manifest of less, or a checkpoint.
    Partial,
    /// Nothing.
    Lost,
}

/// One worker in the result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerResult {
    /// Name of the RegionTarget.
    pub target: String,
    /// Completion index.
    pub index: u32,
    /// Uid of the pod; null for a worker without any.
    pub pod_uid: Option<String>,
    /// How much of it is in the result.
    pub state: WorkerState,
    /// Why it is partial or lost, for people.
    pub reason: Option<String>,
    /// When its gate opened.
    #[schemars(with = "Option<Instant>")]
    pub released_at: Option<Timestamp>,
    /// It left no manifest: its figures are those of its last checkpoint, which holds everything until then.
    #[schemars(with = "Option<Instant>")]
    pub checkpoint_at: Option<Timestamp>,
    /// Start of its first sample.
    #[schemars(with = "Option<Instant>")]
    pub first_sample_at: Option<Timestamp>,
    /// End of its last sample.
    #[schemars(with = "Option<Instant>")]
    pub last_sample_at: Option<Timestamp>,
    /// The opening of its gate minus the start instant, in microseconds, corrected by `clockOffsetUs`; negative: early.
    #[serde(default)]
    pub release_skew_us: Option<i64>,
    /// The start of its first sample minus the start instant, in microseconds, corrected in the same way.
    #[serde(default)]
    pub first_sample_skew_us: Option<i64>,
    /// The storage's clock minus the worker's, in microseconds; null: it is not known, and nothing is corrected.
    #[serde(default)]
    pub clock_offset_us: Option<i64>,
    /// `clockOffsetUs` and both skews may be wrong by at most this much, in microseconds.
    #[serde(default)]
    pub clock_bound_us: Option<u64>,
    /// Requests, failed ones included, interrupted ones not.
    pub requests: u64,
    /// Failed requests.
    pub errors: u64,
    /// Requests that the stop cut off.
    pub interrupted: u64,
    /// Bytes received; null where an engine does not tell them of every request.
    pub bytes: Option<u64>,
    /// Exit code of Taurus: information, never the verdict.
    pub exit_code: Option<i32>,
    /// How its load generator was; null: nothing of it is known.
    #[serde(default)]
    pub health: Option<WorkerHealth>,
}

/// Figures of one label in one scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LabelFigures {
    /// Name of the RegionTarget; null: all regions together.
    pub target: Option<String>,
    /// The label.
    pub label: String,
    /// True: a transaction controller's row, which adds to no total.
    pub transaction: bool,
    /// True: a worker had more labels than it keeps apart, so requests of this label may also be in `[other]`.
    pub lower_bound: bool,
    /// Its figures.
    pub figures: Figures,
}

/// Failed requests with the same label, code and message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorGroup {
    /// The label; null where the worker did not keep it apart.
    pub label: Option<String>,
    /// Response code as the engine writes it.
    pub code: String,
    /// The engine's words.
    pub message: String,
    /// How often.
    pub count: u64,
}

/// The course of a scope over time, column by column: the values at the same place of all columns belong together.
/// Never more than 3,600 of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeriesFigures {
    /// Name of the RegionTarget; null: all regions together.
    pub target: Option<String>,
    /// Length of a step in seconds; a longer run has longer steps.
    pub step_seconds: u32,
    /// Beginning of each step, in seconds since 1970-01-01 UTC, ascending. A sample belongs to the step in which it ended;
    /// a step without a sample may be left out.
    pub seconds: Vec<i64>,
    /// Requests that ended in the step, failed ones included, interrupted ones not.
    pub requests: Vec<u64>,
    /// Failed requests.
    pub errors: Vec<u64>,
    /// Requests that the stop cut off.
    pub interrupted: Vec<u64>,
    /// Bytes received; null where an engine does not tell them of every request.
    pub bytes: Vec<Option<u64>>,
    /// Mean number of active virtual users in the step, rounded; 0 where no engine reports any.
    pub users: Vec<u64>,
    /// Mean response time in microseconds, rounded half up; null without requests.
    pub average_us: Vec<Option<u64>>,
    /// Shortest response time in microseconds.
    pub min_us: Vec<Option<u64>>,
    /// Longest response time in microseconds.
    pub max_us: Vec<Option<u64>>,
    /// Percentiles, in steps of their own.
    pub percentiles: SeriesPercentiles,
}

/// Percentiles of a scope over time, column by column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeriesPercentiles {
    /// Length of a step in seconds, at least 10; while the run runs, at least that of the other columns.
    pub step_seconds: u32,
    /// Beginning of each step, in seconds since 1970-01-01 UTC, ascending. A step without requests is not there.
    pub seconds: Vec<i64>,
    /// Median in microseconds, nearest rank, within 1 %.
    pub p50_us: Vec<u64>,
    /// 95th percentile.
    pub p95_us: Vec<u64>,
    /// 99th percentile.
    pub p99_us: Vec<u64>,
}

/// The exact numbers of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResultDocument {
    /// Document version.
    #[schemars(with = "Version")]
    pub version: u32,
    /// Which run.
    pub run: RunIdentity,
    /// Digest of the LoadTest's definition (`v1:<hex>`).
    pub definition_digest: String,
    /// The judgement.
    pub verdict: Verdict,
    /// What each threshold says, in the order of the definition; empty: the test has none.
    #[serde(default)]
    pub thresholds: Vec<ThresholdFigures>,
    /// Why the load ended early, when it did.
    pub stopped: Option<StopReason>,
    /// The instant at which every gate was to open; null: the load never started.
    #[schemars(with = "Option<Instant>")]
    pub start_at: Option<Timestamp>,
    /// First to last sample; null: no sample.
    pub interval: Option<MeasuredInterval>,
    /// Most virtual users at the same time; null where no engine reports them.
    pub peak_users: Option<u64>,
    /// All regions together.
    pub totals: Figures,
    /// Workers of all regions.
    pub workers_total: WorkerCounts,
    /// By region, sorted by target.
    pub regions: Vec<RegionFigures>,
    /// By worker, sorted by target, index, pod.
    pub workers: Vec<WorkerResult>,
    /// By label, sorted by target (all regions first), then label. Every label of the run, up to 10,000 of each scope: of
    /// more, those with most errors and requests.
    pub labels: Vec<LabelFigures>,
    /// Error groups, most frequent first, then by label, code, message.
    pub errors: Vec<ErrorGroup>,
    /// The course over time: all regions together first, then by target. Empty where no worker uploaded one.
    #[serde(default)]
    pub series: Vec<SeriesFigures>,
    /// True: every planned worker measured its full time.
    pub complete: bool,
    /// What the workers of all regions cost, in millionths of a US dollar. Null where that of one region is.
    #[serde(default)]
    pub cost_micro_dollars: Option<u64>,
    /// What a reader should know, for people.
    pub warnings: Vec<String>,
}

/// Requests per second in thousandths, rounded half up; 0 where the interval is empty. Saturates at `u64::MAX`.
#[must_use]
pub fn rate_milli(requests: u64, interval_us: u64) -> u64 {
    divide_half_up(u128::from(requests) * 1_000_000_000, u128::from(interval_us))
}

/// `part` per million of `whole`, rounded half up; 0 where `whole` is 0. Saturates at `u64::MAX`.
#[must_use]
pub fn ratio_ppm(part: u64, whole: u64) -> u64 {
    divide_half_up(u128::from(part) * 1_000_000, u128::from(whole))
}

fn divide_half_up(dividend: u128, divisor: u128) -> u64 {
    if divisor == 0 {
        return 0;
    }
    u64::try_from((dividend + divisor / 2) / divisor).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_rounded_half_up_and_never_divide_by_zero() {
        assert_eq!(rate_milli(398, 1_000_000), 398_000);
        assert_eq!(rate_milli(1, 3_000_000), 333);
        assert_eq!(rate_milli(2, 3_000_000), 667);
        assert_eq!(rate_milli(5, 0), 0);
        assert_eq!(ratio_ppm(1, 8), 125_000);
        assert_eq!(ratio_ppm(0, 0), 0);
        assert_eq!(rate_milli(u64::MAX, 1), u64::MAX);
    }

    #[test]
    fn an_interval_of_clocks_that_run_backwards_is_empty() {
        let early: Timestamp = "2026-11-25T10:00:00Z".parse().unwrap();
        let late: Timestamp = "2026-11-25T10:00:01.5Z".parse().unwrap();
        assert_eq!(MeasuredInterval { from: early, to: late }.length_us(), 1_500_000);
        assert_eq!(MeasuredInterval { from: late, to: early }.length_us(), 0);
    }
}
