//! What the installation decides: set once at start, never read from the environment below this crate's edge.

use std::net::SocketAddr;
use std::time::Duration;

use aws_config::SdkConfig;
use k8s_openapi::api::core::v1::ResourceRequirements;

/// Default distance of the start instant from the decision: every collector polls each second, and must have read it before.
pub const DEFAULT_START_DELAY: Duration = Duration::from_secs(15);
/// Service account of the workers; the chart makes it, without a token.
pub const WORKER_SERVICE_ACCOUNT: &str = "volley-worker";

/// Settings of the operator.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name of the installation, at most 63 characters; it stands as a label on every object.
    pub installation: String,
    /// The operator's own namespace: aggregators run here.
    pub namespace: String,
    /// Image of the workers' main container.
    pub worker_image: String,
    /// Image of collector and aggregator.
    pub volley_image: String,
    /// When the kubelet pulls.
    pub image_pull_policy: ImagePullPolicy,
    /// Names of pull Secrets; they must exist in the operator's and in the workers' namespaces.
    pub image_pull_secrets: Vec<String>,
    /// Where workers and aggregators find the storage.
    pub storage: StorageSettings,
    /// How targets on AWS are reached.
    pub aws: AwsSettings,
    /// Distance of the start instant from the decision.
    pub start_delay: Duration,
    /// The aggregator's pod.
    pub aggregator: AggregatorSettings,
    /// Address of `/healthz`, `/readyz` and `/metrics`.
    pub listen: SocketAddr,
    /// Log filter of collectors and aggregators, as in `VOLLEY_LOG`; `None`: their default.
    pub log: Option<String>,
}

/// Where credentials and endpoints of AWS come from.
#[derive(Clone, Debug, Default)]
pub enum AwsSettings {
    /// From where the AWS SDK looks: variables such as `AWS_ROLE_ARN` and `AWS_ENDPOINT_URL_EKS`, pod identity, profiles.
    #[default]
    Environment,
    /// Given; for tests.
    Given(Box<SdkConfig>),
}

/// When the kubelet pulls an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImagePullPolicy {
    /// When the node has no image of that name.
    #[default]
    IfNotPresent,
    /// Before each start.
    Always,
    /// Never; the image must be on the node.
    Never,
}

impl ImagePullPolicy {
    /// As Kubernetes writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IfNotPresent => "IfNotPresent",
            Self::Always => "Always",
            Self::Never => "Never",
        }
    }
}

/// The text is no pull policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no image pull policy; write IfNotPresent, Always or Never")]
pub struct InvalidPullPolicy(String);

impl std::str::FromStr for ImagePullPolicy {
    type Err = InvalidPullPolicy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "IfNotPresent" => Ok(Self::IfNotPresent),
            "Always" => Ok(Self::Always),
            "Never" => Ok(Self::Never),
            _ => Err(InvalidPullPolicy(text.to_owned())),
        }
    }
}

/// Where workers and aggregators find the storage.
#[derive(Clone, Debug)]
pub struct StorageSettings {
    /// Bucket of scripts, control objects and results.
    pub bucket: String,
    /// DynamoDB table of results.
    pub table: String,
    /// AWS region of both.
    pub region: String,
    /// Endpoint of the S3 protocol as pods reach it; `None`: AWS.
    pub s3_endpoint: Option<String>,
    /// The same as workers reach it, who may be in another cluster; `None`: the one above.
    pub worker_s3_endpoint: Option<String>,
    /// Endpoint of DynamoDB as pods reach it; `None`: AWS.
    pub dynamodb_endpoint: Option<String>,
    /// Set where the chart runs the storage: rights are derived per run from its root key.
    pub embedded: Option<EmbeddedStorage>,
}

/// The embedded storage's key. Its `Debug` hides it.
#[derive(Clone)]
pub struct EmbeddedStorage {
    /// The root key's text, from which the storage and the operator derive the same key for a run.
    pub root_key: String,
    /// Secret in the operator's namespace that holds it, for aggregators.
    pub secret: String,
    /// Key in that Secret.
    pub secret_key: String,
}

impl std::fmt::Debug for EmbeddedStorage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("EmbeddedStorage")
            .field("secret", &self.secret)
            .field("secret_key", &self.secret_key)
            .finish_non_exhaustive()
    }
}

/// The aggregator's pod.
#[derive(Clone, Debug, Default)]
pub struct AggregatorSettings {
    /// Its service account in the operator's namespace; it may patch `loadtestruns/status`.
    pub service_account: String,
    /// Requests and limits.
    pub resources: ResourceRequirements,
    /// Set where live frames are published to AWS IoT Core.
    pub iot: Option<IotSettings>,
}

/// AWS IoT Core in the storage's region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IotSettings {
    /// Data endpoint, `https://host`; `None`: the region's.
    pub endpoint: Option<String>,
}
