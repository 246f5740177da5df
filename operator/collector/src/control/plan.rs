//! The decisions, in their order.

use jiff::{SignedDuration, Timestamp};
use volley_storage::documents::{DOCUMENT_VERSION, LateWorkers, StopReason};

use super::{
    Action, Delivery, Limits, MAXIMUM_DELAY_MS, Observed, Outcome, Plan, Refusal, RefusalReason, Sources, StartSeen,
    State, StopFile, TERMINATION_PATIENCE_MS,
};
use crate::disk;

/// The next step.
#[must_use]
pub fn plan(observed: &Observed, limits: &Limits, now: Timestamp) -> Plan {
    done(observed)
        .or_else(|| not_launched(observed, limits, now))
        .or_else(|| over(observed))
        .or_else(|| stop(observed, limits, now))
        .or_else(|| start(observed, limits, now))
        .unwrap_or_else(|| wait(observed, limits))
}

fn step(action: Action, state: State) -> Plan {
    Plan { action: Some(action), state, wake_at: None }
}

fn rest(state: State) -> Plan {
    Plan { action: None, state, wake_at: None }
}

/// Nothing is left. The process stays until it is told to end: a sidecar that exits by itself is started again.
fn done(observed: &Observed) -> Option<Plan> {
    let state = if observed.refused { State::Refused } else { State::Done };
    let begun = observed.launched || observed.stopping;
    let over = observed.uploaded || observed.refused || (begun && observed.delivered == Some(Outcome::GaveUp));
    over.then(|| if observed.terminating_ms.is_some() { step(Action::Exit, state) } else { rest(state) })
}

fn not_launched(observed: &Observed, limits: &Limits, now: Timestamp) -> Option<Plan> {
    // A stop before the launch makes the launcher leave without samples, exactly as one at the gate.
    if observed.launched || observed.stopping || observed.stop.is_some() {
        return None;
    }
    if observed.terminating_ms.is_some() {
        return Some(step(Action::Exit, State::Fetching));
    }
    if let Some(seen) = &observed.start {
        if let Some(refused) = excluded(seen, limits, now) {
            return Some(refused);
        }
        if seen.decision.late_workers == LateWorkers::Refuse {
            let message = format!(
                "the start at {} was decided before this pod was there; it does not start late load",
                seen.decision.start_at
            );
            return Some(refuse(RefusalReason::Late, message));
        }
    }
    Some(match (observed.sources, observed.delivered) {
        (Sources::Failed, None) => step(Action::Deliver(Delivery::Failure), State::Delivering),
        (Sources::Failed, Some(_)) => refuse(
            RefusalReason::FetchFailed,
            "definition or sources cannot be used; failed.json of this worker says why".to_owned(),
        ),
        (Sources::Ready, _) if observed.start_looked_for => step(Action::Launch, State::Preparing),
        (Sources::Ready | Sources::Pending, _) => rest(State::Fetching),
    })
}

/// Taurus is gone, or it is given up.
fn over(observed: &Observed) -> Option<Plan> {
    let given_up = observed.terminating_ms.is_some_and(|waited| waited >= TERMINATION_PATIENCE_MS);
    if !(observed.ended || given_up) {
        // The launcher writes `ended.json` behind every `failed.json`; until then the logs are still being written.
        return observed.failed.then(|| rest(State::Delivering));
    }
    if observed.delivered.is_some() {
        return Some(step(Action::ConfirmUpload, State::Delivering));
    }
    // A worker took part when its gate was opened, or when a decision (not the end of its pod) made it leave before.
    let decided =
        observed.stopping && !observed.failed && (observed.stop.is_some() || observed.terminating_ms.is_none());
    let took_part = observed.opened || decided;
    Some(if took_part && observed.sources == Sources::Pending && !given_up {
        // A restarted collector: the definition is on its way.
        rest(State::Delivering)
    } else if took_part {
        step(Action::Deliver(Delivery::Results), State::Delivering)
    } else {
        step(Action::Deliver(Delivery::Failure), State::Delivering)
    })
}

fn stop(observed: &Observed, limits: &Limits, now: Timestamp) -> Option<Plan> {
    if observed.stopping {
        return Some(rest(State::Stopping));
    }
    let (reason, message) = if let Some(decision) = &observed.stop {
        (decision.reason, decision.message.clone())
    } else if observed.terminating_ms.is_some() {
        (StopReason::Deleted, "the pod was told to end".to_owned())
    } else if load_ends_at(observed, limits).is_some_and(|end| now >= end) {
        (StopReason::DeadlineExceeded, format!("load ran for the longest allowed time, {} ms", limits.max_load_ms))
    } else if late_load_ends_at(observed, limits).is_some_and(|end| now >= end) {
        (StopReason::DeadlineExceeded, "the worker was late, and its load ends with that of the others".to_owned())
    } else if observed.without_storage_ms >= limits.max_uncontrolled_ms {
        let message =
            format!("the storage did not answer for {} ms, so nobody could stop the load", limits.max_uncontrolled_ms);
        (StopReason::Uncontrolled, message)
    } else if let Some(free) = observed.free_bytes.filter(|free| observed.opened && *free < disk::TOO_LITTLE) {
        let (free, least) = (free >> 20, disk::TOO_LITTLE >> 20);
        (StopReason::DiskFull, format!("{free} MiB are free on the worker's disk, less than {least} MiB"))
    } else {
        return None;
    };
    Some(step(Action::Stop(StopFile { version: DOCUMENT_VERSION, reason, message }), State::Stopping))
}

fn start(observed: &Observed, limits: &Limits, now: Timestamp) -> Option<Plan> {
    let seen = observed.start.as_ref().filter(|_| !observed.opened)?;
    if let Some(refused) = excluded(seen, limits, now) {
        return Some(refused);
    }
    if seen.decision.late_workers == LateWorkers::Refuse
        && let Some(message) = late(seen, observed.prepared, now)
    {
        return Some(refuse(RefusalReason::Late, message));
    }
    (now >= seen.decision.start_at && observed.prepared).then(|| step(Action::OpenGate, State::Running))
}

/// The decision leaves no load for this worker, late or not.
fn excluded(seen: &StartSeen, limits: &Limits, now: Timestamp) -> Option<Plan> {
    if !seen.decision.includes(&limits.target) {
        let message = format!("RegionTarget {} takes no part in this run's start", limits.target);
        return Some(refuse(RefusalReason::NotInRegions, message));
    }
    (now >= after(seen.decision.start_at, limits.load_ms)).then(|| {
        let message = format!("the load that began at {} is over", seen.decision.start_at);
        refuse(RefusalReason::Late, message)
    })
}

/// Why the worker cannot start at the instant any more.
fn late(seen: &StartSeen, prepared: bool, now: Timestamp) -> Option<String> {
    let start_at = seen.decision.start_at;
    if seen.at >= start_at {
        Some(format!("the start at {start_at} was read at {}, after the instant", seen.at))
    } else if now >= start_at && !prepared {
        Some(format!("Taurus was not prepared at the start instant {start_at}"))
    } else if now.duration_since(start_at) > SignedDuration::from_millis(MAXIMUM_DELAY_MS) {
        Some(format!("the start instant {start_at} was missed by more than {MAXIMUM_DELAY_MS} ms"))
    } else {
        None
    }
}

fn wait(observed: &Observed, limits: &Limits) -> Plan {
    let state = match (observed.opened, observed.prepared) {
        (true, _) => State::Running,
        (false, true) => State::Prepared,
        (false, false) => State::Preparing,
    };
    let wake_at = if observed.opened {
        [load_ends_at(observed, limits), late_load_ends_at(observed, limits)].into_iter().flatten().min()
    } else {
        observed.start.as_ref().map(|seen| seen.decision.start_at)
    };
    Plan { action: None, state, wake_at }
}

/// When the collector stops the load by itself. After a restart without storage the gate's own instant stands in.
fn load_ends_at(observed: &Observed, limits: &Limits) -> Option<Timestamp> {
    let started_at = observed.start.as_ref().map(|seen| seen.decision.start_at).or(observed.released_at)?;
    observed.opened.then(|| after(started_at, limits.max_load_ms))
}

/// When the load of a worker that joined late ends: with that of the others.
fn late_load_ends_at(observed: &Observed, limits: &Limits) -> Option<Timestamp> {
    let decision = &observed.start.as_ref()?.decision;
    let joined = decision.late_workers == LateWorkers::Join && decision.lateness(observed.released_at?).is_some();
    joined.then(|| after(decision.start_at, limits.load_ms))
}

fn after(instant: Timestamp, milliseconds: u64) -> Timestamp {
    let duration = SignedDuration::from_millis(i64::try_from(milliseconds).unwrap_or(i64::MAX));
    instant.checked_add(duration).unwrap_or(Timestamp::MAX)
}

fn refuse(reason: RefusalReason, message: String) -> Plan {
    step(Action::Refuse(Refusal { version: DOCUMENT_VERSION, reason, message }), State::Refused)
}
