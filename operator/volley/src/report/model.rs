//! What a report says, whatever it was read from. Its JSON form is a documented interface: `docs/reference/report.schema.json`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use volley_api::load_test_run::{EndReason, Outcome, ThresholdsOutcome, Verdict};
use volley_stats::Percentile;
use volley_storage::documents::{self, MeasuredInterval, ThresholdFigures, WorkerCounts};

/// Version of the JSON form.
pub const VERSION: u32 = 1;

/// Requests per second in thousandths. In JSON a number of requests per second with up to three decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "f64", extend("minimum" = 0))]
pub struct Rate(pub u64);

impl Serialize for Rate {
    #[allow(
        clippy::cast_precision_loss,
        reason = "the shortest decimal of the quotient is the exact thousandth up to 2^53"
    )]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / 1000.0)
    }
}

/// Figures of a set of requests. Times are integer microseconds over successes and failures together. What the source
/// does not tell, or cannot tell for several files, is null.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// Requests, failed ones included, interrupted ones not.
    pub requests: u64,
    /// Failed requests.
    pub errors: u64,
    /// Requests that the stop of a run cut off; in no other figure.
    pub interrupted: u64,
    /// Requests per second over the measured interval of the whole report.
    pub request_rate: Option<Rate>,
    /// Bytes received; null where an engine does not tell them of every request (k6, Molotov).
    pub bytes: Option<u64>,
    /// Mean response time, rounded half up.
    pub average: Option<u64>,
    /// Shortest response time.
    pub min: Option<u64>,
    /// Longest response time.
    pub max: Option<u64>,
    /// Median, nearest rank; like all percentiles within 0.05 %, from final-stats XML within 1 ms + 0.1 %.
    pub p50: Option<u64>,
    /// 90th percentile.
    pub p90: Option<u64>,
    /// 95th percentile.
    pub p95: Option<u64>,
    /// 99th percentile.
    pub p99: Option<u64>,
    /// 99.9th percentile.
    pub p999: Option<u64>,
    /// Standard deviation of the response times (population), rounded half up.
    pub standard_deviation: Option<u64>,
    /// Mean time to connect, where it was measured.
    pub connect: Option<u64>,
    /// Mean time to the first byte, where it was measured.
    pub first_byte: Option<u64>,
    /// Requests by response code; an empty code is the key `none`.
    pub codes: BTreeMap<String, u64>,
}

impl From<documents::Figures> for Figures {
    fn from(figures: documents::Figures) -> Self {
        Self {
            requests: figures.requests,
            errors: figures.errors,
            interrupted: figures.interrupted,
            request_rate: Some(Rate(figures.request_rate_milli)),
            bytes: figures.bytes,
            average: figures.average_us,
            min: figures.min_us,
            max: figures.max_us,
            p50: figures.p50_us,
            p90: figures.p90_us,
            p95: figures.p95_us,
            p99: figures.p99_us,
            p999: figures.p999_us,
            standard_deviation: figures.standard_deviation_us,
            connect: figures.connect_average_us,
            first_byte: figures.first_byte_average_us,
            codes: figures.codes,
        }
    }
}

/// Figures of one label.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_field_names, reason = "the names of the JSON form")]
pub struct Label {
    /// The label.
    pub label: String,
    /// True: a transaction controller's row, which adds to no total.
    pub transaction: bool,
    /// True: there were more labels than are kept apart, so requests of this one may also be in `[other]`.
    pub lower_bound: bool,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// Failed requests with the same label, code and message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorGroup {
    /// The label; null where it was not kept apart.
    pub label: Option<String>,
    /// Response code as the engine writes it.
    pub code: String,
    /// The engine's words.
    pub message: String,
    /// How often.
    pub count: u64,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SourceKind {
    /// An engine's sample file.
    Samples,
    /// Statistics of a worker, or of several together, in Volley's own format.
    Histograms,
    /// Taurus' own summary.
    FinalStats,
    /// The `result.json` of a run.
    Result,
}

impl SourceKind {
    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Samples => "samples",
            Self::Histograms => "histograms",
            Self::FinalStats => "Taurus' final-stats XML",
            Self::Result => "result.json of a run",
        }
    }
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// Its path as given; `-` is standard input.
    pub file: String,
    /// What it is.
    pub kind: SourceKind,
    /// The engine that wrote it, for samples.
    pub engine: Option<String>,
    /// Requests and transactions in it, interrupted ones included; null where it does not say.
    pub samples: Option<u64>,
}

/// Instants between which something was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Interval {
    /// Start of the first request, RFC 3339 in UTC.
    #[schemars(with = "String")]
    pub from: Timestamp,
    /// End of the last request, RFC 3339 in UTC.
    #[schemars(with = "String")]
    pub to: Timestamp,
}

impl Interval {
    /// Its length in microseconds; 0 where the clocks run backwards.
    #[must_use]
    pub fn length_us(&self) -> u64 {
        u64::try_from(self.to.as_microsecond().saturating_sub(self.from.as_microsecond())).unwrap_or_default()
    }
}

impl From<MeasuredInterval> for Interval {
    fn from(interval: MeasuredInterval) -> Self {
        Self { from: interval.from, to: interval.to }
    }
}

/// Workers of a run or region. `complete + partial + lost` is the number of planned ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Workers {
    /// Workers that the plan asked for.
    pub planned: u32,
    /// Workers whose gate opened.
    pub started: u32,
    /// Of those: workers that began more than a second after the start instant.
    pub late: u32,
    /// Workers that measured their full time.
    pub complete: u32,
    /// Workers that measured less.
    pub partial: u32,
    /// Workers without any result.
    pub lost: u32,
}

impl From<WorkerCounts> for Workers {
    fn from(counts: WorkerCounts) -> Self {
        let WorkerCounts { planned, started, late, complete, partial, lost } = counts;
        Self { planned, started, late, complete, partial, lost }
    }
}

/// Figures of one region of a run.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_field_names, reason = "the names of the JSON form")]
pub struct Region {
    /// Name of the RegionTarget.
    pub target: String,
    /// AWS region.
    pub region: String,
    /// Why the run started without this region; null: it took part.
    pub left_out: Option<String>,
    /// Its workers.
    pub workers: Workers,
    /// What its workers cost on AWS Fargate, in millionths of a US dollar; null where that is not known.
    pub cost_micro_dollars: Option<u64>,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// What only a run of Volley has.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Namespace of the LoadTestRun.
    pub namespace: String,
    /// Name of the LoadTestRun.
    pub name: String,
    /// Uid of the LoadTestRun.
    pub uid: String,
    /// The judgement: `Passed`, `Failed`, `Inconclusive` or `NotJudged`.
    #[schemars(with = "String")]
    pub verdict: Verdict,
    /// Which workers the figures speak of.
    pub workers: Workers,
    /// What the workers of all regions cost on AWS Fargate, in millionths of a US dollar; null where that of one region is not known.
    pub cost_micro_dollars: Option<u64>,
    /// By region.
    pub regions: Vec<Region>,
}

/// Figures of one file of several whose percentiles cannot be merged.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileFigures {
    /// Its path as given.
    pub file: String,
    /// All its labels together.
    pub totals: Figures,
    /// By label.
    pub labels: Vec<Label>,
}

/// What thresholds mean together, of what ran to its end.
#[must_use]
pub fn verdict(thresholds: &[ThresholdFigures]) -> Verdict {
    let outcomes = thresholds.iter().map(|threshold| threshold.outcome);
    Outcome::of(EndReason::Completed, ThresholdsOutcome::of(outcomes)).verdict
}

/// A report.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Version of this form: 1.
    pub version: u32,
    /// What it is about, for people.
    pub title: String,
    /// The files that it was made from.
    pub sources: Vec<Source>,
    /// The run, where the source is its `result.json`.
    pub run: Option<Run>,
    /// What each threshold says: those of the run, or those that were given by `--threshold`. Numbers are in the unit of the metric, as
    /// in `result.json`.
    pub thresholds: Vec<ThresholdFigures>,
    /// The judgement: `Passed`, `Failed`, `Inconclusive` or `NotJudged`; null where files were reported without thresholds.
    #[schemars(with = "Option<String>")]
    pub verdict: Option<Verdict>,
    /// From the first to the last request; null where the source does not say or there was none.
    pub interval: Option<Interval>,
    /// Most virtual users at the same time: an upper bound, the sum over workers; null where it is not known.
    pub peak_users: Option<u64>,
    /// All requests together.
    pub totals: Figures,
    /// By label: requests in the order of their names, then transactions.
    pub labels: Vec<Label>,
    /// By file, where percentiles cannot be merged: several final-stats XML. Else empty.
    pub files: Vec<FileFigures>,
    /// Failed requests by label, code and message, most frequent first.
    pub errors: Vec<ErrorGroup>,
    /// What a reader should know, for people.
    pub warnings: Vec<String>,
}

impl Report {
    /// Judges by these thresholds instead of those that it has.
    pub(super) fn judge(&mut self, thresholds: Vec<ThresholdFigures>) {
        self.verdict = Some(verdict(&thresholds));
        self.thresholds = thresholds;
    }

    /// Whether the figures are Taurus' own instead of ours.
    #[must_use]
    pub fn is_taurus(&self) -> bool {
        self.sources.iter().any(|source| source.kind == SourceKind::FinalStats)
    }
}

/// What the plots of a page are drawn from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plots {
    /// Response time by percentile: all requests first, then labels.
    pub curves: Vec<Curve>,
    /// True: there is no curve of all requests, but one of each file.
    pub per_file: bool,
    /// Over time: all requests first.
    pub courses: Vec<Course>,
}

/// Response time by percentile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Curve {
    /// What it is of.
    pub name: String,
    /// Number of requests.
    pub count: u64,
    /// Percentiles with their response times in microseconds, ascending.
    pub points: Vec<(Percentile, u64)>,
}

/// Figures over time, column by column. Times are microseconds; null where a step has no request.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Course {
    /// What it is of.
    pub name: String,
    /// Length of a step in seconds.
    pub step: u64,
    /// Beginning of each step, in seconds since 1970-01-01 UTC, ascending. A step without a request may be left out.
    pub seconds: Vec<i64>,
    /// Requests that ended in the step.
    pub requests: Vec<u64>,
    /// Failed requests.
    pub errors: Vec<u64>,
    /// Bytes received; null where they are not known.
    pub bytes: Vec<Option<u64>>,
    /// Active users; null where they are not known.
    pub users: Vec<Option<u64>>,
    /// Mean response time.
    pub average: Vec<Option<u64>>,
    /// Shortest response time.
    pub min: Vec<Option<u64>>,
    /// Longest response time.
    pub max: Vec<Option<u64>>,
    /// Percentiles, in steps of their own; null where there are none.
    pub percentiles: Option<CoursePercentiles>,
}

/// Percentiles over time, column by column, in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CoursePercentiles {
    /// Length of a step in seconds.
    pub step: u64,
    /// Beginning of each step, in seconds since 1970-01-01 UTC, ascending.
    pub seconds: Vec<i64>,
    /// Median.
    pub p50: Vec<Option<u64>>,
    /// 95th percentile.
    pub p95: Vec<Option<u64>>,
    /// 99th percentile.
    pub p99: Vec<Option<u64>>,
}
