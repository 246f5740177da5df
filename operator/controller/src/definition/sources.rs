//! Where scripts come from, and their content.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use volley_api::load_test::{ConfigMapSource, LoadTestSpec, Scenario, Source};
use volley_storage::documents;

use super::Problem;

/// Most bytes of an inline source.
pub const INLINE_LIMIT: usize = 64 * 1024;

/// What the `ConfigMaps` that a spec names hold. Only the keys that it names are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    maps: BTreeMap<String, Option<BTreeMap<String, Vec<u8>>>>,
}

impl Contents {
    /// Note that a ConfigMap does not exist.
    pub fn missing(&mut self, name: &str) {
        self.maps.entry(name.to_owned()).or_insert(None);
    }

    /// Note that a ConfigMap exists.
    pub fn exists(&mut self, name: &str) {
        self.maps.entry(name.to_owned()).or_default().get_or_insert_default();
    }

    /// Note what a key of a ConfigMap holds.
    pub fn holds(&mut self, name: &str, key: &str, content: Vec<u8>) {
        self.maps.entry(name.to_owned()).or_default().get_or_insert_default().insert(key.to_owned(), content);
    }

    fn get(&self, namespace: &str, source: &ConfigMapSource) -> Result<&[u8], Problem> {
        let not_found = |missing: String| Problem::SourceNotFound {
            namespace: namespace.to_owned(),
            name: source.name.clone(),
            missing,
        };
        let map = self.maps.get(&source.name).and_then(Option::as_ref);
        let map = map.ok_or_else(|| not_found("does not exist".to_owned()))?;
        map.get(&source.key).map(Vec::as_slice).ok_or_else(|| not_found(format!("has no key {:?}", source.key)))
    }
}

/// The ConfigMap keys that a spec names.
#[must_use]
pub fn references(spec: &LoadTestSpec) -> Vec<&ConfigMapSource> {
    let script = match &spec.scenario {
        Scenario::Http(_) => None,
        Scenario::Jmeter(jmeter) => Some(&jmeter.script),
        Scenario::K6(k6) => Some(&k6.script),
        Scenario::Locust(locust) => Some(&locust.script),
        Scenario::Taurus(taurus) => Some(&taurus.script),
    };
    match script {
        Some(Source::ConfigMap(reference)) => vec![reference],
        Some(Source::Inline(_)) | None => Vec::new(),
    }
}

/// A source by its digest, and its bytes.
pub(super) fn resolve(
    source: &Source,
    namespace: &str,
    contents: &Contents,
) -> Result<(documents::Source, Vec<u8>), Problem> {
    let bytes = match source {
        Source::Inline(text) if text.len() > INLINE_LIMIT => {
            return Err(Problem::Invalid {
                message: format!(
                    "the inline script has {} bytes, at most {INLINE_LIMIT} are possible; put it into a ConfigMap",
                    text.len()
                ),
            });
        }
        Source::Inline(text) => text.clone().into_bytes(),
        Source::ConfigMap(reference) => contents.get(namespace, reference)?.to_vec(),
    };
    if bytes.is_empty() {
        return Err(Problem::Invalid { message: "the script is empty; write what the virtual users do".to_owned() });
    }
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    Ok((documents::Source { sha256: hex::encode(Sha256::digest(&bytes)), size }, bytes))
}
