//! A reader of server-sent events that knows as little as possible of the server: HTTP/1.0 over a socket, so that the body
//! is neither chunked nor compressed.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// The longest wait for something that is to come at once.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) kind: String,
    pub(crate) id: Option<i64>,
    pub(crate) data: String,
}

pub(crate) struct EventStream {
    pub(crate) status: u16,
    reader: BufReader<TcpStream>,
}

async fn request(address: SocketAddr, path: &str, last: Option<i64>) -> (u16, BufReader<TcpStream>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let last = last.map_or_else(String::new, |last| format!("Last-Event-ID: {last}\r\n"));
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: volley\r\n{last}\r\n").as_bytes()).await.unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    tokio::time::timeout(SOON, reader.read_line(&mut line)).await.unwrap().unwrap();
    let status = line.split(' ').nth(1).unwrap().parse().unwrap();
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line).await.unwrap();
    }
    (status, reader)
}

/// The body of an answer.
pub(crate) async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let (status, mut reader) = request(address, path, None).await;
    let mut body = String::new();
    tokio::time::timeout(SOON, reader.read_to_string(&mut body)).await.unwrap().unwrap();
    (status, body)
}

impl EventStream {
    pub(crate) async fn open(address: SocketAddr, last: Option<i64>) -> Self {
        let (status, reader) = request(address, "/v1/stream", last).await;
        Self { status, reader }
    }

    /// The next event; none: the server has closed the stream.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        tokio::time::timeout(SOON, self.read()).await.expect("an event comes soon")
    }

    async fn read(&mut self) -> Option<Event> {
        let mut event = Event::default();
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).await.unwrap() == 0 {
                return None;
            }
            match line.trim_end_matches('\n').split_once(": ") {
                Some(("event", kind)) => event.kind = kind.into(),
                Some(("id", id)) => event.id = Some(id.parse().unwrap()),
                Some(("data", data)) => event.data = data.into(),
                Some(("", _comment)) => {}
                None if line == "\n" && event != Event::default() => return Some(event),
                None if line == "\n" || line.starts_with(':') => {}
                other => panic!("{other:?} is no line of an event"),
            }
        }
    }
}
