//! Reads the case tables.
//!
//! A case is a base object with a JSON merge patch (RFC 7386; `null` removes). `refused` maps names of rules or schema keywords to the paths
//! that they complain about; without it the case is accepted. With `then` the case is a change: the object is created as it is, and the
//! second patch makes the new one. `repeat` puts text of a given length at a path, so that no table holds 64 KiB.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};
use volley_api::crd::Kind;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    kind: String,
    bases: BTreeMap<String, Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    says: String,
    base: String,
    #[serde(default, rename = "with")]
    patch: Option<Value>,
    #[serde(default)]
    repeat: Vec<Repeat>,
    #[serde(default)]
    then: Option<Value>,
    #[serde(default)]
    refused: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Repeat {
    /// JSON pointer.
    at: String,
    text: String,
    times: usize,
}

/// A case, ready to be tried.
pub(crate) struct Ready {
    pub(crate) kind: Kind,
    pub(crate) says: String,
    pub(crate) object: Value,
    /// The new object, where the case is a change.
    pub(crate) changed: Option<Value>,
    /// Rule and path, sorted; empty: accepted.
    pub(crate) refused: Vec<(String, String)>,
}

const TABLES: [&str; 5] = [
    include_str!("../cases/load_test.yaml"),
    include_str!("../cases/scenario.yaml"),
    include_str!("../cases/thresholds.yaml"),
    include_str!("../cases/load_test_run.yaml"),
    include_str!("../cases/region_target.yaml"),
];

pub(crate) fn all() -> Vec<Ready> {
    let mut ready = Vec::new();
    for table in TABLES {
        let table: Table = serde_saphyr::from_str(table).expect("a case table is YAML of the form above");
        let kind = Kind::named(&table.kind).expect("a case table names a kind");
        for case in table.cases {
            let mut object =
                table.bases.get(&case.base).unwrap_or_else(|| panic!("{}: no base {}", case.says, case.base)).clone();
            object["apiVersion"] = "volley.dev/v1alpha1".into();
            object["kind"] = kind.as_str().into();
            merge(&mut object, case.patch.as_ref().unwrap_or(&Value::Object(Map::new())));
            for Repeat { at, text, times } in &case.repeat {
                *object.pointer_mut(at).unwrap_or_else(|| panic!("{}: nothing at {at}", case.says)) =
                    text.repeat(*times).into();
            }
            let changed = case.then.as_ref().map(|patch| {
                let mut changed = object.clone();
                merge(&mut changed, patch);
                changed
            });
            let mut refused: Vec<_> = case
                .refused
                .into_iter()
                .flat_map(|(rule, paths)| paths.into_iter().map(move |path| (rule.clone(), path)))
                .collect();
            refused.sort();
            ready.push(Ready { kind, says: case.says, object, changed, refused });
        }
    }
    ready
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(fields) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}
