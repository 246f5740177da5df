//! `/healthz`, `/readyz` and `/metrics`.
//!
//! `/healthz` answers while the process runs: a task that ends ends the process, so there is nothing else to say. `/readyz` says what
//! is still waited for, in words: missing definitions of the objects, caches that have not been filled.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::metrics::Metrics;

/// What the operator waits for before it is ready.
#[derive(Debug)]
pub(crate) struct Readiness {
    waiting: Mutex<BTreeMap<&'static str, String>>,
}

impl Readiness {
    /// Waiting for all of these.
    pub(crate) fn waiting_for(names: &[&'static str]) -> Self {
        let waiting = names.iter().map(|name| (*name, "not read yet".to_owned())).collect();
        Self { waiting: Mutex::new(waiting) }
    }

    /// Why it is still waited for.
    pub(crate) fn because(&self, name: &'static str, words: String) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(name, words);
    }

    /// It is there.
    pub(crate) fn done(&self, name: &'static str) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    fn report(&self) -> Option<String> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<_> = waiting.iter().map(|(name, words)| format!("waiting for {name}: {words}\n")).collect();
        (!lines.is_empty()).then(|| lines.concat())
    }
}

struct Served {
    readiness: Arc<Readiness>,
    metrics: Arc<Metrics>,
}

/// The bound listener.
pub(crate) async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serve until `shutdown`.
pub(crate) async fn serve(
    listener: TcpListener,
    readiness: Arc<Readiness>,
    metrics: Arc<Metrics>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(measured))
        .with_state(Arc::new(Served { readiness, metrics }));
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

async fn ready(State(served): State<Arc<Served>>) -> (StatusCode, String) {
    match served.readiness.report() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(report) => (StatusCode::SERVICE_UNAVAILABLE, report),
    }
}

async fn measured(State(served): State<Arc<Served>>) -> Response {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], served.metrics.text()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_names_what_is_missing_until_nothing_is() {
        let readiness = Readiness::waiting_for(&["LoadTests", "RegionTargets"]);
        readiness.because("LoadTests", "the CustomResourceDefinition is missing".into());
        let report = readiness.report().unwrap();
        assert!(report.contains("waiting for LoadTests: the CustomResourceDefinition is missing\n"), "{report}");
        readiness.done("LoadTests");
        readiness.done("RegionTargets");
        assert_eq!(readiness.report(), None);
    }
}
