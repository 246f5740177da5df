//! The documents in S3.

use std::fmt::Debug;

use crate::documents::{
    Checkpoint, CheckpointDecision, CloseDecision, Definition, Manifest, ResultDocument, StartDecision, StopDecision,
    WorkerFailure,
};
use crate::objects::Document;

/// Whatever can be read as a document can be written, and is the same and has the same bytes ever after.
pub fn documents(bytes: &[u8]) {
    document::<Definition>(bytes);
    document::<StartDecision>(bytes);
    document::<StopDecision>(bytes);
    document::<CloseDecision>(bytes);
    document::<Checkpoint>(bytes);
    document::<CheckpointDecision>(bytes);
    document::<Manifest>(bytes);
    document::<WorkerFailure>(bytes);
    document::<ResultDocument>(bytes);
}

fn document<D: Document + PartialEq + Debug>(bytes: &[u8]) {
    let Ok(document) = serde_json::from_slice::<D>(bytes) else { return };
    let canonical = serde_json::to_vec(&document).unwrap();
    let again: D = serde_json::from_slice(&canonical).unwrap();
    assert_eq!(again, document, "{}", D::KIND);
    assert_eq!(serde_json::to_vec(&again).unwrap(), canonical, "{}", D::KIND);
}
