//! Items of the table: keys, and the conversion between typed rows and attribute values. Pure.
//!
//! A row is converted through its JSON form: numbers become `N`, text `S`, truth `BOOL`, lists `L`, objects `M`; what is
//! absent has no attribute. Rows hold no floating point, so the conversion is exact.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

/// An item as the SDK takes it.
pub(super) type Item = HashMap<String, AttributeValue>;

/// Partition key.
pub(super) const PK: &str = "PK";
/// Sort key.
pub(super) const SK: &str = "SK";

/// Partition of a test's runs.
pub(super) fn test_partition(installation: &str, namespace: &str, load_test: &str) -> String {
    format!("{installation}#TEST#{namespace}/{load_test}")
}

/// Sort key of a run among its test's runs: by creation, then uid.
pub(super) fn run_sort_key(created_at: Timestamp, uid: &str) -> String {
    format!("RUN#{}#{uid}", sortable(created_at))
}

/// Partition of a run's detail rows.
pub(super) fn run_partition(installation: &str, uid: &str) -> String {
    format!("{installation}#RUN#{uid}")
}

/// RFC 3339 in UTC with exactly six digits of the second: its order as text is its order in time (years 0 to 9999).
pub(super) fn sortable(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// Partition of the index `recent`: a day of an installation.
pub(super) fn day_partition(installation: &str, created_at: Timestamp) -> String {
    format!("{installation}#{}", created_at.strftime("%Y-%m-%d"))
}

/// The attributes of a row.
pub(super) fn attributes<T: Serialize>(row: &T) -> Result<Item, String> {
    match serde_json::to_value(row).map_err(|error| error.to_string())? {
        Value::Object(fields) => fields_of(fields),
        other => Err(format!("a row is an object, not {other}")),
    }
}

/// The row of attributes; keys and attributes that the type does not know are ignored.
pub(super) fn row<T: DeserializeOwned>(item: &Item) -> Result<T, String> {
    let mut fields = Map::new();
    for (name, value) in item {
        fields.insert(name.clone(), json_of(value)?);
    }
    serde_json::from_value(Value::Object(fields)).map_err(|error| error.to_string())
}

fn fields_of(fields: Map<String, Value>) -> Result<Item, String> {
    let mut item = Item::with_capacity(fields.len());
    for (name, value) in fields {
        if let Some(value) = attribute_of(value)? {
            item.insert(name, value);
        }
    }
    Ok(item)
}

fn attribute_of(value: Value) -> Result<Option<AttributeValue>, String> {
    Ok(Some(match value {
        Value::Null => return Ok(None),
        Value::Bool(value) => AttributeValue::Bool(value),
        Value::Number(number) if number.is_f64() => return Err(format!("{number} is a floating point number")),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text),
        Value::Array(values) => {
            // An absent value inside a list keeps its place.
            let values: Result<Vec<_>, String> = values
                .into_iter()
                .map(|value| Ok(attribute_of(value)?.unwrap_or(AttributeValue::Null(true))))
                .collect();
            AttributeValue::L(values?)
        }
        Value::Object(fields) => AttributeValue::M(fields_of(fields)?),
    }))
}

fn json_of(value: &AttributeValue) -> Result<Value, String> {
    Ok(match value {
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::Bool(value) => Value::Bool(*value),
        AttributeValue::S(text) => Value::String(text.clone()),
        AttributeValue::N(number) => Value::Number(number_of(number)?),
        AttributeValue::L(values) => Value::Array(values.iter().map(json_of).collect::<Result<_, _>>()?),
        AttributeValue::M(fields) => {
            let mut object = Map::new();
            for (name, value) in fields {
                object.insert(name.clone(), json_of(value)?);
            }
            Value::Object(object)
        }
        other => return Err(format!("{other:?} is of a type that no row has")),
    })
}

fn number_of(text: &str) -> Result<Number, String> {
    let unsigned = text.parse::<u64>().map(Number::from);
    let signed = || text.parse::<i64>().map(Number::from);
    unsigned.or_else(|_| signed()).map_err(|_| format!("{text} is no whole number of 64 bits"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_is_a_number_and_what_is_absent_has_no_attribute() {
        let item = attributes(&serde_json::json!({"requests": u64::MAX, "p50Us": null, "label": "home"})).unwrap();
        assert_eq!(item.get("requests"), Some(&AttributeValue::N("18446744073709551615".into())));
        assert_eq!(item.get("label"), Some(&AttributeValue::S("home".into())));
        assert_eq!(item.len(), 2);
    }

    #[test]
    fn floating_point_is_refused() {
        assert!(attributes(&serde_json::json!({"rate": 0.1})).unwrap_err().contains("floating point"));
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[a-z]{1,6}", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(fields in proptest::collection::btree_map("[a-z]{1,6}", json(), 0..5)) {
            let value = Value::Object(fields.into_iter().collect());
            prop_assert_eq!(row::<Value>(&attributes(&value).unwrap()).unwrap(), value);
        }

        #[test]
        fn sortable_instants_sort_like_the_instants(
            first in 0_i64..4_000_000_000_000_000, second in 0_i64..4_000_000_000_000_000,
        ) {
            let (one, two) = (Timestamp::from_microsecond(first).unwrap(), Timestamp::from_microsecond(second).unwrap());
            prop_assert_eq!(sortable(one).cmp(&sortable(two)), first.cmp(&second));
        }
    }
}
