//! Where S3 and DynamoDB are, and as whom to speak to them.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;

/// A connection has to stand within this time: three seconds are one lost SYN and its repetition.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// One attempt of a small request.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// Attempts of the SDK, the first included: two seconds of backoff at most, so that pollers stay in phase.
const ATTEMPTS: u32 = 3;
/// All attempts of a small request together with their pauses.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(35);
/// Used where no region is given: the embedded storage accepts any, the SDK needs one.
const DEFAULT_REGION: &str = "us-east-1";

/// Where data is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageSettings {
    /// Name of the S3 bucket.
    pub bucket: String,
    /// Endpoint of the S3 protocol (`http://host:port`), spoken to with path-style addresses; `None`: AWS.
    pub s3_endpoint: Option<String>,
    /// Endpoint of the DynamoDB protocol; `None`: AWS.
    pub dynamodb_endpoint: Option<String>,
    /// Name of the DynamoDB table.
    pub table: String,
    /// AWS region of bucket and table.
    pub region: String,
}

/// A setting is missing or malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A required variable is absent or empty.
    #[error("environment variable {0} is not set: set it to {1}")]
    Missing(&'static str, &'static str),
    /// An endpoint is no URL.
    #[error("environment variable {variable} is {value:?}: write an endpoint as http://host:port or https://host")]
    Endpoint {
        /// The variable.
        variable: &'static str,
        /// What it holds.
        value: String,
    },
}

impl StorageSettings {
    /// Reads `VOLLEY_BUCKET`, `VOLLEY_S3_ENDPOINT`, `VOLLEY_DYNAMODB_ENDPOINT`, `VOLLEY_TABLE` and `AWS_REGION`
    /// (or `AWS_DEFAULT_REGION`) of this process.
    ///
    /// # Errors
    /// When the bucket is not named or an endpoint is no URL.
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// The same from any source of variables. An empty value counts as absent; the table defaults to the bucket's name.
    ///
    /// # Errors
    /// When the bucket is not named or an endpoint is no URL.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let value = |name: &str| lookup(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let endpoint = |variable: &'static str| match value(variable) {
            Some(text) if !text.starts_with("http://") && !text.starts_with("https://") => {
                Err(SettingsError::Endpoint { variable, value: text })
            }
            other => Ok(other),
        };
        let bucket = value("VOLLEY_BUCKET").ok_or(SettingsError::Missing("VOLLEY_BUCKET", "the name of the bucket"))?;
        Ok(Self {
            s3_endpoint: endpoint("VOLLEY_S3_ENDPOINT")?,
            dynamodb_endpoint: endpoint("VOLLEY_DYNAMODB_ENDPOINT")?,
            table: value("VOLLEY_TABLE").unwrap_or_else(|| bucket.clone()),
            region: value("AWS_REGION")
                .or_else(|| value("AWS_DEFAULT_REGION"))
                .unwrap_or_else(|| DEFAULT_REGION.to_owned()),
            bucket,
        })
    }

    /// Configuration with the credentials that the SDK finds in its usual places (variables, pod identity, profile).
    pub(crate) async fn sdk_config(&self) -> SdkConfig {
        aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .retry_config(retries())
            .timeout_config(timeouts())
            .load()
            .await
    }

    /// Configuration with a given key pair.
    pub(crate) fn sdk_config_with(&self, keys: &KeyPair) -> SdkConfig {
        let credentials = Credentials::new(&keys.access_key, &keys.secret_key, None, None, "volley");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(retries())
            .timeout_config(timeouts())
            .build()
    }
}

fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(ATTEMPTS).with_max_backoff(Duration::from_secs(1))
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build()
}

/// Timeouts of a request that carries `bytes` bytes, at 256 KiB/s in the worst case.
pub(crate) fn timeouts_for(bytes: u64) -> TimeoutConfig {
    let attempt = ATTEMPT_TIMEOUT.saturating_add(transfer_time(bytes));
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(attempt)
        .operation_timeout(attempt.saturating_mul(ATTEMPTS).saturating_add(Duration::from_secs(5)))
        .build()
}

/// How long `bytes` bytes may take: a slower path is as good as none.
pub(crate) fn transfer_time(bytes: u64) -> Duration {
    const SLOWEST_BYTES_PER_SECOND: u64 = 256 * 1024;
    Duration::from_secs(bytes / SLOWEST_BYTES_PER_SECOND)
}

/// An access key and its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// Access key id.
    pub access_key: String,
    /// Secret access key.
    pub secret_key: String,
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("KeyPair").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> Result<StorageSettings, SettingsError> {
        StorageSettings::from_lookup(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_bucket_is_required_and_the_message_says_what_to_set() {
        let error = from(&[("VOLLEY_BUCKET", " ")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "environment variable VOLLEY_BUCKET is not set: set it to the name of the bucket"
        );
    }

    #[test]
    fn only_the_bucket_means_aws_with_a_table_of_the_same_name() {
        let settings = from(&[("VOLLEY_BUCKET", "volley")]).unwrap();
        assert_eq!(settings.table, "volley");
        assert_eq!(settings.s3_endpoint, None);
        assert_eq!(settings.region, "us-east-1");
    }

    #[test]
    fn an_endpoint_without_scheme_is_refused() {
        let error = from(&[("VOLLEY_BUCKET", "b"), ("VOLLEY_S3_ENDPOINT", "storage:9000")]).unwrap_err();
        assert!(error.to_string().contains("http://host:port"), "{error}");
    }

    #[test]
    fn a_secret_is_never_printed() {
        let keys = KeyPair { access_key: "a".into(), secret_key: "hidden".into() };
        assert!(!format!("{keys:?}").contains("hidden"));
    }
}
