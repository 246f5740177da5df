//! `docs/reference/objects.md`: every field of the three kinds, from their schemas.

use std::fmt::Write as _;

use serde_json::Value;
use volley_api::crd::{self, Kind};

use crate::generate::COMMAND;
use crate::repository::Error;

/// The whole page.
pub(crate) fn objects() -> Result<String, Error> {
    let mut page = format!(
        "<!-- Made by `{COMMAND}`. Do not edit. -->\n# Fields of the objects\n\nGroup `{}`, version `{}`. `[]` stands for each item of a list, `{{}}` for each \
         value of a map. A field is optional unless it says *required*; a required field of an optional object is required where the object is written.\n",
        volley_api::GROUP,
        volley_api::VERSION
    );
    for kind in Kind::ALL {
        let crd = crd::crd(kind)?;
        let schema = crd::schema(kind)?;
        let scope = if crd.spec.scope == "Cluster" { "one for the whole cluster" } else { "in a namespace" };
        let short = crd.spec.names.short_names.clone().unwrap_or_default().join(", ");
        let _ = write!(
            page,
            "\n## {}\n\n{} It lives {scope}; short name `{short}`.\n",
            kind.as_str(),
            description(&schema)
        );
        for part in ["spec", "status"] {
            let Some(fields) = schema.pointer(&format!("/properties/{part}")) else { continue };
            let _ = write!(page, "\n### {} {part}\n\n| field | type | meaning |\n|---|---|---|\n", kind.as_str());
            rows(fields, part, &mut page);
        }
        let rules: Vec<_> = volley_api::validate::rules::of(kind);
        let _ = write!(page, "\n### {} rules\n\n| rule | where | what to write |\n|---|---|---|\n", kind.as_str());
        for rule in rules {
            let places: Vec<_> =
                rule.at.iter().map(|at| format!("`{}`", if at.is_empty() { "metadata.name" } else { at })).collect();
            let _ = writeln!(page, "| `{}` | {} | {} |", rule.name, places.join(", "), cell(rule.message));
        }
    }
    Ok(page)
}

fn rows(schema: &Value, path: &str, page: &mut String) {
    let required: Vec<_> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let mut properties: Vec<_> = schema.get("properties").and_then(Value::as_object).into_iter().flatten().collect();
    properties.sort_by_key(|(name, _)| name.as_str());
    for (name, property) in properties {
        let path = format!("{path}.{name}");
        let mut kind = type_and_limits(property);
        if required.contains(&name.as_str()) {
            kind.push_str(", *required*");
        }
        if let Some(default) = property.get("default").filter(|default| !default.is_object()) {
            let _ =
                write!(kind, ", default `{}`", default.as_str().map_or_else(|| default.to_string(), ToOwned::to_owned));
        }
        let _ = writeln!(page, "| `{path}` | {kind} | {} |", cell(&description(property)));
        rows(property, &path, page);
        if let Some(items) = property.get("items") {
            rows(items, &format!("{path}[]"), page);
        }
    }
}

fn description(schema: &Value) -> String {
    schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn type_and_limits(schema: &Value) -> String {
    let number = |name: &str| schema.get(name).and_then(Value::as_f64);
    let between = |least: Option<f64>, most: Option<f64>, unit: &str| match (least.filter(|least| *least > 0.0), most) {
        (Some(least), Some(most)) => format!(" of {least} to {most}{unit}"),
        (None, Some(most)) => format!(" of at most {most}{unit}"),
        (Some(least), None) => format!(" of at least {least}{unit}"),
        (None, None) => String::new(),
    };
    if schema.get("x-kubernetes-int-or-string").is_some() {
        return "integer or string".into();
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let values: Vec<_> = values.iter().filter_map(Value::as_str).map(|value| format!("`{value}`")).collect();
        return format!("one of {}", values.join(", "));
    }
    match schema.get("type").and_then(Value::as_str).unwrap_or("object") {
        "string" if schema.get("format").and_then(Value::as_str) == Some("date-time") => "instant (RFC 3339)".into(),
        "string" => format!("string{}", between(number("minLength"), number("maxLength"), " characters")),
        "integer" => match (number("minimum"), number("maximum")) {
            (Some(least), Some(most)) => format!("integer, {least} to {most}"),
            _ => "integer".into(),
        },
        "array" => {
            let of = schema.get("items").map(type_and_limits).unwrap_or_default();
            let key = schema.pointer("/x-kubernetes-list-map-keys/0").and_then(Value::as_str);
            let key = key.map(|key| format!(", one for each `{key}`")).unwrap_or_default();
            format!("list{}{key}; each: {of}", between(number("minItems"), number("maxItems"), ""))
        }
        "object" => match schema.get("additionalProperties") {
            Some(values) => {
                format!(
                    "map{}; each value: {}",
                    between(None, number("maxProperties"), " entries"),
                    type_and_limits(values)
                )
            }
            None => "object".into(),
        },
        other => other.to_owned(),
    }
}

/// Text that fits into one cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_leaf_of_every_spec_has_a_row() {
        let page = objects().unwrap();
        for kind in Kind::ALL {
            for leaf in crd::spec_leaves(kind).unwrap() {
                assert!(page.contains(&format!("| `{leaf}` |")), "{leaf}");
            }
        }
    }

    #[test]
    fn a_row_tells_type_limits_default_and_need() {
        let page = objects().unwrap();
        for row in [
            "| `spec.load.usersPerWorker` | integer, 1 to 100000, *required* | ",
            "| `spec.start.timeout` | string of 1 to 28 characters, default `15m` | ",
            "| `spec.regions` | list of 1 to 5, one for each `target`; each: object, *required* | ",
        ] {
            assert!(page.contains(row), "{row}");
        }
    }
}
