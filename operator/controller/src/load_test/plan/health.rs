//! The conditions of a LoadTest.
//!
//! `Once` and `OnChange` make the verdict of their run the health of the object, so that `helm --wait` and sync waves wait for it;
//! with `Manual` only the definition counts.

use volley_api::load_test::Trigger;
use volley_api::{LoadTestRun, LoadTestStatus};

use super::super::build;
use super::super::observed::{Observed, Triggered};
use crate::definition::Problem;
use volley_api::condition::{self, ConditionType, Status};

/// Status (`None`: the condition does not apply), reason, message.
type Said = (Option<Status>, &'static str, String);

/// What the deciding run says.
enum RunHealth {
    /// No run decides.
    None,
    /// It has not ended, or is about to be made.
    UnderWay(String),
    /// It ended well.
    Succeeded(String),
    /// It ended otherwise.
    Failed(String),
}

pub(super) fn health(
    observed: &Observed,
    problem: Option<&Problem>,
    status: &LoadTestStatus,
    acting: bool,
) -> [(ConditionType, Said); 4] {
    let ready = match problem {
        None => (Some(Status::True), "Ready", "The definition can be run".to_owned()),
        Some(problem) => (Some(Status::False), problem_reason(problem), problem.to_string()),
    };
    let run = deciding_run(observed, status);
    let (reconciling, stalled) = match (problem, &run) {
        (_, RunHealth::UnderWay(message)) => (Some(message.clone()), None),
        (_, RunHealth::Failed(message)) => (None, Some(("RunFailed", message.clone()))),
        (Some(problem), _) if problem.may_heal() => (Some(problem.to_string()), None),
        (Some(problem), _) => (None, Some((problem_reason(problem), problem.to_string()))),
        (None, RunHealth::None) if acting && triggers(observed) => (Some("A run is being started".to_owned()), None),
        (None, RunHealth::None | RunHealth::Succeeded(_)) => (None, None),
    };
    let settled = match &run {
        RunHealth::Succeeded(message) => message.clone(),
        RunHealth::None | RunHealth::UnderWay(_) | RunHealth::Failed(_) => String::new(),
    };
    [
        (ConditionType::Ready, ready),
        (
            ConditionType::Reconciling,
            match reconciling {
                Some(message) => (Some(Status::True), "Progressing", message),
                None => (Some(Status::False), "Settled", settled.clone()),
            },
        ),
        (
            ConditionType::Stalled,
            match stalled {
                Some((reason, message)) => (Some(Status::True), reason, message),
                None => (Some(Status::False), "Settled", settled),
            },
        ),
        (ConditionType::DefinitionChanged, changed(observed)),
    ]
}

fn triggers(observed: &Observed) -> bool {
    match observed.load_test.spec.trigger.unwrap_or_default() {
        Trigger::Once | Trigger::OnChange => true,
        Trigger::Manual => false,
    }
}

fn problem_reason(problem: &Problem) -> &'static str {
    match problem {
        Problem::SourceNotFound { .. } => "SourceNotFound",
        Problem::TargetNotFound { .. } => "TargetNotFound",
        Problem::NamespaceNotAllowed { .. } => "NamespaceNotAllowed",
        Problem::RegionNotReady { .. } => "RegionNotReady",
        Problem::RegionPaused { .. } => "RegionPaused",
        Problem::QuotaExceeded { .. } => "QuotaExceeded",
        Problem::Invalid { .. } => "InvalidDefinition",
    }
}

/// `Once`: the run that the annotation names, also after edits. `OnChange`: the run of the present definition.
fn deciding_run(observed: &Observed, status: &LoadTestStatus) -> RunHealth {
    let load_test = &observed.load_test;
    let present = volley_api::digest::definition_digest(&load_test.spec);
    let mark = match (load_test.spec.trigger.unwrap_or_default(), observed.triggered()) {
        (Trigger::Once, Triggered::By(mark)) => mark,
        (Trigger::OnChange, Triggered::By(mark)) if mark.digest == present => mark,
        _ => return RunHealth::None,
    };
    let name = build::run::triggered_name(load_test, &mark);
    if let Some(run) = observed.runs.iter().find(|run| run.metadata.name.as_deref() == Some(&name)) {
        return of_run(run, &name);
    }
    if observed.triggering() {
        return RunHealth::UnderWay(format!("Run {name} is being created"));
    }
    // Pruned or deleted: what was known of it still counts, where it was the last one.
    match status.last_run.as_ref().filter(|last| last.name == name) {
        Some(last) if last.phase == volley_api::load_test_run::Phase::Succeeded => {
            RunHealth::Succeeded(format!("Run {name} succeeded"))
        }
        _ => RunHealth::None,
    }
}

fn of_run(run: &LoadTestRun, name: &str) -> RunHealth {
    let conditions = run.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let said = condition::find(conditions, ConditionType::Succeeded);
    let words = said.map(|said| format!(": {} ({})", said.message, said.reason)).unwrap_or_default();
    if !condition::is_true(conditions, ConditionType::Finished) {
        RunHealth::UnderWay(format!("Run {name} has not ended"))
    } else if condition::is_true(conditions, ConditionType::Succeeded) {
        RunHealth::Succeeded(format!("Run {name} succeeded"))
    } else {
        RunHealth::Failed(format!("Run {name} did not succeed{words}"))
    }
}

/// A `Once` test was edited after its run: what stands there was never run.
fn changed(observed: &Observed) -> Said {
    let load_test = &observed.load_test;
    let (Trigger::Once, Triggered::By(mark)) = (load_test.spec.trigger.unwrap_or_default(), observed.triggered())
    else {
        return (None, "", String::new());
    };
    if mark.digest == volley_api::digest::definition_digest(&load_test.spec) {
        return (Some(Status::False), "AsRun", "The definition is the one that was run".to_owned());
    }
    let message = "The definition was edited after its run, and trigger Once starts no other; use `volley run` or trigger OnChange";
    (Some(Status::True), "Edited", message.to_owned())
}
