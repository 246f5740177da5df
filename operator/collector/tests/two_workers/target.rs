//! What the load goes to: a server on 127.0.0.1 in this process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

/// Starts the server: `/status/<code>` answers with that code after a few milliseconds, a redirect leads to `/status/200`.
pub(crate) async fn start() -> SocketAddr {
    start_counting().await.0
}

/// As [`start`], with the number of requests that were answered.
pub(crate) async fn start_counting() -> (SocketAddr, Arc<AtomicU64>) {
    let answered = Arc::new(AtomicU64::new(0));
    let router = Router::new().route("/status/{code}", any(status)).with_state(Arc::clone(&answered));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, answered)
}

async fn status(State(answered): State<Arc<AtomicU64>>, Path(code): Path<u16>) -> Response {
    tokio::time::sleep(Duration::from_millis(5)).await;
    answered.fetch_add(1, Ordering::Relaxed);
    let code = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST);
    (code, [(header::LOCATION, "/status/200")], "order_id=1").into_response()
}
