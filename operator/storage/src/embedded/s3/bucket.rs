//! The operations on the one bucket.

use std::collections::HashMap;
use std::io::SeekFrom;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CommonPrefix, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CreateBucketInput, CreateBucketOutput, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput,
    DeletedObject, ETag, ETagCondition, GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput,
    HeadObjectInput, HeadObjectOutput, ListObjectsV2Input, ListObjectsV2Output, Object, PutObjectInput,
    PutObjectOutput, StreamingBlob, Timestamp, UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Error, S3Request, S3Response, S3Result, s3_error};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use crate::embedded::store::{
    Attributes, Body, Condition, Page, Part, Put, Row, Store, StoreError, StoredBody, StoredObject, Upload,
};

use super::receive::{Bytes, Claims, Received, receive};

/// Keys of a page and of one deletion: S3's limits.
const PAGE: usize = 1000;
/// Longest key in bytes: S3's limit.
const MAX_KEY_BYTES: usize = 1024;
/// All user metadata of an object in bytes: S3's limit.
const MAX_METADATA_BYTES: usize = 2048;
/// Most parts of an upload: S3's limit.
const MAX_PARTS: usize = 10_000;

/// The one bucket.
pub(super) struct Bucket {
    store: Store,
    name: String,
}

impl Bucket {
    pub(super) fn new(store: Store, name: &str) -> Self {
        Self { store, name: name.to_owned() }
    }

    fn check(&self, bucket: &str) -> S3Result<()> {
        if bucket == self.name { Ok(()) } else { Err(s3_error!(NoSuchBucket, "the only bucket here is {}", self.name)) }
    }

    async fn find(&self, bucket: &str, key: String, with_body: bool) -> S3Result<StoredObject> {
        self.check(bucket)?;
        let found = self.store.run(move |store| store.get(&key, with_body)).await.map_err(refusal)?;
        found.ok_or_else(|| s3_error!(NoSuchKey))
    }
}

#[async_trait::async_trait]
impl S3 for Bucket {
    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        self.check(&request.input.bucket)?;
        Err(s3_error!(BucketAlreadyOwnedByYou))
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.check(&request.input.bucket)?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        self.check(&input.bucket)?;
        check_key(&input.key)?;
        let condition = condition_of(input.if_none_match, input.if_match)?;
        let mut attributes = attributes_of(input.content_type, input.content_encoding, input.metadata)?;
        let claims = Claims {
            length: decoded_length(&request.headers, input.content_length),
            md5: input.content_md5,
            headers: &request.headers,
            trailers: request.trailing_headers,
        };
        let Received { size, md5, checksum, bytes } = receive(&self.store, input.body, claims, false).await?;
        attributes.crc32.clone_from(&checksum.checksum_crc32);
        let body = match bytes {
            Bytes::Inline(data) => Body::Inline(data),
            Bytes::File(file) => Body::File(file),
        };
        let put = Put { key: input.key, size, etag: md5.clone(), modified: now_ms(), attributes, body, condition };
        self.store.run(move |store| store.put(put)).await.map_err(refusal)?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(ETag::Strong(md5)),
            checksum_crc32: checksum.checksum_crc32,
            checksum_crc32c: checksum.checksum_crc32c,
            checksum_sha1: checksum.checksum_sha1,
            checksum_sha256: checksum.checksum_sha256,
            checksum_crc64nvme: checksum.checksum_crc64nvme,
            ..PutObjectOutput::default()
        }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let StoredObject { row, attributes, body } = self.find(&input.bucket, input.key, true).await?;
        let range = match input.range {
            Some(range) => Some(range.check(row.size).map_err(|_| s3_error!(InvalidRange))?),
            None => None,
        };
        let part = range.clone().unwrap_or(0..row.size);
        let length = part.end - part.start;
        let stream = match body {
            Some(StoredBody::Inline(data)) => {
                let data = bytes::Bytes::from(data);
                let from = usize::try_from(part.start).unwrap_or(usize::MAX).min(data.len());
                let to = usize::try_from(part.end).unwrap_or(usize::MAX).min(data.len());
                StreamingBlob::from(s3s::Body::from(data.slice(from..to)))
            }
            Some(StoredBody::File(file)) => {
                let mut file = tokio::fs::File::from_std(file);
                file.seek(SeekFrom::Start(part.start)).await.map_err(|error| refusal(error.into()))?;
                StreamingBlob::wrap(ReaderStream::with_capacity(file.take(length), 128 * 1024))
            }
            None => return Err(s3_error!(InternalError)),
        };
        // Readers verify it, which only makes sense for the whole body.
        let verify = range.is_none() && input.checksum_mode.is_some();
        Ok(S3Response::new(GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            body: Some(stream),
            checksum_crc32: attributes.crc32.filter(|_| verify),
            content_encoding: attributes.content_encoding,
            content_length: Some(signed(length)),
            content_range: range.map(|range| format!("bytes {}-{}/{}", range.start, range.end - 1, row.size)),
            content_type: attributes.content_type,
            e_tag: Some(ETag::Strong(row.etag)),
            last_modified: Some(instant(row.modified)),
            metadata: some_metadata(attributes.metadata),
            ..GetObjectOutput::default()
        }))
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let StoredObject { row, attributes, .. } = self.find(&input.bucket, input.key, false).await?;
        Ok(S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_encoding: attributes.content_encoding,
            content_length: Some(signed(row.size)),
            content_type: attributes.content_type,
            e_tag: Some(ETag::Strong(row.etag)),
            last_modified: Some(instant(row.modified)),
            metadata: some_metadata(attributes.metadata),
            ..HeadObjectOutput::default()
        }))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        self.check(&input.bucket)?;
        let max_keys =
            usize::try_from(input.max_keys.unwrap_or(1000)).map_err(|_| s3_error!(InvalidArgument))?.min(PAGE);
        let from = match (&input.continuation_token, &input.start_after) {
            (Some(token), _) => {
                hex::decode(token).map_err(|_| s3_error!(InvalidArgument, "no token of this storage"))?
            }
            (None, Some(after)) => [after.as_bytes(), &[0]].concat(),
            (None, None) => Vec::new(),
        };
        let prefix = input.prefix.clone().unwrap_or_default();
        let delimiter = input.delimiter.clone().filter(|delimiter| !delimiter.is_empty());
        let page = if max_keys == 0 {
            Page::default()
        } else {
            let list = move |store: &Store| store.list(&prefix, delimiter.as_deref(), &from, max_keys);
            self.store.run(list).await.map_err(refusal)?
        };
        let encoded = input.encoding_type.as_ref().is_some_and(|encoding| encoding.as_str() == "url");
        let name = |text: String| if encoded { url_encode(&text) } else { text };
        let count = page.objects.len() + page.prefixes.len();
        let contents: Vec<Object> = page.objects.into_iter().map(|row| listed(row, name)).collect();
        let prefixes: Vec<CommonPrefix> =
            page.prefixes.into_iter().map(|prefix| CommonPrefix { prefix: Some(name(prefix)) }).collect();
        Ok(S3Response::new(ListObjectsV2Output {
            common_prefixes: Some(prefixes),
            contents: Some(contents),
            continuation_token: input.continuation_token,
            delimiter: input.delimiter.map(name),
            encoding_type: input.encoding_type,
            is_truncated: Some(page.next.is_some()),
            key_count: i32::try_from(count).ok(),
            max_keys: i32::try_from(max_keys).ok(),
            name: Some(input.bucket),
            next_continuation_token: page.next.map(hex::encode),
            prefix: input.prefix.map(name),
            start_after: input.start_after.map(name),
            ..ListObjectsV2Output::default()
        }))
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.check(&request.input.bucket)?;
        let keys = vec![request.input.key];
        self.store.run(move |store| store.delete(&keys)).await.map_err(refusal)?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        self.check(&request.input.bucket)?;
        let delete = request.input.delete;
        if delete.objects.len() > PAGE {
            return Err(s3_error!(MalformedXML, "at most 1000 keys at a time"));
        }
        let keys: Vec<String> = delete.objects.into_iter().map(|object| object.key).collect();
        let deleted = if delete.quiet == Some(true) {
            None
        } else {
            Some(keys.iter().map(|key| DeletedObject { key: Some(key.clone()), ..DeletedObject::default() }).collect())
        };
        self.store.run(move |store| store.delete(&keys)).await.map_err(refusal)?;
        Ok(S3Response::new(DeleteObjectsOutput { deleted, ..DeleteObjectsOutput::default() }))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = request.input;
        self.check(&input.bucket)?;
        check_key(&input.key)?;
        let attributes = attributes_of(input.content_type, input.content_encoding, input.metadata)?;
        let upload = Upload { id: self.store.unique_name(), key: input.key, attributes, created: now_ms() };
        let output = CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(upload.key.clone()),
            upload_id: Some(upload.id.clone()),
            ..CreateMultipartUploadOutput::default()
        };
        self.store.run(move |store| store.begin_upload(&upload)).await.map_err(refusal)?;
        Ok(S3Response::new(output))
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let input = request.input;
        self.check(&input.bucket)?;
        if !usize::try_from(input.part_number).is_ok_and(|number| (1..=MAX_PARTS).contains(&number)) {
            return Err(s3_error!(InvalidArgument, "a part number is between 1 and 10000"));
        }
        let claims = Claims {
            length: decoded_length(&request.headers, input.content_length),
            md5: input.content_md5,
            headers: &request.headers,
            trailers: request.trailing_headers,
        };
        let Received { size, md5, checksum, bytes } = receive(&self.store, input.body, claims, true).await?;
        let Bytes::File(file) = bytes else { return Err(s3_error!(InternalError)) };
        let part = Part { number: input.part_number, md5: md5.clone() };
        let (upload_id, key) = (input.upload_id, input.key);
        self.store.run(move |store| store.add_part(&upload_id, &key, &part, size, file)).await.map_err(refusal)?;
        Ok(S3Response::new(UploadPartOutput {
            e_tag: Some(ETag::Strong(md5)),
            checksum_crc32: checksum.checksum_crc32,
            ..UploadPartOutput::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        self.check(&input.bucket)?;
        let condition = condition_of(input.if_none_match, input.if_match)?;
        let named = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let mut parts = Vec::with_capacity(named.len());
        for part in named {
            let (Some(number), Some(etag)) = (part.part_number, part.e_tag) else { return Err(s3_error!(InvalidPart)) };
            parts.push(Part { number, md5: etag.into_value() });
        }
        let (upload_id, key) = (input.upload_id, input.key.clone());
        let complete = move |store: &Store| store.complete_upload(&upload_id, &key, &parts, now_ms(), condition);
        let etag = self.store.run(complete).await.map_err(refusal)?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(ETag::Strong(etag)),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.check(&request.input.bucket)?;
        let (upload_id, key) = (request.input.upload_id, request.input.key);
        self.store.run(move |store| store.forget_upload(&upload_id, &key)).await.map_err(refusal)?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}

/// What a client is told about an error of the store.
pub(super) fn refusal(error: StoreError) -> S3Error {
    match error {
        StoreError::Condition => s3_error!(PreconditionFailed),
        StoreError::NoSuchUpload => s3_error!(NoSuchUpload),
        StoreError::InvalidPart => s3_error!(InvalidPart),
        StoreError::SmallPart => s3_error!(EntityTooSmall),
        StoreError::Stopping => s3_error!(ServiceUnavailable),
        StoreError::Index(_) | StoreError::File(_) | StoreError::Attributes(_) => {
            tracing::error!(%error, "the embedded storage failed");
            s3_error!(error, InternalError)
        }
    }
}

fn check_key(key: &str) -> S3Result<()> {
    if key.is_empty() || key.len() > MAX_KEY_BYTES {
        return Err(s3_error!(KeyTooLongError, "a key has 1 to 1024 bytes"));
    }
    Ok(())
}

fn condition_of(if_none_match: Option<ETagCondition>, if_match: Option<ETagCondition>) -> S3Result<Condition> {
    match (if_none_match, if_match) {
        (None, None) => Ok(Condition::Always),
        (Some(ETagCondition::Any), None) => Ok(Condition::Absent),
        (None, Some(ETagCondition::Any)) => Ok(Condition::Present),
        (None, Some(ETagCondition::ETag(etag))) => Ok(Condition::Is(etag.into_value())),
        (Some(_), _) => Err(s3_error!(NotImplemented, "a write knows If-None-Match: * and If-Match")),
    }
}

fn attributes_of(
    content_type: Option<String>,
    content_encoding: Option<String>,
    metadata: Option<HashMap<String, String>>,
) -> S3Result<Attributes> {
    let metadata = metadata.unwrap_or_default();
    if metadata.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > MAX_METADATA_BYTES {
        return Err(s3_error!(MetadataTooLarge));
    }
    // `aws-chunked` describes the transfer and is not kept, as S3 does.
    let content_encoding = content_encoding
        .map(|value| value.split(',').map(str::trim).filter(|one| *one != "aws-chunked").collect::<Vec<_>>().join(","))
        .filter(|value| !value.is_empty());
    Ok(Attributes { content_type, content_encoding, metadata: metadata.into_iter().collect(), crc32: None })
}

/// The length of the body itself: of a chunked one the header says it apart.
fn decoded_length(headers: &http::HeaderMap, content_length: Option<i64>) -> Option<i64> {
    match headers.get("x-amz-decoded-content-length") {
        Some(value) => value.to_str().ok()?.parse().ok(),
        None => content_length,
    }
}

fn some_metadata(metadata: std::collections::BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    (!metadata.is_empty()).then(|| metadata.into_iter().collect())
}

fn listed(row: Row, name: impl Fn(String) -> String) -> Object {
    Object {
        e_tag: Some(ETag::Strong(row.etag)),
        key: Some(name(row.key)),
        last_modified: Some(instant(row.modified)),
        size: Some(signed(row.size)),
        ..Object::default()
    }
}

fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn instant(milliseconds: i64) -> Timestamp {
    Timestamp::from(UNIX_EPOCH + Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default()))
}

/// Percent-encoding of a key for `encoding-type=url`.
fn url_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push_str(&hex::encode_upper([byte]));
        }
    }
    encoded
}
