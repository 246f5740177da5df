//! Regions in EKS clusters: the API server has its tokens judged by a stand-in of EKS' authenticator.

use super::cloud::{CLUSTER, Cloud, GROUP, REGION, cluster};
use super::*;
use kube::api::DeleteParams;
use serde_json::Value;

const ROLE: &str = "arn:aws:iam::111122223333:role/volley-operator";
/// A certificate authority that has signed nothing.
const STRANGER: &str = include_str!("stranger.pem");
/// A target with a fault is probed every 15 s, and a cluster looked up anew in between.
const MENDED: Duration = Duration::from_secs(50);

/// A harness whose operator finds its AWS in the stand-in, where the cluster is known under its name.
async fn with_cloud() -> (Harness, Cloud) {
    let mut harness = Harness::start().await;
    let cloud = Cloud::start().await;
    harness.aws = cloud.settings();
    let known = cluster(&harness.config.cluster_url.to_string(), &harness.authority());
    cloud.facts().clusters.insert(CLUSTER.into(), Some(known));
    let group = json!({"kind": "Group", "name": GROUP, "apiGroup": "rbac.authorization.k8s.io"});
    harness.allow_workers(&group).await;
    (harness, cloud)
}

impl Harness {
    /// A RegionTarget by EKS.
    async fn eks_target(&self, name: &str, eks: Value, fargate: bool) {
        let targets: Api<RegionTarget> = Api::all(self.client.clone());
        let target = serde_json::from_value(json!({
            "apiVersion": "volley.dev/v1alpha1", "kind": "RegionTarget", "metadata": {"name": name},
            "spec": {"region": REGION, "connection": {"eks": eks},
                "namespace": self.workers, "allowedNamespaces": [self.shop], "fargate": fargate}}))
        .unwrap();
        targets.create(&PostParams::default(), &target).await.unwrap();
    }

    async fn ready_is(&self, name: &str, expected: &str, words: &str) {
        let targets: Api<RegionTarget> = Api::all(self.client.clone());
        let mut last = None;
        let found = async || {
            let target = targets.get(name).await.ok()?;
            let ready = condition::find(&target.status.as_ref()?.conditions, ConditionType::Ready)?.clone();
            let holds = ready.reason == expected && ready.message.contains(words);
            last = Some(ready);
            holds.then_some(())
        };
        let waited = tokio::time::timeout(MENDED, eventually(expected, MENDED * 2, found)).await;
        assert!(waited.is_ok(), "{name}: {expected} with {words:?} was expected, but the last is {last:?}");
    }
}

#[tokio::test]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn a_target_by_eks_runs_a_test_with_tokens_made_in_the_operator() {
    let (harness, cloud) = with_cloud().await;
    {
        let mut facts = cloud.facts();
        facts.trusted.insert(ROLE.into());
        facts.mapped = [ROLE.to_owned()].into();
    }
    let operator = harness.operator();
    harness.eks_target(&harness.target, json!({"clusterName": CLUSTER, "roleArn": ROLE}), false).await;
    harness.ready_is(&harness.target, "Ready", "").await;
    harness.load_test(json!({})).await;
    let run = harness.only_run().await;
    let job = harness.worker_job(&run, 2).await;
    harness.play_ready(&job, 2).await;
    harness.until(&run, Phase::Running).await;
    harness.play_to_the_result(&run).await;
    let ended = harness.until_cleaned(&run).await;
    assert_eq!(reason_of_end(&ended).as_deref(), Some("Completed"));
    {
        let facts = cloud.facts();
        assert_eq!(facts.refusals, Vec::<String>::new());
        assert!(facts.described <= 2, "a cluster that answers is not looked up again: {}", facts.described);
    }
    operator.stop().await;
    harness.end().await;
}

#[tokio::test]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn each_refusal_of_aws_or_of_the_cluster_is_said_with_its_reason_and_ends_when_it_is_mended() {
    let (harness, cloud) = with_cloud().await;
    let endpoint = harness.config.cluster_url.to_string();
    {
        let mut facts = cloud.facts();
        facts.clusters.insert("hidden".into(), None);
        let mut creating = cluster(&endpoint, &harness.authority());
        creating["status"] = "CREATING".into();
        facts.clusters.insert("creating".into(), Some(creating));
        facts.clusters.insert("other".into(), Some(cluster(&endpoint, &harness.authority())));
        facts.clusters.insert("rotating".into(), Some(cluster(&endpoint, STRANGER)));
        // Tokens are younger than this authenticator thinks.
        facts.ahead = jiff::SignedDuration::from_mins(16);
    }
    let operator = harness.operator();
    let unique = harness.target.trim_start_matches("t-").to_owned();
    let name = |short: &str| format!("{short}-{unique}");
    let rows = [
        ("no", json!({"clusterName": "missing"}), "ClusterNotFound", "missing"),
        ("hid", json!({"clusterName": "hidden"}), "AccessDenied", "eks:DescribeCluster"),
        ("new", json!({"clusterName": "creating"}), "ClusterNotActive", "CREATING"),
        ("rol", json!({"clusterName": CLUSTER, "roleArn": ROLE}), "RoleRefused", ROLE),
        ("oth", json!({"clusterName": "other"}), "TokenRefused", "access entry"),
        ("ca", json!({"clusterName": "rotating"}), "Unreachable", "certificate"),
    ];
    for (short, eks, ..) in &rows {
        harness.eks_target(&name(short), eks.clone(), false).await;
    }
    harness.eks_target(&harness.target, json!({"clusterName": CLUSTER}), false).await;
    for (short, _, reason, words) in &rows {
        harness.ready_is(&name(short), reason, words).await;
    }
    harness.ready_is(&harness.target, "TokenRefused", "clock").await;
    assert!(cloud.facts().refusals.iter().any(|words| words == "expired"), "{:?}", cloud.facts().refusals);

    {
        let mut facts = cloud.facts();
        facts.ahead = jiff::SignedDuration::ZERO;
        facts.trusted.insert(ROLE.into());
        facts.mapped.insert(ROLE.into());
        // The old authority and the new one, as EKS tells them while it changes them.
        let both = format!("{STRANGER}{}", harness.authority());
        facts.clusters.insert("rotating".into(), Some(cluster(&endpoint, &both)));
    }
    harness.ready_is(&harness.target, "Ready", "").await;
    harness.ready_is(&name("rol"), "Ready", "").await;
    // The authority is trusted by now; that the token is for another cluster shows only then.
    harness.ready_is(&name("ca"), "TokenRefused", "rotating").await;
    harness.ready_is(&name("oth"), "TokenRefused", "other").await;

    operator.stop().await;
    let targets: Api<RegionTarget> = Api::all(harness.client.clone());
    for (short, ..) in &rows {
        targets.delete(&name(short), &DeleteParams::default()).await.unwrap();
    }
    harness.end().await;
}

#[tokio::test]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn a_run_waits_for_fargates_quota_where_it_is_known_and_is_told_its_cost() {
    let (harness, cloud) = with_cloud().await;
    let operator = harness.operator();
    harness.eks_target(&harness.target, json!({"clusterName": CLUSTER}), true).await;
    let known = |target: &RegionTarget, status: &str| {
        let conditions = target.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        condition::find(conditions, ConditionType::QuotaKnown).is_some_and(|found| found.status == status)
    };
    let denied = harness.target_until("nobody may ask for the quota", |target| known(target, "False")).await;
    let conditions = denied.status.unwrap().conditions;
    assert!(condition::is_true(&conditions, ConditionType::Ready), "the target can be used all the same");
    let said = &condition::find(&conditions, ConditionType::QuotaKnown).unwrap().message;
    assert!(said.contains("servicequotas:GetServiceQuota"), "{said}");

    cloud.facts().quota = Some((3.0, 1.2));
    // Another generation is probed at once.
    harness.merge_target(json!({"spec": {"allowedNamespaces": [harness.shop, "another"]}})).await;
    let target = harness.target_until("the quota is known", |target| known(target, "True")).await;
    let quota = target.status.unwrap().quota.unwrap();
    assert_eq!((quota.vcpu, quota.used), (3, 2));
    // Two workers of 1 vCPU.
    harness.load_test(json!({})).await;
    let run = harness.only_run().await;
    let message = eventually("the run waits", SOON, async || {
        let status = harness.run_api().get(&run.name_any()).await.unwrap().status?;
        let planned = condition::find(&status.conditions, ConditionType::Planned)?.clone();
        (planned.reason == "QuotaExceeded").then_some(planned.message)
    })
    .await;
    for words in [harness.target.as_str(), REGION, "wants 2 vCPU", "1 of the account's 3 are free"] {
        assert!(message.contains(words), "{message}");
    }

    cloud.facts().quota = Some((6.0, 1.2));
    harness.merge_target(json!({"spec": {"allowedNamespaces": [harness.shop]}})).await;
    let job = harness.worker_job(&run, 2).await;
    let plan = harness.run_api().get(&run.name_any()).await.unwrap().status.unwrap().plan.unwrap();
    assert!(plan.estimated_cost.is_some_and(|cost| cost.starts_with("$0.0")) && plan.expected_start.is_some());
    harness.play_ready(&job, 2).await;
    harness.until(&run, Phase::Running).await;
    let close = harness.play_to_the_result(&run).await;
    assert!(close.asked_at.contains_key(&harness.target), "{close:?}");
    harness.until_cleaned(&run).await;
    operator.stop().await;
    harness.end().await;
}
