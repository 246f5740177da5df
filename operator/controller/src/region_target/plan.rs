//! What a RegionTarget's status says, from what its cluster said. Pure. A target needs no actions: its status is all.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use volley_api::RegionTargetStatus;

use super::observed::{Observed, Probe};
use super::timing;
use volley_api::condition::{self, ConditionType, Status};

/// Oldest and newest minor version of Kubernetes 1 that this release is tested with.
pub const SUPPORTED_MINORS: std::ops::RangeInclusive<u32> = 35..=37;

/// What is done next.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What the status says.
    pub status: RegionTargetStatus,
    /// When to look again.
    pub requeue: Duration,
}

/// What to do next; `fault` is what is wrong with the spec.
#[must_use]
pub fn plan(observed: &Observed, fault: Option<&str>, now: Timestamp) -> Plan {
    let mut status = observed.target.status.clone().unwrap_or_default();
    let probe = &observed.probe;
    status.observed_generation = observed.target.metadata.generation;
    if let Ok(version) = &probe.version {
        status.kubernetes_version = Some(version.clone());
    }
    status.active_workers = observed.active_workers.or(status.active_workers);
    let reachable = reachable(probe);
    let authorized = authorized(observed);
    let compatible = compatible(probe);
    let ready = match (fault, [&reachable, &authorized, &compatible].into_iter().find(|said| said.0 != Status::True)) {
        (Some(fault), _) => (Status::False, "InvalidSpec", fault.to_owned()),
        (None, Some((status, reason, message))) => (*status, *reason, message.clone()),
        (None, None) => (Status::True, "Ready", "Workers can run here".to_owned()),
    };
    let before = status.conditions.clone();
    for (type_, (holds, reason, message)) in [
        (ConditionType::Ready, ready),
        (ConditionType::Reachable, reachable),
        (ConditionType::Authorized, authorized),
        (ConditionType::Compatible, compatible),
    ] {
        condition::set(
            &mut status.conditions,
            Condition {
                type_: type_.as_str().to_owned(),
                status: holds.as_str().to_owned(),
                reason: reason.to_owned(),
                message,
                observed_generation: observed.target.metadata.generation,
                last_transition_time: Time(now),
            },
        );
    }
    if status.conditions != before || status.last_probe.is_none() {
        status.last_probe = Some(Time(probe.at));
    }
    let every = if probe.is_good() { timing::PROBE_EVERY } else { timing::PROBE_AGAIN };
    // A little later than the probe grows old, so that it is made anew.
    Plan { status, requeue: Duration::try_from(every).unwrap_or_default() + Duration::from_millis(100) }
}

type Said = (Status, &'static str, String);

fn reachable(probe: &Probe) -> Said {
    match &probe.version {
        Ok(version) => (Status::True, "Reachable", format!("The API server answers, version {version}")),
        Err(words) => (Status::False, "Unreachable", words.clone()),
    }
}

fn authorized(observed: &Observed) -> Said {
    let namespace = &observed.target.spec.namespace;
    if observed.probe.namespace_exists == Some(false) {
        let message = format!("Namespace {namespace} does not exist in that cluster; create it");
        return (Status::False, "NamespaceMissing", message);
    }
    match &observed.probe.missing_rights {
        None => (Status::Unknown, "NotAsked", "The cluster could not be asked".to_owned()),
        Some(missing) if missing.is_empty() => {
            (Status::True, "Authorized", format!("All rights that are needed in namespace {namespace} are there"))
        }
        Some(missing) => {
            let message = format!(
                "In namespace {namespace} the operator may not: {}; bind the role of the chart there",
                missing.join(", ")
            );
            (Status::False, "RightsMissing", message)
        }
    }
}

fn compatible(probe: &Probe) -> Said {
    let Ok(version) = &probe.version else {
        return (Status::Unknown, "NotAsked", "The cluster could not be asked".to_owned());
    };
    let minor = minor(version);
    let range = format!("1.{} to 1.{}", SUPPORTED_MINORS.start(), SUPPORTED_MINORS.end());
    match minor {
        Some(minor) if minor < *SUPPORTED_MINORS.start() => {
            (Status::False, "TooOld", format!("Kubernetes {version} is too old; {range} are supported"))
        }
        // Newer versions keep what is stable; refusing them would break a target by an upgrade of its cluster.
        Some(minor) if minor > *SUPPORTED_MINORS.end() => {
            (Status::True, "Untested", format!("Kubernetes {version} is newer than {range}, which are tested"))
        }
        Some(_) => (Status::True, "Compatible", format!("Kubernetes {version} is supported")),
        None => (Status::False, "UnknownVersion", format!("The version {version:?} is none that is known")),
    }
}

/// The minor version of `v1.36.3` or `v1.36.3-eks-1`.
fn minor(version: &str) -> Option<u32> {
    let rest = version.strip_prefix('v')?.strip_prefix("1.")?;
    rest.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::fixtures;

    fn observed(probe: Probe) -> Observed {
        Observed {
            target: fixtures::target("local"),
            operator_namespace: "volley-system".into(),
            probe,
            active_workers: Some(3),
        }
    }

    fn good() -> Probe {
        Probe {
            at: "2026-11-25T10:00:00Z".parse().unwrap(),
            version: Ok("v1.36.3".into()),
            namespace_exists: Some(true),
            missing_rights: Some(Vec::new()),
        }
    }

    #[rstest]
    #[case::everything_is_there(good(), "True", "Ready")]
    #[case::nobody_answers(Probe { version: Err("connection refused".into()), missing_rights: None, namespace_exists: None, ..good() }, "False", "Unreachable")]
    #[case::the_namespace_is_missing(Probe { namespace_exists: Some(false), ..good() }, "False", "NamespaceMissing")]
    #[case::a_right_is_missing(Probe { missing_rights: Some(vec!["patch jobs.batch".into()]), ..good() }, "False", "RightsMissing")]
    #[case::an_old_cluster(Probe { version: Ok("v1.34.9-eks-113cf36".into()), ..good() }, "False", "TooOld")]
    #[case::a_newer_cluster(Probe { version: Ok("v1.38.0".into()), ..good() }, "True", "Ready")]
    #[case::no_version_at_all(Probe { version: Ok("banana".into()), ..good() }, "False", "UnknownVersion")]
    fn ready_says_the_first_thing_that_is_missing(#[case] probe: Probe, #[case] status: &str, #[case] reason: &str) {
        let plan = plan(&observed(probe), None, "2026-11-25T10:00:01Z".parse().unwrap());
        let ready = condition::find(&plan.status.conditions, ConditionType::Ready).unwrap();
        assert_eq!((ready.status.as_str(), ready.reason.as_str()), (status, reason), "{}", ready.message);
    }

    #[test]
    fn the_same_outcome_later_changes_nothing() {
        let mut observed = observed(good());
        let first = plan(&observed, None, "2026-11-25T10:00:01Z".parse().unwrap());
        observed.target.status = Some(first.status.clone());
        observed.probe.at = "2026-11-25T10:05:00Z".parse().unwrap();
        let second = plan(&observed, None, "2026-11-25T10:05:01Z".parse().unwrap());
        assert_eq!(first.status, second.status);
    }

    #[test]
    fn the_operators_own_namespace_is_refused() {
        let mut observed = observed(good());
        observed.operator_namespace = observed.target.spec.namespace.clone();
        let fault = super::super::validate::validate(&observed).unwrap();
        let plan = plan(&observed, Some(&fault), "2026-11-25T10:00:01Z".parse().unwrap());
        let ready = condition::find(&plan.status.conditions, ConditionType::Ready).unwrap();
        assert_eq!(ready.reason, "InvalidSpec");
        assert!(ready.message.contains("volley-workers"));
    }
}
