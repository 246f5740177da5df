//! Finds and reads the frames that are new.

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use tokio::time::timeout;
use volley_stats::frame::MAXIMUM_ENCODED_BYTES;
use volley_storage::keys::{self, WorkerAttempt};
use volley_storage::{FailureClass, ObjectError, ObjectStore};

/// Frames of a region that one look finds at most; more are found by the next.
const KEYS: usize = 20_000;
/// Frames that are read at the same time.
const CONCURRENCY: usize = 32;
/// How long one listing, or the reading of one frame, may take. The next look is a repetition.
const PATIENCE: Duration = Duration::from_secs(5);

/// A frame in the storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) attempt: WorkerAttempt,
    /// The second that names it.
    pub(super) through: i64,
}

/// Something is not to be had now.
#[derive(Debug, thiserror::Error)]
pub(super) enum ListingError {
    /// The storage.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// No answer.
    #[error("the storage did not answer within {seconds} s")]
    TooSlow {
        /// How long was waited.
        seconds: u64,
    },
}

impl ListingError {
    /// No answer within this time.
    pub(super) fn too_slow(patience: Duration) -> Self {
        Self::TooSlow { seconds: patience.as_secs() }
    }

    pub(super) fn class(&self) -> FailureClass {
        match self {
            Self::Object(error) => error.class(),
            Self::TooSlow { .. } => FailureClass::Transient,
        }
    }
}

/// The frames of a region that are named by a second or a later one, in their order. Keys that name no frame are passed over.
pub(super) async fn frames(
    store: &ObjectStore,
    run_uid: &str,
    target: &str,
    horizon: i64,
) -> Result<Vec<Listed>, ListingError> {
    let (prefix, after) = (keys::frames_prefix(run_uid, target), keys::frames_before(run_uid, target, horizon));
    let listing = timeout(PATIENCE, store.list(&prefix, Some(&after), KEYS))
        .await
        .map_err(|_| ListingError::too_slow(PATIENCE))??;
    let named = listing.objects.iter().filter_map(|object| {
        let (attempt, through) = WorkerAttempt::from_frame_key(run_uid, target, &object.key)?;
        Some(Listed { attempt, through })
    });
    Ok(named.collect())
}

/// Reads frames, in the order in which they arrive. `None`: the object is gone.
pub(super) fn read<'a>(
    store: &'a ObjectStore,
    run_uid: &'a str,
    listed: Vec<Listed>,
) -> impl Stream<Item = (Listed, Result<Option<Bytes>, ListingError>)> + 'a {
    stream::iter(listed)
        .map(move |listed| async move {
            let key = listed.attempt.frame(run_uid, listed.through);
            let read = match timeout(PATIENCE, store.get(&key, MAXIMUM_ENCODED_BYTES as u64)).await {
                Ok(read) => read.map_err(ListingError::from),
                Err(_) => Err(ListingError::too_slow(PATIENCE)),
            };
            (listed, read)
        })
        .buffer_unordered(CONCURRENCY)
}
