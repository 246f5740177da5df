//! Reads what a definition refers to: `ConfigMaps` by name, `RegionTargets`. Shared by `LoadTest` and run.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::Api;
use volley_api::{LoadTestSpec, RegionTarget};

use crate::context::Context;
use crate::definition::{self, References};
use crate::kubernetes::{self, Error};

/// What a spec refers to. Content of `ConfigMaps` that the spec does not name is not kept.
///
/// # Errors
/// As the API server answers.
pub(crate) async fn gather(spec: &LoadTestSpec, namespace: &str, context: &Context) -> Result<References, Error> {
    let mut references = References::default();
    let maps: Api<ConfigMap> = Api::namespaced(context.client.clone(), namespace);
    for source in definition::references(spec) {
        let Some(map) = kubernetes::get(&maps, &source.name).await? else {
            references.contents.missing(&source.name);
            continue;
        };
        references.contents.exists(&source.name);
        let text = map.data.as_ref().and_then(|data| data.get(&source.key)).map(|text| text.clone().into_bytes());
        let binary = || map.binary_data.as_ref().and_then(|data| data.get(&source.key)).map(|bytes| bytes.0.clone());
        if let Some(content) = text.or_else(binary) {
            references.contents.holds(&source.name, &source.key, content);
        }
    }
    let targets: Api<RegionTarget> = Api::all(context.client.clone());
    for region in &spec.regions {
        if let Some(target) = kubernetes::get(&targets, &region.target).await? {
            references.targets.insert(region.target.clone(), target);
        }
    }
    Ok(references)
}
