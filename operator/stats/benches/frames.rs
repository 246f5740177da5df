//! What live figures cost: collecting them beside the result at a worker, and adding up the frames of 500 workers.

use std::collections::HashMap;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use volley_stats::frame::{EncodedFrame, Responses};
use volley_stats::series::LiveSeries;
use volley_stats::{FrameRecorder, Limits, Recorder, Sample, SampleKind};

const WORKERS: usize = 500;
const DIFFERENT_WORKERS: u64 = 20;
const LABELS: u64 = 50;
/// Requests of a worker in a second.
const SAMPLES: u64 = 1_000;
const FIRST: i64 = 1_795_578_546;

/// Hands the samples of some seconds to `record`: response times of 20 to 150 ms, one in a hundred 3 s longer.
fn samples(worker: u64, seconds: i64, mut record: impl FnMut(&Sample<'_>)) {
    let labels: Vec<String> = (0..LABELS).map(|label| format!("GET label {label}")).collect();
    let mut random = 88_172_645_463_325_252_u64 + worker;
    for second in 0..seconds {
        for (number, label) in (0..SAMPLES).zip(labels.iter().cycle()) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let elapsed_us = 1_000 * (20 + random % 130 + if random.is_multiple_of(100) { 3_000 } else { 0 });
            let end_us = (FIRST + second) * 1_000_000 + i64::try_from(number * 1_000).unwrap_or(0);
            record(&Sample {
                kind: SampleKind::Request,
                label,
                start_us: end_us - i64::try_from(elapsed_us).unwrap_or(0),
                end_us,
                elapsed_us,
                first_byte_us: Some(elapsed_us / 2),
                connect_us: Some(1_000),
                bytes: Some(637),
                code: "200",
                message: "OK",
                success: true,
                active_users: Some(20),
            });
        }
    }
}

fn frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a_worker_of_1000_samples_a_second");
    group.throughput(Throughput::Elements(SAMPLES * 10));
    group.bench_function("result_alone", |bencher| {
        bencher.iter_with_large_drop(|| {
            let mut recorder = Recorder::new(Limits::default());
            samples(0, 10, |sample| recorder.record(0, sample));
            recorder
        });
    });
    group.bench_function("result_and_frames", |bencher| {
        bencher.iter_with_large_drop(|| {
            let (mut recorder, mut frames) = (Recorder::new(Limits::default()), FrameRecorder::new());
            frames.begin(FIRST);
            let mut told = 0;
            samples(0, 10, |sample| {
                if let Some(frame) = (sample.second() > FIRST).then(|| frames.close(sample.second() - 1)).flatten() {
                    told += frame.encode().len();
                }
                recorder.record(0, sample);
                frames.record(0, sample);
            });
            (recorder, told)
        });
    });
    group.finish();

    let encoded: Vec<Vec<u8>> = (0..DIFFERENT_WORKERS)
        .filter_map(|worker| {
            let mut recorder = FrameRecorder::new();
            recorder.begin(FIRST);
            samples(worker, 1, |sample| recorder.record(0, sample));
            recorder.close(FIRST).map(|frame| frame.encode())
        })
        .collect();
    let bytes: usize = encoded.iter().cycle().take(WORKERS).map(Vec::len).sum();
    let mut group = criterion.benchmark_group("a_second_of_500_workers_of_50_labels");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("read_and_add_up", |bencher| {
        bencher.iter_with_large_drop(|| {
            let mut sums: HashMap<String, Responses> = HashMap::new();
            for frame in encoded.iter().cycle().take(WORKERS) {
                let Ok(frame) = EncodedFrame::read(black_box(frame)) else { continue };
                for row in frame.seconds.iter().flat_map(|second| &second.rows) {
                    row.responses.merge_into(sums.entry(row.name.to_owned()).or_default());
                }
            }
            let (mut totals, mut series) = (Responses::default(), LiveSeries::new(["here"]));
            for responses in sums.values() {
                totals.merge(responses);
            }
            series.add("here", FIRST, 500, &totals);
            (sums, series)
        });
    });
    group.finish();
}

criterion_group!(benches, frames);
criterion_main!(benches);
