//! Follows a run to its end.
//!
//! Order: read the run, show what is new, wait a second; until it is finished, gone, out of time or the user detaches.
//! Reading is a plain GET each second: it needs the right `get` alone, and nothing has to be resumed when a connection
//! breaks. Beside it, and only for who may, runs the stream of the aggregator's live figures ([`live`]). The run never
//! depends on this: whoever stops following changes nothing.

pub mod ending;
pub mod live;
pub mod progress;
#[cfg(test)]
pub(crate) mod sample;
pub mod screen;
pub mod snapshot;

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use kube::api::Api;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use volley_api::load_test_run::LoadTestRun;

use crate::cluster::{Cluster, ClusterError, bounded};
use live::connection::AggregatorStream;
use live::{Live, Patience};
use progress::Viewer;
use snapshot::Snapshot;

/// How often the run is read. A person sees seconds.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long reading may fail before following ends: a restart of an API server takes less.
const PATIENCE: Duration = Duration::from_mins(2);

/// Which run is followed. The uid tells it from a later one of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunReference {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Uid.
    pub uid: String,
}

/// Why following ended before the run did. The run goes on.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The run was deleted.
    #[error("LoadTestRun {namespace}/{name} was deleted while it was followed")]
    Deleted {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
    },
    /// The cluster does not answer.
    #[error("lost the cluster for {} s: {source}; the run goes on: volley result {name} -n {namespace}", PATIENCE.as_secs())]
    Lost {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
        /// The last error.
        source: ClusterError,
    },
    /// The cluster refuses.
    #[error(transparent)]
    Refused(ClusterError),
    /// The user's time limit.
    #[error(
        "LoadTestRun {namespace}/{name} did not end within --timeout {seconds} s; it goes on: volley result {name} -n {namespace}"
    )]
    TimedOut {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
        /// The limit in seconds.
        seconds: u64,
    },
}

/// How following ended.
#[derive(Debug)]
pub enum Followed {
    /// The run has ended.
    Finished(Box<LoadTestRun>),
    /// The user detached; the run goes on.
    Detached,
}

/// How long following may take: the user's time limit.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// When it is over.
    deadline: Instant,
    timeout: Duration,
}

impl Limit {
    /// A limit that begins now.
    #[must_use]
    pub fn of(timeout: Duration) -> Self {
        Self { deadline: Instant::now() + timeout, timeout }
    }
}

/// Follows a run until it has ended or `interrupted` resolves.
///
/// # Errors
/// [`FollowError`]: the run goes on, but is not followed any more.
pub async fn follow(
    cluster: &Cluster,
    operator_namespace: &str,
    reference: &RunReference,
    limit: Option<Limit>,
    viewer: &mut impl Viewer,
    interrupted: impl Future<Output = ()>,
) -> Result<Followed, FollowError> {
    let (news, live) = watch::channel(Live::default());
    let loaded = watch::Sender::new(false);
    let open = async |last_id: Option<&str>| {
        AggregatorStream::open(cluster, operator_namespace, &reference.uid, last_id).await
    };
    let live_figures = async {
        // Before there is any load, nobody has live figures.
        if loaded.subscribe().wait_for(|loaded| *loaded).await.is_ok() {
            live::follow(&news, Patience::default(), open).await;
        }
        std::future::pending::<Infallible>().await
    };
    let runs: Api<LoadTestRun> = Api::namespaced(cluster.client.clone(), &reference.namespace);
    tokio::select! {
        followed = follow_run(&runs, reference, limit, viewer, interrupted, live, &loaded) => followed,
        never = live_figures => match never {},
    }
}

async fn follow_run(
    runs: &Api<LoadTestRun>,
    reference: &RunReference,
    limit: Option<Limit>,
    viewer: &mut impl Viewer,
    interrupted: impl Future<Output = ()>,
    mut live: watch::Receiver<Live>,
    loaded: &watch::Sender<bool>,
) -> Result<Followed, FollowError> {
    let (namespace, name) = (reference.namespace.clone(), reference.name.clone());
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut interrupted = std::pin::pin!(interrupted);
    let mut failing_since: Option<Instant> = None;
    let mut newest: Option<LoadTestRun> = None;
    loop {
        let tick = tokio::select! {
            () = &mut interrupted => return Ok(Followed::Detached),
            _ = ticks.tick() => true,
            Ok(()) = live.changed(), if newest.is_some() => false,
        };
        if !tick {
            if let Some(run) = &newest {
                viewer.show(Snapshot::of(run, Timestamp::now()), &live.borrow_and_update());
            }
            continue;
        }
        let read = tokio::select! {
            () = &mut interrupted => return Ok(Followed::Detached),
            read = bounded("read", "LoadTestRun", &name, runs.get_opt(&name)) => read,
        };
        match read {
            Ok(Some(run)) if run.metadata.uid.as_deref() == Some(reference.uid.as_str()) => {
                failing_since = None;
                let snapshot = Snapshot::of(&run, Timestamp::now());
                let ended = snapshot.ending.is_some();
                if !ended && snapshot.has_load() {
                    loaded.send_if_modified(|loaded| !std::mem::replace(loaded, true));
                }
                viewer.show(snapshot, &live.borrow_and_update());
                if ended {
                    return Ok(Followed::Finished(Box::new(run)));
                }
                newest = Some(run);
            }
            Ok(_) => return Err(FollowError::Deleted { namespace, name }),
            Err(error) if error.is_transient() => {
                viewer.note(&format!("{error}; trying again"));
                let since = *failing_since.get_or_insert_with(Instant::now);
                if since.elapsed() > PATIENCE {
                    return Err(FollowError::Lost { namespace, name, source: error });
                }
            }
            Err(error) => return Err(FollowError::Refused(error)),
        }
        if viewer.has_left() {
            return Ok(Followed::Detached);
        }
        if let Some(Limit { timeout, .. }) = limit.filter(|limit| Instant::now() >= limit.deadline) {
            return Err(FollowError::TimedOut { namespace, name, seconds: timeout.as_secs() });
        }
    }
}
