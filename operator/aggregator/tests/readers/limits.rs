//! What bounds the server, with limits that are short enough to be waited for.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use volley_aggregator::feed::server::Limits;
use volley_storage::documents::SeriesFigures;

use super::event_stream::{EventStream, SOON, get};
use super::seconds::Played;

const SHORT: Duration = Duration::from_millis(200);

async fn played(limits: Limits) -> Played {
    Played::within(limits, Box::new(Vec::new)).await
}

/// Waits until a metric has a value.
async fn until(run: &Played, name: &str, value: u64) {
    let reached = async {
        while run.measured(name) != value {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, reached).await.unwrap_or_else(|_| panic!("{name} is not {value}"));
}

#[tokio::test]
async fn one_reader_too_many_is_told_to_come_back_and_is_counted() {
    let mut run = Played::start().await;
    let mut readers = Vec::new();
    for _ in 0..32 {
        let reader = EventStream::open(run.address, None).await;
        assert_eq!(reader.status, 200);
        readers.push(reader);
    }
    assert_eq!(EventStream::open(run.address, None).await.status, 503);
    let counts = ["volley_aggregator_readers", "volley_aggregator_refused_readers_total"];
    assert_eq!(counts.map(|name| run.measured(name)), [32, 1]);
    readers.clear();
    // A place is free once the server has noticed that a reader is gone, which it does when it sends.
    let mut second = 0;
    while EventStream::open(run.address, None).await.status == 503 {
        second += 1;
        assert!(second < 1000, "no place becomes free");
        run.close(second);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    run.end().await;
}

#[tokio::test]
async fn comments_keep_a_connection_without_events() {
    let run = played(Limits { heartbeat: Duration::from_millis(50), ..Limits::default() }).await;
    let mut stream = TcpStream::connect(run.address).await.unwrap();
    stream.write_all(b"GET /v1/stream HTTP/1.0\r\n\r\n").await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    let mut comments = 0;
    let counted = async {
        while comments < 3 {
            comments += usize::from(lines.next_line().await.unwrap().unwrap() == ":");
        }
    };
    tokio::time::timeout(SOON, counted).await.unwrap();
    run.end().await;
}

#[tokio::test]
async fn a_reader_that_goes_leaves_its_place_although_nothing_happens() {
    let run = played(Limits { heartbeat: Duration::from_millis(50), ..Limits::default() }).await;
    drop(EventStream::open(run.address, None).await);
    until(&run, "volley_aggregator_readers", 0).await;
    run.end().await;
}

/// A course that is larger than all buffers between server and reader.
fn long() -> Vec<SeriesFigures> {
    vec![SeriesFigures { seconds: vec![i64::MAX; 1_000_000], ..SeriesFigures::default() }]
}

#[tokio::test]
async fn a_reader_who_takes_nothing_loses_its_place_and_the_others_go_on() {
    let limits = Limits { readers: 1, standstill: SHORT, ..Limits::default() };
    let mut run = Played::within(limits, Box::new(long)).await;
    let idle = EventStream::open(run.address, None).await;
    assert_eq!((idle.status, run.measured("volley_aggregator_readers")), (200, 1));
    until(&run, "volley_aggregator_readers", 0).await;
    run.close(1);
    let mut stream = EventStream::open(run.address, None).await;
    assert_eq!((stream.status, stream.next().await.unwrap().id), (200, Some(1)));
    drop(idle);
    run.end().await;
}

#[tokio::test]
async fn a_connection_ends_after_its_time_and_its_reader_comes_back_and_misses_nothing() {
    let mut run = played(Limits { life: SHORT, ..Limits::default() }).await;
    run.close(1);
    let mut stream = EventStream::open(run.address, None).await;
    assert_eq!(stream.next().await.unwrap().id, Some(1));
    assert_eq!(stream.next().await, None);
    (2..=4).for_each(|second| run.close(second));
    let mut back = EventStream::open(run.address, Some(1)).await;
    for second in 2..=4 {
        assert_eq!(back.next().await.unwrap().id, Some(second));
    }
    run.end().await;
}

#[tokio::test]
async fn one_connection_too_many_waits_until_another_ends() {
    let run = played(Limits { connections: 2, ..Limits::default() }).await;
    let mut idle = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(run.address).await.unwrap();
        // An answer says that the server has the connection; it stays open for more.
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: volley\r\n\r\n").await.unwrap();
        assert_ne!(stream.read(&mut [0; 512]).await.unwrap(), 0);
        idle.push(stream);
    }
    let mut waiting = Box::pin(get(run.address, "/healthz"));
    assert!(tokio::time::timeout(SHORT, &mut waiting).await.is_err(), "there is a third connection");
    idle.pop();
    assert_eq!(waiting.await, (200, "ok\n".into()));
    run.end().await;
}

#[tokio::test]
async fn a_client_that_does_not_ask_is_cut_off() {
    let run = played(Limits { head: SHORT, ..Limits::default() }).await;
    let mut stream = TcpStream::connect(run.address).await.unwrap();
    stream.write_all(b"GET /v1/").await.unwrap();
    let mut rest = Vec::new();
    tokio::time::timeout(SOON, stream.read_to_end(&mut rest)).await.unwrap().unwrap();
    run.end().await;
}
