//! Reads what a plan of a run depends on. Fresh from the servers, in an order that matters: Jobs before manifests, so that what a
//! finished Job's pods uploaded is in the list.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::Api;
use kube::runtime::reflector::ObjectRef;
use volley_api::{LoadTest, LoadTestRun, labels};
use volley_storage::documents::{Definition, Images, RunIdentity, StartDecision, WorkerFailure};
use volley_storage::keys::{self, WorkerAttempt};

use super::error::Error;
use super::observed::{Definiteness, Frozen, JobSeen, Observed, PodSeen, RegionSeen, Rival, RivalState};
use super::{build, timing, validate};
use crate::context::Context;
use crate::definition::Requester;
use crate::{kubernetes, references, region_target};
use volley_api::condition::{self, ConditionType};

/// Manifests and failures of a run: 5 regions of 1,000 workers with 4 attempts each.
const MAX_OBJECTS: usize = 20_000;
/// `failed.json` objects that are read: the first says why, the others say the same.
const MAX_FAILURES: usize = 10;

/// Pods that were listed lately, so that a run that waits does not list them each second.
#[derive(Debug, Default)]
pub struct Glimpses {
    seen: Mutex<HashMap<(String, String), Glimpse>>,
}

/// When pods were listed, and what was seen.
type Glimpse = (Timestamp, Vec<PodSeen>);

impl Glimpses {
    fn recent(&self, run_uid: &str, target: &str, now: Timestamp) -> Option<Vec<PodSeen>> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, pods) = seen.get(&(run_uid.to_owned(), target.to_owned()))?;
        (now < timing::after(*at, timing::PODS_EVERY)).then(|| pods.clone())
    }

    fn keep(&self, run_uid: &str, target: &str, now: Timestamp, pods: Vec<PodSeen>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, (at, _)| now < timing::after(*at, timing::PODS_EVERY));
        seen.insert((run_uid.to_owned(), target.to_owned()), (now, pods));
    }
}

/// Everything about a run; `None`: it does not exist any more.
pub(super) async fn gather(name: &str, namespace: &str, context: &Context) -> Result<Option<Observed>, Error> {
    let runs: Api<LoadTestRun> = Api::namespaced(context.client.clone(), namespace);
    let Some(run) = kubernetes::get(&runs, name).await? else { return Ok(None) };
    let uid = run.metadata.uid.clone().ok_or_else(|| Error::Incomplete(format!("{namespace}/{name}"), "uid"))?;
    let load_tests: Api<LoadTest> = Api::namespaced(context.client.clone(), namespace);
    let load_test = kubernetes::get(&load_tests, &run.spec.load_test).await?.filter(|found| belongs(&run, found));
    let rivals = rivals(&runs, load_test.as_ref(), &uid).await?;
    let mut observed = Observed {
        run,
        load_test,
        rivals,
        definition: Definiteness::Unknown,
        regions: BTreeMap::new(),
        aggregator: None,
        start: None,
        stop: None,
        close: None,
        manifests: BTreeSet::new(),
        shortage: None,
        refusals: Vec::new(),
    };
    let ended = has_ended(&observed.run);
    if ended && !observed.has_finalizer() {
        return Ok(Some(observed));
    }
    observed.definition = definition(&observed, ended, context).await?;
    let Definiteness::Frozen(frozen) = observed.definition.clone() else { return Ok(Some(observed)) };
    let definition = &frozen.definition;
    jobs(&mut observed, definition, context).await?;
    if ended {
        return Ok(Some(observed));
    }
    observed.start = context.store.get_document(&keys::start(&uid)).await?.map(|(document, _)| document);
    let now = (context.now)();
    match observed.start.clone() {
        Some(start) => after_start(&mut observed, definition, &start, now, context).await?,
        None => before_start(&mut observed, definition, now, context).await?,
    }
    Ok(Some(observed))
}

/// A run belongs to the LoadTest that owns it; before it is adopted, to the one of that name.
fn belongs(run: &LoadTestRun, load_test: &LoadTest) -> bool {
    let owners = run.metadata.owner_references.iter().flatten();
    let mut owners =
        owners.filter(|owner| owner.kind == "LoadTest" && owner.api_version.starts_with("volley.dev/")).peekable();
    owners.peek().is_none() || owners.any(|owner| Some(&owner.uid) == load_test.metadata.uid.as_ref())
}

fn has_ended(run: &LoadTestRun) -> bool {
    let status = run.status.as_ref();
    let annotated = run.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(labels::FINISHED));
    annotated || status.is_some_and(|status| condition::is_true(&status.conditions, ConditionType::Finished))
}

/// The other runs that hold the claim. A fresh list, because a cache that does not know a young run yet would call its claim void.
async fn rivals(runs: &Api<LoadTestRun>, load_test: Option<&LoadTest>, uid: &str) -> Result<Vec<Rival>, Error> {
    let active = load_test.and_then(|load_test| load_test.status.as_ref()).map(|status| status.active.as_slice());
    let others: Vec<&String> = active.unwrap_or_default().iter().filter(|other| *other != uid).collect();
    if others.is_empty() {
        return Ok(Vec::new());
    }
    let all = kubernetes::list(runs, "").await?;
    Ok(others
        .into_iter()
        .map(|other| {
            let run = all.iter().find(|run| run.metadata.uid.as_ref() == Some(other));
            let finalizer = |run: &LoadTestRun| {
                run.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == labels::RUN_FINALIZER)
            };
            let state = match run {
                Some(run) if !has_ended(run) => RivalState::Active,
                Some(run) if finalizer(run) => RivalState::Ending,
                Some(_) | None => RivalState::Gone,
            };
            Rival { uid: other.clone(), name: run.and_then(|run| run.metadata.name.clone()), state }
        })
        .collect())
}

async fn definition(observed: &Observed, ended: bool, context: &Context) -> Result<Definiteness, Error> {
    let uid = observed.uid();
    let key = keys::definition(uid);
    if let Some((definition, digest)) = context.store.get_document::<Definition>(&key).await? {
        let location = context.store.location(&key);
        return Ok(Definiteness::Frozen(Box::new(Frozen { definition, digest, location })));
    }
    let Some(load_test) = observed.load_test.as_ref().filter(|_| !ended) else { return Ok(Definiteness::Unknown) };
    let namespace = observed.run.metadata.namespace.clone().unwrap_or_default();
    let references = references::gather(&load_test.spec, &namespace, context).await?;
    let created = observed.run.metadata.creation_timestamp.as_ref();
    let requester = Requester {
        installation: context.settings.installation.clone(),
        run: RunIdentity {
            uid: uid.to_owned(),
            name: observed.run.metadata.name.clone().unwrap_or_default(),
            namespace,
            load_test: observed.run.spec.load_test.clone(),
            created_at: created
                .map(|time| time.0)
                .ok_or_else(|| Error::Incomplete(uid.to_owned(), "creationTimestamp"))?,
        },
        definition_digest: volley_api::digest::definition_digest(&load_test.spec),
        images: Images { worker: context.settings.worker_image.clone(), volley: context.settings.volley_image.clone() },
    };
    Ok(Definiteness::Open(validate::validate(&load_test.spec, requester, &references)))
}

/// All regions are asked at once: one that is far or away holds up no other.
async fn jobs(observed: &mut Observed, definition: &Definition, context: &Context) -> Result<(), Error> {
    let asked = definition.regions.iter().map(async |region| {
        let name = build::worker_name(definition, &region.target);
        let job = async |client| {
            let api: Api<Job> = Api::namespaced(client, &region.namespace);
            kubernetes::get(&api, &name).await
        };
        let target = context.targets.get(&ObjectRef::new(&region.target));
        let unheld = target.is_some_and(|target| !region_target::is_held(&target));
        let seen = match context.clusters.ask(&region.target, job).await {
            Ok(job) => RegionSeen { job: job.as_ref().map(JobSeen::from), unheld, ..RegionSeen::default() },
            Err(error) => RegionSeen { away: Some(error.away().ok_or(error)?), unheld, ..RegionSeen::default() },
        };
        Ok::<_, Error>((region.target.clone(), seen))
    });
    for asked in join_all(asked).await {
        let (target, seen) = asked?;
        observed.regions.insert(target, seen);
    }
    let api: Api<Job> = Api::namespaced(context.client.clone(), &context.settings.namespace);
    let job = kubernetes::get(&api, &build::aggregator_name(definition)).await?;
    observed.aggregator = job.as_ref().map(JobSeen::from);
    Ok(())
}

async fn before_start(
    observed: &mut Observed,
    definition: &Definition,
    now: Timestamp,
    context: &Context,
) -> Result<(), Error> {
    let uid = observed.uid().to_owned();
    if observed.run.status.as_ref().is_none_or(|status| status.plan.is_none()) {
        observed.shortage = context.admissions.ask(definition, context).await?.err();
    }
    for region in &definition.regions {
        let Some(seen) = observed.regions.get_mut(&region.target) else { continue };
        let Some(job) = &seen.job else { continue };
        if job.script_failed {
            seen.failures = failures(&uid, &region.target, context).await?;
        }
        let late = job.ramped_at.is_some_and(|at| now >= timing::after(at, timing::PODS_AFTER));
        if late && job.ready < region.workers {
            seen.pods = pods(&uid, &region.target, &region.namespace, now, context).await?;
        }
    }
    Ok(())
}

async fn after_start(
    observed: &mut Observed,
    definition: &Definition,
    start: &StartDecision,
    now: Timestamp,
    context: &Context,
) -> Result<(), Error> {
    let uid = observed.uid().to_owned();
    observed.stop = context.store.get_document(&keys::stop(&uid)).await?.map(|(document, _)| document);
    observed.close = context.store.get_document(&keys::close(&uid)).await?.map(|(document, _)| document);
    if observed.close.is_some() {
        return Ok(());
    }
    let prefix = keys::manifests_prefix(&uid);
    let listed = context.store.list_all(&prefix, MAX_OBJECTS).await?;
    observed.manifests =
        listed.iter().filter_map(|object| WorkerAttempt::from_manifest_key(&uid, &object.key)).collect();
    let ends = observed.stop.as_ref().map_or(Timestamp::MAX, |stop| stop.at);
    let ends = ends.min(timing::after(start.start_at, timing::milliseconds(definition.load.duration_ms())));
    if now < timing::after(ends, timing::PODS_AFTER) {
        return Ok(());
    }
    for region in &definition.regions {
        let Some(seen) = observed.regions.get_mut(&region.target) else { continue };
        if seen.job.as_ref().is_some_and(|job| job.active > 0) {
            seen.pods = pods(&uid, &region.target, &region.namespace, now, context).await?;
        }
    }
    Ok(())
}

/// The pods of a region; `None`: its cluster could not be asked.
async fn pods(
    uid: &str,
    target: &str,
    namespace: &str,
    now: Timestamp,
    context: &Context,
) -> Result<Option<Vec<PodSeen>>, Error> {
    if let Some(pods) = context.glimpses.recent(uid, target, now) {
        return Ok(Some(pods));
    }
    let selector = format!("{}={uid},{}={target}", labels::RUN_UID, labels::TARGET);
    let listed = context.clusters.ask(target, async |client| {
        let api: Api<Pod> = Api::namespaced(client, namespace);
        kubernetes::list_as(&api, &selector, |pod| PodSeen::from(&pod)).await
    });
    let pods: Vec<_> = match listed.await {
        Ok(pods) => pods,
        Err(error) if error.away().is_some() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    context.glimpses.keep(uid, target, now, pods.clone());
    Ok(Some(pods))
}

/// What workers of a target say about their failure.
async fn failures(uid: &str, target: &str, context: &Context) -> Result<Vec<WorkerFailure>, Error> {
    let listed = context.store.list_all(&keys::workers_prefix(uid, target), MAX_OBJECTS).await?;
    let mut failures = Vec::new();
    for object in listed.iter().filter(|object| object.key.ends_with("/failed.json")).take(MAX_FAILURES) {
        // A worker wrote it, so it may be anything: what cannot be read says nothing.
        match context.store.get_document::<WorkerFailure>(&object.key).await {
            Ok(Some((failure, _))) => failures.push(failure),
            Ok(None) => {}
            Err(error) if error.class() == volley_storage::FailureClass::Terminal => {
                tracing::warn!(%error, "a worker's failure cannot be read");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(failures)
}
