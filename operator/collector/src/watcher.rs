//! Looks about each second what was decided about the run.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use volley_storage::documents::{StartDecision, StopDecision};
use volley_storage::objects::Document;
use volley_storage::{ObjectError, ObjectStore, keys};

use crate::clock::ClockComparison;
use crate::control::StartSeen;

/// How long one answer may take. The SDK would wait and repeat for longer; the next look is a repetition too, and a stop must not
/// wait behind a hanging request.
const PATIENCE: Duration = Duration::from_secs(4);

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
    loop {
        if sender.is_closed() {
            return;
        }
        let began = Instant::now();
        let known = sender.borrow().clone();
        let (start, stop) = tokio::join!(
            ask::<StartDecision>(&store, &start_key, known.start.is_some()),
            ask::<StopDecision>(&store, &stop_key, known.stop.is_some()),
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
        sleep(clock.pause(now(), began.elapsed())).await;
    }
}

/// `None`: no answer. `Some(None)`: the document is not there, or known already.
async fn ask<D: Document>(store: &ObjectStore, key: &str, known: bool) -> Option<Option<D>> {
    if known {
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
