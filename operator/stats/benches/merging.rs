//! How fast the files of many workers become one result, beside the `hdrhistogram` crate with the same bytes.
//!
//! 1,000 workers with 100 labels each, successes and failures: 200,000 histograms. The files of 20 workers are made and
//! taken 50 times each, so that they fit into memory.

mod processor_time;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2Serializer};
use processor_time::ProcessorTime;
use volley_stats::histogram::{HIGHEST_US, LOWEST_US, SIGNIFICANT_DIGITS};
use volley_stats::series::{EncodedSeries, SeriesSum};
use volley_stats::{Collection, Histogram, Limits, Recorder, Sample, SampleKind, file};

const WORKERS: usize = 1_000;
const DIFFERENT_WORKERS: u64 = 20;
const LABELS: u64 = 100;
/// Samples of a label; one in ten fails.
const SAMPLES: u64 = 600;

/// What a worker measured in ten minutes: response times around 20 to 300 ms with a tail, in whole milliseconds.
fn worker(number: u64) -> Recorder {
    let mut recorder = Recorder::new(Limits::default());
    let mut random = 88_172_645_463_325_252_u64 + number;
    for count in 0..SAMPLES {
        for label in 0..LABELS {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let base = 20 + label + random % 64;
            let elapsed_us = 1_000 * (base * base / 20 + if random.is_multiple_of(100) { 2_000 } else { 0 });
            let end_us = 1_795_578_546_000_000 + i64::try_from(count * 1_000_000 + label).unwrap_or(0);
            let success = count % 10 > 0;
            recorder.record(
                0,
                &Sample {
                    kind: SampleKind::Request,
                    label: &format!("GET label {label}"),
                    start_us: end_us - i64::try_from(elapsed_us).unwrap_or(0),
                    end_us,
                    elapsed_us,
                    first_byte_us: Some(elapsed_us / 2),
                    connect_us: Some(1_000),
                    bytes: Some(637),
                    code: if success { "200" } else { "500" },
                    message: if success { "OK" } else { "Internal Server Error" },
                    success,
                    active_users: Some(20),
                },
            );
        }
    }
    recorder
}

fn merging(criterion: &mut Criterion<ProcessorTime>) {
    let parts: Vec<_> = (0..DIFFERENT_WORKERS).map(|number| worker(number).into_parts()).collect();
    let mut group = criterion.benchmark_group("1000_workers_of_100_labels");
    group.sample_size(10);

    let files: Vec<Vec<u8>> = parts.iter().map(|(collection, _)| file::encode(collection)).collect();
    group.bench_function("decode_merge_and_encode_collections", |bencher| {
        bencher.iter(|| {
            let mut sum = Collection::default();
            for bytes in files.iter().cycle().take(WORKERS) {
                let _ = file::merge_into(black_box(bytes), &mut sum);
            }
            file::encode(&sum)
        });
    });

    let histograms = histograms(&parts.iter().map(|(collection, _)| collection).collect::<Vec<_>>());
    group.bench_function("histograms_alone", |bencher| {
        bencher.iter(|| {
            let mut sums = vec![Histogram::new(); histograms[0].len()];
            for worker in histograms.iter().cycle().take(WORKERS) {
                for (sum, bytes) in sums.iter_mut().zip(worker) {
                    if let Ok(histogram) = Histogram::decode(black_box(bytes)) {
                        sum.merge(&histogram);
                    }
                }
            }
            sums.iter().map(Histogram::encode).collect::<Vec<_>>()
        });
    });
    group.bench_function("histograms_alone_with_the_hdrhistogram_crate", |bencher| {
        bencher.iter(|| with_the_crate(&histograms));
    });

    let series: Vec<Vec<u8>> = parts.iter().map(|(_, series)| series.encode()).collect();
    group.bench_function("decode_merge_and_encode_series", |bencher| {
        bencher.iter(|| {
            let mut sum = SeriesSum::default();
            for bytes in series.iter().cycle().take(WORKERS) {
                if let Ok(series) = EncodedSeries::read(black_box(bytes)) {
                    sum.add_encoded(&series);
                }
            }
            sum.finish().encode()
        });
    });
    group.finish();
}

/// The encoded histograms of each worker: successes and failures of each label.
fn histograms(workers: &[&Collection]) -> Vec<Vec<Vec<u8>>> {
    let of = |worker: &Collection| {
        let labels = worker.requests.values();
        let outcomes = labels.flat_map(|label| [&label.successes, &label.failures]);
        outcomes.map(|outcome| outcome.elapsed.histogram().encode()).collect()
    };
    workers.iter().map(|worker| of(worker)).collect()
}

fn with_the_crate(histograms: &[Vec<Vec<u8>>]) -> Vec<Vec<u8>> {
    let empty = || hdrhistogram::Histogram::<u64>::new_with_bounds(LOWEST_US, HIGHEST_US, SIGNIFICANT_DIGITS).ok();
    let mut sums: Vec<_> = (0..histograms[0].len()).filter_map(|_| empty()).collect();
    let mut deserializer = Deserializer::new();
    for worker in histograms.iter().cycle().take(WORKERS) {
        for (sum, bytes) in sums.iter_mut().zip(worker) {
            let histogram: Result<hdrhistogram::Histogram<u64>, _> = deserializer.deserialize(&mut bytes.as_slice());
            if let Ok(histogram) = histogram {
                let _ = sum.add(histogram);
            }
        }
    }
    let mut serializer = V2Serializer::new();
    let encoded = sums.iter().map(|sum| {
        let mut bytes = Vec::new();
        let _ = serializer.serialize(sum, &mut bytes);
        bytes
    });
    encoded.collect()
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(ProcessorTime);
    targets = merging
}
criterion_main!(benches);
