//! How fast a worker turns its sample file into statistics and series: parsing and recording, by number of labels.

mod processor_time;

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use processor_time::ProcessorTime;
use volley_stats::{Engine, Limits, Parser, Recorder};

/// Rows of the file: at 5,000 a second, 40 seconds.
const ROWS: u64 = 200_000;

/// A JMeter file with that many labels in turn. Response times are 20 to 150 ms, one in a hundred 3 s longer.
fn kpi_file(labels: u64, outcome: &str) -> String {
    let mut text =
        "timeStamp,elapsed,label,responseCode,responseMessage,threadName,success,bytes,grpThreads,allThreads,\
                    Latency,Hostname,Connect\n"
            .to_owned();
    let mut random = 88_172_645_463_325_252_u64;
    for row in 0..ROWS {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let elapsed = 20 + random % 130 + if random.is_multiple_of(100) { 3_000 } else { 0 };
        let (stamp, label, thread) = (1_795_578_546_449 + row / 5 - elapsed, row % labels, row % 50);
        let _ = writeln!(
            text,
            "{stamp},{elapsed},GET label {label},{outcome},s 1-{thread},{},637,50,50,{elapsed},vm,0",
            outcome.starts_with("200")
        );
    }
    text
}

fn parse_and_record(text: &str) -> Recorder {
    let mut recorder = Recorder::new(Limits::default());
    let mut parser = Parser::new(Engine::JMeter);
    for piece in text.as_bytes().chunks(64 * 1024) {
        let _ = parser.push(piece, &mut |sample| recorder.record(0, &sample));
    }
    recorder
}

fn recording(criterion: &mut Criterion<ProcessorTime>) {
    let mut group = criterion.benchmark_group("parse_and_record_jtl");
    group.sample_size(20);
    for labels in [10, 200, 10_000] {
        let text = kpi_file(labels, "200,OK");
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(format!("{labels}_labels"), |bencher| {
            bencher.iter_with_large_drop(|| parse_and_record(&text));
        });
    }
    let text = kpi_file(10, "500,Internal Server Error");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("10_labels_all_failing", |bencher| bencher.iter_with_large_drop(|| parse_and_record(&text)));
    group.finish();

    let text = kpi_file(10, "200,OK");
    let mut group = criterion.benchmark_group("jtl");
    group.sample_size(20);
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("parse", |bencher| {
        bencher.iter(|| {
            let mut sum = 0;
            let mut parser = Parser::new(Engine::JMeter);
            for piece in text.as_bytes().chunks(64 * 1024) {
                let _ = parser.push(piece, &mut |sample| sum += sample.elapsed_us);
            }
            sum
        });
    });
    group.finish();

    let mut recorder = parse_and_record(&kpi_file(200, "200,OK"));
    let checkpoint = recorder.checkpoint();
    let mut group = criterion.benchmark_group("checkpoint_of_200_labels");
    group.throughput(Throughput::Bytes(checkpoint.len() as u64));
    group.bench_function("store", |bencher| bencher.iter(|| black_box(&mut recorder).checkpoint()));
    group.bench_function("restore", |bencher| bencher.iter(|| Recorder::restore(black_box(&checkpoint))));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(ProcessorTime);
    targets = recording
}
criterion_main!(benches);
