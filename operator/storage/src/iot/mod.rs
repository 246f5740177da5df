//! The client side of AWS IoT Core: live frames go out over HTTPS, one message each.
//!
//! `POST /topics/<topic>?qos=1` at a given data endpoint, else at the account's own ([`endpoint`]), else at the region's
//! (`data-ats.iot.<region>.amazonaws.com`, by the SDK's rules). It needs the right `iot:Publish` on `topic/volley/*`. Source:
//! AWS IoT Core developer guide, "HTTPS" under "Device communication protocols"; AWS General Reference, "AWS IoT Core
//! endpoints".
//!
//! Quality of service 1: with 0 a message is delivered zero or more times, with 1 at least once. Order is guaranteed with
//! neither, so that readers go by the `seq` of a frame.

mod endpoint;
mod error;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_iotdataplane::Client;
use aws_sdk_iotdataplane::config::retry::RetryConfig;
use aws_sdk_iotdataplane::config::timeout::TimeoutConfig;

use crate::settings::{KeyPair, StorageSettings};

use endpoint::AccountEndpoint;
pub use error::IotError;

/// One attempt, and there is only one: a later frame says more than a repetition.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
const PUBLISH: &str = "publish a live frame";
const PUBLISH_RIGHT: &str = "iot:Publish on topic/volley/*";
/// At least once.
const QUALITY_OF_SERVICE: i32 = 1;

/// The topic of a run's frames. A subscriber to `volley/v1/<namespace>/#` sees all runs of a namespace.
#[must_use]
pub fn frame_topic(namespace: &str, run: &str) -> String {
    format!("volley/v1/{namespace}/{run}/frame")
}

/// IoT Core of one account and region. Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct IotCore {
    /// At the endpoint that was given, or at the region's.
    client: Client,
    /// `None`: an endpoint was given.
    account: Option<AccountEndpoint>,
}

impl IotCore {
    /// IoT Core in the region of the settings, with the credentials that the AWS SDK finds. `endpoint` is a data endpoint,
    /// `https://host`; `None`: the account's once it is [found](Self::find_endpoint), the region's until then. Nothing is sent yet.
    pub async fn connect(settings: &StorageSettings, endpoint: Option<&str>) -> Self {
        Self::from_config(endpoint, None, &settings.sdk_config().await)
    }

    /// The same with a given key pair, and an endpoint of the control plane; `None`: the region's. Nothing is sent yet.
    #[must_use]
    pub fn with_key(settings: &StorageSettings, endpoint: Option<&str>, control: Option<&str>, keys: &KeyPair) -> Self {
        Self::from_config(endpoint, control, &settings.sdk_config_with(keys))
    }

    fn from_config(endpoint: Option<&str>, control: Option<&str>, config: &SdkConfig) -> Self {
        let account = endpoint.is_none().then(|| AccountEndpoint::new(config, control));
        Self { client: data_client(config, endpoint), account }
    }

    /// Asks for the account's endpoint, where none was given and none was found; messages go there from then on.
    ///
    /// # Errors
    /// What IoT Core says, or that it does not answer within 5 s. Messages then go to the region's endpoint.
    pub async fn find_endpoint(&self) -> Result<(), IotError> {
        match &self.account {
            Some(account) => account.find().await,
            None => Ok(()),
        }
    }

    /// Publishes one message, at most 128 KiB.
    ///
    /// # Errors
    /// What IoT Core says, or that it does not answer within 5 s.
    pub async fn publish(&self, topic: &str, payload: Vec<u8>) -> Result<(), IotError> {
        let payload = aws_sdk_iotdataplane::primitives::Blob::new(payload);
        let client = self.account.as_ref().and_then(AccountEndpoint::client).unwrap_or(&self.client);
        let published = client.publish().topic(topic).qos(QUALITY_OF_SERVICE).payload(payload).send().await;
        published.map(|_| ()).map_err(|error| error::from_sdk(PUBLISH, PUBLISH_RIGHT, &error))
    }
}

/// A client of the data plane; without an endpoint of the region's.
fn data_client(config: &SdkConfig, endpoint: Option<&str>) -> Client {
    let mut config = aws_sdk_iotdataplane::config::Builder::from(config)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts());
    if let Some(endpoint) = endpoint {
        config = config.endpoint_url(endpoint);
    }
    Client::from_conf(config.build())
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().operation_timeout(ATTEMPT_TIMEOUT).connect_timeout(ATTEMPT_TIMEOUT).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_names_namespace_and_run_within_seven_slashes() {
        let topic = frame_topic("shop", "checkout-1");
        assert_eq!(topic, "volley/v1/shop/checkout-1/frame");
        assert!(topic.matches('/').count() <= 7);
    }
}
