//! Reading objects: always with a limit, and with digests where one is known.

use std::ops::Range;
use std::path::Path;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use crate::settings::{ATTEMPT_TIMEOUT, transfer_time};

use super::{ObjectError, ObjectStore, sha256_hex};

/// What is known of an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectHead {
    /// Size in bytes.
    pub size: u64,
    /// `ETag` with its quotes.
    pub etag: String,
    /// Content type, where one was given.
    pub content_type: Option<String>,
    /// When it was written, in seconds.
    pub modified: Option<Timestamp>,
}

/// What was written to a local file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedFile {
    /// Lower-case hexadecimal SHA-256 of the bytes.
    pub sha256: String,
    /// Size in bytes.
    pub size: u64,
}

impl ObjectStore {
    /// Reads a whole object of at most `limit` bytes; `None`: it is not there.
    ///
    /// # Errors
    /// [`ObjectError::TooLarge`] above the limit; otherwise as the storage answers.
    pub async fn get(&self, key: &str, limit: u64) -> Result<Option<Bytes>, ObjectError> {
        let Some(answer) = self.open(key, None).await? else { return Ok(None) };
        self.collect(key, answer, limit).await.map(Some)
    }

    /// Reads the bytes `range` of an object (start inclusive, end exclusive). Fewer come where the object is shorter.
    ///
    /// # Errors
    /// [`ObjectError::NotFound`]; [`ObjectError::TooShort`] where the range begins behind the end.
    pub async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, ObjectError> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let limit = range.end - range.start;
        let header = format!("bytes={}-{}", range.start, range.end - 1);
        let answer = self.open(key, Some(header)).await?;
        let answer = answer.ok_or_else(|| ObjectError::NotFound { location: self.location(key) })?;
        self.collect(key, answer, limit).await
    }

    /// Reads a whole object and checks its digest (lower-case hexadecimal SHA-256).
    ///
    /// # Errors
    /// [`ObjectError::NotFound`], [`ObjectError::TooLarge`], [`ObjectError::DigestMismatch`], or as the storage answers.
    pub async fn get_verified(&self, key: &str, sha256: &str, limit: u64) -> Result<Bytes, ObjectError> {
        let bytes =
            self.get(key, limit).await?.ok_or_else(|| ObjectError::NotFound { location: self.location(key) })?;
        let found = sha256_hex(&bytes);
        if found == sha256 {
            return Ok(bytes);
        }
        Err(ObjectError::DigestMismatch { location: self.location(key), expected: sha256.to_owned(), found })
    }

    /// Writes an object of at most `limit` bytes into a new local file (an existing one is replaced). On an error the
    /// file may hold a part.
    ///
    /// # Errors
    /// [`ObjectError::NotFound`], [`ObjectError::TooLarge`], [`ObjectError::File`], or as the storage answers.
    pub async fn get_to_file(&self, key: &str, path: &Path, limit: u64) -> Result<FetchedFile, ObjectError> {
        let answer = self.open(key, None).await?;
        let mut answer = answer.ok_or_else(|| ObjectError::NotFound { location: self.location(key) })?;
        let mut file = tokio::fs::File::create(path).await.map_err(|source| self.file_error(key, path, source))?;
        let mut digest = Sha256::new();
        let mut size = 0_u64;
        let within = ATTEMPT_TIMEOUT.saturating_add(transfer_time(limit));
        let copy = async {
            while let Some(chunk) = self.next_chunk(key, &mut answer).await? {
                size += chunk.len() as u64;
                if size > limit {
                    return Err(ObjectError::TooLarge { location: self.location(key), limit });
                }
                digest.update(&chunk);
                file.write_all(&chunk).await.map_err(|source| self.file_error(key, path, source))?;
            }
            file.flush().await.map_err(|source| self.file_error(key, path, source))
        };
        tokio::time::timeout(within, copy).await.map_err(|_| self.too_slow(key))??;
        Ok(FetchedFile { sha256: hex::encode(digest.finalize()), size })
    }

    /// What is known of an object without reading it; `None`: it is not there.
    ///
    /// # Errors
    /// As the storage answers.
    pub async fn head(&self, key: &str) -> Result<Option<ObjectHead>, ObjectError> {
        match self.client.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(answer) => Ok(Some(ObjectHead {
                size: size_of(answer.content_length()),
                etag: answer.e_tag().unwrap_or_default().to_owned(),
                content_type: answer.content_type().map(str::to_owned),
                modified: answer.last_modified().and_then(|time| Timestamp::from_second(time.secs()).ok()),
            })),
            Err(error) => match self.error("read", key, &error) {
                ObjectError::NotFound { .. } => Ok(None),
                other => Err(other),
            },
        }
    }

    async fn open(&self, key: &str, range: Option<String>) -> Result<Option<GetObjectOutput>, ObjectError> {
        let request = self.client.get_object().bucket(&self.bucket).key(key).set_range(range);
        match request.send().await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) => match self.error("read", key, &error) {
                ObjectError::NotFound { .. } => Ok(None),
                other => Err(other),
            },
        }
    }

    async fn collect(&self, key: &str, mut answer: GetObjectOutput, limit: u64) -> Result<Bytes, ObjectError> {
        let too_large = || ObjectError::TooLarge { location: self.location(key), limit };
        let announced = size_of(answer.content_length());
        if announced > limit {
            return Err(too_large());
        }
        let within = ATTEMPT_TIMEOUT.saturating_add(transfer_time(announced));
        let read = async {
            let mut bytes = BytesMut::with_capacity(usize::try_from(announced).unwrap_or_default());
            while let Some(chunk) = self.next_chunk(key, &mut answer).await? {
                if (bytes.len() + chunk.len()) as u64 > limit {
                    return Err(too_large());
                }
                bytes.extend_from_slice(&chunk);
            }
            Ok(bytes.freeze())
        };
        tokio::time::timeout(within, read).await.map_err(|_| self.too_slow(key))?
    }

    async fn next_chunk(&self, key: &str, answer: &mut GetObjectOutput) -> Result<Option<Bytes>, ObjectError> {
        answer.body.try_next().await.map_err(|error| ObjectError::Unavailable {
            operation: "read",
            location: self.location(key),
            words: format!("the body broke off: {error}"),
        })
    }

    fn too_slow(&self, key: &str) -> ObjectError {
        let words = "the body came slower than 256 KiB/s".to_owned();
        ObjectError::Unavailable { operation: "read", location: self.location(key), words }
    }
}

fn size_of(content_length: Option<i64>) -> u64 {
    u64::try_from(content_length.unwrap_or_default()).unwrap_or_default()
}
