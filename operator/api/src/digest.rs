//! The digest of a definition: what changes the load, and nothing else; and the annotation that remembers it.
//!
//! The digest covers `scenario`, `load`, `regions`, `worker` and `thresholds` as they stand in the spec, before defaults are resolved. A source counts
//! by its reference: a ConfigMap with other content gives the same digest, because only an edit of the LoadTest triggers.
//! `start`, `trigger`, `artifacts`, `live` and `history` change neither the load nor the judgement over it.
//!
//! Format: `v1:` and the SHA-256, in lower-case hexadecimal, of the JSON of those fields without white space, keys of every object
//! sorted by their bytes, absent fields left out, regions sorted by target, thresholds by name. A new field that changes the load joins only
//! where it is set, so that old definitions keep their digest; anything else needs a new version.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::load_test::LoadTestSpec;

/// Version of the digest that this release computes.
pub const DIGEST_VERSION: &str = "v1";
/// Form of a digest of any version.
pub const DIGEST_PATTERN: &str = "^v[1-9][0-9]{0,3}:[0-9a-f]{64}$";

/// Digest of a definition, `v1:<64 hexadecimal digits>`.
#[must_use]
pub fn definition_digest(spec: &LoadTestSpec) -> String {
    let mut regions: Vec<_> = spec.regions.iter().collect();
    regions.sort_by(|one, other| one.target.cmp(&other.target));
    let mut covered = json!({"scenario": spec.scenario, "load": spec.load, "regions": regions});
    if let Some(fields) = covered.as_object_mut() {
        if let Some(worker) = &spec.worker {
            fields.insert("worker".to_owned(), json!(worker));
        }
        if !spec.thresholds.is_empty() {
            let mut thresholds: Vec<_> = spec.thresholds.iter().collect();
            thresholds.sort_by(|one, other| one.name.cmp(&other.name));
            fields.insert("thresholds".to_owned(), json!(thresholds));
        }
    }
    let mut text = String::new();
    canonical(&covered, &mut text);
    format!("{DIGEST_VERSION}:{}", hex::encode(Sha256::digest(text.as_bytes())))
}

/// JSON without white space and with sorted keys. Does not rely on the order of [`Map`], which a feature of some other crate in
/// the build may change.
fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => object(fields, text),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                canonical(item, text);
            }
            text.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => text.push_str(&value.to_string()),
    }
}

fn object(fields: &Map<String, Value>, text: &mut String) {
    let mut keys: Vec<_> = fields.keys().collect();
    keys.sort();
    text.push('{');
    for (index, key) in keys.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&Value::from(key.as_str()).to_string());
        text.push(':');
        canonical(&fields[key], text);
    }
    text.push('}');
}

/// What the annotation [`TRIGGERED`](crate::labels::TRIGGERED) says: `<digest>:<generation>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerMark {
    /// Digest of the definition that triggered the run, `v1:<hexadecimal>`.
    pub digest: String,
    /// Generation of the LoadTest at that time.
    pub generation: i64,
}

/// The annotation is not of this release's form: its version is unknown, or a person wrote it. It is adopted: the
/// present digest is written over it, and no run is started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "annotation {} is {text:?}, which this release does not know; the present definition counts as triggered",
    crate::labels::TRIGGERED
)]
pub struct UnknownTriggerMark {
    text: String,
}

impl TriggerMark {
    /// The mark of a definition at a generation.
    #[must_use]
    pub fn of(spec: &LoadTestSpec, generation: i64) -> Self {
        Self { digest: definition_digest(spec), generation }
    }
}

impl fmt::Display for TriggerMark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.digest, self.generation)
    }
}

impl FromStr for TriggerMark {
    type Err = UnknownTriggerMark;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = || {
            let (digest, generation) = text.rsplit_once(':')?;
            let (version, hexadecimal) = digest.split_once(':')?;
            let is_hexadecimal =
                hexadecimal.len() == 64 && hexadecimal.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            let is_number = !generation.is_empty() && generation.bytes().all(|byte| byte.is_ascii_digit());
            (version == DIGEST_VERSION && is_hexadecimal && is_number).then_some(())?;
            Some(Self { digest: digest.to_owned(), generation: generation.parse().ok()? })
        };
        parsed().ok_or_else(|| UnknownTriggerMark { text: text.chars().take(200).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(yaml: &str) -> LoadTestSpec {
        serde_saphyr::from_str(yaml).unwrap()
    }

    const LOCUST: &str = "
scenario: {locust: {script: {configMap: {name: browse, key: locustfile.py}}}}
load: {usersPerWorker: 5, rampUp: 1s, holdFor: 10s}
regions: [{target: a, workers: 2}, {target: b, workers: 1}]
";

    #[test]
    fn the_digest_of_version_1_never_changes() {
        // Computed by `sha256sum` over the canonical text, so that a change of the code shows here.
        // {"load":{"holdFor":"10s","rampUp":"1s","usersPerWorker":5},"regions":[{"target":"a","workers":2},{"target":"b","workers":1}],
        // "scenario":{"locust":{"script":{"configMap":{"key":"locustfile.py","name":"browse"}}}}} without the line break
        assert_eq!(
            definition_digest(&spec(LOCUST)),
            "v1:27816119e40ff845955864fc95bfa7d64049b3a4df806b6c6cba8ac270e0f9ab"
        );
    }

    #[test]
    fn what_does_not_change_the_load_does_not_change_the_digest() {
        let digest = definition_digest(&spec(LOCUST));
        for addition in [
            "start: {quorumPercent: 50, timeout: 1m}",
            "trigger: OnChange",
            "artifacts: {samples: true}",
            "live: {enabled: false}",
            "history: {succeeded: 1}",
        ] {
            assert_eq!(definition_digest(&spec(&format!("{LOCUST}{addition}\n"))), digest, "{addition}");
        }
        let reordered = LOCUST.replace(
            "[{target: a, workers: 2}, {target: b, workers: 1}]",
            "[{target: b, workers: 1}, {target: a, workers: 2}]",
        );
        assert_eq!(definition_digest(&spec(&reordered)), digest);
    }

    #[test]
    fn thresholds_change_the_digest_and_their_order_does_not() {
        let with = |thresholds: &str| definition_digest(&spec(&format!("{LOCUST}thresholds: [{thresholds}]\n")));
        let (fast, clean) = ("{name: fast, metric: p99, below: 300ms}", "{name: clean, metric: errorRate, below: 1%}");
        assert_eq!(with(""), definition_digest(&spec(LOCUST)));
        assert_ne!(with(fast), with(""));
        assert_ne!(with(fast), with(&fast.replace("300ms", "301ms")));
        assert_eq!(with(&format!("{fast}, {clean}")), with(&format!("{clean}, {fast}")));
    }

    #[test]
    fn what_changes_the_load_changes_the_digest() {
        let digest = definition_digest(&spec(LOCUST));
        for (from, to) in [
            ("usersPerWorker: 5", "usersPerWorker: 6"),
            ("rampUp: 1s, ", ""),
            ("holdFor: 10s", "holdFor: 11s"),
            ("workers: 2", "workers: 3"),
            ("target: a", "target: c"),
            ("name: browse", "name: other"),
            ("regions:", "worker: {size: Large}\nregions:"),
            ("regions:", "worker: {resources: {limits: {memory: 1Gi}}}\nregions:"),
        ] {
            assert_ne!(definition_digest(&spec(&LOCUST.replace(from, to))), digest, "{from} -> {to}");
        }
    }

    #[test]
    fn a_mark_survives_its_annotation() {
        let mark = TriggerMark::of(&spec(LOCUST), 7);
        assert_eq!(mark.to_string(), format!("{}:7", definition_digest(&spec(LOCUST))));
        assert_eq!(mark.to_string().parse(), Ok(mark));
    }

    #[test]
    fn a_mark_of_another_version_or_hand_is_unknown() {
        let digest = "a".repeat(64);
        for text in [
            String::new(),
            "true".into(),
            format!("v2:{digest}:7"),
            format!("v1:{digest}"),
            format!("v1:{digest}:"),
            format!("v1:{digest}:-1"),
            format!("v1:{digest}:+1"),
            format!("v1:{digest}:99999999999999999999"),
            format!("v1:{}:1", "A".repeat(64)),
            format!("v1:{}:1", &digest[1..]),
        ] {
            assert!(text.parse::<TriggerMark>().is_err(), "{text}");
        }
    }
}
