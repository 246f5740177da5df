//! `docs/reference/metrics.md`: every metric that the operator has, read from its own text.

#![allow(clippy::format_push_string, reason = "a test that is run once a build")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;
use volley_api::load_test_run::{EndReason, Phase};
use volley_storage::FailureClass;

use super::{Kind, Metrics, Outcome};
use crate::fixtures;

const FILE: &str = "../../docs/reference/metrics.md";

/// Metrics in which each family has a value, so that its labels can be seen.
fn filled() -> String {
    let metrics = Metrics::default();
    drop(metrics.begun(Kind::LoadTest));
    metrics.reconciled(Kind::LoadTest, Outcome::Success, Duration::from_millis(1), 0);
    metrics.watch_error(Kind::LoadTest);
    metrics.storage_error(FailureClass::Transient);
    metrics.run_finished(EndReason::Completed);
    metrics.phase_left(Phase::Running, Duration::from_secs(1));
    let run = serde_json::from_value(json!({
        "apiVersion": "volley.dev/v1alpha1", "kind": "LoadTestRun", "metadata": {"name": "r", "namespace": "n"},
        "spec": {"loadTest": "t"}, "status": {"live": {"at": "2026-11-25T10:00:15Z", "users": 1, "requestRate": "1/s",
            "errorRate": "1%", "p50": "1ms", "p95": "1ms", "p99": "1ms"}}}))
    .unwrap();
    metrics.runs.saw(&run, Some(Phase::Running));
    let target = fixtures::target("local");
    let status = serde_json::from_value(json!({"activeWorkers": 0})).unwrap();
    metrics.regions.saw(&target, &status);
    metrics.text()
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

fn page() -> String {
    let mut page = "<!-- Made from operator/controller/src/metrics by `make generate`. Do not edit. -->\n\
        # Metrics of the operator\n\n\
        The operator serves them at `/metrics` of port 8080 in the OpenMetrics text format. The chart makes a `ServiceMonitor`, alert rules and a \
        dashboard for them: [watch an installation](../users/watch-an-installation.md).\n\n\
        | metric | type | labels | meaning |\n|---|---|---|---|\n"
        .to_owned();
    for (name, metric) in described(&filled()) {
        let suffix = if metric.kind == "counter" { "_total" } else { "" };
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        page += &format!("| `{name}{suffix}` | {} | {} | {} |\n", metric.kind, labels.join(", "), metric.help);
    }
    let reasons: Vec<_> = EndReason::ALL.iter().map(|reason| format!("`{reason}`")).collect();
    page += &format!(
        "\nUnits are in the names: seconds, a ratio of 0 to 1, events per second. A restarted operator counts from 0 again.\n\n\
        | label | values |\n|---|---|\n\
        | `kind` | `LoadTest`, `LoadTestRun`, `RegionTarget` |\n\
        | `outcome` of a reconcile | `Success`, or the class of its error: `Transient` (tried again soon), `NeedsChange` (somebody has to mend it), `Terminal` |\n\
        | `class` | the class of an error, as above |\n\
        | `outcome` of a run | its last phase: `Succeeded`, `Failed`, `Stopped`, `Skipped` |\n\
        | `reason` | {} |\n\
        | `phase` | `Pending`, `Queued`, `Provisioning`, `Ready`, `Running`, `Collecting`, `Aggregating` |\n\
        | `target` | name of a RegionTarget |\n\
        | `namespace`, `load_test`, `run` | names of a run that has not ended; {} runs at most have figures of their own, the first by namespace and name |\n\
        | `quantile` | `0.5`, `0.95`, `0.99` |\n\n\
        The figures of a run are those of its `status.live`, in three significant digits: they come with the live data and go when the run ends. \
        Exact numbers of a finished run are in its [result](result.md).\n",
        reasons.join(", "),
        super::runs::MOST_SHOWN
    );
    page
}

#[test]
fn the_reference_is_what_the_operator_serves() {
    let path = format!("{}/{FILE}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("VOLLEY_WRITE_REFERENCE").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), page(), "run `make generate` and commit the file");
}

/// By the conventions of <https://prometheus.io/docs/practices/naming/>.
#[test]
fn every_metric_has_a_value_here_a_help_and_a_name_by_the_conventions() {
    for (name, metric) in described(&filled()) {
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
