//! How a target's cluster is reached, from its spec alone. Pure.

use volley_api::RegionTarget;
use volley_api::region_target::Connection;

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
}

impl Access {
    /// What the target's spec says.
    pub(crate) fn of(target: &RegionTarget) -> Self {
        match &target.spec.connection {
            Connection::InCluster(_) => Self::Hub,
            Connection::Kubeconfig(source) => {
                Self::Kubeconfig { secret: source.secret_name.clone(), key: source.key.clone() }
            }
        }
    }
}
