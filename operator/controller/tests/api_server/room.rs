//! Room in a target, and a start without a region.

use super::*;
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams};

/// Deletes a LoadTest and a RegionTarget that the harness does not know.
async fn forget(harness: &Harness, load_test: Option<&str>, target: Option<&str>) {
    let deletion = DeleteParams::background();
    if let Some(name) = load_test {
        let load_tests: Api<LoadTest> = Api::namespaced(harness.client.clone(), &harness.shop);
        load_tests.delete(name, &deletion).await.unwrap();
    }
    if let Some(name) = target {
        let targets: Api<RegionTarget> = Api::all(harness.client.clone());
        targets.delete(name, &deletion).await.unwrap();
        eventually("the target goes", SOON, async || targets.get_opt(name).await.unwrap().is_none().then_some(()))
            .await;
    }
}

#[tokio::test]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn two_runs_that_begin_at_once_do_not_get_the_same_room() {
    let harness = Harness::start().await;
    harness.region_target().await;
    harness.merge_target(json!({"spec": {"capacity": {"maxWorkers": 3}}})).await;
    harness.load_test(json!({"trigger": "Manual"})).await;
    harness.load_test_of("search", json!({"trigger": "Manual"})).await;
    let runs = [harness.create_run("first").await, harness.create_run_of("second", "search").await];
    let operator = harness.operator();
    let refused = eventually("one of them is refused", SOON, async || {
        harness.runs().await.into_iter().find(|run| reason_of_end(run).is_some())
    })
    .await;
    assert_eq!(reason_of_end(&refused).as_deref(), Some("QuotaExceeded"));
    let conditions = &refused.status.as_ref().unwrap().conditions;
    let message = &condition::find(conditions, ConditionType::Succeeded).unwrap().message;
    let expected =
        format!("RegionTarget {} has no room for the run: 2 workers are wanted, 1 workers are free", harness.target);
    assert!(message.starts_with(&expected), "{message}");
    harness.until_cleaned(&refused).await;

    let let_in = runs.iter().find(|run| run.name_any() != refused.name_any()).unwrap();
    let job = harness.worker_job(let_in, 2).await;
    harness.play_ready(&job, 2).await;
    harness.until(let_in, Phase::Running).await;
    harness.play_to_the_result(let_in).await;
    harness.until_cleaned(let_in).await;
    let third = harness.create_run("third").await;
    harness.worker_job(&third, 2).await;
    operator.stop().await;
    forget(&harness, Some("search"), None).await;
    harness.end().await;
}

#[tokio::test]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn a_region_that_refuses_the_job_is_left_out_where_it_may_be_missing() {
    let harness = Harness::start().await;
    let operator = harness.operator();
    harness.region_target().await;
    // There the operator may make no Jobs.
    let forbidden = format!("x{}", &harness.target[1..]);
    let targets: Api<RegionTarget> = Api::all(harness.client.clone());
    let target = json!({
        "apiVersion": "volley.dev/v1alpha1", "kind": "RegionTarget", "metadata": {"name": forbidden},
        "spec": {"region": "eu-west-1", "connection": {"inCluster": {}}, "namespace": harness.shop,
            "allowedNamespaces": [harness.shop], "fargate": false}});
    targets.create(&PostParams::default(), &serde_json::from_value(target).unwrap()).await.unwrap();
    harness
        .target_until("the other target is ready", |target| {
            let conditions = target.status.clone().unwrap_or_default().conditions;
            condition::is_true(&conditions, ConditionType::Ready)
        })
        .await;
    harness
        .load_test(json!({
            "start": {"timeout": "8s", "onMissingRegion": "Continue"},
            "regions": [{"target": harness.target, "workers": 2}, {"target": forbidden, "workers": 1}]}))
        .await;
    let run = harness.only_run().await;
    let job = harness.worker_job(&run, 2).await;
    harness.play_ready(&job, 2).await;
    let start: StartDecision = harness.document(&keys::start(&run.uid().unwrap())).await;
    assert_eq!(start.regions, std::slice::from_ref(&harness.target));
    let why = &start.left_out[&forbidden];
    assert!(why.contains("0 of 1 workers") && why.contains("forbidden"), "{why}");
    harness.until(&run, Phase::Running).await;
    let close = harness.play_to_the_result(&run).await;
    assert!(close.workers.iter().all(|worker| worker.target == harness.target), "{close:?}");
    harness.until(&run, Phase::Succeeded).await;
    let ended = harness.run_api().get(&run.name_any()).await.unwrap();
    assert_eq!(reason_of_end(&ended).as_deref(), Some("Completed"));
    let regions = &ended.status.as_ref().unwrap().regions;
    let told = regions.iter().find(|region| region.target == forbidden).unwrap();
    assert!(told.message.as_ref().unwrap().starts_with("takes no part: within 8s it had"), "{told:?}");
    // Where the operator may not even look for Jobs, the run would be held for minutes before it is let go.
    operator.stop().await;
    let free = json!({"metadata": {"finalizers": null}});
    targets.patch(&forbidden, &PatchParams::default(), &Patch::Merge(&free)).await.unwrap();
    forget(&harness, None, Some(&forbidden)).await;
    harness.end().await;
}
