//! Thresholds as they are frozen, and what they say of a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use volley_api::load_test_run::{ThresholdOutcome, ThresholdResult};
use volley_stats::thresholds::{Amount, Comparison, Criterion, Judgement, Metric};

/// What must hold for the run to pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Threshold {
    /// Unique name.
    pub name: String,
    /// Only requests with this label.
    pub label: Option<String>,
    /// Only requests of this `RegionTarget`.
    pub target: Option<String>,
    /// What must hold of them.
    pub criterion: Criterion,
    /// When it stops the load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort: Option<Abort>,
}

/// When a missed threshold stops the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Abort {
    /// Not before this long after the start instant, in milliseconds.
    pub after_ms: u64,
    /// Seconds that are looked at together.
    pub for_seconds: u32,
}

/// What one threshold says. Its numbers are in the unit of its metric: microseconds for `average`, `min`, `max` and percentiles,
/// failed requests per million for `errorRate`, thousandths of a request per second for `requestRate`, requests for `requests`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThresholdFigures {
    /// Name of the threshold.
    pub name: String,
    /// What was looked at: `average`, `min`, `max`, a percentile such as `p99.9`, `errorRate`, `requestRate` or `requests`.
    #[schemars(with = "String")]
    pub metric: Metric,
    /// Only requests with this label; null: all requests.
    pub label: Option<String>,
    /// Only requests of this `RegionTarget`; null: all regions together.
    pub target: Option<String>,
    /// The value must be less than this; null: `above` says it.
    pub below: Option<u64>,
    /// The value must be more than this; null: `below` says it.
    pub above: Option<u64>,
    /// The value, rounded away from the limit, so that it never contradicts the outcome; null: there is none.
    pub observed: Option<u64>,
    /// What follows.
    pub outcome: ThresholdOutcome,
    /// Why it cannot be judged, for people; null where it is judged.
    pub reason: Option<String>,
}

impl ThresholdFigures {
    /// What a threshold says; the error is why it cannot be judged, for people.
    #[must_use]
    pub fn of(threshold: &Threshold, judged: Result<Judgement, String>) -> Self {
        let criterion = threshold.criterion;
        let limit = criterion.limit().number();
        let side = |side| (criterion.comparison() == side).then_some(limit);
        let (observed, outcome, reason) = match judged {
            Ok(Judgement { observed, met: true }) => (Some(observed.number()), ThresholdOutcome::Met, None),
            Ok(Judgement { observed, met: false }) => (Some(observed.number()), ThresholdOutcome::Missed, None),
            Err(reason) => (None, ThresholdOutcome::NotJudged, Some(reason)),
        };
        Self {
            name: threshold.name.clone(),
            metric: criterion.metric(),
            label: threshold.label.clone(),
            target: threshold.target.clone(),
            below: side(Comparison::Below),
            above: side(Comparison::Above),
            observed,
            outcome,
            reason,
        }
    }

    fn limit_number(&self) -> u64 {
        self.below.or(self.above).unwrap_or_default()
    }

    fn amount(&self, number: u64) -> Amount {
        Amount::new(self.metric.unit(), number)
    }
}

impl From<&ThresholdFigures> for ThresholdResult {
    /// In words. A value has three significant digits, or more where three would put it on another side of the limit.
    fn from(figures: &ThresholdFigures) -> Self {
        let label = figures.label.as_ref().map_or_else(String::new, |label| format!(" of {label}"));
        let target = figures.target.as_ref().map_or_else(String::new, |target| format!(" in {target}"));
        let side = if figures.below.is_some() { Comparison::Below } else { Comparison::Above };
        let limit = figures.amount(figures.limit_number());
        let shown = |number| Judgement::shown(figures.amount(number), limit).to_string();
        Self {
            name: figures.name.clone(),
            metric: format!("{}{label}{target}", figures.metric),
            limit: format!("{} {limit}", side.as_str()),
            observed: figures.observed.map(shown),
            outcome: figures.outcome,
            reason: figures.reason.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use volley_stats::thresholds::Unit;

    use super::*;

    fn threshold(comparison: Comparison, label: Option<&str>, target: Option<&str>) -> Threshold {
        let criterion = Criterion::new("p99".parse().unwrap(), comparison, "300ms".parse().unwrap()).unwrap();
        Threshold {
            name: "fast".into(),
            label: label.map(str::to_owned),
            target: target.map(str::to_owned),
            criterion,
            abort: None,
        }
    }

    #[test]
    fn a_judged_threshold_is_told_in_numbers_and_in_words() {
        let judged = Ok(Judgement { observed: Amount::new(Unit::Time, 299_968), met: true });
        let figures = ThresholdFigures::of(&threshold(Comparison::Below, Some("checkout"), Some("eu")), judged);
        assert_eq!(
            serde_json::to_value(&figures).unwrap(),
            serde_json::json!({"name": "fast", "metric": "p99", "label": "checkout", "target": "eu", "below": 300_000,
                "above": null, "observed": 299_968, "outcome": "Met", "reason": null})
        );
        let words = ThresholdResult::from(&figures).sentence();
        assert_eq!(words, "p99 of checkout in eu is 299.968ms, below 300ms");
    }

    #[test]
    fn a_missed_threshold_says_what_it_is_not() {
        let judged = Ok(Judgement { observed: Amount::new(Unit::Time, 142_449), met: false });
        let figures = ThresholdFigures::of(&threshold(Comparison::Above, None, None), judged);
        assert_eq!(ThresholdResult::from(&figures).sentence(), "p99 is 142ms, not above 300ms");
    }

    #[test]
    fn a_threshold_without_a_value_says_why() {
        let figures = ThresholdFigures::of(&threshold(Comparison::Above, None, None), Err("no request".into()));
        assert_eq!((figures.outcome, figures.reason.as_deref()), (ThresholdOutcome::NotJudged, Some("no request")));
        assert_eq!(ThresholdResult::from(&figures).sentence(), "no request");
    }
}
