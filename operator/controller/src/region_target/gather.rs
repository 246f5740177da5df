//! Asks a target's cluster: does it answer, does the namespace exist, may the operator do what it needs to.

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::{Api, PostParams};
use volley_api::{LoadTestRun, RegionTarget, labels};

use super::build;
use super::error::Error;
use super::observed::{JobThere, Observed, Probe, RunKnown};
use crate::clusters::{Away, RegionError};
use crate::context::Context;
use crate::kubernetes;
use crate::rbac::{self, Right};

/// Access reviews that are asked at once.
const PARALLEL_REVIEWS: usize = 4;

/// Everything about a target; `None`: it does not exist any more.
pub(super) async fn gather(name: &str, context: &Context) -> Result<Option<Observed>, Error> {
    let targets: Api<RegionTarget> = Api::all(context.client.clone());
    let Some(target) = kubernetes::get(&targets, name).await? else { return Ok(None) };
    let now = (context.now)();
    let credentials = context.clusters.key(&target);
    let probe = if let Some(probe) = context.probes.recent(&target, &credentials, now) {
        probe
    } else {
        let probe = probe(&target, now, context).await;
        context.probes.keep(&target, credentials, &probe);
        probe
    };
    let jobs = if probe.is_good() { jobs(&target, context).await } else { None };
    let runs = runs(name, context).await?;
    let operator_namespace = context.settings.namespace.clone();
    Ok(Some(Observed { target, operator_namespace, probe, jobs, runs }))
}

async fn probe(target: &RegionTarget, at: Timestamp, context: &Context) -> Probe {
    let clusters = &context.clusters;
    let version = clusters.probe(target, async |client| {
        kubernetes::call("ask", "the API server for its version", client.apiserver_version()).await
    });
    let version = version.await.map(|info| info.git_version).map_err(unusable);
    let mut probe = Probe { at, version, namespace_exists: None, missing_rights: None, quota: None };
    if probe.version.is_err() {
        return probe;
    }
    let namespace = &target.spec.namespace;
    match clusters.probe(target, async |client| missing_rights(&client, namespace).await).await {
        Ok(missing) => probe.missing_rights = Some(missing),
        Err(error) => probe.version = Err(unusable(error)),
    }
    let found = clusters.probe(target, async |client| {
        let namespaces: Api<Namespace> = Api::all(client);
        kubernetes::get(&namespaces, namespace).await
    });
    match found.await {
        Ok(found) => {
            probe.namespace_exists = Some(found.is_some_and(|found| found.metadata.deletion_timestamp.is_none()));
        }
        Err(error) if error.is_forbidden() => {
            probe.missing_rights.get_or_insert_default().push("get namespaces".to_owned());
        }
        Err(error) => probe.version = Err(unusable(error)),
    }
    if probe.is_good() {
        let quota = clusters.quota(target).await;
        probe.quota = quota.map(|asked| asked.map(build::quota).map_err(|error| error.to_string()));
    }
    probe
}

/// Why a cluster cannot be used that does not answer as it should.
fn unusable(error: RegionError) -> Away {
    match error {
        RegionError::Away(away) => away,
        RegionError::Hub(error) | RegionError::Answered(error) => Away::unreachable(error.to_string()),
    }
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

/// The worker Jobs of this installation and target; `None`: its cluster could not be asked.
async fn jobs(target: &RegionTarget, context: &Context) -> Option<Vec<JobThere>> {
    let selector = format!(
        "{}={},{}={}",
        labels::INSTALLATION,
        context.settings.installation,
        labels::TARGET,
        target.metadata.name.as_deref().unwrap_or_default()
    );
    let listed = context.clusters.probe(target, async |client| {
        let jobs: Api<Job> = Api::namespaced(client, &target.spec.namespace);
        kubernetes::list_as(&jobs, &selector, |job| build::job_there(&job)).await
    });
    match listed.await {
        Ok(jobs) => Some(jobs),
        Err(error) => {
            tracing::debug!(%error, "the Jobs of a target cannot be listed");
            None
        }
    }
}

/// All runs. The target's name stands in the status of those that use it, before they make anything.
async fn runs(target: &str, context: &Context) -> Result<Vec<RunKnown>, Error> {
    let runs: Api<LoadTestRun> = Api::all(context.client.clone());
    Ok(kubernetes::list_as(&runs, "", |run| build::run_known(&run, target)).await?)
}
