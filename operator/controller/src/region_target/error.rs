//! What can go wrong in a reconcile of a RegionTarget. That a target cannot be reached is no error: it is what its status says.

use volley_storage::FailureClass;

use crate::cadence::Classified;
use crate::clusters::RegionError;
use crate::kubernetes;

/// A reconcile of a RegionTarget failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A call to the operator's own API server.
    #[error(transparent)]
    Kubernetes(#[from] kubernetes::Error),
    /// A call to the target's cluster.
    #[error(transparent)]
    Region(#[from] RegionError),
}

impl Classified for Error {
    fn class(&self) -> FailureClass {
        match self {
            Self::Kubernetes(error) => error.class(),
            Self::Region(error) => error.class(),
        }
    }

    fn is_conflict(&self) -> bool {
        match self {
            Self::Kubernetes(error) => error.is_conflict(),
            Self::Region(error) => error.is_conflict(),
        }
    }
}
