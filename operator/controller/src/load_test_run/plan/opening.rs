//! From a new run to a frozen definition: the claim, then what the definition refers to.

use std::time::Duration;

use volley_api::load_test::Trigger;
use volley_api::load_test_run::EndReason;

use super::draft::Draft;
use super::ending::{self, Conclusion};
use super::observed::RivalState;
use super::{Action, timing};
use crate::definition::{Candidate, Problem};
use volley_api::condition::{ConditionType, Status};

/// How often a run looks for what it misses.
const WAITING: Duration = Duration::from_secs(2);
/// How often a run looks whether its predecessor is cleaned.
const PREDECESSOR: Duration = Duration::from_secs(1);

/// The LoadTest is there: claim it, then freeze what it says.
pub(super) fn open(draft: &mut Draft<'_>, candidate: Result<&Candidate, Problem>) {
    if leaves_early(draft) || superseded(draft) || !claimed(draft) {
        return;
    }
    match candidate {
        Ok(candidate) => {
            draft.act(Action::Freeze(Box::new(candidate.clone())));
            draft.progress("Planning", "The definition is being frozen");
            draft.at_once();
        }
        Err(problem) if problem.may_heal() => wait(draft, ending::of_problem(&problem), &problem.to_string()),
        Err(problem) => draft.conclude(&Conclusion::new(ending::of_problem(&problem), problem.to_string())),
    }
}

/// There is no LoadTest to open the run from.
pub(super) fn without_load_test(draft: &mut Draft<'_>) {
    if leaves_early(draft) {
        return;
    }
    let run = &draft.observed.run;
    let message = format!(
        "LoadTest {}/{} does not exist; create it, or write another name into spec.loadTest of a new run",
        run.metadata.namespace.as_deref().unwrap_or_default(),
        run.spec.load_test
    );
    wait(draft, EndReason::InvalidDefinition, &message);
}

/// Deleted or stopped before anything was made.
fn leaves_early(draft: &mut Draft<'_>) -> bool {
    let observed = draft.observed;
    let stopped = |message: String| Conclusion::new(EndReason::Stopped, message);
    if observed.deleting_since().is_some() {
        draft.conclude(&stopped("The run was deleted before it began".to_owned()));
    } else if let Some(stop) = &observed.run.spec.stop {
        draft.conclude(&stopped(format!("Stopped before it began: {}", stop.reason)));
    } else if let Some(refusal) = observed.refusals.first() {
        draft.conclude(&Conclusion::new(refusal.reason, refusal.message.clone()));
    } else {
        return false;
    }
    true
}

/// The definition changed between trigger and claim, and the change triggers a run of its own.
fn superseded(draft: &mut Draft<'_>) -> bool {
    let Some(load_test) = &draft.observed.load_test else { return false };
    let Some(digest) = &draft.observed.run.spec.definition_digest else { return false };
    if load_test.spec.trigger != Some(Trigger::OnChange)
        || *digest == volley_api::digest::definition_digest(&load_test.spec)
    {
        return false;
    }
    draft.conclude(&Conclusion::new(
        EndReason::Superseded,
        "The definition changed before this run began; the change has triggered a run of its own",
    ));
    true
}

/// True where the run holds its LoadTest's claim. Otherwise the plan takes it, waits, or ends.
pub(super) fn claimed(draft: &mut Draft<'_>) -> bool {
    if draft.observed.holds_claim() {
        return true;
    }
    let rivals: Vec<_> = draft.live_rivals().collect();
    let names = |state| {
        let names: Vec<_> = rivals
            .iter()
            .filter(|rival| rival.state == state)
            .map(|rival| rival.name.clone().unwrap_or_else(|| rival.uid.clone()))
            .collect();
        names.join(", ")
    };
    let (active, ending) = (names(RivalState::Active), names(RivalState::Ending));
    if !active.is_empty() {
        draft.conclude(&Conclusion::new(
            EndReason::ConcurrencyForbidden,
            format!("Run {active} of the same LoadTest was active; wait for its end or stop it, then start a new run"),
        ));
    } else if ending.is_empty() {
        draft.act(Action::SetActive(draft.active(true)));
        draft.progress("Claiming", "The run takes its turn");
        draft.at_once();
    } else {
        // It has ended; only its Jobs are still going. No reason to refuse this run.
        draft.progress("Claiming", &format!("Run {ending} has ended and is being cleaned"));
        draft.within(PREDECESSOR);
    }
    false
}

fn wait(draft: &mut Draft<'_>, reason: EndReason, message: &str) {
    let created = draft.observed.run.metadata.creation_timestamp.as_ref().map_or(draft.now, |time| time.0);
    let limit = timing::after(created, timing::MISSING_LIMIT);
    if draft.now >= limit {
        draft.conclude(&Conclusion::new(reason, format!("{message} (waited 60 s)")));
        return;
    }
    draft.condition(ConditionType::Planned, Status::False, reason.as_str(), message);
    draft.progress("Waiting", message);
    draft.within(WAITING.min(timing::until(draft.now, limit)));
}
