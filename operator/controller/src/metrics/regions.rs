//! The `RegionTargets`: can runs start there, does the cluster answer, what is there. Filled by each reconcile of a target.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet};
use volley_api::condition::{self, ConditionType};
use volley_api::{RegionTarget, RegionTargetStatus, labels};

use super::runs::gauges;

/// Targets that are known at most; more are not shown.
const MOST_KNOWN: usize = 1_000;

/// What is known of the targets, by name.
#[derive(Debug, Default)]
pub(crate) struct Regions {
    known: Mutex<BTreeMap<String, Known>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    ready: bool,
    reachable: bool,
    active_workers: Option<i64>,
    leftover_runs: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TargetLabels {
    target: String,
}

impl Regions {
    /// A target has this status now.
    pub(crate) fn saw(&self, target: &RegionTarget, status: &RegionTargetStatus) {
        let name = target.metadata.name.clone().unwrap_or_default();
        let annotations = target.metadata.annotations.iter().flatten();
        let seen = Known {
            ready: condition::is_true(&status.conditions, ConditionType::Ready),
            reachable: condition::is_true(&status.conditions, ConditionType::Reachable),
            active_workers: status.active_workers,
            leftover_runs: annotations.filter(|(name, _)| name.starts_with(labels::LEFTOVER_PREFIX)).count(),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MOST_KNOWN || known.contains_key(&name) {
            known.insert(name, seen);
        }
    }

    /// A target does not exist any more.
    pub(super) fn forget(&self, name: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

impl Collector for Regions {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let of_each = |value: fn(&Known) -> Option<i64>| {
            known
                .iter()
                .filter_map(move |(target, known)| Some((TargetLabels { target: target.clone() }, value(known)?)))
        };
        let ready = of_each(|known| Some(i64::from(known.ready)));
        gauges(&mut encoder, "region_ready", "1 where the RegionTarget is Ready, else 0", None, ready)?;
        let reachable = of_each(|known| Some(i64::from(known.reachable)));
        let help = "1 where the API server of the RegionTarget's cluster answers, else 0";
        gauges(&mut encoder, "region_reachable", help, None, reachable)?;
        let workers = of_each(|known| known.active_workers);
        gauges(
            &mut encoder,
            "region_active_workers",
            "Worker pods that have not ended, by RegionTarget",
            None,
            workers,
        )?;
        let leftovers = of_each(|known| i64::try_from(known.leftover_runs).ok());
        let help = "Runs that ended while the cluster could not be reached, so that their Jobs may still be there";
        gauges(&mut encoder, "region_leftover_runs", help, None, leftovers)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures;
    use crate::metrics::Metrics;

    #[test]
    fn a_target_is_shown_until_it_is_deleted() {
        let metrics = Metrics::default();
        let mut target = fixtures::target("eu");
        target.metadata.annotations = Some([(format!("{}e", labels::LEFTOVER_PREFIX), "shop/e".to_owned())].into());
        let status = serde_json::from_value(json!({"activeWorkers": 3, "conditions": [
            {"type": "Ready", "status": "False", "reason": "RightsMissing", "message": "", "lastTransitionTime": "2026-11-25T09:00:00Z"},
            {"type": "Reachable", "status": "True", "reason": "Reachable", "message": "", "lastTransitionTime": "2026-11-25T09:00:00Z"}]}))
        .unwrap();
        metrics.regions.saw(&target, &status);
        let text = metrics.text();
        for line in [
            r#"volley_region_ready{target="eu"} 0"#,
            r#"volley_region_reachable{target="eu"} 1"#,
            r#"volley_region_active_workers{target="eu"} 3"#,
            r#"volley_region_leftover_runs{target="eu"} 1"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
        metrics.regions.forget("eu");
        assert!(!metrics.text().contains(r#"target="eu""#));
    }
}
