//! `simulate-workers play`: plays the nodes and workers of clusters. `simulate-workers figures`: the table of what came of it.

#![expect(clippy::print_stdout, reason = "the table is the purpose of one of the commands")]

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use jiff::Timestamp;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use volley_api::Duration as DurationText;
use volley_simulation::figures::processes::{self, ProcessSample};
use volley_simulation::figures::table_of;
use volley_simulation::kubelet::{Addresses, Cluster, play};
use volley_simulation::record::WorkerRecord;
use volley_simulation::worker::Behaviour;

/// Records that wait to be written.
const QUEUE: usize = 1024;
/// How often processes are looked at.
const OBSERVATION: Duration = Duration::from_secs(1);
/// What is logged where `VOLLEY_LOG` says nothing: a thousand collectors have much to tell.
const DEFAULT_LOG: &str = "info,volley_collector=error,volley_stats=error";
/// Open files of a worker: listener and connection of the probe on both sides, two of the storage, folders, the sample file.
const FILES_OF_A_WORKER: u64 = 12;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Simulated workers for figures about scale.
#[derive(Debug, Parser)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[expect(clippy::large_enum_variant, reason = "there is one, for the life of the process")]
#[derive(Debug, Subcommand)]
enum Command {
    /// Play nodes and workers until SIGTERM or SIGINT
    Play(Play),
    /// Print the figures of runs as a Markdown table, a column for each folder
    Figures {
        /// Folder of a run; the documentation of `figures::input` lists its files
        #[arg(required = true, value_name = "FOLDER")]
        folders: Vec<PathBuf>,
    },
}

#[derive(Debug, Args)]
struct Play {
    /// A cluster and the kubeconfig of somebody who may do everything there; repeat it for more clusters
    #[arg(long = "cluster", required = true, value_parser = named_path, value_name = "NAME=KUBECONFIG")]
    clusters: Vec<(String, PathBuf)>,
    /// Namespace of the workers
    #[arg(long, default_value = "volley-workers", value_name = "NAMESPACE")]
    namespace: String,
    /// Most pods of a cluster at the same time
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=5000), value_name = "NUMBER")]
    capacity: u32,
    /// Folder for the pods' volumes
    #[arg(long, value_name = "FOLDER")]
    volumes: PathBuf,
    /// File to which a line of JSON is added for each worker that has ended
    #[arg(long, value_name = "FILE")]
    records: PathBuf,
    /// File to which processor time and memory are added each second
    #[arg(long, value_name = "FILE")]
    processes: PathBuf,
    /// A process to look at beside this one; repeat it for more
    #[arg(long = "observe", value_parser = named_process, value_name = "NAME=PID")]
    observed: Vec<(String, u32)>,
    /// Time that a worker takes to prepare
    #[arg(long, default_value = "3s", value_name = "DURATION")]
    prepare: DurationText,
    /// Samples a minute of each worker, on average
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..=600_000), value_name = "NUMBER")]
    samples_per_minute: u32,
    /// Different labels
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=4000), value_name = "NUMBER")]
    labels: u16,
    /// Mean response time
    #[arg(long, default_value = "80ms", value_name = "DURATION")]
    mean_response: DurationText,
    /// Samples of a thousand that fail, on average
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(0..=1000), value_name = "NUMBER")]
    failures_per_thousand: u16,
    /// Share of its processor time that each worker says it uses, in thousandths; from 900 on it is saturated
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u16).range(0..=2000), value_name = "NUMBER")]
    cpu_per_thousand: u16,
    /// Decides all random numbers
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    seed: u64,
}

impl Play {
    fn behaviour(&self) -> Behaviour {
        Behaviour {
            prepare: Duration::from_millis(self.prepare.milliseconds()),
            samples_per_minute: self.samples_per_minute,
            labels: self.labels,
            mean_response: Duration::from_millis(self.mean_response.milliseconds()),
            failures_per_thousand: self.failures_per_thousand,
            cpu_per_thousand: self.cpu_per_thousand,
            seed: self.seed,
        }
    }
}

fn named(text: &str) -> Result<(&str, &str), String> {
    let split = text.split_once('=').filter(|(name, value)| !name.is_empty() && !value.is_empty());
    split.ok_or_else(|| format!("{text:?} is not NAME=VALUE"))
}

fn named_path(text: &str) -> Result<(String, PathBuf), String> {
    named(text).map(|(name, path)| (name.to_owned(), path.into()))
}

fn named_process(text: &str) -> Result<(String, u32), String> {
    let (name, process) = named(text)?;
    process.parse().map(|process| (name.to_owned(), process)).map_err(|_| format!("{process:?} is no process id"))
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match CommandLine::parse().command {
        Command::Play(arguments) => simulate(arguments).await,
        Command::Figures { folders } => table_of(&folders).map(|table| print!("{table}")).map_err(Into::into),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The terminal may be gone; then there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn simulate(arguments: Play) -> Outcome<()> {
    let log = std::env::var("VOLLEY_LOG").unwrap_or_else(|_| DEFAULT_LOG.to_owned());
    let filter =
        tracing_subscriber::EnvFilter::try_new(&log).map_err(|error| format!("VOLLEY_LOG={log:?}: {error}"))?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        return Err("another part of this program has chosen the cryptography already".into());
    }
    let workers = u64::from(arguments.capacity) * arguments.clusters.len() as u64;
    allow_files(workers)?;

    let shutdown = shutdown()?;
    let mut tasks = JoinSet::new();
    let (records, received) = mpsc::channel(QUEUE);
    let behaviour = arguments.behaviour();
    let addresses = Arc::new(Addresses::default());
    let mut clusters = JoinSet::new();
    for (name, kubeconfig) in &arguments.clusters {
        let cluster = Cluster {
            name: name.clone(),
            client: client(kubeconfig).await.map_err(|error| format!("{}: {error}", kubeconfig.display()))?,
            namespace: arguments.namespace.clone(),
            capacity: arguments.capacity,
            folder: arguments.volumes.clone(),
            behaviour: behaviour.clone(),
            addresses: Arc::clone(&addresses),
            records: records.clone(),
        };
        clusters.spawn(play(cluster, shutdown.clone()));
    }
    drop(records);
    tasks.spawn(write_records(arguments.records.clone(), received));
    let mut observed = arguments.observed.clone();
    observed.push(("simulation".to_owned(), std::process::id()));
    let observing = observe(arguments.processes.clone(), observed);
    tokio::pin!(observing);
    tracing::info!(clusters = arguments.clusters.len(), ?behaviour, "workers are played until SIGTERM or SIGINT");
    loop {
        tokio::select! {
            ended = clusters.join_next() => match ended {
                Some(ended) => ended??,
                None => break,
            },
            ended = tasks.join_next() => match ended {
                Some(ended) => ended??,
                None => break,
            },
            ended = &mut observing => ended?,
        }
    }
    // Whatever is still in the queue.
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

async fn client(kubeconfig: &Path) -> Outcome<Client> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

/// Raises the soft limit of open files as far as it goes, and says when that is not enough.
fn allow_files(workers: u64) -> Outcome<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    let wanted = workers.saturating_mul(FILES_OF_A_WORKER);
    if maximum.is_some_and(|maximum| maximum < wanted) {
        tracing::warn!(
            allowed = maximum,
            wanted,
            "not all workers that fit the nodes may have open files; fewer workers are no problem"
        );
    }
    Ok(())
}

fn shutdown() -> std::io::Result<watch::Receiver<bool>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tracing::info!("told to end");
        sender.send_replace(true);
        // Kept, so that nobody takes its end for a value.
        sender.closed().await;
    });
    Ok(receiver)
}

async fn write_records(path: PathBuf, mut received: mpsc::Receiver<WorkerRecord>) -> Outcome<()> {
    let mut file = append(&path)?;
    while let Some(record) = received.recv().await {
        write_line(&mut file, &record)?;
    }
    Ok(())
}

/// Looks at processes until this future is dropped. One that has ended is no longer seen.
async fn observe(path: PathBuf, processes: Vec<(String, u32)>) -> Outcome<()> {
    let mut file = append(&path)?;
    let mut ticks = interval(OBSERVATION);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let at = Timestamp::now();
        let seen = processes.iter().filter_map(|(name, process)| processes::sample(name, *process, at));
        let seen: Vec<ProcessSample> = seen.chain([processes::machine(at)?]).collect();
        for sample in &seen {
            write_line(&mut file, sample)?;
        }
    }
}

fn append(path: &Path) -> Outcome<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|error| format!("{}: {error}", path.display()).into())
}

/// The whole line by one write: whoever reads meanwhile sees all of it or nothing.
fn write_line(file: &mut File, document: &impl Serialize) -> Outcome<()> {
    let mut line = serde_json::to_vec(document)?;
    line.push(b'\n');
    Ok(file.write_all(&line)?)
}
