//! `volley storage`: S3 and DynamoDB in one process.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use volley_storage::embedded::{EmbeddedSettings, serve};

use super::{CommandError, SecretText, start_logs};
use crate::exit::Exit;
use crate::signals;

/// Arguments of `volley storage`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Folder of all data; made where it is missing. One process a folder.
    #[arg(long, env = "VOLLEY_DATA_DIR", value_name = "FOLDER")]
    pub data_dir: PathBuf,
    /// Name of the one bucket.
    #[arg(long, env = "VOLLEY_BUCKET", default_value = "volley", value_name = "NAME")]
    pub bucket: String,
    /// Name of the one table; made where it is missing.
    #[arg(long, env = "VOLLEY_TABLE", default_value = "volley", value_name = "NAME")]
    pub table: String,
    /// Secret of the access key `volley`, from which the keys of runs are derived; at least 16 bytes.
    #[arg(long = "root-key", env = "VOLLEY_STORAGE_ROOT_KEY", hide_env_values = true, value_name = "KEY")]
    pub root_key: SecretText,
    /// Address of the S3 protocol.
    #[arg(long, env = "VOLLEY_S3_LISTEN", default_value = "0.0.0.0:9000", value_name = "ADDRESS")]
    pub s3_listen: SocketAddr,
    /// Address of the DynamoDB protocol.
    #[arg(long, env = "VOLLEY_DYNAMODB_LISTEN", default_value = "0.0.0.0:8000", value_name = "ADDRESS")]
    pub dynamodb_listen: SocketAddr,
    /// Log filter: error, warn, info, debug or a filter such as info,kube=debug.
    #[arg(long, env = "VOLLEY_LOG", value_name = "FILTER")]
    pub log: Option<String>,
}

/// Runs until a signal.
///
/// # Errors
/// Why the storage cannot serve.
pub async fn run(arguments: Arguments) -> Result<Exit, CommandError> {
    start_logs(arguments.log.as_deref())?;
    let settings = EmbeddedSettings {
        data_dir: arguments.data_dir,
        s3_listen: arguments.s3_listen,
        dynamodb_listen: arguments.dynamodb_listen,
        root_key: arguments.root_key.0,
        bucket: arguments.bucket,
        table: arguments.table,
    };
    let shutdown = signals::requested(signals::shutdown().map_err(CommandError::signals)?);
    serve(settings, shutdown).await.map_err(|error| CommandError::service(&error.to_string()))?;
    Ok(Exit::Success)
}
