//! What can go wrong in a reconcile of a LoadTest.

use volley_storage::FailureClass;

use crate::cadence::Classified;
use crate::kubernetes;

/// A reconcile of a LoadTest failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A call to the API server.
    #[error(transparent)]
    Kubernetes(#[from] kubernetes::Error),
    /// The run's name is taken by a run of a LoadTest that was deleted.
    #[error("LoadTestRun {0} still belongs to a deleted LoadTest of the same name; it is waited for")]
    PredecessorLeft(String),
}

impl Classified for Error {
    fn class(&self) -> FailureClass {
        match self {
            Self::Kubernetes(error) => error.class(),
            Self::PredecessorLeft(_) => FailureClass::Transient,
        }
    }

    fn is_conflict(&self) -> bool {
        matches!(self, Self::Kubernetes(error) if error.is_conflict())
    }
}
