//! The clusters of the regions: how far away they are, what is cut, and what is in them.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use kube::{Client, Config, config::KubeConfigOptions, config::Kubeconfig};

/// A region's cluster. Its distance and cuts end when this is dropped, so that a test that fails leaves none to the next.
pub struct Region {
    /// Name of the cluster and of its RegionTarget.
    pub name: String,
    /// A client with all rights in it.
    pub client: Client,
    /// Where other clusters reach its node.
    pub node: Ipv4Addr,
    /// Its administrator's kubeconfig.
    pub kubeconfig: PathBuf,
}

impl Region {
    /// The regions that the environment names, in its order.
    pub async fn all() -> Vec<Self> {
        let names = std::env::var("VOLLEY_REGIONS")
            .expect("VOLLEY_REGIONS is not set: run these tests by `make test-full PART=regions`");
        let mut regions = Vec::new();
        for name in names.split_whitespace() {
            regions.push(Self::connect(name).await);
        }
        regions
    }

    /// Connects to a cluster of this checkout.
    pub async fn connect(name: &str) -> Self {
        let kubeconfig = PathBuf::from(cluster(&["kubeconfig", name]).trim());
        let config = Kubeconfig::read_from(&kubeconfig).expect("the kubeconfig can be read");
        let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default())
            .await
            .expect("the kubeconfig is complete");
        let client = Client::try_from(config).expect("a client can be made");
        Self { name: name.to_owned(), client, node: node_address(name), kubeconfig }
    }

    /// Each packet to and from the cluster takes this long more.
    pub fn far(&self, delay: Duration) {
        cluster(&["distance", &self.name, "--delay", &format!("{}ms", delay.as_millis())]);
    }

    /// Nobody outside reaches its API server any more.
    pub fn cut_api_server(&self) {
        cluster(&["cut", &self.name, "--api-server"]);
    }

    /// Nothing in it reaches an address and TCP port outside any more.
    pub fn cut_from(&self, address: &str) {
        cluster(&["cut", &self.name, "--from", address]);
    }

    /// Nothing enters or leaves it any more.
    pub fn cut_off(&self) {
        cluster(&["cut", &self.name]);
    }

    /// Nothing that is made from now on gets a place in it, until the answer is dropped.
    #[must_use]
    pub fn full(&self) -> Full<'_> {
        let _ = self.kubectl(&["taint", "nodes", "--all", &format!("{FULL}=true:NoSchedule"), "--overwrite"]);
        Full(self)
    }

    /// Undoes all cuts.
    pub fn mend(&self) {
        cluster(&["mend", &self.name]);
    }

    /// Runs `kubectl` in it and insists that it worked.
    #[must_use]
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let output = Command::new("kubectl")
            .args(arguments)
            .env("KUBECONFIG", &self.kubeconfig)
            .output()
            .expect("kubectl can be started");
        assert!(
            output.status.success(),
            "kubectl {arguments:?} in {}: {}",
            self.name,
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// A taint of these tests.
const FULL: &str = "volley-test/full";

/// A cluster without a place for a pod.
pub struct Full<'a>(&'a Region);

impl Drop for Full<'_> {
    fn drop(&mut self) {
        let _ = Command::new("kubectl")
            .args(["taint", "nodes", "--all", &format!("{FULL}-")])
            .env("KUBECONFIG", &self.0.kubeconfig)
            .output();
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // Not `cluster`: a panic in a drop would hide the test's own.
        for command in ["mend", "distance"] {
            let _ = Command::new("cluster").args([command, &self.name]).output();
        }
    }
}

/// Where other clusters reach the node of a cluster of this checkout.
#[must_use]
pub fn node_address(name: &str) -> Ipv4Addr {
    let description: serde_json::Value =
        serde_json::from_str(&cluster(&["describe", name])).expect("`cluster describe` prints JSON");
    description["nodeAddress"].as_str().and_then(|text| text.parse().ok()).expect("it names the node's address")
}

/// Runs the development clusters' command and insists that it worked.
fn cluster(arguments: &[&str]) -> String {
    let output = Command::new("cluster").args(arguments).output().expect("`cluster` is in the path");
    assert!(output.status.success(), "cluster {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
