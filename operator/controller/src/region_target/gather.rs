//! Asks a target's cluster: does it answer, does the namespace exist, may the operator do what it needs to.

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::{Api, PostParams};
use volley_api::{RegionTarget, labels};

use super::build;
use super::error::Error;
use super::observed::{Observed, Probe};
use crate::context::Context;
use crate::kubernetes;
use crate::rbac::{self, Right};

/// Access reviews that are asked at once.
const PARALLEL_REVIEWS: usize = 4;

/// Everything about a target; `None`: it does not exist any more.
pub(super) async fn gather(name: &str, context: &Context) -> Result<Option<Observed>, Error> {
    let targets: Api<RegionTarget> = Api::all(context.client.clone());
    let Some(target) = kubernetes::get(&targets, name).await? else { return Ok(None) };
    let client = context.clusters.of(&target);
    let now = (context.now)();
    let probe = if let Some(probe) = context.probes.recent(&target, now) {
        probe
    } else {
        let probe = probe(&client, &target, now).await;
        context.probes.keep(&target, &probe);
        probe
    };
    let active_workers = if probe.is_good() { active(&client, &target, context).await } else { None };
    let operator_namespace = context.settings.namespace.clone();
    Ok(Some(Observed { target, operator_namespace, probe, active_workers }))
}

async fn probe(client: &Client, target: &RegionTarget, at: Timestamp) -> Probe {
    let mut probe = Probe { at, version: Err(String::new()), namespace_exists: None, missing_rights: None };
    match kubernetes::call("ask", "the API server for its version", client.apiserver_version()).await {
        Ok(info) => probe.version = Ok(info.git_version),
        Err(error) => {
            probe.version = Err(error.to_string());
            return probe;
        }
    }
    match missing_rights(client, &target.spec.namespace).await {
        Ok(missing) => probe.missing_rights = Some(missing),
        Err(error) => probe.version = Err(error.to_string()),
    }
    let namespaces: Api<Namespace> = Api::all(client.clone());
    match kubernetes::get(&namespaces, &target.spec.namespace).await {
        Ok(found) => {
            probe.namespace_exists = Some(found.is_some_and(|found| found.metadata.deletion_timestamp.is_none()));
        }
        Err(error) if error.code() == Some(403) => {
            probe.missing_rights.get_or_insert_default().push("get namespaces".to_owned());
        }
        Err(error) => probe.version = Err(error.to_string()),
    }
    probe
}

async fn missing_rights(client: &Client, namespace: &str) -> Result<Vec<String>, kubernetes::Error> {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let answers = stream::iter(rbac::rights(rbac::WORKER_NAMESPACE)).map(|right| {
        let reviews = &reviews;
        async move { allowed(reviews, namespace, right).await.map(|allowed| (!allowed).then_some(right)) }
    });
    let mut missing: Vec<Right> = answers
        .buffer_unordered(PARALLEL_REVIEWS)
        .try_filter_map(|right| async move { Ok(right) })
        .try_collect()
        .await?;
    missing.sort();
    Ok(missing.iter().map(ToString::to_string).collect())
}

async fn allowed(
    reviews: &Api<SelfSubjectAccessReview>,
    namespace: &str,
    right: Right,
) -> Result<bool, kubernetes::Error> {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                namespace: Some(namespace.to_owned()),
                group: some(right.group),
                resource: some(right.resource),
                subresource: some(right.subresource),
                verb: some(right.verb),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let parameters = PostParams::default();
    let answer = reviews.create(&parameters, &review);
    let answer = kubernetes::call("ask for", format!("the right to {right} in {namespace}"), answer).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// Worker pods that run there. It is for people, so that it cannot be had is no fault.
async fn active(client: &Client, target: &RegionTarget, context: &Context) -> Option<i64> {
    let jobs: Api<Job> = Api::namespaced(client.clone(), &target.spec.namespace);
    let selector = format!(
        "{}={},{}={}",
        labels::INSTALLATION,
        context.settings.installation,
        labels::TARGET,
        target.metadata.name.as_deref().unwrap_or_default()
    );
    match kubernetes::list(&jobs, &selector).await {
        Ok(jobs) => Some(build::active_workers(&jobs)),
        Err(error) => {
            tracing::debug!(%error, "workers cannot be counted");
            None
        }
    }
}
