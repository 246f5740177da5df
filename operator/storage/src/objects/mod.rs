//! The client side of S3: the only way in which any part of Volley reads or writes objects.
//!
//! Guarantees: every call is bounded in time and in bytes; an object's key is named in every error; a write is either
//! complete or not there; `put_new` tells a lost answer from a lost race. Against an endpoint of one's own addresses are
//! path-style, against AWS they are what the SDK chooses.

mod clock;
mod document;
mod error;
mod list;
mod read;
mod requests;
mod write;

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use sha2::{Digest, Sha256};

use crate::settings::{KeyPair, StorageSettings};

pub use clock::ServerDate;
pub use document::{Decided, Document, decode_document, encode_document};
pub use error::ObjectError;
pub use list::{ListedObject, Listing};
pub use read::{FetchedFile, ObjectHead};
pub use requests::RequestCounts;
pub use write::{Creation, PutOptions};

/// Content type of the JSON documents.
pub const JSON: &str = "application/json";
/// Content type of everything without a better one.
pub const BYTES: &str = "application/octet-stream";

/// The objects of one bucket. Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct ObjectStore {
    client: Client,
    bucket: String,
    dates: clock::DateRecorder,
    requests: requests::RequestCounter,
}

impl ObjectStore {
    /// The bucket of the settings, with the credentials that the AWS SDK finds (variables, pod identity, profile).
    /// Nothing is sent yet.
    pub async fn connect(settings: &StorageSettings) -> Self {
        Self::from_config(settings, &settings.sdk_config().await)
    }

    /// The bucket of the settings, with a given key pair. Nothing is sent yet.
    #[must_use]
    pub fn with_key(settings: &StorageSettings, keys: &KeyPair) -> Self {
        Self::from_config(settings, &settings.sdk_config_with(keys))
    }

    fn from_config(settings: &StorageSettings, config: &SdkConfig) -> Self {
        let dates = clock::DateRecorder::default();
        let requests = requests::RequestCounter::default();
        let mut builder =
            aws_sdk_s3::config::Builder::from(config).interceptor(dates.clone()).interceptor(requests.clone());
        if let Some(endpoint) = &settings.s3_endpoint {
            builder = builder.endpoint_url(endpoint).force_path_style(true);
        }
        Self { client: Client::from_conf(builder.build()), bucket: settings.bucket.clone(), dates, requests }
    }

    /// Name of the bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// `s3://bucket/key`, as errors and statuses show it.
    #[must_use]
    pub fn location(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    /// What the newest answer said about the storage's clock; `None` before the first answer with a `Date`.
    #[must_use]
    pub fn last_date(&self) -> Option<ServerDate> {
        self.dates.last()
    }

    /// Requests that this client and its clones have made so far, repetitions included.
    #[must_use]
    pub fn requests(&self) -> RequestCounts {
        self.requests.counts()
    }

    fn error<E>(&self, operation: &'static str, key: &str, error: &SdkError<E, HttpResponse>) -> ObjectError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        error::from_sdk(operation, self.location(key), error)
    }
}

/// Lower-case hexadecimal SHA-256.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
