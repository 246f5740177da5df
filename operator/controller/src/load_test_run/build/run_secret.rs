//! The key pair with which a run's collectors reach the embedded storage. The worker Job owns it, so it goes with it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use volley_storage::documents::{Definition, Region};

use super::{ACCESS_KEY, Component, SECRET_KEY, object_labels, secret_name, worker_name};

/// Access key and secret key of a run.
pub struct RunKey {
    /// The access key: the run's uid.
    pub access_key: String,
    /// The secret key, derived from root key and uid.
    pub secret_key: String,
}

/// The Secret of a run in one region.
#[must_use]
pub fn run_secret(definition: &Definition, region: &Region, job_uid: &str, key: RunKey) -> Secret {
    Secret {
        metadata: ObjectMeta {
            name: Some(secret_name(definition, &region.target)),
            namespace: Some(region.namespace.clone()),
            labels: Some(object_labels(definition, Component::Worker)),
            owner_references: Some(vec![OwnerReference {
                api_version: "batch/v1".to_owned(),
                kind: "Job".to_owned(),
                name: worker_name(definition, &region.target),
                uid: job_uid.to_owned(),
                controller: Some(true),
                block_owner_deletion: None,
            }]),
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".to_owned()),
        string_data: Some(BTreeMap::from([
            (ACCESS_KEY.to_owned(), key.access_key),
            (SECRET_KEY.to_owned(), key.secret_key),
        ])),
        ..Secret::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn the_secret_of_a_run_is_owned_by_its_job() {
        let definition = fixtures::definition();
        let key = RunKey { access_key: definition.run.uid.clone(), secret_key: "derived".into() };
        insta::assert_yaml_snapshot!(run_secret(&definition, &definition.regions[0], "job-uid", key));
    }
}
