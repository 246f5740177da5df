//! What can go wrong in a reconcile of a run.

use volley_storage::{FailureClass, ObjectError};

use super::ending::Refusal;
use crate::cadence::Classified;
use crate::clusters::RegionError;
use crate::kubernetes;

/// A reconcile of a run failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A call to an API server.
    #[error(transparent)]
    Kubernetes(#[from] kubernetes::Error),
    /// A call to a region's cluster.
    #[error(transparent)]
    Region(#[from] RegionError),
    /// A call to the storage.
    #[error(transparent)]
    Storage(#[from] ObjectError),
    /// A server refuses what the run needs; the next plan decides what that means. At least one.
    #[error("refused: {}", .0.iter().map(|refusal| refusal.message.as_str()).collect::<Vec<_>>().join("; "))]
    Refused(Vec<Refusal>),
    /// An object from the API server lacks what every object has.
    #[error("LoadTestRun {0} has no {1}; the API server always sets it, so this object was not read from one")]
    Incomplete(String, &'static str),
}

impl Classified for Error {
    fn class(&self) -> FailureClass {
        match self {
            Self::Kubernetes(error) => error.class(),
            Self::Region(error) => error.class(),
            Self::Storage(error) => error.class(),
            // The plan that follows decides; until then it is as any other failure.
            Self::Refused(_) => FailureClass::Transient,
            Self::Incomplete(..) => FailureClass::Terminal,
        }
    }

    fn is_conflict(&self) -> bool {
        match self {
            Self::Kubernetes(error) => error.is_conflict(),
            Self::Region(error) => error.is_conflict(),
            Self::Storage(_) | Self::Refused(_) | Self::Incomplete(..) => false,
        }
    }

    fn is_of_storage(&self) -> bool {
        matches!(self, Self::Storage(_))
    }
}
