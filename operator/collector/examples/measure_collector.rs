//! Measures what a collector costs beside an engine: processor and memory of its process while a simulated engine writes samples.
//!
//! ```text
//! cargo run --release -p volley-collector --example measure_collector -- [SAMPLES_PER_SECOND] [SECONDS] [LABELS] [LIVE_INTERVAL] [HOURS]
//! ```
//!
//! `LIVE_INTERVAL`: seconds from one live frame to the next, 1; 0: none. With HOURS the rows are those of so many hours, with response
//! times that fill the histograms of every label, and written within SECONDS: the memory is that of a long run, the processor's time
//! is not. Leave live frames out then: one would hold the minutes that are written in its second.
//!
//! This process is storage, operator and main container; the collector is a child of its own, so that only it is measured.

#![expect(clippy::print_stdout, reason = "the figures are the purpose of this program")]

use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use volley_collector::Settings;
use volley_storage::documents::{
    self, Artifacts, DOCUMENT_VERSION, Definition, LateWorkers, Live, Manifest, StartDecision,
};
use volley_storage::embedded::Server;
use volley_storage::keys::{self, WorkerAttempt};
use volley_storage::objects::{PutOptions, sha256_hex};

type Outcome<T> = Result<T, Box<dyn Error>>;

const RUN_UID: &str = "measured-run";
const SCRIPT: &str = "# never run";
/// The one region.
const TARGET: &str = "here";
/// Says to this program that it is the collector.
const CHILD: &str = "VOLLEY_MEASURED";
/// Clock ticks a second in /proc (`getconf CLK_TCK`; 100 on every Linux that Rust supports).
const TICKS_PER_SECOND: f64 = 100.0;

#[tokio::main]
async fn main() -> Outcome<()> {
    if std::env::var_os(CHILD).is_some() {
        let mut terminated = signal(SignalKind::terminate())?;
        return Ok(volley_collector::run(Settings::from_env()?, async move {
            terminated.recv().await;
        })
        .await?);
    }
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: u64| arguments.next().map_or(Ok(default), |text| text.parse());
    let load = Load {
        rate: argument(1_000)?,
        seconds: argument(60)?,
        labels: argument(50)?.max(1),
        live_interval_s: argument(1)?,
        hours: argument(0)?,
    };
    measure(&load).await
}

/// What the simulated engine does, and what is told meanwhile.
struct Load {
    /// Samples a second.
    rate: u64,
    /// How long it writes.
    seconds: u64,
    labels: u64,
    /// From one live frame to the next; 0: none.
    live_interval_s: u64,
    /// How long it says to have run; 0: as long as it writes.
    hours: u64,
}

async fn measure(load: &Load) -> Outcome<()> {
    let Load { rate, seconds, labels, hours, .. } = *load;
    let place = tempfile::tempdir()?;
    let (control, work) = (place.path().join("control"), place.path().join("work"));
    for folder in ["control", "work/status", "work/artifacts", "data"] {
        fs::create_dir_all(place.path().join(folder))?;
    }
    let storage = Server::start_on_free_ports(&place.path().join("data")).await?;
    let objects = storage.objects();
    objects.put(&keys::script(&sha256_hex(SCRIPT.as_bytes())), SCRIPT, PutOptions::default()).await?;
    objects.put_document(&keys::definition(RUN_UID), &definition(load)).await?;
    let mut collector = spawn(&storage, &control, &work)?;

    appears(&control.join("launch.json")).await?;
    status(&work, "prepared", r#""engines":[],"taurus":"simulated""#)?;
    let start_at = Timestamp::now() + SignedDuration::from_secs(2);
    let regions = vec![TARGET.to_owned()];
    let decision = StartDecision {
        version: DOCUMENT_VERSION,
        start_at,
        regions,
        late_workers: LateWorkers::Refuse,
        left_out: [].into(),
    };
    objects.put_document_once(&keys::start(RUN_UID), &decision).await?;
    appears(&control.join("start")).await?;
    let late = Timestamp::now().duration_since(start_at);
    status(&work, "released", "\"x\":0")?;

    let pid = collector.id().ok_or("the collector has ended")?;
    let (before, began) = (processor_ticks(pid)?, Instant::now());
    write_samples(&work.join("artifacts/kpi.jtl"), load).await?;
    let percent = (processor_ticks(pid)? - before) / TICKS_PER_SECOND / began.elapsed().as_secs_f64() * 100.0;
    let resident = memory_kib(pid, "VmRSS:")?;

    status(&work, "ended", r#""exitCode":0,"stopped":false"#)?;
    let ended = Instant::now();
    appears(&control.join("uploaded")).await?;
    let key = WorkerAttempt { target: TARGET.into(), index: 0, pod_uid: "pod".into() }.manifest(RUN_UID);
    let (manifest, _) = objects.get_document::<Manifest>(&key).await?.ok_or("no manifest")?;
    println!(
        "samples/s {rate}, seconds {seconds}, labels {labels}, simulated hours {hours}; counted {}",
        manifest.counters.requests
    );
    println!("live frames: {:?}", manifest.frames);
    println!("gate opened {} ms after the instant", late.as_millis());
    println!("processor {percent:.2} % of a core while the load ran");
    println!(
        "resident {:.1} MiB at its end, {:.1} MiB at most",
        mebibytes(resident),
        mebibytes(memory_kib(pid, "VmHWM:")?)
    );
    println!("delivered {} ms after the end", ended.elapsed().as_millis());
    collector.start_kill()?;
    collector.wait().await?;
    Ok(())
}

fn spawn(storage: &Server, control: &Path, work: &Path) -> Outcome<Child> {
    let (settings, keys) = (storage.storage_settings(), storage.run_keys(RUN_UID));
    Ok(Command::new(std::env::current_exe()?)
        .env(CHILD, "1")
        .env("VOLLEY_RUN_UID", RUN_UID)
        .env("VOLLEY_TARGET", TARGET)
        .env("JOB_COMPLETION_INDEX", "0")
        .env("VOLLEY_POD_UID", "pod")
        .env("VOLLEY_BUCKET", settings.bucket)
        .env("VOLLEY_S3_ENDPOINT", settings.s3_endpoint.unwrap_or_default())
        .env("AWS_REGION", settings.region)
        .env("AWS_ACCESS_KEY_ID", keys.access_key)
        .env("AWS_SECRET_ACCESS_KEY", keys.secret_key)
        .env("VOLLEY_LISTEN", "127.0.0.1:0")
        .env("VOLLEY_CONTROL_DIR", control)
        .env("VOLLEY_WORK_DIR", work)
        // As in a worker's pod.
        .env("MALLOC_TRIM_THRESHOLD_", "131072")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()?)
}

/// Rows as Locust writes them, in batches of 10 ms.
async fn write_samples(path: &Path, load: &Load) -> Outcome<()> {
    let Load { rate, seconds, labels, hours, .. } = *load;
    let mut file = File::create(path)?;
    file.write_all(b"allThreads,timeStamp,label,method,elapsed,bytes,responseCode,responseMessage,success,Latency\n")?;
    let mut ticks = interval(Duration::from_millis(10));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (began_ms, rows_in_all) = (Timestamp::now().as_millisecond(), rate * hours * 3_600);
    let (mut written, in_ticks) = (0, seconds * 100);
    for tick in 1..=in_ticks {
        ticks.tick().await;
        let mut rows = String::new();
        let now_ms = Timestamp::now().as_millisecond();
        let due = if hours == 0 { tick * rate / 100 } else { rows_in_all * tick / in_ticks };
        while written < due {
            let answer = if written % 50 == 0 { "500,Server Error,false" } else { "200,OK,true" };
            let (stamp_ms, label, elapsed_ms) = if hours == 0 {
                (now_ms, written % labels, 5 + written * 7_919 % 400)
            } else {
                let random = mixed(written);
                // 1 ms to 33 s, as many in each doubling.
                let elapsed_ms = (1 + random % 1_024) << ((random >> 10) % 6);
                (began_ms + i64::try_from(written * 1_000 / rate.max(1))?, (random >> 24) % labels, elapsed_ms)
            };
            writeln!(rows, "50,{stamp_ms},GET /shop/products/{label},GET,{elapsed_ms},512,{answer},0")?;
            written += 1;
        }
        file.write_all(rows.as_bytes())?;
    }
    Ok(())
}

/// `SplitMix64`: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators".
fn mixed(number: u64) -> u64 {
    let state = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

fn status(work: &Path, name: &str, fields: &str) -> Outcome<()> {
    let (folder, text) = (work.join("status"), format!(r#"{{"version":1,"at":"{}",{fields}}}"#, Timestamp::now()));
    fs::write(folder.join(".temporary"), text)?;
    Ok(fs::rename(folder.join(".temporary"), folder.join(format!("{name}.json")))?)
}

async fn appears(path: &Path) -> Outcome<()> {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !path.exists() {
        if Instant::now() > deadline {
            return Err(format!("{} did not appear within a minute", path.display()).into());
        }
        sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// User and system time of a process: fields 14 and 15 of `/proc/<pid>/stat` (proc(5)), counted behind the name in brackets.
fn processor_ticks(pid: u32) -> Outcome<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).map(|field| Ok(field.parse::<f64>()?)).sum()
}

fn memory_kib(pid: u32, name: &str) -> Outcome<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find(|line| line.starts_with(name)).ok_or("no such line in /proc")?;
    Ok(line.split_whitespace().nth(1).unwrap_or_default().parse()?)
}

fn mebibytes(kibibytes: f64) -> f64 {
    kibibytes / 1024.0
}

fn definition(load: &Load) -> Definition {
    let seconds = load.seconds;
    let live = u32::try_from(load.live_interval_s).ok().filter(|seconds| *seconds > 0);
    let mut definition = Definition {
        scenario: volley_fixtures::locust(SCRIPT),
        load: documents::Load { users_per_worker: 50, ramp_up_ms: 0, hold_for_ms: seconds * 1_000 },
        regions: vec![volley_fixtures::region(TARGET, 1)],
        // Gigabytes of a long run say nothing about memory.
        artifacts: Artifacts { samples: load.hours == 0 },
        live: live.map(|interval_s| Live { interval_s }),
        max_load_ms: seconds * 1_000 + 60_000,
        max_uncontrolled_ms: 60_000,
        ..volley_fixtures::definition()
    };
    definition.run.uid = RUN_UID.into();
    definition
}
