//! An API server with the CRDs, namespaces of its own for each test, an operator with its own rights, and the embedded storage.

use std::sync::OnceLock;
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, Config, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, oneshot};
use tokio::task::JoinSet;
use volley_api::crd::{Kind, crd};
use volley_api::load_test_run::Phase;
use volley_api::{LoadTest, LoadTestRun, RegionTarget, labels, names};
use volley_controller::rbac::{self, Rule};
use volley_controller::settings::{
    AggregatorSettings, AwsSettings, EmbeddedStorage, ImagePullPolicy, Settings, StorageSettings,
};
use volley_storage::embedded::Server;
use volley_storage::objects::Document;

use super::SOON;

/// An operator reconciles all namespaces, so that two tests at once would get into each other's way.
fn turn() -> &'static Mutex<()> {
    static TURN: OnceLock<Mutex<()>> = OnceLock::new();
    TURN.get_or_init(Mutex::default)
}

pub(super) struct Harness {
    pub(super) client: Client,
    pub(super) config: Config,
    pub(super) shop: String,
    pub(super) workers: String,
    pub(super) system: String,
    pub(super) target: String,
    pub(super) installation: String,
    pub(super) aws: AwsSettings,
    pub(super) storage: Server,
    _data: tempfile::TempDir,
    _garbage_collector: JoinSet<()>,
    _turn: MutexGuard<'static, ()>,
}

/// Asks again until there is an answer.
pub(super) async fn eventually<T>(what: &str, limit: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let started = std::time::Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(started.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Plays the garbage collector, which an API server alone has not: a Job that is deleted in the foreground goes once its pods are
/// gone, and there are none here.
async fn collect_garbage(client: Client, namespaces: [String; 2]) {
    loop {
        for namespace in &namespaces {
            let jobs: Api<Job> = Api::namespaced(client.clone(), namespace);
            for job in jobs.list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default() {
                if job.metadata.deletion_timestamp.is_some() {
                    let done = json!({"metadata": {"finalizers": null}});
                    jobs.patch(&job.name_any(), &PatchParams::default(), &Patch::Merge(done)).await.ok();
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

impl Harness {
    pub(super) async fn start() -> Self {
        let guard = turn().lock().await;
        let path = std::env::var("VOLLEY_TEST_KUBECONFIG").expect("VOLLEY_TEST_KUBECONFIG names a kubeconfig");
        let kubeconfig = Kubeconfig::read_from(&path).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        let client = Client::try_from(config.clone()).unwrap();
        let unique = format!("{:x}", jiff::Timestamp::now().as_nanosecond() % (1 << 40));
        let data = tempfile::tempdir().unwrap();
        let (workers, system) = (format!("workers-{unique}"), format!("system-{unique}"));
        let mut garbage_collector = JoinSet::new();
        garbage_collector.spawn(collect_garbage(client.clone(), [workers.clone(), system.clone()]));
        let harness = Self {
            client,
            config,
            shop: format!("shop-{unique}"),
            workers,
            system,
            target: format!("t-{unique}"),
            installation: format!("test-{unique}"),
            aws: AwsSettings::Environment,
            storage: Server::start_on_free_ports(data.path()).await.unwrap(),
            _data: data,
            _garbage_collector: garbage_collector,
            _turn: guard,
        };
        harness.install().await;
        harness
    }

    async fn install(&self) {
        let crds: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        for kind in Kind::ALL {
            let crd = crd(kind).unwrap();
            crds.patch(&crd.name_any(), &PatchParams::apply("test").force(), &Patch::Apply(&crd)).await.unwrap();
        }
        eventually("the kinds are served", SOON, async || {
            let group = format!("{}/{}", volley_api::GROUP, volley_api::VERSION);
            let list = self.client.list_api_group_resources(&group).await.ok()?;
            let kinds = list.resources.iter().filter(|resource| !resource.name.contains('/')).count();
            (kinds == Kind::ALL.len()).then_some(())
        })
        .await;
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        for name in [&self.shop, &self.workers, &self.system] {
            let namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
            namespaces.create(&PostParams::default(), &namespace).await.unwrap();
        }
        self.bind("ClusterRole", None, &[rbac::OPERATOR_CLUSTER]).await;
        self.bind("Role", Some(&self.system), &[rbac::OPERATOR_NAMESPACE]).await;
        self.bind("Role", Some(&self.workers), &[rbac::WORKER_NAMESPACE]).await;
    }

    async fn bind(&self, kind: &str, namespace: Option<&str>, rules: &[&[Rule]]) {
        let rules: Vec<_> = rules
            .iter()
            .flat_map(|rules| rules.iter())
            .map(|rule| json!({"apiGroups": [rule.group], "resources": rule.resources, "verbs": rule.verbs}))
            .collect();
        let operator = json!({"kind": "ServiceAccount", "name": "volley-operator", "namespace": self.system});
        self.grant(kind, namespace, "", rules, &operator).await;
    }

    /// A role with these rules, bound to a subject; `suffix` makes its name another one.
    pub(super) async fn grant(
        &self,
        kind: &str,
        namespace: Option<&str>,
        suffix: &str,
        rules: Vec<Value>,
        subject: &Value,
    ) {
        let name = format!("{}{suffix}", self.installation);
        let binding = json!({
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
            "subjects": [subject],
        });
        self.raw(kind, namespace, &name, json!({"rules": rules})).await;
        self.raw(&format!("{kind}Binding"), namespace, &name, binding).await;
    }

    async fn raw(&self, kind: &str, namespace: Option<&str>, name: &str, content: Value) {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("rbac.authorization.k8s.io", "v1", kind));
        let api: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        let object = DynamicObject::new(name, &resource).data(content);
        api.create(&PostParams::default(), &object).await.unwrap();
    }

    /// An operator with the rights of its service account.
    pub(super) fn operator(&self) -> Operator {
        let mut config = self.config.clone();
        config.auth_info.impersonate = Some(format!("system:serviceaccount:{}:volley-operator", self.system));
        config.auth_info.impersonate_groups =
            Some(["system:serviceaccounts", "system:authenticated"].map(str::to_owned).to_vec());
        let client = Client::try_from(config).unwrap();
        let storage = self.storage.storage_settings();
        let settings = Settings {
            installation: self.installation.clone(),
            namespace: self.system.clone(),
            worker_image: "example.com/worker:1".into(),
            volley_image: "example.com/volley:1".into(),
            image_pull_policy: ImagePullPolicy::IfNotPresent,
            image_pull_secrets: Vec::new(),
            storage: StorageSettings {
                bucket: storage.bucket,
                table: storage.table,
                region: storage.region,
                s3_endpoint: storage.s3_endpoint,
                worker_s3_endpoint: None,
                dynamodb_endpoint: storage.dynamodb_endpoint,
                embedded: Some(EmbeddedStorage {
                    root_key: "root-key-of-a-test-server".into(),
                    secret: "volley-storage".into(),
                    secret_key: "root-key".into(),
                }),
            },
            aws: self.aws.clone(),
            start_delay: Duration::from_secs(1),
            aggregator: AggregatorSettings {
                service_account: "volley-aggregator".into(),
                ..AggregatorSettings::default()
            },
            listen: "127.0.0.1:0".parse().unwrap(),
            log: None,
        };
        let (stop, stopped) = oneshot::channel();
        let objects = self.storage.objects();
        let task = tokio::spawn(volley_controller::run(client, objects, settings, async {
            let _ = stopped.await;
        }));
        Operator { stop, task }
    }

    pub(super) async fn region_target(&self) {
        let targets: Api<RegionTarget> = Api::all(self.client.clone());
        let target = serde_json::from_value(json!({
            "apiVersion": "volley.dev/v1alpha1", "kind": "RegionTarget", "metadata": {"name": self.target},
            "spec": {"region": "us-east-1", "connection": {"inCluster": {}}, "namespace": self.workers,
                "allowedNamespaces": [self.shop], "fargate": false}}))
        .unwrap();
        targets.create(&PostParams::default(), &target).await.unwrap();
    }

    /// The LoadTest `checkout` with two workers; `changes` are merged into its spec.
    pub(super) async fn load_test(&self, changes: Value) {
        self.load_test_of("checkout", changes).await;
    }

    /// The same with another name.
    pub(super) async fn load_test_of(&self, name: &str, changes: Value) {
        let mut spec = json!({
            "scenario": {"locust": {"script": {"inline": "import locust"}}},
            "load": {"usersPerWorker": 1, "holdFor": "30s"},
            "regions": [{"target": self.target, "workers": 2}],
        });
        if let (Some(fields), Value::Object(changes)) = (spec.as_object_mut(), changes) {
            fields.extend(changes);
        }
        let load_test = serde_json::from_value(json!({
            "apiVersion": "volley.dev/v1alpha1", "kind": "LoadTest", "metadata": {"name": name}, "spec": spec}))
        .unwrap();
        self.load_tests().create(&PostParams::default(), &load_test).await.unwrap();
    }

    fn load_tests(&self) -> Api<LoadTest> {
        Api::namespaced(self.client.clone(), &self.shop)
    }

    pub(super) fn run_api(&self) -> Api<LoadTestRun> {
        Api::namespaced(self.client.clone(), &self.shop)
    }

    pub(super) async fn create_run(&self, name: &str) -> LoadTestRun {
        self.create_run_of(name, "checkout").await
    }

    pub(super) async fn create_run_of(&self, name: &str, load_test: &str) -> LoadTestRun {
        let run = serde_json::from_value(json!({
            "apiVersion": "volley.dev/v1alpha1", "kind": "LoadTestRun", "metadata": {"name": name},
            "spec": {"loadTest": load_test}}))
        .unwrap();
        self.run_api().create(&PostParams::default(), &run).await.unwrap()
    }

    pub(super) async fn runs(&self) -> Vec<LoadTestRun> {
        self.run_api().list(&kube::api::ListParams::default()).await.unwrap().items
    }

    pub(super) async fn only_run(&self) -> LoadTestRun {
        eventually("the trigger makes a run", SOON, async || self.runs().await.into_iter().next()).await
    }

    /// The worker Job of a run, once all its pods are asked for.
    pub(super) async fn worker_job(&self, run: &LoadTestRun, workers: i32) -> Job {
        let jobs: Api<Job> = Api::namespaced(self.client.clone(), &self.workers);
        let name = names::worker(&run.name_any(), &run.uid().unwrap(), &self.target);
        eventually("the worker Job is made and ramped", SOON, async || {
            let job = jobs.get_opt(&name).await.unwrap()?;
            (job.spec.as_ref()?.parallelism == Some(workers)).then_some(job)
        })
        .await
    }

    pub(super) async fn document<D: Document>(&self, key: &str) -> D {
        let objects = self.storage.objects();
        eventually(key, SOON, async || objects.get_document::<D>(key).await.unwrap().map(|(document, _)| document))
            .await
    }

    pub(super) async fn until(&self, run: &LoadTestRun, phase: Phase) {
        eventually(&format!("the run is {phase:?}"), SOON, async || {
            let run = self.run_api().get(&run.name_any()).await.unwrap();
            (run.status?.phase == Some(phase)).then_some(())
        })
        .await;
    }

    /// The run has ended, and nothing that it made is left.
    pub(super) async fn until_cleaned(&self, run: &LoadTestRun) -> LoadTestRun {
        let ended = eventually("the run ends and is cleaned", SOON, async || {
            let run = self.run_api().get(&run.name_any()).await.unwrap();
            let finished = run.annotations().contains_key(labels::FINISHED);
            (finished && run.finalizers().is_empty()).then_some(run)
        })
        .await;
        let jobs: Api<Job> = Api::all(self.client.clone());
        let selector = format!("{}={}", labels::RUN_UID, run.uid().unwrap());
        let left = jobs.list(&kube::api::ListParams::default().labels(&selector)).await.unwrap().items;
        assert!(left.is_empty(), "Jobs are left: {:?}", left.iter().map(ResourceExt::name_any).collect::<Vec<_>>());
        ended
    }

    pub(super) async fn test_until(&self, what: &str, holds: impl Fn(&LoadTest) -> bool) -> LoadTest {
        eventually(what, SOON, async || self.load_tests().get("checkout").await.ok().filter(&holds)).await
    }

    pub(super) async fn target_until(&self, what: &str, holds: impl Fn(&RegionTarget) -> bool) -> RegionTarget {
        let targets: Api<RegionTarget> = Api::all(self.client.clone());
        eventually(what, SOON, async || targets.get(&self.target).await.ok().filter(&holds)).await
    }

    pub(super) async fn merge_run(&self, run: &LoadTestRun, patch: Value) {
        self.run_api().patch(&run.name_any(), &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    pub(super) async fn merge_target(&self, patch: Value) {
        let targets: Api<RegionTarget> = Api::all(self.client.clone());
        targets.patch(&self.target, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    pub(super) async fn delete_run(&self, run: &LoadTestRun) {
        self.run_api().delete(&run.name_any(), &DeleteParams::background()).await.unwrap();
    }

    /// While nothing changes, nobody writes: neither the runs nor the LoadTest nor the target get another version.
    pub(super) async fn assert_quiet(&self) {
        // What has just changed may still be reported.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = self.versions().await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(before, self.versions().await);
    }

    async fn versions(&self) -> Vec<Option<String>> {
        let targets: Api<RegionTarget> = Api::all(self.client.clone());
        let mut versions = vec![
            self.load_tests().get("checkout").await.unwrap().resource_version(),
            targets.get(&self.target).await.unwrap().resource_version(),
        ];
        versions.extend(self.runs().await.iter().map(ResourceExt::resource_version));
        versions
    }

    /// Removes what is not in a namespace of the test. (Without controllers a namespace itself stays; the cluster is thrown away.)
    pub(super) async fn end(self) {
        let targets: Api<RegionTarget> = Api::all(self.client.clone());
        // Without an operator nobody else takes it off.
        self.merge_target(json!({"metadata": {"finalizers": null}})).await;
        targets.delete(&self.target, &DeleteParams::default()).await.unwrap();
        for run in self.runs().await {
            self.merge_run(&run, json!({"metadata": {"finalizers": null}})).await;
            self.run_api().delete(&run.name_any(), &DeleteParams::background()).await.ok();
        }
        self.load_tests().delete("checkout", &DeleteParams::background()).await.ok();
        self.storage.stop().await;
    }
}

pub(super) struct Operator {
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<Result<(), volley_controller::Error>>,
}

impl Operator {
    /// In order: it must end well.
    pub(super) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap().unwrap();
    }

    /// At once, whatever it is doing.
    pub(super) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}
