//! The Indexed Job of a region: one pod per worker. `docs/contributors/worker-contract.md` is its specification.
//!
//! The Job is made once, with parallelism 0; what it needs (the run's Secret) is made before the first pod. Its template never
//! changes; the ramp only raises the parallelism.

use k8s_openapi::api::batch::v1::{
    Job, JobSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyOnPodConditionsPattern,
    PodFailurePolicyRule,
};
use k8s_openapi::api::core::v1::{Container, ContainerPort, HTTPGetAction, PodSpec, PodTemplateSpec, Probe};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use volley_api::labels;
use volley_storage::documents::{Definition, Region};

use super::{
    ACCESS_KEY, Component, SECRET_KEY, TAURUS_USER_ID, VOLLEY_USER_ID, container_security, empty_dir, env, env_field,
    env_secret, mount, object_labels, pod_security, pull_secrets, run_annotation, secret_name, sizes, worker_name,
};
use crate::load_test_run::timing;
use crate::settings::{Settings, WORKER_SERVICE_ACCOUNT};

/// The main container; the pod failure policy and the credential webhook name it.
pub const MAIN_CONTAINER: &str = "taurus";
/// The sidecar.
pub const COLLECTOR_CONTAINER: &str = "collector";
/// Port of the collector's probe.
const PROBE_PORT: i32 = 8655;

/// Script or configuration is wrong, seen before the start: the Job fails at once.
pub const EXIT_SCRIPT_FAILED: i32 = 64;
/// Failed after the start: its index fails.
const EXIT_FAILED_AFTER_START: i32 = 65;
/// Late or refused: its index fails.
const EXIT_REFUSED: i32 = 66;

/// Pods of an index that may fail before the index does. A replacement before the start is welcome, after it exits 66.
const BACKOFF_LIMIT_PER_INDEX: i32 = 3;
/// Time to upload after an eviction. At a normal end the main container waits for the upload itself.
const GRACE_PERIOD_SECONDS: i64 = 180;
/// Dead-man switch: a Job that nobody cleans goes after this.
const TTL_SECONDS: i32 = 3600;
/// Keeps the pod's credentials away from the script (amazon-eks-pod-identity-webhook).
const SKIP_CONTAINERS_ANNOTATION: &str = "eks.amazonaws.com/skip-containers";

/// The Job of a region.
#[must_use]
pub fn worker_job(definition: &Definition, region: &Region, settings: &Settings) -> Job {
    let mut job_labels = object_labels(definition, Component::Worker);
    job_labels.insert(labels::TARGET.to_owned(), region.target.clone());
    let workers = i32::try_from(region.workers).unwrap_or(i32::MAX);
    Job {
        metadata: ObjectMeta {
            name: Some(worker_name(definition, &region.target)),
            namespace: Some(region.namespace.clone()),
            labels: Some(job_labels.clone()),
            annotations: Some(run_annotation(definition)),
            ..ObjectMeta::default()
        },
        spec: Some(JobSpec {
            active_deadline_seconds: Some(timing::job_deadline_seconds(definition)),
            backoff_limit_per_index: Some(BACKOFF_LIMIT_PER_INDEX),
            completion_mode: Some("Indexed".to_owned()),
            completions: Some(workers),
            parallelism: Some(0),
            pod_failure_policy: Some(failure_policy()),
            pod_replacement_policy: Some("Failed".to_owned()),
            ttl_seconds_after_finished: Some(TTL_SECONDS),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(job_labels),
                    annotations: Some(
                        [(SKIP_CONTAINERS_ANNOTATION.to_owned(), MAIN_CONTAINER.to_owned())].into_iter().collect(),
                    ),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod(definition, region, settings)),
            },
            ..JobSpec::default()
        }),
        status: None,
    }
}

fn pod(definition: &Definition, region: &Region, settings: &Settings) -> PodSpec {
    let (main_resources, collector_resources) = sizes::resources(&definition.resources);
    let pull_policy = Some(settings.image_pull_policy.as_str().to_owned());
    let collector = Container {
        name: COLLECTOR_CONTAINER.to_owned(),
        image: Some(definition.images.volley.clone()),
        image_pull_policy: pull_policy.clone(),
        args: Some(vec!["collector".to_owned()]),
        env: Some(collector_env(definition, region, settings)),
        ports: Some(vec![ContainerPort {
            name: Some("probe".to_owned()),
            container_port: PROBE_PORT,
            ..ContainerPort::default()
        }]),
        // No startup probe: it would hold back the main container.
        readiness_probe: Some(Probe {
            http_get: Some(HTTPGetAction {
                path: Some("/ready".to_owned()),
                port: IntOrString::String("probe".to_owned()),
                ..HTTPGetAction::default()
            }),
            period_seconds: Some(1),
            timeout_seconds: Some(2),
            failure_threshold: Some(3),
            ..Probe::default()
        }),
        resources: Some(collector_resources),
        restart_policy: Some("Always".to_owned()),
        security_context: Some(container_security(VOLLEY_USER_ID)),
        volume_mounts: Some(vec![
            mount("control", "/volley/control", false),
            mount("work", "/volley/work", true),
            mount("collector-tmp", "/tmp", false),
        ]),
        ..Container::default()
    };
    let main = Container {
        name: MAIN_CONTAINER.to_owned(),
        image: Some(definition.images.worker.clone()),
        image_pull_policy: pull_policy,
        command: Some(["python3", "-m", "volley_worker.launcher"].map(str::to_owned).to_vec()),
        resources: Some(main_resources),
        security_context: Some(container_security(TAURUS_USER_ID)),
        volume_mounts: Some(vec![
            mount("control", "/volley/control", true),
            mount("work", "/volley/work", false),
            mount("taurus-tmp", "/tmp", false),
        ]),
        ..Container::default()
    };
    PodSpec {
        automount_service_account_token: Some(false),
        containers: vec![main],
        enable_service_links: Some(false),
        image_pull_secrets: pull_secrets(settings),
        init_containers: Some(vec![collector]),
        restart_policy: Some("Never".to_owned()),
        security_context: Some(pod_security()),
        service_account_name: Some(WORKER_SERVICE_ACCOUNT.to_owned()),
        termination_grace_period_seconds: Some(GRACE_PERIOD_SECONDS),
        volumes: Some(["control", "work", "collector-tmp", "taurus-tmp"].map(empty_dir).to_vec()),
        ..PodSpec::default()
    }
}

fn collector_env(
    definition: &Definition,
    region: &Region,
    settings: &Settings,
) -> Vec<k8s_openapi::api::core::v1::EnvVar> {
    let storage = &settings.storage;
    let mut variables = vec![
        env("VOLLEY_RUN_UID", &definition.run.uid),
        env("VOLLEY_TARGET", &region.target),
        env_field("VOLLEY_POD_UID", "metadata.uid"),
        env("VOLLEY_BUCKET", &storage.bucket),
        env("AWS_REGION", &storage.region),
        // Else the C library keeps what the largest checkpoint took, some megabytes.
        env("MALLOC_TRIM_THRESHOLD_", "131072"),
    ];
    if let Some(endpoint) = storage.worker_s3_endpoint.as_ref().or(storage.s3_endpoint.as_ref()) {
        variables.push(env("VOLLEY_S3_ENDPOINT", endpoint));
    }
    if storage.embedded.is_some() {
        let secret = secret_name(definition, &region.target);
        variables.push(env_secret("AWS_ACCESS_KEY_ID", &secret, ACCESS_KEY));
        variables.push(env_secret("AWS_SECRET_ACCESS_KEY", &secret, SECRET_KEY));
    }
    if let Some(log) = &settings.log {
        variables.push(env("VOLLEY_LOG", log));
    }
    variables
}

/// In order: the first rule that matches decides. Anything else counts against the index.
fn failure_policy() -> PodFailurePolicy {
    let exit_codes = |action: &str, values: Vec<i32>| PodFailurePolicyRule {
        action: action.to_owned(),
        on_exit_codes: Some(PodFailurePolicyOnExitCodesRequirement {
            container_name: Some(MAIN_CONTAINER.to_owned()),
            operator: "In".to_owned(),
            values,
        }),
        on_pod_conditions: None,
    };
    PodFailurePolicy {
        rules: vec![
            exit_codes("FailJob", vec![EXIT_SCRIPT_FAILED]),
            exit_codes("FailIndex", vec![EXIT_FAILED_AFTER_START, EXIT_REFUSED]),
            PodFailurePolicyRule {
                action: "Ignore".to_owned(),
                on_exit_codes: None,
                on_pod_conditions: Some(vec![PodFailurePolicyOnPodConditionsPattern {
                    type_: "DisruptionTarget".to_owned(),
                    status: Some("True".to_owned()),
                }]),
            },
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn a_worker_job_of_a_fargate_size_with_the_embedded_storage() {
        let definition = fixtures::definition();
        let job = worker_job(&definition, &definition.regions[0], &fixtures::settings());
        insta::assert_yaml_snapshot!(job);
    }

    #[test]
    fn on_aws_the_collector_gets_no_key_and_no_endpoint() {
        let definition = fixtures::definition();
        let job = worker_job(&definition, &definition.regions[0], &fixtures::settings_on_aws());
        let pod = job.spec.unwrap().template.spec.unwrap();
        let names: Vec<_> =
            pod.init_containers.unwrap()[0].env.clone().unwrap().into_iter().map(|variable| variable.name).collect();
        let expected = [
            "VOLLEY_RUN_UID",
            "VOLLEY_TARGET",
            "VOLLEY_POD_UID",
            "VOLLEY_BUCKET",
            "AWS_REGION",
            "MALLOC_TRIM_THRESHOLD_",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn the_main_container_gets_no_credentials_and_cannot_write_its_orders() {
        let definition = fixtures::definition();
        let job = worker_job(&definition, &definition.regions[0], &fixtures::settings());
        let main = job.spec.unwrap().template.spec.unwrap().containers.remove(0);
        assert_eq!(main.env, None);
        let control = main.volume_mounts.unwrap().into_iter().find(|mount| mount.name == "control").unwrap();
        assert_eq!(control.read_only, Some(true));
    }
}
