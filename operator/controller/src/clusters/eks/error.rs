//! An EKS cluster cannot be reached by its name.

use crate::aws::AwsError;
use crate::clusters::{Away, AwayReason};

/// An EKS cluster cannot be reached by its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EksError {
    /// AWS says no, or nothing.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// There is no cluster of that name.
    #[error("EKS has no cluster {cluster} in {region}; correct spec.connection.eks.clusterName or spec.region")]
    NotFound {
        /// Name of the cluster.
        cluster: String,
        /// AWS region.
        region: String,
    },
    /// The cluster cannot be used yet, or not any more.
    #[error("EKS cluster {cluster} is {status}; wait until it is ACTIVE")]
    NotActive {
        /// Name of the cluster.
        cluster: String,
        /// Its status.
        status: String,
    },
    /// What EKS says about the cluster cannot be used.
    #[error("what EKS says about cluster {cluster} cannot be used: {problem}")]
    Malformed {
        /// Name of the cluster.
        cluster: String,
        /// What is wrong.
        problem: String,
    },
    /// No token can be made.
    #[error("no token can be made for EKS cluster {cluster}: {problem}")]
    Token {
        /// Name of the cluster.
        cluster: String,
        /// What is wrong.
        problem: String,
    },
}

impl From<EksError> for Away {
    fn from(error: EksError) -> Self {
        let reason = match &error {
            EksError::Aws(AwsError::NoCredentials(_)) => AwayReason::NoCredentials,
            EksError::Aws(AwsError::CredentialsRefused(_)) => AwayReason::CredentialsRefused,
            EksError::Aws(AwsError::RoleRefused { .. }) => AwayReason::RoleRefused,
            EksError::Aws(AwsError::Denied { .. }) => AwayReason::AccessDenied,
            EksError::NotFound { .. } | EksError::Aws(AwsError::NotFound { .. }) => AwayReason::ClusterNotFound,
            EksError::NotActive { .. } => AwayReason::ClusterNotActive,
            EksError::Aws(AwsError::Failed { .. }) | EksError::Malformed { .. } | EksError::Token { .. } => {
                AwayReason::Unreachable
            }
        };
        Self::new(reason, error.to_string())
    }
}
