//! One case for each decision about a LoadTest, and the trigger under random orders of edits, crashes and repetitions.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;
use volley_api::condition::{self, ConditionType};
use volley_api::{LoadTest, LoadTestRun, labels};

use super::super::observed::TRIGGERING;
use super::*;
use crate::definition::References;
use crate::fixtures;

fn now() -> Timestamp {
    "2026-11-25T10:00:00Z".parse().unwrap()
}

fn observed(trigger: &str) -> Observed {
    Observed {
        load_test: fixtures::load_test(json!({"trigger": trigger})),
        runs: Vec::new(),
        references: References::default(),
    }
}

fn annotate(load_test: &mut LoadTest, key: &str, value: &str) {
    load_test.metadata.annotations.get_or_insert_default().insert(key.to_owned(), value.to_owned());
}

fn mark(observed: &Observed) -> TriggerMark {
    TriggerMark::of(&observed.load_test.spec, observed.load_test.metadata.generation.unwrap())
}

/// Triggered by its present definition.
fn triggered(trigger: &str) -> Observed {
    let mut observed = observed(trigger);
    let text = mark(&observed).to_string();
    annotate(&mut observed.load_test, labels::TRIGGERED, &text);
    observed
}

fn edit(observed: &mut Observed) {
    observed.load_test.spec.load.users_per_worker += 1;
    *observed.load_test.metadata.generation.as_mut().unwrap() += 1;
}

fn run(name: &str, created: i64, end: Option<&str>) -> LoadTestRun {
    let conditions = end.map_or_else(Vec::new, |reason| {
        let condition = |type_: &str, status: bool| {
            json!({"type": type_, "status": if status { "True" } else { "False" }, "reason": reason, "message": "words",
                "lastTransitionTime": "2026-11-25T09:00:00Z"})
        };
        vec![condition("Finished", true), condition("Succeeded", reason == "Completed")]
    });
    let phase = volley_api::load_test_run::phase(&serde_json::from_value::<Vec<_>>(json!(conditions)).unwrap());
    let mut run: LoadTestRun = serde_json::from_value(json!({
        "apiVersion": "volley.dev/v1alpha1", "kind": "LoadTestRun",
        "metadata": {"name": name, "namespace": "shop", "uid": format!("uid-{name}")},
        "spec": {"loadTest": "checkout"},
        "status": {"phase": phase, "conditions": conditions}}))
    .unwrap();
    run.metadata.creation_timestamp = Some(Time(Timestamp::from_second(created).unwrap()));
    run
}

fn said(plan: &Plan, type_: ConditionType) -> Option<(&str, &str)> {
    condition::find(&plan.status.conditions, type_).map(|found| (found.status.as_str(), found.reason.as_str()))
}

#[rstest]
#[case::once("Once", true)]
#[case::on_change("OnChange", true)]
#[case::manual("Manual", false)]
fn a_new_load_test_decides_by_its_trigger(#[case] trigger: &str, #[case] decides: bool) {
    let observed = observed(trigger);
    let plan = plan(&observed, None, now());
    let expected = Action::Decide { triggered: mark(&observed).to_string(), run: true };
    assert_eq!(plan.actions, if decides { vec![expected] } else { vec![] });
}

#[test]
fn what_was_decided_is_made_and_then_settled() {
    let mut observed = triggered("Once");
    annotate(&mut observed.load_test, TRIGGERING, "test-uid");
    let mark = mark(&observed);
    let plan = plan(&observed, None, now());
    let name = format!("checkout-{}-1", &mark.digest[3..11]);
    assert_eq!(plan.actions, [Action::CreateRun { name, digest: mark.digest }, Action::Settle]);
}

#[test]
fn a_load_test_that_was_restored_from_a_backup_starts_nothing() {
    let mut observed = triggered("Once");
    annotate(&mut observed.load_test, TRIGGERING, "the uid before the restore");
    assert_eq!(plan(&observed, None, now()).actions, [Action::Settle]);
}

#[rstest]
#[case::once("Once", false)]
#[case::on_change("OnChange", true)]
fn an_edit_starts_a_run_only_on_change(#[case] trigger: &str, #[case] decides: bool) {
    let mut observed = triggered(trigger);
    edit(&mut observed);
    let plan = plan(&observed, None, now());
    assert_eq!(plan.actions.len(), usize::from(decides));
    assert_eq!(said(&plan, ConditionType::DefinitionChanged), (trigger == "Once").then_some(("True", "Edited")));
}

#[rstest]
#[case("Once")]
#[case("OnChange")]
fn a_mark_of_another_release_is_adopted_without_a_run(#[case] trigger: &str) {
    let mut observed = observed(trigger);
    annotate(&mut observed.load_test, labels::TRIGGERED, "v9:whatever:7");
    let expected = Action::Decide { triggered: mark(&observed).to_string(), run: false };
    assert_eq!(plan(&observed, None, now()).actions, [expected]);
}

#[rstest]
#[case::a_missing_source(Problem::SourceNotFound { namespace: "shop".into(), name: "s".into(), missing: "does not exist".into() }, "SourceNotFound", true)]
#[case::a_missing_target(Problem::TargetNotFound { target: "mars".into() }, "TargetNotFound", true)]
#[case::a_contradiction(Problem::Invalid { message: "both".into() }, "InvalidDefinition", false)]
fn the_trigger_waits_for_what_is_missing(#[case] problem: Problem, #[case] reason: &str, #[case] heals: bool) {
    let plan = plan(&observed("Once"), Some(&problem), now());
    assert_eq!(plan.actions, []);
    assert_eq!(said(&plan, ConditionType::Ready), Some(("False", reason)));
    let status = |holds: bool| if holds { "True" } else { "False" };
    assert_eq!(said(&plan, ConditionType::Reconciling).unwrap().0, status(heals));
    assert_eq!(said(&plan, ConditionType::Stalled).unwrap().0, status(!heals));
    assert_eq!(plan.requeue, MISSING);
}

#[rstest]
#[case::it_runs("Once", None, ("True", "False"))]
#[case::it_succeeded("Once", Some("Completed"), ("False", "False"))]
#[case::it_failed("Once", Some("ScriptFailed"), ("False", "True"))]
#[case::it_was_stopped("OnChange", Some("Stopped"), ("False", "True"))]
#[case::it_was_skipped("OnChange", Some("ConcurrencyForbidden"), ("False", "True"))]
#[case::a_manual_test_is_not_judged_by_its_runs("Manual", Some("ScriptFailed"), ("False", "False"))]
fn the_deciding_run_is_the_health(#[case] trigger: &str, #[case] end: Option<&str>, #[case] expected: (&str, &str)) {
    let mut observed = triggered(trigger);
    let name = build::run::triggered_name(&observed.load_test, &mark(&observed));
    observed.runs = vec![run(&name, 10, end)];
    let plan = plan(&observed, None, now());
    let health = (said(&plan, ConditionType::Reconciling).unwrap().0, said(&plan, ConditionType::Stalled).unwrap().0);
    assert_eq!(health, expected);
}

#[test]
fn a_once_test_stays_as_its_run_went_after_an_edit() {
    let mut observed = triggered("Once");
    let name = build::run::triggered_name(&observed.load_test, &mark(&observed));
    observed.runs = vec![run(&name, 10, Some("ScriptFailed"))];
    edit(&mut observed);
    assert_eq!(said(&plan(&observed, None, now()), ConditionType::Stalled).unwrap().0, "True");
}

#[test]
fn finished_runs_beyond_the_history_go_oldest_first_and_the_deciding_one_stays() {
    let mut observed = triggered("Once");
    observed.load_test.spec.history.succeeded = 1;
    observed.load_test.spec.history.failed = 0;
    let deciding = build::run::triggered_name(&observed.load_test, &mark(&observed));
    observed.runs = vec![
        run("b", 20, Some("Completed")),
        run("a", 10, Some("Completed")),
        run(&deciding, 1, Some("ScriptFailed")),
        run("c", 30, Some("Stopped")),
        run("d", 40, None),
    ];
    let plan = plan(&observed, None, now());
    let prune = |name: &str| Action::Prune { name: name.into(), uid: format!("uid-{name}") };
    assert_eq!(plan.actions, [prune("a"), prune("c")]);
    assert_eq!(plan.status.last_run.unwrap().name, "d");
    let runs = plan.status.runs.unwrap();
    assert_eq!((runs.active, runs.succeeded, runs.failed), (1, 2, 2));
}

#[test]
fn the_claim_is_never_touched() {
    let mut observed = triggered("Once");
    observed.load_test.status = Some(serde_json::from_value(json!({"active": ["somebody"]})).unwrap());
    assert_eq!(plan(&observed, None, now()).status.active, ["somebody"]);
}

/// A LoadTest in a world where the operator may crash after any action and act twice.
struct World {
    observed: Observed,
    version: u64,
    made: BTreeMap<String, u32>,
    edits: usize,
}

impl World {
    fn step(&mut self, done: usize, times: usize) {
        let seen = self.version;
        let plan = plan(&self.observed, None, now());
        for _ in 0..times {
            for action in plan.actions.iter().take(done) {
                match action {
                    Action::Decide { triggered, run } => {
                        if seen != self.version {
                            return;
                        }
                        self.version += 1;
                        annotate(&mut self.observed.load_test, labels::TRIGGERED, triggered);
                        if *run {
                            annotate(&mut self.observed.load_test, TRIGGERING, "test-uid");
                        }
                    }
                    Action::CreateRun { name, .. } => {
                        if !self.observed.runs.iter().any(|run| run.metadata.name.as_ref() == Some(name)) {
                            *self.made.entry(name.clone()).or_default() += 1;
                            self.observed.runs.push(run(name, i64::try_from(self.version).unwrap(), None));
                        }
                    }
                    Action::Settle => {
                        self.observed.load_test.metadata.annotations.as_mut().unwrap().remove(TRIGGERING);
                    }
                    Action::Prune { .. } => unreachable!("no run of this world ends"),
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn every_definition_runs_at_most_once_and_the_last_one_does(
        on_change in any::<bool>(),
        events in prop::collection::vec((any::<bool>(), 0_usize..4, 1_usize..3), 0..40),
    ) {
        let observed = observed(if on_change { "OnChange" } else { "Once" });
        let mut world = World { observed, version: 0, made: BTreeMap::new(), edits: 0 };
        for (edits, done, times) in events {
            if edits {
                edit(&mut world.observed);
                world.version += 1;
                world.edits += 1;
            } else {
                world.step(done, times);
            }
        }
        for _ in 0..3 {
            world.step(9, 1);
        }
        prop_assert!(world.made.values().all(|count| *count == 1), "{:?}", world.made);
        let last = build::run::triggered_name(&world.observed.load_test, &mark(&world.observed));
        if on_change {
            prop_assert!(world.made.contains_key(&last), "{last} is not in {:?}", world.made);
            prop_assert!(world.made.len() <= world.edits + 1);
        } else {
            prop_assert_eq!(world.made.len(), 1);
        }
        prop_assert_eq!(plan(&world.observed, None, now()).actions, []);
    }
}
