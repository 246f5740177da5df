//! The planner of a LoadTest. Pure.
//!
//! # Guarantees
//!
//! * A definition triggers at most one run: the annotation is written first, under the resource version that was seen, and alone
//!   decides; the run's name follows from it.
//! * Nothing triggers while the definition cannot run (a missing source or target); the trigger waits and goes on.
//! * `status.active` is never touched.

mod health;
mod history;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use volley_api::LoadTestStatus;
use volley_api::digest::TriggerMark;
use volley_api::load_test::Trigger;

use super::build;
use super::observed::{Observed, Triggered};
use crate::definition::Problem;
use volley_api::condition::{self, ConditionType, Status};

/// While something is missing: nobody tells the operator about `ConfigMaps`.
const MISSING: Duration = Duration::from_secs(5);
/// Else, against lost events.
const HEARTBEAT: Duration = Duration::from_mins(5);

/// What is done next.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// In order; each only when the one before has succeeded.
    pub actions: Vec<Action>,
    /// What the status says then. `active` is not ours and not looked at.
    pub status: LoadTestStatus,
    /// When to look again, at the latest.
    pub requeue: Duration,
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write the annotation `volley.dev/triggered` and, where a run follows, `volley.dev/triggering`, with the resource
    /// version that was seen.
    Decide {
        /// `v1:<digest>:<generation>`.
        triggered: String,
        /// A run follows.
        run: bool,
    },
    /// Make the run; that it exists already is success.
    CreateRun {
        /// Its name.
        name: String,
        /// Digest of the definition, `v1:<hexadecimal>`.
        digest: String,
    },
    /// Remove the annotation `volley.dev/triggering`.
    Settle,
    /// Delete a finished run.
    Prune {
        /// Its name.
        name: String,
        /// Its uid.
        uid: String,
    },
}

/// What to do next; `problem` is what [`crate::definition::check`] said.
#[must_use]
pub fn plan(observed: &Observed, problem: Option<&Problem>, now: Timestamp) -> Plan {
    let load_test = &observed.load_test;
    let mut status = load_test.status.clone().unwrap_or_default();
    status.observed_generation = load_test.metadata.generation;
    let (counts, last) = history::summary(&observed.runs);
    status.runs = Some(counts);
    status.regions = Some(i64::try_from(load_test.spec.regions.len()).unwrap_or(i64::MAX));
    status.workers = Some(load_test.spec.workers());
    // The newest run that ever was: a pruned or deleted one is still the last.
    status.last_run = last.or(status.last_run);

    let mut actions = Vec::new();
    if load_test.metadata.deletion_timestamp.is_none() {
        actions = trigger(observed, problem);
        actions.extend(history::prune(observed));
    }
    let health = health::health(observed, problem, &status, !actions.is_empty());
    let generation = load_test.metadata.generation;
    for (type_, (holds, reason, message)) in health {
        let Some(holds) = holds else {
            status.conditions.retain(|condition| condition.type_ != type_.as_str());
            continue;
        };
        set(&mut status.conditions, type_, holds, reason, message, generation, now);
    }
    let requeue = match problem {
        _ if actions.iter().any(|action| matches!(action, Action::Decide { run: true, .. })) => Duration::ZERO,
        Some(_) => MISSING,
        None => HEARTBEAT,
    };
    Plan { actions, status, requeue }
}

fn set(
    conditions: &mut Vec<Condition>,
    type_: ConditionType,
    status: Status,
    reason: &str,
    message: String,
    generation: Option<i64>,
    now: Timestamp,
) {
    condition::set(
        conditions,
        Condition {
            type_: type_.as_str().to_owned(),
            status: status.as_str().to_owned(),
            reason: reason.to_owned(),
            message,
            observed_generation: generation,
            last_transition_time: Time(now),
        },
    );
}

/// What the trigger does: finish what was decided, or decide.
fn trigger(observed: &Observed, problem: Option<&Problem>) -> Vec<Action> {
    let load_test = &observed.load_test;
    let triggered = observed.triggered();
    if observed.triggering()
        && let Triggered::By(mark) = &triggered
    {
        let name = build::run::triggered_name(load_test, mark);
        return vec![Action::CreateRun { name, digest: mark.digest.clone() }, Action::Settle];
    }
    let settle = observed.has_triggering().then_some(Action::Settle);
    let present = TriggerMark::of(&load_test.spec, load_test.metadata.generation.unwrap_or_default());
    let decide = |run| Action::Decide { triggered: present.to_string(), run };
    let decision = match (load_test.spec.trigger.unwrap_or_default(), &triggered) {
        (Trigger::Manual, _) | (Trigger::Once, Triggered::By(_)) => None,
        // A digest that cannot be compared is adopted: an upgrade of the operator starts no load.
        (Trigger::Once | Trigger::OnChange, Triggered::Unknown) => Some(decide(false)),
        (Trigger::Once | Trigger::OnChange, Triggered::Never) => problem.is_none().then(|| decide(true)),
        (Trigger::OnChange, Triggered::By(before)) => {
            (before.digest != present.digest && problem.is_none()).then(|| decide(true))
        }
    };
    settle.into_iter().chain(decision).collect()
}
