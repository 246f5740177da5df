//! Typed JSON documents: version checked before anything else, bounded in size, one value = one sequence of bytes.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::documents::DOCUMENT_VERSION;

use super::{Creation, JSON, ObjectError, ObjectStore, PutOptions, sha256_hex};

/// A JSON document that is kept as an object.
///
/// Its bytes are canonical: fields in the order of the type, maps sorted, no white space. So the same value has the same
/// digest everywhere.
pub trait Document: Serialize + DeserializeOwned + Send + Sync {
    /// What errors call it.
    const KIND: &'static str;
    /// Bytes that a reader accepts.
    const MAX_BYTES: u64;
    /// The version in it.
    fn version(&self) -> u32;
}

/// Who decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided<D> {
    /// Our document stands.
    Ours {
        /// Lower-case hexadecimal SHA-256 of its bytes.
        sha256: String,
    },
    /// Somebody was first with another one, which counts.
    Theirs {
        /// Their document.
        document: D,
        /// Lower-case hexadecimal SHA-256 of its bytes.
        sha256: String,
    },
}

#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

/// The canonical bytes of a document.
///
/// # Errors
/// [`ObjectError::UnknownVersion`] where the document claims another version than this release writes,
/// [`ObjectError::TooLarge`] above its limit. `location` is what errors name.
pub fn encode_document<D: Document>(location: &str, document: &D) -> Result<Bytes, ObjectError> {
    check_version::<D>(location, u64::from(document.version()))?;
    let bytes = serde_json::to_vec(document).map_err(|source| ObjectError::Malformed {
        location: location.to_owned(),
        kind: D::KIND,
        source,
    })?;
    if bytes.len() as u64 > D::MAX_BYTES {
        return Err(ObjectError::TooLarge { location: location.to_owned(), limit: D::MAX_BYTES });
    }
    Ok(Bytes::from(bytes))
}

/// Reads a document from bytes. `location` is what errors name.
///
/// # Errors
/// [`ObjectError::Malformed`] or [`ObjectError::UnknownVersion`].
pub fn decode_document<D: Document>(location: &str, bytes: &[u8]) -> Result<D, ObjectError> {
    let malformed = |source| ObjectError::Malformed { location: location.to_owned(), kind: D::KIND, source };
    let versioned: Versioned = serde_json::from_slice(bytes).map_err(malformed)?;
    check_version::<D>(location, versioned.version)?;
    serde_json::from_slice(bytes).map_err(malformed)
}

fn check_version<D: Document>(location: &str, found: u64) -> Result<(), ObjectError> {
    if found == u64::from(DOCUMENT_VERSION) {
        return Ok(());
    }
    let location = location.to_owned();
    Err(ObjectError::UnknownVersion { location, kind: D::KIND, found, supported: DOCUMENT_VERSION })
}

impl ObjectStore {
    /// Writes a document, replacing what is there, and returns the SHA-256 of its bytes.
    ///
    /// # Errors
    /// As [`encode_document`] and [`ObjectStore::put`].
    pub async fn put_document<D: Document>(&self, key: &str, document: &D) -> Result<String, ObjectError> {
        let bytes = encode_document(&self.location(key), document)?;
        let sha256 = sha256_hex(&bytes);
        self.put(key, bytes, PutOptions { content_type: JSON, if_none_match: false }).await?;
        Ok(sha256)
    }

    /// Writes a document that is written only once. Where one is there already, that one is returned and counts.
    ///
    /// # Errors
    /// As [`encode_document`], [`ObjectStore::put_new`] and [`decode_document`].
    pub async fn put_document_once<D: Document>(&self, key: &str, document: &D) -> Result<Decided<D>, ObjectError> {
        let location = self.location(key);
        let bytes = encode_document(&location, document)?;
        match self.put_new(key, bytes.clone(), JSON, D::MAX_BYTES).await? {
            Creation::Created => Ok(Decided::Ours { sha256: sha256_hex(&bytes) }),
            Creation::AlreadyThere(theirs) => {
                Ok(Decided::Theirs { document: decode_document(&location, &theirs)?, sha256: sha256_hex(&theirs) })
            }
        }
    }

    /// Reads a document and the SHA-256 of its bytes; `None`: it is not there.
    ///
    /// # Errors
    /// As [`ObjectStore::get`] and [`decode_document`].
    pub async fn get_document<D: Document>(&self, key: &str) -> Result<Option<(D, String)>, ObjectError> {
        let Some(bytes) = self.get(key, D::MAX_BYTES).await? else { return Ok(None) };
        Ok(Some((decode_document(&self.location(key), &bytes)?, sha256_hex(&bytes))))
    }

    /// Reads a document whose bytes must have the given SHA-256.
    ///
    /// # Errors
    /// As [`ObjectStore::get_verified`] and [`decode_document`].
    pub async fn get_document_verified<D: Document>(&self, key: &str, sha256: &str) -> Result<D, ObjectError> {
        let bytes = self.get_verified(key, sha256, D::MAX_BYTES).await?;
        decode_document(&self.location(key), &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::{StopDecision, StopReason, WorkerFailure};

    const STOP: &str = r#"{"version":1,"reason":"Requested","message":"too hot","at":"2026-11-25T10:00:00Z"}"#;

    #[test]
    fn the_bytes_of_a_document_are_canonical() {
        let spaced = STOP.replace(',', " ,\n ");
        let document: StopDecision = decode_document("s3://b/stop.json", spaced.as_bytes()).unwrap();
        assert_eq!(document.reason, StopReason::Requested);
        assert_eq!(encode_document("s3://b/stop.json", &document).unwrap(), STOP);
    }

    #[test]
    fn a_field_of_a_newer_writer_is_ignored_but_not_its_version() {
        let newer = STOP.replace('}', r#","by":"somebody"}"#);
        assert!(decode_document::<StopDecision>("s3://b/k", newer.as_bytes()).is_ok());
        let error = decode_document::<StopDecision>("s3://b/k", br#"{"version":2}"#).unwrap_err();
        assert!(matches!(error, ObjectError::UnknownVersion { found: 2, supported: 1, .. }), "{error}");
    }

    #[test]
    fn what_is_no_document_is_named_with_place_and_reason() {
        let error = decode_document::<StopDecision>("s3://b/k", br#"{"version":1,"reason":"Bored"}"#).unwrap_err();
        assert!(
            error.to_string().starts_with("s3://b/k is no valid stop decision: unknown variant `Bored`"),
            "{error}"
        );
        assert!(decode_document::<StopDecision>("s3://b/k", b"\xff").is_err());
    }

    #[test]
    fn a_document_above_its_limit_is_not_written() {
        let stage = crate::documents::FailedStage::Script;
        let words = "x".repeat(20 * 1024);
        let failure = WorkerFailure { version: 1, stage, file: None, line: None, words };
        assert!(matches!(encode_document("s3://b/k", &failure), Err(ObjectError::TooLarge { limit: 16384, .. })));
    }
}
