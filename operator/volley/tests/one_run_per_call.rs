//! `volley run` against a real API server: each call follows exactly one run.
//!
//! The operator's part is played by the test, in a namespace of its own: it triggers by the documented rule, as fast or as
//! slowly as a case says, and ends every run with a result. The tests name a `RegionTarget` that does not exist, so that
//! an operator that runs on the same API server leaves them alone.

#![cfg(test)]

use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::{conditions, wait};
use kube::{Client, Config, ResourceExt};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use volley_api::crd::{Kind, crd};
use volley_api::digest::{TriggerMark, definition_digest};
use volley_api::load_test::Trigger;
use volley_api::load_test_run::LoadTestRunSpec;
use volley_api::{LoadTest, LoadTestRun, labels, names};

const VARIABLE: &str = "VOLLEY_TEST_KUBECONFIG";

/// How the operator behaves.
#[derive(Clone, Copy)]
struct Manners {
    /// It looks at definitions only after this long.
    slowness: Duration,
    /// It brings runs to their end.
    ends_runs: bool,
}

const BRISK: Manners = Manners { slowness: Duration::ZERO, ends_runs: true };

struct Scene {
    client: Client,
    kubeconfig: String,
    namespace: String,
    operator: JoinHandle<()>,
    folder: tempfile::TempDir,
}

impl Scene {
    async fn new(manners: Manners) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let path = std::env::var(VARIABLE).unwrap_or_else(|_| panic!("{VARIABLE} is not set to a kubeconfig"));
        let kubeconfig = Kubeconfig::read_from(&path).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        let client = Client::try_from(config).unwrap();
        let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
        for kind in Kind::ALL {
            let crd = crd(kind).unwrap();
            let parameters = PatchParams::apply("volley-tests").force();
            let name = crd.name_any();
            crds.patch(&name, &parameters, &Patch::Apply(&crd)).await.unwrap();
            let established = wait::await_condition(crds.clone(), &name, conditions::is_crd_established());
            tokio::time::timeout(Duration::from_secs(30), established).await.unwrap().unwrap();
        }
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let namespace: Namespace = serde_json::from_value(json!({"metadata": {"generateName": "cli-"}})).unwrap();
        let namespace = namespaces.create(&PostParams::default(), &namespace).await.unwrap().name_any();
        let operator = tokio::spawn(play_operator(client.clone(), namespace.clone(), manners));
        Self { client, kubeconfig: path, namespace, operator, folder: tempfile::tempdir().unwrap() }
    }

    fn runs(&self) -> Api<LoadTestRun> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    async fn run_names(&self) -> Vec<String> {
        let runs = self.runs().list(&ListParams::default()).await.unwrap();
        runs.items.iter().map(ResourceExt::name_any).collect()
    }

    /// A file with a script and the test `checkout`.
    fn file(&self, trigger: Option<&str>, users: i64) -> String {
        let mut spec = json!({
            "scenario": {"locust": {"script": {"configMap": {"name": "script", "key": "locustfile.py"}}}},
            "load": {"usersPerWorker": users, "holdFor": "10s"},
            "regions": [{"target": "no-such-target", "workers": 2}]
        });
        if let Some(trigger) = trigger {
            spec["trigger"] = Value::from(trigger);
        }
        let test = json!({"apiVersion": "volley.dev/v1alpha1", "kind": "LoadTest", "metadata": {"name": "checkout"}, "spec": spec});
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "script"}, "data": {"locustfile.py": "pass"}});
        let path = self.folder.path().join("test.yaml");
        std::fs::write(&path, format!("{test}\n---\n{map}\n")).unwrap();
        path.display().to_string()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_volley"));
        command.args(arguments).args(["--namespace", &self.namespace]).env("KUBECONFIG", &self.kubeconfig);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    async fn volley(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    async fn end(self) {
        self.operator.abort();
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.delete(&self.namespace, &DeleteParams::default()).await.unwrap();
    }
}

/// The rule of the trigger, stated once more: the judge of the program's own.
fn triggers(test: &LoadTest) -> bool {
    let mark = test.annotations().get(labels::TRIGGERED).map(|mark| mark.parse::<TriggerMark>().unwrap());
    match test.spec.trigger.unwrap_or_default() {
        Trigger::Manual => false,
        Trigger::Once => mark.is_none(),
        Trigger::OnChange => mark.is_none_or(|mark| mark.digest != definition_digest(&test.spec)),
    }
}

async fn play_operator(client: Client, namespace: String, manners: Manners) {
    let tests: Api<LoadTest> = Api::namespaced(client.clone(), &namespace);
    let runs: Api<LoadTestRun> = Api::namespaced(client, &namespace);
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        for test in tests.list(&ListParams::default()).await.unwrap().items.into_iter().filter(triggers) {
            tokio::time::sleep(manners.slowness).await;
            let name = test.name_any();
            let mark = TriggerMark::of(&test.spec, test.metadata.generation.unwrap());
            let patch = json!({"metadata": {"resourceVersion": test.resource_version(),
                "annotations": {labels::TRIGGERED: mark.to_string()}}});
            if tests.patch(&name, &PatchParams::default(), &Patch::Merge(&patch)).await.is_err() {
                continue; // Somebody changed it meanwhile: look again.
            }
            tokio::time::sleep(manners.slowness).await;
            let spec =
                LoadTestRunSpec { load_test: name.clone(), definition_digest: Some(mark.digest.clone()), stop: None };
            let run = LoadTestRun::new(&names::triggered_run(&name, &mark.digest, mark.generation), spec);
            runs.create(&PostParams::default(), &run).await.unwrap();
        }
        for run in runs.list(&ListParams::default()).await.unwrap().items {
            let phase = run.status.as_ref().and_then(|status| status.phase);
            let status = match phase {
                None => json!({"phase": "Running"}),
                Some(_) if manners.ends_runs => ended(),
                Some(_) => continue,
            };
            let patch = json!({"status": status});
            runs.patch_status(&run.name_any(), &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
        }
    }
}

fn ended() -> Value {
    let condition = |kind: &str, reason: &str| {
        json!({"type": kind, "status": "True", "reason": reason, "message": "It ran to its end.",
               "lastTransitionTime": "2026-11-25T12:00:00Z"})
    };
    json!({
        "phase": "Succeeded",
        "conditions": [condition("Finished", "Completed"), condition("Succeeded", "Completed")],
        "result": {"requests": 120, "errors": 3, "errorRate": "2.5%", "requestRate": "12/s", "bytes": 12000, "p95": "31ms",
            "verdict": "NotJudged", "coverage": {"workersPlanned": 2, "workersMeasured": 2, "partial": 0, "complete": true},
            "labels": [{"label": "home", "requests": 120, "errors": 3, "requestRate": "12/s", "p95": "31ms"}],
            "location": "s3://volley/runs/v1/x/result.json"}
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The call ended well and followed the one run that is new.
async fn one_more_run(scene: &Scene, known: &mut Vec<String>, output: &Output) -> String {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}\n{err}");
    let new: Vec<String> = scene.run_names().await.into_iter().filter(|name| !known.contains(name)).collect();
    assert_eq!(new.len(), 1, "exactly one run per call, not {new:?}\n{err}");
    assert!(out.starts_with(&format!("Run {}/{} Succeeded", scene.namespace, new[0])), "{out}");
    assert!(out.contains("\nhome        120       3        2.5%  12/s"), "{out}");
    known.extend(new.clone());
    new.into_iter().next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn a_file_runs_once_by_its_trigger_and_then_by_the_command() {
    for slowness in [Duration::ZERO, Duration::from_millis(1500)] {
        let scene = Scene::new(Manners { slowness, ..BRISK }).await;
        let mut known = Vec::new();
        let file = scene.file(None, 5);
        let first = scene.volley(&["run", "-f", &file]).await;
        let name = one_more_run(&scene, &mut known, &first).await;
        assert!(
            text(&first.stderr).contains(&format!("/{name}, triggered by the LoadTest")),
            "{}",
            text(&first.stderr)
        );

        let again = scene.volley(&["run", "-f", &file]).await;
        one_more_run(&scene, &mut known, &again).await;
        assert!(text(&again.stderr).contains("its trigger is Once, and it has run before"), "{}", text(&again.stderr));

        let edited = scene.volley(&["run", "-f", &scene.file(None, 6)]).await;
        one_more_run(&scene, &mut known, &edited).await;

        let by_name = scene.volley(&["run", "checkout"]).await;
        one_more_run(&scene, &mut known, &by_name).await;
        scene.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn a_changed_definition_runs_by_its_trigger_and_an_unchanged_one_by_the_command() {
    let scene = Scene::new(Manners { slowness: Duration::from_millis(700), ..BRISK }).await;
    let mut known = Vec::new();
    for (users, triggered) in [(5, true), (5, false), (6, true), (5, true)] {
        let output = scene.volley(&["run", "-f", &scene.file(Some("OnChange"), users)]).await;
        one_more_run(&scene, &mut known, &output).await;
        let words = if triggered { "triggered by the LoadTest" } else { "its definition has not changed" };
        assert!(text(&output.stderr).contains(words), "{users}: {}", text(&output.stderr));
    }
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn a_manual_test_runs_by_the_command_each_time() {
    let scene = Scene::new(BRISK).await;
    let mut known = Vec::new();
    let file = scene.file(Some("Manual"), 5);
    for _ in 0..2 {
        let output = scene.volley(&["run", "-f", &file, "-o", "json"]).await;
        let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(printed["exitCode"], 0);
        assert_eq!(printed["result"]["requests"], 120);
        let run = printed["run"].as_str().unwrap().to_owned();
        assert!(!known.contains(&run));
        known.push(run);
    }
    assert_eq!(scene.run_names().await.len(), 2);
    let shown = scene.volley(&["result", &known[0]]).await;
    assert_eq!(shown.status.code(), Some(0), "{}", text(&shown.stderr));
    assert!(text(&shown.stdout).contains("Workers 2 of 2 measured"), "{}", text(&shown.stdout));
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn who_stops_following_leaves_the_run_alone() {
    let scene = Scene::new(Manners { slowness: Duration::ZERO, ends_runs: false }).await;
    let file = scene.file(None, 5);
    let timed_out = scene.volley(&["run", "-f", &file, "--timeout", "2s"]).await;
    assert_eq!(timed_out.status.code(), Some(5), "{}", text(&timed_out.stderr));
    assert!(
        text(&timed_out.stderr).contains("did not end within --timeout 2 s; it goes on"),
        "{}",
        text(&timed_out.stderr)
    );

    let child = scene.command(&["run", "checkout"]).spawn().unwrap();
    let pid = child.id().to_string();
    let waiting = Arc::new(AtomicBool::new(true));
    let detached = tokio::task::spawn_blocking({
        let waiting = Arc::clone(&waiting);
        move || {
            let output = child.wait_with_output().unwrap();
            waiting.store(false, Ordering::SeqCst);
            output
        }
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(waiting.load(Ordering::SeqCst), "it follows as long as nobody interrupts it");
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let detached = tokio::time::timeout(Duration::from_secs(10), detached).await.unwrap().unwrap();
    let err = text(&detached.stderr);
    assert_eq!(detached.status.code(), Some(130), "{err}");
    assert!(err.contains("Stopped following") && err.contains("\"stop\":{\"reason\""), "{err}");
    let runs = scene.runs().list(&ListParams::default()).await.unwrap();
    assert_eq!(runs.items.len(), 2);
    assert!(runs.items.iter().all(|run| run.spec.stop.is_none() && run.metadata.deletion_timestamp.is_none()));
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn what_the_cluster_refuses_starts_nothing_and_says_why() {
    let scene = Scene::new(BRISK).await;
    let invalid = scene.volley(&["run", "-f", &scene.file(None, 0)]).await;
    assert_eq!(invalid.status.code(), Some(2), "{}", text(&invalid.stderr));
    assert!(text(&invalid.stderr).contains("usersPerWorker"), "{}", text(&invalid.stderr));

    let unknown = scene.volley(&["run", "no-such-test"]).await;
    assert_eq!(unknown.status.code(), Some(2), "{}", text(&unknown.stderr));
    assert!(text(&unknown.stderr).contains("there is no LoadTest"), "{}", text(&unknown.stderr));

    let no_result = scene.volley(&["result", "no-such-run"]).await;
    assert_eq!(no_result.status.code(), Some(5), "{}", text(&no_result.stderr));
    assert_eq!(scene.run_names().await, Vec::<String>::new());
    scene.end().await;
}
