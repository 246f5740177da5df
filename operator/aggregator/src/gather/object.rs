//! An object of a worker: verified as a whole once, then read by range.

use std::ops::Range;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use volley_storage::documents::ObjectDigest;
use volley_storage::{FailureClass, ObjectError, ObjectStore};

use crate::error::AggregateError;
use crate::retry::patiently;

/// Bytes of a block while an object is verified.
const BLOCK_BYTES: u64 = 1024 * 1024;

/// Why an object is not used.
#[derive(Debug)]
pub(super) enum Unusable {
    /// It is wrong for good; the words say why.
    Wrong(String),
    /// It could not be read now.
    Now(ObjectError),
}

impl From<ObjectError> for Unusable {
    fn from(error: ObjectError) -> Self {
        match error.class() {
            FailureClass::Terminal => Self::Wrong(error.to_string()),
            FailureClass::Transient | FailureClass::NeedsChange => Self::Now(error),
        }
    }
}

impl Unusable {
    /// The words, where it is wrong for good. An outage of the storage must not make a worker lost.
    pub(super) fn words(self) -> Result<String, AggregateError> {
        match self {
            Self::Wrong(words) => Ok(words),
            Self::Now(error) => Err(error.into()),
        }
    }
}

/// An object whose bytes have the digest that they should have.
#[derive(Debug)]
pub(super) struct VerifiedObject {
    key: String,
    size: u64,
    /// All of it, where it is kept in memory.
    kept: Option<Bytes>,
}

impl VerifiedObject {
    /// Reads an object in blocks and compares its digest. `keep` says whether it stays in memory.
    ///
    /// # Errors
    /// [`Unusable::Wrong`] where it is missing, compressed, larger than `limit` bytes or another one than `digest` says.
    pub(super) async fn open(
        store: &ObjectStore,
        key: String,
        expected: &ObjectDigest,
        limit: u64,
        keep: bool,
    ) -> Result<Self, Unusable> {
        if expected.stored_size != expected.size || expected.size > limit {
            return Err(Unusable::Wrong(format!(
                "{} has {} bytes, stored as {}; at most {limit} uncompressed bytes can be read",
                store.location(&key),
                expected.size,
                expected.stored_size
            )));
        }
        let mut object = Self { key, size: expected.size, kept: None };
        let mut digest = Sha256::new();
        let mut kept = Vec::new();
        let mut offset = 0;
        while offset < object.size {
            let end = object.size.min(offset + BLOCK_BYTES);
            let block = object.range(store, offset..end).await?;
            digest.update(&block);
            if keep && end == object.size && offset == 0 {
                object.kept = Some(block);
            } else if keep {
                kept.extend_from_slice(&block);
            }
            offset = end;
        }
        let found = hex::encode(digest.finalize());
        if found != expected.sha256 {
            let (location, expected) = (store.location(&object.key), expected.sha256.clone());
            return Err(ObjectError::DigestMismatch { location, expected, found }.into());
        }
        if keep && object.kept.is_none() {
            object.kept = Some(Bytes::from(kept));
        }
        Ok(object)
    }

    /// Size in bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Reads some of its bytes.
    pub(super) async fn range(&self, store: &ObjectStore, range: Range<u64>) -> Result<Bytes, Unusable> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let length = range.end - range.start;
        let bytes = match &self.kept {
            Some(whole) => {
                let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(whole.len());
                whole.slice(place(range.start)..place(range.end))
            }
            None => patiently(ObjectError::class, || store.get_range(&self.key, range.clone())).await?,
        };
        if bytes.len() as u64 != length {
            let location = store.location(&self.key);
            return Err(Unusable::Wrong(format!("{location} is shorter than its manifest says")));
        }
        Ok(bytes)
    }
}
