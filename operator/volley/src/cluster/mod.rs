//! The cluster as the user's command sees it: one client, bounded calls, and errors that say what to do.

pub mod apply;
pub mod storage;
pub mod trigger;

use std::future::Future;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

/// The longest that one call to the API server may take. kube retries 429, 503 and 504 within it.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Why the cluster did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// There is no usable kubeconfig.
    #[error("no cluster to talk to: {words}; set KUBECONFIG or --context, or try: kubectl cluster-info")]
    Unconfigured {
        /// What kube says.
        words: String,
    },
    /// The API server does not answer.
    #[error("cannot {verb} {kind} {name}: the API server does not answer: {words}")]
    Unreachable {
        /// What was asked.
        verb: &'static str,
        /// Of which kind.
        kind: String,
        /// Of which name.
        name: String,
        /// What kube says.
        words: String,
    },
    /// The API server said no.
    #[error("cannot {verb} {kind} {name}: {words}")]
    Refused {
        /// What was asked.
        verb: &'static str,
        /// Of which kind.
        kind: String,
        /// Of which name.
        name: String,
        /// The API server's words.
        words: String,
        /// Its HTTP status code.
        code: u16,
    },
}

impl ClusterError {
    /// Whether the same call may succeed a little later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unconfigured { .. } => false,
            Self::Unreachable { .. } => true,
            Self::Refused { code, .. } => *code == 429 || *code >= 500,
        }
    }

    /// The HTTP status code of a refusal.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::Unconfigured { .. } | Self::Unreachable { .. } => None,
        }
    }
}

/// A client and the namespace that commands use where none is given.
#[derive(Clone)]
pub struct Cluster {
    /// The client.
    pub client: Client,
    /// Namespace of the kubeconfig's context.
    pub default_namespace: String,
}

/// Connects as `kubectl` would: `KUBECONFIG`, `~/.kube/config`, then the pod's service account.
///
/// # Errors
/// [`ClusterError::Unconfigured`] without a usable configuration.
pub async fn connect(context: Option<&str>) -> Result<Cluster, ClusterError> {
    let unconfigured = |words: String| ClusterError::Unconfigured { words };
    let config = match context {
        None => Config::infer().await.map_err(|error| unconfigured(error.to_string()))?,
        Some(context) => {
            let kubeconfig = Kubeconfig::read().map_err(|error| unconfigured(error.to_string()))?;
            let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
            Config::from_custom_kubeconfig(kubeconfig, &options)
                .await
                .map_err(|error| unconfigured(error.to_string()))?
        }
    };
    let default_namespace = config.default_namespace.clone();
    let client = Client::try_from(config).map_err(|error| unconfigured(error.to_string()))?;
    Ok(Cluster { client, default_namespace })
}

/// One call within [`CALL_TIMEOUT`], its error in words for people.
///
/// # Errors
/// [`ClusterError`], which names verb, kind and name.
pub async fn bounded<T>(
    verb: &'static str,
    kind: &str,
    name: &str,
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, ClusterError> {
    let (kind, name) = (kind.to_owned(), name.to_owned());
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(kube::Error::Api(status))) => {
            Err(ClusterError::Refused { verb, kind, name, words: status.message.clone(), code: status.code })
        }
        Ok(Err(error)) => Err(ClusterError::Unreachable { verb, kind, name, words: error.to_string() }),
        Err(_) => {
            let words = format!("no answer within {} s", CALL_TIMEOUT.as_secs());
            Err(ClusterError::Unreachable { verb, kind, name, words })
        }
    }
}

/// The port of a pod's containers with this name.
#[must_use]
pub fn container_port(pod: &Pod, name: &str) -> Option<u16> {
    let containers = &pod.spec.as_ref()?.containers;
    let mut ports = containers.iter().flat_map(|container| container.ports.iter().flatten());
    let port = ports.find(|port| port.name.as_deref() == Some(name))?;
    u16::try_from(port.container_port).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_port_is_found_by_its_name() {
        let pod: Pod = serde_json::from_value(json!({"spec": {"containers": [
            {"name": "other"},
            {"name": "storage", "ports": [{"name": "dynamodb", "containerPort": 8000}, {"name": "s3", "containerPort": 9000}]}
        ]}}))
        .unwrap();
        assert_eq!(container_port(&pod, "s3"), Some(9000));
        assert_eq!(container_port(&pod, "live"), None);
        assert_eq!(container_port(&Pod::default(), "s3"), None);
    }
}
