//! Writing and deleting objects.

use std::path::Path;
use std::time::Duration;

use aws_sdk_s3::primitives::{ByteStream, Length};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier};
use bytes::Bytes;

use crate::settings::timeouts_for;

use super::{BYTES, ObjectError, ObjectStore};

/// A file above this size goes up in parts, so that a broken connection repeats a part and not the whole.
const MULTIPART_ABOVE: u64 = 64 * 1024 * 1024;
/// Size of a part: 10,000 parts (S3's limit) hold 160 GB.
const PART_SIZE: u64 = 16 * 1024 * 1024;
/// How often a conditional write that met another one in flight (409) is tried.
const CONFLICT_ATTEMPTS: u32 = 5;
/// Keys of one `DeleteObjects` request: S3's limit, and that of a page of a listing.
const DELETE_BATCH: usize = 1000;

/// How an object is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PutOptions {
    /// Its content type.
    pub content_type: &'static str,
    /// Only where no object of that key exists (`If-None-Match: *`).
    pub if_none_match: bool,
}

impl Default for PutOptions {
    fn default() -> Self {
        Self { content_type: BYTES, if_none_match: false }
    }
}

/// Outcome of a write that may happen only once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creation {
    /// The object holds our bytes: written now, or before by ourselves with the answer lost.
    Created,
    /// Somebody else was first; these are the bytes that count.
    AlreadyThere(Bytes),
}

impl ObjectStore {
    /// Writes an object.
    ///
    /// # Errors
    /// [`ObjectError::PreconditionFailed`] where `if_none_match` is asked for and the object exists; otherwise as the
    /// storage answers.
    pub async fn put(&self, key: &str, bytes: impl Into<Bytes>, options: PutOptions) -> Result<(), ObjectError> {
        let bytes = bytes.into();
        let mut pause = Duration::from_millis(50);
        for attempt in 1.. {
            let request = self
                .client
                .put_object()
                .bucket(&self.bucket)
                .key(key)
                .content_type(options.content_type)
                .set_if_none_match(options.if_none_match.then(|| "*".to_owned()))
                .body(ByteStream::from(bytes.clone()));
            let timeouts = timeouts_for(bytes.len() as u64);
            let request =
                request.customize().config_override(aws_sdk_s3::config::Builder::new().timeout_config(timeouts));
            let Err(error) = request.send().await else { return Ok(()) };
            // Two conditional writes at the same time: S3 answers 409 to one and asks for a repetition.
            let conflict = error.raw_response().is_some_and(|response| response.status().as_u16() == 409);
            if !(conflict && attempt < CONFLICT_ATTEMPTS) {
                return Err(self.error("write", key, &error));
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2);
        }
        Ok(())
    }

    /// Writes an object that is written only once, and tells who was first. `limit` bounds what is read of somebody
    /// else's object.
    ///
    /// # Errors
    /// As the storage answers; [`ObjectError::TooLarge`] where the object that is there exceeds the limit.
    pub async fn put_new(
        &self,
        key: &str,
        bytes: impl Into<Bytes>,
        content_type: &'static str,
        limit: u64,
    ) -> Result<Creation, ObjectError> {
        let bytes = bytes.into();
        match self.put(key, bytes.clone(), PutOptions { content_type, if_none_match: true }).await {
            Ok(()) => Ok(Creation::Created),
            Err(ObjectError::PreconditionFailed { operation, location }) => {
                match self.get(key, limit.max(bytes.len() as u64)).await? {
                    Some(there) if there == bytes => Ok(Creation::Created),
                    Some(there) => Ok(Creation::AlreadyThere(there)),
                    // Deleted in between: nobody deletes what is written once, except with its whole run.
                    None => Err(ObjectError::PreconditionFailed { operation, location }),
                }
            }
            Err(other) => Err(other),
        }
    }

    /// Writes a file as an object without holding it in memory; big ones in parts of 16 MiB.
    ///
    /// # Errors
    /// [`ObjectError::File`] where the file cannot be read; otherwise as the storage answers.
    pub async fn put_file(&self, key: &str, path: &Path, content_type: &'static str) -> Result<(), ObjectError> {
        let size = tokio::fs::metadata(path).await.map_err(|source| self.file_error(key, path, source))?.len();
        if size > MULTIPART_ABOVE {
            return self.put_parts(key, path, size, content_type).await;
        }
        let body = self.file_part(key, path, 0, size).await?;
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type(content_type)
            .body(body)
            .customize()
            .config_override(aws_sdk_s3::config::Builder::new().timeout_config(timeouts_for(size)))
            .send()
            .await
            .map_err(|error| self.error("write", key, &error))?;
        Ok(())
    }

    async fn put_parts(&self, key: &str, path: &Path, size: u64, content_type: &str) -> Result<(), ObjectError> {
        let upload = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .content_type(content_type)
            .send()
            .await
            .map_err(|error| self.error("start the upload of", key, &error))?;
        let upload_id = upload.upload_id().unwrap_or_default().to_owned();
        let outcome = self.send_parts(key, path, size, &upload_id).await;
        if outcome.is_err() {
            // Best effort: what stays behind is removed by the bucket's rule for unfinished uploads.
            let abort = self.client.abort_multipart_upload().bucket(&self.bucket).key(key).upload_id(&upload_id);
            if let Err(error) = abort.send().await {
                tracing::debug!(key, %error, "an unfinished upload could not be removed");
            }
        }
        outcome
    }

    async fn send_parts(&self, key: &str, path: &Path, size: u64, upload_id: &str) -> Result<(), ObjectError> {
        let mut parts = Vec::new();
        let mut offset = 0;
        let mut number = 1;
        while offset < size {
            let length = PART_SIZE.min(size - offset);
            let part = self
                .client
                .upload_part()
                .bucket(&self.bucket)
                .key(key)
                .upload_id(upload_id)
                .part_number(number)
                .body(self.file_part(key, path, offset, length).await?)
                .customize()
                .config_override(aws_sdk_s3::config::Builder::new().timeout_config(timeouts_for(length)))
                .send()
                .await
                .map_err(|error| self.error("write a part of", key, &error))?;
            parts.push(
                CompletedPart::builder()
                    .part_number(number)
                    .set_e_tag(part.e_tag().map(str::to_owned))
                    .set_checksum_crc32(part.checksum_crc32().map(str::to_owned))
                    .build(),
            );
            offset += length;
            number += 1;
        }
        self.client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload_id)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .customize()
            .config_override(aws_sdk_s3::config::Builder::new().timeout_config(timeouts_for(size)))
            .send()
            .await
            .map_err(|error| self.error("finish the upload of", key, &error))?;
        Ok(())
    }

    async fn file_part(&self, key: &str, path: &Path, offset: u64, length: u64) -> Result<ByteStream, ObjectError> {
        ByteStream::read_from()
            .path(path)
            .offset(offset)
            .length(Length::Exact(length))
            .build()
            .await
            .map_err(|error| self.file_error(key, path, std::io::Error::other(error)))
    }

    pub(super) fn file_error(&self, key: &str, path: &Path, source: std::io::Error) -> ObjectError {
        ObjectError::File { location: self.location(key), path: path.to_owned(), source }
    }

    /// Deletes an object; one that is not there counts as deleted.
    ///
    /// # Errors
    /// As the storage answers.
    pub async fn delete(&self, key: &str) -> Result<(), ObjectError> {
        let request = self.client.delete_object().bucket(&self.bucket).key(key);
        request.send().await.map(|_| ()).map_err(|error| self.error("delete", key, &error))
    }

    /// Deletes objects; those that are not there count as deleted.
    ///
    /// # Errors
    /// As the storage answers; some may be deleted then.
    pub async fn delete_all(&self, keys: &[&str]) -> Result<(), ObjectError> {
        for keys in keys.chunks(DELETE_BATCH) {
            let first = keys.first().copied().unwrap_or_default();
            let mut batch = Delete::builder().quiet(true);
            for key in keys {
                let identifier = ObjectIdentifier::builder().key(*key).build();
                batch = batch.objects(identifier.map_err(|error| self.error_of_build("delete", key, &error))?);
            }
            let batch = batch.build().map_err(|error| self.error_of_build("delete", first, &error))?;
            let request = self.client.delete_objects().bucket(&self.bucket).delete(batch);
            let answer = request.send().await.map_err(|error| self.error("delete objects from", first, &error))?;
            if let Some(error) = answer.errors().first() {
                return Err(ObjectError::Refused {
                    operation: "delete",
                    location: self.location(error.key().unwrap_or(first)),
                    code: error.code().unwrap_or_default().to_owned(),
                    words: error.message().unwrap_or_default().to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Deletes everything below a prefix and returns the number of objects. Repeating it is harmless.
    ///
    /// # Errors
    /// [`ObjectError::UnsafePrefix`] where the prefix is empty or does not end with a slash; otherwise as the storage answers.
    pub async fn delete_prefix(&self, prefix: &str) -> Result<u64, ObjectError> {
        if prefix.len() < 2 || !prefix.ends_with('/') {
            return Err(ObjectError::UnsafePrefix { location: self.location(prefix) });
        }
        let mut deleted = 0;
        loop {
            let page = self.list(prefix, None, DELETE_BATCH).await?;
            if page.objects.is_empty() {
                return Ok(deleted);
            }
            let keys: Vec<&str> = page.objects.iter().map(|object| object.key.as_str()).collect();
            self.delete_all(&keys).await?;
            deleted += page.objects.len() as u64;
            if !page.truncated {
                return Ok(deleted);
            }
        }
    }

    fn error_of_build(&self, operation: &'static str, key: &str, error: &dyn std::error::Error) -> ObjectError {
        let location = self.location(key);
        ObjectError::Refused { operation, location, code: "InvalidRequest".to_owned(), words: error.to_string() }
    }
}
