//! The DynamoDB protocol over `dynoxide`: signatures are checked here, the operations run in its library.
//!
//! Its own HTTP server is not used: it accepts any signature and runs SQLite on the async threads.

mod operations;
mod signature;

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dynoxide::Database;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use jiff::Timestamp;
use tokio::sync::Semaphore;

use super::error::EmbeddedError;
use super::listener::{asks_for_health, health};

pub(super) use operations::Refusal;

/// Largest request: DynamoDB's own limit.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;
/// A request's body has to arrive within this time.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Blocking calls at the same time; SQLite does one after the other anyway.
const BLOCKING_CALLS: usize = 16;
const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

/// The tables. Cheap to clone.
#[derive(Clone)]
pub(super) struct Tables {
    database: Database,
    root_key: Arc<str>,
    calls: Arc<Semaphore>,
}

impl Tables {
    /// Opens or creates the file of the tables.
    pub(super) fn open(folder: &Path, root_key: &str) -> Result<Self, EmbeddedError> {
        let path = folder.join("tables.sqlite");
        let database = Database::new(&path.to_string_lossy())
            .map_err(|error| EmbeddedError::Tables(format!("{}: {error}", path.display())))?;
        Ok(Self { database, root_key: Arc::from(root_key), calls: Arc::new(Semaphore::new(BLOCKING_CALLS)) })
    }

    /// Answers one request.
    pub(super) async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        if asks_for_health(&request) {
            return Ok(health(true));
        }
        Ok(match self.perform(request).await {
            Ok(body) => respond(StatusCode::OK, body),
            Err(refusal) => respond(refusal.status, refusal.body),
        })
    }

    async fn perform(&self, request: Request<Incoming>) -> Result<String, Refusal> {
        let (head, body) = request.into_parts();
        if head.method != Method::POST || head.uri.path() != "/" || head.uri.query().is_some() {
            return Err(Refusal::unknown_operation());
        }
        let body = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY_BYTES).collect());
        let body = match body.await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) => {
                return Err(Refusal::of("SerializationException", &format!("the body cannot be read: {error}")));
            }
            Err(_) => return Err(Refusal::of("RequestTimeoutException", "the body did not arrive within 30 s")),
        };
        signature::verify(&head.headers, &body, &self.root_key, Timestamp::now())?;
        let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
        let operation = target.strip_prefix("DynamoDB_20120810.").ok_or_else(Refusal::unknown_operation)?.to_owned();
        let Ok(_permit) = self.calls.acquire().await else { return Err(Refusal::stopping()) };
        let database = self.database.clone();
        let call = move || {
            let body = std::str::from_utf8(&body)
                .map_err(|_| Refusal::of("SerializationException", "the body is not UTF-8"))?;
            operations::perform(&database, &operation, body)
        };
        tokio::task::spawn_blocking(call).await.unwrap_or_else(|_| Err(Refusal::stopping()))
    }
}

fn respond(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let checksum = s3s::crypto::Crc32::checksum_u32(body.as_bytes());
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    response.headers_mut().insert("x-amz-crc32", HeaderValue::from(checksum));
    response
}
