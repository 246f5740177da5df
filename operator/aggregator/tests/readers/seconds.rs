//! Closed seconds of a simulated run, and a server that shows them.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use volley_aggregator::feed::board::{Board, Course};
use volley_aggregator::feed::frame::FrameMaker;
use volley_aggregator::feed::server::{self, Limits};
use volley_aggregator::live::{ClosedRegion, ClosedSecond};
use volley_aggregator::metrics::Metrics;
use volley_stats::frame::Responses;

/// A run whose seconds the test closes.
pub(crate) struct Played {
    pub(crate) board: Arc<Board>,
    pub(crate) address: SocketAddr,
    pub(crate) metrics: Arc<Metrics>,
    maker: FrameMaker,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl Played {
    pub(crate) async fn start() -> Self {
        Self::within(Limits::default(), Box::new(Vec::new)).await
    }

    /// With other limits and a course so far.
    pub(crate) async fn within(limits: Limits, course: Course) -> Self {
        let board = Arc::new(Board::new("run-uid", 1, course));
        let metrics = Arc::new(Metrics::default());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let router = server::router(board.clone(), metrics.clone(), limits);
        let server = tokio::spawn(server::serve(listener, router, limits, async move {
            let _ = stopped.await;
        }));
        Self { board, address, metrics, maker: FrameMaker::new("run-uid", 1), stop, server }
    }

    /// A number that is measured.
    pub(crate) fn measured(&self, name: &str) -> u64 {
        let text = self.metrics.text();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("{name} is missing in\n{text}")).parse().unwrap()
    }

    /// Closes a second with some requests.
    pub(crate) fn close(&mut self, second: i64) {
        for frame in self.maker.add(&closed(second)) {
            self.board.post(frame).unwrap();
        }
    }

    /// The run has ended; so does the server.
    pub(crate) async fn end(self) {
        self.board.end();
        let _ = self.stop.send(());
        self.server.await.unwrap();
    }
}

/// A second with as many requests as its number says.
fn closed(second: i64) -> ClosedSecond {
    let mut totals = Responses::default();
    for request in 0..second {
        totals.elapsed.record(10_000 + request.unsigned_abs());
    }
    let region = ClosedRegion { users: 5, totals: totals.clone(), ..ClosedRegion::default() };
    let regions = BTreeMap::from([("eu".to_owned(), region)]);
    ClosedSecond { second, users: 5, totals, regions, ..ClosedSecond::default() }
}
