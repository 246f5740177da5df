//! The JSON Schemas of `result.json` and of the live frames in the repository are those of the code, and the examples are
//! what both say.

// The lint configuration allows these in tests, but does not see that helpers of an integration test are tests.
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};
use volley_storage::documents::{LiveCourse, ResultDocument, live_schema, result_schema};
use volley_storage::objects::{decode_document, encode_document};

const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference");
const EXAMPLE: &str = include_str!("../../../docs/reference/result.example.json");
const LIVE_EXAMPLE: &str = include_str!("../../../docs/reference/live.example.json");

#[test]
fn the_schemas_are_checked_in_as_the_code_says_them() {
    for (name, schema) in [("result.schema.json", result_schema()), ("live.schema.json", live_schema())] {
        let path = format!("{REFERENCE}/{name}");
        let schema = format!("{schema:#}\n");
        if std::env::var_os("VOLLEY_WRITE_REFERENCE").is_some() {
            std::fs::write(&path, &schema).unwrap();
        }
        let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(checked_in == schema, "docs/reference/{name} is not that of the code; run `make generate`");
    }
}

#[test]
fn every_field_of_the_schemas_says_what_it_means() {
    for (root, schema) in [("result", result_schema()), ("live", live_schema())] {
        let definitions = schema["$defs"].as_object().unwrap();
        for (name, definition) in
            definitions.iter().map(|(name, value)| (name.as_str(), value)).chain([(root, &schema)])
        {
            for (field, value) in definition["properties"].as_object().into_iter().flatten() {
                let described =
                    value["description"].as_str().is_some_and(|words| words.len() > 3 && !words.contains("[`"));
                assert!(described, "{name}.{field}: {value}");
            }
        }
    }
}

#[test]
fn the_example_of_the_live_course_is_one_and_is_written_as_it_is_read() {
    let example: Value = serde_json::from_str(LIVE_EXAMPLE).unwrap();
    let course: LiveCourse = serde_json::from_str(LIVE_EXAMPLE).unwrap();
    assert_eq!(serde_json::to_value(&course).unwrap(), example);
    assert_eq!(check(&live_schema(), &live_schema(), &example), Ok(()));
    let mut other = example;
    other["last"]["v"] = json!(2);
    assert!(check(&live_schema(), &live_schema(), &other).is_err(), "a frame of another version keeps the schema");
}

#[test]
fn the_example_is_a_result_and_is_written_as_it_is_read() {
    let example: Value = serde_json::from_str(EXAMPLE).unwrap();
    let document: ResultDocument = decode_document("the example", EXAMPLE.as_bytes()).unwrap();
    let written: Value = serde_json::from_slice(&encode_document("the example", &document).unwrap()).unwrap();
    assert_eq!(written, example);
    assert_eq!(violation(&example), None);
}

#[test]
fn what_no_reader_should_take_breaks_the_schema() {
    for (pointer, value) in [
        ("/version", json!(2)),
        ("/totals/requests", json!(-1)),
        ("/totals/p99Us", json!("33 ms")),
        ("/totals/averageUs", json!(15.5)),
        ("/startAt", json!(1_795_687_200)),
        ("/verdict", json!("Fine")),
        ("/workers/1/state", json!("partial")),
        ("/series/0/seconds", json!(null)),
        ("/errors", json!({})),
    ] {
        let mut document: Value = serde_json::from_str(EXAMPLE).unwrap();
        *document.pointer_mut(pointer).unwrap() = value;
        assert!(violation(&document).is_some(), "{pointer} may be anything");
    }
    let mut document: Value = serde_json::from_str(EXAMPLE).unwrap();
    document.as_object_mut().unwrap().remove("totals");
    assert_eq!(violation(&document), Some("totals is missing".to_owned()));
}

/// What is wrong with a document; none where it is as the schema says.
fn violation(document: &Value) -> Option<String> {
    let root = result_schema();
    check(&root, &root, document).err()
}

/// The part of JSON Schema that the result's uses (<https://json-schema.org/draft/2020-12>). Another keyword is a panic, so
/// that nothing is overlooked.
fn check(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    for (keyword, rule) in schema.as_object().unwrap() {
        let holds = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "format" | "default" => true,
            "$ref" => {
                let pointer = rule.as_str().unwrap().trim_start_matches('#');
                check(root, root.pointer(pointer).unwrap(), value)?;
                true
            }
            "anyOf" => rule.as_array().unwrap().iter().any(|schema| check(root, schema, value).is_ok()),
            "oneOf" => rule.as_array().unwrap().iter().filter(|schema| check(root, schema, value).is_ok()).count() == 1,
            "enum" => rule.as_array().unwrap().contains(value),
            "const" => rule == value,
            "minimum" => value.as_i64().is_none_or(|number| number >= rule.as_i64().unwrap()),
            "maximum" => value.as_i64().is_none_or(|number| number <= rule.as_i64().unwrap()),
            "type" => match rule {
                Value::Array(kinds) => kinds.iter().any(|kind| is_of_kind(value, kind)),
                kind => is_of_kind(value, kind),
            },
            "required" => {
                for name in rule.as_array().unwrap() {
                    let name = name.as_str().unwrap();
                    if value.get(name).is_none() {
                        return Err(format!("{name} is missing"));
                    }
                }
                true
            }
            "properties" => {
                for (name, schema) in rule.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        check(root, schema, value).map_err(|problem| format!("{name}: {problem}"))?;
                    }
                }
                true
            }
            "items" => {
                value.as_array().into_iter().flatten().try_for_each(|value| check(root, rule, value))?;
                true
            }
            "additionalProperties" => {
                value.as_object().into_iter().flatten().try_for_each(|(_, value)| check(root, rule, value))?;
                true
            }
            other => panic!("the schema uses {other}, which this test does not know"),
        };
        if !holds {
            return Err(format!("{value} breaks {keyword} {rule}"));
        }
    }
    Ok(())
}

fn is_of_kind(value: &Value, kind: &Value) -> bool {
    match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the schema uses the type {other}, which this test does not know"),
    }
}
