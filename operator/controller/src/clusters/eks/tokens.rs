//! The present token of one cluster: kept while it is good, made anew before it ends or when it was refused.

use std::sync::Arc;

use http::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use super::{EksError, token};
use crate::aws::Session;

/// Age at which a token is replaced. It ends at 15 minutes by the cluster's clock, and a request may take a while.
const RENEW_AT: SignedDuration = SignedDuration::from_mins(10);
/// A refused token is replaced at this age at the earliest: a cluster that refuses everything must not make us ask AWS each time.
const RENEW_REFUSED_AT: SignedDuration = SignedDuration::from_mins(1);

/// The present token of one cluster.
#[derive(Debug)]
pub(super) struct Tokens {
    session: Arc<Session>,
    cluster: String,
    host: String,
    now: fn() -> Timestamp,
    held: Mutex<Option<Held>>,
}

/// A token, as the header carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    header: HeaderValue,
    made_at: Timestamp,
}

impl Held {
    fn is_fresh(&self, now: Timestamp) -> bool {
        // A clock that was set back makes a token from the future, which the cluster refuses.
        (SignedDuration::ZERO..RENEW_AT).contains(&now.duration_since(self.made_at))
    }

    fn may_be_replaced(&self, now: Timestamp) -> bool {
        now.duration_since(self.made_at).abs() >= RENEW_REFUSED_AT
    }
}

impl Tokens {
    /// Tokens for a cluster; `host` is that of STS in its region.
    pub(super) fn new(session: Arc<Session>, cluster: &str, host: String, now: fn() -> Timestamp) -> Self {
        Self { session, cluster: cluster.to_owned(), host, now, held: Mutex::default() }
    }

    /// The present token as `Authorization` header.
    ///
    /// # Errors
    /// Where AWS gives no credentials.
    pub(super) async fn header(&self) -> Result<HeaderValue, EksError> {
        let mut held = self.held.lock().await;
        let now = (self.now)();
        if let Some(held) = held.as_ref().filter(|held| held.is_fresh(now)) {
            return Ok(held.header.clone());
        }
        let credentials = self.session.credentials(now).await?;
        let failed = |problem: String| EksError::Token { cluster: self.cluster.clone(), problem };
        let token = token::token(credentials, self.session.region(), &self.host, &self.cluster, now)
            .map_err(|error| failed(error.to_string()))?;
        let mut header =
            HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| failed("it is no header".to_owned()))?;
        header.set_sensitive(true);
        *held = Some(Held { header: header.clone(), made_at: now });
        Ok(header)
    }

    /// The cluster refused a token. True: another one will be made, with new credentials.
    pub(super) async fn refused(&self, header: &HeaderValue) -> bool {
        let mut held = self.held.lock().await;
        match held.as_ref() {
            Some(present) if present.header == *header => {
                if !present.may_be_replaced((self.now)()) {
                    return false;
                }
                *held = None;
                self.session.forget().await;
                true
            }
            // Somebody else has replaced it by now.
            Some(_) | None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case::at_once("2026-11-25T10:00:00Z", true, false)]
    #[case::after_a_minute("2026-11-25T10:01:00Z", true, true)]
    #[case::just_before_it_is_renewed("2026-11-25T10:09:59Z", true, true)]
    #[case::well_before_it_ends("2026-11-25T10:10:00Z", false, true)]
    #[case::when_the_clock_was_set_back("2026-11-25T09:59:59Z", false, false)]
    fn a_token_is_used_for_ten_minutes_and_replaced_when_it_is_refused(
        #[case] now: &str,
        #[case] fresh: bool,
        #[case] replaced: bool,
    ) {
        let held = Held { header: HeaderValue::from_static("a"), made_at: "2026-11-25T10:00:00Z".parse().unwrap() };
        let now = now.parse().unwrap();
        assert_eq!((held.is_fresh(now), held.may_be_replaced(now)), (fresh, replaced));
    }
}
