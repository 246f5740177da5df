//! HTTP/1.1 on one address: bounded in connections and in time, ended in order.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

/// Connections at the same time; more wait in the kernel's queue. A worker keeps up to two, and a test may have 1,000 workers in each
/// of five regions; a collector that is not answered for minutes would stop its load.
const CONNECTIONS: usize = 12_000;
/// A client that does not finish its request's head within this time is cut off.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Requests under way may take this long once the server is to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// Pause after an error of `accept` (no file descriptors left), so that it is no busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` becomes true.
pub(super) async fn serve<H, F, B>(listener: TcpListener, handler: H, mut stop: watch::Receiver<bool>)
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let graceful = GracefulShutdown::new();
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = connections.clone().acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stopped| *stopped) => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Small answers must not wait for the acknowledgement of earlier ones.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "failed to switch off Nagle's algorithm");
        }
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service_fn(handler.clone()));
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way 10 s after the stop");
    }
}

/// Whether a request asks for health: `GET /healthz` needs no signature.
pub(super) fn asks_for_health<B>(request: &Request<B>) -> bool {
    request.method() == Method::GET && request.uri().path() == "/healthz" && request.uri().query().is_none()
}

/// The answer to it.
pub(super) fn health<B: From<Bytes>>(healthy: bool) -> Response<B> {
    let words = if healthy { "ok\n" } else { "the object index does not answer\n" };
    let mut response = Response::new(B::from(Bytes::from_static(words.as_bytes())));
    if !healthy {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}
