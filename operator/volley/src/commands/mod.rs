//! One file per subcommand. The user's commands answer with an exit code, the services run until they are told to stop.

pub mod aggregator;
pub mod collector;
pub mod operator;
pub mod report;
pub mod result;
pub mod run;
pub mod storage;
pub mod validate;
pub mod version;
pub mod watch;

use std::io::Write;
use std::time::Duration;

use clap::{ArgAction, Args};
use volley_storage::credentials::root_keys;
use volley_storage::iot::IotCore;
use volley_storage::{ObjectStore, ResultStore, StorageSettings};

use crate::cluster::ClusterError;
use crate::cluster::storage::FetchError;
use crate::cluster::trigger::TriggerError;
use crate::exit::Exit;
use crate::follow::FollowError;
use crate::manifest::ManifestError;

/// Why a command did not do what it was told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CommandError {
    /// The exit code.
    pub exit: Exit,
    /// What is wrong and what to do, for people.
    pub message: String,
}

impl CommandError {
    /// The user's input is wrong; nothing was done.
    #[must_use]
    pub fn usage(message: &str) -> Self {
        Self { exit: Exit::Usage, message: message.to_owned() }
    }

    /// The cluster or the storage did not do what was asked.
    #[must_use]
    pub fn cluster(message: &str) -> Self {
        Self { exit: Exit::Unreachable, message: message.to_owned() }
    }

    /// A part of the system cannot go on. Kubernetes starts it again.
    #[must_use]
    pub fn service(message: &str) -> Self {
        Self { exit: Exit::Service, message: message.to_owned() }
    }

    /// No signal handler can be installed.
    #[must_use]
    #[allow(clippy::needless_pass_by_value, reason = "map_err hands it over")]
    pub fn signals(error: std::io::Error) -> Self {
        Self::cluster(&format!("cannot handle signals: {error}"))
    }
}

impl From<ManifestError> for CommandError {
    fn from(error: ManifestError) -> Self {
        Self::usage(&error.to_string())
    }
}

impl From<ClusterError> for CommandError {
    fn from(error: ClusterError) -> Self {
        match error.code() {
            // The API server read the object and found it wrong: that is for the user to correct.
            Some(400 | 422) => Self::usage(&error.to_string()),
            Some(_) | None => Self::cluster(&error.to_string()),
        }
    }
}

impl From<TriggerError> for CommandError {
    fn from(error: TriggerError) -> Self {
        Self::cluster(&error.to_string())
    }
}

impl From<FetchError> for CommandError {
    fn from(error: FetchError) -> Self {
        Self::cluster(&error.to_string())
    }
}

impl From<FollowError> for CommandError {
    fn from(error: FollowError) -> Self {
        Self::cluster(&error.to_string())
    }
}

/// Writes text to standard output.
///
/// # Errors
/// When standard output is closed or full.
pub fn print_text(text: &str) -> Result<(), CommandError> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| CommandError::cluster(&format!("cannot write to standard output: {error}")))
}

/// Writes JSON to standard output, indented, with a line break at its end.
///
/// # Errors
/// When standard output is closed or full.
pub fn print_json(value: &serde_json::Value) -> Result<(), CommandError> {
    print_text(&format!("{value:#}\n"))
}

/// Where the parts of the system find bucket and table.
#[derive(Debug, Args)]
pub struct StorageArguments {
    /// Bucket of scripts, control objects and results.
    #[arg(long, env = "VOLLEY_BUCKET", value_name = "NAME")]
    pub bucket: String,
    /// DynamoDB table of results; by default named like the bucket.
    #[arg(long, env = "VOLLEY_TABLE", value_name = "NAME")]
    pub table: Option<String>,
    /// AWS region of both.
    #[arg(long = "aws-region", env = "AWS_REGION", default_value = "us-east-1", value_name = "REGION")]
    pub region: String,
    /// Endpoint of the S3 protocol, http://host:port; without one: AWS.
    #[arg(long, env = "VOLLEY_S3_ENDPOINT", value_name = "URL")]
    pub s3_endpoint: Option<String>,
    /// Endpoint of DynamoDB, http://host:port; without one: AWS.
    #[arg(long, env = "VOLLEY_DYNAMODB_ENDPOINT", value_name = "URL")]
    pub dynamodb_endpoint: Option<String>,
    /// Root key of the embedded storage; without one the AWS SDK looks for credentials.
    #[arg(long = "storage-root-key", env = "VOLLEY_STORAGE_ROOT_KEY", hide_env_values = true, value_name = "KEY")]
    pub root_key: Option<SecretText>,
}

impl StorageArguments {
    /// As the storage's clients want them; an empty value counts as absent.
    ///
    /// # Errors
    /// Wrong usage, which names the value.
    pub fn settings(&self) -> Result<StorageSettings, CommandError> {
        StorageSettings::from_lookup(|name| match name {
            "VOLLEY_BUCKET" => Some(self.bucket.clone()),
            "VOLLEY_TABLE" => self.table.clone(),
            "AWS_REGION" => Some(self.region.clone()),
            "VOLLEY_S3_ENDPOINT" => self.s3_endpoint.clone(),
            "VOLLEY_DYNAMODB_ENDPOINT" => self.dynamodb_endpoint.clone(),
            _ => None,
        })
        .map_err(|error| CommandError::usage(&error.to_string()))
    }

    /// The root key, where one is given.
    #[must_use]
    pub fn root_key(&self) -> Option<&str> {
        self.root_key.as_ref().map(|key| key.0.as_str()).filter(|key| !key.is_empty())
    }

    /// Clients of bucket and table, with the root key or else the credentials that the AWS SDK finds.
    pub async fn connect(&self, settings: &StorageSettings) -> (ObjectStore, ResultStore) {
        match self.root_key() {
            Some(key) => {
                let keys = root_keys(key);
                (ObjectStore::with_key(settings, &keys), ResultStore::with_key(settings, &keys))
            }
            None => (ObjectStore::connect(settings).await, ResultStore::connect(settings).await),
        }
    }
}

/// Whether and where live frames go to AWS IoT Core.
#[derive(Debug, Args)]
pub struct IotArguments {
    /// Publish live frames to AWS IoT Core, on the topic volley/v1/<namespace>/<run>/frame, in the region of --aws-region.
    #[arg(long = "iot", env = "VOLLEY_IOT", num_args = 0..=1, default_missing_value = "true", default_value_t = false,
        action = ArgAction::Set, value_name = "BOOLEAN")]
    pub enabled: bool,
    /// Data endpoint of IoT Core, `https://HOST`; without one: the account's by iot:DescribeEndpoint, else that of the region.
    #[arg(long = "iot-endpoint", env = "VOLLEY_IOT_ENDPOINT", value_name = "URL")]
    pub endpoint: Option<String>,
}

impl IotArguments {
    /// The endpoint, where one is given.
    #[must_use]
    pub fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref().filter(|endpoint| !endpoint.is_empty())
    }

    /// IoT Core with the credentials that the AWS SDK finds; `None`: nothing is published.
    pub async fn connect(&self, settings: &StorageSettings) -> Option<IotCore> {
        if !self.enabled {
            return None;
        }
        Some(IotCore::connect(settings, self.endpoint()).await)
    }
}

/// A text that is never printed.
#[derive(Clone)]
pub struct SecretText(pub String);

impl std::str::FromStr for SecretText {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl std::fmt::Debug for SecretText {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("(hidden)")
    }
}

/// A duration as manifests write it, longer than 0.
///
/// # Errors
/// Words for people.
pub fn positive_duration(text: &str) -> Result<Duration, String> {
    let parsed: volley_api::Duration =
        text.parse().map_err(|error: volley_api::duration::InvalidDuration| error.to_string())?;
    match parsed.milliseconds() {
        0 => Err("must be longer than 0".into()),
        milliseconds => Ok(Duration::from_millis(milliseconds)),
    }
}

/// Starts the logs of a service.
///
/// # Errors
/// Wrong usage, where the filter cannot be read.
pub fn start_logs(filter: Option<&str>) -> Result<(), CommandError> {
    crate::telemetry::start(filter).map_err(|words| CommandError::usage(&words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments() -> StorageArguments {
        StorageArguments {
            bucket: "volley".into(),
            table: None,
            region: "eu-west-1".into(),
            s3_endpoint: Some(String::new()),
            dynamodb_endpoint: None,
            root_key: Some(SecretText("hidden-root-key".into())),
        }
    }

    #[test]
    fn an_empty_endpoint_means_aws_and_a_wrong_one_is_wrong_usage() {
        let mut arguments = arguments();
        let settings = arguments.settings().unwrap();
        assert_eq!((settings.s3_endpoint, settings.table.as_str()), (None, "volley"));
        arguments.s3_endpoint = Some("storage:9000".into());
        assert_eq!(arguments.settings().unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn a_root_key_is_never_printed() {
        assert!(!format!("{:?}", arguments()).contains("hidden-root-key"));
    }
}
