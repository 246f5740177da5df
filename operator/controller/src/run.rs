//! Starts the controllers and watches over them: a task that ends ends the operator, so that nothing ever stops unnoticed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResourceList;
use kube::api::{Api, PartialObjectMeta};
use kube::runtime::controller::{self, Action, Controller};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Resource, ResourceExt};
use tokio::sync::watch;
use tokio::task::JoinSet;
use volley_api::{LoadTest, LoadTestRun, RegionTarget, labels};
use volley_storage::ObjectStore;

use crate::aws::Aws;
use crate::cadence::{Classified, Failures};
use crate::capacity::Admissions;
use crate::clusters::{Access, ChangedRuns, Clusters, JobWatches, WATCH_SECONDS};
use crate::context::Context;
use crate::events::Events;
use crate::health::{self, Readiness};
use crate::load_test_run::Glimpses;
use crate::metrics::{Kind, Metrics, Outcome};
use crate::region_target::Probes;
use crate::settings::Settings;
use crate::{kubernetes, load_test, load_test_run, region_target};

/// Runs that are reconciled at once: each makes at most about ten small calls a second.
const RUNS_AT_ONCE: u16 = 16;
/// `LoadTests` that are reconciled at once.
const LOAD_TESTS_AT_ONCE: u16 = 4;
/// `RegionTargets` that are probed at once; one that does not answer holds a place for 20 s.
const TARGETS_AT_ONCE: u16 = 4;
/// Several changes in a row are one reconcile. Far below a second: an object that always changes must not starve.
const DEBOUNCE: Duration = Duration::from_millis(50);
/// Missing definitions of the objects are looked for this often.
const DEFINITIONS_EVERY: Duration = Duration::from_secs(3);
/// Reconciles in flight may end for this long after the order to stop; a pod has 30 s.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(20);

const DEFINITIONS: &str = "CustomResourceDefinitions";
const LOAD_TESTS: &str = "LoadTests";
const RUNS: &str = "LoadTestRuns";
const TARGETS: &str = "RegionTargets";

/// The operator has to end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address of the probes cannot be used.
    #[error("failed to listen on {address}: {source}; choose another address")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// What happened.
        source: std::io::Error,
    },
    /// A task ended that never should. Restarting the process is the way out.
    #[error("the task {0} ended unexpectedly; the operator ends, so that it is started anew")]
    TaskEnded(String),
}

/// Run the operator until `shutdown` or until something ends that never should. Dropping the future stops it at once.
///
/// # Errors
/// [`Error::Listen`] at the start, [`Error::TaskEnded`] later.
pub async fn run(
    client: Client,
    store: ObjectStore,
    settings: Settings,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let address = settings.listen;
    let listener = health::bind(address).await.map_err(|source| Error::Listen { address, source })?;
    let readiness = Arc::new(Readiness::waiting_for(&[DEFINITIONS, LOAD_TESTS, RUNS, TARGETS]));
    let metrics = Arc::new(Metrics::default());
    let (stop, stopped) = watch::channel(false);
    let mut tasks: JoinSet<&'static str> = JoinSet::new();
    let serving = health::serve(listener, Arc::clone(&readiness), Arc::clone(&metrics), until(stopped.clone()));
    tasks.spawn(async {
        if let Err(error) = serving.await {
            tracing::error!(%error, "the probes' server failed");
        }
        "probes' server"
    });
    tracing::info!(%address, installation = settings.installation, "the operator starts");

    let mut shutdown = std::pin::pin!(shutdown);
    tokio::select! {
        () = &mut shutdown => return finish(stop, tasks).await,
        ended = tasks.join_next() => return Err(unexpected(ended)),
        () = definitions(&client, &readiness) => {}
    }
    controllers(&client, store, settings, metrics, &readiness, &stopped, &mut tasks);
    tokio::select! {
        () = shutdown => finish(stop, tasks).await,
        ended = tasks.join_next() => Err(unexpected(ended)),
    }
}

/// Becomes ready when the order to stop comes.
async fn until(mut stopped: watch::Receiver<bool>) {
    // The sender is gone: the operator itself is.
    let _gone = stopped.wait_for(|stopped| *stopped).await;
}

fn unexpected(ended: Option<Result<&'static str, tokio::task::JoinError>>) -> Error {
    Error::TaskEnded(match ended {
        Some(Ok(name)) => name.to_owned(),
        Some(Err(error)) => error.to_string(),
        None => "none".to_owned(),
    })
}

async fn finish(stop: watch::Sender<bool>, mut tasks: JoinSet<&'static str>) -> Result<(), Error> {
    tracing::info!("the operator stops");
    stop.send_replace(true);
    let drained = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(SHUTDOWN_LIMIT, drained).await.is_err() {
        tracing::warn!(
            "reconciles were still under way and are dropped; the next operator goes on from what is written"
        );
    }
    Ok(())
}

/// Waits until all three kinds are served.
async fn definitions(client: &Client, readiness: &Readiness) {
    let group = format!("{}/{}", volley_api::GROUP, volley_api::VERSION);
    loop {
        let asked = client.list_api_group_resources(&group);
        let words = match kubernetes::call("ask", format!("the API server for group {group}"), asked).await {
            Ok(list) => match missing(&list) {
                missing if missing.is_empty() => {
                    readiness.done(DEFINITIONS);
                    return;
                }
                missing => format!("{} missing; install the chart's CRDs", missing.join(", ")),
            },
            Err(error) if error.code() == Some(404) => format!("group {group} is missing; install the chart's CRDs"),
            Err(error) => error.to_string(),
        };
        tracing::warn!(words, "waiting for CustomResourceDefinitions");
        readiness.because(DEFINITIONS, words);
        tokio::time::sleep(DEFINITIONS_EVERY).await;
    }
}

fn missing(list: &APIResourceList) -> Vec<String> {
    [LoadTest::kind(&()), LoadTestRun::kind(&()), RegionTarget::kind(&())]
        .into_iter()
        .filter(|kind| !list.resources.iter().any(|resource| resource.kind == *kind))
        .map(std::borrow::Cow::into_owned)
        .collect()
}

fn controllers(
    client: &Client,
    store: ObjectStore,
    settings: Settings,
    metrics: Arc<Metrics>,
    readiness: &Arc<Readiness>,
    stopped: &watch::Receiver<bool>,
    tasks: &mut JoinSet<&'static str>,
) {
    let (job_watches, watching, changed) = JobWatches::new(&settings.installation);
    let targets = Controller::new(Api::<RegionTarget>::all(client.clone()), watch_config());
    let (kubeconfigs, secrets) = reflector::store();
    let renewed = kubeconfig_secrets(client, &settings.namespace, secrets, targets.store());
    let aws = Aws::new(settings.aws.clone(), &settings.storage.region);
    let clusters =
        Clusters::new(client.clone(), &settings.namespace, targets.store(), kubeconfigs, aws, Timestamp::now);
    let context = Arc::new(Context {
        client: client.clone(),
        store,
        now: Timestamp::now,
        clusters,
        job_watches,
        targets: targets.store(),
        events: Events::new(client.clone(), &settings.namespace),
        metrics,
        admissions: Admissions::default(),
        failures: Failures::default(),
        glimpses: Glimpses::default(),
        probes: Probes::default(),
        settings,
    });
    tasks.spawn(async {
        watching.await;
        "watches on Jobs"
    });
    let known = synced(targets.store(), TARGETS, Arc::clone(readiness));
    let work = drive(
        targets.reconcile_on(renewed).with_config(config(TARGETS_AT_ONCE)).graceful_shutdown_on(until(stopped.clone())),
        Kind::RegionTarget,
        region_target::reconcile,
        Arc::clone(&context),
    );
    tasks.spawn(async {
        futures::join!(known, work);
        TARGETS
    });

    let load_tests = controller(Api::<Meta<LoadTest>>::all(client.clone()))
        .watches(Api::<Meta<LoadTestRun>>::all(client.clone()), watch_config(), test_of)
        .with_config(config(LOAD_TESTS_AT_ONCE))
        .graceful_shutdown_on(until(stopped.clone()));
    let known = synced(load_tests.store(), LOAD_TESTS, Arc::clone(readiness));
    let work = drive(load_tests, Kind::LoadTest, load_test::reconcile, Arc::clone(&context));
    tasks.spawn(async {
        futures::join!(known, work);
        LOAD_TESTS
    });

    let runs = runs(client, changed).graceful_shutdown_on(until(stopped.clone()));
    let known = synced(runs.store(), RUNS, Arc::clone(readiness));
    let work = drive(runs, Kind::LoadTestRun, load_test_run::reconcile, context);
    tasks.spawn(async {
        futures::join!(known, work);
        RUNS
    });
}

/// Keeps the Secrets with kubeconfigs, and names the targets whose one has changed.
fn kubeconfig_secrets(
    client: &Client,
    namespace: &str,
    writer: reflector::store::Writer<Secret>,
    targets: Store<RegionTarget>,
) -> impl Stream<Item = ObjectRef<RegionTarget>> + use<> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let labelled = watch_config().labels(&format!("{}=true", labels::KUBECONFIG));
    let changed = watcher(secrets, labelled).default_backoff().reflect(writer).touched_objects();
    changed.flat_map(move |event| {
        let secret = match event {
            Ok(secret) => secret.name_any(),
            Err(error) => {
                tracing::warn!(%error, "the watch on kubeconfigs had an error and goes on");
                return stream::iter(Vec::new());
            }
        };
        let uses = |target: &Arc<RegionTarget>| matches!(Access::of(target), Access::Kubeconfig { secret: named, .. } if named == secret);
        let of_it: Vec<_> = targets.state().iter().filter(|target| uses(target)).map(|target| ObjectRef::from_obj(&**target)).collect();
        stream::iter(of_it)
    })
}

fn runs(client: &Client, changed: ChangedRuns) -> Controller<Meta<LoadTestRun>> {
    controller(Api::<Meta<LoadTestRun>>::all(client.clone())).reconcile_on(changed).with_config(config(RUNS_AT_ONCE))
}

/// As [`Controller::new`], but for a store without `managedFields`: nobody reads them, and of a stored run they are most of what would
/// stay in memory.
fn controller<K>(api: Api<K>) -> Controller<K>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + Sync + 'static,
{
    let (reader, writer) = reflector::store();
    let pruned = watcher(api, watch_config()).modify(|object| object.meta_mut().managed_fields = None);
    Controller::for_stream(pruned.reflect(writer).applied_objects(), reader)
}

/// Only metadata is watched: a reconcile reads its objects itself, and an object that cannot be read stops no watch.
pub(crate) type Meta<K> = PartialObjectMeta<K>;

fn watch_config() -> watcher::Config {
    watcher::Config::default().timeout(WATCH_SECONDS)
}

fn config(at_once: u16) -> controller::Config {
    controller::Config::default().concurrency(at_once).debounce(DEBOUNCE)
}

/// The LoadTest that a run belongs to, by its label.
#[expect(clippy::needless_pass_by_value, reason = "the signature is kube's")]
fn test_of(run: Meta<LoadTestRun>) -> Option<ObjectRef<Meta<LoadTest>>> {
    let test = run.labels().get(labels::LOAD_TEST)?.clone();
    Some(ObjectRef::new(&test).within(&run.namespace()?))
}

async fn synced<K>(store: Store<K>, name: &'static str, readiness: Arc<Readiness>)
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    // An error means that the controller has ended, which its own task tells.
    if store.wait_until_ready().await.is_ok() {
        readiness.done(name);
    }
}

/// Polls a controller to its end, and counts what it does.
async fn drive<K, E, F, R>(controller: Controller<K>, kind: Kind, reconcile: F, context: Arc<Context>)
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + Sync + 'static,
    E: Classified + Send + 'static,
    F: Fn(Arc<K>, Arc<Context>) -> R + Send + Copy + 'static,
    R: Future<Output = Result<Action, E>> + Send + 'static,
{
    let step = move |object: Arc<K>, context: Arc<Context>| async move {
        let started = Instant::now();
        let in_progress = context.metrics.begun(kind);
        let name = title(&*object);
        let result = reconcile(object, Arc::clone(&context)).await;
        drop(in_progress);
        let outcome = match &result {
            Ok(_) => {
                context.failures.forget(&name);
                Outcome::Success
            }
            Err(error) => {
                if error.is_of_storage() {
                    context.metrics.storage_error(error.class());
                }
                Outcome::from(error.class())
            }
        };
        context.metrics.reconciled(kind, outcome, started.elapsed(), (context.now)().as_second());
        result
    };
    let watched = Arc::clone(&context);
    controller
        .run(step, after_error, context)
        .for_each(move |result| {
            match result {
                Ok(_) | Err(controller::Error::ReconcilerFailed(..)) => {}
                // The object was deleted while it waited: nothing else to do.
                Err(controller::Error::ObjectNotFound(gone)) => {
                    watched.metrics.gone(kind, gone.namespace.as_deref().unwrap_or_default(), &gone.name);
                }
                Err(error) => {
                    tracing::warn!(%error, ?kind, "a watch had an error and goes on");
                    watched.metrics.watch_error(kind);
                }
            }
            futures::future::ready(())
        })
        .await;
}

fn title<K: Resource<DynamicType = ()>>(object: &K) -> String {
    kubernetes::title::<K>(object.meta().namespace.as_deref(), &object.name_any())
}

/// The class of an error decides when the object is looked at again.
#[expect(clippy::needless_pass_by_value, reason = "the signature is kube's")]
fn after_error<K, E>(object: Arc<K>, error: &E, context: Arc<Context>) -> Action
where
    K: Resource<DynamicType = ()>,
    E: Classified,
{
    let name = title(&*object);
    let pause = context.failures.pause(&name, error.class());
    if error.is_conflict() {
        tracing::debug!(%error, object = name, ?pause, "somebody else wrote first");
    } else {
        tracing::warn!(%error, object = name, class = ?error.class(), ?pause, "a reconcile failed");
    }
    Action::requeue(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_wakes_the_load_test_that_its_label_names() {
        let run: Meta<LoadTestRun> = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "r", "namespace": "shop", "labels": {labels::LOAD_TEST: "checkout"}}}))
        .unwrap();
        let test = test_of(run).unwrap();
        assert_eq!((test.name.as_str(), test.namespace.as_deref()), ("checkout", Some("shop")));
    }

    #[test]
    fn a_missing_kind_is_named() {
        let list: APIResourceList = serde_json::from_value(serde_json::json!({"groupVersion": "volley.dev/v1alpha1",
            "resources": [{"name": "loadtests", "kind": "LoadTest", "namespaced": true, "singularName": "", "verbs": []}]}))
        .unwrap();
        assert_eq!(missing(&list), ["LoadTestRun", "RegionTarget"]);
    }
}
