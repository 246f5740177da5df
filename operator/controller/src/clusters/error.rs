//! A call to a region's cluster failed.

use volley_storage::FailureClass;

use crate::kubernetes;

/// A call to a region's cluster failed.
#[derive(Debug, thiserror::Error)]
pub enum RegionError {
    /// The region's cluster is the operator's own: as any other call to it.
    #[error(transparent)]
    Hub(kubernetes::Error),
    /// The cluster cannot be asked: it does not answer, it refuses the credentials, or there are none. It is a state of the region,
    /// no failure of the caller. The words say what and what to do.
    #[error("{0}")]
    Away(String),
    /// The cluster answered with an error.
    #[error(transparent)]
    Answered(kubernetes::Error),
}

impl RegionError {
    /// What an error of another cluster means.
    pub(super) fn of_remote(error: kubernetes::Error) -> Self {
        match error.code() {
            None => Self::Away(error.to_string()),
            Some(401) => Self::Away(format!("{error}; its cluster refuses the credentials: renew them")),
            Some(_) => Self::Answered(error),
        }
    }

    /// What can be done about it.
    pub(crate) fn class(&self) -> FailureClass {
        match self {
            Self::Hub(error) | Self::Answered(error) => error.class(),
            Self::Away(_) => FailureClass::Transient,
        }
    }

    /// Somebody else wrote first.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Self::Hub(error) | Self::Answered(error) if error.is_conflict())
    }

    /// The server says that it is not allowed.
    pub(crate) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Hub(error) | Self::Answered(error) if error.code() == Some(403))
    }

    /// Why the region's cluster cannot be used now, where that is what the error says: it is away, or it forbids what is needed.
    pub(crate) fn away(&self) -> Option<String> {
        match self {
            Self::Away(words) => Some(words.clone()),
            Self::Answered(error) if self.is_forbidden() => Some(error.to_string()),
            Self::Hub(_) | Self::Answered(_) => None,
        }
    }
}
