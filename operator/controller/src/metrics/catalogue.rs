//! The part of `docs/reference/metrics.md` that speaks of the operator.

use std::time::Duration;

use serde_json::json;
use volley_api::load_test_run::{EndReason, Phase};
use volley_storage::FailureClass;

use super::reference::{self, Part};
use super::{Kind, Metrics, Outcome};
use crate::fixtures;

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

fn part() -> String {
    let reasons: Vec<_> = EndReason::ALL.iter().map(|reason| format!("`{reason}`")).collect();
    "<!-- Made from operator/controller/src/metrics and operator/aggregator/src/metrics by `make generate`. Do not edit. -->\n\
        # Metrics\n\n\
        Two programs serve metrics: the operator while it runs, and the aggregator of each run while that is under way. What reads them: \
        [watch an installation](../users/watch-an-installation.md).\n\n\
        ## Metrics of the operator\n\n\
        The operator serves them at `/metrics` of port 8080 in the OpenMetrics text format. The chart makes a `ServiceMonitor`, alert rules and a \
        dashboard for them.\n\n"
        .to_owned()
        + &reference::table(&filled())
        + &format!(
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
        Exact numbers of a finished run are in its [result](result.md).\n\n",
            reasons.join(", "),
            super::runs::MOST_SHOWN
        )
}

#[test]
fn the_reference_is_what_the_operator_serves() {
    reference::assert_part(Part::Operator, &part());
}

#[test]
fn every_metric_has_a_value_here_a_help_and_a_name_by_the_conventions() {
    reference::assert_conventions(&filled());
}
