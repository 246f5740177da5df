//! The environment of a container, as a kubelet makes it from the pod. Pure.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Container, EnvVar, Pod, Secret};

/// A variable cannot be given its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EnvironmentError {
    /// The pod has no such container.
    #[error("the pod has no container {0}; simulated nodes run only workers of Volley")]
    NoContainer(String),
    /// A Secret or its key is missing. It may come.
    #[error("variable {variable}: Secret {secret} has no key {key}, or it is not there")]
    NoSecret {
        /// The variable.
        variable: String,
        /// Name of the Secret.
        secret: String,
        /// The key.
        key: String,
    },
    /// Another source of a value.
    #[error("variable {variable} has its value from {from}, which a simulated node does not know")]
    Source {
        /// The variable.
        variable: String,
        /// Where from.
        from: String,
    },
}

/// A container of the pod, sidecars included.
pub(crate) fn container<'a>(pod: &'a Pod, name: &str) -> Result<&'a Container, EnvironmentError> {
    let spec = pod.spec.as_ref();
    let initial = spec.and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default();
    let main = spec.map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let found = initial.iter().chain(main).find(|container| container.name == name);
    found.ok_or_else(|| EnvironmentError::NoContainer(name.to_owned()))
}

/// Names of the Secrets that a container's variables come from.
pub(crate) fn secrets(container: &Container) -> BTreeSet<&str> {
    let variables = container.env.as_deref().unwrap_or_default();
    variables.iter().filter_map(|variable| Some(secret_key(variable)?.0)).collect()
}

/// All variables of a container.
pub(crate) fn variables(
    pod: &Pod,
    container: &Container,
    secrets: &BTreeMap<String, Secret>,
) -> Result<BTreeMap<String, String>, EnvironmentError> {
    let variables = container.env.as_deref().unwrap_or_default();
    variables.iter().map(|variable| Ok((variable.name.clone(), value(pod, variable, secrets)?))).collect()
}

fn value(pod: &Pod, variable: &EnvVar, secrets: &BTreeMap<String, Secret>) -> Result<String, EnvironmentError> {
    if let Some((name, key)) = secret_key(variable) {
        let data = secrets.get(name).and_then(|secret| secret.data.as_ref()?.get(key));
        let text = data.and_then(|bytes| String::from_utf8(bytes.0.clone()).ok());
        return text.ok_or_else(|| EnvironmentError::NoSecret {
            variable: variable.name.clone(),
            secret: name.to_owned(),
            key: key.to_owned(),
        });
    }
    let Some(source) = &variable.value_from else { return Ok(variable.value.clone().unwrap_or_default()) };
    let unknown = |from: &str| EnvironmentError::Source { variable: variable.name.clone(), from: from.to_owned() };
    let path = source.field_ref.as_ref().ok_or_else(|| unknown("something else than a field or a Secret"))?;
    field(pod, &path.field_path).ok_or_else(|| unknown(&path.field_path))
}

fn secret_key(variable: &EnvVar) -> Option<(&str, &str)> {
    let reference = variable.value_from.as_ref()?.secret_key_ref.as_ref()?;
    Some((&reference.name, &reference.key))
}

/// A field of the pod by its path; `None`: not known here. A label or annotation that is not there is empty, as with a kubelet.
fn field(pod: &Pod, path: &str) -> Option<String> {
    let metadata = &pod.metadata;
    let entry = |prefix: &str| path.strip_prefix(prefix)?.strip_prefix("['")?.strip_suffix("']");
    let of = |map: &Option<BTreeMap<String, String>>, key: &str| {
        map.as_ref().and_then(|map| map.get(key)).cloned().unwrap_or_default()
    };
    if let Some(key) = entry("metadata.labels") {
        return Some(of(&metadata.labels, key));
    }
    if let Some(key) = entry("metadata.annotations") {
        return Some(of(&metadata.annotations, key));
    }
    match path {
        "metadata.name" => metadata.name.clone(),
        "metadata.namespace" => metadata.namespace.clone(),
        "metadata.uid" => metadata.uid.clone(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(variables: &serde_json::Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "worker-0", "namespace": "workers", "uid": "u-1",
                "labels": {"batch.kubernetes.io/job-completion-index": "7"}},
            "spec": {"containers": [{"name": "taurus"}], "initContainers": [{"name": "collector", "env": variables}]},
        }))
        .unwrap()
    }

    fn read(variables: &serde_json::Value) -> Result<BTreeMap<String, String>, EnvironmentError> {
        let secret = serde_json::from_value(json!({"data": {"key": "aHVzaA=="}})).unwrap();
        let secrets = BTreeMap::from([("run".to_owned(), secret)]);
        let pod = pod(variables);
        super::variables(&pod, container(&pod, "collector")?, &secrets)
    }

    #[test]
    fn values_fields_and_secrets_become_the_variables_of_the_sidecar() {
        let variables = json!([
            {"name": "VOLLEY_TARGET", "value": "eu"},
            {"name": "VOLLEY_POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
            {"name": "JOB_COMPLETION_INDEX",
                "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['batch.kubernetes.io/job-completion-index']"}}},
            {"name": "AWS_SECRET_ACCESS_KEY", "valueFrom": {"secretKeyRef": {"name": "run", "key": "key"}}},
        ]);
        let expected = [
            ("VOLLEY_TARGET", "eu"),
            ("VOLLEY_POD_UID", "u-1"),
            ("JOB_COMPLETION_INDEX", "7"),
            ("AWS_SECRET_ACCESS_KEY", "hush"),
        ];
        assert_eq!(read(&variables).unwrap(), expected.map(|(a, b)| (a.to_owned(), b.to_owned())).into());
        let pod = pod(&variables);
        assert_eq!(secrets(container(&pod, "collector").unwrap()), BTreeSet::from(["run"]));
    }

    #[test]
    fn what_has_no_value_is_named() {
        let missing = json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "run", "key": "other"}}}]);
        assert!(read(&missing).unwrap_err().to_string().contains("Secret run has no key other"));
        let unknown = json!([{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}]);
        assert!(read(&unknown).unwrap_err().to_string().contains("from status.hostIP"));
        assert!(container(&pod(&json!([])), "other").unwrap_err().to_string().contains("no container other"));
    }
}
