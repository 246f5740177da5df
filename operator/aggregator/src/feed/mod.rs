//! What leaves the aggregator while the run runs: a frame for each live interval, to readers over HTTP and to IoT Core.
//!
//! Order: closed seconds → [`frame`]: frames (pure) → [`board`]: what readers are shown → [`server`] over HTTP,
//! [`publisher`] to IoT Core. [`course`] is the run so far, for readers who come late (pure).
//!
//! # Guarantees
//!
//! * Nothing here holds up the closing of seconds, or the result: whoever is slow misses frames, and that is counted.
//! * `GET /metrics` has an address of its own: who scrapes needs no way to the figures.
//! * An address that cannot be listened on and an IoT Core that is away are said in the log; the run goes on.

pub mod board;
pub mod course;
pub mod frame;
pub mod publisher;
pub mod server;

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

use axum::Router;
use futures::FutureExt;
use tokio::net::TcpListener;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, oneshot};
use volley_storage::documents::{Definition, LiveFrame};
use volley_storage::iot::{IotCore, frame_topic};

use board::Board;
use frame::FrameMaker;
use server::Limits;

use crate::live::{ClosedSecond, Live};
use crate::metrics::Metrics;

/// Where live figures go.
#[derive(Clone, Debug)]
pub struct Outlets {
    /// Address of the figures over HTTP.
    pub listen: SocketAddr,
    /// Address of `GET /metrics`; `None`: nobody asks for it.
    pub metrics: Option<SocketAddr>,
    /// IoT Core; `None`: frames are not published there.
    pub iot: Option<Arc<IotCore>>,
}

impl Default for Outlets {
    /// A free port of 127.0.0.1 alone.
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), metrics: None, iot: None }
    }
}

/// When something begins and ends to be shown. Each comes once, or its sender is dropped.
#[derive(Debug)]
pub struct Signals {
    /// The run is followed from now on.
    pub followed: oneshot::Receiver<Live>,
    /// No second will be closed any more.
    pub over: oneshot::Receiver<()>,
    /// Nobody has to be served any more.
    pub stop: oneshot::Receiver<()>,
}

/// Shows a run's live figures.
pub async fn serve(definition: &Definition, outlets: &Outlets, metrics: &Arc<Metrics>, signals: Signals) {
    let run = &definition.run;
    let interval_s = definition.live.map_or(1, |live| live.interval_s);
    let Signals { followed, mut over, stop } = signals;
    let live = Arc::new(OnceLock::<Live>::new());
    let series = live.clone();
    // Merging waits only for the copy; the columns are made of that.
    let course = move || series.get().map(|live| course::course(&live.series(Clone::clone))).unwrap_or_default();
    let board = Arc::new(Board::new(&run.uid, interval_s, Box::new(course)));
    let show = async {
        let followed = tokio::select! {
            followed = followed => followed.ok(),
            _ = &mut over => None,
        };
        if let Some(followed) = followed {
            let closed = live.get_or_init(|| followed).subscribe();
            feed(&board, FrameMaker::new(&run.uid, interval_s), metrics, closed, over).await;
        }
        board.end();
    };
    let publish = async {
        if let Some(iot) = &outlets.iot {
            let topic = frame_topic(&run.namespace, &run.name);
            let counts = publisher::publish_to(&board, iot, &topic, metrics).await;
            tracing::info!(topic, ?counts, "no more live frames are published");
        }
    };
    let stop = async {
        // A sender that is dropped says the same.
        let _ = stop.await;
    }
    .shared();
    let limits = Limits::default();
    let figures = server::router(board.clone(), metrics.clone(), limits);
    let figures = listen("live figures", Some(outlets.listen), figures, limits, stop.clone());
    let measured = listen("metrics", outlets.metrics, server::metrics_router(metrics.clone()), limits, stop);
    tokio::join!(show, publish, figures, measured);
}

/// Serves at an address, where there is one, until `stop`.
async fn listen(
    what: &str,
    address: Option<SocketAddr>,
    router: Router,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let Some(address) = address else { return };
    match TcpListener::bind(address).await {
        Ok(listener) => {
            tracing::info!(what, address = ?listener.local_addr().ok(), "serving over HTTP");
            server::serve(listener, router, limits, stop).await;
        }
        Err(error) => tracing::error!(%error, what, %address, "not served: the address cannot be used"),
    }
}

/// Makes frames of closed seconds and shows them, until `over` comes and none is left.
async fn feed(
    board: &Board,
    mut maker: FrameMaker,
    metrics: &Metrics,
    mut closed: broadcast::Receiver<Arc<ClosedSecond>>,
    mut over: oneshot::Receiver<()>,
) {
    loop {
        let received = tokio::select! {
            received = closed.recv() => received,
            _ = &mut over => break,
        };
        match received {
            Ok(second) => add(board, &mut maker, metrics, &second),
            Err(RecvError::Lagged(seconds)) => missed(seconds),
            Err(RecvError::Closed) => break,
        }
    }
    loop {
        match closed.try_recv() {
            Ok(second) => add(board, &mut maker, metrics, &second),
            Err(TryRecvError::Lagged(seconds)) => missed(seconds),
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    if let Some(frame) = maker.finish() {
        post(board, metrics, frame);
    }
}

fn add(board: &Board, maker: &mut FrameMaker, metrics: &Metrics, second: &ClosedSecond) {
    maker.add(second).into_iter().for_each(|frame| post(board, metrics, frame));
}

fn missed(seconds: u64) {
    tracing::warn!(seconds, "seconds were closed faster than frames are made; they are in the series alone");
}

fn post(board: &Board, metrics: &Metrics, frame: LiveFrame) {
    let seq = frame.seq;
    match board.post(frame) {
        Ok(_) => metrics.frame(),
        Err(error) => {
            tracing::error!(%error, seq, "a frame cannot be written as JSON; this is a fault of Volley, please report it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_closed_before_the_end_is_shown_and_the_open_interval_too() {
        let board = Board::new("u", 2, Box::new(Vec::new));
        let (sender, closed) = broadcast::channel(16);
        for second in 0..5 {
            sender.send(Arc::new(ClosedSecond { second, ..ClosedSecond::default() })).unwrap();
        }
        let (over, is_over) = oneshot::channel();
        over.send(()).unwrap();
        let metrics = Metrics::default();
        feed(&board, FrameMaker::new("u", 2), &metrics, closed, is_over).await;
        assert!(metrics.text().contains("volley_aggregator_frames_total 3\n"));
        let board::Next::Frames(frames) = board.missed(-1) else { panic!("no frames") };
        assert_eq!(frames.iter().map(|posted| posted.seq).collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[tokio::test]
    async fn seconds_that_were_missed_do_not_end_the_frames() {
        let board = Board::new("u", 1, Box::new(Vec::new));
        let (sender, closed) = broadcast::channel(2);
        for second in 0..5 {
            sender.send(Arc::new(ClosedSecond { second, ..ClosedSecond::default() })).unwrap();
        }
        drop(sender);
        let (_over, not_over) = oneshot::channel();
        feed(&board, FrameMaker::new("u", 1), &Metrics::default(), closed, not_over).await;
        assert_eq!(board.newest().unwrap().seq, 4);
    }
}
