//! The pod's probe: `GET /ready` says whether the worker stands at the gate (or is past it), `GET /healthz` that this process lives.

use std::net::SocketAddr;

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::control::State;

/// What the probe answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// Scripts are checked and Taurus waits for the start, or has started.
    pub ready: bool,
    /// Where the worker is.
    pub state: State,
    /// For people.
    pub message: String,
}

impl Readiness {
    /// What the state means for the probe; `prepared` says whether `prepared.json` is there.
    #[must_use]
    pub fn of(state: State, prepared: bool, failure: Option<&str>) -> Self {
        let message = match (failure, state) {
            (Some(words), _) => words,
            (None, State::Fetching) => "definition and sources are being fetched",
            (None, State::Preparing) => "Taurus prepares",
            (None, State::Prepared) => "waiting for the start",
            (None, State::Running) => "the gate is open",
            (None, State::Stopping) => "the load is being stopped",
            (None, State::Delivering) => "results are being uploaded",
            (None, State::Refused) => "this worker does not start load",
            (None, State::Done) => "everything is uploaded",
        };
        let ready = prepared && failure.is_none() && state != State::Refused;
        Self { ready, state, message: message.to_owned() }
    }
}

/// The probe's address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("failed to listen on {address} for the probe: {source}; set VOLLEY_LISTEN to a free address")]
pub struct ProbeError {
    address: SocketAddr,
    source: std::io::Error,
}

/// Binds the address, so that a wrong one is an error before anything starts.
///
/// # Errors
/// [`ProbeError`] where the address is taken or not ours.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ProbeError> {
    TcpListener::bind(address).await.map_err(|source| ProbeError { address, source })
}

/// Answers until the process ends.
///
/// # Errors
/// Where the listener breaks.
pub async fn serve(listener: TcpListener, readiness: watch::Receiver<Readiness>) -> std::io::Result<()> {
    axum::serve(listener, router(readiness)).await
}

fn router(readiness: watch::Receiver<Readiness>) -> Router {
    Router::new().route("/ready", get(ready)).route("/healthz", get(healthy)).with_state(readiness)
}

async fn ready(Shared(readiness): Shared<watch::Receiver<Readiness>>) -> (StatusCode, Json<Readiness>) {
    let readiness = readiness.borrow().clone();
    let code = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(readiness))
}

async fn healthy(Shared(readiness): Shared<watch::Receiver<Readiness>>) -> Json<Readiness> {
    Json(readiness.borrow().clone())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;

    async fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn the_probe_is_503_until_the_worker_is_prepared_and_says_why() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, receiver) = watch::channel(Readiness::of(State::Preparing, false, None));
        let server = tokio::spawn(serve(listener, receiver));
        let answer = get(address, "/ready").await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.ends_with(r#"{"ready":false,"state":"Preparing","message":"Taurus prepares"}"#), "{answer}");
        assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200"));
        sender.send(Readiness::of(State::Prepared, true, None)).unwrap();
        assert!(get(address, "/ready").await.starts_with("HTTP/1.1 200"));
        sender.send(Readiness::of(State::Prepared, true, Some("script.py:3: broken"))).unwrap();
        let answer = get(address, "/ready").await;
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("script.py:3"), "{answer}");
        server.abort();
    }

    #[tokio::test]
    async fn a_taken_address_is_named() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let error = bind(listener.local_addr().unwrap()).await.unwrap_err().to_string();
        assert!(error.contains("VOLLEY_LISTEN"), "{error}");
    }
}
