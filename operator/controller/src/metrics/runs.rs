//! The runs that have not ended: how many are in which phase, and the newest figures of each. The figures go with the end of the run.
//!
//! Filled by each reconcile of a run, read by each scrape. A restarted operator reconciles every run once, and so knows all again.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use volley_api::condition::{self, ConditionType};
use volley_api::figures;
use volley_api::load_test_run::{LiveFigures, Phase};
use volley_api::{LoadTestRun, LoadTestRunStatus};

use super::labels::{PhaseLabel, PhaseLabels};

/// Runs that are known at most; more are neither counted nor shown.
const MOST_KNOWN: usize = 10_000;
/// Runs with figures of their own at most, in the order of their names: a few hundred series each scrape.
pub(super) const MOST_SHOWN: usize = 200;
/// Percentiles of the live figures, as the label `quantile` writes them.
const QUANTILES: [&str; 3] = ["0.5", "0.95", "0.99"];
/// The phases that have not ended, in their order.
const PHASES: [PhaseLabel; 7] = [
    PhaseLabel::Pending,
    PhaseLabel::Queued,
    PhaseLabel::Provisioning,
    PhaseLabel::Ready,
    PhaseLabel::Running,
    PhaseLabel::Collecting,
    PhaseLabel::Aggregating,
];

/// Namespace and name of a run.
type Name = (String, String);

/// The runs that have not ended.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    known: Mutex<BTreeMap<Name, Known>>,
}

/// What is known of a run.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    load_test: String,
    phase: PhaseLabel,
    figures: Option<Figures>,
}

/// The newest figures of a run.
#[derive(Clone, Debug, PartialEq)]
struct Figures {
    /// The instant that they speak of, in Unix time.
    at: i64,
    users: i64,
    requests_per_second: Option<f64>,
    error_ratio: Option<f64>,
    /// In seconds, in the order of [`QUANTILES`].
    response_times: [Option<f64>; 3],
}

impl From<&LiveFigures> for Figures {
    fn from(live: &LiveFigures) -> Self {
        let seconds = |time: &Option<String>| time.as_deref().and_then(figures::seconds_of);
        Self {
            at: live.at.0.as_second(),
            users: live.users,
            requests_per_second: figures::per_second_of(&live.request_rate),
            error_ratio: figures::part_of(&live.error_rate),
            response_times: [seconds(&live.p50), seconds(&live.p95), seconds(&live.p99)],
        }
    }
}

impl Runs {
    /// A run has this phase now, and the newest figures that its status holds.
    pub(crate) fn saw(&self, run: &LoadTestRun, phase: Option<Phase>) {
        let name = (run.metadata.namespace.clone().unwrap_or_default(), run.metadata.name.clone().unwrap_or_default());
        let phase = PhaseLabel::from(phase.unwrap_or(Phase::Pending));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !PHASES.contains(&phase) {
            known.remove(&name);
        } else if known.len() < MOST_KNOWN || known.contains_key(&name) {
            let live = run.status.as_ref().and_then(|status| status.live.as_ref());
            known
                .insert(name, Known { load_test: run.spec.load_test.clone(), phase, figures: live.map(Figures::from) });
        }
    }

    /// A run does not exist any more.
    pub(super) fn forget(&self, namespace: &str, name: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(&(namespace.to_owned(), name.to_owned()));
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NameLabels {
    namespace: String,
    load_test: String,
    run: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QuantileLabels {
    namespace: String,
    load_test: String,
    run: String,
    quantile: &'static str,
}

impl Collector for Runs {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let count = |phase: PhaseLabel| known.values().filter(|run| run.phase == phase).count();
        let counts = PHASES.map(|phase| (PhaseLabels { phase }, count(phase)));
        gauges(&mut encoder, "runs", "Runs that have not ended, by phase", None, counts)?;

        let shown: Vec<_> = known
            .iter()
            .filter_map(|((namespace, run), known)| {
                let (namespace, run) = (namespace.clone(), run.clone());
                Some((NameLabels { namespace, load_test: known.load_test.clone(), run }, known.figures.as_ref()?))
            })
            .take(MOST_SHOWN)
            .collect();
        let of_each = |value: fn(&Figures) -> Option<f64>| {
            shown.iter().filter_map(move |(name, figures)| Some((name.clone(), value(figures)?)))
        };
        let users = shown.iter().map(|(name, figures)| (name.clone(), figures.users));
        gauges(&mut encoder, "run_users", "Active virtual users of a run", None, users)?;
        let rates = of_each(|figures| figures.requests_per_second);
        gauges(&mut encoder, "run_requests_per_second", "Requests per second of a run", None, rates)?;
        let errors = of_each(|figures| figures.error_ratio);
        gauges(&mut encoder, "run_error_ratio", "Share of a run's requests that failed, 0 to 1", None, errors)?;
        let times = shown.iter().flat_map(|(name, figures)| {
            QUANTILES.into_iter().zip(figures.response_times).filter_map(move |(quantile, time)| {
                let NameLabels { namespace, load_test, run } = name.clone();
                Some((QuantileLabels { namespace, load_test, run, quantile }, time?))
            })
        });
        let help = "Percentiles of a run's response times";
        gauges(&mut encoder, "run_response_time", help, Some(&Unit::Seconds), times)?;
        let instants = shown.iter().map(|(name, figures)| (name.clone(), figures.at));
        let help =
            "The instant that a run's figures speak of, in Unix time; behind the present by the lag of the live data";
        gauges(&mut encoder, "run_live_timestamp", help, Some(&Unit::Seconds), instants)
    }
}

/// One gauge with a value for each label set.
pub(super) fn gauges<L, N>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    values: impl IntoIterator<Item = (L, N)>,
) -> Result<(), fmt::Error>
where
    L: EncodeLabelSet,
    ConstGauge<N>: EncodeMetric,
{
    // A registry ends the help of its own metrics with a full stop, too.
    let mut metric = encoder.encode_descriptor(name, &format!("{help}."), unit, MetricType::Gauge)?;
    for (labels, value) in values {
        ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

/// How long a run has been in the phase of its status; `None`: the status does not tell.
pub(crate) fn phase_time(status: &LoadTestRunStatus, created: Timestamp, now: Timestamp) -> Option<Duration> {
    let since = |type_, holds: Option<bool>| {
        let found = condition::find(&status.conditions, type_)?;
        holds.is_none_or(|holds| (found.status == "True") == holds).then_some(found.last_transition_time.0)
    };
    let entered = match status.phase? {
        Phase::Pending => Some(created),
        Phase::Provisioning => since(ConditionType::Planned, Some(true)),
        Phase::Ready => since(ConditionType::Provisioned, Some(true)),
        Phase::Running => since(ConditionType::Started, Some(true)),
        Phase::Collecting => since(ConditionType::Collected, Some(false)),
        Phase::Aggregating => since(ConditionType::Collected, Some(true)),
        Phase::Queued | Phase::Succeeded | Phase::Failed | Phase::Stopped | Phase::Skipped => None,
    }?;
    Duration::try_from(now.duration_since(entered)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_test_run::plan::plan;
    use crate::load_test_run::plan::tables::{POLICY, at, closed, fresh, job, provisioned, started};
    use crate::metrics::Metrics;

    fn live(name: &str) -> LoadTestRun {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "volley.dev/v1alpha1", "kind": "LoadTestRun",
            "metadata": {"name": name, "namespace": "shop"}, "spec": {"loadTest": "checkout"},
            "status": {"live": {"at": "2026-11-25T10:00:15Z", "users": 10, "requestRate": "398/s", "errorRate": "0.12%",
                "p50": "98ms", "p95": "142ms"}}}))
        .unwrap()
    }

    #[test]
    fn the_figures_of_a_run_stand_there_until_it_ends() {
        let metrics = Metrics::default();
        metrics.runs.saw(&live("checkout-1"), Some(Phase::Running));
        let text = metrics.text();
        let name = r#"namespace="shop",load_test="checkout",run="checkout-1""#;
        for line in [
            r#"volley_runs{phase="Running"} 1"#.to_owned(),
            r#"volley_runs{phase="Queued"} 0"#.to_owned(),
            format!("volley_run_users{{{name}}} 10"),
            format!("volley_run_requests_per_second{{{name}}} 398.0"),
            format!("volley_run_error_ratio{{{name}}} 0.0012"),
            format!(r#"volley_run_response_time_seconds{{{name},quantile="0.5"}} 0.098"#),
            format!(r#"volley_run_response_time_seconds{{{name},quantile="0.95"}} 0.142"#),
            format!("volley_run_live_timestamp_seconds{{{name}}} 1795600815"),
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains(r#"quantile="0.99""#), "a percentile that is not there is not shown");
        metrics.runs.saw(&live("checkout-1"), Some(Phase::Succeeded));
        assert!(!metrics.text().contains("checkout-1"));
        metrics.runs.saw(&live("checkout-2"), Some(Phase::Running));
        metrics.runs.forget("shop", "checkout-2");
        assert!(!metrics.text().contains("checkout-2"));
    }

    #[test]
    fn a_bounded_number_of_runs_has_figures_and_all_are_counted() {
        let metrics = Metrics::default();
        for number in 0..MOST_SHOWN + 50 {
            metrics.runs.saw(&live(&format!("run-{number:05}")), Some(Phase::Running));
        }
        let text = metrics.text();
        assert_eq!(text.lines().filter(|line| line.starts_with("volley_run_users{")).count(), MOST_SHOWN);
        assert!(text.contains(&format!("volley_runs{{phase=\"Running\"}} {}\n", MOST_SHOWN + 50)));
    }

    #[test]
    fn the_time_in_a_phase_counts_from_what_brought_the_run_there() {
        let created = at("10:00:00");
        let mut waiting = fresh();
        waiting.run.status = Some(plan(&waiting, &POLICY, at("10:00:02")).status);
        let provisioning = plan(&provisioned(job(2, 1)), &POLICY, at("10:00:04")).status;
        let running = plan(&started(), &POLICY, at("10:00:15")).status;
        let aggregating = plan(&closed(None), &POLICY, at("10:00:40")).status;
        for (status, phase, seconds) in [
            (waiting.run.status.unwrap(), Phase::Pending, 60),
            (provisioning, Phase::Provisioning, 59),
            (running, Phase::Running, 45),
            (aggregating, Phase::Aggregating, 20),
        ] {
            assert_eq!(status.phase, Some(phase));
            assert_eq!(phase_time(&status, created, at("10:01:00")), Some(Duration::from_secs(seconds)), "{phase:?}");
        }
    }
}
