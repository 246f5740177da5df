//! The structural part of a CRD's schema, checked as the API server checks it.
//!
//! Covers the keywords that the schemas of this crate use; a test below fails when another one appears.

use serde_json::{Map, Value};

use super::Violation;

/// Checks a whole manifest. `apiVersion`, `kind` and `metadata` are Kubernetes' own; `status` is no business of a user.
pub(super) fn check_root(schema: &Value, object: &Value, violations: &mut Vec<Violation>) {
    let Some(fields) = object.as_object() else {
        violations.push(violation("", "type", "write an object with apiVersion, kind, metadata and spec"));
        return;
    };
    match fields.get("spec").filter(|spec| !spec.is_null()) {
        Some(spec) => {
            if let Some(schema) = schema.pointer("/properties/spec") {
                check(schema, spec, "spec", violations);
            }
        }
        None => violations.push(violation("spec", "required", "it is missing; write it")),
    }
    for name in fields.keys() {
        if !["apiVersion", "kind", "metadata", "spec", "status"].contains(&name.as_str()) {
            violations.push(unknown_field(name, ["apiVersion", "kind", "metadata", "spec"].into_iter()));
        }
    }
}

fn check(schema: &Value, value: &Value, path: &str, violations: &mut Vec<Violation>) {
    if schema.get("x-kubernetes-int-or-string").is_some() {
        match value {
            Value::String(text) => check_string(schema, text, path, violations),
            Value::Number(number) if number.is_i64() || number.is_u64() => {
                check_range(schema, number.as_i64(), path, violations);
            }
            _ => violations.push(violation(path, "type", "write a whole number or a string")),
        }
        return;
    }
    match (schema.get("type").and_then(Value::as_str), value) {
        (Some("object"), Value::Object(fields)) => check_object(schema, fields, path, violations),
        (Some("array"), Value::Array(items)) => check_list(schema, items, path, violations),
        (Some("string"), Value::String(text)) => check_string(schema, text, path, violations),
        (Some("integer"), Value::Number(number)) if number.is_i64() || number.is_u64() => {
            check_range(schema, number.as_i64(), path, violations);
        }
        (Some("boolean"), Value::Bool(_)) | (None, _) => {}
        (Some(expected), _) => {
            let words = match expected {
                "object" => "write an object (fields with values)",
                "array" => "write a list",
                "string" => "write a string; put it in quotes",
                "integer" => "write a whole number",
                _ => "write true or false",
            };
            violations.push(violation(path, "type", words));
        }
    }
}

fn check_object(schema: &Value, fields: &Map<String, Value>, path: &str, violations: &mut Vec<Violation>) {
    let present = || fields.iter().filter(|(_, value)| !value.is_null());
    for name in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        if !present().any(|(field, _)| field == name) {
            violations.push(violation(&format!("{path}.{name}"), "required", "it is missing; write it"));
        }
    }
    if let Some(values) = schema.get("additionalProperties") {
        if let Some(most) = limit(schema, "maxProperties").filter(|most| fields.len() > *most) {
            violations.push(violation(path, "maxProperties", &format!("write at most {most} entries")));
        }
        for (name, value) in present() {
            check(values, value, &format!("{path}.{name}"), violations);
        }
        return;
    }
    let empty = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    for (name, value) in fields {
        match properties.get(name) {
            // The API server drops it, but not where it does not know the field.
            Some(_) if value.is_null() => {}
            Some(property) => check(property, value, &format!("{path}.{name}"), violations),
            None => violations.push(unknown_field(&format!("{path}.{name}"), properties.keys().map(String::as_str))),
        }
    }
}

fn check_list(schema: &Value, items: &[Value], path: &str, violations: &mut Vec<Violation>) {
    if let Some(least) = limit(schema, "minItems").filter(|least| items.len() < *least) {
        violations.push(violation(path, "minItems", &format!("write at least {least}")));
    }
    if let Some(most) = limit(schema, "maxItems").filter(|most| items.len() > *most) {
        violations.push(violation(path, "maxItems", &format!("write at most {most}")));
        return;
    }
    for (index, item) in items.iter().enumerate() {
        let path = format!("{path}[{index}]");
        if let Some(schema) = schema.get("items") {
            check(schema, item, &path, violations);
        }
        if items[..index].iter().any(|earlier| is_duplicate(schema, earlier, item)) {
            violations.push(violation(&path, "duplicate", "it stands in the list already; write each once"));
        }
    }
}

fn is_duplicate(schema: &Value, one: &Value, other: &Value) -> bool {
    match schema.get("x-kubernetes-list-type").and_then(Value::as_str) {
        Some("set") => one == other,
        Some("map") => {
            let mut keys = schema
                .get("x-kubernetes-list-map-keys")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str);
            keys.all(|key| one.get(key).is_some() && one.get(key) == other.get(key))
        }
        _ => false,
    }
}

fn check_string(schema: &Value, text: &str, path: &str, violations: &mut Vec<Violation>) {
    if let Some(values) = schema.get("enum").and_then(Value::as_array)
        && !values.iter().any(|value| value == text)
    {
        let names: Vec<_> = values.iter().filter_map(Value::as_str).collect();
        violations.push(violation(path, "enum", &format!("write one of {}", names.join(", "))));
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
        && !super::rules::matches(pattern, text)
    {
        violations.push(violation(path, "pattern", &format!("write it in the form {pattern}")));
    }
    let characters = text.chars().count();
    if let Some(least) = limit(schema, "minLength").filter(|least| characters < *least) {
        let words = if least == 1 {
            "it is empty; write it or leave the field out".to_owned()
        } else {
            format!("write at least {least} characters")
        };
        violations.push(violation(path, "minLength", &words));
    }
    if let Some(most) = limit(schema, "maxLength").filter(|most| characters > *most) {
        violations.push(violation(path, "maxLength", &format!("write at most {most} characters, not {characters}")));
    }
}

fn check_range(schema: &Value, number: Option<i64>, path: &str, violations: &mut Vec<Violation>) {
    // Limits of the derive are written as floating-point numbers; ours are small whole numbers.
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    #[expect(clippy::cast_precision_loss, reason = "beyond 2^53 the number is out of any range of ours anyway")]
    let value = number.map_or(f64::INFINITY, |number| number as f64);
    if let Some(least) = bound("minimum").filter(|least| value < *least) {
        violations.push(violation(path, "minimum", &format!("write at least {least}")));
    }
    if let Some(most) = bound("maximum").filter(|most| value > *most) {
        violations.push(violation(path, "maximum", &format!("write at most {most}")));
    }
}

fn limit(schema: &Value, name: &str) -> Option<usize> {
    usize::try_from(schema.get(name)?.as_u64()?).ok()
}

fn unknown_field<'a>(path: &str, known: impl Iterator<Item = &'a str>) -> Violation {
    let mut names: Vec<_> = known.collect();
    names.sort_unstable();
    violation(path, "unknownField", &format!("there is no such field; known are {}", names.join(", ")))
}

fn violation(path: &str, rule: &'static str, message: &str) -> Violation {
    Violation { path: path.to_owned(), rule, message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use crate::crd::{self, Kind};

    /// Keywords that are checked here or by the rules, or that say nothing about a value.
    const KNOWN: [&str; 21] = [
        "additionalProperties",
        "default",
        "description",
        "enum",
        "format",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minimum",
        "pattern",
        "properties",
        "required",
        "type",
        "x-kubernetes-int-or-string",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-list-type",
        "x-kubernetes-validations",
    ];

    fn keywords(schema: &Value, found: &mut BTreeSet<String>) {
        for (keyword, value) in schema.as_object().into_iter().flatten() {
            found.insert(keyword.clone());
            match keyword.as_str() {
                "properties" => {
                    value.as_object().into_iter().flatten().for_each(|(_, property)| keywords(property, found));
                }
                "items" | "additionalProperties" => keywords(value, found),
                _ => {}
            }
        }
    }

    #[test]
    fn the_schemas_use_no_keyword_that_is_not_checked() {
        let mut found = BTreeSet::new();
        for kind in Kind::ALL {
            keywords(&crd::schema(kind).unwrap()["properties"]["spec"], &mut found);
        }
        let unknown: Vec<_> = found.iter().filter(|keyword| !KNOWN.contains(&keyword.as_str())).collect();
        assert_eq!(unknown, Vec::<&String>::new());
    }
}
