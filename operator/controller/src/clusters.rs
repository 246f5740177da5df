//! The clusters that workers run in: a client per RegionTarget, how long one that does not answer is left alone, and the watches on
//! their Jobs.
//!
//! # Guarantees
//!
//! * A cluster that does not answer costs a caller [`CALL_LIMIT`] once; then it rests, and is an answer at once for everybody.
//! * A client follows its Secret: a new kubeconfig makes a new client, a removed one takes it away.
//! * What is said about a cluster never holds a credential.

mod access;
mod error;
mod kubeconfig;
mod rest;
mod watches;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::runtime::reflector::{ObjectRef, Store};
use volley_api::RegionTarget;

pub(crate) use access::Access;
pub(crate) use error::RegionError;
pub(crate) use watches::WATCH_SECONDS;
pub(crate) use watches::{ChangedRuns, ClusterKey, JobWatches, Place};

use crate::kubernetes;
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
    now: fn() -> Timestamp,
    remote: Mutex<HashMap<String, Remote>>,
}

/// What is known of another cluster.
struct Remote {
    /// What the client was made from.
    made_from: (Access, Option<String>),
    client: Client,
    rest: Rest,
}

impl Clusters {
    /// A registry. `namespace` is the operator's own, where `kubeconfigs` come from.
    #[must_use]
    pub(crate) fn new(
        hub: Client,
        namespace: &str,
        targets: Store<RegionTarget>,
        kubeconfigs: Store<Secret>,
        now: fn() -> Timestamp,
    ) -> Self {
        Self { hub, namespace: namespace.to_owned(), targets, kubeconfigs, now, remote: Mutex::default() }
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
        let found = found.ok_or_else(|| RegionError::Away(format!("RegionTarget {target} does not exist any more")))?;
        // Before the rest is asked for: new credentials end it.
        self.client(&found).await?;
        match self.resting(target) {
            Some(words) if Access::of(&found) != Access::Hub => Err(RegionError::Away(words)),
            _ => self.probe(&found, call).await,
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
        let client = self.client(target).await?;
        match Access::of(target) {
            Access::Hub => call(client).await.map_err(RegionError::Hub),
            Access::Kubeconfig { .. } => {
                self.bounded(target.metadata.name.as_deref().unwrap_or_default(), call(client)).await
            }
        }
    }

    async fn bounded<T>(
        &self,
        target: &str,
        call: impl Future<Output = Result<T, kubernetes::Error>>,
    ) -> Result<T, RegionError> {
        let answer = match tokio::time::timeout(CALL_LIMIT, call).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(RegionError::of_remote(error)),
            Err(_) => {
                Err(RegionError::Away(format!("its API server did not answer within {} s", CALL_LIMIT.as_secs())))
            }
        };
        let mut remote = self.remote.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = remote.get_mut(target) {
            match &answer {
                Err(RegionError::Away(words)) => known.rest.silent(words, (self.now)()),
                Ok(_) | Err(_) => known.rest.answered(),
            }
        }
        answer
    }

    fn resting(&self, target: &str) -> Option<String> {
        let remote = self.remote.lock().unwrap_or_else(PoisonError::into_inner);
        remote.get(target)?.rest.reason((self.now)()).map(str::to_owned)
    }

    /// The client of a target, by its connection.
    ///
    /// # Errors
    /// [`RegionError::Away`] with what is wrong with its kubeconfig.
    pub(crate) async fn client(&self, target: &RegionTarget) -> Result<Client, RegionError> {
        let access = Access::of(target);
        let Access::Kubeconfig { secret, key } = &access else { return Ok(self.hub.clone()) };
        let name = target.metadata.name.clone().unwrap_or_default();
        let found = self.kubeconfigs.get(&ObjectRef::new(secret).within(&self.namespace));
        let version = found.as_ref().and_then(|secret| secret.metadata.resource_version.clone());
        let made_from = (access.clone(), version);
        {
            let remote = self.remote.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = remote.get(&name).filter(|known| known.made_from == made_from) {
                return Ok(known.client.clone());
            }
        }
        let made = kubeconfig::configuration(secret, key, found.as_deref()).await.map_err(|error| error.to_string());
        let made = made.and_then(|mut config| {
            config.connect_timeout = Some(CONNECT_LIMIT);
            Client::try_from(config).map_err(|_| format!("Secret {secret}: its certificates or token cannot be used"))
        });
        let mut remote = self.remote.lock().unwrap_or_else(PoisonError::into_inner);
        match made {
            Ok(client) => {
                remote.insert(name, Remote { made_from, client: client.clone(), rest: Rest::default() });
                Ok(client)
            }
            Err(words) => {
                remote.remove(&name);
                Err(RegionError::Away(words))
            }
        }
    }

    /// What names a target's cluster for the watches: it changes when the credentials do.
    pub(crate) fn key(&self, target: &RegionTarget) -> ClusterKey {
        match Access::of(target) {
            Access::Hub => ClusterKey::Hub,
            Access::Kubeconfig { secret, .. } => {
                let found = self.kubeconfigs.get(&ObjectRef::new(&secret).within(&self.namespace));
                ClusterKey::Remote {
                    target: target.metadata.name.clone().unwrap_or_default(),
                    version: found.and_then(|secret| secret.metadata.resource_version.clone()).unwrap_or_default(),
                }
            }
        }
    }
}
