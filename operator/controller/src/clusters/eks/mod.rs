//! A cluster of Amazon EKS: found by its name, entered with tokens that are made here.
//!
//! # Guarantees
//!
//! * Neither a program nor a file is needed; no token and no credential is written anywhere.
//! * A new endpoint or a new certificate authority is found by itself: at once when calls fail, else within [`LOOK_EVERY`].
//! * EKS' own API may be away: a cluster that is known stays in use.
//! * EKS and STS are asked by one caller a cluster at a time, and at most every [`LOOK_AGAIN`] because of failures.

mod bearer;
mod description;
mod error;
mod token;
mod tokens;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::{SignedDuration, Timestamp};
use kube::{Client, Config};
use tokio::sync::Mutex;

use super::rest::Rest;
use super::{Away, AwayReason, CALL_LIMIT, CONNECT_LIMIT};
use crate::aws::{self, Aws, AwsError, Session, VcpuQuota};
use description::Description;
use tokens::Tokens;

pub(crate) use error::EksError;

/// A cluster that answers is looked up again after this time.
const LOOK_EVERY: SignedDuration = SignedDuration::from_mins(15);
/// One whose calls fail, after this time at the earliest.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(10);

/// Which cluster, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EksAccess {
    /// AWS region.
    pub region: String,
    /// Name of the cluster.
    pub cluster: String,
    /// Role that is assumed first.
    pub role: Option<String>,
}

/// One cluster of Amazon EKS.
pub(super) struct EksConnection {
    access: EksAccess,
    session: Arc<Session>,
    now: fn() -> Timestamp,
    /// A call has failed since the cluster was looked up.
    doubted: AtomicBool,
    known: Mutex<Known>,
}

/// What is known of the cluster.
#[derive(Default)]
struct Known {
    connected: Option<Connected>,
    /// When EKS was asked last.
    looked_at: Option<Timestamp>,
    /// After a failure, while there is no client.
    rest: Rest,
}

/// A client, and what it was made from.
#[derive(Clone)]
pub(super) struct Connected {
    pub(super) client: Client,
    /// Changes when endpoint or certificates do.
    pub(super) revision: String,
}

impl EksConnection {
    pub(super) fn new(access: EksAccess, aws: &Arc<Aws>, now: fn() -> Timestamp) -> Self {
        let session = Arc::new(aws.session(&access.region, access.role.as_deref()));
        Self { access, session, now, doubted: AtomicBool::new(false), known: Mutex::default() }
    }

    pub(super) fn access(&self) -> &EksAccess {
        &self.access
    }

    /// vCPU of the account on Fargate in the cluster's region.
    ///
    /// # Errors
    /// As AWS answers.
    pub(super) async fn quota(&self) -> Result<VcpuQuota, AwsError> {
        let object = "the Fargate quota".to_owned();
        let asked = tokio::time::timeout(CALL_LIMIT, Box::pin(VcpuQuota::ask(&self.session, (self.now)())));
        let slow = |_| AwsError::Failed { object, words: format!("no answer within {} s", CALL_LIMIT.as_secs()) };
        asked.await.map_err(slow)?
    }

    /// A call to the cluster did not get through: it may have moved, or have another certificate.
    pub(super) fn doubt(&self) {
        self.doubted.store(true, Ordering::Relaxed);
    }

    /// The client; EKS is asked where that is due. `insist`: also soon after a failure.
    ///
    /// # Errors
    /// [`Away`] while there is no client.
    pub(super) async fn connect(&self, insist: bool) -> Result<Connected, Away> {
        let mut known = self.known.lock().await;
        let now = (self.now)();
        if let (None, false, Some(failure)) = (&known.connected, insist, known.rest.reason(now)) {
            return Err(failure.clone());
        }
        let age = known.looked_at.map(|at| now.duration_since(at));
        let due = due(age, self.doubted.load(Ordering::Relaxed));
        if let Some(connected) = known.connected.as_ref().filter(|_| !due) {
            return Ok(connected.clone());
        }
        known.looked_at = Some(now);
        let looked = tokio::time::timeout(CALL_LIMIT, self.look(known.connected.as_ref(), now));
        let failure = match looked.await.map_err(|_| self.silent()).and_then(|looked| looked.map_err(Away::from)) {
            Ok(connected) => {
                self.doubted.store(false, Ordering::Relaxed);
                known.rest.answered();
                known.connected = Some(connected.clone());
                return Ok(connected);
            }
            Err(failure) => failure,
        };
        if let Some(connected) = &known.connected {
            tracing::warn!(cluster = self.access.cluster, %failure, "an EKS cluster cannot be looked up and is used as it is known");
            return Ok(connected.clone());
        }
        known.rest.silent(&failure, now);
        Err(failure)
    }

    fn silent(&self) -> Away {
        let limit = CALL_LIMIT.as_secs();
        Away::unreachable(format!("AWS did not answer about EKS cluster {} within {limit} s", self.access.cluster))
    }

    /// Asks EKS. Where nothing has changed the client stays, and with it its connections and its token.
    async fn look(&self, connected: Option<&Connected>, now: Timestamp) -> Result<Connected, EksError> {
        let configuration = self.session.configuration(now).await?;
        let cluster = &self.access.cluster;
        let described = Description::ask(&configuration, cluster).await?;
        let revision = described.revision(self.access.role.as_deref());
        if let Some(connected) = connected.filter(|connected| connected.revision == revision) {
            return Ok(connected.clone());
        }
        let malformed = |problem: String| EksError::Malformed { cluster: cluster.clone(), problem };
        let host = aws::sts_host(&self.access.region).await.map_err(|error| malformed(error.to_string()))?;
        let mut config = Config::new(described.endpoint);
        config.root_cert = Some(described.certificates);
        config.connect_timeout = Some(CONNECT_LIMIT);
        let anonymous =
            Client::try_from(config).map_err(|_| malformed("its certificates cannot be used".to_owned()))?;
        let tokens = Tokens::new(Arc::clone(&self.session), cluster, host, self.now);
        Ok(Connected { client: bearer::client(anonymous, Arc::new(tokens)), revision })
    }
}

/// The cluster does not know who comes with a token of ours.
pub(super) fn token_refused(access: &EksAccess) -> Away {
    let EksAccess { region, cluster, .. } = access;
    let words = format!(
        "The API server of EKS cluster {cluster} in {region} does not accept the operator's token (401); give its IAM role an access entry there, in a group that may run workers, and check the clock of the operator's node"
    );
    Away::new(AwayReason::TokenRefused, words)
}

/// Whether a cluster that has a client is looked up again.
fn due(age: Option<SignedDuration>, doubted: bool) -> bool {
    let every = if doubted { LOOK_AGAIN } else { LOOK_EVERY };
    age.is_none_or(|age| age.abs() >= every)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case::never_looked_up(None, false, true)]
    #[case::just_looked_up(Some(1), false, false)]
    #[case::after_a_quarter_of_an_hour(Some(900), false, true)]
    #[case::a_failure_right_after(Some(9), true, false)]
    #[case::a_failure_a_little_later(Some(10), true, true)]
    #[case::the_clock_was_set_back(Some(-900), false, true)]
    fn a_cluster_is_looked_up_when_it_is_doubted_or_long_ago(
        #[case] age: Option<i64>,
        #[case] doubted: bool,
        #[case] expected: bool,
    ) {
        assert_eq!(due(age.map(SignedDuration::from_secs), doubted), expected);
    }
}
