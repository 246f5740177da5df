//! Who does what the operator waits for: Job controller, workers, aggregator.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use volley_api::{LoadTestRun, labels};
use volley_storage::documents::{CloseDecision, Counters, DOCUMENT_VERSION, FailedStage, Manifest, WorkerFailure};
use volley_storage::keys::{self, WorkerAttempt};

use super::harness::Harness;

fn attempt(target: &str, index: u32) -> WorkerAttempt {
    WorkerAttempt { target: target.to_owned(), index, pod_uid: format!("pod-{index}") }
}

impl Harness {
    async fn job_status(&self, job: &Job, status: Value) {
        let jobs: Api<Job> = Api::namespaced(self.client.clone(), &self.workers);
        let patch = Patch::Merge(json!({"status": status}));
        jobs.patch_status(&job.name_any(), &PatchParams::default(), &patch).await.unwrap();
    }

    /// The Job controller says that workers are at the gate.
    pub(super) async fn play_ready(&self, job: &Job, workers: i32) {
        let now = Timestamp::now().to_string();
        self.job_status(job, json!({"startTime": now, "active": workers, "ready": workers})).await;
    }

    /// A worker exits with 64 after it said why.
    pub(super) async fn play_script_failure(&self, run: &LoadTestRun, job: &Job, words: &str) {
        let failure = WorkerFailure {
            version: DOCUMENT_VERSION,
            stage: FailedStage::Script,
            file: Some("script.py".into()),
            line: Some(3),
            words: words.into(),
        };
        let key = attempt(&self.target, 0).object(&run.uid().unwrap(), "failed.json");
        self.storage.objects().put_document(&key, &failure).await.unwrap();
        let now = Timestamp::now().to_string();
        let condition = json!({"type": "FailureTarget", "status": "True", "reason": "PodFailurePolicy",
            "message": "Container taurus failed with exit code 64", "lastProbeTime": now, "lastTransitionTime": now});
        self.job_status(
            job,
            json!({"startTime": now, "active": 1, "ready": 0, "failed": 1, "conditions": [condition]}),
        )
        .await;
    }

    /// Workers upload their manifests.
    pub(super) async fn play_manifests(&self, run: &LoadTestRun, indexes: &[u32]) {
        let uid = run.uid().unwrap();
        for index in indexes {
            let worker = attempt(&self.target, *index);
            let key = worker.manifest(&uid);
            let manifest = Manifest {
                version: DOCUMENT_VERSION,
                run_uid: uid.clone(),
                worker,
                taurus: None,
                engines: Vec::new(),
                exit_code: Some(0),
                released_at: None,
                first_sample_at: None,
                last_sample_at: None,
                clock: None,
                complete: true,
                stopped: None,
                counters: Counters::default(),
                frames: None,
                health: None,
                sample_files: Vec::new(),
                objects: BTreeMap::new(),
                warnings: Vec::new(),
            };
            self.storage.objects().put_document_once(&key, &manifest).await.unwrap();
        }
    }

    /// Both workers upload, the operator closes the list, the aggregator writes its result.
    pub(super) async fn play_to_the_result(&self, run: &LoadTestRun) -> CloseDecision {
        self.play_manifests(run, &[0, 1]).await;
        let close = self.document(&keys::close(&run.uid().unwrap())).await;
        self.play_result(run, 2).await;
        close
    }

    /// The aggregator writes its result.
    pub(super) async fn play_result(&self, run: &LoadTestRun, started: i64) {
        self.play_judgement(run, started, "NotJudged", json!([])).await;
    }

    /// The aggregator writes its result with a verdict over thresholds.
    pub(super) async fn play_judgement(&self, run: &LoadTestRun, started: i64, verdict: &str, thresholds: Value) {
        let result = json!({
            "requests": 100, "errors": 0, "errorRate": "0%", "requestRate": "10/s", "bytes": 1000, "verdict": verdict, "thresholds": thresholds,
            "coverage": {"workersPlanned": 2, "workersMeasured": started, "partial": 0, "complete": true},
            "regions": [{"target": self.target, "started": started, "lost": 0, "partial": 0}],
            "location": "s3://volley-test/result"});
        let body = json!({"apiVersion": "volley.dev/v1alpha1", "kind": "LoadTestRun",
            "metadata": {"name": run.name_any()}, "status": {"result": result}});
        let parameters = PatchParams::apply(labels::AGGREGATOR_MANAGER).force();
        self.run_api().patch_status(&run.name_any(), &parameters, &Patch::Apply(body)).await.unwrap();
    }
}
