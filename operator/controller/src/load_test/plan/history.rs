//! Runs of a LoadTest: counted, and pruned when there are too many.

use jiff::Timestamp;
use volley_api::LoadTestRun;
use volley_api::load_test::LastRun;
use volley_api::load_test::RunCounts;
use volley_api::load_test_run::Phase;

use super::super::build;
use super::super::observed::{Observed, Triggered};
use super::Action;
use volley_api::condition::{self, ConditionType};

fn ended(run: &LoadTestRun, type_: ConditionType) -> bool {
    run.status.as_ref().is_some_and(|status| condition::is_true(&status.conditions, type_))
}

/// By creation, then by name, so that equal times have one order.
fn age(run: &LoadTestRun) -> (Timestamp, &str) {
    let created = run.metadata.creation_timestamp.as_ref().map_or(Timestamp::MAX, |time| time.0);
    (created, run.metadata.name.as_deref().unwrap_or_default())
}

/// How many there are, and the newest.
pub(super) fn summary(runs: &[LoadTestRun]) -> (RunCounts, Option<LastRun>) {
    let mut counts = RunCounts::default();
    for run in runs {
        match (ended(run, ConditionType::Finished), ended(run, ConditionType::Succeeded)) {
            (false, _) => counts.active += 1,
            (true, true) => counts.succeeded += 1,
            (true, false) => counts.failed += 1,
        }
    }
    let last = runs.iter().max_by_key(|run| age(run)).map(|run| {
        let status = run.status.clone().unwrap_or_default();
        LastRun {
            name: run.metadata.name.clone().unwrap_or_default(),
            phase: status.phase.unwrap_or(Phase::Pending),
            verdict: status.result.map(|result| result.verdict),
            finished_at: status.finished_at,
        }
    });
    (counts, last)
}

/// Finished runs beyond the history, oldest first. The run that decides the test's health stays.
pub(super) fn prune(observed: &Observed) -> Vec<Action> {
    let load_test = &observed.load_test;
    let deciding = match observed.triggered() {
        Triggered::By(mark) => Some(build::run::triggered_name(load_test, &mark)),
        Triggered::Never | Triggered::Unknown => None,
    };
    let surplus = |succeeded: bool, keep: i64| {
        let mut runs: Vec<_> = observed
            .runs
            .iter()
            .filter(|run| ended(run, ConditionType::Finished) && ended(run, ConditionType::Succeeded) == succeeded)
            .filter(|run| run.metadata.deletion_timestamp.is_none())
            .collect();
        runs.sort_by_key(|run| age(run));
        let count = runs.len().saturating_sub(usize::try_from(keep).unwrap_or(0));
        runs.into_iter().take(count)
    };
    let history = &load_test.spec.history;
    surplus(true, history.succeeded)
        .chain(surplus(false, history.failed))
        .filter(|run| run.metadata.name != deciding)
        .map(|run| Action::Prune {
            name: run.metadata.name.clone().unwrap_or_default(),
            uid: run.metadata.uid.clone().unwrap_or_default(),
        })
        .collect()
}
