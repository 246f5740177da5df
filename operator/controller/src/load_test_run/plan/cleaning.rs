//! After the end: annotation, Jobs, claim, finalizer, in this order. Each waits for the one before, so that the claim is given back
//! only when no pod of the run can make load any more.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use volley_api::load_test_run::EndReason;

use super::draft::Draft;
use super::ending::Conclusion;
use super::{Action, timing};
use volley_api::condition::ConditionType;

/// How often the deletion of a Job is looked at.
const CADENCE: Duration = Duration::from_secs(1);
/// How often a region that is away is looked for.
const AWAY_CADENCE: Duration = Duration::from_secs(5);

pub(super) fn clean(draft: &mut Draft<'_>) {
    let observed = draft.observed;
    if !draft.condition_is_true(ConditionType::Finished) {
        restore(draft);
        return;
    }
    if observed.finished_annotation().is_none() {
        let at = draft.status.finished_at.as_ref().map_or(draft.now, |time| time.0);
        draft.act(Action::MarkFinished(at));
    }
    for (target, seen) in &observed.regions {
        if let Some(job) = seen.job.as_ref().filter(|job| !job.deleting && job.run_uid == observed.uid()) {
            draft.act(Action::DeleteWorkerJob { target: target.clone(), uid: job.uid.clone() });
        }
    }
    if let Some(job) = observed.aggregator.as_ref().filter(|job| !job.deleting && job.run_uid == observed.uid()) {
        draft.act(Action::DeleteAggregatorJob { uid: job.uid.clone() });
    }
    if observed.jobs_of_the_run() {
        draft.within(CADENCE);
        return;
    }
    let away: Vec<_> =
        observed.regions.iter().filter(|(_, seen)| seen.away.is_some()).map(|(target, _)| target).collect();
    if observed.has_finalizer() && !away.is_empty() {
        let finished = draft.status.finished_at.as_ref().map_or(draft.now, |time| time.0);
        let limit = if observed.deleting_since().is_some() { timing::DELETED_AWAY_LIMIT } else { timing::AWAY_LIMIT };
        let gives_up = timing::after(finished, limit);
        if draft.now < gives_up {
            draft.within(AWAY_CADENCE.min(timing::until(draft.now, gives_up)));
            return;
        }
        for target in away {
            draft.act(Action::NoteLeftovers { target: target.clone() });
        }
    }
    if observed.holds_claim() {
        draft.act(Action::SetActive(draft.active(false)));
    }
    if observed.has_finalizer() {
        draft.act(Action::RemoveFinalizer);
    }
}

/// The annotation survived a restore from backup, the status did not. The run is over; its results are where they were.
fn restore(draft: &mut Draft<'_>) {
    let ended = draft.observed.finished_annotation().unwrap_or_default().to_owned();
    draft.status.finished_at = ended.parse().ok().map(Time);
    draft.conclude(&Conclusion::new(
        EndReason::Restored,
        format!("The run ended at {ended}, before its object was restored; its results are in the storage"),
    ));
}
