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
//! Everything is bounded ([`Limits`]): readers, connections, and how long one lasts. Nothing is kept for a slow reader: it goes on
//! with the newest frame, and is cut off where it takes nothing at all.
//!
//! `GET /metrics` has an address of its own ([`metrics_router`]), so that who scrapes needs no way to the figures.

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
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::board::{Board, MadeCourse, Next, Posted};
use crate::metrics::{Following, Metrics};

/// Pause after an error of `accept` (no file descriptors left), so that it is no busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What the kernel holds for a reader who does not take it, in bytes: as much as the largest frame.
const SEND_BUFFER: usize = 128 * 1024;

/// What bounds a server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Readers of the stream at the same time; one more is told to come back.
    pub readers: usize,
    /// Connections at the same time; more wait in the kernel's queue.
    pub connections: usize,
    /// A client that does not finish its request's head within this time is cut off.
    pub head: Duration,
    /// No connection lasts longer; a reader of the stream comes back by itself and misses nothing.
    pub life: Duration,
    /// A comment goes out when there was no event for this long: shorter than what proxies wait.
    pub heartbeat: Duration,
    /// A reader that has taken nothing for this long, or has gone without a word, is cut off.
    pub standstill: Duration,
    /// At the end readers have this long to take what is left.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            readers: 32,
            connections: 128,
            head: Duration::from_secs(10),
            life: Duration::from_hours(1),
            heartbeat: Duration::from_secs(15),
            standstill: Duration::from_secs(30),
            drain: Duration::from_secs(5),
        }
    }
}

#[derive(Debug)]
struct Served {
    board: Arc<Board>,
    metrics: Arc<Metrics>,
    limits: Limits,
    readers: Arc<Semaphore>,
}

/// The paths.
pub fn router(board: Arc<Board>, metrics: Arc<Metrics>, limits: Limits) -> Router {
    let readers = Arc::new(Semaphore::new(limits.readers));
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/v1/frames", get(frames))
        .route("/v1/stream", get(events))
        .with_state(Arc::new(Served { board, metrics, limits, readers }))
}

/// `GET /metrics`.
pub fn metrics_router(metrics: Arc<Metrics>) -> Router {
    Router::new().route("/metrics", get(measured)).with_state(metrics)
}

async fn measured(State(metrics): State<Arc<Metrics>>) -> Response {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], metrics.text()).into_response()
}

/// Serves until `stop` resolves, then lets readers take what is left.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(limits.connections));
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
        if let Err(error) = prepare(&stream, limits.standstill) {
            tracing::debug!(%error, "failed to set the options of a reader's connection");
        }
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()));
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            if let Ok(Err(error)) = tokio::time::timeout(limits.life, connection).await {
                tracing::debug!(%error, "a reader of live figures has left");
            }
            drop(place);
        });
    }
    drop(listener);
    // The streams end with the board; whoever does not take the rest is cut off with the tasks.
    if tokio::time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::debug!("a reader of live figures did not take the end of its stream");
    }
}

/// Options of a connection. What is not taken is given up by the kernel, which alone knows whether a reader that is silent is still
/// there: after the user timeout (RFC 5482) it ends a connection whose data is not acknowledged, or for which there is no room.
fn prepare(stream: &TcpStream, standstill: Duration) -> std::io::Result<()> {
    // A frame must not wait for the acknowledgement of the one before.
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.set_tcp_user_timeout(Some(standstill))
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
        served.metrics.refused_reader();
        let words = format!(
            "{} readers follow this run already; try again later or use GET /v1/frames\n",
            served.limits.readers
        );
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "10")], words).into_response();
    };
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    let reader = Reader::new(served.board.clone(), last, (place, served.metrics.reader()));
    Sse::new(reader.events()).keep_alive(KeepAlive::new().interval(served.limits.heartbeat)).into_response()
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
    _place: (OwnedSemaphorePermit, Following),
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
    fn new(board: Arc<Board>, last: Option<i64>, place: (OwnedSemaphorePermit, Following)) -> Self {
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
                self.seq = Some(posted.seq);
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
