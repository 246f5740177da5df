//! The file that a user hands to `volley run`.

use std::sync::LazyLock;

use serde_json::Value;
use serde_json::error::Category;
use volley_api::crd::Kind;
use volley_api::validate::Validator;
use volley_api::{LoadTest, LoadTestRun, RegionTarget};

use crate::manifest;

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| Validator::new().unwrap());

/// A file is read or refused, and what the rules accept is an object of its type.
pub fn file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(documents) = manifest::parse("file", text) else { return };
    assert!(!documents.is_empty() && documents.len() <= manifest::MAXIMUM_DOCUMENTS);
    for document in documents {
        let Some(kind) = Kind::ALL.into_iter().find(|kind| document.is_volley(kind.as_str())) else { continue };
        let violations = VALIDATOR.check(kind, &document.value);
        assert_eq!(VALIDATOR.check(kind, &document.value), violations, "the same object has the same faults");
        if violations.is_empty() {
            let mut value = document.value;
            drop_nulls(&mut value);
            typed(kind, value);
        }
    }
}

/// The API server drops fields without a value before anybody reads the object.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

fn typed(kind: Kind, value: Value) {
    let outcome = match kind {
        Kind::LoadTest => serde_json::from_value::<LoadTest>(value).map(drop),
        Kind::LoadTestRun => serde_json::from_value::<LoadTestRun>(value).map(drop),
        Kind::RegionTarget => serde_json::from_value::<RegionTarget>(value).map(drop),
    };
    if let Err(error) = outcome {
        assert_ne!(error.classify(), Category::Data, "the rules accept what is no {}: {error}", kind.as_str());
    }
}
