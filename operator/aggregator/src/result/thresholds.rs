//! What each threshold says of what was measured.

use volley_stats::frame::Responses;
use volley_stats::statistics::{LabelKey, Overview};
use volley_stats::{LabelStatistics, SampleKind};
use volley_storage::documents::{Threshold, ThresholdFigures};

use crate::measured::Measured;

/// Judges the thresholds in their order. `measured` watches their labels. Every rate refers to the measured interval of the run.
#[must_use]
pub fn judged(thresholds: &[Threshold], measured: &Measured) -> Vec<ThresholdFigures> {
    let interval_us = measured.interval_us();
    let judge = |threshold: &Threshold| {
        let statistics = scope(threshold, measured)?;
        threshold.criterion.judge(&Responses::from(statistics), interval_us).map_err(|error| error.to_string())
    };
    thresholds.iter().map(|threshold| ThresholdFigures::of(threshold, judge(threshold))).collect()
}

/// The requests that a threshold speaks of; the error says why they are not known.
fn scope<'a>(threshold: &Threshold, measured: &'a Measured) -> Result<&'a LabelStatistics, String> {
    let target = threshold.target.as_deref();
    let whole = match target {
        None => Some(&measured.whole),
        Some(target) => measured.regions.get(target),
    };
    let place = target.map_or_else(String::new, |target| format!(" in {target}"));
    let Some(whole) = whole else { return Err(format!("no request was measured{place}")) };
    match &threshold.label {
        None => Ok(&whole.total),
        Some(label) => {
            let statistics = labelled(label, target, measured)
                .ok_or_else(|| format!("no request with the label {label:?} was measured{place}"))?;
            known_in_full(label, statistics, &whole.overview)
        }
    }
}

/// A request's label; where no request has it, a transaction's.
fn labelled<'a>(label: &str, target: Option<&str>, measured: &'a Measured) -> Option<&'a LabelStatistics> {
    [SampleKind::Request, SampleKind::Transaction].into_iter().find_map(|kind| {
        let watched = measured.watched.get(&LabelKey { kind, name: label.into() })?;
        match target {
            None => Some(&watched.whole),
            Some(target) => watched.regions.get(target),
        }
    })
}

/// A value of a part of the requests says nothing about all of them.
fn known_in_full<'a>(
    label: &str,
    statistics: &'a LabelStatistics,
    overview: &Overview,
) -> Result<&'a LabelStatistics, String> {
    if overview.is_lower_bound(label, statistics) {
        return Err(format!(
            "a worker met more labels than it keeps apart, so some requests of {label:?} may be under [other]"
        ));
    }
    Ok(statistics)
}
