//! Measures the live figures of a run: how long after their end samples are shown to a reader, and what the aggregator takes meanwhile.
//!
//! ```text
//! cargo run --release -p volley-simulation --example measure_live -- [WORKERS] [LABELS] [SECONDS] [SAMPLES]
//! ```
//!
//! Each of WORKERS (500) in up to five regions has SAMPLES (50) a second on average, of LABELS (50) labels, for SECONDS (300) of real
//! time. They tell their figures as often as `spec.live.interval: Auto` says for so many workers.
//!
//! Three processes, so that each is measured alone: the aggregator is all of `volley aggregator` but for the status of the run, with one
//! threshold that may stop the load and is always met; the workers make frames with the collector's own schedule and writer, from samples
//! by a formula; this one is the storage (real protocols over 127.0.0.1), and a thread of it the reader of `GET /v1/stream`.
//!
//! # Caveats
//!
//! * A sample is known to its worker when it has ended. What an engine takes to write it comes on top; `two_workers` and the whole runs
//!   on a cluster say how much that is.
//! * All workers share the machine's processors, and write their frames at the same instant. With busy processors the lag is the machine's.
//! * Frames stay in the storage as in a run: an hour of the defaults takes some gigabytes in the folder for temporary files.

#![expect(clippy::print_stdout, reason = "the figures are the purpose of this program")]

mod reader;
mod workers;

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::process::{Child, Command};
use tokio::time::{MissedTickBehavior, interval, sleep};
use volley_aggregator::Settings;
use volley_aggregator::feed::Outlets;
use volley_api::load_test::LiveInterval;
use volley_simulation::figures::processes::{self, ProcessSample};
use volley_simulation::figures::spread::Spread;
use volley_simulation::figures::trend::slope;
use volley_simulation::figures::{Row, table};
use volley_simulation::outline::Outline;
use volley_stats::Percentile;
use volley_storage::embedded::Server;
use volley_storage::{KeyPair, ObjectStore, ResultStore, StorageSettings};

use reader::Arrived;
use workers::Told;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const RUN_UID: &str = "0b5d2f6e-4c1a-4d59-9a40-6d6561737572";
/// Says to this program which child it is.
const CHILD: &str = "VOLLEY_MEASURED";
/// The second in which the load begins.
const START: &str = "VOLLEY_MEASURED_START";
/// Where the aggregator serves live figures.
const LISTEN: &str = "VOLLEY_MEASURED_LISTEN";
/// From the start decision to the start, at least.
const LEAD_S: i64 = 5;
/// What is still under way when the load has ended arrives within this time.
const FAREWELL: Duration = Duration::from_secs(4);
/// A slope needs minutes; before, memory grows to what the work takes.
const SETTLED: SignedDuration = SignedDuration::from_mins(10);

#[tokio::main]
async fn main() -> Outcome<()> {
    let load = Load::from_arguments()?;
    match std::env::var(CHILD).as_deref() {
        Ok("aggregator") => aggregate().await,
        Ok("workers") => workers::work(&load).await,
        _ => measure(&load).await,
    }
}

/// What the workers do.
struct Load {
    workers: u32,
    labels: u16,
    seconds: u32,
    /// Samples a second of each worker.
    samples: u32,
}

impl Load {
    fn from_arguments() -> Outcome<Self> {
        let mut arguments = std::env::args().skip(1);
        let mut argument = |default: u32| arguments.next().map_or(Ok(default), |text| text.parse());
        let (workers, labels, seconds, samples) = (argument(500)?, argument(50)?, argument(300)?, argument(50)?);
        Ok(Self { workers: workers.max(1), labels: u16::try_from(labels)?.max(1), seconds: seconds.max(10), samples })
    }

    fn interval_s(&self) -> Outcome<u32> {
        LiveInterval::Auto.seconds(self.workers.into()).ok_or_else(|| "Auto is always an interval".into())
    }

    fn outline(&self) -> Outcome<Outline> {
        // Judged each second, and always met.
        let threshold = json!({
            "name": "judged", "label": null, "target": null,
            "criterion": {"metric": "p99", "comparison": "Below", "limit": "1000s"},
            "abort": {"afterMs": 0, "forSeconds": 10},
        });
        Ok(Outline {
            run_uid: RUN_UID.into(),
            regions: Outline::regions_of(self.workers),
            users_per_worker: workers::USERS,
            hold_for: Duration::from_secs(self.seconds.into()),
            live_interval_s: Some(self.interval_s()?),
            thresholds: vec![serde_json::from_value(threshold)?],
        })
    }
}

async fn measure(load: &Load) -> Outcome<()> {
    let place = tempfile::tempdir()?;
    let storage = Server::start_on_free_ports(&place.path().join("data")).await?;
    let (outline, objects) = (load.outline()?, storage.objects());
    outline.define(&objects).await?;
    // With an interval, so that no frame is of a part of one.
    let interval_s = i64::from(load.interval_s()?);
    let earliest = Timestamp::now().as_second() + LEAD_S;
    let start_at = Timestamp::from_second((earliest.div_euclid(interval_s) + 1) * interval_s)?;
    outline.start(&objects, start_at).await?;

    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let mut aggregator = child("aggregator", &storage, start_at, address, Stdio::null())?;
    let workers = child("workers", &storage, start_at, address, Stdio::piped())?;
    let arrivals = reader::start(address);
    let observed = observe(&mut aggregator, start_at, load).await?;
    let told = workers.wait_with_output().await?;
    if !told.status.success() {
        return Err(format!("the workers ended with {}", told.status).into());
    }
    sleep(FAREWELL + Duration::from_secs(load.interval_s()?.into())).await;
    aggregator.start_kill()?;
    aggregator.wait().await?;
    let frames: Vec<Arrived> = arrivals.try_iter().collect();
    print!("{}", table(&columns(load, &observed, &frames, &serde_json::from_slice(&told.stdout)?)?));
    Ok(())
}

fn child(kind: &str, storage: &Server, start: Timestamp, listen: SocketAddr, output: Stdio) -> Outcome<Child> {
    let (settings, key) = (storage.storage_settings(), storage.root_keys());
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(std::env::args().skip(1))
        .env(CHILD, kind)
        .env(START, start.as_second().to_string())
        .env(LISTEN, listen.to_string())
        .env("VOLLEY_BUCKET", settings.bucket)
        .env("VOLLEY_TABLE", settings.table)
        .env("VOLLEY_S3_ENDPOINT", settings.s3_endpoint.unwrap_or_default())
        .env("VOLLEY_DYNAMODB_ENDPOINT", settings.dynamodb_endpoint.unwrap_or_default())
        .env("AWS_REGION", settings.region)
        .env("AWS_ACCESS_KEY_ID", key.access_key)
        .env("AWS_SECRET_ACCESS_KEY", key.secret_key);
    Ok(command.stdin(Stdio::null()).stdout(output).kill_on_drop(true).spawn()?)
}

/// The storage as a child is told of it.
fn storage_of_child() -> Outcome<(StorageSettings, KeyPair)> {
    tracing_subscriber::fmt().with_env_filter("warn").with_writer(std::io::stderr).init();
    let key = KeyPair {
        access_key: std::env::var("AWS_ACCESS_KEY_ID")?,
        secret_key: std::env::var("AWS_SECRET_ACCESS_KEY")?,
    };
    Ok((StorageSettings::from_env()?, key))
}

/// The child whose processor and memory are measured. It goes on until it is killed: the run is never closed.
async fn aggregate() -> Outcome<()> {
    let (storage, key) = storage_of_child()?;
    let (objects, results) = (ObjectStore::with_key(&storage, &key), ResultStore::with_key(&storage, &key));
    let outlets = Outlets { listen: std::env::var(LISTEN)?.parse()?, iot: None, metrics: None };
    let settings = Settings { run_uid: RUN_UID.into(), patience: Some(Duration::MAX), outlets };
    volley_aggregator::run(settings, objects, results, None, std::future::pending()).await?;
    Ok(())
}

/// What was seen of processes each second while the load ran.
struct Observed {
    aggregator: Vec<ProcessSample>,
    machine: Vec<ProcessSample>,
}

async fn observe(aggregator: &mut Child, start_at: Timestamp, load: &Load) -> Outcome<Observed> {
    let process = aggregator.id().ok_or("the aggregator has ended")?;
    sleep(Duration::try_from(start_at.duration_since(Timestamp::now())).unwrap_or_default()).await;
    let mut observed = Observed { aggregator: Vec::new(), machine: Vec::new() };
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = start_at + SignedDuration::from_secs(load.seconds.into());
    while Timestamp::now() < end {
        ticks.tick().await;
        if let Some(status) = aggregator.try_wait()? {
            return Err(format!("the aggregator ended with {status}").into());
        }
        let now = Timestamp::now();
        observed.aggregator.extend(processes::sample("aggregator", process, now));
        observed.machine.push(processes::machine(now)?);
        if let ([.., newest], true) = (&observed.aggregator[..], observed.aggregator.len().is_multiple_of(60)) {
            let minute = observed.aggregator.len() / 60;
            println!("minute {minute}: resident {:.1} MiB", mebibytes(newest.resident_kib));
        }
    }
    Ok(observed)
}

/// The columns of the table: what is to be reached, and what was measured.
fn columns(load: &Load, observed: &Observed, frames: &[Arrived], told: &Told) -> Outcome<[Vec<Row>; 2]> {
    let interval_s = load.interval_s()?;
    let lags: Spread = frames.iter().flat_map(Arrived::lags_ms).collect();
    let lag = |percentile| lags.percentile(percentile).map(seconds);
    let bound = if load.workers <= 100 { "≤ 2.5 s".to_owned() } else { format!("≤ {interval_s} s + 2.5 s") };
    let seen: u64 = frames.iter().map(|frame| frame.requests).sum();
    let incomplete = frames.iter().filter(|frame| frame.reported < frame.expected).count();
    let resident: Spread = resident_kib(observed).collect();

    let mut columns = [Vec::new(), Vec::new()];
    let mut row = |title: &'static str, reach: Option<String>, measured: Option<String>| {
        for (column, value) in columns.iter_mut().zip([reach, measured]) {
            column.push(Row { title, value });
        }
    };
    row("live figures", Some("to reach".into()), Some("measured".into()));
    row("workers, regions", None, Some(format!("{}, {}", load.workers, Outline::regions_of(load.workers).len())));
    row("labels, samples a second", None, Some(format!("{}, {}", load.labels, load.samples * load.workers)));
    row("seconds, interval", None, Some(format!("{}, {interval_s} s", load.seconds)));
    row("aggregator: processor, of one core", Some("≤ 25 %".into()), processor(&observed.aggregator));
    row("a sample's end to the reader: median", None, lag(Percentile::P50));
    row("95th percentile", Some(bound), lag(Percentile::P95));
    row("longest", None, lags.maximum().map(seconds));
    row("aggregator: resident memory at most", None, resident.maximum().map(|kib| mib(kib.unsigned_abs())));
    row("its growth once settled", Some("flat".into()), growth(observed));
    row("frames at the reader, of those without all workers", None, Some(format!("{}, {incomplete}", frames.len())));
    row("requests in them, of those that were made", None, Some(format!("{seen} of {}", told.samples)));
    row("frames of workers: written, dropped", None, Some(format!("{}, {}", told.written, told.dropped)));
    row("the whole machine: processors in use", None, processor(&observed.machine));
    Ok(columns)
}

fn resident_kib(observed: &Observed) -> impl Iterator<Item = i64> {
    observed.aggregator.iter().map(|sample| i64::try_from(sample.resident_kib).unwrap_or(i64::MAX))
}

/// Processor time between the first and the last sample.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of a measurement are far below 2^52")]
fn processor(samples: &[ProcessSample]) -> Option<String> {
    let (first, last) = (samples.first()?, samples.last()?);
    let used_ms = last.processor_ms.saturating_sub(first.processor_ms) as f64;
    let elapsed_s = last.at.duration_since(first.at).as_secs_f64();
    (elapsed_s > 0.0).then(|| format!("{:.1} %", used_ms / elapsed_s / 10.0))
}

/// Slope of the resident memory; nothing of a run that is too short for it.
fn growth(observed: &Observed) -> Option<String> {
    let first = observed.aggregator.first()?.at;
    let points: Vec<(f64, f64)> = observed
        .aggregator
        .iter()
        .map(|sample| (sample.at.duration_since(first), mebibytes(sample.resident_kib)))
        .filter(|(since, _)| *since >= SETTLED)
        .map(|(since, mebibytes)| (since.as_secs_f64() / 3600.0, mebibytes))
        .collect();
    let settled = points.last()?.0 - points.first()?.0;
    // Five minutes at least: less is noise.
    if settled < 1.0 / 12.0 {
        return None;
    }
    slope(&points).map(|slope| format!("{slope:+.2} MiB an hour, from minute 10 on"))
}

#[expect(clippy::cast_precision_loss, reason = "a lag is far below 2^52 ms")]
fn seconds(milliseconds: i64) -> String {
    format!("{:.2} s", milliseconds as f64 / 1000.0)
}

#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 KiB")]
fn mebibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / 1024.0
}

fn mib(kibibytes: u64) -> String {
    format!("{:.1} MiB", mebibytes(kibibytes))
}
