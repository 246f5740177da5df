//! What the load goes to: a server on 127.0.0.1 in this process.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

/// Starts the server: `/status/<code>` answers with that code after a few milliseconds, a redirect leads to `/status/200`.
pub(crate) async fn start() -> SocketAddr {
    let router = Router::new().route("/status/{code}", any(status));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn status(Path(code): Path<u16>) -> Response {
    tokio::time::sleep(Duration::from_millis(5)).await;
    let code = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST);
    (code, [(header::LOCATION, "/status/200")], "order_id=1").into_response()
}
