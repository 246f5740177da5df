//! Signature version 4 of a DynamoDB request: `POST /` without a query, signed in the header by the root key.
//!
//! Source: AWS General Reference, "Signature Version 4 signing process". The AWS SDK in the conformance test is the judge.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::credentials::{ROOT_ACCESS_KEY, hmac};

use super::operations::Refusal;

/// How far the client's clock may be off: AWS' own limit.
const MAX_SKEW: Duration = Duration::from_mins(15);
/// Headers without whose signature a request could be turned into another one.
const REQUIRED: [&str; 3] = ["host", "x-amz-date", "x-amz-target"];

/// The `Authorization` header in its parts.
struct Authorization<'a> {
    access_key: &'a str,
    /// `date/region/service/aws4_request`.
    scope: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

/// Verifies a request's signature, its date and that the root key made it.
pub(super) fn verify(headers: &HeaderMap, body: &[u8], root_key: &str, now: SystemTime) -> Result<(), Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let header = text("authorization")
        .ok_or_else(|| Refusal::of("MissingAuthenticationTokenException", "requests must be signed"))?;
    let incomplete =
        || Refusal::of("IncompleteSignatureException", "the Authorization header is not that of version 4");
    let authorization = parse(header).ok_or_else(incomplete)?;
    if authorization.access_key != ROOT_ACCESS_KEY {
        return Err(Refusal::of("UnrecognizedClientException", "this access key may not use the tables"));
    }
    let date = text("x-amz-date").ok_or_else(incomplete)?;
    check_date(date, authorization.scope, now)?;
    let canonical = canonical_request(headers, authorization.signed_headers, body).ok_or_else(incomplete)?;
    let expected = signature(root_key, date, authorization.scope, &canonical).ok_or_else(incomplete)?;
    if bool::from(expected.as_bytes().ct_eq(authorization.signature.as_bytes())) {
        return Ok(());
    }
    Err(Refusal::of("InvalidSignatureException", "the signature does not match: check the secret key"))
}

fn parse(header: &str) -> Option<Authorization<'_>> {
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for part in header.strip_prefix("AWS4-HMAC-SHA256")?.split(',') {
        match part.trim().split_once('=')? {
            ("Credential", value) => credential = Some(value),
            ("SignedHeaders", value) => signed_headers = Some(value),
            ("Signature", value) => signature = Some(value),
            _ => return None,
        }
    }
    let (access_key, scope) = credential?.split_once('/')?;
    Some(Authorization { access_key, scope, signed_headers: signed_headers?, signature: signature? })
}

fn check_date(date: &str, scope: &str, now: SystemTime) -> Result<(), Refusal> {
    let signed = strtime::parse("%Y%m%dT%H%M%SZ", date)
        .and_then(|parsed| parsed.to_datetime())
        .and_then(|civil: DateTime| civil.to_zoned(TimeZone::UTC))
        .map(SystemTime::from)
        .map_err(|_| Refusal::of("IncompleteSignatureException", "x-amz-date is no date"))?;
    let skew = now.duration_since(signed).unwrap_or_else(|earlier| earlier.duration());
    if skew > MAX_SKEW {
        let words = format!("the request was signed {} s away from the storage's clock", skew.as_secs());
        return Err(Refusal::of("InvalidSignatureException", &words));
    }
    if scope.split('/').next() != date.get(..8) {
        return Err(Refusal::of("InvalidSignatureException", "the date of the scope is not that of x-amz-date"));
    }
    Ok(())
}

fn canonical_request(headers: &HeaderMap, signed_headers: &str, body: &[u8]) -> Option<String> {
    let names: Vec<&str> = signed_headers.split(';').collect();
    if !names.is_sorted() || !REQUIRED.iter().all(|required| names.contains(required)) {
        return None;
    }
    let mut canonical = "POST\n/\n\n".to_owned();
    for name in names {
        let mut values = Vec::new();
        for value in headers.get_all(name) {
            values.push(value.to_str().ok()?.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
        }
        // A header that was signed but has been taken away.
        if values.is_empty() {
            return None;
        }
        writeln!(canonical, "{name}:{}", values.join(",")).ok()?;
    }
    write!(canonical, "\n{signed_headers}\n{}", hex::encode(Sha256::digest(body))).ok()?;
    Some(canonical)
}

fn signature(secret: &str, date: &str, scope: &str, canonical: &str) -> Option<String> {
    let mut parts = scope.split('/');
    let (day, region, service, end) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if service != "dynamodb" || end != "aws4_request" || parts.next().is_some() {
        return None;
    }
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
    let key = [region, service, end]
        .iter()
        .fold(hmac(format!("AWS4{secret}").as_bytes(), day.as_bytes()), |key, part| hmac(&key, part.as_bytes()));
    Some(hex::encode(hmac(&key, to_sign.as_bytes())))
}
