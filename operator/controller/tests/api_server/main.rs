//! The operator against a real API server, the embedded storage, and people, pods and aggregator played by the test.
//!
//! The operator runs with exactly the rights of `volley_controller::rbac`, by impersonation of a service account.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails loudly, its support too")]

mod cloud;
mod eks;
mod gitops;
mod harness;
mod players;
mod regions;
mod remote;
mod room;

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt;
use kube::api::{Api, ListParams, PostParams};
use serde_json::json;
use volley_api::condition::{self, ConditionType};
use volley_api::load_test_run::{Phase, Verdict};
use volley_api::{LoadTest, LoadTestRun, RegionTarget, labels};
use volley_storage::documents::{CloseDecision, Definition, StartDecision, StopDecision, StopReason};
use volley_storage::keys;

use harness::{Harness, eventually};

/// What the operator does by itself is there within this time; a loaded machine is slow.
const SOON: Duration = Duration::from_secs(20);

fn reason_of_end(run: &LoadTestRun) -> Option<String> {
    let conditions = &run.status.as_ref()?.conditions;
    condition::is_true(conditions, ConditionType::Finished)
        .then(|| condition::find(conditions, ConditionType::Succeeded).map(|found| found.reason.clone()))?
}

#[tokio::test]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn a_load_test_runs_to_its_result_and_leaves_nothing_behind() {
    let harness = Harness::start().await;
    let operator = harness.operator();
    harness.region_target().await;
    harness.load_test(json!({})).await;
    let run = harness.only_run().await;
    let job = harness.worker_job(&run, 2).await;
    let secrets: Api<Secret> = Api::namespaced(harness.client.clone(), &harness.workers);
    let secret = secrets.list(&ListParams::default()).await.unwrap().items.into_iter().find(|secret| {
        secret.metadata.owner_references.iter().flatten().any(|owner| Some(&owner.uid) == job.metadata.uid.as_ref())
    });
    assert!(secret.is_some(), "the Secret of the run is owned by its Job");
    harness.play_ready(&job, 2).await;
    let start: StartDecision = harness.document(&keys::start(&run.uid().unwrap())).await;
    assert_eq!(start.regions, std::slice::from_ref(&harness.target));
    harness.until(&run, Phase::Running).await;
    harness.assert_quiet().await;
    let close = harness.play_to_the_result(&run).await;
    assert!(close.workers.iter().all(|worker| worker.manifest.is_some()) && close.workers.len() == 2, "{close:?}");

    let ended = harness.until_cleaned(&run).await;
    assert_eq!(reason_of_end(&ended).as_deref(), Some("Completed"));
    assert!(ended.annotations().contains_key(labels::FINISHED));
    assert_eq!(ended.status.as_ref().unwrap().live, None);
    let load_test: LoadTest = harness
        .test_until("the LoadTest says how its run went", |test| {
            let status = test.status.clone().unwrap_or_default();
            let settled =
                condition::find(&status.conditions, ConditionType::Reconciling).is_some_and(|c| c.status == "False");
            status.active.is_empty() && settled && status.last_run.is_some_and(|last| last.phase == Phase::Succeeded)
        })
        .await;
    assert_eq!(load_test.status.unwrap().runs.unwrap().succeeded, 1);
    harness.assert_quiet().await;
    let events: Api<Event> = Api::namespaced(harness.client.clone(), &harness.shop);
    let reasons: Vec<_> =
        events.list(&ListParams::default()).await.unwrap().items.into_iter().filter_map(|event| event.reason).collect();
    for reason in ["Triggered", "Planned", "StartDecided", "Collected", "Completed"] {
        assert_eq!(reasons.iter().filter(|found| *found == reason).count(), 1, "{reason} in {reasons:?}");
    }
    operator.stop().await;
    harness.end().await;
}

#[tokio::test]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn an_operator_that_is_killed_at_every_stage_runs_the_test_once() {
    let harness = Harness::start().await;
    harness.region_target().await;
    let first = harness.operator();
    harness.load_test(json!({"trigger": "OnChange"})).await;
    let run = harness.only_run().await;
    let job = harness.worker_job(&run, 2).await;
    first.kill().await;

    harness.play_ready(&job, 2).await;
    let second = harness.operator();
    let start: StartDecision = harness.document(&keys::start(&run.uid().unwrap())).await;
    second.kill().await;

    harness.play_manifests(&run, &[0, 1]).await;
    let third = harness.operator();
    let _: CloseDecision = harness.document(&keys::close(&run.uid().unwrap())).await;
    third.kill().await;

    harness.play_result(&run, 2).await;
    let fourth = harness.operator();
    let ended = harness.until_cleaned(&run).await;
    assert_eq!(reason_of_end(&ended).as_deref(), Some("Completed"));
    assert_eq!(harness.document::<StartDecision>(&keys::start(&run.uid().unwrap())).await, start);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(harness.runs().await.len(), 1, "no second run");
    fourth.stop().await;
    harness.end().await;
}

#[tokio::test]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn a_second_run_is_skipped_and_a_stop_ends_the_first() {
    let harness = Harness::start().await;
    let operator = harness.operator();
    harness.region_target().await;
    harness.load_test(json!({"trigger": "Manual"})).await;
    let first = harness.create_run("first").await;
    let job = harness.worker_job(&first, 2).await;
    let second = harness.create_run("second").await;
    let skipped = harness.until_cleaned(&second).await;
    assert_eq!(reason_of_end(&skipped).as_deref(), Some("ConcurrencyForbidden"));
    assert_eq!(skipped.status.as_ref().unwrap().phase, Some(Phase::Skipped));
    assert!(skipped.metadata.owner_references.unwrap().iter().any(|owner| owner.kind == "LoadTest"));

    harness.play_ready(&job, 2).await;
    harness.until(&first, Phase::Running).await;
    harness.merge_run(&first, json!({"spec": {"stop": {"reason": "too hot"}}})).await;
    let stop: StopDecision = harness.document(&keys::stop(&first.uid().unwrap())).await;
    assert_eq!((stop.reason, stop.message.as_str()), (StopReason::Requested, "too hot"));
    harness.play_manifests(&first, &[0, 1]).await;
    let close: CloseDecision = harness.document(&keys::close(&first.uid().unwrap())).await;
    assert_eq!(close.stopped, Some(StopReason::Requested));
    harness.play_result(&first, 2).await;
    let ended = harness.until_cleaned(&first).await;
    assert_eq!(ended.status.as_ref().unwrap().phase, Some(Phase::Stopped));
    operator.stop().await;
    harness.end().await;
}

#[tokio::test]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn a_broken_script_ends_the_run_with_the_engines_words() {
    let harness = Harness::start().await;
    let operator = harness.operator();
    harness.region_target().await;
    harness.load_test(json!({})).await;
    let run = harness.only_run().await;
    let job = harness.worker_job(&run, 2).await;
    harness.play_script_failure(&run, &job, "SyntaxError: invalid syntax").await;
    let ended = harness.until_cleaned(&run).await;
    assert_eq!(reason_of_end(&ended).as_deref(), Some("ScriptFailed"));
    let conditions = &ended.status.as_ref().unwrap().conditions;
    let words = &condition::find(conditions, ConditionType::Succeeded).unwrap().message;
    assert_eq!(words, "script.py, line 3: SyntaxError: invalid syntax");
    harness
        .test_until("the LoadTest is stalled by its run", |test| {
            let conditions = test.status.clone().unwrap_or_default().conditions;
            condition::is_true(&conditions, ConditionType::Stalled)
        })
        .await;
    operator.stop().await;
    harness.end().await;
}

#[tokio::test]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn a_trigger_waits_for_a_missing_source_and_goes_on_when_it_appears() {
    let harness = Harness::start().await;
    let operator = harness.operator();
    harness.region_target().await;
    harness
        .load_test(
            json!({"scenario": {"locust": {"script": {"configMap": {"name": "scripts", "key": "locustfile.py"}}}}}),
        )
        .await;
    let waiting = harness
        .test_until("the LoadTest says that its source is missing", |test| {
            let conditions = test.status.clone().unwrap_or_default().conditions;
            condition::find(&conditions, ConditionType::Ready).is_some_and(|ready| ready.reason == "SourceNotFound")
        })
        .await;
    assert!(!waiting.annotations().contains_key(labels::TRIGGERED));
    let maps: Api<ConfigMap> = Api::namespaced(harness.client.clone(), &harness.shop);
    let map: ConfigMap =
        serde_json::from_value(json!({"metadata": {"name": "scripts"}, "data": {"locustfile.py": "import locust"}}))
            .unwrap();
    maps.create(&PostParams::default(), &map).await.unwrap();
    let run = harness.only_run().await;
    harness.worker_job(&run, 2).await;
    operator.stop().await;
    harness.end().await;
}

#[tokio::test]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn a_run_that_is_deleted_under_load_is_stopped_and_goes() {
    let harness = Harness::start().await;
    let operator = harness.operator();
    harness.region_target().await;
    harness.load_test(json!({"trigger": "Manual"})).await;
    let run = harness.create_run("doomed").await;
    let job = harness.worker_job(&run, 2).await;
    harness.play_ready(&job, 2).await;
    harness.until(&run, Phase::Running).await;
    harness.delete_run(&run).await;
    let stop: StopDecision = harness.document(&keys::stop(&run.uid().unwrap())).await;
    assert_eq!(stop.reason, StopReason::Deleted);
    harness.play_to_the_result(&run).await;
    eventually("the run is gone", SOON, async || harness.runs().await.is_empty().then_some(())).await;
    let jobs: Api<Job> = Api::all(harness.client.clone());
    let selector = format!("{}={}", labels::INSTALLATION, harness.installation);
    assert_eq!(jobs.list(&ListParams::default().labels(&selector)).await.unwrap().items.len(), 0);
    operator.stop().await;
    harness.end().await;
}

#[tokio::test]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn a_missed_threshold_fails_the_run_and_is_told_by_its_event_and_its_load_test() {
    let harness = Harness::start().await;
    let operator = harness.operator();
    harness.region_target().await;
    let threshold = json!({"name": "fast", "metric": "p99", "region": harness.target, "below": "300ms"});
    harness.load_test(json!({"thresholds": [threshold]})).await;
    let run = harness.only_run().await;
    let job = harness.worker_job(&run, 2).await;
    harness.play_ready(&job, 2).await;
    let uid = run.uid().unwrap();
    let _: StartDecision = harness.document(&keys::start(&uid)).await;
    let definition: Definition = harness.document(&keys::definition(&uid)).await;
    assert_eq!(definition.thresholds.len(), 1);
    assert_eq!(definition.thresholds[0].criterion.to_string(), "p99 below 300ms");
    harness.play_manifests(&run, &[0, 1]).await;
    let _: CloseDecision = harness.document(&keys::close(&uid)).await;
    let judged =
        json!([{"name": "fast", "metric": "p99", "limit": "below 300ms", "observed": "312ms", "outcome": "Missed"}]);
    harness.play_judgement(&run, 2, "Failed", judged).await;

    let ended = harness.until_cleaned(&run).await;
    assert_eq!(reason_of_end(&ended).as_deref(), Some("ThresholdsFailed"));
    assert_eq!(ended.status.as_ref().unwrap().phase, Some(Phase::Failed));
    harness
        .test_until("the LoadTest says how its run went", |test| {
            let status = test.status.clone().unwrap_or_default();
            let stalled = condition::find(&status.conditions, ConditionType::Stalled)
                .is_some_and(|stalled| stalled.status == "True" && stalled.message.contains("p99 is 312ms"));
            stalled && status.last_run.is_some_and(|last| last.verdict == Some(Verdict::Failed))
        })
        .await;
    let events: Api<Event> = Api::namespaced(harness.client.clone(), &harness.shop);
    let told: Vec<_> = events.list(&ListParams::default()).await.unwrap().items;
    let told: Vec<_> = told.iter().filter(|event| event.reason.as_deref() == Some("ThresholdsFailed")).collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].type_.as_deref(), Some("Warning"));
    let note = told[0].note.as_deref().unwrap();
    assert!(note.starts_with("The threshold is missed (fast: p99 is 312ms, not below 300ms)"), "{note}");
    operator.stop().await;
    harness.end().await;
}

#[tokio::test]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn a_region_target_says_what_the_operator_may_not_do_there() {
    let harness = Harness::start().await;
    let operator = harness.operator();
    harness.region_target().await;
    let ready = |target: &RegionTarget| {
        let conditions = target.status.clone().unwrap_or_default().conditions;
        condition::find(&conditions, ConditionType::Ready).map(|ready| (ready.status.clone(), ready.message.clone()))
    };
    harness
        .target_until("the target is ready", |target| ready(target).is_some_and(|(status, _)| status == "True"))
        .await;
    let elsewhere = json!({"spec": {"namespace": harness.shop}});
    harness.merge_target(elsewhere).await;
    let target = harness
        .target_until("the target is not ready", |target| ready(target).is_some_and(|(status, _)| status == "False"))
        .await;
    let (_, message) = ready(&target).unwrap();
    assert!(message.contains("create jobs.batch") && message.contains("list pods"), "{message}");
    operator.stop().await;
    harness.end().await;
}
