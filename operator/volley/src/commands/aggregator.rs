//! `volley aggregator`: merges what the workers of one run uploaded.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use volley_aggregator::Settings;
use volley_aggregator::feed::Outlets;

use super::{CommandError, IotArguments, StorageArguments, positive_duration, print_text, start_logs};
use crate::exit::Exit;
use crate::report::status;
use crate::signals;

/// Arguments of `volley aggregator`; the operator sets the variables in its Job.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Uid of the LoadTestRun.
    #[arg(long, env = "VOLLEY_RUN_UID", value_name = "UID")]
    pub run_uid: String,
    /// Where data is kept.
    #[command(flatten)]
    pub storage: StorageArguments,
    /// Write no status and print the table instead: for use without Kubernetes.
    #[arg(long)]
    pub no_status: bool,
    /// How long control/close.json is waited for; by default as long as the run may take by its definition.
    #[arg(long, env = "VOLLEY_AGGREGATOR_PATIENCE", value_parser = positive_duration, value_name = "DURATION")]
    pub patience: Option<Duration>,
    /// Address of the live figures: /v1/frames, /v1/stream and /healthz.
    #[arg(long, env = "VOLLEY_LISTEN", default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Address of /metrics; without one it is not served.
    #[arg(long, env = "VOLLEY_METRICS_LISTEN", value_name = "ADDRESS")]
    pub metrics_listen: Option<SocketAddr>,
    /// IoT Core.
    #[command(flatten)]
    pub iot: IotArguments,
    /// Log filter: error, warn, info, debug or a filter such as info,kube=debug.
    #[arg(long, env = "VOLLEY_LOG", value_name = "FILTER")]
    pub log: Option<String>,
}

/// Runs until the run is aggregated, or a signal.
///
/// # Errors
/// Wrong usage, or why the run cannot be aggregated. A repetition is safe.
pub async fn run(arguments: Arguments) -> Result<Exit, CommandError> {
    start_logs(arguments.log.as_deref())?;
    let storage = arguments.storage.settings()?;
    let (store, results) = arguments.storage.connect(&storage).await;
    let client = if arguments.no_status {
        None
    } else {
        let client = kube::Client::try_default().await.map_err(|error| {
            CommandError::service(&format!(
                "no cluster for the run's status: {error}; without Kubernetes use --no-status"
            ))
        })?;
        Some(client)
    };
    let shutdown = signals::requested(signals::shutdown().map_err(CommandError::signals)?);
    let iot = arguments.iot.connect(&storage).await.map(Arc::new);
    let outlets = Outlets { listen: arguments.listen, metrics: arguments.metrics_listen, iot };
    let settings = Settings { run_uid: arguments.run_uid, patience: arguments.patience, outlets };
    let aggregated = volley_aggregator::run(settings, store, results, client, shutdown)
        .await
        .map_err(|error| CommandError::service(&error.to_string()))?;
    if arguments.no_status {
        print_text(&format!("{}\n\nResult: {}\n", status::figures(&aggregated.summary), aggregated.summary.location))?;
    }
    Ok(Exit::Success)
}
