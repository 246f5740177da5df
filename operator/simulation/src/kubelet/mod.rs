//! The nodes of a cluster, played: a scheduler that knows one node, and a kubelet whose containers are tasks of this process.
//!
//! A cluster is one that `cluster up --api-server-only --controller-manager` starts: real objects and controllers, no node.
//! Pods of workers without a node are bound to ours, and live as [`pod`] says.

mod environment;
mod node;
mod pod;
mod probe;
mod status;

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::api::Api;
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, ResourceExt as _};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use volley_api::labels;

use crate::record::WorkerRecord;
use crate::worker::{Behaviour, requested};
use pod::Life;

/// Label and taint of our nodes.
pub(crate) const SIMULATED_LABEL: &str = "volley.dev/simulated";
/// Field manager and name in the API servers' logs.
pub(crate) const MANAGER: &str = "volley-simulation";
/// One call to an API server.
pub(crate) const CALL_LIMIT: Duration = Duration::from_secs(20);
/// Calls of a cluster's pods at the same time. A kubelet of 110 pods is allowed 50 a second.
const CALLS: usize = 16;
/// How long pods may take to end when this process is told to end.
const FAREWELL: Duration = Duration::from_mins(1);

/// Addresses of the loopback network for pods, each given once in the life of this process.
#[derive(Debug)]
pub struct Addresses {
    next: AtomicU32,
}

impl Default for Addresses {
    /// From 127.64.0.1: nobody else's addresses begin so.
    fn default() -> Self {
        Self { next: AtomicU32::new(u32::from(Ipv4Addr::new(127, 64, 0, 1))) }
    }
}

impl Addresses {
    fn take(&self) -> Ipv4Addr {
        let last = u32::from(Ipv4Addr::new(127, 127, 255, 254));
        // Four million pods later the first ones are long gone.
        Ipv4Addr::from(self.next.fetch_add(1, Ordering::Relaxed).min(last))
    }
}

/// A cluster whose worker pods are played.
#[derive(Clone)]
pub struct Cluster {
    /// Its name, for logs, records and the node.
    pub name: String,
    /// A client that may do everything there.
    pub client: Client,
    /// Namespace of the workers.
    pub namespace: String,
    /// Most pods at the same time; the node's capacity.
    pub capacity: u32,
    /// Folder below which pods have their volumes.
    pub folder: PathBuf,
    /// How workers behave.
    pub behaviour: Behaviour,
    /// Where pods have their addresses from.
    pub addresses: Arc<Addresses>,
    /// Where it is written what workers did.
    pub records: mpsc::Sender<WorkerRecord>,
}

/// A cluster cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum KubeletError {
    /// The node cannot be made.
    #[error(
        "cluster {cluster}: the node cannot be registered: {source}; is its API server up, and does the kubeconfig allow it?"
    )]
    Register {
        /// The cluster.
        cluster: String,
        /// Why.
        source: kube::Error,
    },
}

/// Plays the worker pods of a cluster until `shutdown` becomes true; then its pods get SIGTERM and the node goes.
///
/// # Errors
/// [`KubeletError`] where it cannot begin. What happens later is logged and tried again.
pub async fn play(cluster: Cluster, shutdown: watch::Receiver<bool>) -> Result<(), KubeletError> {
    let node = format!("{}-simulated", cluster.name);
    node::register(&cluster.client, &node, cluster.capacity)
        .await
        .map_err(|source| KubeletError::Register { cluster: cluster.name.clone(), source })?;
    let mut heartbeat = JoinSet::new();
    heartbeat.spawn(node::keep(cluster.client.clone(), node.clone()));

    let mut pods = Pods {
        calls: Arc::new(Semaphore::new(CALLS)),
        cluster: cluster.clone(),
        node: node.clone(),
        running: HashMap::new(),
        over: HashSet::new(),
        lives: JoinSet::new(),
    };
    let api: Api<Pod> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let selector = format!("{}=worker,{}={}", labels::COMPONENT, labels::MANAGED_BY, labels::MANAGER);
    let mut events = std::pin::pin!(watcher(api, watcher::Config::default().labels(&selector)).default_backoff());
    let ending = requested(shutdown);
    tokio::pin!(ending);
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(event)) => pods.hear(event),
                Some(Err(error)) => tracing::warn!(%error, cluster = cluster.name, "the watch of the pods had an error and goes on"),
                None => break,
            },
            Some(ended) = pods.lives.join_next() => pods.forget(ended),
            () = &mut ending => break,
        }
    }
    pods.end().await;
    if let Err(error) = node::remove(&cluster.client, &node).await {
        tracing::warn!(%error, node, "the node stays; delete it by hand");
    }
    Ok(())
}

/// The pods of a node.
struct Pods {
    cluster: Cluster,
    node: String,
    calls: Arc<Semaphore>,
    /// By uid: how a pod is told to end.
    running: HashMap<String, watch::Sender<bool>>,
    /// Uids of pods that have ended and are still there: news of them may be older than their end.
    over: HashSet<String>,
    /// Each ends with the pod's uid.
    lives: JoinSet<String>,
}

impl Pods {
    fn hear(&mut self, event: Event<Pod>) {
        match event {
            Event::Apply(pod) | Event::InitApply(pod) => self.see(pod),
            Event::Delete(pod) => {
                let uid = pod.metadata.uid.unwrap_or_default();
                self.terminate(&uid);
                self.over.remove(&uid);
            }
            Event::Init | Event::InitDone => {}
        }
    }

    fn see(&mut self, pod: Pod) {
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        if pod.metadata.deletion_timestamp.is_some() && self.running.contains_key(&uid) {
            self.terminate(&uid);
            return;
        }
        let of_another_node =
            pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).is_some_and(|node| node != self.node);
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Pending");
        let over = phase == "Succeeded" || phase == "Failed";
        let full = self.running.len() >= usize::try_from(self.cluster.capacity).unwrap_or(usize::MAX);
        if of_another_node || over || self.running.contains_key(&uid) || self.over.contains(&uid) {
            return;
        }
        if full {
            tracing::warn!(
                pod = pod.name_any(),
                capacity = self.cluster.capacity,
                "the node is full; the pod stays pending"
            );
            return;
        }
        let (sender, terminated) = watch::channel(pod.metadata.deletion_timestamp.is_some());
        self.running.insert(uid.clone(), sender);
        let life = Life {
            cluster: self.cluster.clone(),
            node: self.node.clone(),
            calls: Arc::clone(&self.calls),
            pod,
            terminated,
        };
        self.lives.spawn(async move {
            Box::pin(life.live()).await;
            uid
        });
    }

    fn terminate(&self, uid: &str) {
        if let Some(sender) = self.running.get(uid) {
            sender.send_replace(true);
        }
    }

    fn forget(&mut self, ended: Result<String, tokio::task::JoinError>) {
        match ended {
            Ok(uid) => {
                self.running.remove(&uid);
                self.over.insert(uid);
            }
            Err(error) => tracing::error!(%error, "a simulated pod broke; this is a defect of the simulation"),
        }
    }

    /// SIGTERM for all that run.
    async fn end(&mut self) {
        for sender in self.running.values() {
            sender.send_replace(true);
        }
        let all = async { while self.lives.join_next().await.is_some() {} };
        if timeout(FAREWELL, all).await.is_err() {
            tracing::warn!(pods = self.lives.len(), "pods did not end in time and are killed");
        }
    }
}

/// A call to an API server, bounded in time.
pub(crate) async fn bounded<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, kube::Error> {
    timeout(CALL_LIMIT, call).await.unwrap_or_else(|_| {
        let words = format!("no answer within {} s", CALL_LIMIT.as_secs());
        Err(kube::Error::Service(words.into()))
    })
}
