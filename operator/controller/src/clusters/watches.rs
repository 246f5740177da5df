//! Watches on the Jobs of all worker namespaces, which follow the `RegionTargets`. A change of a Job says which run to look at.
//!
//! The operator has rights over Jobs in the listed namespaces only, so there is one watch a namespace of a cluster. Only metadata is
//! watched: a change of a Job's status changes its resource version, which is all that is needed here. A watch that breaks is begun
//! anew with a growing pause, each by itself: a cluster that is away holds up no other.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::channel::mpsc;
use futures::stream::{AbortHandle, BoxStream, SelectAll};
use futures::{SinkExt, StreamExt, stream};
use k8s_openapi::api::batch::v1::Job;
use kube::api::{Api, PartialObjectMeta};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use tokio::sync::watch;
use volley_api::{LoadTestRun, labels};

use crate::load_test_run::build::RUN_ANNOTATION;
use crate::run::Meta;

/// Below the shortest idle time of usual load balancers (240 s).
pub(crate) const WATCH_SECONDS: u32 = 200;
/// Runs that wait to be looked at; a Job's change is repeated by the run's own cadence, so a full queue only delays.
const QUEUE: usize = 256;

/// A cluster, and the credentials for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ClusterKey {
    /// The operator's own.
    Hub,
    /// Another one.
    Remote {
        /// Name of the RegionTarget.
        target: String,
        /// Changes when the credentials or the place of the cluster do.
        version: String,
    },
}

/// One place in which Jobs are watched. Two targets may share one: it is watched once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The cluster.
    pub cluster: ClusterKey,
    /// The namespace.
    pub namespace: String,
}

/// The places that are wished for, each with a client.
type Wish = BTreeMap<Place, WatchClient>;

/// A client, compared by nothing: its place names the credentials.
#[derive(Clone)]
struct WatchClient(Client);

/// The wish which places are watched.
pub(crate) struct JobWatches {
    places: watch::Sender<Arc<Wish>>,
}

/// Runs whose Jobs have changed.
pub(crate) type ChangedRuns = mpsc::Receiver<ObjectRef<Meta<LoadTestRun>>>;

impl JobWatches {
    /// The wish, what fulfils it (run it as a task; it ends only when the wish or the listener is dropped), and the listener.
    pub(crate) fn new(installation: &str) -> (Self, impl Future<Output = ()> + Send + use<>, ChangedRuns) {
        let (places, wish) = watch::channel(Arc::new(Wish::new()));
        let (sender, changed) = mpsc::channel(QUEUE);
        let selector = format!("{}={installation}", labels::INSTALLATION);
        (Self { places }, follow(selector, wish, sender), changed)
    }

    /// Watch these places and no others.
    pub(crate) fn set(&self, wanted: impl IntoIterator<Item = (Place, Client)>) {
        let wanted: Wish = wanted.into_iter().map(|(place, client)| (place, WatchClient(client))).collect();
        self.places.send_if_modified(|places| {
            let differs = !places.keys().eq(wanted.keys());
            if differs {
                *places = Arc::new(wanted);
            }
            differs
        });
    }
}

async fn follow(
    selector: String,
    mut wish: watch::Receiver<Arc<Wish>>,
    mut sender: mpsc::Sender<ObjectRef<Meta<LoadTestRun>>>,
) {
    let mut running: BTreeMap<Place, AbortHandle> = BTreeMap::new();
    let mut changes: SelectAll<BoxStream<'static, ObjectRef<Meta<LoadTestRun>>>> = SelectAll::new();
    loop {
        let wanted = Arc::clone(&wish.borrow_and_update());
        running.retain(|place, handle| {
            let keep = wanted.contains_key(place);
            if !keep {
                handle.abort();
            }
            keep
        });
        for (place, WatchClient(client)) in wanted.iter() {
            running.entry(place.clone()).or_insert_with(|| {
                let (stream, handle) = stream::abortable(jobs(client.clone(), place, &selector));
                changes.push(stream.boxed());
                handle
            });
        }
        loop {
            tokio::select! {
                wished = wish.changed() => match wished {
                    Ok(()) => break,
                    Err(_) => return,
                },
                Some(run) = changes.next() => {
                    if sender.send(run).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

fn jobs(
    client: Client,
    place: &Place,
    selector: &str,
) -> impl futures::Stream<Item = ObjectRef<Meta<LoadTestRun>>> + use<> {
    let api: Api<PartialObjectMeta<Job>> = Api::namespaced(client, &place.namespace);
    let config = watcher::Config::default().labels(selector).timeout(WATCH_SECONDS);
    let place = place.clone();
    watcher(api, config).default_backoff().touched_objects().filter_map(move |event| {
        let run = match event {
            Ok(job) => run_of(&job),
            Err(error) => {
                tracing::warn!(%error, ?place, "the watch on Jobs had an error and goes on");
                None
            }
        };
        futures::future::ready(run)
    })
}

/// The run that a Job belongs to, by its annotation.
fn run_of(job: &PartialObjectMeta<Job>) -> Option<ObjectRef<Meta<LoadTestRun>>> {
    let (namespace, name) = job.annotations().get(RUN_ANNOTATION)?.split_once('/')?;
    Some(ObjectRef::new(name).within(namespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_names_its_run_by_its_annotation() {
        let job = |annotations: serde_json::Value| -> PartialObjectMeta<Job> {
            serde_json::from_value(serde_json::json!({"metadata": {"name": "j", "annotations": annotations}})).unwrap()
        };
        let found = run_of(&job(serde_json::json!({RUN_ANNOTATION: "shop/checkout-1"}))).unwrap();
        assert_eq!((found.name.as_str(), found.namespace.as_deref()), ("checkout-1", Some("shop")));
        assert_eq!(run_of(&job(serde_json::json!({}))), None);
        assert_eq!(run_of(&job(serde_json::json!({RUN_ANNOTATION: "no namespace"}))), None);
    }
}
