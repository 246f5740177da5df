//! Follows a run to its end.
//!
//! Order: read the run, show what is new, wait a second; until it is finished, gone, out of time or the user detaches.
//! Reading is a plain GET each second: it needs the right `get` alone, and nothing has to be resumed when a connection
//! breaks. The run never depends on this: whoever stops following changes nothing.

pub mod ending;
pub mod progress;
#[cfg(test)]
pub(crate) mod sample;
pub mod screen;
pub mod snapshot;

use std::future::Future;
use std::io::Write;
use std::time::Duration;

use jiff::Timestamp;
use kube::api::Api;
use tokio::time::{Instant, MissedTickBehavior};
use volley_api::load_test_run::LoadTestRun;

use crate::cluster::{ClusterError, bounded};
use progress::Progress;
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

/// Follows a run until it has ended or `interrupted` resolves.
///
/// # Errors
/// [`FollowError`]: the run goes on, but is not followed any more.
pub async fn follow<W: Write>(
    runs: &Api<LoadTestRun>,
    reference: &RunReference,
    deadline: Option<Instant>,
    timeout: Option<Duration>,
    progress: &mut Progress<W>,
    interrupted: impl Future<Output = ()>,
) -> Result<Followed, FollowError> {
    let (namespace, name) = (reference.namespace.clone(), reference.name.clone());
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut interrupted = std::pin::pin!(interrupted);
    let mut failing_since: Option<Instant> = None;
    loop {
        tokio::select! {
            () = &mut interrupted => return Ok(Followed::Detached),
            _ = ticks.tick() => {}
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
                progress.show(&snapshot);
                if ended {
                    return Ok(Followed::Finished(Box::new(run)));
                }
            }
            Ok(_) => return Err(FollowError::Deleted { namespace, name }),
            Err(error) if error.is_transient() => {
                progress.note(&format!("{error}; trying again"));
                let since = *failing_since.get_or_insert_with(Instant::now);
                if since.elapsed() > PATIENCE {
                    return Err(FollowError::Lost { namespace, name, source: error });
                }
            }
            Err(error) => return Err(FollowError::Refused(error)),
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            let seconds = timeout.unwrap_or_default().as_secs();
            return Err(FollowError::TimedOut { namespace, name, seconds });
        }
    }
}
