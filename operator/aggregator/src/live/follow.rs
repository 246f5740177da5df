//! The loop: look for frames each second, merge them, close seconds, keep a checkpoint.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, future};
use jiff::Timestamp;
use kube::Client;
use tokio::sync::oneshot;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, sleep, timeout};
use volley_stats::frame::EncodedFrame;
use volley_storage::documents::{Definition, StartDecision};
use volley_storage::objects::PutOptions;
use volley_storage::{FailureClass, ObjectStore, keys};

use super::abort::{self, AbortJudge};
use super::listing::{self, Listed, ListingError};
use super::merger::{Merger, Outline};
use super::{Live, checkpoint, report, silence, sweep};
use crate::metrics::{Checkpoint, Metrics, WorkerFrame};

/// How often the start decision is looked for.
const START_EVERY: Duration = Duration::from_secs(1);
/// When in a second frames are looked for, in milliseconds: collectors write 300 ms after a second, k6's 1,300 ms.
const PHASE_MS: i64 = 600;
/// How often the sum is kept in the storage.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(15);
/// How long keeping it may take.
const CHECKPOINT_PATIENCE: Duration = Duration::from_secs(10);

const UNSEEN: &str = "the live figures are not to be had at the moment";
const UNSWEPT: &str =
    "live frames that were merged stay in the storage; to delete them takes s3:DeleteObject on runs/v1/*/live*";

/// Follows a run while it runs, and hands what it sees to `followed` once it does. It never ends by itself: whoever knows that
/// the run is over drops it.
pub async fn follow(
    store: &ObjectStore,
    definition: &Definition,
    client: Option<&Client>,
    metrics: &Arc<Metrics>,
    followed: oneshot::Sender<Live>,
) {
    let run_uid = definition.run.uid.as_str();
    let Some(settings) = definition.live else { return future::pending().await };
    let start = started(store, run_uid, metrics).await;
    // A result that is there must stay in the status: this process does it once more, and nothing is live.
    if !is_open(store, run_uid, metrics).await {
        return future::pending().await;
    }
    let outline = outline(definition, &start, settings.interval_s);
    tracing::info!(run_uid, interval_s = settings.interval_s, "following the workers' frames");
    let live = Live::new(resumed(store, run_uid, outline, metrics).await, metrics.clone());
    // Nobody may want it.
    let _ = followed.send(live.clone());
    let judge = AbortJudge::new(&definition.thresholds, start.start_at, definition.load.duration_ms());
    tokio::join!(
        merge(store, run_uid, &live),
        report::report(client, definition, &live),
        abort::watch(store, run_uid, judge, &live),
        silence::watch(store, definition, &start, &live)
    );
}

/// Who takes part, by the start decision.
fn outline(definition: &Definition, start: &StartDecision, interval_s: u32) -> Outline {
    let regions = definition.regions.iter().filter(|region| start.regions.contains(&region.target));
    let workers: BTreeMap<String, u32> = regions.map(|region| (region.target.clone(), region.workers)).collect();
    Outline { workers, start_at: start.start_at, interval_s }
}

async fn started(store: &ObjectStore, run_uid: &str, metrics: &Metrics) -> StartDecision {
    let mut complaint = Complaint::new(metrics, UNSEEN);
    loop {
        match store.get_document::<StartDecision>(&keys::start(run_uid)).await {
            Ok(Some((start, _))) => return start,
            Ok(None) => complaint.over(),
            Err(error) => complaint.say(&error, error.class()),
        }
        sleep(START_EVERY).await;
    }
}

async fn is_open(store: &ObjectStore, run_uid: &str, metrics: &Metrics) -> bool {
    let mut complaint = Complaint::new(metrics, UNSEEN);
    loop {
        match store.head(&keys::close(run_uid)).await {
            Ok(close) => return close.is_none(),
            Err(error) => complaint.say(&error, error.class()),
        }
        sleep(START_EVERY).await;
    }
}

/// The sum of a predecessor that was killed, or an empty one. The frames that are in it may be deleted already, so an outage of the
/// storage is waited for.
async fn resumed(store: &ObjectStore, run_uid: &str, outline: Outline, metrics: &Metrics) -> Merger {
    let mut complaint = Complaint::new(metrics, UNSEEN);
    let trouble = loop {
        match store.get(&keys::live_state(run_uid), checkpoint::MAXIMUM_BYTES).await {
            Ok(None) => return Merger::new(outline),
            Ok(Some(bytes)) => match Merger::restore(outline.clone(), &bytes, Timestamp::now()) {
                Ok(merger) => {
                    tracing::info!(closed = merger.closed(), "going on where a predecessor stood");
                    return merger;
                }
                Err(error) => break error.to_string(),
            },
            Err(error) if error.class() == FailureClass::Transient => complaint.say(&error, error.class()),
            Err(error) => break error.to_string(),
        }
        sleep(START_EVERY).await;
    };
    tracing::warn!(trouble, "the checkpoint cannot be used; the live figures begin with the frames that are there");
    Merger::new(outline)
}

/// Merges the frames that come, and hands closed seconds to whoever has subscribed. It never ends by itself.
pub async fn merge(store: &ObjectStore, run_uid: &str, live: &Live) {
    let mut complaint = Complaint::new(&live.metrics, UNSEEN);
    let mut unswept = Complaint::new(&live.metrics, UNSWEPT);
    let mut keeping: JoinSet<Result<(), ListingError>> = JoinSet::new();
    let mut next_checkpoint = Instant::now() + CHECKPOINT_EVERY;
    loop {
        sleep(until_phase(Timestamp::now())).await;
        look(store, run_uid, live, &mut complaint).await;
        while let Some(closed) = live.with(|merger| merger.close(Timestamp::now())) {
            live.metrics.closed(closed.second, Timestamp::now());
            // Nobody may listen.
            let _ = live.closed.send(Arc::new(closed));
            // After an outage many seconds are closed at once: subscribers have their turn after each.
            yield_now().await;
        }
        while let Some(swept) = keeping.try_join_next() {
            match swept {
                Ok(Err(error)) => unswept.say(&error, error.class()),
                Ok(Ok(())) | Err(_) => unswept.over(),
            }
        }
        if Instant::now() >= next_checkpoint && keeping.is_empty() {
            next_checkpoint = Instant::now() + CHECKPOINT_EVERY;
            keep(store, run_uid, live, &mut keeping);
        }
    }
}

/// Merges the frames that are new.
async fn look(store: &ObjectStore, run_uid: &str, live: &Live, complaint: &mut Complaint<'_>) {
    let (targets, horizon) = live.with(|merger| (merger.targets(), merger.horizon()));
    let listings = targets.iter().map(|target| listing::frames(store, run_uid, target, horizon));
    for listing in future::join_all(listings).await {
        let listed = match listing {
            Ok(listed) => listed,
            Err(error) => {
                complaint.say(&error, error.class());
                continue;
            }
        };
        let wanted: Vec<Listed> = live
            .with(|merger| listed.into_iter().filter(|frame| merger.wants(&frame.attempt, frame.through)).collect());
        let mut frames = std::pin::pin!(listing::read(store, run_uid, wanted));
        while let Some((listed, read)) = frames.next().await {
            match read {
                Ok(Some(bytes)) => {
                    complaint.over();
                    add(live, &listed, &bytes);
                }
                Ok(None) => {}
                Err(error) => complaint.say(&error, error.class()),
            }
        }
    }
}

fn add(live: &Live, Listed { attempt, through }: &Listed, bytes: &[u8]) {
    let trouble = match EncodedFrame::read(bytes) {
        Ok(frame) if frame.through == *through => {
            let outcome = live.with(|merger| {
                merger.add(attempt, &frame, Timestamp::now());
                if frame.through > merger.closed() { WorkerFrame::Merged } else { WorkerFrame::Late }
            });
            return live.metrics.worker_frame(outcome);
        }
        Ok(frame) => format!("it is the frame of second {}", frame.through),
        Err(error) => error.to_string(),
    };
    live.metrics.worker_frame(WorkerFrame::Unreadable);
    tracing::warn!(target = attempt.target, index = attempt.index, second = through, trouble, "a frame cannot be used");
    live.with(|merger| merger.pass_over(attempt, *through, Timestamp::now()));
}

/// Keeps the sum in the storage, and deletes the frames that are of no use beside it, without waiting for either.
fn keep(store: &ObjectStore, run_uid: &str, live: &Live, keeping: &mut JoinSet<Result<(), ListingError>>) {
    let (bytes, horizon, targets) = live.with(|merger| (merger.checkpoint(), merger.horizon(), merger.targets()));
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(error) => {
            live.metrics.checkpoint(Checkpoint::Failed);
            return tracing::error!(%error, "the live figures cannot be kept");
        }
    };
    let (store, run_uid, metrics) = (store.clone(), run_uid.to_owned(), live.metrics.clone());
    keeping.spawn(async move {
        let key = keys::live_state(&run_uid);
        let failed = match timeout(CHECKPOINT_PATIENCE, store.put(&key, bytes, PutOptions::default())).await {
            Ok(Ok(())) => {
                metrics.checkpoint(Checkpoint::Written);
                return sweep::passed(&store, &run_uid, &targets, horizon).await;
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "the live figures were not kept");
                error.class()
            }
            Err(_) => {
                tracing::warn!(seconds = CHECKPOINT_PATIENCE.as_secs(), "the live figures were not kept in time");
                FailureClass::Transient
            }
        };
        metrics.checkpoint(Checkpoint::Failed);
        metrics.storage_error(failed);
        Ok(())
    });
}

/// From now until the next instant at which frames are looked for.
fn until_phase(now: Timestamp) -> Duration {
    let into = (now.as_millisecond() - PHASE_MS).rem_euclid(1_000);
    Duration::from_millis((1_000 - into).unsigned_abs())
}

/// Counts what does not work, and says it once, and again after it has worked.
#[derive(Debug)]
struct Complaint<'a> {
    said: bool,
    metrics: &'a Metrics,
    /// What does not work, for people.
    words: &'static str,
}

impl<'a> Complaint<'a> {
    fn new(metrics: &'a Metrics, words: &'static str) -> Self {
        Self { said: false, metrics, words }
    }

    fn say(&mut self, error: &dyn std::fmt::Display, class: FailureClass) {
        self.metrics.storage_error(class);
        if !std::mem::replace(&mut self.said, true) {
            tracing::warn!(%error, "{}", self.words);
        }
    }

    fn over(&mut self) {
        self.said = false;
    }
}

#[cfg(test)]
mod tests {
    use volley_stats::FrameRecorder;
    use volley_storage::embedded::Server;
    use volley_storage::keys::WorkerAttempt;

    use super::*;

    const RUN: &str = "11111111-2222-4333-8444-555555555555";
    const START_S: i64 = 1_800_000_000;

    #[tokio::test]
    async fn after_a_checkpoint_of_an_older_release_the_run_is_read_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start_on_free_ports(folder.path()).await.unwrap();
        let (store, metrics) = (server.objects(), Arc::new(Metrics::default()));
        let outline = Outline {
            workers: BTreeMap::from([("eu".to_owned(), 1)]),
            start_at: Timestamp::from_second(START_S).unwrap(),
            interval_s: 1,
        };
        let attempt = WorkerAttempt { target: "eu".into(), index: 0, pod_uid: "p".into() };
        let mut recorder = FrameRecorder::new();
        recorder.begin(START_S);
        let frame = recorder.close(START_S + 4).unwrap().encode();
        store.put(&attempt.frame(RUN, START_S + 4), frame.clone(), PutOptions::default()).await.unwrap();
        let mut merger = Merger::new(outline.clone());
        merger.add(&attempt, &EncodedFrame::read(&frame).unwrap(), Timestamp::from_second(START_S + 6).unwrap());
        while merger.close(Timestamp::from_second(START_S + 6).unwrap()).is_some() {}

        let present = merger.checkpoint().unwrap();
        store.put(&keys::live_state(RUN), present.clone(), PutOptions::default()).await.unwrap();
        let resumed_now = resumed(&store, RUN, outline.clone(), &metrics).await;
        assert_eq!((resumed_now.closed(), resumed_now.workers().len()), (START_S + 4, 1));

        let end = present.len() - 1;
        let older = [&present[..end], b"1"].concat();
        store.put(&keys::live_state(RUN), older, PutOptions::default()).await.unwrap();
        let anew = Live::new(resumed(&store, RUN, outline, &metrics).await, metrics.clone());
        assert_eq!(anew.with(|merger| (merger.closed(), merger.series().span())), (START_S - 1, None));
        look(&store, RUN, &anew, &mut Complaint::new(&metrics, UNSEEN)).await;
        assert_eq!(anew.workers()[0].newest, Some(START_S + 4));
    }

    #[test]
    fn frames_are_looked_for_once_in_each_second_at_the_same_instant_of_it() {
        for (now, expected) in [(1_000_000, 600), (1_000_599, 1), (1_000_600, 1_000), (1_000_601, 999)] {
            let now = Timestamp::from_millisecond(now).unwrap();
            assert_eq!(until_phase(now), Duration::from_millis(expected), "{now}");
        }
    }
}
