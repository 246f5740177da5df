//! Receives a body, verifies everything that the client said about it, and only then hands it on.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::StreamExt;
use http::HeaderMap;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::dto::{Checksum, StreamingBlob};
use s3s::{S3Error, S3Result, TrailingHeaders, s3_error};

use crate::embedded::store::{INLINE_BYTES, IncomingFile, Store};

use super::bucket::refusal;

/// Largest body of one request: S3's own limit of a single PUT, 5 GiB.
const MAX_BODY_BYTES: u64 = 5 * 1024 * 1024 * 1024;
/// A client that sends nothing for this long is cut off.
const IDLE: Duration = Duration::from_secs(30);
/// Checksums that S3 knows, as headers and trailers name them.
const CHECKSUM_HEADERS: [&str; 5] = [
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-checksum-crc64nvme",
];

/// What the client says about the body.
pub(super) struct Claims<'a> {
    /// Length, where it is said.
    pub(super) length: Option<i64>,
    /// Base64 MD5.
    pub(super) md5: Option<String>,
    /// All headers; checksums and the names of trailers are among them.
    pub(super) headers: &'a HeaderMap,
    /// Trailers, readable after the body.
    pub(super) trailers: Option<TrailingHeaders>,
}

/// A verified body.
pub(super) struct Received {
    /// Its size.
    pub(super) size: u64,
    /// Hexadecimal MD5.
    pub(super) md5: String,
    /// Base64 checksums of all kinds that were claimed, CRC-32 always.
    pub(super) checksum: Checksum,
    /// The bytes, flushed where they are a file.
    pub(super) bytes: Bytes,
}

/// Where the bytes are.
pub(super) enum Bytes {
    /// In memory.
    Inline(Vec<u8>),
    /// In a flushed file that is not published yet.
    File(IncomingFile),
}

/// Reads the whole body. `always_file`: also a small one becomes a file.
pub(super) async fn receive(
    store: &Store,
    body: Option<StreamingBlob>,
    claims: Claims<'_>,
    always_file: bool,
) -> S3Result<Received> {
    let length = claims.length.map(|length| u64::try_from(length).unwrap_or(u64::MAX));
    if length.is_some_and(|length| length > MAX_BODY_BYTES) {
        return Err(s3_error!(EntityTooLarge));
    }
    let mut hasher = hasher_for(claims.headers);
    let mut md5 = Md5::new();
    let mut memory = Vec::new();
    let mut file = None;
    let mut size = 0_u64;
    if let Some(mut body) = body {
        loop {
            let next = tokio::time::timeout(IDLE, body.next()).await;
            let Some(chunk) = next.map_err(|_| s3_error!(RequestTimeout, "no bytes for 30 s"))? else { break };
            let chunk = chunk.map_err(|error| broken(&*error))?;
            size += chunk.len() as u64;
            if size > MAX_BODY_BYTES {
                return Err(s3_error!(EntityTooLarge));
            }
            hasher.update(&chunk);
            md5.update(&chunk);
            if file.is_none() && !always_file && memory.len() + chunk.len() <= INLINE_BYTES {
                memory.extend_from_slice(&chunk);
                continue;
            }
            let target = open(store, &mut file, &mut memory).await?;
            target.write(&chunk).await.map_err(refusal)?;
        }
    }
    if length.is_some_and(|length| length != size) {
        return Err(s3_error!(IncompleteBody));
    }
    let md5 = md5.finalize();
    let checksum = hasher.finalize();
    if claims.md5.as_deref().is_some_and(|claimed| claimed != BASE64_STANDARD.encode(md5)) {
        return Err(s3_error!(BadDigest, "the body does not have the Content-MD5 that was sent"));
    }
    verify(&checksum, claims.headers)?;
    verify_trailers(&checksum, claims.headers, claims.trailers.as_ref())?;
    if always_file {
        open(store, &mut file, &mut memory).await?;
    }
    let bytes = match file {
        Some(mut file) => {
            file.finish().await.map_err(refusal)?;
            Bytes::File(file)
        }
        None => Bytes::Inline(memory),
    };
    Ok(Received { size, md5: hex::encode(md5), checksum, bytes })
}

/// The file of the body; what was kept in memory so far goes first.
async fn open<'a>(
    store: &Store,
    file: &'a mut Option<IncomingFile>,
    memory: &mut Vec<u8>,
) -> S3Result<&'a mut IncomingFile> {
    let mut opened = match file.take() {
        Some(opened) => opened,
        None => store.incoming().await.map_err(refusal)?,
    };
    if !memory.is_empty() {
        opened.write(&std::mem::take(memory)).await.map_err(refusal)?;
    }
    Ok(file.insert(opened))
}

fn hasher_for(headers: &HeaderMap) -> ChecksumHasher {
    let named = |name: &str| {
        headers.contains_key(name)
            || headers.get_all("x-amz-trailer").iter().any(|value| {
                value.to_str().is_ok_and(|value| value.split(',').any(|one| one.trim().eq_ignore_ascii_case(name)))
            })
    };
    ChecksumHasher {
        // Always: it goes back to readers, who verify it.
        crc32: Some(Crc32::new()),
        crc32c: named("x-amz-checksum-crc32c").then(Crc32c::new),
        sha1: named("x-amz-checksum-sha1").then(Sha1::new),
        sha256: named("x-amz-checksum-sha256").then(Sha256::new),
        crc64nvme: named("x-amz-checksum-crc64nvme").then(Crc64Nvme::new),
    }
}

fn found<'a>(checksum: &'a Checksum, name: &str) -> Option<&'a str> {
    match name {
        "x-amz-checksum-crc32" => checksum.checksum_crc32.as_deref(),
        "x-amz-checksum-crc32c" => checksum.checksum_crc32c.as_deref(),
        "x-amz-checksum-sha1" => checksum.checksum_sha1.as_deref(),
        "x-amz-checksum-sha256" => checksum.checksum_sha256.as_deref(),
        "x-amz-checksum-crc64nvme" => checksum.checksum_crc64nvme.as_deref(),
        _ => None,
    }
}

fn verify(checksum: &Checksum, claims: &HeaderMap) -> S3Result<()> {
    for name in CHECKSUM_HEADERS {
        if let Some(claimed) = claims.get(name)
            && found(checksum, name).map(str::as_bytes) != Some(claimed.as_bytes())
        {
            return Err(s3_error!(BadDigest, "the body does not have the {name} that was sent"));
        }
    }
    Ok(())
}

fn verify_trailers(checksum: &Checksum, headers: &HeaderMap, trailers: Option<&TrailingHeaders>) -> S3Result<()> {
    let announced = headers.contains_key("x-amz-trailer");
    match trailers.and_then(TrailingHeaders::take) {
        Some(sent) => {
            let complete = CHECKSUM_HEADERS.iter().any(|name| sent.contains_key(*name));
            if announced && !complete {
                return Err(s3_error!(IncompleteBody, "the announced checksum is missing"));
            }
            verify(checksum, &sent)
        }
        None if announced => Err(s3_error!(IncompleteBody, "the announced checksum is missing")),
        None => Ok(()),
    }
}

/// An error of the stream: s3s checks `x-amz-content-sha256` and chunk signatures while it reads.
fn broken(error: &(dyn std::error::Error + Send + Sync)) -> S3Error {
    let words = error.to_string();
    if words.contains("Sha256Mismatch") || words.contains("SignatureMismatch") {
        return s3_error!(BadDigest, "the body does not have the digest or signature that was sent");
    }
    s3_error!(IncompleteBody, "the body broke off: {words}")
}
