//! Where a test runs.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use volley_storage::embedded::Server;
use volley_storage::{ObjectStore, ResultStore, StorageSettings};

/// A storage for one test.
pub(crate) struct Place {
    /// Its objects.
    pub(crate) objects: ObjectStore,
    /// Its table.
    pub(crate) results: ResultStore,
    /// How to reach it.
    pub(crate) settings: StorageSettings,
    /// Prefix of this test's keys; also its installation name. Nothing else writes there.
    pub(crate) own: String,
    server: Option<(Server, tempfile::TempDir)>,
}

impl Place {
    /// The storage that the environment names, or a new embedded one.
    pub(crate) async fn any() -> Self {
        match given() {
            Some(settings) => Self {
                objects: ObjectStore::connect(&settings).await,
                results: ResultStore::connect(&settings).await,
                settings,
                own: own_name(),
                server: None,
            },
            None => Self::new_embedded().await,
        }
    }

    /// An embedded storage; `None`, visibly, where the environment names another one.
    pub(crate) async fn embedded(test: &str) -> Option<Self> {
        if given().is_some() {
            // Not captured by the test harness, unlike eprintln.
            let mut log = std::io::stderr().lock();
            writeln!(log, "skipped for the given endpoint, embedded storage only: {test}").unwrap();
            return None;
        }
        Some(Self::new_embedded().await)
    }

    async fn new_embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start_on_free_ports(folder.path()).await.unwrap();
        Self {
            objects: server.objects(),
            results: server.results(),
            settings: server.storage_settings(),
            own: own_name(),
            server: Some((server, folder)),
        }
    }

    /// The embedded server.
    pub(crate) fn server(&self) -> &Server {
        &self.server.as_ref().unwrap().0
    }

    /// A key of this test.
    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.own)
    }

    /// Removes what the test wrote, and the server.
    pub(crate) async fn clean(self) {
        self.objects.delete_prefix(&format!("{}/", self.own)).await.unwrap();
        if let Some((server, folder)) = self.server {
            server.stop().await;
            folder.close().unwrap();
        }
    }
}

fn given() -> Option<StorageSettings> {
    let value = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (s3, dynamodb) = (value("VOLLEY_CONFORMANCE_S3_ENDPOINT"), value("VOLLEY_CONFORMANCE_DYNAMODB_ENDPOINT"));
    if s3.is_none() && dynamodb.is_none() && value("VOLLEY_CONFORMANCE_AWS").is_none() {
        return None;
    }
    let bucket = value("VOLLEY_CONFORMANCE_BUCKET").expect("VOLLEY_CONFORMANCE_BUCKET names the bucket to test in");
    Some(StorageSettings {
        s3_endpoint: s3,
        dynamodb_endpoint: dynamodb,
        table: value("VOLLEY_CONFORMANCE_TABLE").unwrap_or_else(|| bucket.clone()),
        region: value("AWS_REGION").unwrap_or_else(|| "us-east-1".to_owned()),
        bucket,
    })
}

fn own_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("conformance-{now:x}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Bytes that do not compress and differ by seed.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect()
}

impl Place {
    /// Whether this is an embedded storage of the test's own.
    pub(crate) fn is_embedded(&self) -> bool {
        self.server.is_some()
    }

    /// The folder of the embedded storage.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.server.as_ref().unwrap().1.path()
    }

    /// Ends the embedded storage in order and starts another one in its folder.
    pub(crate) async fn restart(mut self) -> Self {
        let (server, folder) = self.server.take().unwrap();
        server.stop().await;
        let server = Server::start_on_free_ports(folder.path()).await.unwrap();
        let (objects, results, settings) = (server.objects(), server.results(), server.storage_settings());
        Self { objects, results, settings, own: self.own, server: Some((server, folder)) }
    }
}
