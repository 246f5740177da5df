//! The state of a follower in a file, so that a restarted collector goes on exactly where its predecessor stood.
//!
//! ```text
//! file    = magic filesLength:u64 files recorder
//! magic   = "VOLLEYT1"
//! files   = JSON, a `Files`
//! recorder = `Recorder::checkpoint`
//! ```
//!
//! It is read only by the release that wrote it: a pod keeps its images. It is no protection against a disk that loses
//! bytes: it lives as long as the pod, and a node that fails takes both.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use volley_stats::samples::{ParseError, ParserCheckpoint};
use volley_stats::{Recorder, recorder};

const MAGIC: [u8; 8] = *b"VOLLEYT1";

/// A checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// It does not begin as one of ours, or ends early.
    #[error("it is damaged")]
    Damaged,
    /// The list of files.
    #[error("its list of files is damaged: {0}")]
    Files(#[from] serde_json::Error),
    /// A parser's state.
    #[error("its state of a parser is damaged: {0}")]
    Parser(#[from] ParseError),
    /// The statistics.
    #[error("its statistics are damaged: {0}")]
    Recorder(#[from] recorder::CheckpointError),
}

/// Where a file stood.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SavedFile {
    pub(super) path: String,
    pub(super) device: u64,
    pub(super) inode: u64,
    /// Where reading goes on: the beginning of a row, or a place in one that is too long and is being skipped.
    pub(super) offset: u64,
    /// Nothing more is read from it.
    pub(super) given_up: bool,
    pub(super) parser: Option<ParserCheckpoint>,
}

/// Everything but the statistics.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Files {
    /// In the order of their executions.
    pub(super) files: Vec<SavedFile>,
    pub(super) warnings: Vec<String>,
}

/// Writes a checkpoint. It is megabytes, which are never in memory as a whole.
pub(super) fn write(files: &Files, recorder: &mut Recorder, sink: &mut impl Write) -> io::Result<()> {
    let files = serde_json::to_vec(files)?;
    sink.write_all(&MAGIC)?;
    sink.write_all(&(files.len() as u64).to_le_bytes())?;
    sink.write_all(&files)?;
    recorder.write_checkpoint(|piece| sink.write_all(piece))
}

/// Reads one.
pub(super) fn decode(bytes: &[u8]) -> Result<(Files, Recorder), CheckpointError> {
    let rest = bytes.strip_prefix(&MAGIC).ok_or(CheckpointError::Damaged)?;
    let (length, rest) = rest.split_first_chunk().ok_or(CheckpointError::Damaged)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| CheckpointError::Damaged)?;
    let (files, recorder) = rest.split_at_checked(length).ok_or(CheckpointError::Damaged)?;
    Ok((serde_json::from_slice(files)?, Recorder::restore(recorder)?))
}
