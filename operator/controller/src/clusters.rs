//! The clusters that workers run in: a client per RegionTarget, how long one that does not answer is left alone, and the watches on
//! their Jobs.
//!
//! # Guarantees
//!
//! * A cluster that does not answer costs a caller [`CALL_LIMIT`] once; then it rests, and is an answer at once for everybody.
//! * A client follows what it is made from: a new kubeconfig or a new endpoint of an EKS cluster makes a new client, a removed
//!   Secret takes it away.
//! * What is said about a cluster never holds a credential.

mod access;
mod eks;
mod error;
mod kubeconfig;
mod rest;
mod watches;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::runtime::reflector::{ObjectRef, Store};
use volley_api::RegionTarget;

pub(crate) use access::Access;
pub(crate) use error::{Away, AwayReason, RegionError};
pub(crate) use watches::WATCH_SECONDS;
pub(crate) use watches::{ChangedRuns, ClusterKey, JobWatches, Place};

use crate::aws::{Aws, AwsError, VcpuQuota};
use crate::kubernetes;
use eks::{EksAccess, EksConnection};
use rest::Rest;

/// One call to another cluster: a few round trips around the world, with room. The hub's own limit is longer, because without the
/// hub there is nothing else to do.
const CALL_LIMIT: Duration = Duration::from_secs(8);
/// To begin a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Clients by RegionTarget. Which cluster a target means follows from its connection alone.
pub(crate) struct Clusters {
    hub: Client,
    namespace: String,
    targets: Store<RegionTarget>,
    kubeconfigs: Store<Secret>,
    aws: Arc<Aws>,
    now: fn() -> Timestamp,
    remote: Mutex<HashMap<String, Remote>>,
    eks: Mutex<HashMap<String, Arc<EksConnection>>>,
}

/// What is known of another cluster.
struct Remote {
    made_from: MadeFrom,
    client: Client,
    rest: Rest,
}

/// What a client is made from: the spec, and the version of what it names.
type MadeFrom = (Access, String);

impl Clusters {
    /// A registry. `namespace` is the operator's own, where `kubeconfigs` come from.
    #[must_use]
    pub(crate) fn new(
        hub: Client,
        namespace: &str,
        targets: Store<RegionTarget>,
        kubeconfigs: Store<Secret>,
        aws: Arc<Aws>,
        now: fn() -> Timestamp,
    ) -> Self {
        let namespace = namespace.to_owned();
        Self { hub, namespace, targets, kubeconfigs, aws, now, remote: Mutex::default(), eks: Mutex::default() }
    }

    /// Asks the cluster of a target, bounded in time. One that did not answer lately is not asked again yet.
    ///
    /// # Errors
    /// [`RegionError`].
    pub(crate) async fn ask<T, F>(&self, target: &str, call: impl FnOnce(Client) -> F) -> Result<T, RegionError>
    where
        F: Future<Output = Result<T, kubernetes::Error>>,
    {
        let found = self.targets.get(&ObjectRef::new(target));
        let found = found.ok_or_else(|| Away::unreachable(format!("RegionTarget {target} does not exist any more")))?;
        // Before the rest is asked for: new credentials end it.
        let client = self.client(&found, false).await?;
        match self.resting(target) {
            Some(away) if Access::of(&found) != Access::Hub => Err(RegionError::Away(away)),
            _ => self.call(&found, call(client)).await,
        }
    }

    /// As [`Clusters::ask`], whether or not the cluster rests: who probes it wants to know.
    ///
    /// # Errors
    /// [`RegionError`].
    pub(crate) async fn probe<T, F>(
        &self,
        target: &RegionTarget,
        call: impl FnOnce(Client) -> F,
    ) -> Result<T, RegionError>
    where
        F: Future<Output = Result<T, kubernetes::Error>>,
    {
        let client = self.client(target, true).await?;
        self.call(target, call(client)).await
    }

    async fn call<T>(
        &self,
        target: &RegionTarget,
        call: impl Future<Output = Result<T, kubernetes::Error>>,
    ) -> Result<T, RegionError> {
        let name = target.metadata.name.as_deref().unwrap_or_default();
        match Access::of(target) {
            Access::Hub => call.await.map_err(RegionError::Hub),
            Access::Kubeconfig { .. } => {
                let refused = |error: &kubernetes::Error| {
                    Away::new(
                        AwayReason::CredentialsRefused,
                        format!("{error}; its cluster refuses the credentials: renew them"),
                    )
                };
                self.bounded(name, call, refused).await
            }
            Access::Eks(access) => {
                let answer = self.bounded(name, call, |_| eks::token_refused(&access)).await;
                if let Err(RegionError::Away(_)) = &answer {
                    self.eks(name, &access).doubt();
                }
                answer
            }
        }
    }

    async fn bounded<T>(
        &self,
        target: &str,
        call: impl Future<Output = Result<T, kubernetes::Error>>,
        refused: impl FnOnce(&kubernetes::Error) -> Away,
    ) -> Result<T, RegionError> {
        let answer = match tokio::time::timeout(CALL_LIMIT, call).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(RegionError::of_remote(error, refused)),
            Err(_) => Err(RegionError::Away(Away::unreachable(format!(
                "its API server did not answer within {} s",
                CALL_LIMIT.as_secs()
            )))),
        };
        let mut remote = self.remote.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = remote.get_mut(target) {
            match &answer {
                Err(RegionError::Away(away)) => known.rest.silent(away, (self.now)()),
                Ok(_) | Err(_) => known.rest.answered(),
            }
        }
        answer
    }

    fn resting(&self, target: &str) -> Option<Away> {
        let remote = self.remote.lock().unwrap_or_else(PoisonError::into_inner);
        remote.get(target)?.rest.reason((self.now)()).cloned()
    }

    /// The client of a target, by its connection. `insist`: whether or not it could not be made a moment ago.
    async fn client(&self, target: &RegionTarget, insist: bool) -> Result<Client, Away> {
        let name = target.metadata.name.clone().unwrap_or_default();
        let access = Access::of(target);
        let made = match &access {
            Access::Hub => return Ok(self.hub.clone()),
            Access::Kubeconfig { secret, key } => {
                let found = self.kubeconfig(secret);
                let version = version(found.as_deref());
                let made_from = (access.clone(), version.clone());
                if let Some(client) = self.made(&name, &made_from) {
                    return Ok(client);
                }
                by_kubeconfig(secret, key, found.as_deref()).await.map(|client| (version, client))
            }
            Access::Eks(access) => {
                // Boxed: the SDK's futures are large, and every reconcile holds this one.
                let eks = self.eks(&name, access);
                let connected = Box::pin(eks.connect(insist)).await;
                connected.map(|connected| (connected.revision, connected.client))
            }
        };
        match made {
            Ok((version, client)) => {
                let made_from = (access, version);
                if self.made(&name, &made_from).is_none() {
                    let made = Remote { made_from, client: client.clone(), rest: Rest::default() };
                    self.remote.lock().unwrap_or_else(PoisonError::into_inner).insert(name, made);
                }
                Ok(client)
            }
            Err(away) => {
                self.remote.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
                Err(away)
            }
        }
    }

    fn made(&self, target: &str, made_from: &MadeFrom) -> Option<Client> {
        let remote = self.remote.lock().unwrap_or_else(PoisonError::into_inner);
        remote.get(target).filter(|known| known.made_from == *made_from).map(|known| known.client.clone())
    }

    fn kubeconfig(&self, secret: &str) -> Option<Arc<Secret>> {
        self.kubeconfigs.get(&ObjectRef::new(secret).within(&self.namespace))
    }

    /// What is known of a target's EKS cluster. What other targets, that are gone, knew is forgotten.
    fn eks(&self, target: &str, access: &EksAccess) -> Arc<EksConnection> {
        let mut all = self.eks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get(target).filter(|known| known.access() == access) {
            return Arc::clone(known);
        }
        all.retain(|name, _| self.targets.get(&ObjectRef::new(name)).is_some());
        let connection = Arc::new(EksConnection::new(access.clone(), &self.aws, self.now));
        all.insert(target.to_owned(), Arc::clone(&connection));
        connection
    }

    /// vCPU of a target's account on Fargate; `None`: nobody here knows whom to ask.
    pub(crate) async fn quota(&self, target: &RegionTarget) -> Option<Result<VcpuQuota, AwsError>> {
        match Access::of(target) {
            Access::Eks(access) if target.spec.fargate => {
                Some(self.eks(target.metadata.name.as_deref().unwrap_or_default(), &access).quota().await)
            }
            Access::Eks(_) | Access::Hub | Access::Kubeconfig { .. } => None,
        }
    }

    /// What names a target's cluster for probes and watches: it changes when the credentials or the place do.
    pub(crate) fn key(&self, target: &RegionTarget) -> ClusterKey {
        let name = target.metadata.name.clone().unwrap_or_default();
        let version = match Access::of(target) {
            Access::Hub => return ClusterKey::Hub,
            Access::Kubeconfig { secret, .. } => version(self.kubeconfig(&secret).as_deref()),
            access @ Access::Eks(_) => {
                let remote = self.remote.lock().unwrap_or_else(PoisonError::into_inner);
                let known = remote.get(&name).filter(|known| known.made_from.0 == access);
                known.map(|known| known.made_from.1.clone()).unwrap_or_default()
            }
        };
        ClusterKey::Remote { target: name, version }
    }

    /// The client of a target that has one, for a watch: whoever watches all targets waits for none of them.
    pub(crate) fn watchable(&self, target: &RegionTarget) -> Option<(ClusterKey, Client)> {
        let key = self.key(target);
        let client = match &key {
            ClusterKey::Hub => self.hub.clone(),
            ClusterKey::Remote { target: name, version } => self.made(name, &(Access::of(target), version.clone()))?,
        };
        Some((key, client))
    }
}

/// The version of a Secret; empty: there is none.
fn version(secret: Option<&Secret>) -> String {
    secret.and_then(|secret| secret.metadata.resource_version.clone()).unwrap_or_default()
}

async fn by_kubeconfig(name: &str, key: &str, secret: Option<&Secret>) -> Result<Client, Away> {
    let mut config =
        kubeconfig::configuration(name, key, secret).await.map_err(|error| Away::unreachable(error.to_string()))?;
    config.connect_timeout = Some(CONNECT_LIMIT);
    Client::try_from(config)
        .map_err(|_| Away::unreachable(format!("Secret {name}: its certificates or token cannot be used")))
}
