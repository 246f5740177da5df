//! Random durations and samples.

use proptest::prelude::*;
use volley_stats::series::Bounds;
use volley_stats::{Limits, Recorder, Sample, SampleKind};

/// Durations in microseconds of every order of magnitude, and the whole milliseconds that engines write.
pub(crate) fn duration_us() -> impl Strategy<Value = u64> {
    prop_oneof![
        (0_u32..37, any::<u64>()).prop_map(|(exponent, random)| {
            let power = 1_u64 << exponent;
            power + random % power
        }),
        (0_u64..2_000).prop_map(|milliseconds| milliseconds * 1000),
        Just(0),
        Just(1 << 37),
    ]
}

/// A sample that owns its texts.
#[derive(Debug, Clone)]
pub(crate) struct OwnedSample {
    pub(crate) kind: SampleKind,
    pub(crate) label: String,
    pub(crate) start_us: i64,
    pub(crate) elapsed_us: u64,
    pub(crate) first_byte_us: Option<u64>,
    pub(crate) bytes: Option<u64>,
    pub(crate) code: &'static str,
    pub(crate) message: &'static str,
    pub(crate) success: bool,
    pub(crate) active_users: Option<u32>,
}

impl OwnedSample {
    pub(crate) fn borrow(&self) -> Sample<'_> {
        Sample {
            kind: self.kind,
            label: &self.label,
            start_us: self.start_us,
            end_us: self.start_us + i64::try_from(self.elapsed_us).unwrap(),
            elapsed_us: self.elapsed_us,
            first_byte_us: self.first_byte_us,
            connect_us: self.first_byte_us.map(|first_byte_us| first_byte_us / 3),
            bytes: self.bytes,
            code: self.code,
            message: self.message,
            success: self.success,
            active_users: self.active_users,
        }
    }
}

/// A duration beyond what is kept apart.
pub(crate) const BEYOND_US: u64 = 1 << 40;

/// When the stop came in the tests that have one: in the middle of the start times that are generated.
pub(crate) const STOP_US: i64 = 1_795_578_546_000_000;

pub(crate) fn sample() -> impl Strategy<Value = OwnedSample> {
    let kind = prop_oneof![5 => Just(SampleKind::Request), 1 => Just(SampleKind::Transaction)];
    let outcome = prop_oneof![
        6 => Just((true, "200", "OK")),
        1 => Just((false, "500", "Internal Server Error")),
        1 => Just((false, "404", "Not Found, \"really\"")),
        1 => Just((false, "SocketException", "Socket closed")),
        1 => Just((false, "SocketTimeoutException", "Read timed out")),
    ];
    let label = prop_oneof![4 => "[a-d]", 1 => "\\PC{1,12}"];
    let start_us = STOP_US - 3_000_000..STOP_US + 3_000_000;
    let first_byte_us = proptest::option::of(0_u64..1_000_000);
    let users = proptest::option::of(1_u32..500);
    let elapsed_us = prop_oneof![20 => duration_us(), 1 => Just(BEYOND_US)];
    let bytes = proptest::option::weighted(0.95, 0_u64..1_000_000);
    (kind, label, start_us, elapsed_us, first_byte_us, bytes, outcome, users).prop_map(
        |(kind, label, start_us, elapsed_us, first_byte_us, bytes, (success, code, message), active_users)| {
            OwnedSample {
                kind,
                label,
                start_us,
                elapsed_us,
                first_byte_us,
                bytes,
                code,
                message,
                success,
                active_users,
            }
        },
    )
}

/// Samples as a load test has them: few labels, hundreds of samples in the same seconds, nearly all alike.
pub(crate) fn dense_samples(most: usize) -> impl Strategy<Value = Vec<OwnedSample>> {
    let outcome = prop_oneof![
        30 => Just((true, "200")),
        2 => Just((true, "302")),
        1 => Just((true, "")),
        2 => Just((false, "500")),
        1 => Just((false, "SocketTimeoutException")),
    ];
    let kind = prop_oneof![9 => Just(SampleKind::Request), 1 => Just(SampleKind::Transaction)];
    // 25 seconds, mostly in their order.
    let jitter_us = -1_500_000_i64..1_500_000;
    let sample = (kind, 0_u8..3, jitter_us, duration_us(), outcome);
    proptest::collection::vec(sample, 0..most).prop_map(move |drawn| {
        let step_us = 25_000_000 / i64::try_from(drawn.len().max(1)).unwrap();
        let samples = (0_i64..).zip(drawn).map(|(place, (kind, label, jitter_us, elapsed_us, (success, code)))| {
            let end_us = STOP_US + place * step_us + jitter_us;
            OwnedSample {
                kind,
                label: format!("label {label}"),
                start_us: end_us - i64::try_from(elapsed_us).unwrap(),
                elapsed_us,
                first_byte_us: elapsed_us.is_multiple_of(2).then_some(elapsed_us / 2),
                bytes: (elapsed_us % 1_000 > 0).then_some(elapsed_us % 1_000),
                code,
                message: "",
                success,
                active_users: None,
            }
        });
        samples.collect()
    })
}

pub(crate) fn samples(most: usize) -> impl Strategy<Value = Vec<OwnedSample>> {
    proptest::collection::vec(sample(), 0..most)
}

/// Records samples as one execution of a worker that was stopped at [`STOP_US`].
pub(crate) fn record(samples: &[OwnedSample], limits: Limits) -> volley_stats::Collection {
    let mut recorder = Recorder::new(limits);
    recorder.stop_at(STOP_US);
    for sample in samples {
        recorder.record(0, &sample.borrow());
    }
    recorder.into_collection()
}

/// Limits that a few dozen random samples exceed.
pub(crate) const TIGHT: Limits = Limits {
    labels: 3,
    error_groups: 2,
    codes_per_label: 2,
    label_bytes: 8,
    message_bytes: 10,
    series: Bounds::WORKER,
};
