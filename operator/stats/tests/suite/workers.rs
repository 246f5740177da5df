//! Percentiles and series of up to 2,000 workers against sorting all samples, for the usual and the unusual shapes of
//! response times.

use proptest::prelude::*;
use proptest::sample::Index;
use volley_stats::series::{EncodedSeries, SeriesSum};
use volley_stats::{Collection, Limits, Percentile, Recorder, SampleKind, Series, file};

use crate::generators::OwnedSample;

/// How response times are distributed.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Constant(u64),
    Uniform,
    Lognormal,
    Bimodal,
    HeavyTail,
    UpToTwoHours,
}

impl Shape {
    /// The response time in microseconds that a number from 0 to 2⁶⁴ − 1 stands for.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "durations are positive and small")]
    fn duration_us(self, random: u64) -> u64 {
        let unit = (random >> 11) as f64 / (1_u64 << 53) as f64;
        match self {
            Self::Constant(duration_us) => duration_us,
            Self::Uniform => random % 500_000,
            // The sum of 12 uniform numbers of 5 bits is near enough to a normal one.
            Self::Lognormal => {
                let normal = (0..12).map(|place| (random >> (5 * place) & 31) as f64 / 31.0).sum::<f64>() - 6.0;
                (60_000.0 * (0.7 * normal).exp()) as u64
            }
            Self::Bimodal if random.is_multiple_of(10) => 5_000_000 + random % 300_000,
            Self::Bimodal => 30_000 + random % 5_000,
            Self::HeavyTail => (10_000.0 / (1.0 - unit).powf(1.0 / 1.1)).min(1e11) as u64,
            Self::UpToTwoHours => (unit * 7_200e6) as u64,
        }
    }
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        (0_u64..10_000_000_000).prop_map(Shape::Constant),
        Just(Shape::Uniform),
        Just(Shape::Lognormal),
        Just(Shape::Bimodal),
        Just(Shape::HeavyTail),
        Just(Shape::UpToTwoHours),
    ]
}

/// Response times of each worker: usually a handful of workers with many, sometimes 2,000 with few, and one or none.
fn workers() -> impl Strategy<Value = Vec<Vec<u64>>> {
    let sizes = prop_oneof![
        6 => (1_usize..6, 0_usize..400),
        2 => (100_usize..=2_000, 0_usize..4),
        1 => Just((2_000, 1)),
        1 => Just((1, 1)),
        1 => Just((3, 0)),
    ];
    (shape(), sizes, any::<u64>()).prop_map(|(shape, (workers, most), seed)| {
        let mut state = seed | 1;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.wrapping_mul(0x2545_f491_4f6c_dd1d)
        };
        let mut worker = || {
            let samples = if most > 1 { usize::try_from(random() % (most as u64 + 1)).unwrap() } else { most };
            (0..samples).map(|_| shape.duration_us(random())).collect()
        };
        (0..workers).map(|_| worker()).collect()
    })
}

fn recorded(durations_us: &[u64]) -> (Vec<u8>, Vec<u8>) {
    let mut recorder = Recorder::new(Limits::default());
    for (place, elapsed_us) in (0_i64..).zip(durations_us) {
        let sample = OwnedSample {
            kind: SampleKind::Request,
            label: format!("label {}", place % 3),
            start_us: 1_795_578_546_000_000 + place * 250_000,
            elapsed_us: *elapsed_us,
            first_byte_us: None,
            bytes: Some(637),
            code: "200",
            message: "OK",
            success: true,
            active_users: Some(1),
        };
        recorder.record(0, &sample.borrow());
    }
    let (collection, series) = recorder.into_parts();
    (file::encode(&collection), series.encode())
}

fn merged<'a>(files: impl Iterator<Item = &'a (Vec<u8>, Vec<u8>)>) -> (Collection, Series) {
    let (mut collection, mut series) = (Collection::default(), SeriesSum::default());
    for (histograms, points) in files {
        collection.merge(&file::decode(histograms).unwrap());
        series.add_encoded(&EncodedSeries::read(points).unwrap());
    }
    (collection, series.finish())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn percentiles_of_all_workers_are_those_of_all_samples_in_any_order_of_merging(
        workers in workers(), asked in proptest::collection::vec(0_u32..=100_000, 1..8), split in any::<Index>(),
    ) {
        let files: Vec<_> = workers.iter().map(|worker| recorded(worker)).collect();
        let (collection, series) = merged(files.iter());
        let mut all = workers.concat();
        all.sort_unstable();
        let total = collection.total().together().elapsed;
        prop_assert_eq!(total.count(), all.len() as u64);
        prop_assert_eq!((total.minimum_us(), total.maximum_us()), (all.first().copied(), all.last().copied()));
        prop_assert_eq!(total.sum_us(), all.iter().map(|value| u128::from(*value)).sum::<u128>());
        for thousandths in asked.into_iter().chain([0, 50_000, 90_000, 95_000, 99_000, 99_900, 99_999, 100_000]) {
            let text = format!("p{}.{:03}", thousandths / 1_000, thousandths % 1_000);
            let published = total.percentile(text.parse::<Percentile>().unwrap());
            // The first value that at least p percent of all are at or below.
            let exact = all.iter().enumerate().find(|(place, _)| {
                (*place as u128 + 1) * 100_000 >= u128::from(thousandths) * all.len() as u128
            });
            prop_assert_eq!(published.is_some(), exact.is_some());
            if let Some((published, (_, exact))) = published.zip(exact) {
                prop_assert!(published.abs_diff(*exact) * 2_000 <= *exact, "{text}: {published} instead of {exact}");
            }
        }
        let requests: u64 = series.points().map(|point| point.figures.requests).sum();
        prop_assert_eq!(requests, all.len() as u64);

        // Backwards, and as two groups that are merged afterwards.
        let backwards = merged(files.iter().rev());
        let (left, right) = files.split_at(split.index(files.len() + 1));
        let groups: Vec<_> = [right, left]
            .map(|group| merged(group.iter()))
            .iter()
            .map(|(collection, series)| (file::encode(collection), series.encode()))
            .collect();
        let grouped = merged(groups.iter());
        let (histograms, points) = (file::encode(&collection), series.encode());
        for (other, other_series) in [backwards, grouped] {
            prop_assert!(file::encode(&other) == histograms, "the collections differ");
            prop_assert!(other_series.encode() == points, "the series differ");
        }
    }
}
