//! A reader of `GET /v1/stream` that notes when each frame came, on a thread of its own. It speaks HTTP/1.0, so that the stream is
//! neither chunked nor compressed.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use volley_storage::documents::LiveFrame;

use crate::Outcome;

/// Pause before the next attempt: the aggregator is not there yet, or has ended the connection, which it does after an hour.
const PAUSE: Duration = Duration::from_millis(100);
/// One lag is taken for each so many milliseconds of an interval: samples end at any instant of it.
const STEP_MS: usize = 100;

/// A frame that has come.
pub(crate) struct Arrived {
    at: Timestamp,
    second: i64,
    interval: u32,
    /// Requests that ended in its interval.
    pub(crate) requests: u64,
    /// Workers that should have told of it.
    pub(crate) expected: u32,
    /// Those of them that had.
    pub(crate) reported: u32,
}

impl Arrived {
    /// How long before its arrival samples of the frame ended, in milliseconds: evenly over the interval.
    pub(crate) fn lags_ms(&self) -> impl Iterator<Item = i64> {
        let from_ms = (self.second + 1 - i64::from(self.interval)) * 1_000;
        let arrived_ms = self.at.as_millisecond();
        (0..i64::from(self.interval) * 1_000).step_by(STEP_MS).map(move |after_ms| arrived_ms - from_ms - after_ms)
    }
}

/// Reads until nobody wants it any more.
pub(crate) fn start(address: SocketAddr) -> Receiver<Arrived> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut newest = None;
        while read(address, &mut newest, &sender).is_err() {
            thread::sleep(PAUSE);
        }
    });
    receiver
}

/// Reads one connection. It fails where the connection does, and ends where the stream says so or nobody listens.
fn read(address: SocketAddr, newest: &mut Option<String>, arrived: &Sender<Arrived>) -> Outcome<()> {
    let mut stream = TcpStream::connect(address)?;
    let last = newest.as_ref().map_or_else(String::new, |id| format!("Last-Event-ID: {id}\r\n"));
    stream.write_all(format!("GET /v1/stream HTTP/1.0\r\nHost: volley\r\n{last}\r\n").as_bytes())?;
    let mut reader = BufReader::new(stream);
    let (mut line, mut kind) = (String::new(), String::new());
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err("the connection has ended".into());
        }
        let at = Timestamp::now();
        match line.trim_end().split_once(": ") {
            Some(("event", "end")) => return Ok(()),
            Some(("event", name)) => name.clone_into(&mut kind),
            Some(("id", id)) => *newest = Some(id.to_owned()),
            Some(("data", data)) if kind == "frame" => {
                let LiveFrame { second, interval, totals, workers, .. } = serde_json::from_str(data)?;
                let (requests, expected, reported) = (totals.figures.requests, workers.expected, workers.reported);
                if arrived.send(Arrived { at, second, interval, requests, expected, reported }).is_err() {
                    return Ok(());
                }
            }
            _ => {}
        }
    }
}
