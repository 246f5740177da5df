//! Does what a plan says, and sees to it that the Jobs of all targets are watched.

use k8s_openapi::api::batch::v1::Job;
use kube::api::Api;
use serde_json::json;
use volley_api::{RegionTarget, labels};

use super::error::Error;
use super::observed::Observed;
use super::plan::Action;
use crate::clusters::{ClusterKey, Place};
use crate::context::Context;
use crate::kubernetes;

/// Does the actions of a plan, in order.
pub(super) async fn apply(actions: &[Action], observed: &Observed, context: &Context) -> Result<(), Error> {
    for action in actions {
        tracing::info!(?action, target = observed.target.metadata.name, "acting");
        perform(action, observed, context).await?;
    }
    Ok(())
}

async fn perform(action: &Action, observed: &Observed, context: &Context) -> Result<(), Error> {
    match action {
        Action::Sweep { name, uid } => {
            let namespace = &observed.target.spec.namespace;
            let swept = context.clusters.probe(&observed.target, async |client| {
                let jobs: Api<Job> = Api::namespaced(client, namespace);
                kubernetes::delete(&jobs, name, uid).await
            });
            Ok(swept.await?)
        }
        Action::ForgetLeftovers { run_uid } => {
            let annotation = format!("{}{run_uid}", labels::LEFTOVER_PREFIX);
            forgiving(patch(json!({"annotations": {annotation: null}}), &observed.target, context).await)
        }
        Action::Hold => forgiving(hold(&observed.target, context).await),
        Action::Release => {
            let all = observed.target.metadata.finalizers.iter().flatten();
            let others: Vec<_> = all.filter(|name| *name != labels::TARGET_FINALIZER).collect();
            forgiving(patch(json!({"finalizers": others}), &observed.target, context).await)
        }
    }
}

/// Puts our finalizer on a target, under the version that was seen.
///
/// # Errors
/// As the API server answers; a conflict where somebody wrote in between.
pub(crate) async fn hold(target: &RegionTarget, context: &Context) -> Result<(), kubernetes::Error> {
    let mut finalizers = target.metadata.finalizers.clone().unwrap_or_default();
    finalizers.push(labels::TARGET_FINALIZER.to_owned());
    patch(json!({"finalizers": finalizers}), target, context).await
}

/// Under the version that was seen: whoever wrote in between is looked at first.
async fn patch(
    mut metadata: serde_json::Value,
    target: &RegionTarget,
    context: &Context,
) -> Result<(), kubernetes::Error> {
    let seen = &target.metadata;
    metadata["uid"] = json!(seen.uid);
    metadata["resourceVersion"] = json!(seen.resource_version);
    let targets: Api<RegionTarget> = Api::all(context.client.clone());
    kubernetes::merge(&targets, seen.name.as_deref().unwrap_or_default(), json!({"metadata": metadata})).await
}

/// A target that is gone needs nothing.
fn forgiving(patched: Result<(), kubernetes::Error>) -> Result<(), Error> {
    match patched {
        Err(error) if error.code() == Some(404) => Ok(()),
        patched => Ok(patched?),
    }
}

/// Watch the Jobs of all targets that have a client, and those of the operator's own namespace. A target gets its client by its
/// own probe, so that none waits for another.
pub(super) fn watch(context: &Context) {
    let own = Place { cluster: ClusterKey::Hub, namespace: context.settings.namespace.clone() };
    let mut places = vec![(own, context.client.clone())];
    for target in context.targets.state() {
        if let Some((cluster, client)) = context.clusters.watchable(&target) {
            places.push((Place { cluster, namespace: target.spec.namespace.clone() }, client));
        }
    }
    context.job_watches.set(places);
}
