//! What a RegionTarget's status says, from what its cluster said, and what is done for the runs that use it or have left objects
//! there. Pure.
//!
//! # Guarantees
//!
//! * A Job is swept only where no run acts that it could belong to: the runs were listed after the Jobs.
//! * A target goes only when no run uses it any more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use volley_api::{RegionTargetStatus, labels};

use super::observed::{Observed, Probe, RunKnown};
use super::timing;
use volley_api::condition::{self, ConditionType, Status};

/// Oldest and newest minor version of Kubernetes 1 that this release is tested with.
pub const SUPPORTED_MINORS: std::ops::RangeInclusive<u32> = 35..=37;

/// Runs that are named in a message.
const NAMED_RUNS: usize = 5;

/// What is done next.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// In order.
    pub actions: Vec<Action>,
    /// What the status says.
    pub status: RegionTargetStatus,
    /// When to look again.
    pub requeue: Duration,
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Delete a Job in the target's cluster that is no run's any more.
    Sweep {
        /// Its name.
        name: String,
        /// Its uid.
        uid: String,
    },
    /// Take the note of a run's leftovers off: nothing of it is left.
    ForgetLeftovers {
        /// Uid of the run.
        run_uid: String,
    },
    /// Put our finalizer on the target: runs use it.
    Hold,
    /// Take it off.
    Release,
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
    let active = observed.jobs.as_ref().map(|jobs| jobs.iter().map(|job| job.active).sum());
    status.active_workers = active.or(status.active_workers);
    status.quota = probe.quota.as_ref().and_then(|quota| quota.as_ref().ok()).cloned();
    let reachable = reachable(probe);
    let authorized = authorized(observed);
    let compatible = compatible(probe);
    let ready = match (fault, [&reachable, &authorized, &compatible].into_iter().find(|said| said.0 != Status::True)) {
        _ if observed.is_being_deleted() => deleting(observed),
        (Some(fault), _) => (Status::False, "InvalidSpec", fault.to_owned()),
        (None, Some((status, reason, message))) => (*status, *reason, message.clone()),
        (None, None) if observed.target.spec.paused => {
            (Status::True, "Paused", "Workers can run here, but spec.paused is true: no new run starts".to_owned())
        }
        (None, None) => (Status::True, "Ready", "Workers can run here".to_owned()),
    };
    let before = status.conditions.clone();
    let leftovers = leftovers(observed);
    let leftovers_said = (!leftovers.is_empty() || condition::find(&before, ConditionType::Leftovers).is_some())
        .then(|| (ConditionType::Leftovers, say_leftovers(&leftovers)));
    for (type_, (holds, reason, message)) in [
        (ConditionType::Ready, ready),
        (ConditionType::Reachable, reachable),
        (ConditionType::Authorized, authorized),
        (ConditionType::Compatible, compatible),
    ]
    .into_iter()
    .chain(leftovers_said)
    .chain(quota_known(probe, &before).map(|said| (ConditionType::QuotaKnown, said)))
    {
        condition::set(
            &mut status.conditions,
            Condition {
                type_: type_.as_str().to_owned(),
                status: holds.as_str().to_owned(),
                reason: reason.to_owned(),
                message: condition::bounded(&message),
                observed_generation: observed.target.metadata.generation,
                last_transition_time: Time(now),
            },
        );
    }
    if status.conditions != before || status.last_probe.is_none() {
        status.last_probe = Some(Time(probe.at));
    }
    let every = match (observed.is_being_deleted(), probe.is_good() && leftovers.is_empty()) {
        (true, _) => timing::DELETION_EVERY,
        (false, true) => timing::PROBE_EVERY,
        (false, false) => timing::PROBE_AGAIN,
    };
    // A little later than the probe grows old, so that it is made anew.
    let requeue = Duration::try_from(every).unwrap_or_default() + Duration::from_millis(100);
    Plan { actions: actions(observed, &leftovers), status, requeue }
}

fn actions(observed: &Observed, leftovers: &BTreeMap<&str, &str>) -> Vec<Action> {
    let mut actions = Vec::new();
    if let Some(jobs) = &observed.jobs {
        let acts: BTreeSet<_> = observed.runs.iter().filter(|run| run.acts).map(|run| run.uid.as_str()).collect();
        let orphans = jobs.iter().filter(|job| !acts.contains(job.run_uid.as_str()));
        actions.extend(
            orphans
                .filter(|job| !job.deleting)
                .map(|job| Action::Sweep { name: job.name.clone(), uid: job.uid.clone() }),
        );
        let gone = leftovers.keys().filter(|run_uid| jobs.iter().all(|job| job.run_uid != **run_uid));
        actions.extend(gone.map(|run_uid| Action::ForgetLeftovers { run_uid: (*run_uid).to_owned() }));
    }
    let held = observed.is_held();
    let used = users(observed).next().is_some();
    if used && !held && !observed.is_being_deleted() {
        actions.push(Action::Hold);
    } else if !used && held {
        actions.push(Action::Release);
    }
    actions
}

/// The runs that use the target.
fn users(observed: &Observed) -> impl Iterator<Item = &RunKnown> {
    observed.runs.iter().filter(|run| run.acts && run.uses_target)
}

fn deleting(observed: &Observed) -> Said {
    let users: Vec<_> = users(observed).take(NAMED_RUNS).map(|run| run.name.as_str()).collect();
    let message = if users.is_empty() {
        "The target is being deleted".to_owned()
    } else {
        format!(
            "The target is being deleted and waits for its runs: {}; stop or delete them to go on",
            users.join(", ")
        )
    };
    (Status::False, "Deleting", message)
}

/// Runs whose objects may be left in the cluster: name by uid.
fn leftovers(observed: &Observed) -> BTreeMap<&str, &str> {
    let annotations = observed.target.metadata.annotations.iter().flatten();
    annotations.filter_map(|(name, run)| Some((name.strip_prefix(labels::LEFTOVER_PREFIX)?, run.as_str()))).collect()
}

fn say_leftovers(leftovers: &BTreeMap<&str, &str>) -> Said {
    if leftovers.is_empty() {
        return (Status::False, "Swept", "Nothing of ended runs is left in the cluster".to_owned());
    }
    let named: Vec<_> = leftovers.values().take(NAMED_RUNS).copied().collect();
    let message = format!(
        "The cluster could not be reached when {} runs ended, {} among them; their Jobs are deleted when it answers again",
        leftovers.len(),
        named.join(", ")
    );
    (Status::True, "RunsLeft", message)
}

type Said = (Status, &'static str, String);

fn reachable(probe: &Probe) -> Said {
    match &probe.version {
        Ok(version) => (Status::True, "Reachable", format!("The API server answers, version {version}")),
        Err(away) => (Status::False, away.reason.as_str(), away.words.clone()),
    }
}

fn authorized(observed: &Observed) -> Said {
    let namespace = &observed.target.spec.namespace;
    if observed.probe.namespace_exists == Some(false) {
        let message = format!("Namespace {namespace} does not exist in that cluster; create it");
        return (Status::False, "NamespaceMissing", message);
    }
    match &observed.probe.missing_rights {
        None => match &observed.probe.version {
            Err(away) if away.reason.is_refusal() => (Status::False, away.reason.as_str(), away.words.clone()),
            Ok(_) | Err(_) => (Status::Unknown, "NotAsked", "The cluster could not be asked".to_owned()),
        },
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

/// Whether Fargate's quota is known. It never makes a target unusable: without it a run may only wait for pods in vain.
fn quota_known(probe: &Probe, before: &[Condition]) -> Option<Said> {
    match &probe.quota {
        Some(Ok(_)) => {
            Some((Status::True, "Known", "status.quota says what the account may run on Fargate".to_owned()))
        }
        Some(Err(words)) => {
            Some((Status::False, "NotKnown", format!("Runs are planned without Fargate's quota: {words}")))
        }
        None => condition::find(before, ConditionType::QuotaKnown)
            .map(|_| (Status::Unknown, "NotAsked", "AWS could not be asked".to_owned())),
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
    use volley_api::region_target::TargetQuota;

    use super::*;
    use crate::clusters::{Away, AwayReason};
    use crate::fixtures;
    use crate::region_target::observed::JobThere;

    const NOW: &str = "2026-11-25T10:00:01Z";

    fn planned(observed: &Observed) -> Plan {
        plan(observed, None, NOW.parse().unwrap())
    }

    fn said(plan: &Plan, type_: ConditionType) -> Option<(String, String, String)> {
        let found = condition::find(&plan.status.conditions, type_)?;
        Some((found.status.clone(), found.reason.clone(), found.message.clone()))
    }

    #[test]
    fn a_target_is_held_while_a_run_uses_it_and_released_after() {
        let mut observed = observed(good());
        assert_eq!(planned(&observed).actions, [Action::Hold]);
        assert_eq!(planned(&observed).status.active_workers, Some(3));
        observed.target.metadata.finalizers = Some(vec![labels::TARGET_FINALIZER.to_owned()]);
        assert_eq!(planned(&observed).actions, []);
        observed.jobs = Some(Vec::new());
        observed.runs = vec![run("r", false, true), run("s", true, false)];
        assert_eq!(planned(&observed).actions, [Action::Release]);
    }

    #[test]
    fn a_target_that_is_deleted_waits_for_its_runs_and_names_them() {
        let mut observed = observed(good());
        observed.target.metadata.finalizers = Some(vec![labels::TARGET_FINALIZER.to_owned()]);
        observed.target.metadata.deletion_timestamp = Some(Time(NOW.parse().unwrap()));
        let waiting = planned(&observed);
        assert_eq!(waiting.actions, []);
        let (status, reason, message) = said(&waiting, ConditionType::Ready).unwrap();
        assert_eq!((status.as_str(), reason.as_str()), ("False", "Deleting"));
        assert!(message.contains("shop/r"), "{message}");
        observed.runs.clear();
        observed.jobs = Some(Vec::new());
        assert_eq!(planned(&observed).actions, [Action::Release]);
    }

    #[test]
    fn only_jobs_that_are_no_runs_any_more_are_swept() {
        let mut observed = observed(good());
        observed.target.metadata.finalizers = Some(vec![labels::TARGET_FINALIZER.to_owned()]);
        let going = JobThere { deleting: true, ..job("going", "unknown") };
        observed.jobs = Some(vec![job("j", "r"), job("ended", "e"), job("strange", "unknown"), going]);
        observed.runs.push(run("e", false, true));
        let sweep = |name: &str| Action::Sweep { name: name.to_owned(), uid: format!("{name}-uid") };
        assert_eq!(planned(&observed).actions, [sweep("ended"), sweep("strange")]);
        observed.jobs = None;
        assert_eq!(planned(&observed).actions, []);
    }

    #[test]
    fn leftovers_are_told_until_the_cluster_says_that_nothing_is_left() {
        let mut observed = observed(good());
        observed.runs.clear();
        observed.target.metadata.annotations =
            Some([(format!("{}e", labels::LEFTOVER_PREFIX), "shop/e".to_owned())].into());
        observed.jobs = None;
        let first = planned(&observed);
        assert_eq!(first.actions, []);
        let (status, _, message) = said(&first, ConditionType::Leftovers).unwrap();
        assert!(status == "True" && message.contains("shop/e"), "{message}");

        observed.jobs = Some(vec![job("left", "e")]);
        assert_eq!(planned(&observed).actions, [Action::Sweep { name: "left".into(), uid: "left-uid".into() }]);
        observed.jobs = Some(Vec::new());
        assert_eq!(planned(&observed).actions, [Action::ForgetLeftovers { run_uid: "e".into() }]);

        observed.target.metadata.annotations = None;
        observed.target.status = Some(first.status);
        assert_eq!(said(&planned(&observed), ConditionType::Leftovers).unwrap().0, "False");
    }

    #[test]
    fn a_paused_target_says_so_and_stays_ready() {
        let mut observed = observed(good());
        observed.target.spec.paused = true;
        let (status, reason, _) = said(&planned(&observed), ConditionType::Ready).unwrap();
        assert_eq!((status.as_str(), reason.as_str()), ("True", "Paused"));
    }

    fn observed(probe: Probe) -> Observed {
        Observed {
            target: fixtures::target("local"),
            operator_namespace: "volley-system".into(),
            probe,
            jobs: Some(vec![job("j", "r")]),
            runs: vec![run("r", true, true)],
        }
    }

    fn job(name: &str, run_uid: &str) -> JobThere {
        let (name, run_uid) = (name.to_owned(), run_uid.to_owned());
        JobThere { uid: format!("{name}-uid"), name, run_uid, deleting: false, active: 3 }
    }

    fn run(uid: &str, acts: bool, uses_target: bool) -> RunKnown {
        RunKnown { uid: uid.to_owned(), name: format!("shop/{uid}"), acts, uses_target }
    }

    fn good() -> Probe {
        Probe {
            at: "2026-11-25T10:00:00Z".parse().unwrap(),
            version: Ok("v1.36.3".into()),
            namespace_exists: Some(true),
            missing_rights: Some(Vec::new()),
            quota: None,
        }
    }

    #[test]
    fn an_unknown_quota_is_said_and_leaves_the_target_ready() {
        let asked = |quota: Result<TargetQuota, String>| planned(&observed(Probe { quota: Some(quota), ..good() }));
        let known = asked(Ok(TargetQuota { vcpu: 64, used: 12 }));
        assert_eq!(known.status.quota, Some(TargetQuota { vcpu: 64, used: 12 }));
        assert_eq!(said(&known, ConditionType::QuotaKnown).unwrap().0, "True");
        let unknown = asked(Err("not allowed".into()));
        assert_eq!(unknown.status.quota, None);
        let (status, _, message) = said(&unknown, ConditionType::QuotaKnown).unwrap();
        assert!(status == "False" && message.contains("not allowed"), "{message}");
        assert_eq!(said(&unknown, ConditionType::Ready).unwrap().0, "True");
        assert_eq!(said(&planned(&observed(good())), ConditionType::QuotaKnown), None);
    }

    #[rstest]
    #[case::everything_is_there(good(), "True", "Ready")]
    #[case::nobody_answers(Probe { version: Err(Away::unreachable("connection refused")), missing_rights: None, namespace_exists: None, ..good() }, "False", "Unreachable")]
    #[case::a_role_is_refused(Probe { version: Err(Away::new(AwayReason::RoleRefused, "no")), missing_rights: None, namespace_exists: None, ..good() }, "False", "RoleRefused")]
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

    #[rstest]
    #[case::nobody_answers(AwayReason::Unreachable, "Unknown", "NotAsked")]
    #[case::no_such_cluster(AwayReason::ClusterNotFound, "Unknown", "NotAsked")]
    #[case::the_token_is_refused(AwayReason::TokenRefused, "False", "TokenRefused")]
    fn a_refusal_says_that_the_operator_is_not_authorized(
        #[case] reason: AwayReason,
        #[case] status: &str,
        #[case] authorized: &str,
    ) {
        let away = Away::new(reason, "words");
        let plan =
            planned(&observed(Probe { version: Err(away), missing_rights: None, namespace_exists: None, ..good() }));
        let (found, found_reason, _) = said(&plan, ConditionType::Authorized).unwrap();
        assert_eq!((found.as_str(), found_reason.as_str()), (status, authorized));
        assert_eq!(said(&plan, ConditionType::Reachable).unwrap().1, reason.as_str());
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
