//! The data endpoint of an account, by `DescribeEndpoint`.
//!
//! `GET /endpoint?endpointType=iot:Data-ATS` of the control plane (`iot.<region>.amazonaws.com`), right `iot:DescribeEndpoint`. Source: AWS
//! IoT API reference, "`DescribeEndpoint`". It is asked once in the life of a process. Without an answer the region's endpoint serves
//! as well; whose account it is, each request's signature says.

use std::sync::{Arc, OnceLock};

use aws_config::SdkConfig;
use aws_sdk_iot::config::retry::RetryConfig;
use aws_sdk_iotdataplane::Client;

use super::error::{IotError, from_sdk};
use super::{data_client, timeouts};

const OPERATION: &str = "say the account's endpoint";
const RIGHT: &str = "iot:DescribeEndpoint on *";
/// The endpoint with certificates of Amazon Trust Services; the older one's are not trusted by newer systems.
const ENDPOINT_TYPE: &str = "iot:Data-ATS";

/// An account's endpoint, which is asked for once.
#[derive(Clone, Debug)]
pub(super) struct AccountEndpoint {
    control: aws_sdk_iot::Client,
    /// The data endpoint is spoken to as the control plane is.
    scheme: &'static str,
    config: SdkConfig,
    /// At the endpoint that was found.
    found: Arc<OnceLock<Client>>,
}

impl AccountEndpoint {
    /// Nothing is asked yet. `control` is the control plane's endpoint; `None`: the region's.
    pub(super) fn new(config: &SdkConfig, control: Option<&str>) -> Self {
        let mut builder =
            aws_sdk_iot::config::Builder::from(config).retry_config(RetryConfig::disabled()).timeout_config(timeouts());
        if let Some(control) = control {
            builder = builder.endpoint_url(control);
        }
        let scheme = if control.is_some_and(|control| control.starts_with("http://")) { "http" } else { "https" };
        let control = aws_sdk_iot::Client::from_conf(builder.build());
        Self { control, scheme, config: config.clone(), found: Arc::default() }
    }

    /// The client at the endpoint that was found.
    pub(super) fn client(&self) -> Option<&Client> {
        self.found.get()
    }

    /// Asks, and answers the endpoint; a second call asks nobody where the first one had an answer.
    pub(super) async fn find(&self) -> Result<(), IotError> {
        if self.found.get().is_some() {
            return Ok(());
        }
        let answer = self.control.describe_endpoint().endpoint_type(ENDPOINT_TYPE).send().await;
        let answer = answer.map_err(|error| from_sdk(OPERATION, RIGHT, &error))?;
        let Some(address) = answer.endpoint_address().filter(|address| !address.is_empty()) else {
            return Err(IotError::Refused { operation: OPERATION, words: "its answer has no address".to_owned() });
        };
        tracing::info!(address, "live frames go to the account's endpoint of IoT Core");
        let endpoint = format!("{}://{address}", self.scheme);
        self.found.get_or_init(|| data_client(&self.config, Some(&endpoint)));
        Ok(())
    }
}
