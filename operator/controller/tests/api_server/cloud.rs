//! AWS, as far as a target by EKS needs it: EKS, STS, Service Quotas and `CloudWatch`, which check the signature of every request, and
//! the authenticator in front of an EKS cluster's API server, which knows its callers by their tokens as `aws-iam-authenticator` does.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use volley_controller::settings::AwsSettings;
use volley_storage::signature::{Signature, SignatureError, SignedRequest};

/// AWS region of everything.
pub(super) const REGION: &str = "eu-west-1";
/// The name that the API server's authenticator takes its cluster for.
pub(super) const CLUSTER: &str = "volley-eu";
/// The group of who may run workers.
pub(super) const GROUP: &str = "volley-operators";
const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// What a signature may be off, and how long a token lives from its date.
const QUARTER: SignedDuration = SignedDuration::from_mins(15);

/// Who has a key.
#[derive(Clone)]
struct Principal {
    secret: String,
    session: Option<String>,
    arn: String,
}

/// What a test may change.
pub(super) struct Facts {
    principals: BTreeMap<String, Principal>,
    /// Clusters as `DescribeCluster` tells them; `None`: nobody may look.
    pub(super) clusters: BTreeMap<String, Option<Value>>,
    /// Roles whose trust policy names the operator.
    pub(super) trusted: BTreeSet<String>,
    /// Principals that the cluster knows.
    pub(super) mapped: BTreeSet<String>,
    /// How far the authenticator's clock is ahead.
    pub(super) ahead: SignedDuration,
    /// vCPU on Fargate that the account may run, and that it runs; `None`: nobody may ask.
    pub(super) quota: Option<(f64, f64)>,
    /// How often `DescribeCluster` was asked.
    pub(super) described: usize,
    /// Why tokens were refused.
    pub(super) refusals: Vec<String>,
}

/// The stand-in.
pub(super) struct Cloud {
    address: SocketAddr,
    facts: Arc<Mutex<Facts>>,
    _servers: JoinSet<()>,
}

type Shared = State<Arc<Mutex<Facts>>>;

fn lock(facts: &Mutex<Facts>) -> MutexGuard<'_, Facts> {
    facts.lock().unwrap()
}

impl Cloud {
    /// Begins to serve; the authenticator where the API server asks for it.
    pub(super) async fn start() -> Self {
        let webhook = std::env::var("VOLLEY_TEST_TOKEN_WEBHOOK")
            .expect("VOLLEY_TEST_TOKEN_WEBHOOK is where the API server has tokens judged");
        let own = Principal { secret: SECRET.into(), session: None, arn: "arn:aws:iam::111122223333:role/hub".into() };
        let facts = Arc::new(Mutex::new(Facts {
            mapped: BTreeSet::from([own.arn.clone()]),
            principals: BTreeMap::from([(ACCESS_KEY.to_owned(), own)]),
            clusters: BTreeMap::new(),
            trusted: BTreeSet::new(),
            ahead: SignedDuration::ZERO,
            quota: None,
            described: 0,
            refusals: Vec::new(),
        }));
        let mut servers = JoinSet::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let services = Router::new().fallback(services).with_state(Arc::clone(&facts));
        servers.spawn(async move { axum::serve(listener, services).await.unwrap() });
        let listener = TcpListener::bind(&webhook).await.unwrap();
        let authenticator = Router::new().fallback(review).with_state(Arc::clone(&facts));
        servers.spawn(async move { axum::serve(listener, authenticator).await.unwrap() });
        Self { address, facts, _servers: servers }
    }

    pub(super) fn facts(&self) -> MutexGuard<'_, Facts> {
        lock(&self.facts)
    }

    /// How the operator comes here in place of AWS.
    pub(super) fn settings(&self) -> AwsSettings {
        let credentials = Credentials::new(ACCESS_KEY, SECRET, None, None, "test");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .endpoint_url(format!("http://{}", self.address))
            .credentials_provider(SharedCredentialsProvider::new(credentials));
        AwsSettings::Given(Box::new(config.build()))
    }
}

/// An active cluster, as EKS tells it.
pub(super) fn cluster(endpoint: &str, bundle: &str) -> Value {
    json!({"status": "ACTIVE", "endpoint": endpoint, "certificateAuthority": {"data": STANDARD.encode(bundle)}})
}

/// Who signed a request to a service, or the answer to somebody else.
fn caller(facts: &Facts, service: &str, request: &SignedRequest<'_>) -> Result<Principal, SignatureError> {
    let signature = Signature::in_header(request.headers)?;
    let principal = facts.principals.get(&signature.access_key).ok_or(SignatureError::Mismatch)?;
    let session = request.headers.get("x-amz-security-token").map(|token| token.to_str().unwrap().to_owned());
    let in_time = Timestamp::now().duration_since(signature.signed_at).abs() < QUARTER;
    let covers = ["host", "x-amz-date"].iter().all(|name| signature.covers(name));
    if (signature.service.as_str(), signature.region.as_str()) != (service, REGION)
        || session != principal.session
        || !in_time
        || !covers
    {
        return Err(SignatureError::Mismatch);
    }
    signature.verify(request, &principal.secret).map(|()| principal.clone())
}

async fn services(State(facts): Shared, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let (path, query) = (uri.path(), uri.query().unwrap_or_default());
    let request = SignedRequest { method: method.as_str(), path, query, headers: &headers, body: &body };
    let mut facts = lock(&facts);
    if let Some(name) = path.strip_prefix("/clusters/") {
        return describe(&mut facts, name, &request);
    }
    if headers.contains_key("x-amz-target") {
        return quota(&facts, &request);
    }
    match form(&request, "Action").as_deref() {
        Some("AssumeRole") => assume(&mut facts, &request),
        Some("GetMetricStatistics") => usage(&facts, &request),
        other => panic!("nobody answers {other:?}"),
    }
}

fn form(request: &SignedRequest<'_>, name: &str) -> Option<String> {
    form_urlencoded::parse(request.body).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn xml_refusal(code: &str, words: &str) -> Response {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{words}</Message></Error></ErrorResponse>"
    );
    (StatusCode::FORBIDDEN, [("content-type", "text/xml")], body).into_response()
}

fn json_refusal(status: StatusCode, kind: &'static str, words: &str) -> Response {
    let body = axum::Json(json!({"message": words}));
    (status, [("x-amzn-errortype", HeaderValue::from_static(kind))], body).into_response()
}

fn quota(facts: &Facts, request: &SignedRequest<'_>) -> Response {
    if let Err(error) = caller(facts, "servicequotas", request) {
        return json_refusal(StatusCode::BAD_REQUEST, "InvalidSignatureException", &error.to_string());
    }
    let asked: Value = serde_json::from_slice(request.body).unwrap();
    assert_eq!(asked, json!({"ServiceCode": "fargate", "QuotaCode": "L-3032A538"}));
    let Some((vcpu, _)) = facts.quota else {
        return json_refusal(
            StatusCode::BAD_REQUEST,
            "AccessDeniedException",
            "not authorized to perform: servicequotas:GetServiceQuota",
        );
    };
    let metric = json!({"MetricNamespace": "AWS/Usage", "MetricName": "ResourceCount",
        "MetricDimensions": {"Service": "Fargate", "Resource": "vCPU", "Type": "Resource", "Class": "Standard/OnDemand"}});
    axum::Json(json!({"Quota": {"QuotaCode": "L-3032A538", "Value": vcpu, "UsageMetric": metric}})).into_response()
}

fn usage(facts: &Facts, request: &SignedRequest<'_>) -> Response {
    if let Err(error) = caller(facts, "monitoring", request) {
        return xml_refusal("SignatureDoesNotMatch", &error.to_string());
    }
    assert_eq!(form(request, "MetricName").as_deref(), Some("ResourceCount"));
    let used = facts.quota.map_or(0.0, |(_, used)| used);
    let now = Timestamp::now();
    let body = format!(
        "<GetMetricStatisticsResponse><GetMetricStatisticsResult><Datapoints><member><Timestamp>{now:.0}</Timestamp><Maximum>{used:?}</Maximum></member></Datapoints></GetMetricStatisticsResult></GetMetricStatisticsResponse>"
    );
    ([("content-type", "text/xml")], body).into_response()
}

fn describe(facts: &mut Facts, name: &str, request: &SignedRequest<'_>) -> Response {
    facts.described += 1;
    if let Err(error) = caller(facts, "eks", request) {
        return json_refusal(StatusCode::FORBIDDEN, "InvalidSignatureException", &error.to_string());
    }
    match facts.clusters.get(name) {
        Some(Some(cluster)) => axum::Json(json!({"cluster": cluster})).into_response(),
        Some(None) => json_refusal(
            StatusCode::FORBIDDEN,
            "AccessDeniedException",
            "not authorized to perform: eks:DescribeCluster",
        ),
        None => json_refusal(StatusCode::NOT_FOUND, "ResourceNotFoundException", "No cluster found"),
    }
}

fn assume(facts: &mut Facts, request: &SignedRequest<'_>) -> Response {
    if let Err(error) = caller(facts, "sts", request) {
        return xml_refusal("SignatureDoesNotMatch", &error.to_string());
    }
    let role = form(request, "RoleArn").unwrap();
    if !facts.trusted.contains(&role) {
        return xml_refusal("AccessDenied", "not authorized to perform: sts:AssumeRole");
    }
    let number = facts.principals.len();
    let (key, session) = (format!("ASIA{number:016}"), format!("session/{number}+="));
    let principal = Principal { secret: format!("secret-{number}"), session: Some(session.clone()), arn: role };
    let expires = Timestamp::now().saturating_add(SignedDuration::from_hours(1)).unwrap();
    let body = format!(
        "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey><SessionToken>{session}</SessionToken><Expiration>{expires:.0}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>",
        principal.secret
    );
    facts.principals.insert(key, principal);
    ([("content-type", "text/xml")], body).into_response()
}

/// A `TokenReview` of the API server.
async fn review(State(facts): Shared, body: Bytes) -> Response {
    let mut review: Value = serde_json::from_slice(&body).unwrap();
    let mut facts = lock(&facts);
    review["status"] = match judge(&facts, review["spec"]["token"].as_str().unwrap_or_default()) {
        Ok(arn) => json!({"authenticated": true, "user": {"username": arn, "groups": [GROUP]}}),
        Err(words) => {
            facts.refusals.push(words.clone());
            json!({"authenticated": false, "error": words})
        }
    };
    axum::Json(review).into_response()
}

/// Who a token is of, as the authenticator of cluster [`CLUSTER`] sees it.
fn judge(facts: &Facts, token: &str) -> Result<String, String> {
    let encoded = token.strip_prefix("k8s-aws-v1.").ok_or("no token of EKS")?;
    let url = URL_SAFE_NO_PAD.decode(encoded).map_err(|error| error.to_string())?;
    let url: Uri = String::from_utf8(url).map_err(|error| error.to_string())?.parse().map_err(|_| "no URL")?;
    let host = format!("sts.{REGION}.amazonaws.com");
    if (url.scheme_str(), url.host(), url.path()) != (Some("https"), Some(host.as_str()), "/") {
        return Err(format!("not a question to STS: {url}"));
    }
    let query = url.query().unwrap_or_default();
    let allowed = [
        "action",
        "version",
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-expires",
        "x-amz-security-token",
        "x-amz-signature",
        "x-amz-signedheaders",
    ];
    let pairs: BTreeMap<_, _> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    if let Some(other) = pairs.keys().find(|key| !allowed.contains(&key.to_lowercase().as_str())) {
        return Err(format!("key {other} is not allowed"));
    }
    if pairs.get("Action") != Some(&"GetCallerIdentity") {
        return Err("another question".to_owned());
    }
    let signature = Signature::in_query(query).map_err(|error| error.to_string())?;
    if signature.expires_seconds.is_none_or(|seconds| seconds > 900) || !signature.covers("x-k8s-aws-id") {
        return Err("expires too late, or for no cluster".to_owned());
    }
    let now = Timestamp::now().saturating_add(facts.ahead).unwrap();
    if now.duration_since(signature.signed_at) > QUARTER || signature.signed_at.duration_since(now) > QUARTER {
        return Err("expired".to_owned());
    }
    let principal = facts.principals.get(&signature.access_key).ok_or("unknown key")?;
    let session = pairs
        .get("X-Amz-Security-Token")
        .map(|token| token.replace("%2F", "/").replace("%2B", "+").replace("%3D", "="));
    if session != principal.session {
        return Err("another session".to_owned());
    }
    let mut headers = HeaderMap::new();
    headers.insert("host", host.parse().unwrap());
    headers.insert("x-k8s-aws-id", HeaderValue::from_static(CLUSTER));
    let request = SignedRequest { method: "GET", path: "/", query, headers: &headers, body: b"" };
    signature.verify(&request, &principal.secret).map_err(|error| error.to_string())?;
    let arn = principal.arn.clone();
    if facts.mapped.contains(&arn) { Ok(arn) } else { Err(format!("{arn} has no access entry")) }
}
