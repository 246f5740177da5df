//! A run's live figures, from its aggregator: second by second, with the whole course so far for who joins in the middle.
//!
//! Order: find the aggregator's pod, forward its port through the API server, read its stream; when that breaks, again, from
//! where it broke. It needs the right to list pods and to forward ports in the operator's namespace; without it, and
//! where the aggregator is not there, the run's status has figures every few seconds, and that is what is shown.

pub mod connection;
pub mod course;
pub mod events;
pub mod view;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use connection::{ConnectionError, Stream};
use course::{Course, Told};
use events::EventParser;

/// How patient one is with the way to the aggregator.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Pause before the next attempt, after the aggregator was not there or a stream broke.
    pub pause: Duration,
    /// An aggregator is there when load is there; one that is not seen for so long is looked for in the wrong place.
    pub absence: Duration,
    /// A stream from which nothing comes for so long is dead: three heartbeats.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { pause: Duration::from_secs(2), absence: Duration::from_secs(20), silence: Duration::from_secs(45) }
    }
}

/// What is known at the moment.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// The course so far.
    pub course: Arc<Course>,
    /// Why there is nothing newer, for people.
    pub trouble: Option<String>,
}

/// Follows until the run's aggregator says that there is no more, or it is of no use to go on. `open` opens a stream from
/// after the event of the given id.
pub async fn follow<S: Stream>(
    live: &watch::Sender<Live>,
    patience: Patience,
    open: impl AsyncFn(Option<&str>) -> Result<S, ConnectionError>,
) {
    let mut course = Course::default();
    let mut last_id = None;
    let began = Instant::now();
    loop {
        let trouble = match open(last_id.as_deref()).await {
            Ok(stream) => match read(live, patience.silence, stream, &mut course, &mut last_id).await {
                Ok(()) => return,
                Err(error) => error,
            },
            Err(error) => error,
        };
        let never_seen = course.last.is_none() && began.elapsed() >= patience.absence;
        let words = match &trouble {
            ConnectionError::Absent { .. } if never_seen => Some(trouble.to_string()),
            trouble => trouble.for_people(),
        };
        live.send_if_modified(|live| {
            let changed = live.trouble != words;
            live.trouble = words;
            changed
        });
        if !trouble.passes() {
            return;
        }
        tokio::time::sleep(patience.pause).await;
    }
}

/// Reads one stream; `Ok`: the aggregator says that there is no more.
async fn read<S: Stream>(
    live: &watch::Sender<Live>,
    silence: Duration,
    mut stream: S,
    course: &mut Course,
    last_id: &mut Option<String>,
) -> Result<(), ConnectionError> {
    let mut parser = EventParser::default();
    loop {
        let bytes = match tokio::time::timeout(silence, stream.next()).await {
            Ok(Ok(Some(bytes))) => bytes,
            Ok(Ok(None)) => return Err(ConnectionError::Broken("it was closed".to_owned())),
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(ConnectionError::Broken(format!("nothing came for {} s", silence.as_secs()))),
        };
        for event in parser.push(&bytes).map_err(|error| ConnectionError::Unusable(error.to_string()))? {
            let told = course.take(&event).map_err(|error| ConnectionError::Unusable(error.to_string()))?;
            *last_id = event.id.or(last_id.take());
            match told {
                Told::News => {
                    let course = Arc::new(course.clone());
                    live.send_modify(|live| *live = Live { course, trouble: None });
                }
                Told::Nothing => {}
                Told::Over => return Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::net::Ipv4Addr;
    use std::sync::Mutex;

    use super::*;
    use crate::cluster::ClusterError;
    use crate::follow::sample::live_frame;
    use bytes::Bytes;
    use connection::AggregatorStream;
    use tokio::net::{TcpListener, TcpStream};
    use volley_aggregator::feed::board::Board;
    use volley_aggregator::feed::server::{self, Limits};

    /// A stream that was written down; after its last bytes it is closed, or silent.
    struct Written {
        bytes: VecDeque<String>,
        silent: bool,
    }

    impl Stream for Written {
        async fn next(&mut self) -> Result<Option<Bytes>, ConnectionError> {
            match self.bytes.pop_front() {
                Some(text) => Ok(Some(Bytes::from(text))),
                None if self.silent => std::future::pending().await,
                None => Ok(None),
            }
        }
    }

    fn frame(seq: i64) -> String {
        format!("event: frame\nid: {seq}\ndata: {}\n\n", serde_json::to_string(&live_frame(seq)).unwrap())
    }

    #[expect(clippy::unnecessary_wraps, reason = "it stands in lists beside refusals")]
    fn stream(texts: impl IntoIterator<Item = String>, silent: bool) -> Result<Written, ConnectionError> {
        Ok(Written { bytes: texts.into_iter().collect(), silent })
    }

    fn refused(code: u16) -> ConnectionError {
        ConnectionError::Cluster(ClusterError::Refused {
            verb: "list",
            kind: "pods".into(),
            name: "x".into(),
            words: "forbidden".into(),
            code,
        })
    }

    fn absent() -> ConnectionError {
        ConnectionError::Absent { namespace: "volley-system".into() }
    }

    /// Follows what was written down; answers the newest state, and the ids that streams were opened with.
    async fn followed(
        absence: Duration,
        streams: impl IntoIterator<Item = Result<Written, ConnectionError>>,
    ) -> (Live, Vec<Option<String>>) {
        let live = watch::Sender::new(Live::default());
        let streams = Mutex::new(streams.into_iter().collect::<VecDeque<_>>());
        let ids = Mutex::new(Vec::new());
        let open = async |id: Option<&str>| {
            ids.lock().unwrap().push(id.map(str::to_owned));
            streams.lock().unwrap().pop_front().expect("one stream more than was written down")
        };
        let patience = Patience { pause: Duration::from_millis(1), absence, silence: Duration::from_millis(20) };
        follow(&live, patience, open).await;
        let newest = live.borrow().clone();
        (newest, ids.into_inner().unwrap())
    }

    const NEVER: Duration = Duration::from_hours(1);
    const END: &str = "event: end\ndata: {}\n\n";

    #[tokio::test]
    async fn a_broken_and_a_silent_stream_are_opened_again_after_the_last_event() {
        let (live, ids) = followed(
            NEVER,
            [
                Err(absent()),
                stream([frame(1), frame(2)], false),
                stream([frame(3)], true),
                stream([frame(3), frame(4), END.to_owned()], false),
            ],
        )
        .await;
        assert_eq!(ids, [None, None, Some("2".to_owned()), Some("3".to_owned())]);
        assert_eq!((live.course.last.as_ref().unwrap().seq, live.trouble), (4, None));
    }

    #[tokio::test]
    async fn who_may_not_is_told_once_and_nothing_is_tried_again() {
        let (live, ids) = followed(NEVER, [Err(refused(503)), Err(refused(403))]).await;
        assert_eq!(ids.len(), 2);
        let words =
            "live figures come from the run's status, every few seconds, because you cannot list pods x: forbidden";
        assert_eq!(live.trouble.as_deref(), Some(words));
    }

    #[tokio::test]
    async fn an_aggregator_that_is_never_there_may_be_in_another_namespace() {
        for (absence, told) in [(NEVER, false), (Duration::ZERO, true)] {
            let (live, _) = followed(absence, [Err(absent()), stream([END.to_owned()], false)]).await;
            assert_eq!(live.trouble.is_some_and(|words| words.contains("--operator-namespace")), told);
        }
    }

    #[tokio::test]
    async fn figures_of_another_release_are_not_guessed_at() {
        let text = "event: frame\ndata: {\"v\": 2}\n\n".to_owned();
        let (live, ids) = followed(NEVER, [stream([text], false)]).await;
        assert_eq!((ids.len(), live.course.last.is_none()), (1, true));
        assert!(live.trouble.unwrap().contains("version 2"));
    }

    #[tokio::test]
    async fn the_stream_of_an_aggregator_is_read_to_its_end() {
        let board = Arc::new(Board::new("0f2c", 1, Box::new(Vec::new)));
        board.post(live_frame(1)).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let live = watch::Sender::new(Live::default());
        let mut seen = live.subscribe();
        let reader = async {
            let open =
                async |id: Option<&str>| AggregatorStream::over(TcpStream::connect(address).await.unwrap(), id).await;
            follow(&live, Patience::default(), open).await;
        };
        let run = async {
            for seq in 1..=3 {
                if seq > 1 {
                    board.post(live_frame(seq)).unwrap();
                }
                let shown = seen.wait_for(|live| live.course.last.as_ref().is_some_and(|last| last.seq == seq));
                tokio::time::timeout(Duration::from_secs(10), shown).await.unwrap().unwrap();
            }
            board.end();
        };
        let served = async {
            tokio::join!(reader, run);
        };
        let limits = Limits::default();
        let router = server::router(board.clone(), Arc::default(), limits);
        tokio::select! {
            () = server::serve(listener, router, limits, std::future::pending()) => {}
            served = tokio::time::timeout(Duration::from_secs(20), served) => served.unwrap(),
        }
        assert_eq!(live.borrow().trouble, None);
    }
}
