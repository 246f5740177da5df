//! Writes a run's status where it changed, and tells what changed.

use kube::api::Api;
use kube::{Resource, ResourceExt};
use serde_json::json;
use volley_api::load_test_run::EndReason;
use volley_api::{LoadTestRun, LoadTestRunStatus, labels};

use super::error::Error;
use crate::context::Context;
use crate::events::Notice;
use crate::kubernetes;
use crate::metrics::phase_time;
use volley_api::condition::{self, ConditionType};

/// Writes what a plan says about a run, if it says something new.
pub(super) async fn report(run: &LoadTestRun, status: &LoadTestRunStatus, context: &Context) -> Result<(), Error> {
    let before = own(run.status.clone().unwrap_or_default());
    let after = own(status.clone());
    let Some(body) = kubernetes::changed(&before, &after) else { return Ok(()) };
    let api: Api<LoadTestRun> = Api::namespaced(context.client.clone(), &run.namespace().unwrap_or_default());
    let written =
        kubernetes::apply_status(&api, &run.name_any(), labels::MANAGER, json!({"uid": run.metadata.uid}), body).await;
    match written {
        Ok(()) => {}
        // Its finalizer was taken off in this step: there is nobody left to tell.
        Err(error) if error.code() == Some(404) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    count(run, &before, &after, context);
    context.events.tell(&run.object_ref(&()), notices(&before, &after)).await;
    Ok(())
}

/// Counts the end of a run, and the time that it spent in the phase which it leaves.
fn count(run: &LoadTestRun, before: &LoadTestRunStatus, after: &LoadTestRunStatus, context: &Context) {
    let created = run.metadata.creation_timestamp.as_ref().map(|time| time.0);
    if let (Some(phase), Some(created)) = (before.phase.filter(|phase| Some(*phase) != after.phase), created)
        && let Some(time) = phase_time(before, created, (context.now)())
    {
        context.metrics.phase_left(phase, time);
    }
    let end = |status: &LoadTestRunStatus| -> Option<EndReason> {
        let ended = condition::is_true(&status.conditions, ConditionType::Finished);
        condition::find(&status.conditions, ConditionType::Succeeded).filter(|_| ended)?.reason.parse().ok()
    };
    if let (None, Some(reason)) = (end(before), end(after)) {
        context.metrics.run_finished(reason);
    }
}

/// The part of a status that the operator writes.
fn own(mut status: LoadTestRunStatus) -> LoadTestRunStatus {
    status.live = None;
    status.result = None;
    status
}

/// What is worth telling about the way from one status to another.
fn notices(before: &LoadTestRunStatus, after: &LoadTestRunStatus) -> Vec<Notice> {
    let mut notices = Vec::new();
    let mut tell = |warning, reason: &str, action, note: String| {
        notices.push(Notice { warning, reason: reason.to_owned(), action, note });
    };
    let became = |type_| {
        let now = condition::find(&after.conditions, type_).filter(|condition| condition.status == "True")?;
        (!condition::is_true(&before.conditions, type_)).then_some(now)
    };
    let waits = |status: &LoadTestRunStatus| {
        condition::find(&status.conditions, ConditionType::Planned)
            .filter(|condition| condition.status == "False")
            .map(|condition| (condition.reason.clone(), condition.message.clone()))
    };
    if let Some((reason, message)) = waits(after).filter(|wait| waits(before).as_ref() != Some(wait)) {
        tell(true, &reason, "Planning", message);
    }
    if became(ConditionType::Planned).is_some()
        && let Some(plan) = &after.plan
    {
        tell(false, "Planned", "Planning", format!("{} workers, load of {}", plan.workers, plan.duration));
    }
    for region in &after.regions {
        let known = before.regions.iter().any(|other| other.target == region.target && other.message.is_some());
        if let Some(message) = region.message.as_ref().filter(|_| !known) {
            tell(true, "WorkersWaiting", "Provisioning", format!("{}: {message}", region.target));
        }
    }
    if let (Some(at), None) = (&after.start_at, &before.start_at) {
        tell(false, "StartDecided", "Starting", format!("All workers begin at {}", at.0));
    }
    if let Some(condition) = became(ConditionType::Collected) {
        tell(false, "Collected", "Collecting", condition.message.clone());
    }
    if became(ConditionType::Finished).is_some()
        && let Some(succeeded) = condition::find(&after.conditions, ConditionType::Succeeded)
    {
        tell(succeeded.status != "True", &succeeded.reason, "Finishing", succeeded.message.clone());
    }
    notices
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

    use super::*;

    fn status(conditions: &[(ConditionType, &str, &str)]) -> LoadTestRunStatus {
        let conditions = conditions
            .iter()
            .map(|(type_, status, reason)| Condition {
                type_: type_.as_str().into(),
                status: (*status).into(),
                reason: (*reason).into(),
                message: "words".into(),
                observed_generation: None,
                last_transition_time: Time(Timestamp::UNIX_EPOCH),
            })
            .collect();
        LoadTestRunStatus { conditions, ..LoadTestRunStatus::default() }
    }

    #[test]
    fn an_end_is_told_once_with_its_reason() {
        let running = status(&[(ConditionType::Finished, "False", "Running")]);
        let failed = status(&[
            (ConditionType::Finished, "True", "ScriptFailed"),
            (ConditionType::Succeeded, "False", "ScriptFailed"),
        ]);
        let told = notices(&running, &failed);
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].warning, told[0].reason.as_str(), told[0].note.as_str()), (true, "ScriptFailed", "words"));
        assert_eq!(notices(&failed, &failed), []);
    }

    #[test]
    fn a_missing_source_is_told_once_while_the_run_waits() {
        let waiting = status(&[(ConditionType::Planned, "False", "SourceUnavailable")]);
        assert_eq!(notices(&LoadTestRunStatus::default(), &waiting)[0].reason, "SourceUnavailable");
        assert_eq!(notices(&waiting, &waiting), []);
    }

    #[test]
    fn what_the_aggregator_writes_is_not_the_operators() {
        let live: LoadTestRunStatus = serde_json::from_value(serde_json::json!({
            "live": {"at": "2026-11-25T10:00:00Z", "users": 1, "requestRate": "1/s", "errorRate": "0%"}}))
        .unwrap();
        assert_eq!(own(live), LoadTestRunStatus::default());
    }
}
