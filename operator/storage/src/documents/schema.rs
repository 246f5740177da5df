//! The JSON Schema of `result.json`, made from its types.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::{DOCUMENT_VERSION, ResultDocument};

/// An instant in a document, as the schema says it. Never made: it stands for `jiff::Timestamp`.
pub(super) enum Instant {}

impl JsonSchema for Instant {
    fn schema_name() -> Cow<'static, str> {
        "Instant".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time", "description": "RFC 3339 in UTC."})
    }
}

/// The version of a document, as the schema says it: the one that this release writes and reads.
pub(super) enum Version {}

impl JsonSchema for Version {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Version".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"const": DOCUMENT_VERSION})
    }
}

/// The JSON Schema (draft 2020-12) of `result.json`, its keys sorted.
#[must_use]
pub fn result_schema() -> Value {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let schema = generator.into_root_schema_for::<ResultDocument>();
    let mut value = Value::from(schema);
    value.sort_all_objects();
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_of_the_result_is_checked_in_as_the_code_says_it() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/result.schema.json");
        let schema = format!("{:#}\n", result_schema());
        if std::env::var_os("VOLLEY_WRITE_REFERENCE").is_some() {
            std::fs::write(file, &schema).unwrap();
        }
        let checked_in = std::fs::read_to_string(file).unwrap_or_default();
        assert!(checked_in == schema, "docs/reference/result.schema.json is not that of the code; run `make generate`");
    }
}
