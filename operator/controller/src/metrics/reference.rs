//! `docs/reference/metrics.md`: what the programs serve, read from their own text. The page has a part of each program, which
//! that program's test makes; this file is a module of the tests of both.

#![allow(clippy::format_push_string, reason = "a test that is run once a build")]

use std::collections::{BTreeMap, BTreeSet};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/metrics.md");
/// With this heading the second part begins.
pub(crate) const AGGREGATOR: &str = "## Metrics of an aggregator\n";

/// A part of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Up to the heading of the other.
    #[allow(dead_code, reason = "each program makes one of the parts")]
    Operator,
    /// From its heading to the end.
    #[allow(dead_code, reason = "each program makes one of the parts")]
    Aggregator,
}

/// Holds a part of the page against what it should be, or writes it where `VOLLEY_WRITE_REFERENCE` is set.
pub(crate) fn assert_part(part: Part, expected: &str) {
    let page = std::fs::read_to_string(FILE).unwrap();
    let (operator, aggregator) = page.split_at(page.find(AGGREGATOR).unwrap_or(page.len()));
    let (found, written) = match part {
        Part::Operator => (operator, format!("{expected}{aggregator}")),
        Part::Aggregator => (aggregator, format!("{operator}{expected}")),
    };
    if std::env::var_os("VOLLEY_WRITE_REFERENCE").is_some() {
        std::fs::write(FILE, written).unwrap();
    } else {
        assert_eq!(found, expected, "run `make generate` and commit the file");
    }
}

/// One metric as the text describes it.
#[derive(Default)]
struct Described {
    kind: String,
    help: String,
    labels: BTreeSet<String>,
    has_value: bool,
}

fn described(text: &str) -> BTreeMap<String, Described> {
    let mut found: BTreeMap<String, Described> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            name.clone_into(&mut current);
            found.entry(current.clone()).or_default().help = help.trim_end_matches('.').to_owned();
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            found.entry(name.to_owned()).or_default().kind = kind.to_owned();
        } else if !line.starts_with('#') {
            let metric = found.get_mut(&current).unwrap();
            metric.has_value = true;
            let inside =
                line.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map_or("", |(inside, _)| inside);
            let names = inside.split(',').filter_map(|label| Some(label.split_once('=')?.0.to_owned()));
            metric.labels.extend(names.filter(|name| name != "le"));
        }
    }
    found
}

/// All metrics of a text, in a table.
pub(crate) fn table(text: &str) -> String {
    let mut table = "| metric | type | labels | meaning |\n|---|---|---|---|\n".to_owned();
    for (name, metric) in described(text) {
        let suffix = if metric.kind == "counter" { "_total" } else { "" };
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        table += &format!("| `{name}{suffix}` | {} | {} | {} |\n", metric.kind, labels.join(", "), metric.help);
    }
    table
}

/// By the conventions of <https://prometheus.io/docs/practices/naming/>.
pub(crate) fn assert_conventions(text: &str) {
    for (name, metric) in described(text) {
        assert!(metric.has_value, "{name} has no value in this test, so that its labels are not documented");
        assert!(!metric.help.is_empty() && !metric.kind.is_empty(), "{name}");
        assert!(name.starts_with("volley_") && !name.ends_with("_total"), "{name}");
        assert!(name.chars().all(|character| character.is_ascii_lowercase() || character == '_'), "{name}");
        if metric.kind == "histogram" {
            assert!(name.ends_with("_seconds"), "{name} has no unit");
        }
        for unit in ["_milliseconds", "_minutes", "_percent", "_kb", "_count", "_sum", "_bucket"] {
            assert!(!name.ends_with(unit), "{name}: base units, and no suffix of a histogram");
        }
    }
}
