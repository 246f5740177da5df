//! How far a region is before the start, and what that means for the run.

use std::collections::BTreeMap;

use jiff::Timestamp;
use volley_api::load_test_run::EndReason;
use volley_storage::documents::{Definition, MissingRegion, Region};

use super::ending::Conclusion;
use super::observed::{JobSeen, Observed, RegionSeen, WaitingKind};
use super::timing;

/// Longest reason for leaving out a region, in characters: it stands in documents and statuses, which are bounded.
const MAX_REASON: usize = 500;

/// How far a region is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Readiness {
    /// Its quorum is at the gate.
    Ready,
    /// Not yet; with what it has, and why not more where that is known.
    Waiting(String),
    /// It cannot get its quorum any more.
    Hopeless(Conclusion),
}

/// What follows from all regions together.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Decision {
    /// The load starts, without the regions that are named here with the reason.
    Start(BTreeMap<String, String>),
    /// Not yet; what is missing, for each region.
    Wait(Vec<String>),
    /// The run ends without load.
    End(Conclusion),
}

/// How far a region is.
pub(super) fn of(observed: &Observed, region: &Region, definition: &Definition, now: Timestamp) -> Readiness {
    let seen = observed.regions.get(&region.target);
    let job = seen.and_then(|seen| seen.job.as_ref());
    let refusal = observed.refusals.iter().find(|refusal| refusal.target.as_ref() == Some(&region.target));
    if let Some(refusal) = refusal
        && (definition.start.on_missing_region == MissingRegion::Fail || refusal.reason == EndReason::InvalidDefinition)
    {
        return Readiness::Hopeless(Conclusion::new(refusal.reason, refusal.message.clone()));
    }
    if let Some((seen, job)) = seen.zip(job)
        && let Some(conclusion) = foreign(job, observed.uid(), region)
            .or_else(|| hopeless(job, region, definition))
            .or_else(|| unable(seen, job, region, now))
    {
        return Readiness::Hopeless(conclusion);
    }
    let prepared = job.filter(|job| !job.deleting).map_or(0, |job| job.ready);
    if prepared >= quorum(region, definition) {
        return Readiness::Ready;
    }
    let why = refusal.map(|refusal| refusal.message.clone()).or_else(|| seen.and_then(obstacle));
    let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
    Readiness::Waiting(format!("{prepared} of {} workers at the gate{why}", region.workers))
}

/// What follows, `over` where the time to wait has passed. `limit` is that time in words.
pub(super) fn decide(regions: &[(&Region, Readiness)], policy: MissingRegion, over: bool, limit: &str) -> Decision {
    let mut hopeless = regions.iter().filter_map(|(_, readiness)| match readiness {
        Readiness::Hopeless(conclusion) => Some(conclusion),
        Readiness::Ready | Readiness::Waiting(_) => None,
    });
    let first_hopeless = hopeless.next();
    let missing: Vec<String> = regions.iter().filter_map(|(region, readiness)| lack(region, readiness)).collect();
    if missing.is_empty() {
        return Decision::Start(BTreeMap::new());
    }
    if let (MissingRegion::Fail, Some(conclusion)) = (policy, first_hopeless) {
        return Decision::End(conclusion.clone());
    }
    let waits = regions.iter().any(|(_, readiness)| matches!(readiness, Readiness::Waiting(_)));
    let ready = regions.iter().any(|(_, readiness)| *readiness == Readiness::Ready);
    if waits && !over {
        return Decision::Wait(missing);
    }
    if ready && policy == MissingRegion::Continue {
        return Decision::Start(
            regions.iter().filter_map(|(region, readiness)| left_out(region, readiness, limit)).collect(),
        );
    }
    Decision::End(match first_hopeless.filter(|_| !waits) {
        Some(conclusion) => Conclusion { message: missing.join("; "), ..conclusion.clone() },
        None => Conclusion::new(
            EndReason::StartTimedOut,
            format!("Too few workers were ready within {limit}: {}", missing.join("; ")),
        ),
    })
}

/// What a region lacks, for people; nothing where it is ready.
fn lack(region: &Region, readiness: &Readiness) -> Option<String> {
    match readiness {
        Readiness::Ready => None,
        Readiness::Waiting(words) => Some(format!("{} has {words}", region.target)),
        Readiness::Hopeless(conclusion) => Some(conclusion.message.clone()),
    }
}

fn left_out(region: &Region, readiness: &Readiness, limit: &str) -> Option<(String, String)> {
    let why = match readiness {
        Readiness::Ready => return None,
        Readiness::Waiting(words) => format!("within {limit} it had {words}"),
        Readiness::Hopeless(conclusion) => conclusion.message.clone(),
    };
    Some((region.target.clone(), why.chars().take(MAX_REASON).collect()))
}

/// Workers of a region that must be at the gate.
pub(super) fn quorum(region: &Region, definition: &Definition) -> u32 {
    share(region.workers, definition.start.quorum_percent)
}

/// The smallest whole number that is at least `percent` of `number`.
pub(super) fn share(number: u32, percent: u32) -> u32 {
    u32::try_from((u64::from(number) * u64::from(percent)).div_ceil(100)).unwrap_or(u32::MAX)
}

/// What keeps a region from getting ready, as far as it is known: its cluster is away, or the worst reason of its pods and how many
/// have it.
pub(super) fn obstacle(seen: &RegionSeen) -> Option<String> {
    if let Some(away) = &seen.away {
        return Some(away.clone());
    }
    let waiting: Vec<_> = seen.pods.iter().flatten().filter_map(|pod| pod.waiting.as_ref()).collect();
    let first = waiting.iter().min_by_key(|waiting| waiting.kind)?;
    let same = waiting.iter().filter(|other| other.kind == first.kind).count();
    Some(format!("{same} waiting, {}", first.message))
}

fn foreign(job: &JobSeen, run_uid: &str, region: &Region) -> Option<Conclusion> {
    (job.run_uid != run_uid).then(|| {
        Conclusion::new(
            EndReason::RegionNotReady,
            format!(
                "In namespace {} of {} a Job with the name of this run's workers exists, but belongs to another run; delete it or name the run differently",
                region.namespace, region.target
            ),
        )
    })
}

/// So many workers failed for good that the quorum cannot be reached any more.
fn hopeless(job: &JobSeen, region: &Region, definition: &Definition) -> Option<Conclusion> {
    let failed = u32::try_from(job.failed_indexes.len()).unwrap_or(u32::MAX);
    let left = if job.end.is_some() { 0 } else { region.workers.saturating_sub(failed) };
    (left < quorum(region, definition)).then(|| {
        let words = job.end.as_ref().map(|end| format!(": {} ({})", end.message, end.reason)).unwrap_or_default();
        Conclusion::new(
            EndReason::StartTimedOut,
            format!(
                "In {} {failed} of {} workers failed before the load began{words}; see the pods' logs",
                region.target, region.workers
            ),
        )
    })
}

/// Pods wait for something that does not come by waiting.
fn unable(seen: &RegionSeen, job: &JobSeen, region: &Region, now: Timestamp) -> Option<Conclusion> {
    if now < timing::after(job.ramped_at?, timing::UNABLE_LIMIT) {
        return None;
    }
    let waiting =
        seen.pods.iter().flatten().filter_map(|pod| pod.waiting.as_ref()).min_by_key(|waiting| waiting.kind)?;
    let reason = match waiting.kind {
        WaitingKind::Image => EndReason::ImageUnavailable,
        WaitingKind::Secret => EndReason::SecretUnavailable,
        WaitingKind::Capacity | WaitingKind::Crash => return None,
    };
    Some(Conclusion::new(reason, format!("In {} a worker cannot start: {}", region.target, waiting.message)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use proptest::prelude::*;

    fn any_readiness() -> impl Strategy<Value = Readiness> {
        prop_oneof![
            Just(Readiness::Ready),
            Just(Readiness::Waiting("1 of 2 workers at the gate".into())),
            Just(Readiness::Hopeless(Conclusion::new(EndReason::ImageUnavailable, "no image"))),
        ]
    }

    proptest! {
        /// By counting, which the code does not do.
        #[test]
        fn a_start_needs_all_regions_or_leave_to_go_on_and_one(
            readiness in prop::collection::vec(any_readiness(), 1..6),
            goes_on in any::<bool>(),
            over in any::<bool>(),
        ) {
            let policy = if goes_on { MissingRegion::Continue } else { MissingRegion::Fail };
            let template = fixtures::definition().regions[0].clone();
            let regions: Vec<_> = (0..readiness.len())
                .map(|place| Region { target: format!("t{place}"), ..template.clone() })
                .collect();
            let pairs: Vec<_> = regions.iter().zip(readiness.clone()).collect();
            let count = |wanted: fn(&Readiness) -> bool| readiness.iter().filter(|readiness| wanted(readiness)).count();
            let ready = count(|readiness| matches!(readiness, Readiness::Ready));
            let waiting = count(|readiness| matches!(readiness, Readiness::Waiting(_)));
            let hopeless = count(|readiness| matches!(readiness, Readiness::Hopeless(_)));
            let settled = waiting == 0 || over;
            match decide(&pairs, policy, over, "15m") {
                Decision::Start(left_out) => {
                    prop_assert!(ready > 0);
                    prop_assert_eq!(left_out.len(), readiness.len() - ready);
                    prop_assert!(left_out.is_empty() || (goes_on && settled));
                    for (place, readiness) in readiness.iter().enumerate() {
                        prop_assert_eq!(left_out.contains_key(&format!("t{place}")), *readiness != Readiness::Ready);
                    }
                }
                Decision::Wait(missing) => {
                    prop_assert!(!settled && (goes_on || hopeless == 0));
                    prop_assert_eq!(missing.len(), waiting + hopeless);
                }
                Decision::End(conclusion) => {
                    prop_assert!(ready < readiness.len());
                    let expected = if goes_on { ready == 0 && settled } else { hopeless > 0 || over };
                    prop_assert!(expected);
                    prop_assert!(!conclusion.message.is_empty());
                }
            }
        }
    }
}
