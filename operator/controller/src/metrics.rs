//! Metrics in the Prometheus text format. Labels come from closed enums; names of objects are never labels.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use volley_api::load_test_run::Phase;
use volley_storage::FailureClass;

/// Upper bounds of the durations of reconciles, in seconds; a call may take 20 s.
const BUCKETS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 20.0];

/// A kind of object that is reconciled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Kind {
    /// `LoadTest`.
    LoadTest,
    /// `LoadTestRun`.
    LoadTestRun,
    /// `RegionTarget`.
    RegionTarget,
}

/// How a reconcile ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Outcome {
    /// Well.
    Success,
    /// With an error that passes.
    Transient,
    /// With an error that somebody has to mend.
    NeedsChange,
    /// With an error that stays.
    Terminal,
}

impl From<FailureClass> for Outcome {
    fn from(class: FailureClass) -> Self {
        match class {
            FailureClass::Transient => Self::Transient,
            FailureClass::NeedsChange => Self::NeedsChange,
            FailureClass::Terminal => Self::Terminal,
        }
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum RunOutcome {
    /// Well.
    Succeeded,
    /// Badly.
    Failed,
    /// By request.
    Stopped,
    /// It never ran.
    Skipped,
}

impl RunOutcome {
    /// The outcome of a final phase.
    #[must_use]
    pub(crate) fn of(phase: Phase) -> Option<Self> {
        match phase {
            Phase::Succeeded => Some(Self::Succeeded),
            Phase::Failed => Some(Self::Failed),
            Phase::Stopped => Some(Self::Stopped),
            Phase::Skipped => Some(Self::Skipped),
            Phase::Pending
            | Phase::Queued
            | Phase::Provisioning
            | Phase::Ready
            | Phase::Running
            | Phase::Collecting
            | Phase::Aggregating => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReconcileLabels {
    kind: Kind,
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RunLabels {
    outcome: RunOutcome,
}

/// What the operator counts.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    reconciles: Family<ReconcileLabels, Counter>,
    durations: Family<KindLabels, Histogram>,
    runs: Family<RunLabels, Counter>,
    last_reconcile: Family<KindLabels, Gauge>,
    watch_errors: Family<KindLabels, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("volley");
        let reconciles = Family::default();
        registry.register("reconciles", "Reconciles by kind and outcome", reconciles.clone());
        let durations = Family::<KindLabels, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        registry.register_with_unit("reconcile_duration", "Time of a reconcile", Unit::Seconds, durations.clone());
        let runs = Family::default();
        registry.register("runs_finished", "Runs that ended, by outcome", runs.clone());
        let last_reconcile = Family::default();
        registry.register_with_unit(
            "last_reconcile_timestamp",
            "When the last reconcile of the kind ended, in Unix time",
            Unit::Seconds,
            last_reconcile.clone(),
        );
        let watch_errors = Family::default();
        registry.register("watch_errors", "Errors of watches by kind", watch_errors.clone());
        Self { registry, reconciles, durations, runs, last_reconcile, watch_errors }
    }
}

impl Metrics {
    /// A reconcile has ended at `at`, in Unix time.
    pub(crate) fn reconciled(&self, kind: Kind, outcome: Outcome, took: Duration, at: i64) {
        self.reconciles.get_or_create(&ReconcileLabels { kind, outcome }).inc();
        self.durations.get_or_create(&KindLabels { kind }).observe(took.as_secs_f64());
        self.last_reconcile.get_or_create(&KindLabels { kind }).set(at);
    }

    /// A run has ended.
    pub(crate) fn run_finished(&self, outcome: RunOutcome) {
        self.runs.get_or_create(&RunLabels { outcome }).inc();
    }

    /// A watch had an error; it goes on by itself.
    pub(crate) fn watch_error(&self, kind: Kind) {
        self.watch_errors.get_or_create(&KindLabels { kind }).inc();
    }

    /// All of it, in the `OpenMetrics` text format.
    #[must_use]
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail; an incomplete text would only be missing metrics.
        if prometheus_client::encoding::text::encode(&mut text, &self.registry).is_err() {
            text.clear();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_stands_in_the_text() {
        let metrics = Metrics::default();
        metrics.reconciled(Kind::LoadTestRun, Outcome::Success, Duration::from_millis(20), 1_700_000_000);
        metrics.run_finished(RunOutcome::of(Phase::Failed).unwrap());
        let text = metrics.text();
        for line in [
            r#"volley_reconciles_total{kind="LoadTestRun",outcome="Success"} 1"#,
            r#"volley_runs_finished_total{outcome="Failed"} 1"#,
            r#"volley_last_reconcile_timestamp_seconds{kind="LoadTestRun"} 1700000000"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }
}
