//! Alert rules, their tests, the runbook, the dashboard and the catalogue of metrics fit together: what is looked at exists, and
//! whoever is called finds what to do.

use std::collections::BTreeSet;

use regex_lite::Regex;
use serde_json::Value;

use crate::repository::{Error, Repository};

const RULES: &str = "charts/volley/monitoring/rules.yaml";
const DASHBOARD: &str = "charts/volley/monitoring/dashboard.json";
const TESTS: &str = "dev/monitoring/rules_test.yaml";
const RUNBOOK: &str = "docs/users/runbook.md";
const CATALOGUE: &str = "docs/reference/metrics.md";

/// The files, as text.
struct Files {
    rules: String,
    dashboard: String,
    tests: String,
    runbook: String,
    catalogue: String,
}

/// Complaints about the files of a checkout.
pub(crate) fn complaints(repository: &Repository) -> Result<Vec<String>, Error> {
    let mut missing = Vec::new();
    let mut text = |path: &str| -> Result<String, Error> {
        let found = repository.read(path)?;
        if found.is_none() {
            missing.push(format!("{path} is missing"));
        }
        Ok(found.unwrap_or_default())
    };
    let files = Files {
        rules: text(RULES)?,
        dashboard: text(DASHBOARD)?,
        tests: text(TESTS)?,
        runbook: text(RUNBOOK)?,
        catalogue: text(CATALOGUE)?,
    };
    Ok(if missing.is_empty() { of_files(&files) } else { missing })
}

fn of_files(files: &Files) -> Vec<String> {
    let rules: Value = match serde_saphyr::from_str(&files.rules) {
        Ok(rules) => rules,
        Err(error) => return vec![format!("{RULES}: it is not YAML: {error}")],
    };
    let mut complaints = Vec::new();
    if let Err(error) = serde_json::from_str::<Value>(&files.dashboard) {
        complaints.push(format!("{DASHBOARD}: it is not JSON: {error}"));
    }
    let headings: BTreeSet<_> = files.runbook.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let mut alerts = BTreeSet::new();
    let groups = rules["groups"].as_array().map(Vec::as_slice).unwrap_or_default();
    for rule in groups.iter().flat_map(|group| group["rules"].as_array().map(Vec::as_slice).unwrap_or_default()) {
        let Some(alert) = rule["alert"].as_str() else { continue };
        alerts.insert(alert);
        let expected = format!("{RUNBOOK}#{}", alert.to_lowercase());
        if rule["annotations"]["runbook_url"] != expected.as_str() {
            complaints.push(format!("{RULES}: runbook_url of {alert} must be {expected}"));
        }
        if !headings.contains(alert) {
            complaints
                .push(format!("{RUNBOOK}: nobody is told what to do about {alert}; add the heading \"## {alert}\""));
        }
        if !files.tests.lines().any(|line| line.trim() == format!("alertname: {alert}")) {
            complaints.push(format!("{TESTS}: {alert} has no test in which it fires"));
        }
    }
    for heading in headings.iter().filter(|heading| heading.starts_with("Volley") && !alerts.contains(**heading)) {
        complaints.push(format!("{RUNBOOK}: there is no alert {heading}"));
    }
    for (path, text) in [(RULES, &files.rules), (DASHBOARD, &files.dashboard), (TESTS, &files.tests)] {
        complaints.extend(
            metrics(text)
                .into_iter()
                .filter(|metric| !is_documented(metric, &files.catalogue))
                .map(|metric| format!("{path}: the operator has no metric {metric}; see {CATALOGUE}")),
        );
    }
    complaints
}

fn metrics(text: &str) -> BTreeSet<&str> {
    let Ok(name) = Regex::new("volley_[a-z_]+") else { return BTreeSet::new() };
    name.find_iter(text).map(|found| found.as_str()).collect()
}

/// The series of a histogram have suffixes.
fn is_documented(metric: &str, catalogue: &str) -> bool {
    let base = ["_bucket", "_sum", "_count"].into_iter().find_map(|suffix| metric.strip_suffix(suffix));
    [Some(metric), base].into_iter().flatten().any(|name| catalogue.contains(&format!("| `{name}` |")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        Files {
            rules: "groups: [{rules: [{alert: VolleyA, expr: volley_x_total > 0, annotations: {runbook_url: docs/users/runbook.md#volleya}}]}]"
                .into(),
            dashboard: r#"{"expr": "volley_y_seconds_bucket"}"#.into(),
            tests: "- alertname: VolleyA\n  alertname: VolleyA\n".into(),
            runbook: "# Runbook\n\n## VolleyA\n".into(),
            catalogue: "| `volley_x_total` | counter |\n| `volley_y_seconds` | histogram |\n".into(),
        }
    }

    #[test]
    fn files_that_fit_together_pass() {
        assert_eq!(of_files(&files()), Vec::<String>::new());
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let rules = files().rules;
        let without = |file: Files, words: &str| {
            let complaints = of_files(&file);
            assert!(complaints.iter().any(|complaint| complaint.contains(words)), "{words}: {complaints:?}");
        };
        without(Files { runbook: String::new(), ..files() }, "what to do about VolleyA");
        without(Files { runbook: "## VolleyA\n## VolleyB".into(), ..files() }, "no alert VolleyB");
        without(Files { tests: String::new(), ..files() }, "no test in which it fires");
        without(Files { rules: rules.replace("#volleya", "#a"), ..files() }, "runbook_url of VolleyA");
        without(Files { rules: rules.replace("volley_x_total", "volley_x"), ..files() }, "no metric volley_x;");
        without(Files { dashboard: "{".into(), ..files() }, "not JSON");
    }
}
