//! Verification of AWS Signature Version 4, in the `Authorization` header or in the query of a presigned URL.
//!
//! Source: AWS General Reference, "Signature Version 4 signing process". The AWS SDK's signer is the judge in the tests.
//!
//! Not for S3, whose paths are not encoded a second time and whose bodies may be signed in chunks: `s3s` checks those.

mod canonical;
#[cfg(test)]
mod tests;

use http::HeaderMap;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::credentials::hmac;

/// The only algorithm.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// Last part of every scope.
const SCOPE_END: &str = "aws4_request";

/// A request whose signature is looked at.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest<'a> {
    /// Method, in capitals.
    pub method: &'a str,
    /// Path as sent, percent-encoded.
    pub path: &'a str,
    /// Query as sent, percent-encoded, without the question mark.
    pub query: &'a str,
    /// Headers; of a presigned URL those that its user sends along.
    pub headers: &'a HeaderMap,
    /// The whole body.
    pub body: &'a [u8],
}

/// A request is not signed as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// It has no signature.
    #[error("requests must be signed")]
    Missing,
    /// What it has is no signature of version 4, or a part of it is missing.
    #[error("the signature is not one of version 4")]
    Incomplete,
    /// The date of the scope is another one than that of the request.
    #[error("the date of the scope is not that of the request")]
    ScopeDate,
    /// It was made with another secret, for another request, or was changed since.
    #[error("the signature does not match: check the secret key")]
    Mismatch,
}

/// What a request says about its signature. Nothing of it is true before [`Signature::verify`] says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Access key id.
    pub access_key: String,
    /// AWS region of the scope.
    pub region: String,
    /// Service of the scope.
    pub service: String,
    /// When it was signed.
    pub signed_at: Timestamp,
    /// How long a presigned URL says that it holds, in seconds; `None`: signed in the header.
    pub expires_seconds: Option<u64>,
    signed_headers: String,
    date: String,
    value: String,
}

impl Signature {
    /// The signature in the `Authorization` header.
    ///
    /// # Errors
    /// [`SignatureError::Missing`], [`SignatureError::Incomplete`] or [`SignatureError::ScopeDate`].
    pub fn in_header(headers: &HeaderMap) -> Result<Self, SignatureError> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let header = text("authorization").ok_or(SignatureError::Missing)?;
        let parts = header.strip_prefix(ALGORITHM).ok_or(SignatureError::Incomplete)?;
        let (mut credential, mut signed_headers, mut value) = (None, None, None);
        for part in parts.split(',') {
            match part.trim().split_once('=') {
                Some(("Credential", text)) => credential = Some(text),
                Some(("SignedHeaders", text)) => signed_headers = Some(text),
                Some(("Signature", text)) => value = Some(text),
                _ => return Err(SignatureError::Incomplete),
            }
        }
        Self::from_parts(credential, text("x-amz-date"), signed_headers, value, None)
    }

    /// The signature in the query of a presigned URL.
    ///
    /// # Errors
    /// As [`Signature::in_header`].
    pub fn in_query(query: &str) -> Result<Self, SignatureError> {
        let pairs = canonical::pairs(query).ok_or(SignatureError::Incomplete)?;
        let text = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match text("X-Amz-Algorithm") {
            None => return Err(SignatureError::Missing),
            Some(ALGORITHM) => {}
            Some(_) => return Err(SignatureError::Incomplete),
        }
        let expires = text("X-Amz-Expires").and_then(|text| text.parse().ok()).ok_or(SignatureError::Incomplete)?;
        Self::from_parts(
            text("X-Amz-Credential"),
            text("X-Amz-Date"),
            text("X-Amz-SignedHeaders"),
            text("X-Amz-Signature"),
            Some(expires),
        )
    }

    fn from_parts(
        credential: Option<&str>,
        date: Option<&str>,
        signed_headers: Option<&str>,
        value: Option<&str>,
        expires_seconds: Option<u64>,
    ) -> Result<Self, SignatureError> {
        let (Some(credential), Some(date), Some(signed_headers), Some(value)) =
            (credential, date, signed_headers, value)
        else {
            return Err(SignatureError::Incomplete);
        };
        let mut parts = credential.split('/');
        let (Some(access_key), Some(day), Some(region), Some(service), Some(SCOPE_END), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(SignatureError::Incomplete);
        };
        let signed_at = strtime::parse("%Y%m%dT%H%M%SZ", date)
            .and_then(|parsed| parsed.to_datetime())
            .and_then(|civil: DateTime| civil.to_zoned(TimeZone::UTC))
            .map_err(|_| SignatureError::Incomplete)?
            .timestamp();
        if date.get(..8) != Some(day) {
            return Err(SignatureError::ScopeDate);
        }
        Ok(Self {
            access_key: access_key.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_at,
            expires_seconds,
            signed_headers: signed_headers.to_owned(),
            date: date.to_owned(),
            value: value.to_owned(),
        })
    }

    /// Whether a header is signed. Its name in lower case.
    #[must_use]
    pub fn covers(&self, header: &str) -> bool {
        self.signed_headers.split(';').any(|name| name == header)
    }

    /// Whether this secret signed exactly this request.
    ///
    /// # Errors
    /// [`SignatureError::Incomplete`] where the request lacks what is signed, [`SignatureError::Mismatch`].
    pub fn verify(&self, request: &SignedRequest<'_>, secret: &str) -> Result<(), SignatureError> {
        let canonical = canonical::request(request, &self.signed_headers).ok_or(SignatureError::Incomplete)?;
        let day = self.date.get(..8).unwrap_or_default();
        let scope = format!("{day}/{}/{}/{SCOPE_END}", self.region, self.service);
        let to_sign = format!("{ALGORITHM}\n{}\n{scope}\n{}", self.date, hex::encode(Sha256::digest(canonical)));
        let key = [&self.region, &self.service, SCOPE_END]
            .iter()
            .fold(hmac(format!("AWS4{secret}").as_bytes(), day.as_bytes()), |key, part| hmac(&key, part.as_bytes()));
        let expected = hex::encode(hmac(&key, to_sign.as_bytes()));
        if bool::from(expected.as_bytes().ct_eq(self.value.as_bytes())) {
            return Ok(());
        }
        Err(SignatureError::Mismatch)
    }
}
