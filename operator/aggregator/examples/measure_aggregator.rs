//! Measures what aggregating a run takes: seconds, processor and peak memory of the aggregator's process, and beside it how
//! long the `hdrhistogram` crate takes to decode and add the same histograms.
//!
//! ```text
//! cargo run --release -p volley-aggregator --example measure_aggregator -- [WORKERS] [LABELS] [REGIONS] [SAMPLES]
//! ```
//!
//! Each worker measures SAMPLES successes and a tenth as many failures of each label. This process makes the objects of the
//! run and is its storage (real protocols over 127.0.0.1); aggregator and comparison are children of their own, so that only
//! they are measured.

#![expect(clippy::print_stdout, reason = "the figures are the purpose of this program")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Instant;

use futures::{StreamExt, TryStreamExt, stream};
use hdrhistogram::Histogram as CrateHistogram;
use hdrhistogram::serialization::Deserializer;
use jiff::Timestamp;
use tokio::process::Command;
use volley_aggregator::Settings;
use volley_aggregator::feed::Outlets;
use volley_aggregator::gather::{SERIES, STATISTICS};
use volley_stats::{Collection, Histogram, LabelStatistics, Limits, Recorder, Sample, SampleKind};
use volley_storage::documents::{
    CloseDecision, ClosedWorker, Counters, DOCUMENT_VERSION, Definition, LateWorkers, Load, Manifest, ObjectDigest,
    StartDecision,
};
use volley_storage::embedded::Server;
use volley_storage::keys::{self, WorkerAttempt};
use volley_storage::objects::{PutOptions, encode_document, sha256_hex};
use volley_storage::{KeyPair, ObjectStore, ResultStore, StorageSettings};

type Outcome<T> = Result<T, Box<dyn Error>>;

const RUN_UID: &str = "measured-run";
/// Says to this program which child it is.
const CHILD: &str = "VOLLEY_MEASURED";
/// Folder with the workers' statistics for the comparison.
const FOLDER: &str = "VOLLEY_MEASURED_FOLDER";
/// Workers for the comparison.
const WORKERS: &str = "VOLLEY_MEASURED_WORKERS";
/// Different workers; further ones upload the same again.
const VARIANTS: usize = 8;
/// Uploads at the same time.
const UPLOADS: usize = 16;
/// When the load of the measured run starts, in seconds since 1970.
const START_S: i64 = 1_800_000_000;
/// Clock ticks a second in /proc (`getconf CLK_TCK`; 100 on every Linux that Rust supports).
const TICKS_PER_SECOND: f64 = 100.0;

#[tokio::main]
async fn main() -> Outcome<()> {
    match std::env::var(CHILD).as_deref() {
        Ok("aggregator") => return aggregate().await,
        Ok("comparison") => return compare(),
        _ => {}
    }
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: usize| arguments.next().map_or(Ok(default), |text| text.parse());
    let (workers, labels, regions, samples) = (argument(1_000)?, argument(100)?, argument(2)?, argument(200)?);
    let place = tempfile::tempdir()?;
    fs::create_dir_all(place.path().join("workers"))?;
    let variants: Vec<Uploaded> = (0..VARIANTS.min(workers)).map(|seed| uploaded(seed, labels, samples)).collect();
    for (number, variant) in variants.iter().enumerate() {
        fs::write(place.path().join(format!("workers/{number}")), &variant.statistics)?;
    }
    let size = variants.iter().map(|variant| variant.statistics.len()).max().unwrap_or_default();
    let series = variants.iter().map(|variant| variant.series.len()).max().unwrap_or_default();
    println!(
        "{workers} workers in {regions} regions, {labels} labels, {samples} successes and {} failures each",
        samples / 10
    );
    println!("a worker uploads {size} bytes of statistics and {series} bytes of series");

    let storage = Server::start_on_free_ports(&place.path().join("data")).await?;
    upload(&storage, workers, regions, &variants).await?;
    let settings = storage.storage_settings();
    let key = storage.root_keys();
    child("aggregator", workers, place.path(), |command| {
        command
            .env("VOLLEY_BUCKET", &settings.bucket)
            .env("VOLLEY_TABLE", &settings.table)
            .env("VOLLEY_S3_ENDPOINT", settings.s3_endpoint.clone().unwrap_or_default())
            .env("VOLLEY_DYNAMODB_ENDPOINT", settings.dynamodb_endpoint.clone().unwrap_or_default())
            .env("AWS_REGION", &settings.region)
            .env("AWS_ACCESS_KEY_ID", &key.access_key)
            .env("AWS_SECRET_ACCESS_KEY", &key.secret_key);
    })
    .await?;
    child("comparison", workers, place.path(), |_| {}).await
}

async fn child(kind: &str, workers: usize, folder: &Path, more: impl FnOnce(&mut Command)) -> Outcome<()> {
    let mut command = Command::new(std::env::current_exe()?);
    command.env(CHILD, kind).env(FOLDER, folder.join("workers")).env(WORKERS, workers.to_string()).kill_on_drop(true);
    more(&mut command);
    let status = command.status().await?;
    if status.success() { Ok(()) } else { Err(format!("the child {kind} ended with {status}").into()) }
}

/// The child that is measured: all that `volley aggregator` does but for the status of the run.
async fn aggregate() -> Outcome<()> {
    let say_phases = tracing_subscriber::EnvFilter::new("warn,volley_aggregator=info");
    tracing_subscriber::fmt().with_env_filter(say_phases).without_time().with_target(false).with_ansi(false).init();
    let storage = StorageSettings::from_env()?;
    let key = KeyPair {
        access_key: std::env::var("AWS_ACCESS_KEY_ID")?,
        secret_key: std::env::var("AWS_SECRET_ACCESS_KEY")?,
    };
    let (objects, results) = (ObjectStore::with_key(&storage, &key), ResultStore::with_key(&storage, &key));
    let began = Instant::now();
    let settings = Settings { run_uid: RUN_UID.into(), patience: None, outlets: Outlets::default() };
    let aggregated = volley_aggregator::run(settings, objects, results, None, std::future::pending()).await?;
    let document = &aggregated.document;
    println!("aggregated {} requests, {} rows of labels", document.totals.requests, document.labels.len());
    println!("whole run: {:.2} s, {:.2} s of processor", began.elapsed().as_secs_f64(), processor_s()?);
    println!("peak resident memory: {:.1} MiB", peak_mib()?);
    Ok(())
}

/// The same histograms of all workers decoded and added, on one thread: by this code, and by the `hdrhistogram` crate.
fn compare() -> Outcome<()> {
    let workers: usize = std::env::var(WORKERS)?.parse()?;
    let mut variants = Vec::new();
    for number in 0..VARIANTS.min(workers) {
        let file = fs::read(Path::new(&std::env::var(FOLDER)?).join(number.to_string()))?;
        variants.push(encoded_histograms(&volley_stats::file::decode(&file)?));
    }
    let histograms: usize = variants.iter().cycle().take(workers).map(BTreeMap::len).sum();

    let began = processor_s()?;
    let mut own: BTreeMap<&str, Histogram> = BTreeMap::new();
    for (key, bytes) in variants.iter().cycle().take(workers).flatten() {
        own.entry(key).or_default().merge(&Histogram::decode(bytes)?);
    }
    let own_s = processor_s()? - began;

    let began = processor_s()?;
    let mut judge: BTreeMap<&str, CrateHistogram<u64>> = BTreeMap::new();
    let mut deserializer = Deserializer::new();
    for (key, bytes) in variants.iter().cycle().take(workers).flatten() {
        let histogram: CrateHistogram<u64> = deserializer.deserialize(&mut bytes.as_slice())?;
        match judge.get_mut(key.as_str()) {
            Some(known) => known.add(&histogram)?,
            None => {
                judge.insert(key, histogram);
            }
        }
    }
    let judge_s = processor_s()? - began;
    for (key, histogram) in &own {
        if judge.get(key).map(CrateHistogram::len) != Some(histogram.total()) {
            return Err(format!("{key}: the two differ").into());
        }
    }
    println!(
        "{histograms} histograms decoded and added: {own_s:.2} s of processor, by the hdrhistogram crate {judge_s:.2} s"
    );
    Ok(())
}

fn encoded_histograms(collection: &Collection) -> BTreeMap<String, Vec<u8>> {
    let mut encoded = BTreeMap::new();
    for (name, LabelStatistics { successes, failures, .. }) in &collection.requests {
        for (outcome, statistics) in [("successes", successes), ("failures", failures)] {
            encoded.insert(format!("{name} {outcome}"), statistics.elapsed.histogram().encode());
        }
    }
    encoded
}

/// What a worker leaves.
struct Uploaded {
    statistics: Vec<u8>,
    series: Vec<u8>,
    counters: Counters,
}

/// A worker's statistics: response times spread over two powers of ten around a median of the label's own.
fn uploaded(seed: usize, labels: usize, samples: usize) -> Uploaded {
    let mut recorder = Recorder::new(Limits::default());
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ (seed as u64 + 1);
    let mut random = || {
        // xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators".
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32
    };
    for label in 0..labels {
        let name = format!("GET /shop/{label:04}/items");
        let median_us = 20_000 + (label as u64 % 50) * 3_000;
        for number in 0..samples + samples / 10 {
            // A sum of four is near a normal distribution; it spreads the times from a sixth of the median upwards.
            let spread = (0..4).map(|_| random() % 1_000).sum::<u64>();
            let elapsed_us = median_us * (200 + spread) / 2_000 + random() % 1_000;
            let success = number < samples;
            let start_us = (START_S * 1_000 + i64::try_from(random() % 600_000).unwrap_or_default()) * 1_000;
            recorder.record(
                0,
                &Sample {
                    kind: SampleKind::Request,
                    label: &name,
                    start_us,
                    end_us: start_us + i64::try_from(elapsed_us).unwrap_or_default(),
                    elapsed_us,
                    first_byte_us: Some(elapsed_us / 2),
                    connect_us: Some(1_000),
                    bytes: Some(1_500),
                    code: if success { "200" } else { "503" },
                    message: if success { "OK" } else { "Service Unavailable" },
                    success,
                    active_users: Some(50),
                },
            );
        }
    }
    let (collection, series) = recorder.into_parts();
    let total = collection.total();
    Uploaded {
        statistics: volley_stats::file::encode(&collection),
        series: series.encode(),
        counters: Counters {
            requests: total.requests(),
            errors: total.errors(),
            interrupted: 0,
            bytes: total.bytes(),
            malformed_rows: 0,
            folded_labels: 0,
        },
    }
}

async fn upload(storage: &Server, workers: usize, regions: usize, variants: &[Uploaded]) -> Outcome<()> {
    let objects = storage.objects();
    let definition = definition(workers, regions);
    objects.put_document(&keys::definition(RUN_UID), &definition).await?;
    let start = StartDecision {
        version: DOCUMENT_VERSION,
        start_at: Timestamp::from_second(START_S)?,
        regions: definition.regions.iter().map(|region| region.target.clone()).collect(),
        late_workers: LateWorkers::Refuse,
        left_out: [].into(),
    };
    objects.put_document_once(&keys::start(RUN_UID), &start).await?;
    let attempts = definition.regions.iter().flat_map(|region| {
        (0..region.workers).map(|index| WorkerAttempt {
            target: region.target.clone(),
            index,
            pod_uid: format!("{}-{index}", region.target),
        })
    });
    let mut closed: Vec<ClosedWorker> = stream::iter(attempts.zip(variants.iter().cycle()))
        .map(|(attempt, uploaded)| upload_worker(&objects, attempt, uploaded))
        .buffer_unordered(UPLOADS)
        .try_collect()
        .await?;
    closed.sort();
    let at = Timestamp::from_second(START_S + 700)?;
    let close =
        CloseDecision { version: DOCUMENT_VERSION, at, workers: closed, stopped: None, asked_at: BTreeMap::new() };
    objects.put_document_once(&keys::close(RUN_UID), &close).await?;
    Ok(())
}

async fn upload_worker(objects: &ObjectStore, attempt: WorkerAttempt, uploaded: &Uploaded) -> Outcome<ClosedWorker> {
    let mut digests = BTreeMap::new();
    for (name, bytes) in [(STATISTICS, &uploaded.statistics), (SERIES, &uploaded.series)] {
        if bytes.is_empty() {
            continue;
        }
        objects.put(&attempt.object(RUN_UID, name), bytes.clone(), PutOptions::default()).await?;
        let size = bytes.len() as u64;
        digests.insert(name.to_owned(), ObjectDigest { sha256: sha256_hex(bytes), size, stored_size: size });
    }
    let manifest = Manifest {
        version: DOCUMENT_VERSION,
        run_uid: RUN_UID.into(),
        worker: attempt.clone(),
        taurus: None,
        engines: Vec::new(),
        exit_code: Some(0),
        released_at: Some(Timestamp::from_second(START_S)?),
        first_sample_at: Some(Timestamp::from_second(START_S)?),
        last_sample_at: Some(Timestamp::from_second(START_S + 600)?),
        clock: None,
        complete: true,
        stopped: None,
        counters: uploaded.counters.clone(),
        frames: None,
        health: None,
        sample_files: Vec::new(),
        objects: digests,
        warnings: Vec::new(),
    };
    let key = attempt.manifest(RUN_UID);
    let digest = sha256_hex(&encode_document(&key, &manifest)?);
    objects.put_document(&key, &manifest).await?;
    let WorkerAttempt { target, index, pod_uid } = attempt;
    Ok(ClosedWorker { target, index, pod_uid: Some(pod_uid), manifest: Some(digest), reason: None })
}

fn definition(workers: usize, regions: usize) -> Definition {
    let of_region = |region: usize| {
        let workers = workers / regions + usize::from(region < workers % regions);
        volley_fixtures::region(&format!("region-{region}"), u32::try_from(workers).unwrap_or(u32::MAX))
    };
    let mut definition = Definition {
        load: Load { users_per_worker: 50, ramp_up_ms: 0, hold_for_ms: 600_000 },
        regions: (0..regions.max(1)).map(of_region).collect(),
        live: None,
        max_load_ms: 660_000,
        ..volley_fixtures::definition()
    };
    definition.run.uid = RUN_UID.into();
    definition
}

/// Processor time of this process in seconds, in user and kernel mode.
fn processor_s() -> Outcome<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
    Ok((ticks(11) + ticks(12)) / TICKS_PER_SECOND)
}

fn peak_mib() -> Outcome<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM in /proc/self/status")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}
