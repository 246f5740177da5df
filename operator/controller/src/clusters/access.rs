//! How a target's cluster is reached, from its spec alone. Pure.

use volley_api::RegionTarget;
use volley_api::region_target::Connection;

use super::eks::EksAccess;

/// How a target's cluster is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// It is the operator's own cluster.
    Hub,
    /// By a kubeconfig in a Secret of the operator's namespace.
    Kubeconfig {
        /// Name of the Secret.
        secret: String,
        /// Key in it.
        key: String,
    },
    /// By the name of an EKS cluster.
    Eks(EksAccess),
}

impl Access {
    /// What the target's spec says.
    pub(crate) fn of(target: &RegionTarget) -> Self {
        match &target.spec.connection {
            Connection::InCluster(_) => Self::Hub,
            Connection::Kubeconfig(source) => {
                Self::Kubeconfig { secret: source.secret_name.clone(), key: source.key.clone() }
            }
            Connection::Eks(source) => Self::Eks(EksAccess {
                region: target.spec.region.clone(),
                cluster: source.cluster_name.clone(),
                role: source.role_arn.clone(),
            }),
        }
    }
}
