//! Closed seconds of a simulated run, and a server that shows them.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use volley_aggregator::feed::board::Board;
use volley_aggregator::feed::frame::FrameMaker;
use volley_aggregator::feed::server;
use volley_aggregator::live::{ClosedRegion, ClosedSecond};
use volley_stats::frame::Responses;

/// A run whose seconds the test closes.
pub(crate) struct Played {
    pub(crate) board: Arc<Board>,
    pub(crate) address: SocketAddr,
    maker: FrameMaker,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl Played {
    pub(crate) async fn start() -> Self {
        let board = Arc::new(Board::new("run-uid", 1, Box::new(Vec::new)));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let router = server::router(board.clone());
        let server = tokio::spawn(server::serve(listener, router, async move {
            let _ = stopped.await;
        }));
        Self { board, address, maker: FrameMaker::new("run-uid", 1), stop, server }
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
