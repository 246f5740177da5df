//! `docs/reference/report.schema.json`, made from the types. The test fails where the file is another one.

use std::path::PathBuf;

use super::model::Report;

#[test]
fn the_reference_of_reports_is_that_of_the_types() {
    let path = ["docs", "reference", "report.schema.json"];
    let file: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", ".."].iter().chain(&path).collect();
    let schema = serde_json::to_string_pretty(&schemars::schema_for!(Report)).unwrap() + "\n";
    if std::env::var_os("VOLLEY_WRITE_REFERENCE").is_some() {
        std::fs::write(&file, &schema).unwrap();
    }
    let checked_in = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        checked_in == schema,
        "docs/reference/report.schema.json is not that of the types; write it with: make generate"
    );
}
