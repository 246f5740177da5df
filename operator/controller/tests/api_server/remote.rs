//! A region in another cluster: the same API server, behind a relay that can be cut, with an account of its own.

use std::net::SocketAddr;

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use volley_api::{RegionTarget, labels};
use volley_controller::rbac;

use super::harness::Harness;

/// Name of the Secret with the kubeconfig.
pub(super) const SECRET: &str = "region";

/// Passes bytes on to the API server, until it is cut.
pub(super) struct Relay {
    pub(super) address: SocketAddr,
    whole: watch::Sender<bool>,
    _task: JoinSet<()>,
}

impl Relay {
    async fn start(to: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (whole, state) = watch::channel(true);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let (to, mut state) = (to.clone(), state.clone());
                connections.spawn(async move {
                    if !*state.borrow() {
                        return;
                    }
                    let Ok(mut far) = TcpStream::connect(&to).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = state.wait_for(|whole| !whole) => {}
                    }
                });
            }
        });
        Self { address, whole, _task: task }
    }

    /// Ends all connections, and lets none begin.
    pub(super) fn cut(&self) {
        self.whole.send_replace(false);
    }

    pub(super) fn mend(&self) {
        self.whole.send_replace(true);
    }
}

impl Harness {
    pub(super) async fn relay(&self) -> Relay {
        let server = &self.config.cluster_url;
        Relay::start(format!("{}:{}", server.host().unwrap(), server.port_u16().unwrap_or(443))).await
    }

    /// A RegionTarget by a kubeconfig whose Secret is not there yet.
    pub(super) async fn remote_target(&self) {
        self.bind_account("volley-hub", &self.workers).await;
        let targets: Api<RegionTarget> = Api::all(self.client.clone());
        let target = serde_json::from_value(json!({
            "apiVersion": "volley.dev/v1alpha1", "kind": "RegionTarget", "metadata": {"name": self.target},
            "spec": {"region": "eu-west-1", "connection": {"kubeconfig": {"secretName": SECRET}},
                "namespace": self.workers, "allowedNamespaces": [self.shop], "fargate": false}}))
        .unwrap();
        targets.create(&PostParams::default(), &target).await.unwrap();
    }

    /// An account of the region, with the rights over workers.
    async fn bind_account(&self, name: &str, namespace: &str) {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        let account = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        accounts.create(&PostParams::default(), &account).await.unwrap();
        self.allow_workers(&json!({"kind": "ServiceAccount", "name": name, "namespace": namespace})).await;
    }

    /// What the chart volley-region binds, for a subject.
    pub(super) async fn allow_workers(&self, subject: &Value) {
        let look = json!({"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]});
        self.grant("ClusterRole", None, "-hub", vec![look], subject).await;
        let rules = rbac::WORKER_NAMESPACE
            .iter()
            .map(|rule| json!({"apiGroups": [rule.group], "resources": rule.resources, "verbs": rule.verbs}))
            .collect();
        self.grant("Role", Some(&self.workers), "-hub", rules, subject).await;
    }

    /// The certificate authority of the API server, in PEM.
    pub(super) fn authority(&self) -> String {
        self.config.root_cert.iter().flatten().map(|der| pem(der)).collect()
    }

    /// Writes the Secret with a kubeconfig that goes through the relay.
    pub(super) async fn write_kubeconfig(&self, relay: &Relay) {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &self.workers);
        let request: TokenRequest =
            serde_json::from_value(json!({"spec": {"audiences": [], "expirationSeconds": 3600}})).unwrap();
        let token = accounts.create_token_request("volley-hub", &PostParams::default(), &request).await.unwrap();
        let authority = self.authority();
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "region",
            "clusters": [{"name": "region", "cluster": {
                "server": format!("https://{}", relay.address),
                "tls-server-name": self.config.cluster_url.host(),
                "certificate-authority-data": base64(authority.as_bytes())}}],
            "users": [{"name": "hub", "user": {"token": token.status.unwrap().token}}],
            "contexts": [{"name": "region", "context": {"cluster": "region", "user": "hub"}}],
        });
        let secret: Secret = serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": SECRET, "labels": {labels::KUBECONFIG: "true"}},
            "stringData": {"kubeconfig": kubeconfig.to_string()}}))
        .unwrap();
        self.secrets().patch(SECRET, &PatchParams::apply("test").force(), &Patch::Apply(&secret)).await.unwrap();
    }

    pub(super) fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.system)
    }

    pub(super) async fn remove_kubeconfig(&self) {
        self.secrets().delete(SECRET, &DeleteParams::default()).await.unwrap();
    }

    /// Runs whose leftovers the target knows of.
    pub(super) fn noted(target: &RegionTarget) -> Vec<String> {
        target
            .annotations()
            .keys()
            .filter_map(|name| name.strip_prefix(labels::LEFTOVER_PREFIX))
            .map(str::to_owned)
            .collect()
    }
}

fn base64(bytes: &[u8]) -> String {
    // A Kubernetes byte string is base64 in JSON.
    let text = serde_json::to_value(k8s_openapi::ByteString(bytes.to_vec())).unwrap();
    text.as_str().unwrap().to_owned()
}

fn pem(der: &[u8]) -> String {
    let text = base64(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}
