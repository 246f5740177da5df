//! `volley validate`: schema and rules of our kinds, without a cluster.

use std::io::Write;

use serde_json::Value;
use volley_api::crd::Kind;
use volley_api::taurus::TaurusConfiguration;
use volley_api::validate::Validator;

use super::{CommandError, print_text};
use crate::cli::ValidateArguments;
use crate::exit::Exit;
use crate::follow::snapshot::one_line;
use crate::manifest::{self, Document};

/// Runs the command.
///
/// # Errors
/// When the file cannot be read.
pub fn run(arguments: &ValidateArguments) -> Result<Exit, CommandError> {
    let documents = manifest::read(&arguments.file)?;
    let validator = Validator::new().map_err(|error| CommandError::cluster(&error.to_string()))?;
    let name = arguments.file.display().to_string();
    let lines = violations(&validator, &name, &documents);
    let checked = documents.iter().filter(|document| kind(document).is_some()).count();
    if lines.is_empty() {
        let skipped = documents.len() - checked;
        let skipped = if skipped == 0 { String::new() } else { format!(", {skipped} of other kinds skipped") };
        print_text(&format!("{name}: {checked} objects are valid{skipped}\n"))?;
        return Ok(Exit::Success);
    }
    let mut out = std::io::stderr().lock();
    for line in &lines {
        let _ = writeln!(out, "{line}");
    }
    Ok(Exit::Usage)
}

/// The kind of a document, where it is one of ours.
fn kind(document: &Document) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| document.is_volley(kind.as_str()))
}

/// One line for each violation: `file: document 2 (LoadTest checkout): path: what is wrong`.
fn violations(validator: &Validator, name: &str, documents: &[Document]) -> Vec<String> {
    let mut lines = Vec::new();
    for document in documents {
        let place = format!("{name}: document {} ({} {})", document.position, document.kind, document.name);
        let ours = document.api_version.split('/').next() == Some(volley_api::GROUP);
        match kind(document) {
            None if ours => lines.push(format!("{place}: there is no kind {} in {}", document.kind, volley_api::GROUP)),
            None => {}
            Some(_) if document.api_version != format!("{}/{}", volley_api::GROUP, volley_api::VERSION) => {
                lines.push(format!(
                    "{place}: apiVersion is {}; write {}/{}",
                    document.api_version,
                    volley_api::GROUP,
                    volley_api::VERSION
                ));
            }
            Some(kind) => {
                for violation in validator.check(kind, &document.value) {
                    lines.push(format!("{place}: {}", one_line(&violation.to_string())));
                }
                lines.extend(taurus(&document.value).iter().map(|words| format!("{place}: {}", one_line(words))));
            }
        }
    }
    lines
}

/// What an inline Taurus configuration must not say. The API server accepts it as it is one text to it; the operator does not run it.
fn taurus(load_test: &Value) -> Vec<String> {
    const SCRIPT: &str = "/spec/scenario/taurus/script/inline";
    let Some(script) = load_test.pointer(SCRIPT).and_then(Value::as_str) else { return Vec::new() };
    let problem = |words: String| vec![format!("spec.scenario.taurus.script.inline: {words}")];
    let configuration = match TaurusConfiguration::read(script.as_bytes()) {
        Ok(configuration) => configuration,
        Err(unusable) => return unusable.complaints.into_iter().flat_map(|one| problem(one.to_string())).collect(),
    };
    let regions = load_test.pointer("/spec/regions").and_then(Value::as_array);
    let loads = load_test.pointer("/spec/load").into_iter().chain(regions.into_iter().flatten());
    let users = loads.filter_map(|load| u32::try_from(load.get("usersPerWorker")?.as_u64()?).ok());
    let too_few = users.min().and_then(|users| configuration.shares(users).err());
    too_few.map(|error| problem(error.to_string())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
apiVersion: volley.dev/v1alpha1
kind: LoadTest
metadata: {name: checkout, namespace: shop}
spec:
  scenario: {http: {baseUrl: 'http://shop', requests: [{name: home, path: /}]}}
  load: {usersPerWorker: 5, holdFor: 10s}
  regions: [{target: local, workers: 2}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: other}
";

    fn lines_of(text: &str) -> Vec<String> {
        violations(&Validator::new().unwrap(), "f.yaml", &manifest::parse("f.yaml", text).unwrap())
    }

    #[test]
    fn a_valid_file_has_no_violation_and_other_kinds_are_skipped() {
        assert_eq!(lines_of(GOOD), Vec::<String>::new());
    }

    #[test]
    fn each_violation_names_document_and_field() {
        let lines =
            lines_of(&GOOD.replace("usersPerWorker: 5", "usersPerWorker: 0").replace("workers: 2", "wokers: 2"));
        assert!(lines.iter().all(|line| line.starts_with("f.yaml: document 1 (LoadTest checkout): ")), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("usersPerWorker")), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("wokers")), "{lines:?}");
    }

    #[test]
    fn an_inline_taurus_configuration_is_read_too() {
        let with = |script: &str| {
            GOOD.replace(
                "{http: {baseUrl: 'http://shop', requests: [{name: home, path: /}]}}",
                &format!("{{taurus: {{script: {{inline: '{script}'}}}}}}"),
            )
        };
        assert_eq!(lines_of(&with("execution: [{scenario: a}]")), Vec::<String>::new());
        let lines = lines_of(&with("execution: [{scenario: a, delay: 5s}]"));
        let place = "f.yaml: document 1 (LoadTest checkout): spec.scenario.taurus.script.inline";
        let expected = "execution[0].delay: remove it: spec.load says how much load there is and how long it lasts";
        assert_eq!(lines, [format!("{place}: {expected}")]);
        let six = format!("execution: [{}]", ["{scenario: a}"; 6].join(", "));
        assert!(lines_of(&with(&six))[0].contains("write usersPerWorker: 6 or more"));
        let enough = with(&six).replace("usersPerWorker: 5", "usersPerWorker: 6");
        assert_eq!(lines_of(&enough), Vec::<String>::new());
        let region = enough.replace("workers: 2", "workers: 2, usersPerWorker: 3");
        assert!(lines_of(&region)[0].contains("a worker has 3 virtual users"), "{:?}", lines_of(&region));
    }

    #[test]
    fn an_unknown_kind_or_version_of_ours_is_no_other_kind() {
        let lines = lines_of("apiVersion: volley.dev/v1alpha1\nkind: LoadTset\nmetadata: {name: a}");
        assert_eq!(lines, ["f.yaml: document 1 (LoadTset a): there is no kind LoadTset in volley.dev"]);
        let lines = lines_of(&GOOD.replace("v1alpha1", "v1"));
        assert_eq!(
            lines,
            ["f.yaml: document 1 (LoadTest checkout): apiVersion is volley.dev/v1; write volley.dev/v1alpha1"]
        );
    }
}
