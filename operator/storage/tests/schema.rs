//! The JSON Schema of `result.json` in the repository is that of the code, and says what it should.

// The lint configuration allows these in tests, but does not see that helpers of an integration test are tests.
#![allow(clippy::unwrap_used)]

use volley_storage::documents::result_schema;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/result.schema.json");

#[test]
fn the_schema_of_the_result_is_checked_in_as_the_code_says_it() {
    let schema = format!("{:#}\n", result_schema());
    if std::env::var_os("VOLLEY_WRITE_REFERENCE").is_some() {
        std::fs::write(FILE, &schema).unwrap();
    }
    let checked_in = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(checked_in == schema, "docs/reference/result.schema.json is not that of the code; run `make generate`");
}

#[test]
fn every_field_of_the_schema_says_what_it_means() {
    let schema = result_schema();
    let definitions = schema["$defs"].as_object().unwrap();
    for (name, definition) in
        definitions.iter().map(|(name, value)| (name.as_str(), value)).chain([("result", &schema)])
    {
        for (field, value) in definition["properties"].as_object().into_iter().flatten() {
            let described = value["description"].as_str().is_some_and(|words| words.len() > 3 && !words.contains("[`"));
            assert!(described, "{name}.{field}: {value}");
        }
    }
}
