//! Workers that left no manifest, and what stands for them.

use volley_aggregator::gather::STATISTICS;
use volley_storage::documents::{Checkpoint, CheckpointDecision, ClosedWorker, WorkerState};
use volley_storage::keys::{self, CheckpointSlot, WorkerAttempt};
use volley_storage::objects::PutOptions;

use crate::fixtures::{RUN, Recorded, at, attempt, manifest, recorded, request};
use crate::whole_runs::Bench;

impl Bench {
    /// Writes a checkpoint as a worker does while its load runs, with the run's own key.
    async fn checkpoint(&self, attempt: &WorkerAttempt, recorded: &Recorded, slot: CheckpointSlot, second: i64) {
        let store = self.server.objects_of_run(RUN);
        let objects = recorded.objects();
        let mut manifest = manifest(attempt, &recorded.collection, &objects);
        manifest.complete = false;
        manifest.exit_code = None;
        for (name, bytes) in objects {
            store.put(&attempt.checkpoint_object(RUN, slot, name), bytes, PutOptions::default()).await.unwrap();
        }
        let checkpoint = Checkpoint { version: 1, at: at(second), slot, manifest };
        store.put_document(&attempt.checkpoint(RUN), &checkpoint).await.unwrap();
    }

    async fn result_bytes(&self) -> (Vec<u8>, Vec<u8>) {
        (self.bytes(&keys::result(RUN)).await, self.bytes(&keys::histograms(RUN)).await)
    }
}

fn requests(number: i64) -> Recorded {
    recorded(&(0..number).map(|number| request("home", number * 10, 5_000, true)).collect::<Vec<_>>())
}

#[tokio::test]
async fn the_last_checkpoint_stands_for_a_worker_without_a_manifest_and_stays_frozen() {
    let mut bench = Bench::new(&[("eu", 2)]).await;
    bench.worker(&attempt("eu", 0), &requests(3)).await;
    let gone = attempt("eu", 1);
    bench.checkpoint(&gone, &requests(4), CheckpointSlot::Even, 5).await;
    bench.checkpoint(&gone, &requests(7), CheckpointSlot::Odd, 8).await;
    bench.without_manifest("eu", 1, "its pod ended without a result");
    let document = bench.aggregate().await.unwrap().document;
    assert_eq!(document.totals.requests, 10);
    let worker = &document.workers[1];
    assert_eq!((worker.state, worker.requests, worker.checkpoint_at), (WorkerState::Partial, 7, Some(at(8))));
    assert_eq!(worker.pod_uid.as_deref(), Some("pod-eu-1"));
    let reason = "its pod ended without a result; what it had measured at 2027-01-15T08:00:08Z is merged";
    assert_eq!(worker.reason.as_deref(), Some(reason));
    assert_eq!(document.warnings, [format!("worker eu/1 measured less than its full time: {reason}")]);
    assert!(!document.complete);
    assert_eq!(document.series[0].requests.iter().sum::<u64>(), 10);

    // The pod lives on and overwrites all that it may: the result stays what it is, to the byte.
    let before = bench.result_bytes().await;
    bench.checkpoint(&gone, &requests(11), CheckpointSlot::Even, 11).await;
    bench.checkpoint(&gone, &requests(12), CheckpointSlot::Odd, 12).await;
    bench.run().await.unwrap();
    assert!(bench.result_bytes().await == before);
}

#[tokio::test]
async fn that_there_was_no_checkpoint_is_frozen_too() {
    let mut bench = Bench::new(&[("eu", 2)]).await;
    bench.worker(&attempt("eu", 0), &requests(3)).await;
    bench.without_manifest("eu", 1, "its Job is gone");
    let document = bench.aggregate().await.unwrap().document;
    assert_eq!(document.workers[1].state, WorkerState::Lost);
    assert_eq!(document.workers[1].reason.as_deref(), Some("its Job is gone"));
    let before = bench.result_bytes().await;
    bench.checkpoint(&attempt("eu", 1), &requests(5), CheckpointSlot::Even, 5).await;
    bench.run().await.unwrap();
    assert!(bench.result_bytes().await == before);
}

#[tokio::test]
async fn a_decision_that_another_aggregator_wrote_first_counts() {
    let mut bench = Bench::new(&[("eu", 1)]).await;
    bench.checkpoint(&attempt("eu", 0), &requests(5), CheckpointSlot::Even, 5).await;
    bench.without_manifest("eu", 0, "its Job is gone");
    let theirs = CheckpointDecision { version: 1, checkpoints: Vec::new() };
    bench.store.put_document_once(&keys::checkpoints(RUN), &theirs).await.unwrap();
    let document = bench.aggregate().await.unwrap().document;
    assert_eq!(document.totals.requests, 0);
}

#[tokio::test]
async fn a_checkpoint_that_cannot_be_used_leaves_its_worker_lost_with_both_reasons() {
    let mut bench = Bench::new(&[("eu", 4)]).await;
    bench.worker(&attempt("eu", 0), &requests(3)).await;
    for index in 1..4 {
        bench.checkpoint(&attempt("eu", index), &requests(5), CheckpointSlot::Even, 5).await;
        bench.without_manifest("eu", index, "no manifest");
    }
    // 1: no JSON. 2: its statistics are not there. 3: the document of another worker.
    bench.store.put(&attempt("eu", 1).checkpoint(RUN), "{", PutOptions::default()).await.unwrap();
    let object = attempt("eu", 2).checkpoint_object(RUN, CheckpointSlot::Even, STATISTICS);
    bench.store.delete(&object).await.unwrap();
    let foreign = bench.bytes(&attempt("eu", 2).checkpoint(RUN)).await;
    bench.store.put(&attempt("eu", 3).checkpoint(RUN), foreign, PutOptions::default()).await.unwrap();
    let document = bench.aggregate().await.unwrap().document;
    assert_eq!(document.totals.requests, 3);
    for (worker, words) in
        document.workers[1..].iter().zip(["is no valid checkpoint", "is not there", "another worker"])
    {
        assert_eq!(worker.state, WorkerState::Lost);
        let reason = worker.reason.clone().unwrap();
        assert!(reason.starts_with("no manifest; its checkpoint cannot be used: "), "{reason}");
        assert!(reason.contains(words), "{reason}");
    }
}

#[tokio::test]
async fn a_checkpoint_of_a_further_pod_of_a_worker_is_merged_and_that_of_a_listed_manifest_is_not() {
    let mut bench = Bench::new(&[("eu", 1)]).await;
    let ended = attempt("eu", 0);
    bench.worker(&ended, &requests(3)).await;
    bench.checkpoint(&ended, &requests(100), CheckpointSlot::Even, 5).await;
    let further = WorkerAttempt { pod_uid: "further".into(), ..ended };
    bench.checkpoint(&further, &requests(4), CheckpointSlot::Odd, 6).await;
    // The operator lists an attempt whose manifest it could not read beside the good one.
    bench.close.workers.push(ClosedWorker {
        target: "eu".into(),
        index: 0,
        pod_uid: Some("unreadable".into()),
        manifest: None,
        reason: Some("its manifest is no valid manifest".into()),
    });
    let document = bench.aggregate().await.unwrap().document;
    assert_eq!(document.totals.requests, 7);
    let states: Vec<_> =
        document.workers.iter().map(|worker| (worker.pod_uid.clone().unwrap(), worker.state)).collect();
    let expected =
        [("further", WorkerState::Partial), ("pod-eu-0", WorkerState::Complete), ("unreadable", WorkerState::Lost)];
    assert_eq!(states, expected.map(|(pod, state)| (pod.to_owned(), state)));
    assert!(document.complete);
}
