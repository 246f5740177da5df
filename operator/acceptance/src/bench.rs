//! The cluster under test and the doors into it.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Secret, Service};
use kube::api::{Api, ListParams, ResourceExt};
use kube::{Client, Config, config::KubeConfigOptions, config::Kubeconfig};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use volley_api::{LoadTest, LoadTestRun, labels};
use volley_storage::{KeyPair, ObjectStore, StorageSettings};

/// Namespace of the tests' objects.
pub const NAMESPACE: &str = "default";
/// Namespace of the operator.
pub const OPERATOR_NAMESPACE: &str = "volley-system";
/// Namespace of the workers.
pub const WORKER_NAMESPACE: &str = "volley-workers";

/// The cluster under test.
pub struct Bench {
    /// A client with all rights.
    pub client: Client,
    kubeconfig: PathBuf,
    volley: PathBuf,
}

/// What a command did.
#[derive(Debug)]
pub struct Outcome {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub errors: String,
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            output: String::from_utf8_lossy(&output.stdout).into_owned(),
            errors: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// The embedded storage behind a port-forward, which ends when this is dropped.
pub struct Storage {
    /// A client with all rights.
    pub objects: ObjectStore,
    _forward: Child,
}

impl Bench {
    /// Connects to the cluster that the environment names.
    pub async fn connect() -> Self {
        Self::connect_to(PathBuf::from(named("VOLLEY_ACCEPTANCE_KUBECONFIG"))).await
    }

    /// Connects to the cluster of a kubeconfig.
    pub async fn connect_to(kubeconfig: PathBuf) -> Self {
        let volley = PathBuf::from(named("VOLLEY_BINARY"));
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let config = Kubeconfig::read_from(&kubeconfig).expect("the kubeconfig can be read");
        let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default())
            .await
            .expect("the kubeconfig is complete");
        let client = Client::try_from(config).expect("a client can be made");
        Self { client, kubeconfig, volley }
    }

    /// Runs `volley` with the arguments, and a manifest on standard input where one is given.
    pub async fn volley(&self, arguments: &[&str], input: Option<&str>) -> Outcome {
        self.command(&self.volley, arguments, input).await
    }

    /// Runs `kubectl` with the arguments, and a manifest on standard input where one is given.
    pub async fn kubectl(&self, arguments: &[&str], input: Option<&str>) -> Outcome {
        self.command(Path::new("kubectl"), arguments, input).await
    }

    /// Starts `volley` with the arguments, so that its lines can be read as they come.
    #[must_use]
    pub fn start_volley(&self, arguments: &[&str]) -> Child {
        self.start(&self.volley, arguments)
    }

    fn start(&self, program: &Path, arguments: &[&str]) -> Child {
        Command::new(program)
            .args(arguments)
            .env("KUBECONFIG", &self.kubeconfig)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{} cannot be started: {error}", program.display()))
    }

    async fn command(&self, program: &Path, arguments: &[&str], input: Option<&str>) -> Outcome {
        let mut child = self.start(program, arguments);
        let mut stdin = child.stdin.take().expect("standard input is piped");
        stdin.write_all(input.unwrap_or_default().as_bytes()).await.expect("the manifest can be handed over");
        drop(stdin);
        tokio::time::timeout(Duration::from_mins(5), child.wait_with_output())
            .await
            .unwrap_or_else(|_| panic!("{} {arguments:?} did not end within 300 s", program.display()))
            .expect("the command's output can be read")
            .into()
    }

    /// Applies manifests and insists that it worked.
    pub async fn apply(&self, manifest: &str) {
        let outcome = self.kubectl(&["apply", "--server-side", "-f", "-"], Some(manifest)).await;
        assert_eq!(outcome.code, 0, "kubectl apply: {}", outcome.errors);
    }

    /// The runs of a test, oldest first.
    pub async fn runs(&self, test: &str) -> Vec<LoadTestRun> {
        let api: Api<LoadTestRun> = Api::namespaced(self.client.clone(), NAMESPACE);
        let mut runs: Vec<_> = api.list(&ListParams::default()).await.expect("runs can be listed").items;
        runs.retain(|run| run.spec.load_test == test);
        runs.sort_by_key(|run| (run.creation_timestamp(), run.name_any()));
        runs
    }

    /// Where this cluster and those of the regions reach the target: they know its address, not its name.
    pub async fn target_address(&self) -> String {
        let services: Api<Service> = Api::namespaced(self.client.clone(), NAMESPACE);
        let service = services.get("volley-target").await.expect("the target's Service is there");
        service.spec.and_then(|spec| spec.cluster_ip).expect("it has an address")
    }

    /// Waits until the newest run of a test is as wanted.
    pub async fn wait_for_run(
        &self,
        test: &str,
        limit: Duration,
        what: &str,
        wanted: impl Fn(&LoadTestRun) -> bool,
    ) -> LoadTestRun {
        let began = Instant::now();
        loop {
            let newest = self.runs(test).await.pop();
            if let Some(run) = newest.as_ref().filter(|run| wanted(run)) {
                return run.clone();
            }
            assert!(
                began.elapsed() < limit,
                "no run of {test} {what} within {limit:?}; the newest: {}",
                serde_json::to_string_pretty(&newest.map(|run| run.status)).unwrap_or_default()
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits until the newest run of a test has finished.
    pub async fn wait_finished(&self, test: &str, limit: Duration) -> LoadTestRun {
        self.wait_for_run(test, limit, "finished", |run| condition(run, "Finished") == Some("True")).await
    }

    /// The operator's metrics, through the API server.
    async fn operator_metrics(&self) -> String {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), OPERATOR_NAMESPACE);
        let selector = ListParams::default().labels("app.kubernetes.io/component=operator");
        let pod = pods.list(&selector).await.expect("pods can be listed").items.pop().expect("the operator runs");
        let path = format!("/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods/{}:8080/proxy/metrics", pod.name_any());
        let request = http::Request::get(path).body(Vec::new()).expect("the request is complete");
        self.client.request_text(request).await.expect("the operator serves its metrics")
    }

    /// Waits until the operator's metrics are as wanted.
    pub async fn wait_for_metrics(&self, what: &str, wanted: impl Fn(&str) -> bool) {
        let began = Instant::now();
        loop {
            let metrics = self.operator_metrics().await;
            if wanted(&metrics) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "the metrics did not {what} within 20 s:\n{metrics}");
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// Kills the operator's process with SIGKILL, from outside. The kubelet starts it again.
    pub async fn kill_the_operator(&self) {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), OPERATOR_NAMESPACE);
        let selector = ListParams::default().labels("app.kubernetes.io/component=operator");
        let pod = pods.list(&selector).await.expect("pods can be listed").items.pop().expect("the operator runs");
        let statuses = pod.status.and_then(|status| status.container_statuses).expect("the pod has containers");
        let container = statuses[0].container_id.clone().expect("the container runs");
        let id = container.rsplit('/').next().expect("an id").to_owned();
        let mut killed = 0;
        for entry in std::fs::read_dir("/proc").expect("this test runs on the node's machine") {
            let path = entry.expect("readable").path();
            let Some(pid) = path
                .file_name()
                .and_then(|name| name.to_str())
                .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
            else {
                continue;
            };
            let of_container = std::fs::read_to_string(path.join("cgroup")).is_ok_and(|groups| groups.contains(&id));
            let command = std::fs::read(path.join("cmdline")).unwrap_or_default();
            if of_container && command.windows(8).any(|window| window == b"operator") {
                let status =
                    std::process::Command::new("kill").args(["-KILL", pid]).status().expect("kill can be started");
                killed += i32::from(status.success());
            }
        }
        assert_eq!(killed, 1, "exactly one process is the operator");
    }

    /// Deletes a test with its runs.
    pub async fn delete_test(&self, test: &str) {
        let api: Api<LoadTest> = Api::namespaced(self.client.clone(), NAMESPACE);
        let outcome = self.kubectl(&["delete", "loadtest", test, "-n", NAMESPACE, "--timeout=120s"], None).await;
        assert_eq!(outcome.code, 0, "{}", outcome.errors);
        assert!(api.get_opt(test).await.expect("the API server answers").is_none());
    }

    /// Waits until no run of a test is left. A LoadTest goes at once, its runs hold on until their Jobs are gone.
    pub async fn wait_gone(&self, test: &str, limit: Duration) {
        let began = Instant::now();
        while !self.runs(test).await.is_empty() {
            assert!(began.elapsed() < limit, "a run of {test} is still there after {limit:?}");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Jobs, pods and Secrets of a run, in all namespaces, by name.
    pub async fn leftovers(&self, run_uid: &str) -> Vec<String> {
        let selector = ListParams::default().labels(&format!("{}={run_uid}", labels::RUN_UID));
        let mut found = Vec::new();
        let jobs: Api<Job> = Api::all(self.client.clone());
        found.extend(
            jobs.list(&selector).await.expect("Jobs can be listed").iter().map(|job| format!("Job {}", job.name_any())),
        );
        let pods: Api<Pod> = Api::all(self.client.clone());
        found.extend(
            pods.list(&selector).await.expect("pods can be listed").iter().map(|pod| format!("Pod {}", pod.name_any())),
        );
        let secrets: Api<Secret> = Api::all(self.client.clone());
        found.extend(
            secrets
                .list(&selector)
                .await
                .expect("Secrets can be listed")
                .iter()
                .map(|secret| format!("Secret {}", secret.name_any())),
        );
        found
    }

    /// Insists that a run leaves nothing in the cluster, within 60 s.
    pub async fn assert_nothing_left(&self, run_uid: &str) {
        let began = Instant::now();
        loop {
            let left = self.leftovers(run_uid).await;
            if left.is_empty() {
                return;
            }
            assert!(began.elapsed() < Duration::from_mins(1), "left after the run: {left:?}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Opens the embedded storage.
    pub async fn storage(&self) -> Storage {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), OPERATOR_NAMESPACE);
        let secret = secrets.get("volley-storage").await.expect("the Secret of the embedded storage is there");
        let root_key = &secret.data.expect("the Secret has data")["root-key"].0;
        let mut forward = Command::new("kubectl")
            .args(["port-forward", "-n", OPERATOR_NAMESPACE, "service/volley-storage", ":9000"])
            .env("KUBECONFIG", &self.kubeconfig)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("kubectl can be started");
        let mut lines = BufReader::new(forward.stdout.take().expect("standard output is piped")).lines();
        let line = tokio::time::timeout(Duration::from_secs(20), lines.next_line())
            .await
            .expect("the port-forward is there within 20 s")
            .expect("its output can be read")
            .expect("it says its port");
        let port: u16 = line
            .split("127.0.0.1:")
            .nth(1)
            .and_then(|rest| rest.split(' ').next())
            .and_then(|port| port.parse().ok())
            .unwrap_or_else(|| panic!("no port in {line:?}"));
        // The forward ends when nobody reads what it says.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let environment = |name: &str| match name {
            "VOLLEY_BUCKET" | "VOLLEY_TABLE" => Some("volley".to_owned()),
            "VOLLEY_S3_ENDPOINT" => Some(format!("http://127.0.0.1:{port}")),
            "AWS_REGION" => Some("us-east-1".to_owned()),
            _ => None,
        };
        let settings = StorageSettings::from_lookup(environment).expect("the settings are complete");
        let keys = KeyPair {
            access_key: "volley".to_owned(),
            secret_key: String::from_utf8(root_key.clone()).expect("the root key is text"),
        };
        Storage { objects: ObjectStore::with_key(&settings, &keys), _forward: forward }
    }
}

fn named(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run these tests by `make test` or `make test-full`, which prepare a cluster")
    })
}

/// Status of a condition of a run.
#[must_use]
pub fn condition<'a>(run: &'a LoadTestRun, kind: &str) -> Option<&'a str> {
    let conditions = &run.status.as_ref()?.conditions;
    conditions.iter().find(|condition| condition.type_ == kind).map(|condition| condition.status.as_str())
}

/// Reason and message of a condition of a run.
#[must_use]
pub fn reason(run: &LoadTestRun, kind: &str) -> Option<(String, String)> {
    let conditions = &run.status.as_ref()?.conditions;
    let condition = conditions.iter().find(|condition| condition.type_ == kind)?;
    Some((condition.reason.clone(), condition.message.clone()))
}
