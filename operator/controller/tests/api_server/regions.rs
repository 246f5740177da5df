//! Regions in other clusters: credentials that come and go, a cluster that goes away and comes back.

use super::*;
use kube::api::DeleteParams;

fn said(target: &RegionTarget, type_: ConditionType) -> Option<(String, String, String)> {
    let found = condition::find(&target.status.as_ref()?.conditions, type_)?;
    Some((found.status.clone(), found.reason.clone(), found.message.clone()))
}

fn is(target: &RegionTarget, type_: ConditionType, status: &str) -> bool {
    said(target, type_).is_some_and(|said| said.0 == status)
}

#[tokio::test]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn a_target_by_kubeconfig_follows_its_secret_and_runs_with_the_rights_of_its_account() {
    let harness = Harness::start().await;
    let operator = harness.operator();
    let relay = harness.relay().await;
    harness.remote_target().await;
    let without = harness.target_until("no Secret is said", |target| is(target, ConditionType::Ready, "False")).await;
    let (_, reason, message) = said(&without, ConditionType::Ready).unwrap();
    assert!(reason == "Unreachable" && message.contains("volley.dev/kubeconfig"), "{reason}: {message}");

    harness.write_kubeconfig(&relay).await;
    harness.target_until("with the Secret it is ready", |target| is(target, ConditionType::Ready, "True")).await;
    harness.load_test(json!({})).await;
    let run = harness.only_run().await;
    let job = harness.worker_job(&run, 2).await;
    let held = harness.target_until("a target in use is held", |target| !target.finalizers().is_empty()).await;
    assert_eq!(held.finalizers(), [labels::TARGET_FINALIZER]);
    harness.play_ready(&job, 2).await;
    harness.until(&run, Phase::Running).await;

    harness.remove_kubeconfig().await;
    harness.target_until("without the Secret it is not", |target| is(target, ConditionType::Ready, "False")).await;
    let close = harness.play_to_the_result(&run).await;
    assert!(
        close.workers.iter().all(|worker| worker.manifest.is_some()),
        "results come through the storage: {close:?}"
    );
    harness.until(&run, Phase::Succeeded).await;
    harness.write_kubeconfig(&relay).await;
    let ended = harness.until_cleaned(&run).await;
    assert_eq!(reason_of_end(&ended).as_deref(), Some("Completed"));
    operator.stop().await;
    harness.end().await;
}

#[tokio::test]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn a_run_that_is_deleted_while_its_region_is_away_ends_and_is_swept_when_the_region_returns() {
    let harness = Harness::start().await;
    let operator = harness.operator();
    let relay = harness.relay().await;
    harness.remote_target().await;
    harness.write_kubeconfig(&relay).await;
    harness.target_until("it is ready", |target| is(target, ConditionType::Ready, "True")).await;
    harness.load_test(json!({})).await;
    let run = harness.only_run().await;
    let job = harness.worker_job(&run, 2).await;

    relay.cut();
    harness.delete_run(&run).await;
    let gone = std::time::Instant::now();
    eventually("the run is gone", Duration::from_mins(2), async || {
        harness.run_api().get_opt(&run.name_any()).await.unwrap().is_none().then_some(())
    })
    .await;
    assert!(gone.elapsed() > Duration::from_secs(30), "the region was waited for");
    let uid = run.uid().unwrap();
    harness.target_until("the target knows what is left", |target| Harness::noted(target) == [uid.clone()]).await;
    let told = harness.target_until("and says so", |target| is(target, ConditionType::Leftovers, "True")).await;
    assert!(said(&told, ConditionType::Leftovers).unwrap().2.contains(&run.name_any()));
    let jobs: Api<Job> = Api::namespaced(harness.client.clone(), &harness.workers);
    assert!(jobs.get_opt(&job.name_any()).await.unwrap().is_some(), "nobody could delete the Job");

    relay.mend();
    let swept = Duration::from_mins(1);
    eventually("the Job is swept", swept, async || {
        jobs.get_opt(&job.name_any()).await.unwrap().is_none().then_some(())
    })
    .await;
    harness.target_until("and forgotten", |target| Harness::noted(target).is_empty()).await;
    operator.stop().await;
    harness.end().await;
}

#[tokio::test]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn a_target_that_is_deleted_waits_for_its_run_and_a_paused_one_takes_no_new_run() {
    let harness = Harness::start().await;
    let operator = harness.operator();
    harness.region_target().await;
    harness.load_test(json!({})).await;
    let run = harness.only_run().await;
    let job = harness.worker_job(&run, 2).await;
    harness.target_until("it is held", |target| !target.finalizers().is_empty()).await;
    harness.merge_target(json!({"spec": {"paused": true}})).await;
    harness
        .target_until("it says that it is paused", |target| {
            said(target, ConditionType::Ready).is_some_and(|said| said.1 == "Paused")
        })
        .await;
    let targets: Api<RegionTarget> = Api::all(harness.client.clone());
    targets.delete(&harness.target, &DeleteParams::default()).await.unwrap();
    let waits = harness
        .target_until("it waits", |target| said(target, ConditionType::Ready).is_some_and(|said| said.1 == "Deleting"))
        .await;
    assert!(said(&waits, ConditionType::Ready).unwrap().2.contains(&run.name_any()));

    harness.play_ready(&job, 2).await;
    harness.until(&run, Phase::Running).await;
    harness.play_to_the_result(&run).await;
    harness.until_cleaned(&run).await;
    eventually("then it goes", SOON, async || targets.get_opt(&harness.target).await.unwrap().is_none().then_some(()))
        .await;
    operator.stop().await;
    // For the end of the harness.
    harness.region_target().await;
    harness.end().await;
}
