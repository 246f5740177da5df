//! Reads objects of a run for the user: from the embedded storage through the API server, or from S3.
//!
//! Order: where the operator's namespace holds the Secret of the embedded storage, that is the storage: a port of its pod is
//! forwarded by the API server to a free port of 127.0.0.1, and requests are signed with the key of this run alone. Else
//! S3 is asked with the credentials that the AWS SDK finds.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{Api, ListParams};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use volley_api::labels;
use volley_storage::credentials::run_keys;
use volley_storage::{KeyPair, ObjectError, ObjectStore, StorageSettings};

use super::{Cluster, ClusterError, bounded, container_port};

/// Secret of the embedded storage in the operator's namespace; the chart makes it.
const SECRET: &str = "volley-storage";
/// Key of the root key in it.
const SECRET_KEY: &str = "root-key";
/// Value of the component label of the storage's pod.
const COMPONENT: &str = "storage";
/// Name of the S3 port of the storage's container.
const PORT_NAME: &str = "s3";
/// Connections through a forwarded port at the same time.
const CONNECTIONS: usize = 8;
/// Region of the AWS configuration where none is set; S3 answers with the right one.
const DEFAULT_REGION: &str = "us-east-1";

/// Why an object could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The cluster does not do what is asked.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The location is none.
    #[error("{location:?} is no location of an object; a result's location is s3://bucket/key")]
    Location {
        /// What the status says.
        location: String,
    },
    /// The embedded storage's parts are not there.
    #[error("the embedded storage in namespace {namespace} cannot be reached: {words}")]
    Embedded {
        /// Namespace of the operator.
        namespace: String,
        /// What is missing.
        words: String,
    },
    /// The storage does not do what is asked.
    #[error("{source}{hint}")]
    Storage {
        /// What it says.
        source: ObjectError,
        /// What else may be wrong; empty: nothing.
        hint: String,
    },
    /// No port of this machine can be used.
    #[error("cannot listen on a port of 127.0.0.1: {0}")]
    Listen(std::io::Error),
}

/// Where an object of the same bucket lies.
#[must_use]
pub fn beside(location: &str, key: &str) -> Option<String> {
    parts(location).map(|(bucket, _)| format!("s3://{bucket}/{key}"))
}

/// Reads an object of a run, of at most `limit` bytes; `location` is `s3://bucket/key`.
///
/// # Errors
/// [`FetchError`].
pub async fn fetch(
    cluster: &Cluster,
    operator_namespace: &str,
    run_uid: &str,
    location: &str,
    limit: u64,
) -> Result<Vec<u8>, FetchError> {
    let (bucket, key) = parts(location).ok_or_else(|| FetchError::Location { location: location.to_owned() })?;
    match embedded_keys(cluster, operator_namespace, run_uid).await? {
        Embedded::Keys(keys) => {
            let forwarded = Forwarded::open(cluster, operator_namespace).await?;
            let settings = settings(bucket, Some(format!("http://{}", forwarded.address)));
            read(&ObjectStore::with_key(&settings, &keys), key, limit, String::new()).await
        }
        Embedded::None => read(&ObjectStore::connect(&settings(bucket, None)).await, key, limit, String::new()).await,
        Embedded::Unknown(why) => {
            let hint = format!(
                ". If Volley uses its embedded storage, you need the rights to read Secret {operator_namespace}/{SECRET} \
                 and to forward ports there: {why}"
            );
            read(&ObjectStore::connect(&settings(bucket, None)).await, key, limit, hint).await
        }
    }
}

async fn read(store: &ObjectStore, key: &str, limit: u64, hint: String) -> Result<Vec<u8>, FetchError> {
    let read = match store.get(key, limit).await {
        Ok(Some(bytes)) => return Ok(bytes.to_vec()),
        Ok(None) => ObjectError::NotFound { location: store.location(key) },
        Err(error) => error,
    };
    Err(FetchError::Storage { source: read, hint })
}

/// Bucket and key of `s3://bucket/key`.
fn parts(location: &str) -> Option<(&str, &str)> {
    let (bucket, key) = location.strip_prefix("s3://")?.split_once('/')?;
    (!bucket.is_empty() && !key.is_empty()).then_some((bucket, key))
}

fn settings(bucket: &str, s3_endpoint: Option<String>) -> StorageSettings {
    let region = ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().find_map(|name| std::env::var(name).ok());
    StorageSettings {
        bucket: bucket.to_owned(),
        s3_endpoint,
        dynamodb_endpoint: None,
        table: bucket.to_owned(),
        region: region.filter(|region| !region.is_empty()).unwrap_or_else(|| DEFAULT_REGION.to_owned()),
    }
}

/// What the operator's namespace says about the embedded storage.
enum Embedded {
    /// It is used; these keys reach the run.
    Keys(KeyPair),
    /// It is not used.
    None,
    /// The caller may not know; why.
    Unknown(String),
}

async fn embedded_keys(cluster: &Cluster, namespace: &str, run_uid: &str) -> Result<Embedded, FetchError> {
    let secrets: Api<Secret> = Api::namespaced(cluster.client.clone(), namespace);
    let secret = match bounded("read", "Secret", SECRET, secrets.get_opt(SECRET)).await {
        Ok(Some(secret)) => secret,
        Ok(None) => return Ok(Embedded::None),
        Err(error) if error.code() == Some(403) => return Ok(Embedded::Unknown(error.to_string())),
        Err(error) => return Err(error.into()),
    };
    let root_key = secret
        .data
        .and_then(|mut data| data.remove(SECRET_KEY))
        .and_then(|bytes| String::from_utf8(bytes.0).ok())
        .ok_or_else(|| missing(namespace, &format!("Secret {SECRET} has no text under {SECRET_KEY}")))?;
    Ok(Embedded::Keys(run_keys(&root_key, run_uid)))
}

fn missing(namespace: &str, words: &str) -> FetchError {
    FetchError::Embedded { namespace: namespace.to_owned(), words: words.to_owned() }
}

/// A port of 127.0.0.1 that leads to the storage's pod, until it is dropped.
struct Forwarded {
    address: SocketAddr,
    /// Ends with this value.
    _tasks: JoinSet<()>,
}

impl Forwarded {
    async fn open(cluster: &Cluster, namespace: &str) -> Result<Self, FetchError> {
        let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), namespace);
        let selector = format!("{}={COMPONENT}", labels::COMPONENT);
        let list = ListParams::default().labels(&selector).limit(10);
        let found = bounded("list", "pods", &selector, pods.list(&list)).await?;
        let running = |pod: &Pod| pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running");
        let pod = found
            .items
            .into_iter()
            .find(|pod| running(pod) && pod.metadata.deletion_timestamp.is_none())
            .ok_or_else(|| missing(namespace, &format!("no pod with label {selector} is running")))?;
        let port = container_port(&pod, PORT_NAME)
            .ok_or_else(|| missing(namespace, &format!("its pod has no container port named {PORT_NAME}")))?;
        let name = pod.metadata.name.unwrap_or_default();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(FetchError::Listen)?;
        let address = listener.local_addr().map_err(FetchError::Listen)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, pods, name, port));
        Ok(Self { address, _tasks: tasks })
    }
}

async fn accept(listener: TcpListener, pods: Api<Pod>, pod: String, port: u16) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    while let Ok(place) = places.clone().acquire_owned().await {
        let Ok((local, _)) = listener.accept().await else { return };
        let (pods, pod) = (pods.clone(), pod.clone());
        connections.spawn(async move {
            // A connection that fails is closed; the SDK repeats its request and says what is wrong.
            let _ = forward(local, &pods, &pod, port).await;
            drop(place);
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn forward(mut local: TcpStream, pods: &Api<Pod>, pod: &str, port: u16) -> Result<(), ClusterError> {
    let mut forwarder = bounded("forward a port to", "Pod", pod, pods.portforward(pod, &[port])).await?;
    if let Some(mut remote) = forwarder.take_stream(port) {
        // Either side may close first; there is nothing to do about it.
        let _ = tokio::io::copy_bidirectional(&mut local, &mut remote).await;
    }
    forwarder.abort();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_has_a_bucket_and_a_key() {
        assert_eq!(parts("s3://volley/runs/v1/u/result.json"), Some(("volley", "runs/v1/u/result.json")));
        for location in ["", "s3://volley", "s3:///key", "s3://volley/", "https://volley/key"] {
            assert_eq!(parts(location), None, "{location}");
        }
    }
}
