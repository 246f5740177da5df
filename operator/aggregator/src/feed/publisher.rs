//! Hands frames to IoT Core. Best effort: one at a time, the newest always; a failure is counted, said in the log and shown
//! to readers, and never matters to the run.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use volley_storage::documents::Publishing;
use volley_storage::iot::{IotCore, IotError};

use super::board::Board;
use crate::metrics::Metrics;

/// Pauses after failures.
#[derive(Clone, Copy, Debug)]
struct Pauses {
    /// After the first; it doubles with each further one.
    first: Duration,
    longest: Duration,
}

const PAUSES: Pauses = Pauses { first: Duration::from_secs(1), longest: Duration::from_secs(30) };
/// While failures go on, the log says so this often.
const REPORT_INTERVAL: Duration = Duration::from_mins(1);

/// Publishes the board's frames to a topic of IoT Core until it ends.
pub async fn publish_to(board: &Board, iot: &IotCore, topic: &str, metrics: &Metrics) -> Publishing {
    // Happens once, and would be most of this future.
    if let Err(error) = Box::pin(iot.find_endpoint()).await {
        metrics.endpoint_failed(&error);
        tracing::warn!(%error, "live frames go to the region's endpoint of IoT Core");
    }
    publish(board, PAUSES, metrics, async |frame| iot.publish(topic, frame.to_vec()).await).await
}

/// Publishes the board's frames until it ends. The last frame is sent too, without any repetition.
async fn publish(
    board: &Board,
    pauses: Pauses,
    metrics: &Metrics,
    publish: impl AsyncFn(Bytes) -> Result<(), IotError>,
) -> Publishing {
    let mut changes = board.changes();
    let mut counts = Publishing::default();
    let mut seen = 0;
    let mut pause = pauses.first;
    let mut reported: Option<Instant> = None;
    board.publishing(counts.clone());
    loop {
        let count = *changes.borrow_and_update();
        let over = board.is_over();
        if let Some(newest) = board.newest().filter(|_| count > seen) {
            counts.skipped += count - seen - 1;
            metrics.skipped(count - seen - 1);
            seen = count;
            match publish(newest.json.clone()).await {
                Ok(()) => {
                    counts.published += 1;
                    metrics.published();
                    if counts.error.take().is_some() {
                        tracing::info!(
                            published = counts.published,
                            failed = counts.failed,
                            "IoT Core takes frames again"
                        );
                    }
                    pause = pauses.first;
                    reported = None;
                }
                Err(error) => {
                    counts.failed += 1;
                    metrics.publish_failed(&error);
                    if reported.is_none_or(|reported| reported.elapsed() >= REPORT_INTERVAL) {
                        let Publishing { published, failed, skipped, .. } = counts;
                        tracing::warn!(%error, published, failed, skipped, "a live frame was not published; the run goes on");
                        reported = Some(Instant::now());
                    }
                    counts.error = Some(error.to_string());
                    board.publishing(counts.clone());
                    // The end does not wait for the pause.
                    let _ = tokio::time::timeout(pause, changes.wait_for(|_| board.is_over())).await;
                    pause = pause.saturating_mul(2).min(pauses.longest);
                }
            }
            board.publishing(counts.clone());
            continue;
        }
        if over {
            return counts;
        }
        // The board outlives this function, so that its changes never end.
        if changes.changed().await.is_err() {
            return counts;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::feed::board::sample::{board, frame as frame_of};
    use volley_storage::documents::LiveFrame;

    fn throttled() -> IotError {
        IotError::Throttled { operation: "publish", words: "slow down".into() }
    }

    #[tokio::test]
    async fn while_iot_core_is_away_only_the_newest_frame_is_tried_and_all_is_counted() {
        let board = board(1..=1);
        let tried = Mutex::new(Vec::new());
        // While an attempt is under way and while it pauses, frames go on.
        let answer = async |json: Bytes| {
            let frame: LiveFrame = serde_json::from_slice(&json).unwrap();
            tried.lock().unwrap().push(frame.seq);
            let newer = match frame.seq {
                1 => 2..6,
                5 => 6..10,
                9 => 10..11,
                _ => 0..0,
            };
            for seq in newer {
                board.post(frame_of(seq)).unwrap();
            }
            if frame.seq == 10 {
                board.end();
            }
            if frame.seq < 9 { Err(throttled()) } else { Ok(()) }
        };
        let pauses = Pauses { first: Duration::from_millis(1), longest: Duration::from_millis(2) };
        let metrics = Metrics::default();
        let counts = publish(&board, pauses, &metrics, answer).await;
        assert_eq!(*tried.lock().unwrap(), [1, 5, 9, 10]);
        assert_eq!(counts, Publishing { published: 2, failed: 2, skipped: 6, error: None });
        assert_eq!(board.course().publishing, Some(counts));
        let text = metrics.text();
        for line in [
            "volley_aggregator_frames_published_total 2",
            "volley_aggregator_frames_skipped_total 6",
            r#"volley_aggregator_publish_failures_total{reason="Throttled"} 2"#,
            r#"volley_aggregator_publish_failures_total{reason="Denied"} 0"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }

    #[tokio::test]
    async fn the_end_is_not_held_up_by_an_iot_core_that_is_away() {
        let board = board(1..=3);
        let answer = async |_| {
            board.end();
            Err(throttled())
        };
        let pauses = Pauses { first: Duration::from_hours(1), longest: Duration::from_hours(1) };
        let metrics = Metrics::default();
        let publishing = publish(&board, pauses, &metrics, answer);
        let counts = tokio::time::timeout(Duration::from_secs(10), publishing).await.unwrap();
        assert_eq!((counts.failed, counts.published, counts.skipped), (1, 0, 2));
        assert!(counts.error.unwrap().contains("slow down"));
    }
}
