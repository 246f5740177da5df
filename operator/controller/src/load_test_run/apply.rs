//! Does what a plan says, in order. Takes no decision: every action is idempotent or guarded by what was seen.

use std::collections::BTreeMap;

use futures::future::join_all;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::Api;
use serde_json::json;
use volley_api::load_test_run::EndReason;
use volley_api::{LoadTest, LoadTestRun, RegionTarget, labels};
use volley_storage::credentials;
use volley_storage::documents::{CloseDecision, ClosedWorker, DOCUMENT_VERSION, Manifest, Region, StopReason};
use volley_storage::keys;
use volley_storage::objects::BYTES;

use super::build::{self, RAMPED_AT_ANNOTATION};
use super::ending::Refusal;
use super::error::Error;
use super::observed::{Frozen, Observed};
use super::plan::{Action, Closing};
use crate::clusters::RegionError;
use crate::context::Context;
use crate::definition::Candidate;
use crate::load_test::build::run::owner;
use crate::{kubernetes, region_target};

/// Manifests that are read at once.
const PARALLEL_READS: usize = 16;
/// Largest source; a ConfigMap holds 1 MiB.
const MAX_SOURCE_BYTES: u64 = 2 * 1024 * 1024;

/// Does the actions of a plan, in order; those in the regions side by side, each region's in their order. A region that is away
/// ends nothing: the next step sees it.
pub(super) async fn apply(actions: &[Action], observed: &Observed, context: &Context) -> Result<(), Error> {
    for block in actions.chunk_by(|one, other| one.target().is_some() && other.target().is_some()) {
        let mut by_target: BTreeMap<Option<&str>, Vec<&Action>> = BTreeMap::new();
        for action in block {
            by_target.entry(action.target()).or_default().push(action);
        }
        let regions = by_target.into_iter().map(async |(target, actions)| {
            for action in actions {
                tracing::debug!(?action, run = observed.uid(), "acting");
                match perform(action, observed, context).await {
                    Err(Error::Region(error)) if error.away().is_some() => {
                        tracing::warn!(%error, target, run = observed.uid(), "a region is away");
                        return Ok(());
                    }
                    done => done?,
                }
            }
            Ok(())
        });
        let mut refused = Vec::new();
        for done in join_all(regions).await {
            match done {
                Err(Error::Refused(refusals)) => refused.extend(refusals),
                done => done?,
            }
        }
        if !refused.is_empty() {
            return Err(Error::Refused(refused));
        }
    }
    Ok(())
}

async fn perform(action: &Action, observed: &Observed, context: &Context) -> Result<(), Error> {
    let uid = observed.uid();
    match action {
        Action::Adopt => adopt(observed, context).await,
        Action::SetActive(active) => set_active(active, observed, context).await,
        Action::Freeze(candidate) => freeze(candidate, uid, context).await,
        Action::HoldTarget { target } => hold(target, context).await,
        Action::CreateWorkerJob { target } => {
            let (frozen, region) = region(observed, target)?;
            let job = build::worker_job::worker_job(&frozen.definition, region, &context.settings);
            let created = async |client| kubernetes::create(&worker_jobs(client, region), &job).await;
            // That it exists already is success; the next reconcile sees whose it is.
            context.clusters.ask(target, created).await.map_err(|error| refusal_of_region(error, target))?;
            Ok(())
        }
        Action::CreateRunSecret { target, job_uid } => create_secret(target, job_uid, observed, context).await,
        Action::Ramp { target, parallelism, at } => {
            let (frozen, region) = region(observed, target)?;
            let name = build::worker_name(&frozen.definition, target);
            let patch = json!({
                "metadata": {"annotations": {RAMPED_AT_ANNOTATION: at.to_string()}},
                "spec": {"parallelism": parallelism},
            });
            let patched = async |client| kubernetes::merge(&worker_jobs(client, region), &name, patch).await;
            Ok(context.clusters.ask(target, patched).await?)
        }
        Action::CreateAggregatorJob => {
            let frozen = frozen(observed)?;
            let job = build::aggregator_job::aggregator_job(&frozen.definition, &context.settings);
            kubernetes::create(&aggregator_jobs(context), &job).await.map_err(|error| refusal(error, None))?;
            Ok(())
        }
        Action::DecideStart(decision) => {
            context.store.put_document_once(&keys::start(uid), decision).await?;
            Ok(())
        }
        Action::DecideStop(decision) => {
            context.store.put_document_once(&keys::stop(uid), decision).await?;
            Ok(())
        }
        Action::DecideClose(closing) => close(closing, uid, context).await,
        Action::DeleteWorkerJob { target, uid } => {
            let (frozen, region) = region(observed, target)?;
            let name = build::worker_name(&frozen.definition, target);
            let deleted = async |client| kubernetes::delete(&worker_jobs(client, region), &name, uid).await;
            Ok(context.clusters.ask(target, deleted).await?)
        }
        Action::NoteLeftovers { target } => note_leftovers(target, observed, context).await,
        Action::DeleteAggregatorJob { uid } => {
            let name = build::aggregator_name(&frozen(observed)?.definition);
            Ok(kubernetes::delete(&aggregator_jobs(context), &name, uid).await?)
        }
        Action::MarkFinished(at) => {
            let patch = json!({"metadata": {"uid": uid, "annotations": {labels::FINISHED: at.to_string()}}});
            patch_run(patch, observed, context).await
        }
        Action::RemoveFinalizer => {
            let all = observed.run.metadata.finalizers.iter().flatten();
            let others: Vec<_> = all.filter(|name| *name != labels::RUN_FINALIZER).collect();
            // The run may have been changed by the action before, so the version is not compared, but the uid is; finalizers of
            // others do not come to a run that has ended.
            let patch = json!({"metadata": {"uid": uid, "finalizers": others}});
            match patch_run(patch, observed, context).await {
                Err(Error::Kubernetes(error)) if error.code() == Some(404) => Ok(()),
                other => other,
            }
        }
    }
}

fn frozen(observed: &Observed) -> Result<&Frozen, Error> {
    observed.frozen().ok_or_else(|| Error::Incomplete(observed.uid().to_owned(), "frozen definition"))
}

fn region<'a>(observed: &'a Observed, target: &str) -> Result<(&'a Frozen, &'a Region), Error> {
    let frozen = frozen(observed)?;
    let region = frozen.definition.regions.iter().find(|region| region.target == target);
    let region = region.ok_or_else(|| Error::Incomplete(observed.uid().to_owned(), "region of that name"))?;
    Ok((frozen, region))
}

fn worker_jobs(client: Client, region: &Region) -> Api<Job> {
    Api::namespaced(client, &region.namespace)
}

fn aggregator_jobs(context: &Context) -> Api<Job> {
    Api::namespaced(context.client.clone(), &context.settings.namespace)
}

async fn patch_run(patch: serde_json::Value, observed: &Observed, context: &Context) -> Result<(), Error> {
    let metadata = &observed.run.metadata;
    let api: Api<LoadTestRun> =
        Api::namespaced(context.client.clone(), metadata.namespace.as_deref().unwrap_or_default());
    Ok(kubernetes::merge(&api, metadata.name.as_deref().unwrap_or_default(), patch).await?)
}

async fn adopt(observed: &Observed, context: &Context) -> Result<(), Error> {
    let metadata = &observed.run.metadata;
    let mut finalizers = metadata.finalizers.clone().unwrap_or_default();
    if !observed.has_finalizer() {
        finalizers.push(labels::RUN_FINALIZER.to_owned());
    }
    let mut owners = metadata.owner_references.clone().unwrap_or_default();
    if let Some(load_test) = &observed.load_test {
        let mut owner = owner(load_test);
        // One owner may be the controller; somebody else's run stays somebody else's.
        owner.controller = Some(owners.iter().all(|owner| owner.controller != Some(true)));
        if owners.iter().all(|existing| existing.uid != owner.uid) {
            owners.push(owner);
        }
    }
    let patch = json!({"metadata": {
        "uid": metadata.uid,
        "resourceVersion": metadata.resource_version,
        "finalizers": finalizers,
        "ownerReferences": owners,
        "labels": {
            labels::LOAD_TEST: observed.run.spec.load_test,
            labels::INSTALLATION: context.settings.installation,
        },
    }});
    patch_run(patch, observed, context).await
}

/// The claim: only its manager writes the field, and only under the version that was seen.
async fn set_active(active: &[String], observed: &Observed, context: &Context) -> Result<(), Error> {
    let Some(load_test) = &observed.load_test else { return Ok(()) };
    let metadata = &load_test.metadata;
    let api: Api<LoadTest> = Api::namespaced(context.client.clone(), metadata.namespace.as_deref().unwrap_or_default());
    let precondition = json!({"uid": metadata.uid, "resourceVersion": metadata.resource_version});
    let name = metadata.name.as_deref().unwrap_or_default();
    let status = json!({"active": active});
    Ok(kubernetes::apply_status(&api, name, labels::CLAIM_MANAGER, precondition, status).await?)
}

/// Sources first: who reads the definition finds what it names.
async fn freeze(candidate: &Candidate, uid: &str, context: &Context) -> Result<(), Error> {
    for (sha256, bytes) in &candidate.sources {
        context.store.put_new(&keys::script(sha256), bytes.clone(), BYTES, MAX_SOURCE_BYTES).await?;
    }
    context.store.put_document_once(&keys::definition(uid), &candidate.definition).await?;
    Ok(())
}

async fn create_secret(target: &str, job_uid: &str, observed: &Observed, context: &Context) -> Result<(), Error> {
    let Some(embedded) = &context.settings.storage.embedded else { return Ok(()) };
    let (frozen, region) = region(observed, target)?;
    let keys = credentials::run_keys(&embedded.root_key, observed.uid());
    let key = build::run_secret::RunKey { access_key: keys.access_key, secret_key: keys.secret_key };
    let secret = build::run_secret::run_secret(&frozen.definition, region, job_uid, key);
    let applied = async |client| {
        let api: Api<Secret> = Api::namespaced(client, &region.namespace);
        kubernetes::apply(&api, &secret).await
    };
    context.clusters.ask(target, applied).await.map_err(|error| refusal_of_region(error, target))
}

/// As [`refusal`], where a region's cluster may be away as well.
fn refusal_of_region(error: RegionError, target: &str) -> Error {
    match error {
        RegionError::Hub(error) | RegionError::Answered(error) => refusal(error, Some(target)),
        RegionError::Away(_) => error.into(),
    }
}

/// Under the version that is read here, so that a target that is being deleted meanwhile is not used.
async fn hold(target: &str, context: &Context) -> Result<(), Error> {
    let targets: Api<RegionTarget> = Api::all(context.client.clone());
    let not_ready = |message: String| {
        let reason = EndReason::RegionNotReady;
        Error::Refused(vec![Refusal { target: Some(target.to_owned()), reason, message }])
    };
    let Some(found) = kubernetes::get(&targets, target).await? else {
        return Err(not_ready(format!("RegionTarget {target} does not exist any more")));
    };
    if found.metadata.deletion_timestamp.is_some() {
        return Err(not_ready(format!("RegionTarget {target} is being deleted")));
    }
    if region_target::is_held(&found) {
        return Ok(());
    }
    Ok(region_target::hold(&found, context).await?)
}

/// Tells the RegionTarget that objects of the run may still be in its cluster: it sweeps them when the cluster answers again.
async fn note_leftovers(target: &str, observed: &Observed, context: &Context) -> Result<(), Error> {
    let run = kubernetes::qualified_name(&observed.run.metadata);
    let annotation = format!("{}{}", labels::LEFTOVER_PREFIX, observed.uid());
    let targets: Api<RegionTarget> = Api::all(context.client.clone());
    match kubernetes::merge(&targets, target, json!({"metadata": {"annotations": {annotation: run}}})).await {
        // The target is gone: nobody can reach its cluster any more. The Job's own deadline and TTL remain.
        Err(error) if error.code() == Some(404) => {
            tracing::error!(
                target,
                run = observed.uid(),
                "objects of the run may be left in a cluster whose RegionTarget is gone"
            );
            Ok(())
        }
        noted => Ok(noted?),
    }
}

/// What the server's answer to a creation means for the run; what may pass by itself stays an error.
fn refusal(error: kubernetes::Error, target: Option<&str>) -> Error {
    let words = error.words();
    let reason = match error.code() {
        Some(403) if words.contains("exceeded quota") => EndReason::QuotaExceeded,
        Some(403 | 404) => EndReason::RegionNotReady,
        Some(400 | 422) => EndReason::InvalidDefinition,
        Some(_) | None => return Error::Kubernetes(error),
    };
    Error::Refused(vec![Refusal { target: target.map(str::to_owned), reason, message: error.to_string() }])
}

/// Reads the manifests that the plan lists, and freezes the list with their digests.
async fn close(closing: &Closing, uid: &str, context: &Context) -> Result<(), Error> {
    let read = stream::iter(closing.attempts.iter().cloned().map(|attempt| async move {
        let found = context.store.get_document::<Manifest>(&attempt.manifest(uid)).await;
        let stopped = found.as_ref().ok().and_then(Option::as_ref).and_then(|(manifest, _)| manifest.stopped);
        let (manifest, reason) = match found {
            Ok(Some((_, digest))) => (Some(digest), None),
            Ok(None) => (None, Some("its manifest is gone".to_owned())),
            // A worker wrote it, so it may be anything: then the worker is lost, and the run ends all the same.
            Err(error) if error.class() == volley_storage::FailureClass::Terminal => (None, Some(error.to_string())),
            Err(error) => return Err(Error::from(error)),
        };
        let pod_uid = Some(attempt.pod_uid);
        let worker = ClosedWorker { target: attempt.target, index: attempt.index, pod_uid, manifest, reason };
        Ok((worker, stopped))
    }));
    let (mut workers, stops): (Vec<_>, Vec<_>) =
        read.buffer_unordered(PARALLEL_READS).try_collect::<Vec<_>>().await?.into_iter().unzip();
    workers.extend(closing.lost.iter().cloned());
    workers.sort();
    let stopped = why_stopped(closing.stopped, &stops);
    let decision = CloseDecision {
        version: DOCUMENT_VERSION,
        at: closing.at,
        workers,
        stopped,
        asked_at: closing.asked_at.clone(),
    };
    context.store.put_document_once(&keys::close(uid), &decision).await?;
    Ok(())
}

/// Why the load ended early: what was decided about the run, or a full disk, which only its worker can see and which leaves the
/// run with less load than it was to have.
fn why_stopped(decided: Option<StopReason>, of_workers: &[Option<StopReason>]) -> Option<StopReason> {
    decided.or_else(|| of_workers.iter().copied().flatten().find(|reason| *reason == StopReason::DiskFull))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing(None, &[None, None], None)]
    #[case::a_full_disk(None, &[None, Some(StopReason::DiskFull)], Some(StopReason::DiskFull))]
    #[case::decided(Some(StopReason::Requested), &[Some(StopReason::DiskFull)], Some(StopReason::Requested))]
    #[case::what_a_worker_only_heard(None, &[Some(StopReason::Uncontrolled)], None)]
    fn a_run_is_stopped_by_a_decision_or_by_the_disk_of_a_worker(
        #[case] decided: Option<StopReason>,
        #[case] of_workers: &[Option<StopReason>],
        #[case] stopped: Option<StopReason>,
    ) {
        assert_eq!(why_stopped(decided, of_workers), stopped);
    }
}
