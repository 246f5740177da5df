//! Serves a run's live figures over HTTP, on the aggregator's pod.
//!
//! | path | answer |
//! |---|---|
//! | `GET /v1/frames` | JSON: the course of the run so far and the newest frame ([`LiveCourse`](volley_storage::documents::LiveCourse)) |
//! | `GET /v1/stream` | server-sent events: first `series` (the same JSON), then a `frame` for each, and `end` |
//! | `GET /healthz` | `ok` while the process runs |
//!
//! The id of an event is the `seq` of its frame. A reader that comes back with `Last-Event-ID` gets the frames that it missed,
//! or the series anew where they are not kept any more. A comment every 15 s shows that the connection lives. Source of the
//! event format: WHATWG HTML, "Server-sent events".
//!
//! There is nothing secret in it, and it can be reached through the API server by who may forward ports to the pod.
//! Everything is bounded: readers, connections, and how long one lasts. Nothing is kept for a slow reader; it goes on with
//! the newest frame.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::{Stream, stream};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::board::{Board, MadeCourse, Next, Posted};

/// Readers of the stream at the same time; one more is told to come back.
const READERS: usize = 32;
/// Connections at the same time; more wait in the kernel's queue.
const CONNECTIONS: usize = 128;
/// A client that does not finish its request's head within this time is cut off.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// No connection lasts longer; a reader of the stream comes back by itself and misses nothing.
const CONNECTION_LIFE: Duration = Duration::from_hours(1);
/// A comment goes out when there was no event for this long: shorter than what proxies wait.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// At the end readers have this long to take what is left.
const DRAIN: Duration = Duration::from_secs(5);
/// Pause after an error of `accept` (no file descriptors left), so that it is no busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug)]
struct Served {
    board: Arc<Board>,
    readers: Arc<Semaphore>,
}

/// The paths.
pub fn router(board: Arc<Board>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/v1/frames", get(frames))
        .route("/v1/stream", get(events))
        .with_state(Arc::new(Served { board, readers: Arc::new(Semaphore::new(READERS)) }))
}

/// Serves until `stop` resolves, then lets readers take what is left (5 s at most).
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        while connections.try_join_next().is_some() {}
        let place = tokio::select! {
            place = places.clone().acquire_owned() => place,
            () = &mut stop => break,
        };
        let Ok(place) = place else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "failed to accept a reader of live figures");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // A frame must not wait for the acknowledgement of the one before.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "failed to switch off Nagle's algorithm");
        }
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()));
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            if let Ok(Err(error)) = tokio::time::timeout(CONNECTION_LIFE, connection).await {
                tracing::debug!(%error, "a reader of live figures has left");
            }
            drop(place);
        });
    }
    drop(listener);
    // The streams end with the board; whoever does not take the rest is cut off with the tasks.
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::debug!("a reader of live figures did not take the end of its stream");
    }
}

async fn frames(State(served): State<Arc<Served>>) -> Response {
    match made_course(&served.board).await {
        Some(course) => ([(header::CONTENT_TYPE, "application/json")], course.json).into_response(),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The course so far, made on a thread of its own: thousands of points are not a matter of microseconds.
async fn made_course(board: &Arc<Board>) -> Option<MadeCourse> {
    let board = board.clone();
    match tokio::task::spawn_blocking(move || board.made_course()).await {
        Ok(Ok(course)) => Some(course),
        Ok(Err(error)) => {
            tracing::error!(%error, "the course of the run cannot be written as JSON; this is a fault of Volley, please report it");
            None
        }
        Err(error) => {
            tracing::error!(%error, "the course of the run could not be made");
            None
        }
    }
}

async fn events(State(served): State<Arc<Served>>, headers: HeaderMap) -> Response {
    let Ok(place) = served.readers.clone().try_acquire_owned() else {
        let words = format!("{READERS} readers follow this run already; try again later or use GET /v1/frames\n");
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "10")], words).into_response();
    };
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    let reader = Reader::new(served.board.clone(), last, place);
    Sse::new(reader.events()).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response()
}

/// One reader of the stream.
struct Reader {
    board: Arc<Board>,
    changes: watch::Receiver<u64>,
    /// Number of the newest frame that was sent or stands in the series.
    seq: Option<i64>,
    /// What has been fetched and not been sent.
    ready: VecDeque<Arc<Posted>>,
    state: ReaderState,
    _place: OwnedSemaphorePermit,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ReaderState {
    /// The series comes next.
    New,
    /// Frames come next.
    Following,
    /// It has been told that there are no more.
    Over,
}

impl Reader {
    /// A reader who has the frame of the number `last`; `None`: nothing.
    fn new(board: Arc<Board>, last: Option<i64>, place: OwnedSemaphorePermit) -> Self {
        let changes = board.changes();
        let mut reader =
            Self { board, changes, seq: None, ready: VecDeque::new(), state: ReaderState::New, _place: place };
        if let Some(last) = last.filter(|last| reader.board.reaches_back_to(*last)) {
            if let Next::Frames(missed) = reader.board.missed(last) {
                reader.ready.extend(missed);
            }
            reader.seq = Some(last);
            reader.state = ReaderState::Following;
        }
        reader
    }

    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut reader| async move { reader.next().await.map(|event| (Ok(event), reader)) })
    }

    async fn next(&mut self) -> Option<Event> {
        match self.state {
            ReaderState::New => {
                self.state = ReaderState::Following;
                // Frames that come from here on are sent, whether the series has them already or not.
                self.changes.mark_unchanged();
                let course = made_course(&self.board).await?;
                self.seq = course.seq;
                event("series", self.seq, &course.json)
            }
            ReaderState::Following => self.following().await,
            ReaderState::Over => None,
        }
    }

    async fn following(&mut self) -> Option<Event> {
        loop {
            if let Some(posted) = self.ready.pop_front() {
                self.seq = Some(posted.frame.seq);
                return event("frame", self.seq, &posted.json);
            }
            self.changes.mark_unchanged();
            match self.board.after(self.seq) {
                Next::Frames(frames) if !frames.is_empty() => self.ready.extend(frames),
                Next::Frames(_) => self.changes.changed().await.ok()?,
                Next::Over => {
                    self.state = ReaderState::Over;
                    return Some(Event::default().event("end").data("{}"));
                }
            }
        }
    }
}

fn event(kind: &str, seq: Option<i64>, json: &[u8]) -> Option<Event> {
    let event = Event::default().event(kind).data(std::str::from_utf8(json).ok()?);
    Some(match seq {
        Some(seq) => event.id(seq.to_string()),
        None => event,
    })
}
