//! The live sum in an object, so that an aggregator that was killed goes on without reading the run from its beginning.
//!
//! ```text
//! object = magic headLength:u64 head series
//! magic  = "VOLLEYA1"
//! head   = JSON, a `Head`
//! series = `LiveSeries::encode`
//! ```
//!
//! What is not closed yet is not in it: its frames are read once more.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use volley_stats::series::{LiveSeries, LiveSeriesError};
use volley_storage::keys::WorkerAttempt;

use super::merger::{Attempt, Merger, Outline};

const MAGIC: [u8; 8] = *b"VOLLEYA1";
/// A limit for readers, in bytes: 20,000 attempts of 150 bytes with a dozen frames each, and a series of 1 MB a region.
pub(super) const MAXIMUM_BYTES: u64 = 32 << 20;

/// A checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// It does not begin as one of ours, or ends early.
    #[error("it is damaged or of another version")]
    Damaged,
    /// Its head.
    #[error("its head is damaged: {0}")]
    Head(#[from] serde_json::Error),
    /// Its series.
    #[error("its {0}")]
    Series(#[from] LiveSeriesError),
    /// It speaks of other regions or another start.
    #[error("it is that of another run")]
    OtherRun,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    closed: i64,
    attempts: Vec<SavedAttempt>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SavedAttempt {
    attempt: WorkerAttempt,
    newest: Option<i64>,
    ended: bool,
    merged: Vec<i64>,
}

impl Merger {
    /// Where this sum stands.
    ///
    /// # Errors
    /// [`CheckpointError::Head`], which does not happen with what this type holds.
    pub fn checkpoint(&self) -> Result<Vec<u8>, CheckpointError> {
        let attempts = self.attempts.iter().map(|(attempt, known)| SavedAttempt {
            attempt: attempt.clone(),
            newest: known.newest,
            ended: known.ended,
            merged: known.merged.iter().copied().collect(),
        });
        let head = serde_json::to_vec(&Head { closed: self.closed, attempts: attempts.collect() })?;
        let mut bytes = Vec::from(MAGIC);
        bytes.extend_from_slice(&(head.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&head);
        self.series.encode_into(&mut bytes);
        Ok(bytes)
    }

    /// The sum that goes on where the one stood that made these bytes.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn restore(outline: Outline, bytes: &[u8], now: Timestamp) -> Result<Self, CheckpointError> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(CheckpointError::Damaged)?;
        let (length, rest) = rest.split_first_chunk().ok_or(CheckpointError::Damaged)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| CheckpointError::Damaged)?;
        let (head, series) = rest.split_at_checked(length).ok_or(CheckpointError::Damaged)?;
        let Head { closed, attempts } = serde_json::from_slice(head)?;
        let series = LiveSeries::decode(series)?;
        if closed < outline.start_at.as_second() - 1 || !series.targets().eq(outline.workers.keys()) {
            return Err(CheckpointError::OtherRun);
        }
        let attempts = attempts.into_iter().map(|saved| {
            let mut attempt = Attempt::new(now);
            attempt.newest = saved.newest;
            attempt.ended = saved.ended;
            attempt.merged = saved.merged.into_iter().collect();
            attempt.again = attempt.merged.range(closed.saturating_add(1)..).copied().collect();
            (saved.attempt, attempt)
        });
        Ok(Self::resume(outline, closed, series, attempts))
    }
}
