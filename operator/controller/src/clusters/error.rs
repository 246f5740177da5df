//! A call to a region's cluster failed.

use volley_storage::FailureClass;

use super::eks::EksError;
use crate::kubernetes;

/// A call to a region's cluster failed.
#[derive(Debug, thiserror::Error)]
pub enum RegionError {
    /// The region's cluster is the operator's own: as any other call to it.
    #[error(transparent)]
    Hub(kubernetes::Error),
    /// The cluster cannot be asked: it does not answer, it refuses the credentials, or there are none. It is a state of the region,
    /// no failure of the caller.
    #[error(transparent)]
    Away(#[from] Away),
    /// The cluster answered with an error.
    #[error(transparent)]
    Answered(kubernetes::Error),
}

/// Why a cluster cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct Away {
    /// In one word.
    pub reason: AwayReason,
    /// What is wrong and what to do.
    pub words: String,
}

/// Why a cluster cannot be asked, as a reason of conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwayReason {
    /// Nobody answers, or somebody else than expected.
    Unreachable,
    /// The operator has no AWS credentials.
    NoCredentials,
    /// The credentials are not accepted: by the cluster those of a kubeconfig, by AWS the operator's own.
    CredentialsRefused,
    /// The role may not be assumed.
    RoleRefused,
    /// AWS does not let the operator look the cluster up.
    AccessDenied,
    /// There is no cluster of that name.
    ClusterNotFound,
    /// The cluster is being made or deleted.
    ClusterNotActive,
    /// The cluster does not accept the token.
    TokenRefused,
}

impl AwayReason {
    /// As conditions write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "Unreachable",
            Self::NoCredentials => "NoCredentials",
            Self::CredentialsRefused => "CredentialsRefused",
            Self::RoleRefused => "RoleRefused",
            Self::AccessDenied => "AccessDenied",
            Self::ClusterNotFound => "ClusterNotFound",
            Self::ClusterNotActive => "ClusterNotActive",
            Self::TokenRefused => "TokenRefused",
        }
    }

    /// Somebody answered, and did not let the operator in.
    #[must_use]
    pub fn is_refusal(self) -> bool {
        match self {
            Self::NoCredentials
            | Self::CredentialsRefused
            | Self::RoleRefused
            | Self::AccessDenied
            | Self::TokenRefused => true,
            Self::Unreachable | Self::ClusterNotFound | Self::ClusterNotActive => false,
        }
    }
}

impl Away {
    /// A reason with its words.
    pub(crate) fn new(reason: AwayReason, words: impl Into<String>) -> Self {
        Self { reason, words: words.into() }
    }

    /// Nobody answers.
    pub(crate) fn unreachable(words: impl Into<String>) -> Self {
        Self::new(AwayReason::Unreachable, words)
    }
}

impl RegionError {
    /// What an error of another cluster means. `refused` is what a refusal of its credentials means.
    pub(super) fn of_remote(error: kubernetes::Error, refused: impl FnOnce(&kubernetes::Error) -> Away) -> Self {
        if let Some(eks) = of_eks(&error) {
            return Self::Away(eks.clone().into());
        }
        match error.code() {
            None => Self::Away(Away::unreachable(error.to_string())),
            Some(401) => Self::Away(refused(&error)),
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
            Self::Away(away) => Some(away.words.clone()),
            Self::Hub(error) | Self::Answered(error) if self.is_forbidden() => Some(error.to_string()),
            Self::Hub(_) | Self::Answered(_) => None,
        }
    }
}

/// What kept a request from getting a token.
fn of_eks(error: &kubernetes::Error) -> Option<&EksError> {
    match error {
        kubernetes::Error::Call { cause, .. } => match cause.as_ref() {
            kube::Error::Service(error) => error.downcast_ref(),
            _ => None,
        },
        kubernetes::Error::Timeout { .. } | kubernetes::Error::TooMany { .. } => None,
    }
}
