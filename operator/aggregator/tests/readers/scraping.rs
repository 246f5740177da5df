//! Metrics, and who gets them.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::net::TcpListener;
use volley_aggregator::feed::server::{self, Limits};

use super::event_stream::get;
use super::seconds::Played;

#[tokio::test]
async fn metrics_and_figures_are_at_addresses_of_their_own() {
    let run = Played::start().await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = server::metrics_router(Arc::clone(&run.metrics));
    let asking = async {
        let (status, text) = get(address, "/metrics").await;
        assert_eq!(status, 200);
        assert!(text.contains("volley_aggregator_readers 0\n") && text.ends_with("# EOF\n"), "{text}");
        assert_eq!(get(address, "/v1/frames").await.0, 404);
        assert_eq!(get(run.address, "/metrics").await.0, 404);
    };
    tokio::select! {
        () = server::serve(listener, router, Limits::default(), std::future::pending()) => {}
        () = asking => {}
    }
    run.end().await;
}
