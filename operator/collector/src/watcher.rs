//! Looks about each second what was decided about the run.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use volley_storage::documents::{StartDecision, StopDecision};
use volley_storage::objects::Document;
use volley_storage::{ObjectError, ObjectStore, keys};

use crate::clock::ClockComparison;
use crate::control::StartSeen;

/// Before the start is known, a stop only makes a worker leave that makes no load yet: it is asked for at each so many looks, so
/// that waiting costs little more than one request a second.
const LOOKS_PER_STOP: u32 = 5;
/// How long one answer may take. The SDK would wait and repeat for longer; the next look is a repetition too, and a stop must not
/// wait behind a hanging request.
const PATIENCE: Duration = Duration::from_secs(4);
/// So long before and after the start nobody asks: in that instant the gate has to open, and the storage would be asked by all
/// workers at once.
const QUIET: SignedDuration = SignedDuration::from_millis(500);

/// What is known of the decisions.
#[derive(Clone, Debug)]
pub(crate) struct Decisions {
    /// The storage has said at least once whether there is a start decision.
    pub(crate) start_looked_for: bool,
    /// The start decision.
    pub(crate) start: Option<StartSeen>,
    /// The stop decision.
    pub(crate) stop: Option<StopDecision>,
    /// When the storage last gave an answer that could be understood.
    pub(crate) answered: Instant,
}

/// Asks until nobody listens any more.
pub(crate) async fn watch_decisions(
    store: ObjectStore,
    run_uid: Arc<str>,
    sender: watch::Sender<Decisions>,
    now: fn() -> Timestamp,
) {
    let mut clock = ClockComparison::default();
    let (start_key, stop_key) = (keys::start(&run_uid), keys::stop(&run_uid));
    for look in (0..LOOKS_PER_STOP).cycle() {
        if sender.is_closed() {
            return;
        }
        let began = Instant::now();
        let (start_known, stop_known) = {
            let known = sender.borrow();
            (known.start.is_some(), known.stop.is_some())
        };
        // Once the start is known, a stop must not come later than the gate opens.
        let stop_is_due = start_known || look == 0;
        let (start, stop) = tokio::join!(
            ask::<StartDecision>(&store, &start_key, !start_known),
            ask::<StopDecision>(&store, &stop_key, stop_is_due && !stop_known),
        );
        let read_at = now();
        sender.send_modify(|decisions| {
            if start.is_some() && stop.is_some() {
                decisions.answered = Instant::now();
            }
            decisions.start_looked_for |= start.is_some();
            if let Some(Some(decision)) = start {
                tracing::info!(start_at = %decision.start_at, "the start decision was read");
                decisions.start = Some(StartSeen { decision, at: read_at });
            }
            if let Some(Some(decision)) = stop {
                tracing::info!(reason = ?decision.reason, "the stop decision was read");
                decisions.stop = Some(decision);
            }
        });
        // Each answer compares the clocks too, so the next question comes when its answer says most about them.
        if let Some(date) = store.last_date() {
            clock.observe(date, None);
        }
        let start_at = sender.borrow().start.as_ref().map(|start| start.decision.start_at);
        let asked_at = now();
        sleep(around_the_start(clock.pause(asked_at, began.elapsed()), asked_at, start_at)).await;
    }
}

/// The pause from now to the next question, longer where that would fall into the opening of the gate.
fn around_the_start(pause: Duration, now: Timestamp, start_at: Option<Timestamp>) -> Duration {
    let next = now.checked_add(pause).unwrap_or(Timestamp::MAX);
    match start_at {
        // Twice: a question for the turn of a second stays one, and the questions of many workers stay apart.
        Some(start_at) if next.duration_since(start_at).abs() < QUIET => pause + QUIET.unsigned_abs() * 2,
        _ => pause,
    }
}

/// `None`: no answer. `Some(None)`: the document is not there, known already or not due.
async fn ask<D: Document>(store: &ObjectStore, key: &str, due: bool) -> Option<Option<D>> {
    if !due {
        // The other request of this look says whether the storage answers.
        return Some(None);
    }
    match timeout(PATIENCE, store.get_document::<D>(key)).await {
        Ok(Ok(found)) => Some(found.map(|(document, _)| document)),
        Ok(Err(error)) => {
            report(key, &error);
            None
        }
        Err(_) => {
            tracing::warn!(key, seconds = PATIENCE.as_secs(), "the storage did not answer in time");
            None
        }
    }
}

fn report(key: &str, error: &ObjectError) {
    tracing::warn!(key, %error, "the storage gave no answer that helps");
}

#[cfg(test)]
mod tests {
    use volley_storage::documents::{DOCUMENT_VERSION, LateWorkers, StopReason};
    use volley_storage::embedded::Server;

    use super::*;

    #[rstest::rstest]
    #[case::long_before(8_000, 1_100, 1_100)]
    #[case::just_before(8_800, 1_000, 2_000)]
    #[case::at_the_instant(9_000, 1_000, 2_000)]
    #[case::just_after(9_400, 1_000, 2_000)]
    #[case::after(9_600, 1_000, 1_000)]
    fn no_question_is_asked_while_the_gate_opens(#[case] now_ms: i64, #[case] pause_ms: u64, #[case] expected_ms: u64) {
        let at = |milliseconds| Timestamp::from_millisecond(milliseconds).unwrap();
        let pause = Duration::from_millis(pause_ms);
        let expected = Duration::from_millis(expected_ms);
        assert_eq!(around_the_start(pause, at(now_ms), Some(at(10_000))), expected);
        assert_eq!(around_the_start(pause, at(now_ms), None), pause);
    }

    #[tokio::test]
    async fn waiting_costs_little_more_than_a_request_a_second_and_a_stop_is_still_seen() {
        let place = tempfile::tempdir().unwrap();
        let server = Server::start_on_free_ports(place.path()).await.unwrap();
        let (sender, mut decisions) =
            watch::channel(Decisions { start_looked_for: false, start: None, stop: None, answered: Instant::now() });
        let objects = server.objects_of_run("run");
        let watching = tokio::spawn(watch_decisions(objects.clone(), "run".into(), sender, Timestamp::now));
        decisions.wait_for(|decisions| decisions.start_looked_for).await.unwrap();
        // The first look asks for both, the next four for the start alone.
        assert_eq!(objects.requests().reads, 2);
        decisions.changed().await.unwrap();
        assert_eq!(objects.requests().reads, 3);

        let start = StartDecision {
            version: DOCUMENT_VERSION,
            start_at: Timestamp::now() + SignedDuration::from_mins(1),
            regions: Vec::new(),
            late_workers: LateWorkers::Refuse,
            left_out: [].into(),
        };
        server.objects().put_document_once(&keys::start("run"), &start).await.unwrap();
        decisions.wait_for(|decisions| decisions.start.is_some()).await.unwrap();
        let stop = StopDecision {
            version: DOCUMENT_VERSION,
            reason: StopReason::Requested,
            message: String::new(),
            at: Timestamp::now(),
        };
        server.objects().put_document_once(&keys::stop("run"), &stop).await.unwrap();
        let asked = objects.requests().reads;
        decisions.wait_for(|decisions| decisions.stop.is_some()).await.unwrap();
        assert!(objects.requests().reads <= asked + 2, "with a known start each look asks for a stop");
        watching.abort();
    }
}
