//! The client side of AWS IoT Core: live frames go out over HTTPS, one message each.
//!
//! `POST /topics/<topic>?qos=1` at the region's data endpoint (`data-ats.iot.<region>.amazonaws.com`, by the SDK's rules) or
//! the account's own; whose account it is, the signature says. It needs the right `iot:Publish` on `topic/volley/*`. Source:
//! AWS IoT Core developer guide, "HTTPS" under "Device communication protocols"; AWS General Reference, "AWS IoT Core
//! endpoints". `DescribeEndpoint` is not asked: it would add the largest crate of all for one request at start.
//!
//! Quality of service 1: with 0 a message is delivered zero or more times, with 1 at least once. Order is guaranteed with
//! neither, so that readers go by the `seq` of a frame.

mod error;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_iotdataplane::Client;
use aws_sdk_iotdataplane::config::retry::RetryConfig;
use aws_sdk_iotdataplane::config::timeout::TimeoutConfig;

use crate::settings::{KeyPair, StorageSettings};

pub use error::IotError;

/// One attempt, and there is only one: a later frame says more than a repetition.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
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
    client: Client,
}

impl IotCore {
    /// IoT Core in the region of the settings, with the credentials that the AWS SDK finds. `endpoint` is a data endpoint,
    /// `https://host`; `None`: the region's. Nothing is sent yet.
    pub async fn connect(settings: &StorageSettings, endpoint: Option<&str>) -> Self {
        Self::from_config(endpoint, &settings.sdk_config().await)
    }

    /// The same with a given key pair. Nothing is sent yet.
    #[must_use]
    pub fn with_key(settings: &StorageSettings, endpoint: Option<&str>, keys: &KeyPair) -> Self {
        Self::from_config(endpoint, &settings.sdk_config_with(keys))
    }

    fn from_config(endpoint: Option<&str>, config: &SdkConfig) -> Self {
        let timeouts = TimeoutConfig::builder().operation_timeout(ATTEMPT_TIMEOUT).connect_timeout(ATTEMPT_TIMEOUT);
        let mut config = aws_sdk_iotdataplane::config::Builder::from(config)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.build());
        if let Some(endpoint) = endpoint {
            config = config.endpoint_url(endpoint);
        }
        Self { client: Client::from_conf(config.build()) }
    }

    /// Publishes one message, at most 128 KiB.
    ///
    /// # Errors
    /// What IoT Core says, or that it does not answer within 5 s.
    pub async fn publish(&self, topic: &str, payload: Vec<u8>) -> Result<(), IotError> {
        let payload = aws_sdk_iotdataplane::primitives::Blob::new(payload);
        let published = self.client.publish().topic(topic).qos(QUALITY_OF_SERVICE).payload(payload).send().await;
        published.map(|_| ()).map_err(|error| error::from_sdk("publish a live frame", &error))
    }
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
