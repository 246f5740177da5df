//! The life of one worker pod on a simulated node: bound, started, probed, ended, removed.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Binding, Pod, Secret};
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};
use volley_collector::Settings;
use volley_storage::{KeyPair, ObjectStore};

use super::environment::{self, EnvironmentError};
use super::status::{COLLECTOR, Ended, Seen, lost, status, waiting};
use super::{Cluster, bounded, probe};
use crate::record::WorkerRecord;
use crate::worker::{Place, Played, Worker, play, requested};

/// The collector's port in every pod.
const PROBE_PORT: u16 = 8655;
/// Grace period where the pod names none, as Kubernetes' default.
const DEFAULT_GRACE: Duration = Duration::from_secs(30);
/// Pause before a container that could not be configured is tried again.
const CONFIGURATION_PAUSE: Duration = Duration::from_secs(5);
/// Tries of a call that may pass by itself.
const TRIES: u32 = 5;
/// Pause after the first failed try; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Why a worker cannot be configured.
#[derive(Debug, thiserror::Error)]
enum ConfigurationError {
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error("a Secret cannot be read: {0}")]
    Secret(#[source] kube::Error),
    #[error(transparent)]
    Settings(#[from] volley_collector::SettingsError),
    #[error(
        "the pod has no key pair for the storage; simulated workers take none of this machine's, use the embedded storage"
    )]
    NoKeys,
    #[error("the pod's volumes cannot be made: {0}")]
    Volumes(#[source] std::io::Error),
}

/// A pod and what it needs.
pub(super) struct Life {
    pub(super) cluster: Cluster,
    pub(super) node: String,
    pub(super) calls: Arc<Semaphore>,
    pub(super) pod: Pod,
    pub(super) terminated: watch::Receiver<bool>,
}

impl Life {
    /// From the binding to the last status.
    pub(super) async fn live(self) {
        let seen_at = Timestamp::now();
        let fresh =
            self.pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Pending") == "Pending";
        if !fresh {
            self.patch(lost(seen_at)).await;
            return self.remove_if_deleted().await;
        }
        if self.pod.spec.as_ref().is_none_or(|spec| spec.node_name.is_none()) && !self.bind().await {
            return;
        }
        let Some((worker, place)) = self.configured().await else { return self.remove_if_deleted().await };
        let address = worker.settings.listen;
        let record = WorkerRecord::new(&self.cluster.name, &worker.settings, seen_at);
        let mut seen = Seen { address: address.ip().to_string(), started: Timestamp::now(), ready: false, ended: None };
        self.patch(status(&seen)).await;

        let playing = play(worker, &place, self.terminated.clone());
        let (played, ready_at) = self.probed(playing, address, &mut seen).await;
        seen.ended = Some(Ended { exit_code: played.exit.number(), at: played.gone_at });
        self.patch(status(&seen)).await;
        // The receiver lives as long as the process; without it nobody wants records.
        let _ = self.cluster.records.send(record.complete(seen.started, ready_at, &played)).await;
        self.remove_if_deleted().await;
    }

    /// A container that is configured. Nothing where the pod is deleted before.
    async fn configured(&self) -> Option<(Worker, Place)> {
        let mut told = String::new();
        loop {
            let error = match self.configure().await {
                Ok(configured) => return Some(configured),
                Err(error) => error.to_string(),
            };
            if told != error {
                tracing::warn!(error, pod = self.pod.name_any(), "a worker cannot be started");
                self.patch(waiting(&error)).await;
                told = error;
            }
            tokio::select! {
                () = sleep(CONFIGURATION_PAUSE) => {}
                () = requested(self.terminated.clone()) => return None,
            }
        }
    }

    async fn configure(&self) -> Result<(Worker, Place), ConfigurationError> {
        let container = environment::container(&self.pod, COLLECTOR)?;
        let secrets_api: Api<Secret> = Api::namespaced(self.cluster.client.clone(), &self.cluster.namespace);
        let mut secrets = BTreeMap::new();
        for name in environment::secrets(container) {
            let found = self.call(|| secrets_api.get_opt(name)).await.map_err(ConfigurationError::Secret)?;
            secrets.extend(found.map(|secret| (name.to_owned(), secret)));
        }
        let variables = environment::variables(&self.pod, container, &secrets)?;
        let mut settings = Settings::from_lookup(|name| variables.get(name).cloned())?;
        settings.listen = SocketAddr::new(IpAddr::V4(self.cluster.addresses.take()), PROBE_PORT);
        let key = |name: &str| variables.get(name).cloned().ok_or(ConfigurationError::NoKeys);
        let keys = KeyPair { access_key: key("AWS_ACCESS_KEY_ID")?, secret_key: key("AWS_SECRET_ACCESS_KEY")? };
        let objects = ObjectStore::with_key(&settings.storage, &keys);
        let place = Place::new(&self.cluster.folder).map_err(ConfigurationError::Volumes)?;
        let grace = self.pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds);
        let grace = grace.and_then(|seconds| u64::try_from(seconds).ok()).map_or(DEFAULT_GRACE, Duration::from_secs);
        Ok((Worker { settings, objects, behaviour: self.cluster.behaviour.clone(), grace }, place))
    }

    /// Probes while the worker is played; gives what it did, and when it was first ready.
    async fn probed(
        &self,
        playing: impl Future<Output = Played>,
        address: SocketAddr,
        seen: &mut Seen,
    ) -> (Played, Option<Timestamp>) {
        tokio::pin!(playing);
        let mut ticks = interval(probe::PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut ready_at, mut failures) = (None, 0);
        loop {
            let look = async {
                ticks.tick().await;
                probe::ready(address).await
            };
            let ready = tokio::select! {
                played = &mut playing => return (played, ready_at),
                ready = look => ready,
            };
            failures = if ready { 0 } else { failures + 1 };
            let changed = if seen.ready { failures >= probe::FAILURES } else { ready };
            if changed {
                seen.ready = ready;
                ready_at = ready_at.or_else(|| ready.then(Timestamp::now));
                tokio::select! {
                    played = &mut playing => return (played, ready_at),
                    () = self.patch(status(seen)) => {}
                }
            }
        }
    }

    /// True: the pod is ours. What a scheduler does.
    async fn bind(&self) -> bool {
        let name = self.pod.name_any();
        let binding = json!({"metadata": {"name": name, "namespace": self.cluster.namespace},
            "target": {"apiVersion": "v1", "kind": "Node", "name": self.node}});
        let binding: Binding = match serde_json::from_value(binding) {
            Ok(binding) => binding,
            Err(error) => {
                tracing::error!(%error, "a binding cannot be written");
                return false;
            }
        };
        let pods = self.pods();
        let parameters = PostParams::default();
        let bound = self.call(|| pods.create_subresource::<_, Value>("binding", &name, &parameters, &binding)).await;
        match bound {
            Ok(_) => true,
            Err(error) if is_gone(&error) => false,
            // By an earlier try whose answer was lost.
            Err(kube::Error::Api(answer)) if answer.code == 409 => true,
            Err(error) => {
                tracing::error!(%error, pod = name, "a pod was not bound to its node");
                false
            }
        }
    }

    async fn patch(&self, status: Value) {
        let (pods, name) = (self.pods(), self.pod.name_any());
        let (parameters, patch) = (PatchParams::default(), Patch::Strategic(status));
        match self.call(|| pods.patch_status(&name, &parameters, &patch)).await {
            Ok(_) => {}
            Err(error) if is_gone(&error) => {}
            Err(error) => tracing::error!(%error, pod = name, "a pod's status was not written"),
        }
    }

    /// A pod that was to be deleted has ended: its object goes now.
    async fn remove_if_deleted(&self) {
        if !*self.terminated.borrow() {
            return;
        }
        let (pods, name) = (self.pods(), self.pod.name_any());
        let uid = self.pod.metadata.uid.clone();
        let parameters = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() }
            .preconditions(kube::api::Preconditions { uid, resource_version: None });
        match self.call(|| pods.delete(&name, &parameters)).await {
            Ok(_) => {}
            Err(error) if is_gone(&error) => {}
            Err(error) => tracing::error!(%error, pod = name, "a deleted pod was not removed"),
        }
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.cluster.client.clone(), &self.cluster.namespace)
    }

    /// Few calls at a time, each bounded, tried again where that may help.
    async fn call<T, F>(&self, mut request: impl FnMut() -> F) -> Result<T, kube::Error>
    where
        F: Future<Output = Result<T, kube::Error>>,
    {
        let mut pause = FIRST_PAUSE;
        for _ in 1..TRIES {
            let outcome = {
                let _permit = self.calls.acquire().await;
                bounded(request()).await
            };
            match outcome {
                Err(error) if !matches!(error, kube::Error::Api(_)) => {
                    tracing::debug!(%error, "a call is tried again");
                    sleep(pause).await;
                    pause = pause.saturating_mul(2);
                }
                outcome => return outcome,
            }
        }
        let _permit = self.calls.acquire().await;
        bounded(request()).await
    }
}

/// The pod is not there any more, or another one has its name.
fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(answer) if answer.code == 404)
}
