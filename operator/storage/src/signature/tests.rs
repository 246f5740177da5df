//! The signer of the AWS SDK is the judge.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use rstest::rstest;

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SIGNED_AT: &str = "2026-11-25T10:00:00Z";

/// A request as the SDK's signer leaves it.
struct Sent {
    request: http::Request<Vec<u8>>,
}

impl Sent {
    fn signed(location: SignatureLocation, uri: &str, body: &[u8], service: &str) -> Self {
        let identity =
            Credentials::new("AKIDEXAMPLE", SECRET, Some("token/with+signs=".to_owned()), None, "test").into();
        let mut settings = SigningSettings::default();
        settings.signature_location = location;
        settings.expires_in = (location == SignatureLocation::QueryParams).then_some(Duration::from_mins(1));
        let at: SystemTime = SIGNED_AT.parse::<Timestamp>().unwrap().into();
        let parameters = v4::SigningParams::builder().identity(&identity).region("eu-west-1").name(service);
        let parameters = parameters.time(at).settings(settings).build().unwrap().into();
        let mut request = http::Request::builder()
            .method("POST")
            .uri(uri)
            .header("host", "example.com")
            .header("x-k8s-aws-id", "  volley   eu ")
            .body(body.to_vec())
            .unwrap();
        let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        let signable = SignableRequest::new("POST", uri, headers, SignableBody::Bytes(body)).unwrap();
        sign(signable, &parameters).unwrap().into_parts().0.apply_to_request_http1x(&mut request);
        Self { request }
    }

    fn seen(&self) -> SignedRequest<'_> {
        SignedRequest {
            method: self.request.method().as_str(),
            path: self.request.uri().path(),
            query: self.request.uri().query().unwrap_or_default(),
            headers: self.request.headers(),
            body: self.request.body(),
        }
    }

    fn verified(&self, secret: &str) -> Result<Signature, SignatureError> {
        let seen = self.seen();
        let signature = if seen.headers.contains_key("authorization") {
            Signature::in_header(seen.headers)?
        } else {
            Signature::in_query(seen.query)?
        };
        signature.verify(&seen, secret).map(|()| signature)
    }
}

#[rstest]
#[case::nothing("https://example.com/")]
#[case::a_path("https://example.com/clusters/volley-eu")]
#[case::an_encoded_path("https://example.com/clusters/a%20b/c")]
#[case::a_query("https://example.com/?Version=2011-06-15&Action=GetCallerIdentity&a=x%2Fy&a=b&empty=")]
fn what_the_sdk_signs_is_verified(
    #[case] uri: &str,
    #[values(SignatureLocation::Headers, SignatureLocation::QueryParams)] location: SignatureLocation,
    #[values("", "{\"a\": 1}")] body: &str,
) {
    let signature = Sent::signed(location, uri, body.as_bytes(), "eks").verified(SECRET).unwrap();
    assert_eq!((signature.access_key.as_str(), signature.region.as_str()), ("AKIDEXAMPLE", "eu-west-1"));
    assert_eq!((signature.service.as_str(), signature.signed_at), ("eks", SIGNED_AT.parse().unwrap()));
    assert_eq!(signature.expires_seconds.is_some(), location == SignatureLocation::QueryParams);
    assert!(signature.covers("x-k8s-aws-id") && signature.covers("host") && !signature.covers("x-other"));
}

#[rstest]
#[case::another_secret(|_: &mut Sent| (), "other", SignatureError::Mismatch)]
#[case::another_path(|sent: &mut Sent| *sent.request.uri_mut() = "https://example.com/b".parse().unwrap(), SECRET, SignatureError::Mismatch)]
#[case::another_body(|sent: &mut Sent| sent.request.body_mut().push(b' '), SECRET, SignatureError::Mismatch)]
#[case::another_method(|sent: &mut Sent| *sent.request.method_mut() = http::Method::GET, SECRET, SignatureError::Mismatch)]
#[case::another_cluster(
    |sent: &mut Sent| { sent.request.headers_mut().insert("x-k8s-aws-id", "other".parse().unwrap()); },
    SECRET,
    SignatureError::Mismatch
)]
#[case::a_header_taken_away(
    |sent: &mut Sent| { sent.request.headers_mut().remove("x-k8s-aws-id"); },
    SECRET,
    SignatureError::Incomplete
)]
#[case::no_signature(
    |sent: &mut Sent| { sent.request.headers_mut().remove("authorization"); },
    SECRET,
    SignatureError::Missing
)]
#[case::another_date(
    |sent: &mut Sent| { sent.request.headers_mut().insert("x-amz-date", "20261126T100000Z".parse().unwrap()); },
    SECRET,
    SignatureError::ScopeDate
)]
#[case::version_2(
    |sent: &mut Sent| { sent.request.headers_mut().insert("authorization", "AWS a:b".parse().unwrap()); },
    SECRET,
    SignatureError::Incomplete
)]
fn what_was_changed_is_refused(#[case] change: fn(&mut Sent), #[case] secret: &str, #[case] expected: SignatureError) {
    let mut sent = Sent::signed(SignatureLocation::Headers, "https://example.com/a?b=c", b"body", "dynamodb");
    change(&mut sent);
    assert_eq!(sent.verified(secret).unwrap_err(), expected);
}

#[test]
fn a_presigned_url_with_another_key_or_time_is_refused() {
    let sent = Sent::signed(SignatureLocation::QueryParams, "https://example.com/?Action=A", b"", "sts");
    let query = sent.seen().query.to_owned();
    for (from, to) in [("Action=A", "Action=B"), ("X-Amz-Expires=60", "X-Amz-Expires=900"), ("T100000Z", "T100001Z")] {
        assert!(query.contains(from), "{query}");
        let changed = query.replace(from, to);
        let seen = SignedRequest { query: &changed, ..sent.seen() };
        let signature = Signature::in_query(&changed).unwrap();
        assert_eq!(signature.verify(&seen, SECRET), Err(SignatureError::Mismatch), "{to}");
    }
}
