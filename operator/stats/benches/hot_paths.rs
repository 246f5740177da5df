//! How fast samples are recorded, merged, encoded and parsed.
//!
//! Times are those of the processor.

mod processor_time;

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use processor_time::ProcessorTime;
use volley_stats::{Collection, Engine, Histogram, Limits, Parser, Recorder, file, final_stats};

/// Durations around 20 to 150 ms with a tail, always the same.
fn durations_us() -> Vec<u64> {
    let mut state = 88_172_645_463_325_252_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        20_000 + state % 130_000 + if state.is_multiple_of(100) { 3_000_000 } else { 0 }
    })
    .take(100_000)
    .collect()
}

fn kpi_file(labels: u64) -> String {
    let mut text =
        "timeStamp,elapsed,label,responseCode,responseMessage,threadName,success,bytes,grpThreads,allThreads,\
                    Latency,Hostname,Connect\n"
            .to_owned();
    for (row, elapsed_us) in (0_u64..).zip(durations_us()) {
        let (stamp, elapsed, label) = (1_795_578_546_449 + row, elapsed_us / 1000, row % labels);
        let _ = writeln!(text, "{stamp},{elapsed},GET label {label},200,OK,s 1-1,true,637,2,2,{elapsed},vm,0");
    }
    text
}

/// What k6 writes for the same requests: nine rows each, and those of an iteration after every fourth.
fn k6_file(labels: u64) -> String {
    let mut text =
        "metric_name,timestamp,metric_value,check,error,error_code,expected_response,group,method,name,proto,\
                    scenario,service,status,subproto,tls_version,url,extra_tags,metadata\n"
            .to_owned();
    for (row, elapsed_us) in (0_u64..).zip(durations_us()) {
        let (stamp, label) = (1_795_578_546 + row / 1000, row % labels);
        let tags = format!("GET,GET label {label},HTTP/1.1,default,,200,,,GET label {label},,");
        let elapsed = format!("{}.{:03}123", elapsed_us / 1000, elapsed_us % 1000);
        for (metric, value) in [
            ("http_reqs", "1.000000"),
            ("http_req_duration", &elapsed),
            ("http_req_blocked", "0.004208"),
            ("http_req_connecting", "0.000000"),
            ("http_req_tls_handshaking", "0.000000"),
            ("http_req_sending", "0.015108"),
            ("http_req_waiting", &elapsed),
            ("http_req_receiving", "0.154328"),
            ("http_req_failed", "0.000000"),
        ] {
            let _ = writeln!(text, "{metric},{stamp},{value},,,,true,,{tags}");
        }
        if row % 4 == 3 {
            for metric in ["data_sent", "data_received", "iteration_duration", "iterations"] {
                let _ = writeln!(text, "{metric},{stamp},1.000000,,,,,,,,,default,,,,,,,");
            }
        }
    }
    text
}

fn recorded(engine: Engine, text: &str) -> Collection {
    let mut recorder = Recorder::new(Limits::default());
    let mut parser = Parser::new(engine);
    for piece in text.as_bytes().chunks(64 * 1024) {
        let _ = parser.push(piece, &mut |sample| recorder.record(0, &sample));
    }
    recorder.into_collection()
}

fn histograms(criterion: &mut Criterion<ProcessorTime>) {
    let durations = durations_us();
    let mut group = criterion.benchmark_group("histogram");
    group.throughput(Throughput::Elements(durations.len() as u64));
    group.bench_function("record", |bencher| {
        bencher.iter_batched_ref(
            Histogram::new,
            |histogram| durations.iter().for_each(|value| histogram.record(*value)),
            BatchSize::SmallInput,
        );
    });
    let mut full = Histogram::new();
    for value in &durations {
        full.record(*value);
    }
    let bytes = full.encode();
    group.throughput(Throughput::Elements(1));
    group.bench_function("merge", |bencher| {
        let mut sum = Histogram::new();
        bencher.iter(|| sum.merge(black_box(&full)));
    });
    group.bench_function("encode", |bencher| bencher.iter(|| black_box(&full).encode()));
    group.bench_function("decode", |bencher| bencher.iter(|| Histogram::decode(black_box(&bytes))));
    group.finish();
}

fn samples(criterion: &mut Criterion<ProcessorTime>) {
    for (name, engine, text) in [("jtl", Engine::JMeter, kpi_file(20)), ("k6", Engine::K6, k6_file(20))] {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function("parse", |bencher| {
            bencher.iter(|| {
                let mut sum = 0;
                let mut parser = Parser::new(engine);
                for piece in text.as_bytes().chunks(64 * 1024) {
                    let _ = parser.push(piece, &mut |sample| sum += sample.elapsed_us);
                }
                sum
            });
        });
        group.bench_function("parse_and_record", |bencher| bencher.iter(|| recorded(engine, &text)));
        group.finish();
    }
}

fn collections(criterion: &mut Criterion<ProcessorTime>) {
    let collection = recorded(Engine::JMeter, &kpi_file(200));
    let bytes = file::encode(&collection);
    let mut group = criterion.benchmark_group("collection_of_200_labels");
    group.bench_function("merge", |bencher| {
        let mut sum = Collection::default();
        bencher.iter(|| sum.merge(black_box(&collection)));
    });
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("encode", |bencher| bencher.iter(|| file::encode(black_box(&collection))));
    group.bench_function("decode", |bencher| bencher.iter(|| file::decode(black_box(&bytes))));
    group.finish();
    let report = include_bytes!("../tests/samples/final-stats-jmeter-5.5-errors-transactions.xml");
    let mut group = criterion.benchmark_group("final_stats");
    group.throughput(Throughput::Bytes(report.len() as u64));
    group.bench_function("read", |bencher| bencher.iter(|| final_stats::read(black_box(&report[..]))));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(ProcessorTime).sample_size(20);
    targets = histograms, collections, samples
}
criterion_main!(benches);
