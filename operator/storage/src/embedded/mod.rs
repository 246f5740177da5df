//! `volley storage`: S3 and DynamoDB in one process, data in one folder. For laptops and tests.
//!
//! * S3: one bucket, atomic conditional writes, listings as range scans, bodies visible only when verified (`store`, `s3`).
//! * DynamoDB: one file, only the root key (`dynamodb`).
//! * Both answer `GET /healthz` without a signature.
//!
//! Assumption: one process a folder (a lock enforces it). Caveat: no replication, no encryption, no TLS.

mod dynamodb;
mod error;
mod listener;
mod s3;
mod store;

use std::convert::Infallible;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::credentials::{MIN_ROOT_KEY_BYTES, root_keys, run_keys};
use crate::objects::ObjectStore;
use crate::results::ResultStore;
use crate::settings::{KeyPair, StorageSettings};

pub use error::EmbeddedError;

/// Region that clients name; any is accepted.
const REGION: &str = "us-east-1";

/// How the embedded storage is run.
#[derive(Clone)]
pub struct EmbeddedSettings {
    /// Folder of all data; created where it is missing.
    pub data_dir: PathBuf,
    /// Address of the S3 protocol.
    pub s3_listen: SocketAddr,
    /// Address of the DynamoDB protocol.
    pub dynamodb_listen: SocketAddr,
    /// Secret of the access key `volley`; the keys of runs are derived from it. At least 16 bytes.
    pub root_key: String,
    /// Name of the one bucket.
    pub bucket: String,
    /// Name of the table; created where it is missing.
    pub table: String,
}

impl std::fmt::Debug for EmbeddedSettings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("EmbeddedSettings")
            .field("data_dir", &self.data_dir)
            .field("s3_listen", &self.s3_listen)
            .field("dynamodb_listen", &self.dynamodb_listen)
            .field("bucket", &self.bucket)
            .field("table", &self.table)
            .finish_non_exhaustive()
    }
}

/// Serves until `shutdown` resolves, then lets requests end (10 s at most).
///
/// # Errors
/// Where settings are wrong, an address or the folder cannot be used, or a listener ends by itself.
pub async fn serve(settings: EmbeddedSettings, shutdown: impl Future<Output = ()> + Send) -> Result<(), EmbeddedError> {
    let mut server = Server::start(settings).await?;
    let ended = tokio::select! {
        () = shutdown => None,
        ended = server.tasks.join_next() => ended,
    };
    server.stop().await;
    match ended {
        None => Ok(()),
        Some(Ok(())) => Err(EmbeddedError::Ended("it returned".to_owned())),
        Some(Err(error)) => Err(EmbeddedError::Ended(error.to_string())),
    }
}

/// A running storage. Dropping it ends it at once; [`Server::stop`] ends it in order.
#[derive(Debug)]
pub struct Server {
    settings: EmbeddedSettings,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Server {
    /// Starts both protocols; when it returns, both answer and bucket and table exist.
    ///
    /// # Errors
    /// Where settings are wrong, or an address or the folder cannot be used.
    pub async fn start(mut settings: EmbeddedSettings) -> Result<Self, EmbeddedError> {
        if settings.root_key.len() < MIN_ROOT_KEY_BYTES {
            return Err(EmbeddedError::WeakRootKey(settings.root_key.len()));
        }
        if !s3s::path::check_bucket_name(&settings.bucket) {
            return Err(EmbeddedError::BucketName(settings.bucket));
        }
        let store = store::Store::open(&settings.data_dir)?;
        let tables = dynamodb::Tables::open(&settings.data_dir, &settings.root_key)?;
        let (s3_listener, s3_address) = listen(settings.s3_listen).await?;
        let (dynamodb_listener, dynamodb_address) = listen(settings.dynamodb_listen).await?;
        settings.s3_listen = s3_address;
        settings.dynamodb_listen = dynamodb_address;

        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let service = s3::service(store.clone(), &settings.bucket, &settings.root_key);
        let answer = move |request| answer_s3(service.clone(), store.clone(), request);
        tasks.spawn(listener::serve(s3_listener, answer, stopped.clone()));
        let answer = move |request| tables.clone().answer(request);
        tasks.spawn(listener::serve(dynamodb_listener, answer, stopped));

        let server = Self { settings, stop, tasks };
        server.results().create_table_if_absent().await?;
        tracing::warn!(
            s3 = %server.settings.s3_listen,
            dynamodb = %server.settings.dynamodb_listen,
            data = %server.settings.data_dir.display(),
            "embedded storage is ready: it is for laptops and tests, without replication, encryption or backup"
        );
        Ok(server)
    }

    /// Starts on free ports of 127.0.0.1 with the bucket and the table `volley-test`: for tests.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start_on_free_ports(data_dir: &Path) -> Result<Self, EmbeddedError> {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self::start(EmbeddedSettings {
            data_dir: data_dir.to_owned(),
            s3_listen: free,
            dynamodb_listen: free,
            root_key: "root-key-of-a-test-server".to_owned(),
            bucket: "volley-test".to_owned(),
            table: "volley-test".to_owned(),
        })
        .await
    }

    /// How a client reaches it. An unspecified address (`0.0.0.0`) is replaced by the loopback.
    #[must_use]
    pub fn storage_settings(&self) -> StorageSettings {
        StorageSettings {
            bucket: self.settings.bucket.clone(),
            s3_endpoint: Some(url(self.settings.s3_listen)),
            dynamodb_endpoint: Some(url(self.settings.dynamodb_listen)),
            table: self.settings.table.clone(),
            region: REGION.to_owned(),
        }
    }

    /// The root key pair.
    #[must_use]
    pub fn root_keys(&self) -> KeyPair {
        root_keys(&self.settings.root_key)
    }

    /// The key pair of a run.
    #[must_use]
    pub fn run_keys(&self, run_uid: &str) -> KeyPair {
        run_keys(&self.settings.root_key, run_uid)
    }

    /// A client with the root key.
    #[must_use]
    pub fn objects(&self) -> ObjectStore {
        ObjectStore::with_key(&self.storage_settings(), &self.root_keys())
    }

    /// A client with the key of a run.
    #[must_use]
    pub fn objects_of_run(&self, run_uid: &str) -> ObjectStore {
        ObjectStore::with_key(&self.storage_settings(), &self.run_keys(run_uid))
    }

    /// A client of the table with the root key.
    #[must_use]
    pub fn results(&self) -> ResultStore {
        ResultStore::with_key(&self.storage_settings(), &self.root_keys())
    }

    /// Ends it in order: no new connections, requests under way may end (10 s at most).
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a listener of the storage ended badly");
            }
        }
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), EmbeddedError> {
    let failed = |source| EmbeddedError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

async fn answer_s3(
    service: s3s::service::S3Service,
    store: store::Store,
    request: http::Request<Incoming>,
) -> Result<http::Response<s3s::Body>, Infallible> {
    if listener::asks_for_health(&request) {
        let healthy = store.run(store::Store::ping).await.is_ok();
        return Ok(listener::health(healthy));
    }
    let answer = service.call(request.map(s3s::Body::from)).await;
    Ok(answer.unwrap_or_else(|error| {
        tracing::error!(?error, "the S3 protocol failed");
        let mut response = http::Response::new(s3s::Body::empty());
        *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        response
    }))
}

fn url(mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    format!("http://{address}")
}
