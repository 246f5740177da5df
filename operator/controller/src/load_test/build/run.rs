//! The run that a trigger makes.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;
use volley_api::digest::TriggerMark;
use volley_api::{LoadTest, LoadTestRun, LoadTestRunSpec, labels, names};

/// Name of the run that a definition triggers: it follows from the trigger, so that making it twice makes one.
#[must_use]
pub fn triggered_name(load_test: &LoadTest, mark: &TriggerMark) -> String {
    let name = load_test.metadata.name.as_deref().unwrap_or_default();
    names::triggered_run(name, &mark.digest, mark.generation)
}

/// A LoadTest as the owner of its runs: they go with it.
#[must_use]
pub fn owner(load_test: &LoadTest) -> OwnerReference {
    OwnerReference {
        api_version: LoadTest::api_version(&()).into_owned(),
        kind: LoadTest::kind(&()).into_owned(),
        name: load_test.metadata.name.clone().unwrap_or_default(),
        uid: load_test.metadata.uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: None,
    }
}

/// The run that a trigger makes. Labels and annotations of the LoadTest stay behind: Argo's tracking id would make the run its
/// object.
#[must_use]
pub fn triggered_run(load_test: &LoadTest, name: &str, digest: &str, installation: &str) -> LoadTestRun {
    let test = load_test.metadata.name.clone().unwrap_or_default();
    LoadTestRun {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: load_test.metadata.namespace.clone(),
            labels: Some(BTreeMap::from([
                (labels::LOAD_TEST.to_owned(), test.clone()),
                (labels::INSTALLATION.to_owned(), installation.to_owned()),
                (labels::MANAGED_BY.to_owned(), labels::MANAGER.to_owned()),
            ])),
            owner_references: Some(vec![owner(load_test)]),
            ..ObjectMeta::default()
        },
        spec: LoadTestRunSpec { load_test: test, definition_digest: Some(digest.to_owned()), stop: None },
        status: None,
    }
}
