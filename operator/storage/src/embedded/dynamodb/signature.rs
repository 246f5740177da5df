//! Who may use the tables: `POST /` without a query, signed in the header by the root key.

use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;

use crate::credentials::ROOT_ACCESS_KEY;
use crate::signature::{Signature, SignatureError, SignedRequest};

use super::operations::Refusal;

/// How far the client's clock may be off: AWS' own limit.
const MAX_SKEW: Duration = Duration::from_mins(15);
/// Headers without whose signature a request could be turned into another one.
const REQUIRED: [&str; 3] = ["host", "x-amz-date", "x-amz-target"];

/// Verifies a request's signature, its date and that the root key made it.
pub(super) fn verify(headers: &HeaderMap, body: &[u8], root_key: &str, now: Timestamp) -> Result<(), Refusal> {
    let signature = Signature::in_header(headers).map_err(refusal)?;
    if signature.access_key != ROOT_ACCESS_KEY {
        return Err(Refusal::of("UnrecognizedClientException", "this access key may not use the tables"));
    }
    let skew = now.duration_since(signature.signed_at).unsigned_abs();
    if skew > MAX_SKEW {
        let words = format!("the request was signed {} s away from the storage's clock", skew.as_secs());
        return Err(Refusal::of("InvalidSignatureException", &words));
    }
    if signature.service != "dynamodb" || !REQUIRED.iter().all(|required| signature.covers(required)) {
        return Err(refusal(SignatureError::Incomplete));
    }
    let request = SignedRequest { method: "POST", path: "/", query: "", headers, body };
    signature.verify(&request, root_key).map_err(refusal)
}

fn refusal(error: SignatureError) -> Refusal {
    let kind = match error {
        SignatureError::Missing => "MissingAuthenticationTokenException",
        SignatureError::Incomplete => "IncompleteSignatureException",
        SignatureError::ScopeDate | SignatureError::Mismatch => "InvalidSignatureException",
    };
    Refusal::of(kind, &error.to_string())
}
