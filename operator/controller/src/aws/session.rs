//! Credentials in one region, kept while they are good.

use std::sync::Arc;
use std::time::SystemTime;

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use super::{Aws, AwsError};

/// Credentials are asked for again after this time at the latest: a change of a role or of its trust shows within it.
const KEEP: SignedDuration = SignedDuration::from_mins(10);
/// What is signed with credentials is of use for a while; they must not end before.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);
/// Stands in AWS' records of what the role did.
const SESSION_NAME: &str = "volley-operator";

/// Credentials in one region.
#[derive(Debug)]
pub(crate) struct Session {
    aws: Arc<Aws>,
    region: String,
    role: Option<String>,
    held: Mutex<Option<Held>>,
}

#[derive(Debug)]
struct Held {
    credentials: Credentials,
    until: Timestamp,
}

impl Session {
    pub(super) fn new(aws: Arc<Aws>, region: &str, role: Option<&str>) -> Self {
        Self { aws, region: region.to_owned(), role: role.map(str::to_owned), held: Mutex::default() }
    }

    /// The AWS region.
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// Credentials that are good for a while.
    ///
    /// # Errors
    /// Where there are none, or the role is refused.
    pub(crate) async fn credentials(&self, now: Timestamp) -> Result<Credentials, AwsError> {
        let mut held = self.held.lock().await;
        if let Some(held) = held.as_ref().filter(|held| now < held.until) {
            return Ok(held.credentials.clone());
        }
        let credentials = self.fresh().await?;
        *held = Some(Held { credentials: credentials.clone(), until: good_until(now, credentials.expiry()) });
        Ok(credentials)
    }

    /// The credentials were refused: the next who asks gets new ones.
    pub(crate) async fn forget(&self) {
        *self.held.lock().await = None;
    }

    /// The configuration of a client with these credentials.
    ///
    /// # Errors
    /// As [`Session::credentials`].
    pub(crate) async fn configuration(&self, now: Timestamp) -> Result<SdkConfig, AwsError> {
        let credentials = self.credentials(now).await?;
        Ok(with(self.aws.configuration(&self.region).await, credentials))
    }

    async fn fresh(&self) -> Result<Credentials, AwsError> {
        let configuration = self.aws.configuration(&self.region).await;
        let provider = configuration
            .credentials_provider()
            .ok_or_else(|| AwsError::NoCredentials("none are configured".to_owned()))?;
        let own = provider.provide_credentials().await.map_err(|error| AwsError::of_source(&error))?;
        match &self.role {
            None => Ok(own),
            Some(role) => assume(&with(configuration, own), role).await,
        }
    }
}

fn with(configuration: SdkConfig, credentials: Credentials) -> SdkConfig {
    configuration.into_builder().credentials_provider(SharedCredentialsProvider::new(credentials)).build()
}

async fn assume(configuration: &SdkConfig, role: &str) -> Result<Credentials, AwsError> {
    let object = format!("the credentials of role {role}");
    let request = aws_sdk_sts::Client::new(configuration).assume_role().role_arn(role).role_session_name(SESSION_NAME);
    let answer = request.send().await.map_err(|error| match AwsError::of(&object, "sts:AssumeRole", &error) {
        AwsError::Denied { words, .. } => AwsError::RoleRefused { role: role.to_owned(), words },
        other => other,
    })?;
    let failed = |words: &str| AwsError::Failed { object: object.clone(), words: words.to_owned() };
    let given = answer.credentials().ok_or_else(|| failed("the answer holds none"))?;
    let expires = SystemTime::try_from(*given.expiration()).map_err(|error| failed(&error.to_string()))?;
    let token = Some(given.session_token().to_owned());
    Ok(Credentials::new(given.access_key_id(), given.secret_access_key(), token, Some(expires), "AssumeRole"))
}

/// Until when credentials are used without asking again.
fn good_until(now: Timestamp, expiry: Option<SystemTime>) -> Timestamp {
    let longest = now.saturating_add(KEEP).unwrap_or(Timestamp::MAX);
    let ends = expiry
        .and_then(|expiry| Timestamp::try_from(expiry).ok())
        .map(|expiry| expiry.saturating_sub(MARGIN).unwrap_or(Timestamp::MIN));
    ends.map_or(longest, |ends| ends.min(longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case::keys_without_an_end(None, "2026-11-25T10:10:00Z")]
    #[case::an_hour(Some("2026-11-25T11:00:00Z"), "2026-11-25T10:10:00Z")]
    #[case::a_quarter_of_an_hour(Some("2026-11-25T10:14:00Z"), "2026-11-25T10:09:00Z")]
    #[case::almost_over(Some("2026-11-25T10:03:00Z"), "2026-11-25T09:58:00Z")]
    fn credentials_are_kept_ten_minutes_and_never_to_their_end(#[case] expiry: Option<&str>, #[case] until: &str) {
        let expiry = expiry.map(|text| SystemTime::from(text.parse::<Timestamp>().unwrap()));
        assert_eq!(good_until("2026-11-25T10:00:00Z".parse().unwrap(), expiry), until.parse().unwrap());
    }
}
