//! What a kubeconfig of a RegionTarget may say.
//!
//! Whoever may write such a Secret must not get a program run or a file read in the operator's pod by it. So a kubeconfig is refused
//! by name of the field where it holds anything but a server, its certificate authority, and a token or a client certificate.

use k8s_openapi::api::core::v1::Secret;
use kube::Config;
use kube::config::{AuthInfo, Cluster, KubeConfigOptions, Kubeconfig};
use volley_api::labels;

/// Largest kubeconfig, in bytes. Usual ones have 6 KB.
const MAX_BYTES: usize = 64 * 1024;

/// A Secret is no kubeconfig that may be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KubeconfigError {
    /// The Secret is not there, or its label is not.
    #[error(
        "Secret {secret} with label {}: \"true\" does not exist in the operator's namespace; create it, or correct spec.connection.kubeconfig.secretName",
        labels::KUBECONFIG
    )]
    Missing {
        /// Its name.
        secret: String,
    },
    /// The Secret has no such key.
    #[error("Secret {secret} has no key {key:?}; correct spec.connection.kubeconfig.key, or add the key")]
    NoKey {
        /// Name of the Secret.
        secret: String,
        /// The key.
        key: String,
    },
    /// The content is no kubeconfig.
    #[error("Secret {secret}, key {key:?}: no kubeconfig: {problem}")]
    Malformed {
        /// Name of the Secret.
        secret: String,
        /// The key.
        key: String,
        /// What is wrong. It never holds what the Secret holds.
        problem: String,
    },
    /// The kubeconfig says more than it may.
    #[error(
        "Secret {secret}, key {key:?}: the kubeconfig holds {field}, which is not used here; write server, certificate-authority-data, and a token or client-certificate-data with client-key-data"
    )]
    Forbidden {
        /// Name of the Secret.
        secret: String,
        /// The key.
        key: String,
        /// Name of the field.
        field: &'static str,
    },
}

/// The client configuration in a Secret.
///
/// # Errors
/// [`KubeconfigError`], whose words hold nothing of the Secret's content.
pub(crate) async fn configuration(name: &str, key: &str, secret: Option<&Secret>) -> Result<Config, KubeconfigError> {
    let malformed =
        |problem: String| KubeconfigError::Malformed { secret: name.to_owned(), key: key.to_owned(), problem };
    let secret = secret
        .filter(|secret| {
            secret.metadata.labels.as_ref().and_then(|all| all.get(labels::KUBECONFIG)).is_some_and(|is| is == "true")
        })
        .ok_or_else(|| KubeconfigError::Missing { secret: name.to_owned() })?;
    let bytes = secret
        .data
        .as_ref()
        .and_then(|data| data.get(key))
        .ok_or_else(|| KubeconfigError::NoKey { secret: name.to_owned(), key: key.to_owned() })?;
    if bytes.0.len() > MAX_BYTES {
        return Err(malformed(format!("it has {} bytes, more than {MAX_BYTES}", bytes.0.len())));
    }
    let text = std::str::from_utf8(&bytes.0).map_err(|_| malformed("it is not UTF-8".to_owned()))?;
    // The parser's words may quote the text, which is secret.
    let kubeconfig = Kubeconfig::from_yaml(text).map_err(|_| malformed("it is not the YAML of one".to_owned()))?;
    let (cluster, user) = chosen(&kubeconfig).map_err(|problem| malformed(problem.to_owned()))?;
    if let Some(field) = forbidden_of_cluster(cluster).or_else(|| forbidden_of_user(user)) {
        return Err(KubeconfigError::Forbidden { secret: name.to_owned(), key: key.to_owned(), field });
    }
    let server = cluster.server.as_deref().unwrap_or_default();
    if !server.starts_with("https://") {
        return Err(malformed("server of the cluster does not begin with https://".to_owned()));
    }
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(|_| malformed("its certificates, key or server cannot be read".to_owned()))
}

/// Cluster and user of the current context.
fn chosen(kubeconfig: &Kubeconfig) -> Result<(&Cluster, &AuthInfo), &'static str> {
    let name =
        kubeconfig.current_context.as_deref().filter(|name| !name.is_empty()).ok_or("current-context is missing")?;
    let context = kubeconfig
        .contexts
        .iter()
        .find(|context| context.name == name)
        .and_then(|context| context.context.as_ref())
        .ok_or("the context that current-context names is missing")?;
    let cluster = kubeconfig
        .clusters
        .iter()
        .find(|cluster| cluster.name == context.cluster)
        .and_then(|cluster| cluster.cluster.as_ref())
        .ok_or("the cluster of the current context is missing")?;
    let user = kubeconfig
        .auth_infos
        .iter()
        .find(|user| Some(&user.name) == context.user.as_ref())
        .and_then(|user| user.auth_info.as_ref())
        .ok_or("the user of the current context is missing")?;
    Ok((cluster, user))
}

fn forbidden_of_cluster(cluster: &Cluster) -> Option<&'static str> {
    if cluster.insecure_skip_tls_verify == Some(true) {
        return Some("insecure-skip-tls-verify");
    }
    if cluster.certificate_authority.is_some() {
        return Some("certificate-authority (a path)");
    }
    cluster.proxy_url.as_ref().map(|_| "proxy-url")
}

fn forbidden_of_user(user: &AuthInfo) -> Option<&'static str> {
    [
        (user.exec.is_some(), "exec"),
        (user.auth_provider.is_some(), "auth-provider"),
        (user.token_file.is_some(), "tokenFile (a path)"),
        (user.client_certificate.is_some(), "client-certificate (a path)"),
        (user.client_key.is_some(), "client-key (a path)"),
        (user.username.is_some() || user.password.is_some(), "username or password"),
        (user.impersonate.is_some() || user.impersonate_groups.is_some(), "as (impersonation)"),
    ]
    .into_iter()
    .find_map(|(is_there, field)| is_there.then_some(field))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn secret(text: &str) -> Secret {
        let encoded = k8s_openapi::ByteString(text.as_bytes().to_vec());
        serde_json::from_value(json!({
            "metadata": {"name": "eu", "labels": {labels::KUBECONFIG: "true"}}, "data": {"kubeconfig": encoded}}))
        .unwrap()
    }

    fn kubeconfig(cluster: &str, user: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: eu\n\
             clusters: [{{name: eu, cluster: {{{cluster}}}}}]\n\
             users: [{{name: me, user: {{{user}}}}}]\n\
             contexts: [{{name: eu, context: {{cluster: eu, user: me}}}}]\n"
        )
    }

    const SERVER: &str = "server: 'https://10.0.0.1:6443'";

    #[tokio::test]
    async fn a_server_with_a_token_is_used() {
        let config =
            configuration("eu", "kubeconfig", Some(&secret(&kubeconfig(SERVER, "token: hush")))).await.unwrap();
        assert_eq!(config.cluster_url.to_string(), "https://10.0.0.1:6443/");
    }

    #[rstest]
    #[case::exec(SERVER, "exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/sh}", "exec")]
    #[case::provider(SERVER, "auth-provider: {name: gcp, config: {}}", "auth-provider")]
    #[case::token_file(SERVER, "tokenFile: /etc/passwd", "tokenFile")]
    #[case::certificate_file(SERVER, "client-certificate: /a, client-key-data: aGk=", "client-certificate")]
    #[case::key_file(SERVER, "client-certificate-data: aGk=, client-key: /a", "client-key")]
    #[case::password(SERVER, "username: a, password: hush", "password")]
    #[case::impersonation(SERVER, "token: hush, as: admin", "impersonation")]
    #[case::no_verification(
        "server: 'https://a', insecure-skip-tls-verify: true",
        "token: hush",
        "insecure-skip-tls-verify"
    )]
    #[case::authority_file("server: 'https://a', certificate-authority: /a", "token: hush", "certificate-authority")]
    #[case::proxy("server: 'https://a', proxy-url: 'http://b'", "token: hush", "proxy-url")]
    #[case::plain_http("server: 'http://a'", "token: hush", "https://")]
    #[tokio::test]
    async fn everything_else_is_refused_by_its_name(#[case] cluster: &str, #[case] user: &str, #[case] field: &str) {
        let error = configuration("eu", "kubeconfig", Some(&secret(&kubeconfig(cluster, user)))).await.unwrap_err();
        let words = error.to_string();
        assert!(words.contains(field), "{words}");
        assert!(!words.contains("hush"), "{words}");
    }

    #[rstest]
    #[case::no_yaml("token: hush: hush", "not the YAML")]
    #[case::no_context("apiVersion: v1\nkind: Config\n", "current-context")]
    #[case::another_context("apiVersion: v1\nkind: Config\ncurrent-context: x\n", "context that current-context names")]
    #[tokio::test]
    async fn what_is_no_kubeconfig_is_said_without_its_content(#[case] text: &str, #[case] words: &str) {
        let error = configuration("eu", "kubeconfig", Some(&secret(text))).await.unwrap_err().to_string();
        assert!(error.contains(words) && !error.contains("hush"), "{error}");
    }

    #[tokio::test]
    async fn a_secret_without_the_label_does_not_exist() {
        let mut unlabelled = secret(&kubeconfig(SERVER, "token: hush"));
        unlabelled.metadata.labels = None;
        let error = configuration("eu", "kubeconfig", Some(&unlabelled)).await.unwrap_err();
        assert_eq!(error, KubeconfigError::Missing { secret: "eu".into() });
        let error = configuration("eu", "other", Some(&secret("x"))).await.unwrap_err();
        assert_eq!(error, KubeconfigError::NoKey { secret: "eu".into(), key: "other".into() });
    }
}
