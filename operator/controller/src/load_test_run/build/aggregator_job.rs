//! The aggregator's Job, in the operator's namespace. It learns everything about its run from S3.

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{Container, ContainerPort, EnvVar, PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use volley_storage::documents::Definition;

use super::{
    Component, VOLLEY_USER_ID, aggregator_name, container_security, empty_dir, env, env_secret, mount, object_labels,
    pod_security, pull_secrets, run_annotation,
};
use crate::load_test_run::timing;
use crate::settings::Settings;

/// Attempts before the run ends without a result; the Job controller spaces them from 10 s to 6 min.
const BACKOFF_LIMIT: i32 = 6;
/// Port of the live figures; `volley watch` finds it by its name.
const LIVE_PORT: i32 = 8080;
const LIVE_PORT_NAME: &str = "live";
/// Port of the metrics. It is not that of the figures, so that a network policy can let a scraper in to it alone.
const METRICS_PORT: i32 = 8081;
const METRICS_PORT_NAME: &str = "metrics";
/// Dead-man switch: a Job that nobody cleans goes after this.
const TTL_SECONDS: i32 = 3600;

/// The aggregator's Job.
#[must_use]
pub fn aggregator_job(definition: &Definition, settings: &Settings) -> Job {
    let labels = object_labels(definition, Component::Aggregator);
    let container = Container {
        name: "aggregator".to_owned(),
        image: Some(definition.images.volley.clone()),
        image_pull_policy: Some(settings.image_pull_policy.as_str().to_owned()),
        args: Some(vec!["aggregator".to_owned()]),
        env: Some(aggregator_env(definition, settings)),
        ports: Some(vec![port(LIVE_PORT_NAME, LIVE_PORT), port(METRICS_PORT_NAME, METRICS_PORT)]),
        resources: Some(settings.aggregator.resources.clone()),
        security_context: Some(container_security(VOLLEY_USER_ID)),
        volume_mounts: Some(vec![mount("tmp", "/tmp", false)]),
        ..Container::default()
    };
    Job {
        metadata: ObjectMeta {
            name: Some(aggregator_name(definition)),
            namespace: Some(settings.namespace.clone()),
            labels: Some(labels.clone()),
            annotations: Some(run_annotation(definition)),
            ..ObjectMeta::default()
        },
        spec: Some(JobSpec {
            active_deadline_seconds: Some(
                timing::job_deadline_seconds(definition) + timing::AGGREGATION_LIMIT.as_secs(),
            ),
            backoff_limit: Some(BACKOFF_LIMIT),
            ttl_seconds_after_finished: Some(TTL_SECONDS),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(labels), ..ObjectMeta::default() }),
                spec: Some(PodSpec {
                    containers: vec![container],
                    enable_service_links: Some(false),
                    image_pull_secrets: pull_secrets(settings),
                    restart_policy: Some("Never".to_owned()),
                    security_context: Some(pod_security()),
                    service_account_name: Some(settings.aggregator.service_account.clone()),
                    volumes: Some(vec![empty_dir("tmp")]),
                    ..PodSpec::default()
                }),
            },
            ..JobSpec::default()
        }),
        status: None,
    }
}

fn port(name: &str, number: i32) -> ContainerPort {
    ContainerPort { name: Some(name.to_owned()), container_port: number, ..ContainerPort::default() }
}

fn aggregator_env(definition: &Definition, settings: &Settings) -> Vec<EnvVar> {
    let storage = &settings.storage;
    let mut variables = vec![
        env("VOLLEY_RUN_UID", &definition.run.uid),
        env("VOLLEY_BUCKET", &storage.bucket),
        env("VOLLEY_TABLE", &storage.table),
        env("AWS_REGION", &storage.region),
        env("VOLLEY_LISTEN", format!("0.0.0.0:{LIVE_PORT}")),
        env("VOLLEY_METRICS_LISTEN", format!("0.0.0.0:{METRICS_PORT}")),
    ];
    if let Some(iot) = &settings.aggregator.iot {
        variables.push(env("VOLLEY_IOT", "true"));
        variables.extend(iot.endpoint.as_ref().map(|endpoint| env("VOLLEY_IOT_ENDPOINT", endpoint)));
    }
    if let Some(endpoint) = &storage.s3_endpoint {
        variables.push(env("VOLLEY_S3_ENDPOINT", endpoint));
    }
    if let Some(endpoint) = &storage.dynamodb_endpoint {
        variables.push(env("VOLLEY_DYNAMODB_ENDPOINT", endpoint));
    }
    if let Some(embedded) = &storage.embedded {
        variables.push(env_secret("VOLLEY_STORAGE_ROOT_KEY", &embedded.secret, &embedded.secret_key));
    }
    if let Some(log) = &settings.log {
        variables.push(env("VOLLEY_LOG", log));
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use crate::settings::IotSettings;

    #[test]
    fn an_aggregator_job_with_the_embedded_storage() {
        insta::assert_yaml_snapshot!(aggregator_job(&fixtures::definition(), &fixtures::settings()));
    }

    #[test]
    fn an_aggregator_is_told_of_iot_core_where_frames_are_published() {
        let variables = |iot| {
            let mut settings = fixtures::settings_on_aws();
            settings.aggregator.iot = iot;
            let variables = aggregator_env(&fixtures::definition(), &settings);
            let shown = variables.into_iter().filter(|variable| variable.name.starts_with("VOLLEY_IOT"));
            shown.map(|variable| (variable.name, variable.value.unwrap())).collect::<Vec<_>>()
        };
        assert_eq!(variables(None), []);
        let on = ("VOLLEY_IOT".to_owned(), "true".to_owned());
        assert_eq!(variables(Some(IotSettings::default())), std::slice::from_ref(&on));
        let endpoint = "https://vpce-1.iot.us-east-1.amazonaws.com".to_owned();
        let settings = IotSettings { endpoint: Some(endpoint.clone()) };
        assert_eq!(variables(Some(settings)), [on, ("VOLLEY_IOT_ENDPOINT".to_owned(), endpoint)]);
    }
}
