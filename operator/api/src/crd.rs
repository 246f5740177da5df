//! The CRDs as they are shipped: what the types say, tidied, with the rules of the catalogue.
//!
//! Tidying, the same for every field:
//! * No `nullable`. The API server then drops a `null` before it validates and sets defaults, so that `field: null` means *absent*
//!   everywhere, in CEL too.
//! * The default of an object whose children have defaults is `{}`: each default stands in one place.
//! * A union (exactly one of several fields) has no `oneOf`, because the API server's words for it name no field and keep the
//!   rules from being checked. A rule of the catalogue says it instead; the properties stay listed.
//! * Lists of conditions have limits: `metav1.Condition` states none in its type, only its documentation does.
//! * A status has `observedGeneration: -1` until the operator writes one: whoever waits by kstatus (Helm, Flux) takes an object that
//!   says nothing for settled, and would be gone before the run began.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Map, Value, json};

use crate::validate::rules;
use crate::{LoadTest, LoadTestRun, RegionTarget};

/// Most conditions of an object.
const CONDITIONS_MAX: u32 = 32;
/// `status.observedGeneration` of an object that the operator has not seen; no generation is below 1.
const NOT_OBSERVED: i64 = -1;
/// Where the only version's schema stands in a CRD.
const SCHEMA_POINTER: &str = "/spec/versions/0/schema/openAPIV3Schema";

/// The three kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A definition.
    LoadTest,
    /// An execution.
    LoadTestRun,
    /// A place that runs workers.
    RegionTarget,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::LoadTest, Self::LoadTestRun, Self::RegionTarget];

    /// As it stands in `kind`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LoadTest => "LoadTest",
            Self::LoadTestRun => "LoadTestRun",
            Self::RegionTarget => "RegionTarget",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    fn derived(self) -> CustomResourceDefinition {
        match self {
            Self::LoadTest => LoadTest::crd(),
            Self::LoadTestRun => LoadTestRun::crd(),
            Self::RegionTarget => RegionTarget::crd(),
        }
    }
}

/// The types, their attributes and the catalogue do not fit together. A fault of this crate, found by its tests.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The CRD is no JSON, or the tidied JSON is no CRD.
    #[error("CRD of {kind}: {source}", kind = kind.as_str())]
    Json {
        /// Of which kind.
        kind: Kind,
        /// What serde says.
        source: serde_json::Error,
    },
    /// The CRD has no schema.
    #[error("CRD of {kind} has no schema", kind = kind.as_str())]
    SchemaMissing {
        /// Of which kind.
        kind: Kind,
    },
    /// A rule names a field that the schema does not have.
    #[error("rule {rule} of {kind} speaks of {at}, which its schema does not have", kind = kind.as_str())]
    RuleWithoutField {
        /// Of which kind.
        kind: Kind,
        /// Name of the rule.
        rule: &'static str,
        /// The path that does not exist.
        at: &'static str,
    },
}

/// The CRD of a kind, ready to be applied.
///
/// # Errors
/// [`SchemaError`], never for the types and rules of a released version.
pub fn crd(kind: Kind) -> Result<CustomResourceDefinition, SchemaError> {
    serde_json::from_value(finished(kind)?).map_err(|source| SchemaError::Json { kind, source })
}

/// The OpenAPI schema of a kind, with its rules.
///
/// # Errors
/// As [`crd`].
pub fn schema(kind: Kind) -> Result<Value, SchemaError> {
    finished(kind)?.pointer_mut(SCHEMA_POINTER).map(Value::take).ok_or(SchemaError::SchemaMissing { kind })
}

/// Paths of all leaves of a kind's spec, sorted: `spec.load.usersPerWorker`, `spec.regions[].target`. A map and a list of
/// scalars is one leaf, and so is an object without fields.
///
/// # Errors
/// As [`crd`].
pub fn spec_leaves(kind: Kind) -> Result<Vec<String>, SchemaError> {
    let schema = schema(kind)?;
    let spec = schema.pointer("/properties/spec").ok_or(SchemaError::SchemaMissing { kind })?;
    let mut leaves = Vec::new();
    collect_leaves(spec, "spec", &mut leaves);
    leaves.sort();
    Ok(leaves)
}

fn collect_leaves(schema: &Value, path: &str, leaves: &mut Vec<String>) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        for (name, property) in properties {
            collect_leaves(property, &format!("{path}.{name}"), leaves);
        }
        if !properties.is_empty() {
            return;
        }
    }
    match schema.get("items") {
        Some(items) if items.get("properties").is_some() => collect_leaves(items, &format!("{path}[]"), leaves),
        Some(_) | None => leaves.push(path.to_owned()),
    }
}

fn finished(kind: Kind) -> Result<Value, SchemaError> {
    let mut crd = serde_json::to_value(kind.derived()).map_err(|source| SchemaError::Json { kind, source })?;
    let schema = crd.pointer_mut(SCHEMA_POINTER).ok_or(SchemaError::SchemaMissing { kind })?;
    tidy(schema);
    let status = schema.pointer_mut("/properties/status").ok_or(SchemaError::SchemaMissing { kind })?;
    status["default"] = json!({"observedGeneration": NOT_OBSERVED});
    for rule in rules::of(kind) {
        for at in rule.at {
            let place = field_schema(schema, at).ok_or(SchemaError::RuleWithoutField { kind, rule: rule.name, at })?;
            let rules = place.entry("x-kubernetes-validations").or_insert_with(|| json!([]));
            if let Some(rules) = rules.as_array_mut() {
                rules.push(json!({"rule": rule.cel(), "message": rule.message}));
            }
        }
    }
    Ok(crd)
}

/// The schema at a path such as `spec.scenario.http.requests[].path`; the empty path is the object itself.
fn field_schema<'a>(schema: &'a mut Value, path: &str) -> Option<&'a mut Map<String, Value>> {
    let mut place = schema;
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let name = part.trim_end_matches("[]");
        place = place.get_mut("properties")?.get_mut(name)?;
        if part.ends_with("[]") {
            place = place.get_mut("items")?;
        }
    }
    place.as_object_mut()
}

fn tidy(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else { return };
    if fields.remove("nullable").is_some()
        && let Some(values) = fields.get_mut("enum").and_then(Value::as_array_mut)
    {
        values.retain(|value| !value.is_null());
    }
    fields.remove("oneOf");
    // `deny_unknown_fields` of a type without fields; the API server prunes what it does not know anyway.
    if fields.get("additionalProperties") == Some(&Value::Bool(false)) {
        fields.remove("additionalProperties");
    }
    if let Some(default) = fields.get_mut("default").filter(|default| default.is_object()) {
        *default = json!({});
    }
    if let Some(properties) = fields.get_mut("properties").and_then(Value::as_object_mut) {
        for (name, property) in properties.iter_mut() {
            tidy(property);
            if name == "conditions" {
                bound_conditions(property);
            }
        }
    }
    for name in ["items", "additionalProperties"] {
        if let Some(inner) = fields.get_mut(name) {
            tidy(inner);
        }
    }
}

/// The limits that the documentation of `metav1.Condition` states.
fn bound_conditions(conditions: &mut Value) {
    conditions["maxItems"] = json!(CONDITIONS_MAX);
    let fields = &mut conditions["items"]["properties"];
    fields["type"]["maxLength"] = json!(316);
    fields["status"]["enum"] = json!(["True", "False", "Unknown"]);
    fields["reason"]["maxLength"] = json!(1024);
    fields["message"]["maxLength"] = json!(32768);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every schema below, with its path.
    fn every(schema: &Value, path: &str, visit: &mut dyn FnMut(&str, &Value)) {
        visit(path, schema);
        for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            every(property, &format!("{path}.{name}"), visit);
        }
        if let Some(items) = schema.get("items") {
            every(items, &format!("{path}[]"), visit);
        }
        if let Some(values) = schema.get("additionalProperties") {
            every(values, &format!("{path}{{}}"), visit);
        }
    }

    fn complaints(complaint: impl Fn(&str, &Value) -> Option<String>) -> Vec<String> {
        let mut found = Vec::new();
        for kind in Kind::ALL {
            every(&schema(kind).unwrap(), kind.as_str(), &mut |path, schema| {
                found.extend(complaint(path, schema).map(|words| format!("{path}: {words}")));
            });
        }
        found
    }

    #[test]
    fn every_field_has_a_description() {
        let found = complaints(|path, schema| {
            let is_field = !path.ends_with("[]") && !path.ends_with("{}");
            (is_field && schema.get("description").is_none()).then(|| "no description".into())
        });
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn every_string_list_map_and_number_has_its_limits() {
        let found = complaints(|path, schema| {
            let has = |name: &str| schema.get(name).is_some();
            let in_spec = path.contains(".spec");
            match schema.get("type").and_then(Value::as_str) {
                Some("string") if !(has("maxLength") || has("enum") || has("format")) => Some("no maxLength".into()),
                Some("array") if !has("maxItems") => Some("no maxItems".into()),
                Some("array") if !has("x-kubernetes-list-type") => Some("no list type".into()),
                Some("object") if has("additionalProperties") && !has("maxProperties") => {
                    Some("no maxProperties".into())
                }
                Some("integer") if in_spec && !(has("minimum") && has("maximum")) => Some("no range".into()),
                _ => None,
            }
        });
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn no_field_is_nullable_unsigned_or_kept_unknown() {
        let found = complaints(|_, schema| {
            for name in ["nullable", "oneOf", "anyOf", "x-kubernetes-preserve-unknown-fields", "uniqueItems"] {
                if schema.get(name).is_some() {
                    return Some(name.to_owned());
                }
            }
            let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
            format.starts_with("uint").then(|| format.to_owned())
        });
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn defaults_stand_at_fixed_places_only() {
        let mut found = Vec::new();
        for kind in Kind::ALL {
            every(&schema(kind).unwrap(), kind.as_str(), &mut |path, schema| {
                if let Some(default) = schema.get("default") {
                    found.push(format!("{path} = {default}"));
                }
            });
        }
        found.sort();
        assert_eq!(
            found,
            [
                "LoadTest.spec.artifacts = {}",
                "LoadTest.spec.artifacts.samples = false",
                "LoadTest.spec.healthyPercent = 90",
                "LoadTest.spec.history = {}",
                "LoadTest.spec.history.failed = 5",
                "LoadTest.spec.history.succeeded = 5",
                "LoadTest.spec.live = {}",
                "LoadTest.spec.live.enabled = true",
                "LoadTest.spec.live.interval = \"Auto\"",
                "LoadTest.spec.start = {}",
                "LoadTest.spec.start.lateWorkers = \"Refuse\"",
                "LoadTest.spec.start.onMissingRegion = \"Fail\"",
                "LoadTest.spec.start.quorumPercent = 100",
                "LoadTest.spec.start.timeout = \"15m\"",
                "LoadTest.status = {\"observedGeneration\":-1}",
                "LoadTestRun.status = {\"observedGeneration\":-1}",
                "RegionTarget.spec.connection.kubeconfig.key = \"kubeconfig\"",
                "RegionTarget.spec.fargate = true",
                "RegionTarget.spec.paused = false",
                "RegionTarget.status = {\"observedGeneration\":-1}",
            ]
        );
    }

    #[test]
    fn the_leaves_of_a_spec_are_its_fields() {
        let leaves = spec_leaves(Kind::RegionTarget).unwrap();
        assert_eq!(
            leaves,
            [
                "spec.allowedNamespaces",
                "spec.capacity.maxWorkers",
                "spec.capacity.vcpu",
                "spec.connection.eks.clusterName",
                "spec.connection.eks.roleArn",
                "spec.connection.inCluster",
                "spec.connection.kubeconfig.key",
                "spec.connection.kubeconfig.secretName",
                "spec.fargate",
                "spec.namespace",
                "spec.paused",
                "spec.region",
            ]
        );
        let leaves = spec_leaves(Kind::LoadTest).unwrap();
        for leaf in [
            "spec.regions[].workers",
            "spec.scenario.http.requests[].expect.status",
            "spec.scenario.jmeter.properties",
            "spec.worker.resources.limits",
        ] {
            assert!(leaves.iter().any(|other| other == leaf), "{leaf} is missing in {leaves:?}");
        }
    }

    #[test]
    fn a_finished_schema_is_still_a_crd() {
        for kind in Kind::ALL {
            let crd = crd(kind).unwrap();
            assert_eq!(crd.spec.names.kind, kind.as_str());
            assert_eq!(crd.spec.names.categories.as_deref(), Some(&["volley".to_owned()][..]));
            assert!(crd.spec.versions[0].subresources.as_ref().is_some_and(|sub| sub.status.is_some()));
        }
    }
}
