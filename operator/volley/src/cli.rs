//! The command line: every subcommand, flag and environment variable in one place. `docs/reference/cli.md` is made from it.

#![allow(clippy::doc_markdown, reason = "the help shows these texts as they are")]

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use volley_storage::documents::Threshold;

use crate::commands::{aggregator, collector, operator, positive_duration, storage};
use crate::report::Output;
use crate::report::formats::Format;

const RUN: &str = "Run a load test and follow it to its result.\n\n\
    With -f, applies every object of the file (server-side apply, field manager volley-cli) and follows the run which \
    that triggers; where it triggers none, because nothing changed or the trigger is Manual, creates one and follows \
    that. With NAME, creates a run of an existing LoadTest. Each call follows exactly one run.\n\n\
    Progress goes to standard error, on a terminal with live figures as volley watch shows them; the result goes to \
    standard output. Ctrl-C stops following; the run goes on.\n\n\
    Exit codes: 0 the run ended well; 1 a threshold was missed; 2 wrong usage or an invalid manifest, no run was \
    started; 3 the run could not start or was skipped; 4 it ended early or cannot be judged; 5 the cluster did not do \
    what was asked, or the run was not followed to its end; 130 interrupted, the run goes on.";
const WATCH: &str = "Watch a run live, from anywhere in its middle to its end.\n\n\
    On a terminal: phase, workers, time left, the rate over time, and for each region and label rate, errors and \
    percentiles of the newest live interval. Elsewhere: a line for each new figure. As JSON: a JSON object a line, of \
    type progress (with the newest frame, docs/reference/live.md), note, and last end.\n\n\
    The figures come from the run's aggregator through the API server; that needs the rights to list pods and to forward \
    ports in the operator's namespace. Without them the run's status is shown, which has figures every few seconds. \
    Ctrl-C stops watching; the run goes on.\n\n\
    Exit codes: those of volley run.";
const RESULT: &str = "Show the result of a run.\n\n\
    As a table it comes from the run's status. As JSON it is the whole result.json from the storage, in the other \
    formats a report of it as volley report makes it: with the embedded storage through the API server (needs the rights \
    to read the Secret volley-storage and to forward ports in the operator's namespace), else from S3 with your AWS \
    credentials.\n\n\
    Exit codes: 0 shown; 2 wrong usage; 5 not shown, the message says why.";
const REPORT: &str = "Report on files, without any cluster.\n\n\
    Reads sample files of the engines (JMeter, Locust, k6, Apiritif, Molotov), Taurus' final-stats XML, a worker's histograms, the result.json \
    of a run, and folders: Taurus' artifacts, what a worker uploaded, or many of these. What a file is, is seen from its \
    content; gzip and zstd are unpacked.\n\n\
    Several files are merged: samples and histograms exactly, percentiles included. Of final-stats XML the counts are \
    added up and the percentiles shown per file, because percentiles cannot be merged. Different kinds are not mixed.\n\n\
    Exit codes: 0 reported, all thresholds met; 1 a threshold is missed; 2 wrong usage, or a file cannot be read, the message \
    says which and why; 4 a threshold cannot be judged; 5 the report cannot be written.";
const VALIDATE: &str = "Check manifests without a cluster.\n\n\
    Checks every LoadTest, LoadTestRun and RegionTarget of the file against its schema and rules; other kinds are \
    skipped. Exit codes: 0 all valid; 2 something is wrong, each violation on a line of standard error.";
const STORAGE: &str = "Part of the system: S3 and DynamoDB in one process, for clusters without AWS.\n\n\
    For laptops and tests: no replication, no encryption, no backup. Both addresses answer GET /healthz without a \
    signature.";

/// Distributed load tests on Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "volley", version, disable_help_subcommand = true, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands: first the user's, then the parts of the system.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a load test and follow it to its result.
    #[command(long_about = RUN)]
    Run(RunArguments),
    /// Watch a run live, from anywhere in its middle to its end.
    #[command(long_about = WATCH)]
    Watch(WatchArguments),
    /// Show the result of a run.
    #[command(long_about = RESULT)]
    Result(ResultArguments),
    /// Report on sample files and results, without any cluster.
    #[command(long_about = REPORT)]
    Report(ReportArguments),
    /// Check manifests without a cluster.
    #[command(long_about = VALIDATE)]
    Validate(ValidateArguments),
    /// Show versions.
    Version(VersionArguments),
    /// Part of the system: reconcile LoadTests and their runs.
    Operator(Box<operator::Arguments>),
    /// Part of the system: the sidecar of a worker.
    Collector(collector::Arguments),
    /// Part of the system: merge what the workers of one run uploaded.
    Aggregator(aggregator::Arguments),
    /// Part of the system: S3 and DynamoDB in one process, for clusters without AWS.
    #[command(long_about = STORAGE)]
    Storage(storage::Arguments),
}

/// How to reach the cluster.
#[derive(Clone, Debug, Default, Args)]
pub struct ClusterArguments {
    /// Namespace; by default the one of the kubeconfig's context.
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Context of the kubeconfig; by default the current one.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

/// Where Volley runs.
#[derive(Clone, Debug, Args)]
pub struct OperatorArguments {
    /// Namespace of the operator, where aggregators and the embedded storage run.
    #[arg(long, value_name = "NAMESPACE", default_value = "volley-system", env = "VOLLEY_OPERATOR_NAMESPACE")]
    pub operator_namespace: String,
}

/// Arguments of `volley run`.
#[derive(Debug, Args)]
#[command(override_usage = "volley run -f FILE [OPTIONS]\n       volley run NAME [OPTIONS]")]
pub struct RunArguments {
    /// Name of an existing LoadTest: creates a run of it.
    #[arg(value_name = "NAME", required_unless_present = "file", conflicts_with = "file")]
    pub name: Option<String>,
    /// File with one LoadTest and what it needs (ConfigMaps, …); `-`: standard input.
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// How to reach the cluster.
    #[command(flatten)]
    pub cluster: ClusterArguments,
    /// Where Volley runs.
    #[command(flatten)]
    pub operator: OperatorArguments,
    /// Stop following after this long, for example 30m; the run goes on.
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    pub timeout: Option<Duration>,
    /// How the result is printed.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Output,
}

/// Arguments of `volley watch`.
#[derive(Debug, Args)]
pub struct WatchArguments {
    /// Name of the LoadTestRun.
    #[arg(value_name = "RUN")]
    pub run: String,
    /// How to reach the cluster.
    #[command(flatten)]
    pub cluster: ClusterArguments,
    /// Where Volley runs.
    #[command(flatten)]
    pub operator: OperatorArguments,
    /// How it is shown.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Output,
}

/// Arguments of `volley result`.
#[derive(Debug, Args)]
pub struct ResultArguments {
    /// Name of the LoadTestRun.
    #[arg(value_name = "RUN")]
    pub run: String,
    /// How to reach the cluster.
    #[command(flatten)]
    pub cluster: ClusterArguments,
    /// Where Volley runs.
    #[command(flatten)]
    pub operator: OperatorArguments,
    /// How the result is printed.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// Arguments of `volley report`.
#[derive(Debug, Args)]
pub struct ReportArguments {
    /// Files or folders; `-`: standard input.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Title of the report; by default the run's or the files' name.
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// What must hold, for example 'p99<300ms', 'errorRate<1%' or, of one label, 'p99(checkout)<300ms'; may be given several times.
    #[arg(long = "threshold", value_name = "THRESHOLD", value_parser = crate::report::thresholds::parse)]
    pub thresholds: Vec<Threshold>,
    /// How the report is written.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// Arguments of `volley validate`.
#[derive(Debug, Args)]
pub struct ValidateArguments {
    /// The file; `-`: standard input.
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,
}

/// Arguments of `volley version`.
#[derive(Debug, Args)]
pub struct VersionArguments {
    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Output,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn run_takes_either_a_file_or_a_name() {
        let parse = |arguments: &[&str]| Cli::try_parse_from(arguments).map(|_| ()).map_err(|error| error.exit_code());
        assert_eq!(parse(&["volley", "run", "-f", "a.yaml"]), Ok(()));
        assert_eq!(parse(&["volley", "run", "checkout", "--timeout", "1h30m", "-o", "json"]), Ok(()));
        assert_eq!(parse(&["volley", "run"]), Err(2));
        assert_eq!(parse(&["volley", "run", "checkout", "-f", "a.yaml"]), Err(2));
        assert_eq!(parse(&["volley", "run", "checkout", "--timeout", "soon"]), Err(2));
        assert_eq!(parse(&["volley", "run", "checkout", "--timeout", "0s"]), Err(2));
    }
}
