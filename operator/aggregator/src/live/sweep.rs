//! Deletes frames that nobody will read any more: an hour of 100 workers has 360,000 of them.
//!
//! While the run runs, those in front of the window that the last kept sum looks into: a successor goes on behind them. When the run is
//! closed all of them, and the sum: nothing follows a closed run, and no final number is made of them. It is best effort; what is left
//! goes with the run's prefix.

use std::time::Duration;

use tokio::time::timeout;
use volley_storage::keys::{self, WorkerAttempt};
use volley_storage::{ObjectError, ObjectStore};

use super::listing::ListingError;
use crate::metrics::Metrics;
use crate::retry::patiently;

/// Frames that are listed and deleted at once: S3's limit for both.
const BATCH: usize = 1000;
/// Batches of a region that one sweep deletes at most; the next one goes on.
const BATCHES: usize = 20;
/// How long one sweep may take while the run runs: less than until the next one.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long sweeping a closed run may take. It holds nothing up.
const LAST_PATIENCE: Duration = Duration::from_mins(1);

/// Deletes the frames that are named by earlier seconds than `horizon`.
pub(super) async fn passed(
    store: &ObjectStore,
    run_uid: &str,
    targets: &[String],
    horizon: i64,
) -> Result<(), ListingError> {
    let sweeping = async {
        for target in targets {
            passed_of(store, run_uid, target, horizon).await?;
        }
        Ok(())
    };
    timeout(PATIENCE, sweeping).await.map_err(|_| ListingError::too_slow(PATIENCE))?
}

async fn passed_of(store: &ObjectStore, run_uid: &str, target: &str, horizon: i64) -> Result<(), ListingError> {
    let prefix = keys::frames_prefix(run_uid, target);
    for _ in 0..BATCHES {
        // In the order of time: the first ones are the oldest.
        let oldest = store.list(&prefix, None, BATCH).await?;
        let is_passed = |key: &str| {
            WorkerAttempt::from_frame_key(run_uid, target, key).is_some_and(|(_, through)| through < horizon)
        };
        let passed: Vec<&str> =
            oldest.objects.iter().map(|object| object.key.as_str()).filter(|key| is_passed(key)).collect();
        store.delete_all(&passed).await?;
        if passed.len() < BATCH {
            break;
        }
    }
    Ok(())
}

/// Deletes all frames of a closed run, and the sum that was made of them.
pub async fn all(store: &ObjectStore, run_uid: &str, metrics: &Metrics) {
    let (prefix, sum) = (keys::all_frames_prefix(run_uid), keys::live_state(run_uid));
    let sweeping = patiently(ObjectError::class, || async {
        let frames = store.delete_prefix(&prefix).await?;
        store.delete(&sum).await.map(|()| frames)
    });
    let error: ListingError = match timeout(LAST_PATIENCE, sweeping).await {
        Ok(Ok(frames)) => return tracing::info!(frames, "the run's live frames are deleted"),
        Ok(Err(error)) => error.into(),
        Err(_) => ListingError::too_slow(LAST_PATIENCE),
    };
    metrics.storage_error(error.class());
    tracing::warn!(%error, "live frames stay in the storage; to delete them takes s3:DeleteObject on runs/v1/*/live*");
}

#[cfg(test)]
mod tests {
    use volley_storage::embedded::Server;
    use volley_storage::objects::PutOptions;

    use super::*;

    const RUN: &str = "11111111-2222-4333-8444-555555555555";

    fn frame(target: &str, index: u32, through: i64) -> String {
        let attempt = WorkerAttempt { target: target.to_owned(), index, pod_uid: "p".to_owned() };
        attempt.frame(RUN, through)
    }

    async fn storage(keys: &[String]) -> (Server, ObjectStore, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start_on_free_ports(folder.path()).await.unwrap();
        let store = server.objects();
        for key in keys {
            store.put(key, "x", PutOptions::default()).await.unwrap();
        }
        (server, store, folder)
    }

    async fn kept(store: &ObjectStore) -> Vec<String> {
        let all = store.list_all("runs/", 10_000).await.unwrap();
        all.into_iter().map(|object| object.key).collect()
    }

    #[tokio::test]
    async fn frames_in_front_of_the_window_are_deleted_and_nothing_else() {
        let old = [frame("eu", 0, 8), frame("eu", 1, 9), frame("us", 0, 9)];
        let mut others = [
            frame("eu", 0, 10),
            frame("us", 0, 11),
            keys::frames_prefix(RUN, "eu") + "0000000001/no-frame/x",
            keys::live_state(RUN),
            keys::result(RUN),
            frame("eu", 0, 8).replace(RUN, "another-run"),
        ];
        others.sort();
        let (_server, store, _folder) = storage(&[&old[..], &others[..]].concat()).await;
        passed(&store, RUN, &["eu".into(), "us".into()], 10).await.unwrap();
        assert_eq!(kept(&store).await, others);
    }

    #[tokio::test]
    async fn more_frames_than_one_request_deletes_are_deleted_at_once() {
        let frames: Vec<String> = (0..1_203).map(|second| frame("eu", 0, second)).collect();
        let (_server, store, _folder) = storage(&frames).await;
        passed(&store, RUN, &["eu".into()], 1_202).await.unwrap();
        assert_eq!(kept(&store).await, [frame("eu", 0, 1_202)]);
    }

    #[tokio::test]
    async fn of_a_closed_run_no_frame_stays() {
        let frames = [frame("eu", 0, 8), frame("left-out", 3, 12), keys::all_frames_prefix(RUN) + "stray"];
        let others = [keys::definition(RUN), keys::result(RUN)];
        let (_server, store, _folder) = storage(&[&frames[..], &[keys::live_state(RUN)], &others[..]].concat()).await;
        for _ in 0..2 {
            all(&store, RUN, &Metrics::default()).await;
            assert_eq!(kept(&store).await, others);
        }
    }

    #[tokio::test]
    async fn who_may_not_delete_leaves_all_frames_and_it_is_counted() {
        let frames = [frame("eu", 0, 8), frame("eu", 0, 9)];
        let (server, store, _folder) = storage(&frames).await;
        let metrics = Metrics::default();
        let workers = server.objects_of_run(RUN);
        all(&workers, RUN, &metrics).await;
        let refused = passed(&workers, RUN, &["eu".into()], 20).await.unwrap_err();
        assert_eq!(refused.class(), volley_storage::FailureClass::NeedsChange);
        assert_eq!(kept(&store).await, frames);
        assert!(metrics.text().contains("volley_aggregator_storage_errors_total{class=\"NeedsChange\"} 1\n"));
    }
}
