//! The token that an EKS cluster knows its caller by: a signed question to STS who the caller is, which the cluster asks in its place.
//!
//! Source: `kubernetes-sigs/aws-iam-authenticator`, `pkg/token/token.go`. It takes only the query keys of a presigned
//! `GetCallerIdentity`, the cluster's name as the signed header `x-k8s-aws-id`, and a token until 15 minutes after its date, whatever
//! `X-Amz-Expires` says.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What every such token begins with.
const PREFIX: &str = "k8s-aws-v1.";
/// The header that binds a token to one cluster.
const CLUSTER_HEADER: &str = "x-k8s-aws-id";
/// Only its being there counts.
const EXPIRES: Duration = Duration::from_mins(1);

/// A token for a cluster, good until 15 minutes after `now` as long as the credentials are.
pub(super) fn token(
    credentials: Credentials,
    region: &str,
    host: &str,
    cluster: &str,
    now: Timestamp,
) -> Result<String, BoxError> {
    let identity = credentials.into();
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(EXPIRES);
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("sts")
        .time(SystemTime::from(now))
        .settings(settings)
        .build()?
        .into();
    let url = format!("https://{host}/?Action=GetCallerIdentity&Version=2011-06-15");
    let headers = [("host", host), (CLUSTER_HEADER, cluster)];
    let signable = SignableRequest::new("GET", &url, headers.into_iter(), SignableBody::Bytes(&[]))?;
    let (instructions, _) = sign(signable, &parameters)?.into_parts();
    let mut request = http::Request::builder().method("GET").uri(&url).body(())?;
    instructions.apply_to_request_http1x(&mut request);
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(request.uri().to_string())))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use volley_storage::signature::{Signature, SignedRequest};

    const NOW: &str = "2026-11-25T10:00:00Z";

    fn made(now: &str) -> String {
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("session/token+=".into()), None, "test");
        token(credentials, "eu-west-1", "sts.eu-west-1.amazonaws.com", "volley-eu", now.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_token_is_a_signed_question_with_no_other_keys_than_the_cluster_accepts() {
        let token = made(NOW);
        let encoded = token.strip_prefix("k8s-aws-v1.").unwrap();
        assert!(!encoded.contains('=') && token.len() < 4096);
        let uri: http::Uri = String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).unwrap()).unwrap().parse().unwrap();
        assert_eq!(
            (uri.scheme_str(), uri.host(), uri.path()),
            (Some("https"), Some("sts.eu-west-1.amazonaws.com"), "/")
        );
        let query = uri.query().unwrap();
        let keys: BTreeSet<_> = query.split('&').map(|pair| pair.split('=').next().unwrap()).collect();
        let allowed = [
            "Action",
            "Version",
            "X-Amz-Algorithm",
            "X-Amz-Credential",
            "X-Amz-Date",
            "X-Amz-Expires",
            "X-Amz-Security-Token",
            "X-Amz-Signature",
            "X-Amz-SignedHeaders",
        ];
        assert_eq!(keys, BTreeSet::from(allowed));

        let signature = Signature::in_query(query).unwrap();
        assert!(signature.covers("x-k8s-aws-id") && signature.covers("host"));
        assert_eq!((signature.service.as_str(), signature.signed_at), ("sts", NOW.parse().unwrap()));
        let mut headers = http::HeaderMap::new();
        headers.insert("host", "sts.eu-west-1.amazonaws.com".parse().unwrap());
        headers.insert("x-k8s-aws-id", "volley-eu".parse().unwrap());
        let seen = SignedRequest { method: "GET", path: "/", query, headers: &headers, body: b"" };
        signature.verify(&seen, "secret").unwrap();
    }

    #[test]
    fn a_later_token_is_another_one() {
        assert_ne!(made(NOW), made("2026-11-25T10:00:01Z"));
    }
}
