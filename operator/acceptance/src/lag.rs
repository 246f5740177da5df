//! How late live figures are: `volley watch` follows a run beside whatever else a test does with it, and each frame is held against
//! the clock when its line comes.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::bench::{Bench, NAMESPACE};

/// One lag is taken for each so many milliseconds of an interval: samples end at any instant of it.
const STEP_MS: usize = 100;
/// The longest run of the tests, with what comes before and after its load.
const LIMIT: Duration = Duration::from_mins(5);

/// How long after their end samples were shown.
#[derive(Clone, Debug)]
pub struct Lag {
    frames: usize,
    /// Milliseconds, ascending.
    sorted: Vec<i64>,
}

impl fmt::Display for Lag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { frames, sorted } = self;
        let seconds = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100).max(1);
            sorted.get(rank - 1).map_or_else(|| "–".to_owned(), |ms| format!("{}.{:02} s", ms / 1000, ms % 1000 / 10))
        };
        write!(formatter, "{} (median), {} (p95), {} at most ({frames} frames)", seconds(50), seconds(95), seconds(100))
    }
}

/// Watches a run to its end.
pub async fn of_run(bench: &Bench, run: &str) -> Lag {
    let mut child = bench.start_volley(&["watch", run, "--namespace", NAMESPACE, "-o", "json"]);
    let mut lines = BufReader::new(child.stdout.take().expect("standard output is piped")).lines();
    let (mut lag, mut newest) = (Lag { frames: 0, sorted: Vec::new() }, None);
    let watching = async {
        while let Some(line) = lines.next_line().await.expect("its lines are text") {
            let arrived_ms = Timestamp::now().as_millisecond();
            let line: Value = serde_json::from_str(&line).expect("each line is JSON");
            let field = |name: &str| line["frame"][name].as_i64();
            let Some(((seq, second), interval)) = field("seq").zip(field("second")).zip(field("interval")) else {
                continue;
            };
            // Nobody knows how long the first one had been there when it was asked for.
            if newest.replace(seq).is_none_or(|newest| newest >= seq) {
                continue;
            }
            lag.frames += 1;
            let from_ms = (second + 1 - interval) * 1000;
            lag.sorted.extend((from_ms..(second + 1) * 1000).step_by(STEP_MS).map(|ended_ms| arrived_ms - ended_ms));
        }
    };
    tokio::time::timeout(LIMIT, watching).await.unwrap_or_else(|_| panic!("{run} did not end within {LIMIT:?}"));
    lag.sorted.sort_unstable();
    lag
}
