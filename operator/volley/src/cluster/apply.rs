//! Server-side apply of the objects of a file, as field manager `volley-cli`.

use std::collections::HashMap;

use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::gvk::{GroupVersion, GroupVersionKind};
use kube::discovery::{ApiCapabilities, ApiResource, Scope, pinned_kind};
use serde_json::Value;

use super::{Cluster, ClusterError, bounded};
use crate::manifest::Document;

/// Field manager of everything that the user's command applies.
pub const FIELD_MANAGER: &str = "volley-cli";

/// Applies objects in the given order; answers each as the API server returned it.
///
/// Fields that another manager owns are taken over: the user said what is to be.
///
/// # Errors
/// [`ClusterError`] of the first object that was refused; those before it stay applied.
pub async fn apply(cluster: &Cluster, documents: &[Document], namespace: &str) -> Result<Vec<Value>, ClusterError> {
    let mut known: HashMap<(String, String), (ApiResource, ApiCapabilities)> = HashMap::new();
    let mut answers = Vec::with_capacity(documents.len());
    for document in documents {
        let key = (document.api_version.clone(), document.kind.clone());
        let (resource, capabilities) = if let Some(found) = known.get(&key) {
            found.clone()
        } else {
            let found = discover(cluster, document).await?;
            known.insert(key, found.clone());
            found
        };
        let api: Api<DynamicObject> = if capabilities.scope == Scope::Cluster {
            Api::all_with(cluster.client.clone(), &resource)
        } else {
            let namespace = document.namespace.as_deref().unwrap_or(namespace);
            Api::namespaced_with(cluster.client.clone(), namespace, &resource)
        };
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let patch = Patch::Apply(&document.value);
        let applied =
            bounded("apply", &document.kind, &document.name, api.patch(&document.name, &parameters, &patch)).await?;
        let answer = serde_json::to_value(applied).map_err(|error| unknown(document, &error.to_string()))?;
        answers.push(answer);
    }
    Ok(answers)
}

async fn discover(cluster: &Cluster, document: &Document) -> Result<(ApiResource, ApiCapabilities), ClusterError> {
    let version: GroupVersion =
        document.api_version.parse().map_err(|_| unknown(document, "apiVersion is neither group/version nor v1"))?;
    let kind = GroupVersionKind { group: version.group, version: version.version, kind: document.kind.clone() };
    match bounded("find", &document.kind, &document.name, pinned_kind(&cluster.client, &kind)).await {
        Ok(found) => Ok(found),
        Err(ClusterError::Refused { code: 404, .. }) => Err(not_served(document)),
        // kube says "missing kind" with an error of its own, not with a status of the API server.
        Err(ClusterError::Unreachable { words, .. }) if words.contains("missing") => Err(not_served(document)),
        Err(error) => Err(error),
    }
}

fn not_served(document: &Document) -> ClusterError {
    let hint = if document.api_version.starts_with(volley_api::GROUP) {
        "is Volley installed there? helm list -A"
    } else {
        "look at: kubectl api-resources"
    };
    unknown(document, &format!("the cluster does not serve {} of {}; {hint}", document.kind, document.api_version))
}

fn unknown(document: &Document, words: &str) -> ClusterError {
    ClusterError::Refused {
        verb: "apply",
        kind: document.kind.clone(),
        name: document.name.clone(),
        words: words.to_owned(),
        code: 404,
    }
}
