//! The way to the aggregator: a port of its pod, forwarded by the API server, as `kubectl port-forward` does.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams, Portforwarder};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use volley_api::labels;

use crate::cluster::{Cluster, ClusterError, bounded, container_port};

/// Value of the component label of an aggregator's pod.
const COMPONENT: &str = "aggregator";
/// Name of the port of its container.
const PORT_NAME: &str = "live";
/// The aggregator answers from memory; the way to it may be long.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Why there are no live figures.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The aggregator is not there: not yet, or not any more.
    #[error(
        "no aggregator of this run is running in namespace {namespace}; if Volley is in another one, say so with \
         --operator-namespace"
    )]
    Absent {
        /// Namespace of the operator.
        namespace: String,
    },
    /// The cluster does not do what is asked.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The connection broke.
    #[error("the connection to the run's aggregator broke: {0}")]
    Broken(String),
    /// The aggregator has no place for one more reader.
    #[error("the run's aggregator refuses one more reader: {0}")]
    Busy(String),
    /// What it sends cannot be used.
    #[error("{0}")]
    Unusable(String),
}

impl ConnectionError {
    /// Whether the same may succeed a little later.
    #[must_use]
    pub fn passes(&self) -> bool {
        match self {
            Self::Absent { .. } | Self::Broken(_) | Self::Busy(_) => true,
            Self::Cluster(error) => error.is_transient(),
            Self::Unusable(_) => false,
        }
    }

    /// The words for people; none where it is nothing out of the ordinary.
    #[must_use]
    pub fn for_people(&self) -> Option<String> {
        match self {
            Self::Absent { .. } | Self::Broken(_) => None,
            Self::Cluster(error) if error.is_transient() => None,
            Self::Cluster(error) => {
                Some(format!("live figures come from the run's status, every few seconds, because you {error}"))
            }
            Self::Busy(_) | Self::Unusable(_) => {
                Some(format!("live figures come from the run's status, every few seconds: {self}"))
            }
        }
    }
}

/// Bytes as they come.
pub trait Stream {
    /// The next ones; `None`: the stream was closed.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, ConnectionError>> + Send;
}

/// The stream of a run's aggregator.
#[derive(Debug)]
pub struct AggregatorStream {
    body: Incoming,
    /// Ends the connection with this value.
    _tasks: JoinSet<()>,
    /// Ends the forwarding with this value; `None` in tests without a cluster.
    _forwarder: Option<Forwarding>,
}

/// A forwarded port that is given back when it is dropped.
struct Forwarding(Portforwarder);

impl std::fmt::Debug for Forwarding {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Forwarding")
    }
}

impl Drop for Forwarding {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl AggregatorStream {
    /// Opens the stream of a run, from after the event of the given id.
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub async fn open(
        cluster: &Cluster,
        operator_namespace: &str,
        run_uid: &str,
        last_id: Option<&str>,
    ) -> Result<Self, ConnectionError> {
        let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), operator_namespace);
        let selector = format!("{}={run_uid},{}={COMPONENT}", labels::RUN_UID, labels::COMPONENT);
        let found =
            bounded("list", "pods", &selector, pods.list(&ListParams::default().labels(&selector).limit(10))).await?;
        let running = |pod: &Pod| {
            pod.metadata.deletion_timestamp.is_none()
                && pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running")
        };
        let absent = || ConnectionError::Absent { namespace: operator_namespace.to_owned() };
        let pod = found.items.into_iter().find(running).ok_or_else(absent)?;
        // An aggregator of an earlier release, which serves nothing.
        let port = container_port(&pod, PORT_NAME).ok_or_else(absent)?;
        let name = pod.metadata.name.unwrap_or_default();
        let mut forwarder = bounded("forward a port to", "Pod", &name, pods.portforward(&name, &[port])).await?;
        let socket = forwarder.take_stream(port).ok_or_else(absent)?;
        let forwarder = Forwarding(forwarder);
        Ok(Self { _forwarder: Some(forwarder), ..Self::over(socket, last_id).await? })
    }

    /// Opens the stream over a connection.
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub async fn over<I>(socket: I, last_id: Option<&str>) -> Result<Self, ConnectionError>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let broken = |error: hyper::Error| ConnectionError::Broken(error.to_string());
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.map_err(broken)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // What ends the connection shows in its body.
            let _ = connection.await;
        });
        let mut request = Request::get("/v1/stream").header("host", "aggregator").header("accept", "text/event-stream");
        if let Some(last_id) = last_id {
            request = request.header("last-event-id", last_id);
        }
        let request =
            request.body(Empty::<Bytes>::new()).map_err(|error| ConnectionError::Unusable(error.to_string()))?;
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, sender.send_request(request)).await;
        let answer = answer
            .map_err(|_| ConnectionError::Broken(format!("no answer within {} s", ANSWER_TIMEOUT.as_secs())))?
            .map_err(broken)?;
        match answer.status() {
            StatusCode::OK => Ok(Self { body: answer.into_body(), _tasks: tasks, _forwarder: None }),
            StatusCode::SERVICE_UNAVAILABLE => Err(ConnectionError::Busy("it has as many as it takes".to_owned())),
            other => Err(ConnectionError::Unusable(format!("the run's aggregator answers {other}"))),
        }
    }
}

impl Stream for AggregatorStream {
    async fn next(&mut self) -> Result<Option<Bytes>, ConnectionError> {
        loop {
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(ConnectionError::Broken(error.to_string())),
                // Trailers are none of ours.
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }
}
