//! Errors of the embedded storage's start and life.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the embedded storage cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The root key is too short.
    #[error("the storage's root key has {0} bytes: give one of at least {minimum}", minimum = crate::credentials::MIN_ROOT_KEY_BYTES)]
    WeakRootKey(usize),
    /// The name of the bucket is no S3 bucket name.
    #[error("{0:?} is no bucket name: use 3 to 63 lower-case letters, digits and hyphens")]
    BucketName(String),
    /// An address cannot be listened on.
    #[error("failed to listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What happened.
        source: std::io::Error,
    },
    /// Another process serves the same folder.
    #[error("{path} is in use by another storage process; each needs a folder of its own", path = path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A file or folder cannot be used.
    #[error("failed to use {path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
    /// The index of the objects cannot be used.
    #[error("failed to use the object index: {0}")]
    Index(#[from] rusqlite::Error),
    /// The index was written by another release.
    #[error("the object index has format {found}, this release reads {supported}: use the release that wrote it")]
    Format {
        /// Format of the file.
        found: i64,
        /// Format that is read.
        supported: i64,
    },
    /// The DynamoDB file cannot be used.
    #[error("failed to use the table file: {0}")]
    Tables(String),
    /// The table cannot be created.
    #[error("failed to create the table: {0}")]
    Table(#[from] crate::results::ResultsError),
    /// A listener ended by itself.
    #[error("a listener of the storage ended unexpectedly: {0}")]
    Ended(String),
}
