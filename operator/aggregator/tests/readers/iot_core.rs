//! What stands in for IoT Core: it checks each request's signature as AWS does, and hands messages to whoever asks.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use volley_storage::iot::IotCore;
use volley_storage::signature::{Signature, SignatureError, SignedRequest};
use volley_storage::{KeyPair, StorageSettings};

/// A published message.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
}

pub(crate) struct StandIn {
    pub(crate) address: SocketAddr,
    state: Arc<Receiving>,
    _tasks: JoinSet<()>,
}

struct Receiving {
    keys: KeyPair,
    messages: mpsc::Sender<Message>,
    throttled: Mutex<bool>,
    address: SocketAddr,
    asked: AtomicUsize,
}

pub(crate) fn keys(secret: &str) -> KeyPair {
    KeyPair { access_key: "AKIDEXAMPLE".into(), secret_key: secret.into() }
}

impl StandIn {
    pub(crate) async fn start() -> (Self, mpsc::Receiver<Message>) {
        let (messages, received) = mpsc::channel(64);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (throttled, asked) = (Mutex::new(false), AtomicUsize::new(0));
        let state = Arc::new(Receiving { keys: keys("secret"), messages, throttled, address, asked });
        let router = Router::new().fallback(answer).with_state(state.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        (Self { address, state, _tasks: tasks }, received)
    }

    /// IoT Core as the aggregator knows it, with the given secret; its data endpoint is given.
    pub(crate) fn client(&self, secret: &str) -> IotCore {
        self.client_at(secret, Some(&format!("http://{}", self.address)))
    }

    /// The same, with a data endpoint or the stand-in's control plane, which says one.
    pub(crate) fn client_at(&self, secret: &str, endpoint: Option<&str>) -> IotCore {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let control = format!("http://{}", self.address);
        IotCore::with_key(&settings(), endpoint, Some(&control), &keys(secret))
    }

    /// How often it was asked for the account's endpoint.
    pub(crate) fn asked(&self) -> usize {
        self.state.asked.load(Ordering::Relaxed)
    }

    /// Whether it takes messages.
    pub(crate) fn throttle(&self, throttled: bool) {
        *self.state.throttled.lock().unwrap() = throttled;
    }
}

fn settings() -> StorageSettings {
    StorageSettings {
        bucket: "volley".into(),
        s3_endpoint: None,
        dynamodb_endpoint: None,
        table: "volley".into(),
        region: "us-east-1".into(),
    }
}

fn refusal(status: StatusCode, kind: &str, message: &str) -> Response {
    (status, [("x-amzn-errortype", kind)], format!("{{\"message\": {message:?}}}")).into_response()
}

/// What AWS asks of a signature: made for this service over host and date, not long ago, with the caller's own secret.
fn verified(service: &str, request: &SignedRequest<'_>, keys: &KeyPair) -> Result<(), SignatureError> {
    let signature = Signature::in_header(request.headers)?;
    let recent = jiff::Timestamp::now().duration_since(signature.signed_at).unsigned_abs() < Duration::from_mins(15);
    let whole = signature.service == service && signature.covers("host") && signature.covers("x-amz-date");
    if !(recent && whole && signature.access_key == keys.access_key) {
        return Err(SignatureError::Incomplete);
    }
    signature.verify(request, &keys.secret_key)
}

async fn answer(
    State(state): State<Arc<Receiving>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (path, query) = (uri.path(), uri.query().unwrap_or_default());
    let request = SignedRequest { method: method.as_str(), path, query, headers: &headers, body: &body };
    let service = if path == "/endpoint" { "iot" } else { "iotdata" };
    if let Err(error) = verified(service, &request, &state.keys) {
        return refusal(StatusCode::FORBIDDEN, "UnauthorizedException", &error.to_string());
    }
    if *state.throttled.lock().unwrap() {
        return refusal(StatusCode::TOO_MANY_REQUESTS, "ThrottlingException", "Rate exceeded");
    }
    if (method.as_str(), path, query) == ("GET", "/endpoint", "endpointType=iot%3AData-ATS") {
        state.asked.fetch_add(1, Ordering::Relaxed);
        return format!("{{\"endpointAddress\": \"{}\"}}", state.address).into_response();
    }
    match (method.as_str(), path.strip_prefix("/topics/"), query) {
        ("POST", Some(topic), "qos=1") => {
            let topic = topic.replace("%2F", "/");
            state.messages.send(Message { topic, payload: body.to_vec() }).await.unwrap();
            "{}".into_response()
        }
        other => refusal(StatusCode::NOT_FOUND, "ResourceNotFoundException", &format!("{other:?}")),
    }
}
