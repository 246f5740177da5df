//! Objects of every outcome, as the planners write them, for the tests of Argo CD's scripts (`gitops/test`): each with the health
//! that it must have. What is expected follows from the table of ends and from what the cases are named, not from the scripts.

use jiff::Timestamp;
use kube::Resource;
use serde::Serialize;
use serde_json::{Value, json};
use volley_api::digest::TriggerMark;
use volley_api::load_test_run::{EndReason, Outcome, ThresholdsOutcome, Verdict};
use volley_api::{LoadTest, LoadTestRun, RegionTarget, labels};
use volley_storage::documents::StopReason;

use crate::definition::{Problem, References};
use crate::load_test_run::Refusal;
use crate::load_test_run::observed::Observed as RunObserved;
use crate::load_test_run::plan::tables::{at, claimed, closed, follow, fresh, job, provisioned, result, started};
use crate::{fixtures, load_test, region_target};

const FILE: &str = "../../gitops/test/testdata/objects.json";
/// What an API server gives to an object that nobody has looked at.
const UNSEEN: i64 = -1;

/// An object, and the health that Argo CD must see.
fn case<K: Resource<DynamicType = ()> + Serialize>(name: &str, health: &str, object: &K) -> Value {
    let mut object = serde_json::to_value(object).unwrap();
    object["apiVersion"] = K::api_version(&()).into();
    object["kind"] = K::kind(&()).into();
    if object.get("status").is_none() {
        object["status"] = json!({"observedGeneration": UNSEEN});
    }
    json!({"name": name, "health": health, "object": object})
}

fn later() -> Timestamp {
    at("11:00:00")
}

/// The run of an observation, planned once more.
fn planned(mut observed: RunObserved, now: &str) -> LoadTestRun {
    follow(&mut observed, at(now));
    observed.run
}

/// A run that ended for a reason.
fn ended(reason: EndReason) -> LoadTestRun {
    let mut observed = claimed();
    observed.refusals = vec![Refusal { target: None, reason, message: format!("words about {reason}") }];
    planned(observed, "10:00:01")
}

/// A run with a result, which ended by itself or was stopped.
fn measured(stopped: Option<StopReason>, verdict: Verdict) -> LoadTestRun {
    let mut observed = closed(stopped);
    observed.run.status.as_mut().unwrap().result = Some(result(verdict, 2, 0));
    planned(observed, "10:00:40")
}

fn settled(outcome: Outcome) -> &'static str {
    if outcome.stalled() { "Degraded" } else { "Healthy" }
}

fn runs() -> Vec<Value> {
    let mut cases = vec![case("run/unseen", "Progressing", &fresh().run)];
    for reason in EndReason::ALL {
        let health = settled(Outcome::of(reason, ThresholdsOutcome::None));
        cases.push(case(&format!("run/{reason}"), health, &ended(reason)));
    }
    for (name, stopped, verdict, health) in [
        ("passed", None, Verdict::Passed, "Healthy"),
        ("not judged", None, Verdict::NotJudged, "Healthy"),
        ("thresholds failed", None, Verdict::Failed, "Degraded"),
        ("inconclusive", None, Verdict::Inconclusive, "Degraded"),
        ("stopped", Some(StopReason::Requested), Verdict::Inconclusive, "Healthy"),
        ("stopped after a missed threshold", Some(StopReason::Requested), Verdict::Failed, "Healthy"),
        ("workers lost", Some(StopReason::WorkersLost), Verdict::Inconclusive, "Degraded"),
    ] {
        cases.push(case(&format!("run/measured, {name}"), health, &measured(stopped, verdict)));
    }
    let mut live = planned(started(), "10:00:15");
    live.status.as_mut().unwrap().live = serde_json::from_value(json!({"at": "2026-11-25T10:00:15Z", "users": 10,
        "requestRate": "398/s", "errorRate": "0.12%", "p50": "98ms", "p95": "142ms", "p99": "0.31s"}))
    .unwrap();
    let mut edited = planned(started(), "10:00:15");
    edited.spec.stop = Some(volley_api::load_test_run::Stop { reason: "too hot".into() });
    edited.metadata.generation = Some(2);
    for (name, run) in [
        ("run/claiming", planned(fresh(), "10:00:01")),
        ("run/provisioning", planned(provisioned(job(2, 1)), "10:00:04")),
        ("run/before the instant", planned(started(), "10:00:09")),
        ("run/under load", planned(started(), "10:00:15")),
        ("run/under load, with live figures", live),
        ("run/a stop that is not seen yet", edited),
        ("run/collecting", planned(started(), "10:00:20")),
        ("run/aggregating", planned(closed(None), "10:00:40")),
    ] {
        cases.push(case(name, "Progressing", &run));
    }
    cases
}

/// A LoadTest that was triggered by its present definition, with the run that this made, planned.
fn tested(trigger: &str, run: Option<LoadTestRun>, problem: Option<&Problem>) -> LoadTest {
    let mut load_test = fixtures::load_test(json!({"trigger": trigger}));
    let mark = TriggerMark::of(&load_test.spec, load_test.metadata.generation.unwrap());
    let runs = run.map(|mut run| {
        run.metadata.name = Some(load_test::build::run::triggered_name(&load_test, &mark));
        load_test.metadata.annotations.get_or_insert_default().insert(labels::TRIGGERED.to_owned(), mark.to_string());
        run
    });
    let observed = load_test::observed::Observed {
        load_test: load_test.clone(),
        runs: runs.into_iter().collect(),
        references: References::default(),
    };
    load_test.status = Some(load_test::plan::plan(&observed, problem, later()).status);
    load_test
}

fn load_tests() -> Vec<Value> {
    let mut cases = vec![
        case("test/unseen", "Progressing", &fixtures::load_test(json!({}))),
        case("test/about to run", "Progressing", &tested("Once", None, None)),
        case("test/under load", "Progressing", &tested("OnChange", Some(planned(started(), "10:00:15")), None)),
        case("test/manual, never run", "Healthy", &tested("Manual", None, None)),
        case("test/manual, last run failed", "Healthy", &tested("Manual", Some(ended(EndReason::ScriptFailed)), None)),
    ];
    for reason in EndReason::ALL {
        let health = if reason == EndReason::Completed { "Healthy" } else { "Degraded" };
        cases.push(case(&format!("test/{reason}"), health, &tested("Once", Some(ended(reason)), None)));
    }
    let target = || "local".to_owned();
    for (name, problem, health) in [
        ("a target is missing", Problem::TargetNotFound { target: target() }, "Progressing"),
        ("a target is paused", Problem::RegionPaused { target: target() }, "Progressing"),
        ("a contradiction", Problem::Invalid { message: "both size and resources".into() }, "Degraded"),
    ] {
        cases.push(case(&format!("test/{name}"), health, &tested("Once", None, Some(&problem))));
    }
    let mut edited = tested("OnChange", Some(ended(EndReason::Completed)), None);
    edited.metadata.generation = Some(2);
    cases.push(case("test/an edit that is not seen yet", "Progressing", &edited));
    cases
}

fn good_probe() -> region_target::observed::Probe {
    region_target::observed::Probe {
        at: at("10:00:00"),
        version: Ok("v1.36.3".into()),
        namespace_exists: Some(true),
        missing_rights: Some(Vec::new()),
        quota: None,
    }
}

fn probed(probe: region_target::observed::Probe, change: impl FnOnce(&mut RegionTarget)) -> RegionTarget {
    let mut target = fixtures::target("local");
    target.status = None;
    change(&mut target);
    let observed = region_target::observed::Observed {
        target: target.clone(),
        operator_namespace: "volley-system".into(),
        jobs: probe.is_good().then(Vec::new),
        probe,
        runs: Vec::new(),
    };
    target.status = Some(region_target::plan::plan(&observed, None, later()).status);
    target
}

fn region_targets() -> Vec<Value> {
    let mut unseen = fixtures::target("local");
    unseen.status = None;
    let away = || region_target::observed::Probe {
        version: Err(crate::clusters::Away::unreachable("connection refused")),
        missing_rights: None,
        namespace_exists: None,
        ..good_probe()
    };
    let leftovers = |target: &mut RegionTarget| {
        target.metadata.annotations = Some([(format!("{}e", labels::LEFTOVER_PREFIX), "shop/e".to_owned())].into());
    };
    let old = region_target::observed::Probe { version: Ok("v1.30.0".into()), ..good_probe() };
    let rights =
        region_target::observed::Probe { missing_rights: Some(vec!["patch jobs.batch".into()]), ..good_probe() };
    vec![
        case("target/unseen", "Progressing", &unseen),
        case("target/ready", "Healthy", &probed(good_probe(), |_| ())),
        case("target/paused", "Suspended", &probed(good_probe(), |target| target.spec.paused = true)),
        case("target/ready, with leftovers", "Healthy", &probed(good_probe(), leftovers)),
        case("target/away", "Degraded", &probed(away(), |_| ())),
        case("target/away, with leftovers", "Degraded", &probed(away(), leftovers)),
        case("target/too old", "Degraded", &probed(old, |_| ())),
        case("target/without rights", "Degraded", &probed(rights, |_| ())),
    ]
}

#[test]
fn the_objects_for_argo_cd_are_what_the_planners_write() {
    let cases: Vec<_> = runs().into_iter().chain(load_tests()).chain(region_targets()).collect();
    let path = format!("{}/{FILE}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("VOLLEY_WRITE_REFERENCE").is_some() {
        let lines: Vec<_> = cases.iter().map(Value::to_string).collect();
        std::fs::write(&path, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
    }
    let found: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert!(found == cases, "{path} is not what the planners write; run `make generate` and commit it");
}
