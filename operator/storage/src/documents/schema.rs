//! The JSON Schemas of what users read, made from the types: `result.json`, and the live frames.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::{DOCUMENT_VERSION, LIVE_FRAME_VERSION, LiveCourse, ResultDocument};

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

/// The version of a live frame, as the schema says it.
pub(super) enum FrameVersion {}

impl JsonSchema for FrameVersion {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "FrameVersion".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"const": LIVE_FRAME_VERSION})
    }
}

/// The JSON Schema (draft 2020-12) of `result.json`, its keys sorted.
#[must_use]
pub fn result_schema() -> Value {
    schema_of::<ResultDocument>()
}

/// The JSON Schema (draft 2020-12) of `GET /v1/frames`, its keys sorted. That of a single frame is `#/$defs/LiveFrame`.
#[must_use]
pub fn live_schema() -> Value {
    schema_of::<LiveCourse>()
}

fn schema_of<T: JsonSchema>() -> Value {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut value = Value::from(generator.into_root_schema_for::<T>());
    value.sort_all_objects();
    value
}
