//! What leaves the aggregator while a run runs: one frame for each live interval, and the course of the run so far for
//! readers who come late. The formats of IoT Core messages and of the aggregator's `GET /v1/frames` and `GET /v1/stream`.
//!
//! Neither is an object in the bucket. No floating point: counts and integer microseconds, as in `result.json`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::result::SeriesFigures;
use super::schema::FrameVersion;

/// Version of frames and courses that this release writes and reads.
pub const LIVE_FRAME_VERSION: u32 = 1;

/// Labels of a frame.
pub const FRAME_LABELS: usize = 20;
/// Error groups of a frame.
pub const FRAME_ERRORS: usize = 5;
/// Workers of a frame that are named because they are behind.
pub const FRAME_WORKERS_BEHIND: usize = 5;
/// Workers of a frame that are named because they are saturated.
pub const FRAME_WORKERS_SATURATED: usize = 5;
/// Regions of a frame: as many as a run has.
const FRAME_REGIONS: usize = 5;
/// Characters of a label or a message in a frame. With these bounds a frame stays below [`LiveFrame::MAX_BYTES`] even
/// where JSON writes each character as an escape of six bytes.
pub const FRAME_TEXT_CHARACTERS: usize = 200;

/// Figures of the requests that ended in the interval of a frame. Times are those of successes and failures together; they
/// are absent where there was no request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FrameFigures {
    /// Requests that ended in the interval, failed ones included, interrupted ones not.
    pub requests: u64,
    /// Failed requests.
    pub errors: u64,
    /// Mean response time in microseconds, rounded half up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_us: Option<u64>,
    /// Median in microseconds, nearest rank, within 0.05 % (like all percentiles).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_us: Option<u64>,
    /// 95th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_us: Option<u64>,
    /// 99th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_us: Option<u64>,
    /// Longest response time in microseconds, exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_us: Option<u64>,
}

/// All regions together, or one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FrameScope {
    /// Active virtual users in the last second of the interval; 0 where no engine reports them.
    pub users: u64,
    /// Bytes received; absent where an engine does not tell them of every request (k6, Molotov).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Figures of all its requests.
    #[serde(flatten)]
    pub figures: FrameFigures,
}

/// Figures of one label, all regions together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FrameLabel {
    /// The label, at most 200 characters of it.
    pub label: String,
    /// True: a transaction controller's row, which adds to no total.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub transaction: bool,
    /// Its figures.
    #[serde(flatten)]
    pub figures: FrameFigures,
}

/// Failed requests of the interval with the same label, code and message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FrameError {
    /// The label, at most 200 characters of it.
    pub label: String,
    /// Response code as the engine writes it, at most 200 characters of it.
    pub code: String,
    /// The engine's words, at most 200 characters of them.
    pub message: String,
    /// How often in the interval.
    pub count: u64,
}

/// A worker whose figures are missing in the interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FrameWorker {
    /// Name of the RegionTarget.
    pub target: String,
    /// Completion index.
    pub index: u32,
    /// The newest second that it has reported, since 1970-01-01 UTC; absent: none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<i64>,
}

/// How many workers the figures of a frame are of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FrameWorkers {
    /// Workers that were started and have not ended.
    pub expected: u32,
    /// Those of them that have reported the last second of the interval. What the others report later is in the series and
    /// in the result, not in a frame.
    pub reported: u32,
    /// The others, the one longest silent first, at most 5 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub behind: Vec<FrameWorker>,
}

/// A worker that is saturated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SaturatedWorker {
    /// Name of the RegionTarget.
    pub target: String,
    /// Completion index.
    pub index: u32,
    /// Use of the processor time that it may use, in parts per million; absent: not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ppm: Option<u64>,
    /// Share of the scheduler's periods in which its processor limit made it wait; absent: not measured, or there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled_ppm: Option<u64>,
    /// Use of its memory limit; absent: not measured, or there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_ppm: Option<u64>,
}

/// How loaded the workers are, by what each said last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FrameGenerators {
    /// Workers that say how loaded they are.
    pub measured: u32,
    /// Those of them that are saturated, so that response times may be theirs and not the target's.
    pub saturated: u32,
    /// The saturated ones, the most loaded first, at most 5 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named: Vec<SaturatedWorker>,
    /// The largest use by a worker of the processor time that it may use, in parts per million; absent: not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cpu_ppm: Option<u64>,
    /// The largest share of the scheduler's periods in which its processor limit made a worker wait; absent: not measured, or there is no
    /// limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_throttled_ppm: Option<u64>,
    /// The largest use by a worker of its memory limit; absent: not measured, or there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_memory_ppm: Option<u64>,
    /// Samples of earlier seconds that came in the interval, too late for the frames of their seconds. They are in the course and in the
    /// result.
    pub late_samples: u64,
}

/// What happened in one live interval of a run, merged over all workers. At most 100,000 bytes, normally below 5,000.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LiveFrame {
    /// Format version.
    #[serde(rename = "v")]
    #[schemars(with = "FrameVersion")]
    pub version: u32,
    /// Uid of the LoadTestRun.
    pub run: String,
    /// Number of the interval since 1970-01-01 UTC: `second` divided by `interval`, rounded down. So it follows from the
    /// second, whoever makes the frame; the same number again is a repetition, and a gap means that frames are missing.
    pub seq: i64,
    /// Last second of the interval, since 1970-01-01 UTC. A request belongs to the second in which it ended.
    pub second: i64,
    /// Length of the interval in seconds, 1 to 60.
    pub interval: u32,
    /// All regions together.
    pub totals: FrameScope,
    /// By region: the name of the RegionTarget.
    pub regions: BTreeMap<String, FrameScope>,
    /// The labels with most requests in the interval, at most 20, most requests first, then by name.
    pub labels: Vec<FrameLabel>,
    /// How many labels had a request in the interval.
    pub labels_total: u64,
    /// The most frequent errors of the interval, at most 5, most frequent first.
    pub errors: Vec<FrameError>,
    /// Whose figures these are.
    pub workers: FrameWorkers,
    /// How loaded they are.
    #[serde(default)]
    pub generators: FrameGenerators,
}

impl LiveFrame {
    /// Bytes of the largest frame. IoT Core takes at most 128 KiB (AWS General Reference, "AWS IoT Core message broker").
    pub const MAX_BYTES: usize = 100_000;

    /// Holds the bounds of a frame: cuts lists and texts. What was counted stays counted in the totals.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        while self.regions.len() > FRAME_REGIONS {
            self.regions.pop_last();
        }
        self.labels.truncate(FRAME_LABELS);
        self.errors.truncate(FRAME_ERRORS);
        self.workers.behind.truncate(FRAME_WORKERS_BEHIND);
        self.generators.named.truncate(FRAME_WORKERS_SATURATED);
        for label in &mut self.labels {
            cut(&mut label.label);
        }
        for error in &mut self.errors {
            cut(&mut error.label);
            cut(&mut error.code);
            cut(&mut error.message);
        }
        self
    }

    /// The frame as it is published: JSON without white space, fields in the order of the type.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which no frame of this type is.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }
}

/// How often frames have reached IoT Core.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Publishing {
    /// Frames that IoT Core took.
    pub published: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Frames that were never sent, because a newer one came first.
    pub skipped: u64,
    /// What the last failed attempt said, while no later one has succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A run from its first second on, for a reader who comes late.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LiveCourse {
    /// Format version.
    #[serde(rename = "v")]
    #[schemars(with = "FrameVersion")]
    pub version: u32,
    /// Uid of the LoadTestRun.
    pub run: String,
    /// Length of a live interval in seconds, 1 to 60.
    pub interval: u32,
    /// The course over time as in `result.json`: all regions together first, then by target. It has everything that has
    /// arrived, also what came too late for its frame. Empty before the first second is closed.
    pub series: Vec<SeriesFigures>,
    /// The newest frame; null before the first interval is over.
    pub last: Option<LiveFrame>,
    /// IoT Core; null where frames are not published there.
    pub publishing: Option<Publishing>,
}

/// Cuts a text to [`FRAME_TEXT_CHARACTERS`]; a cut one ends with `…`.
fn cut(text: &mut String) {
    if text.chars().nth(FRAME_TEXT_CHARACTERS).is_some()
        && let Some((end, _)) = text.char_indices().nth(FRAME_TEXT_CHARACTERS - 1)
    {
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::*;

    fn figures() -> impl Strategy<Value = FrameFigures> {
        let time = || proptest::option::of(any::<u64>());
        (any::<[u64; 2]>(), time(), time(), time(), time(), time()).prop_map(
            |([requests, errors], average_us, p50_us, p95_us, p99_us, max_us)| FrameFigures {
                requests,
                errors,
                average_us,
                p50_us,
                p95_us,
                p99_us,
                max_us,
            },
        )
    }

    fn scope() -> impl Strategy<Value = FrameScope> {
        (any::<u64>(), proptest::option::of(any::<u64>()), figures()).prop_map(|(users, bytes, figures)| FrameScope {
            users,
            bytes,
            figures,
        })
    }

    /// Texts of strangers: any characters, and those that JSON writes longest.
    fn text() -> impl Strategy<Value = String> {
        prop_oneof![".{0,300}", "\u{1}{0,400}", "🦀{150,250}"]
    }

    fn frame() -> impl Strategy<Value = LiveFrame> {
        let label = (text(), any::<bool>(), figures()).prop_map(|(label, transaction, figures)| FrameLabel {
            label,
            transaction,
            figures,
        });
        let error = (text(), text(), text(), any::<u64>()).prop_map(|(label, code, message, count)| FrameError {
            label,
            code,
            message,
            count,
        });
        let worker = ("[a-z]{1,15}", any::<u32>(), any::<Option<i64>>())
            .prop_map(|(target, index, second)| FrameWorker { target, index, second });
        let saturated = ("[a-z]{1,15}", any::<u32>(), any::<[Option<u64>; 3]>()).prop_map(
            |(target, index, [cpu_ppm, throttled_ppm, memory_ppm])| SaturatedWorker {
                target,
                index,
                cpu_ppm,
                throttled_ppm,
                memory_ppm,
            },
        );
        let generators = (any::<[u32; 2]>(), vec(saturated, 0..10), any::<[Option<u64>; 3]>(), any::<u64>()).prop_map(
            |([measured, saturated], named, [max_cpu_ppm, max_throttled_ppm, max_memory_ppm], late_samples)| {
                FrameGenerators {
                    measured,
                    saturated,
                    named,
                    max_cpu_ppm,
                    max_throttled_ppm,
                    max_memory_ppm,
                    late_samples,
                }
            },
        );
        (
            any::<(i64, i64, u32, u64)>(),
            scope(),
            btree_map("[a-z]{1,15}", scope(), 0..7),
            vec(label, 0..30),
            vec(error, 0..10),
            (any::<u32>(), any::<u32>(), vec(worker, 0..10), generators),
        )
            .prop_map(|((seq, second, interval, labels_total), totals, regions, labels, errors, workers)| {
                let (expected, reported, behind, generators) = workers;
                LiveFrame {
                    version: LIVE_FRAME_VERSION,
                    run: "11111111-2222-4333-8444-555555555555".into(),
                    seq,
                    second,
                    interval,
                    totals,
                    regions,
                    labels,
                    labels_total,
                    errors,
                    workers: FrameWorkers { expected, reported, behind },
                    generators,
                }
            })
    }

    proptest! {
        #[test]
        fn no_frame_is_larger_than_its_bound_and_each_reads_back(frame in frame()) {
            let frame = frame.bounded();
            let bytes = frame.encode().unwrap();
            prop_assert!(bytes.len() <= LiveFrame::MAX_BYTES, "{} bytes", bytes.len());
            prop_assert_eq!(serde_json::from_slice::<LiveFrame>(&bytes).unwrap(), frame);
        }
    }

    /// The largest frame that is usual: five regions, twenty labels of twenty characters, five errors, times below ten seconds.
    #[test]
    fn a_usual_frame_is_below_five_thousand_bytes() {
        let time = Some(9_999_999);
        let figures = |requests| FrameFigures {
            requests,
            errors: requests / 100,
            average_us: time,
            p50_us: time,
            p95_us: time,
            p99_us: time,
            max_us: time,
        };
        let scope = |requests| FrameScope { users: 5_000, bytes: Some(requests * 30_000), figures: figures(requests) };
        let regions = ["ap-southeast-1", "ca-central-1", "eu-central-1", "us-east-1", "us-west-2"];
        let frame = LiveFrame {
            version: LIVE_FRAME_VERSION,
            run: "11111111-2222-4333-8444-555555555555".into(),
            seq: 1_800_000_000,
            second: 1_800_000_000,
            interval: 1,
            totals: scope(10_000),
            regions: regions.iter().map(|target| ((*target).to_owned(), scope(2_000))).collect(),
            labels: (0..20)
                .map(|number| FrameLabel {
                    label: format!("checkout-payment-{number:03}"),
                    transaction: false,
                    figures: figures(500),
                })
                .collect(),
            labels_total: 20,
            errors: (0..5)
                .map(|number| FrameError {
                    label: format!("checkout-payment-{number:03}"),
                    code: "503".into(),
                    message: "Service Unavailable".into(),
                    count: 20,
                })
                .collect(),
            workers: FrameWorkers { expected: 1_000, reported: 1_000, behind: vec![] },
            generators: FrameGenerators {
                measured: 1_000,
                max_cpu_ppm: Some(815_000),
                max_throttled_ppm: Some(112_345),
                max_memory_ppm: Some(512_345),
                ..FrameGenerators::default()
            },
        };
        let bytes = frame.encode().unwrap().len();
        assert!(bytes < 5_000, "{bytes} bytes");
    }

    #[test]
    fn a_long_label_is_cut_to_whole_characters() {
        let mut label = "ä".repeat(FRAME_TEXT_CHARACTERS);
        cut(&mut label);
        assert_eq!(label, "ä".repeat(FRAME_TEXT_CHARACTERS));
        label.push('b');
        cut(&mut label);
        assert_eq!(label, "ä".repeat(FRAME_TEXT_CHARACTERS - 1) + "…");
    }
}
