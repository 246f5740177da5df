//! Metrics in the `OpenMetrics` text format. Documented in `docs/reference/metrics.md`, which is made from this code.
//!
//! Labels come from closed enums. Names of objects are labels in two places only, where their number is bounded: `RegionTargets`, which
//! administrators make, and runs that have not ended, of which at most [`runs::MOST_SHOWN`] have figures of their own.

#[cfg(test)]
mod catalogue;
mod labels;
#[cfg(test)]
mod reference;
mod regions;
mod runs;

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use volley_api::load_test_run::EndReason;
use volley_storage::FailureClass;

use labels::{ErrorLabels, KindLabels, PhaseLabels, ReconcileLabels, RunLabels};
pub(crate) use labels::{Kind, Outcome};
use regions::Regions;
use runs::Runs;
pub(crate) use runs::phase_time;

/// Upper bounds of the durations of reconciles, in seconds; a call may take 20 s.
const RECONCILE_BUCKETS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 20.0];
/// Upper bounds of the times in a phase, in seconds; the load itself may take a day.
const PHASE_BUCKETS: [f64; 12] = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14400.0];

/// What the operator counts.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// The runs that have not ended.
    pub(crate) runs: Arc<Runs>,
    /// The `RegionTargets`.
    pub(crate) regions: Arc<Regions>,
    registry: Registry,
    reconciles: Family<ReconcileLabels, Counter>,
    durations: Family<KindLabels, Histogram>,
    in_progress: Family<KindLabels, Gauge>,
    last_reconcile: Family<KindLabels, Gauge>,
    watch_errors: Family<KindLabels, Counter>,
    storage_errors: Family<ErrorLabels, Counter>,
    finished: Family<RunLabels, Counter>,
    phases: Family<PhaseLabels, Histogram>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("volley");
        let reconciles = Family::<ReconcileLabels, Counter>::default();
        registry.register("reconciles", "Reconciles that ended, by kind and outcome", reconciles.clone());
        let durations = Family::<KindLabels, Histogram>::new_with_constructor(|| Histogram::new(RECONCILE_BUCKETS));
        registry.register_with_unit("reconcile_duration", "Time of a reconcile", Unit::Seconds, durations.clone());
        let in_progress = Family::default();
        registry.register("reconciles_in_progress", "Reconciles that have begun and not ended", in_progress.clone());
        let last_reconcile = Family::default();
        registry.register_with_unit(
            "last_reconcile_timestamp",
            "When the last reconcile of the kind ended, in Unix time",
            Unit::Seconds,
            last_reconcile.clone(),
        );
        let watch_errors = Family::<KindLabels, Counter>::default();
        registry.register("watch_errors", "Errors of watches, which go on by themselves", watch_errors.clone());
        let storage_errors = Family::<ErrorLabels, Counter>::default();
        registry.register("storage_errors", "Reconciles that failed because of S3", storage_errors.clone());
        let finished = Family::<RunLabels, Counter>::default();
        registry.register("runs_finished", "Runs that ended, by outcome and reason", finished.clone());
        let phases = Family::<PhaseLabels, Histogram>::new_with_constructor(|| Histogram::new(PHASE_BUCKETS));
        registry.register_with_unit(
            "run_phase_duration",
            "Time that a run spent in a phase, counted when it leaves it",
            Unit::Seconds,
            phases.clone(),
        );
        // Series that begin at 0: a rate does not see the step from nothing to 1.
        for kind in [Kind::LoadTest, Kind::LoadTestRun, Kind::RegionTarget] {
            for outcome in Outcome::ALL {
                drop(reconciles.get_or_create(&ReconcileLabels { kind, outcome }));
            }
            drop(watch_errors.get_or_create(&KindLabels { kind }));
        }
        for class in [FailureClass::Transient, FailureClass::NeedsChange, FailureClass::Terminal] {
            drop(storage_errors.get_or_create(&ErrorLabels { class: class.into() }));
        }
        for reason in EndReason::ALL {
            drop(finished.get_or_create(&RunLabels::of(reason)));
        }
        let runs = Arc::new(Runs::default());
        registry.register_collector(Box::new(Arc::clone(&runs)));
        let regions = Arc::new(Regions::default());
        registry.register_collector(Box::new(Arc::clone(&regions)));
        Self {
            runs,
            regions,
            registry,
            reconciles,
            durations,
            in_progress,
            last_reconcile,
            watch_errors,
            storage_errors,
            finished,
            phases,
        }
    }
}

/// A reconcile that has begun; it counts as in progress until this is dropped, however it ends.
#[derive(Debug)]
pub(crate) struct InProgress(Gauge);

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// A reconcile begins.
    pub(crate) fn begun(&self, kind: Kind) -> InProgress {
        let gauge = self.in_progress.get_or_create_owned(&KindLabels { kind });
        gauge.inc();
        InProgress(gauge)
    }

    /// A reconcile has ended at `at`, in Unix time.
    pub(crate) fn reconciled(&self, kind: Kind, outcome: Outcome, took: Duration, at: i64) {
        self.reconciles.get_or_create(&ReconcileLabels { kind, outcome }).inc();
        self.durations.get_or_create(&KindLabels { kind }).observe(took.as_secs_f64());
        self.last_reconcile.get_or_create(&KindLabels { kind }).set(at);
    }

    /// A reconcile failed because of the storage.
    pub(crate) fn storage_error(&self, class: FailureClass) {
        self.storage_errors.get_or_create(&ErrorLabels { class: class.into() }).inc();
    }

    /// A run has ended.
    pub(crate) fn run_finished(&self, reason: EndReason) {
        self.finished.get_or_create(&RunLabels::of(reason)).inc();
    }

    /// A run has left a phase after this time.
    pub(crate) fn phase_left(&self, phase: volley_api::load_test_run::Phase, after: Duration) {
        self.phases.get_or_create(&PhaseLabels { phase: phase.into() }).observe(after.as_secs_f64());
    }

    /// An object does not exist any more.
    pub(crate) fn gone(&self, kind: Kind, namespace: &str, name: &str) {
        match kind {
            Kind::LoadTest => {}
            Kind::LoadTestRun => self.runs.forget(namespace, name),
            Kind::RegionTarget => self.regions.forget(name),
        }
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

    #[track_caller]
    fn assert_line(metrics: &Metrics, line: &str) {
        let text = metrics.text();
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }

    #[test]
    fn what_was_counted_stands_in_the_text() {
        let metrics = Metrics::default();
        metrics.reconciled(Kind::LoadTestRun, Outcome::Success, Duration::from_millis(20), 1_700_000_000);
        metrics.run_finished(EndReason::ScriptFailed);
        metrics.storage_error(FailureClass::Transient);
        for line in [
            r#"volley_reconciles_total{kind="LoadTestRun",outcome="Success"} 1"#,
            r#"volley_runs_finished_total{outcome="Failed",reason="ScriptFailed"} 1"#,
            r#"volley_last_reconcile_timestamp_seconds{kind="LoadTestRun"} 1700000000"#,
            r#"volley_storage_errors_total{class="Transient"} 1"#,
        ] {
            assert_line(&metrics, line);
        }
    }

    #[test]
    fn a_reconcile_is_in_progress_until_it_is_dropped() {
        let metrics = Metrics::default();
        let reconcile = metrics.begun(Kind::LoadTest);
        assert_line(&metrics, r#"volley_reconciles_in_progress{kind="LoadTest"} 1"#);
        drop(reconcile);
        assert_line(&metrics, r#"volley_reconciles_in_progress{kind="LoadTest"} 0"#);
    }
}
