//! The operator's way to AWS: credentials as the SDK finds them, a role where one is named, and what went wrong in words.
//!
//! Nothing is asked before a RegionTarget needs it: on a laptop without AWS no request is made and none is waited for.

mod endpoint;
mod error;
mod quota;
mod session;
mod usage;

use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use tokio::sync::OnceCell;

pub(crate) use endpoint::sts_host;
pub(crate) use error::AwsError;
pub(crate) use quota::{VCPU_QUOTA, VcpuQuota};
pub(crate) use session::Session;

use crate::settings::AwsSettings;

/// A connection has to stand within this time.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// One attempt.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(5);
/// All attempts of a request together.
const OPERATION_LIMIT: Duration = Duration::from_secs(8);
/// Attempts, the first included: who asks comes back anyway.
const ATTEMPTS: u32 = 2;

/// Everything that is asked on AWS begins here.
#[derive(Debug)]
pub(crate) struct Aws {
    settings: AwsSettings,
    /// Region of the credentials' own requests, where their source makes some.
    home: String,
    found: OnceCell<SdkConfig>,
}

impl Aws {
    pub(crate) fn new(settings: AwsSettings, home: &str) -> Arc<Self> {
        Arc::new(Self { settings, home: home.to_owned(), found: OnceCell::new() })
    }

    /// A session in a region, with the operator's own credentials or those of a role.
    pub(crate) fn session(self: &Arc<Self>, region: &str, role: Option<&str>) -> Session {
        Session::new(Arc::clone(self), region, role)
    }

    /// The configuration with the operator's own credentials, for another region.
    async fn configuration(&self, region: &str) -> SdkConfig {
        let found = self.found.get_or_init(async || match &self.settings {
            AwsSettings::Environment => {
                aws_config::defaults(BehaviorVersion::latest()).region(Region::new(self.home.clone())).load().await
            }
            AwsSettings::Given(given) => given.as_ref().clone(),
        });
        let mut builder = found.await.to_builder().region(Region::new(region.to_owned()));
        builder.set_retry_config(Some(RetryConfig::standard().with_max_attempts(ATTEMPTS)));
        builder.set_timeout_config(Some(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_LIMIT)
                .operation_attempt_timeout(ATTEMPT_LIMIT)
                .operation_timeout(OPERATION_LIMIT)
                .build(),
        ));
        builder.build()
    }
}
