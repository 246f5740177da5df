//! The objects that a run makes, built from the frozen definition and the settings alone. Pure.

pub mod aggregator_job;
pub mod run_secret;
pub mod sizes;
pub mod worker_job;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Capabilities, EmptyDirVolumeSource, EnvVar, EnvVarSource, LocalObjectReference, ObjectFieldSelector,
    PodSecurityContext, SeccompProfile, SecretKeySelector, SecurityContext, Volume, VolumeMount,
};
use volley_api::{labels, names};
use volley_storage::documents::Definition;

use crate::settings::Settings;

/// Annotation of a Job: `<namespace>/<name>` of its run, by which an event of the Job finds the run.
pub const RUN_ANNOTATION: &str = "volley.dev/run";
/// Annotation of a worker Job: when its parallelism was last raised.
pub const RAMPED_AT_ANNOTATION: &str = "volley.dev/ramped-at";

/// Group of all containers; the volumes belong to it.
const GROUP_ID: i64 = 10_000;
/// User of the main container of a worker.
const TAURUS_USER_ID: i64 = 10_001;
/// User of collector and aggregator.
const VOLLEY_USER_ID: i64 = 10_002;

/// Key of the access key in a run's Secret.
pub const ACCESS_KEY: &str = "access-key-id";
/// Key of the secret key in a run's Secret.
pub const SECRET_KEY: &str = "secret-access-key";

/// Name of a target's worker Job.
#[must_use]
pub fn worker_name(definition: &Definition, target: &str) -> String {
    names::worker(&definition.run.name, &definition.run.uid, target)
}

/// Name of the Secret beside it.
#[must_use]
pub fn secret_name(definition: &Definition, target: &str) -> String {
    names::worker_secret(&definition.run.name, &definition.run.uid, target)
}

/// Name of the aggregator's Job.
#[must_use]
pub fn aggregator_name(definition: &Definition) -> String {
    names::aggregator(&definition.run.name, &definition.run.uid)
}

/// What an object is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// A worker's Job, pods and Secret.
    Worker,
    /// The aggregator's Job and pod.
    Aggregator,
}

impl Component {
    /// The label's value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Aggregator => "aggregator",
        }
    }
}

/// Labels of everything that a run makes. Sweeps match installation and run.
fn object_labels(definition: &Definition, component: Component) -> BTreeMap<String, String> {
    [
        (labels::NAME, labels::MANAGER),
        (labels::MANAGED_BY, labels::MANAGER),
        (labels::COMPONENT, component.as_str()),
        (labels::INSTALLATION, &definition.installation),
        (labels::RUN_UID, &definition.run.uid),
        (labels::LOAD_TEST, &definition.run.load_test),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect()
}

fn run_annotation(definition: &Definition) -> BTreeMap<String, String> {
    BTreeMap::from([(RUN_ANNOTATION.to_owned(), format!("{}/{}", definition.run.namespace, definition.run.name))])
}

/// Pod Security `restricted`, for the pod. The user is named here too, although every container names its own: the pod's sandbox
/// takes it from here, and containerd 1.6 refuses a sandbox with a group and no user.
fn pod_security() -> PodSecurityContext {
    PodSecurityContext {
        fs_group: Some(GROUP_ID),
        run_as_group: Some(GROUP_ID),
        run_as_non_root: Some(true),
        run_as_user: Some(VOLLEY_USER_ID),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
        ..PodSecurityContext::default()
    }
}

/// Pod Security `restricted`, for a container.
fn container_security(user: i64) -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
        read_only_root_filesystem: Some(true),
        run_as_group: Some(GROUP_ID),
        run_as_non_root: Some(true),
        run_as_user: Some(user),
        ..SecurityContext::default()
    }
}

fn pull_secrets(settings: &Settings) -> Option<Vec<LocalObjectReference>> {
    let secrets: Vec<_> =
        settings.image_pull_secrets.iter().map(|name| LocalObjectReference { name: name.clone() }).collect();
    (!secrets.is_empty()).then_some(secrets)
}

fn env(name: &str, value: impl Into<String>) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value.into()), value_from: None }
}

fn env_field(name: &str, path: &str) -> EnvVar {
    let field = ObjectFieldSelector { field_path: path.to_owned(), api_version: None };
    EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(EnvVarSource { field_ref: Some(field), ..EnvVarSource::default() }),
    }
}

fn env_secret(name: &str, secret: &str, key: &str) -> EnvVar {
    let reference = SecretKeySelector { name: secret.to_owned(), key: key.to_owned(), optional: None };
    EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(EnvVarSource { secret_key_ref: Some(reference), ..EnvVarSource::default() }),
    }
}

fn empty_dir(name: &str) -> Volume {
    Volume { name: name.to_owned(), empty_dir: Some(EmptyDirVolumeSource::default()), ..Volume::default() }
}

fn mount(name: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    }
}
