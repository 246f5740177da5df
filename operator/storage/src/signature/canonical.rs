//! The canonical form of a request: what is signed.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::SignedRequest;

/// Key in a presigned URL that cannot sign itself.
const SIGNATURE_KEY: &str = "X-Amz-Signature";

/// The canonical request; `None`: a header that is signed is missing or unreadable, or the query is malformed.
pub(super) fn request(request: &SignedRequest<'_>, signed_headers: &str) -> Option<String> {
    let mut canonical = format!("{}\n{}\n{}\n", request.method, path(request.path), query(request.query)?);
    let names: Vec<&str> = signed_headers.split(';').collect();
    if !names.is_sorted() {
        return None;
    }
    for name in names {
        let mut values = Vec::new();
        for value in request.headers.get_all(name) {
            values.push(value.to_str().ok()?.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
        }
        // A header that was signed but has been taken away.
        if values.is_empty() {
            return None;
        }
        writeln!(canonical, "{name}:{}", values.join(",")).ok()?;
    }
    write!(canonical, "\n{signed_headers}\n{}", hex::encode(Sha256::digest(request.body))).ok()?;
    Some(canonical)
}

/// The path as it was sent, each of its segments encoded once more.
fn path(path: &str) -> String {
    if path.is_empty() {
        return "/".to_owned();
    }
    path.split('/').map(encode).collect::<Vec<_>>().join("/")
}

/// Keys and values encoded, in order, without the signature itself.
fn query(query: &str) -> Option<String> {
    let mut encoded: Vec<_> = pairs(query)?
        .iter()
        .filter(|(key, _)| key != SIGNATURE_KEY)
        .map(|(key, value)| (encode(key), encode(value)))
        .collect();
    encoded.sort();
    Some(encoded.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("&"))
}

/// The decoded pairs of a query; `None`: it cannot be decoded.
pub(super) fn pairs(query: &str) -> Option<Vec<(String, String)>> {
    let pair = |text: &str| {
        let (key, value) = text.split_once('=').unwrap_or((text, ""));
        Some((decode(key)?, decode(value)?))
    };
    query.split('&').filter(|text| !text.is_empty()).map(pair).collect()
}

/// Percent-encoding of RFC 3986, in capitals; a space is `%20`.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _written = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            decoded.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        decoded.extend(hex::decode(digits).ok()?);
        rest = after;
    }
    String::from_utf8(decoded).ok()
}
