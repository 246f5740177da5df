//! Errors of the object store, each naming its object.

use std::path::PathBuf;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::FailureClass;

/// Why an object could not be read or written. `location` is `s3://bucket/key`.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The object is not there.
    #[error("{location} is not there")]
    NotFound {
        /// The object.
        location: String,
    },
    /// The bucket is not there.
    #[error("{location}: the bucket is not there; create it or correct VOLLEY_BUCKET")]
    BucketMissing {
        /// The object.
        location: String,
    },
    /// The credentials do not reach the object.
    #[error(
        "failed to {operation} {location}: access denied ({words}); check the storage credentials and their rights"
    )]
    Denied {
        /// What was tried.
        operation: &'static str,
        /// The object.
        location: String,
        /// The storage's words.
        words: String,
    },
    /// The storage could not be reached or could not answer.
    #[error(
        "failed to {operation} {location}: the storage is not available ({words}); this passes or the endpoint is wrong"
    )]
    Unavailable {
        /// What was tried.
        operation: &'static str,
        /// The object.
        location: String,
        /// What happened.
        words: String,
    },
    /// The storage refused the request for another reason.
    #[error("failed to {operation} {location}: the storage refused it with {code} ({words})")]
    Refused {
        /// What was tried.
        operation: &'static str,
        /// The object.
        location: String,
        /// S3's error code.
        code: String,
        /// The storage's words.
        words: String,
    },
    /// `If-None-Match: *` or `If-Match` did not hold.
    #[error("failed to {operation} {location}: it has been written by somebody else")]
    PreconditionFailed {
        /// What was tried.
        operation: &'static str,
        /// The object.
        location: String,
    },
    /// The object is bigger than the reader accepts.
    #[error("{location} has more than the {limit} bytes that are accepted")]
    TooLarge {
        /// The object.
        location: String,
        /// Bytes accepted.
        limit: u64,
    },
    /// The object ends before the bytes that were asked for.
    #[error("{location} ends before the bytes that it should have: it is truncated or another object")]
    TooShort {
        /// The object.
        location: String,
    },
    /// There are more objects below a prefix than the reader accepts.
    #[error("there are more than the accepted {limit} objects below {location}")]
    TooManyObjects {
        /// The prefix.
        location: String,
        /// Objects accepted.
        limit: usize,
    },
    /// The content is not what its digest says.
    #[error("{location} has SHA-256 {found} instead of {expected}: it was changed or damaged")]
    DigestMismatch {
        /// The object.
        location: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The content is no valid document.
    #[error("{location} is no valid {kind}: {source}")]
    Malformed {
        /// The object.
        location: String,
        /// The document's name.
        kind: &'static str,
        /// What is wrong, with line and column.
        source: serde_json::Error,
    },
    /// The document is of a version that this release does not know.
    #[error(
        "{location} is a {kind} of version {found}, this release reads version {supported}: use the release that wrote it or a newer one"
    )]
    UnknownVersion {
        /// The object.
        location: String,
        /// The document's name.
        kind: &'static str,
        /// Its version.
        found: u64,
        /// The version that is read.
        supported: u32,
    },
    /// A prefix that would reach too much.
    #[error("refused to delete below {location}: a prefix must name something and end with a slash")]
    UnsafePrefix {
        /// The prefix.
        location: String,
    },
    /// A local file could not be read or written.
    #[error("failed to transfer {location} through {path}: {source}", path = path.display())]
    File {
        /// The object.
        location: String,
        /// The file.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
}

impl ObjectError {
    /// What can be done about it.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        match self {
            Self::Unavailable { .. } => FailureClass::Transient,
            Self::BucketMissing { .. } | Self::Denied { .. } | Self::Refused { .. } | Self::File { .. } => {
                FailureClass::NeedsChange
            }
            Self::NotFound { .. }
            | Self::PreconditionFailed { .. }
            | Self::TooLarge { .. }
            | Self::TooShort { .. }
            | Self::TooManyObjects { .. }
            | Self::DigestMismatch { .. }
            | Self::Malformed { .. }
            | Self::UnknownVersion { .. }
            | Self::UnsafePrefix { .. } => FailureClass::Terminal,
        }
    }
}

/// Translates an error of the SDK.
pub(super) fn from_sdk<E>(operation: &'static str, location: String, error: &SdkError<E, HttpResponse>) -> ObjectError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let code = error.code().unwrap_or_default().to_owned();
    let words = match error.message() {
        Some(message) => format!("{code}: {message}"),
        None => DisplayErrorContext(error).to_string(),
    };
    match (status, code.as_str()) {
        (_, "NoSuchBucket") => ObjectError::BucketMissing { location },
        // No answer, or one that says "again"; an upload that was completed with the answer lost or has expired, so that
        // the whole transfer is to be repeated; a body that came too slowly; a good answer whose body could not be read.
        (None | Some(200..=299 | 408 | 409 | 429 | 500..=599), _) | (_, "NoSuchUpload" | "RequestTimeout") => {
            ObjectError::Unavailable { operation, location, words }
        }
        (Some(404), _) => ObjectError::NotFound { location },
        (Some(416), _) => ObjectError::TooShort { location },
        (Some(412), _) => ObjectError::PreconditionFailed { operation, location },
        (Some(401 | 403), _) => ObjectError::Denied { operation, location, words },
        (Some(status), _) => {
            let code = if code.is_empty() { format!("HTTP {status}") } else { code };
            ObjectError::Refused { operation, location, code, words }
        }
    }
}
