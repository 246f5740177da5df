//! `volley operator`: settings from flags and environment, then the controllers.

#![allow(clippy::doc_markdown, reason = "the help shows these texts as they are")]

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use k8s_openapi::api::core::v1::ResourceRequirements;
use volley_controller::settings::{
    AggregatorSettings, AwsSettings, EmbeddedStorage, ImagePullPolicy, IotSettings, Settings, StorageSettings,
};

use super::{CommandError, IotArguments, StorageArguments, positive_duration, start_logs};
use crate::exit::Exit;
use crate::signals;

/// Arguments of `volley operator`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Name of the installation; it stands as a label on every object and in every row.
    #[arg(long, env = "VOLLEY_INSTALLATION", default_value = "volley", value_name = "NAME")]
    pub installation: String,
    /// The operator's own namespace: aggregators run here.
    #[arg(long, env = "VOLLEY_NAMESPACE", value_name = "NAMESPACE")]
    pub namespace: String,
    /// Image of the workers' main container (Taurus and its engines).
    #[arg(long, env = "VOLLEY_WORKER_IMAGE", value_name = "IMAGE")]
    pub worker_image: String,
    /// Image of collectors and aggregators.
    #[arg(long, env = "VOLLEY_IMAGE", value_name = "IMAGE")]
    pub volley_image: String,
    /// When the kubelet pulls: IfNotPresent, Always or Never.
    #[arg(long, env = "VOLLEY_IMAGE_PULL_POLICY", default_value = "IfNotPresent", value_name = "POLICY")]
    pub image_pull_policy: ImagePullPolicy,
    /// Name of a pull Secret in the operator's and the workers' namespaces; repeat it or separate with commas.
    #[arg(long = "image-pull-secret", env = "VOLLEY_IMAGE_PULL_SECRETS", value_delimiter = ',', value_name = "NAME")]
    pub image_pull_secrets: Vec<String>,
    /// Where data is kept.
    #[command(flatten)]
    pub storage: StorageArguments,
    /// Endpoint of the S3 protocol as workers reach it, who may be in another cluster; default: --s3-endpoint.
    #[arg(long, env = "VOLLEY_WORKER_S3_ENDPOINT", value_name = "URL")]
    pub worker_s3_endpoint: Option<String>,
    /// Secret in the operator's namespace that holds the embedded storage's root key.
    #[arg(long, env = "VOLLEY_STORAGE_SECRET", default_value = "volley-storage", value_name = "NAME")]
    pub storage_secret: String,
    /// Key of the root key in that Secret.
    #[arg(long, env = "VOLLEY_STORAGE_SECRET_KEY", default_value = "root-key", value_name = "KEY")]
    pub storage_secret_key: String,
    /// The start instant lies this far ahead of the decision, so that every worker has read it.
    #[arg(long, env = "VOLLEY_START_DELAY", default_value = "15s", value_parser = positive_duration, value_name = "DURATION")]
    pub start_delay: Duration,
    /// Service account of aggregators in the operator's namespace; it may patch loadtestruns/status.
    #[arg(long, env = "VOLLEY_AGGREGATOR_SERVICE_ACCOUNT", default_value = "volley-aggregator", value_name = "NAME")]
    pub aggregator_service_account: String,
    /// Requests and limits of aggregators, as JSON of a container's `resources`.
    #[arg(long, env = "VOLLEY_AGGREGATOR_RESOURCES", default_value = "{}", value_parser = resources, value_name = "JSON")]
    pub aggregator_resources: ResourceRequirements,
    /// IoT Core, for aggregators.
    #[command(flatten)]
    pub iot: IotArguments,
    /// Address of /healthz, /readyz and /metrics.
    #[arg(long, env = "VOLLEY_LISTEN", default_value = "0.0.0.0:8080", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Log filter of the operator, its collectors and aggregators: error, warn, info, debug or a filter such as
    /// info,kube=debug.
    #[arg(long, env = "VOLLEY_LOG", value_name = "FILTER")]
    pub log: Option<String>,
}

impl Arguments {
    /// The controllers' settings.
    fn settings(&self, storage: &volley_storage::StorageSettings) -> Settings {
        Settings {
            installation: self.installation.clone(),
            namespace: self.namespace.clone(),
            worker_image: self.worker_image.clone(),
            volley_image: self.volley_image.clone(),
            image_pull_policy: self.image_pull_policy,
            image_pull_secrets: self.image_pull_secrets.iter().filter(|name| !name.is_empty()).cloned().collect(),
            storage: StorageSettings {
                bucket: storage.bucket.clone(),
                table: storage.table.clone(),
                region: storage.region.clone(),
                s3_endpoint: storage.s3_endpoint.clone(),
                worker_s3_endpoint: self.worker_s3_endpoint.clone().filter(|endpoint| !endpoint.is_empty()),
                dynamodb_endpoint: storage.dynamodb_endpoint.clone(),
                embedded: self.storage.root_key().map(|key| EmbeddedStorage {
                    root_key: key.to_owned(),
                    secret: self.storage_secret.clone(),
                    secret_key: self.storage_secret_key.clone(),
                }),
            },
            aws: AwsSettings::Environment,
            start_delay: self.start_delay,
            aggregator: AggregatorSettings {
                service_account: self.aggregator_service_account.clone(),
                resources: self.aggregator_resources.clone(),
                iot: self.iot.enabled.then(|| IotSettings { endpoint: self.iot.endpoint().map(str::to_owned) }),
            },
            listen: self.listen,
            log: self.log.clone().filter(|filter| !filter.is_empty()),
        }
    }
}

fn resources(text: &str) -> Result<ResourceRequirements, String> {
    serde_json::from_str(text).map_err(|error| format!("no JSON of a container's resources: {error}"))
}

/// Runs until a signal.
///
/// # Errors
/// Wrong usage, or why the operator cannot go on.
pub async fn run(arguments: Arguments) -> Result<Exit, CommandError> {
    start_logs(arguments.log.as_deref())?;
    let storage = arguments.storage.settings()?;
    let settings = arguments.settings(&storage);
    let (store, _) = arguments.storage.connect(&storage).await;
    let client = kube::Client::try_default()
        .await
        .map_err(|error| CommandError::service(&format!("no cluster to reconcile: {error}")))?;
    let shutdown = signals::requested(signals::shutdown().map_err(CommandError::signals)?);
    volley_controller::run(client, store, settings, shutdown)
        .await
        .map_err(|error| CommandError::service(&error.to_string()))?;
    Ok(Exit::Success)
}
