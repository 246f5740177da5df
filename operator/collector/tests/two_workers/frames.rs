//! The frames that workers write while they run, seen by somebody who lists them as the aggregator does.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use volley_stats::Frame;
use volley_stats::frame::{MAXIMUM_ENCODED_BYTES, Responses};
use volley_storage::ObjectStore;
use volley_storage::keys::{WorkerAttempt, frames_prefix};

use crate::run::{RUN_UID, Run};

/// A frame, and how long after its last second it was there, in milliseconds.
type Seen = BTreeMap<(u32, i64), (Frame, i64)>;

/// Lists until all workers have ended.
pub(crate) struct Watch {
    watching: JoinHandle<Seen>,
}

impl Watch {
    pub(crate) fn start(run: &Run, workers: usize) -> Self {
        Self { watching: tokio::spawn(watch(run.storage.objects(), workers)) }
    }

    /// Asserts that frames follow each other while the load runs, says how soon they came, and answers the sum of them.
    pub(crate) async fn finish(self) -> Responses {
        let seen = self.watching.await.unwrap();
        let mut sum = Responses::default();
        let mut lags = Vec::new();
        let mut next: BTreeMap<u32, i64> = BTreeMap::new();
        for ((index, through), (frame, lag_ms)) in &seen {
            assert_eq!((frame.through, frame.left_out), (*through, 0));
            assert!(next.insert(*index, through + 1).is_none_or(|next| next <= frame.from), "{index}: {frame:?}");
            for second in frame.seconds.values() {
                sum.merge(&second.totals());
            }
            if !frame.ended {
                lags.push(*lag_ms);
            }
        }
        let loads: Vec<_> = seen.values().filter_map(|(frame, _)| frame.load).collect();
        assert!(loads.len() > 3 && loads.iter().all(|load| load.cpu_ppm.is_some()), "{loads:?}");
        lags.sort_unstable();
        let users: u64 =
            seen.values().flat_map(|(frame, _)| frame.seconds.values()).map(|second| second.users).max().unwrap();
        let late = lags[lags.len() * 95 / 100];
        println!("{} frames, {late} ms after their second (p95), {:?} at most; {users} users", lags.len(), lags.last());
        assert!(lags.len() > 3 && users > 0, "{seen:?}");
        sum
    }
}

async fn watch(objects: ObjectStore, workers: usize) -> Seen {
    let (mut seen, mut ended) = (Seen::new(), 0);
    let deadline = Instant::now() + Duration::from_mins(2);
    while ended < workers {
        assert!(Instant::now() < deadline, "no end: {seen:?}");
        for object in objects.list_all(&frames_prefix(RUN_UID, "here"), 1_000).await.unwrap() {
            let (attempt, through) = WorkerAttempt::from_frame_key(RUN_UID, "here", &object.key).unwrap();
            if seen.contains_key(&(attempt.index, through)) {
                continue;
            }
            let lag_ms = Timestamp::now().as_millisecond() - (through + 1) * 1_000;
            let bytes = objects.get(&object.key, MAXIMUM_ENCODED_BYTES as u64).await.unwrap().unwrap();
            let frame = Frame::decode(&bytes).unwrap();
            ended += usize::from(frame.ended);
            seen.insert((attempt.index, through), (frame, lag_ms));
        }
        sleep(Duration::from_millis(50)).await;
    }
    seen
}
