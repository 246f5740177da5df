//! What a plan does when a region is missing at the start, under both policies.

use super::*;
use volley_storage::documents::{MissingRegion, Region};

const WORDS: &str = "its API server did not answer within 8 s";

/// Two workers in each of two regions; `local` has its quorum, `other` is as given.
fn two_regions(policy: MissingRegion, other: RegionSeen) -> Observed {
    let mut observed = frozen();
    let Definiteness::Frozen(frozen) = &mut observed.definition else { unreachable!() };
    let definition = &mut frozen.definition;
    definition.start.on_missing_region = policy;
    definition.regions.push(Region { target: "other".into(), ..definition.regions[0].clone() });
    observed.regions.insert("other".into(), other);
    follow(&mut observed, at("10:00:01"));
    observed.regions.get_mut("local").unwrap().job = Some(job(2, 2));
    observed.aggregator = Some(JobSeen { uid: "aggregator-uid".into(), run_uid: uid(), ..JobSeen::default() });
    observed
}

fn away() -> RegionSeen {
    RegionSeen { away: Some(WORDS.into()), ..RegionSeen::default() }
}

fn half() -> RegionSeen {
    RegionSeen { job: Some(job(2, 1)), ..RegionSeen::default() }
}

fn without_image() -> RegionSeen {
    let waiting = Waiting { kind: WaitingKind::Image, message: "no such image".into() };
    let pod = PodSeen { waiting: Some(waiting), main_ended_at: None, alive: true };
    RegionSeen { job: Some(job(2, 0)), pods: Some(vec![pod]), ..RegionSeen::default() }
}

fn start_of(plan: &Plan) -> Option<&StartDecision> {
    plan.actions.iter().find_map(|action| if let Action::DecideStart(start) = action { Some(start) } else { None })
}

#[rstest]
#[case::away(away(), WORDS)]
#[case::with_too_few_workers(half(), "other has 1 of 2 workers at the gate")]
fn without_leave_to_go_on_there_is_no_load_anywhere(#[case] other: RegionSeen, #[case] words: &str) {
    let observed = two_regions(MissingRegion::Fail, other);
    let waiting = plan(&observed, &POLICY, at("10:15:00"));
    assert_eq!((start_of(&waiting), ended(&waiting)), (None, None));
    let over = plan(&observed, &POLICY, at("10:15:01"));
    assert_eq!((start_of(&over), ended(&over)), (None, Some(EndReason::StartTimedOut)));
    assert!(message(&over).contains("other") && message(&over).contains(words), "{}", message(&over));
}

#[rstest]
#[case::away(away(), WORDS)]
#[case::with_too_few_workers(half(), "within 15m it had 1 of 2 workers at the gate")]
fn with_leave_to_go_on_the_load_starts_at_the_deadline_without_it(#[case] other: RegionSeen, #[case] words: &str) {
    let observed = two_regions(MissingRegion::Continue, other);
    assert_eq!(start_of(&plan(&observed, &POLICY, at("10:15:00"))), None);
    let over = plan(&observed, &POLICY, at("10:15:01"));
    let start = start_of(&over).unwrap();
    assert_eq!(start.regions, ["local"]);
    assert!(start.left_out["other"].contains(words), "{start:?}");
    let provisioned = condition::find(&over.status.conditions, ConditionType::Provisioned).unwrap();
    assert!(provisioned.message.contains("the load starts without other ("), "{}", provisioned.message);
}

#[test]
fn a_region_that_cannot_get_ready_any_more_is_not_waited_for() {
    let observed = two_regions(MissingRegion::Continue, without_image());
    assert_eq!(start_of(&plan(&observed, &POLICY, at("10:02:01"))), None);
    let plan = plan(&observed, &POLICY, at("10:02:02"));
    assert!(start_of(&plan).unwrap().left_out["other"].contains("no such image"), "{plan:?}");
    let failing = super::plan(&two_regions(MissingRegion::Fail, without_image()), &POLICY, at("10:02:02"));
    assert_eq!(ended(&failing), Some(EndReason::ImageUnavailable));
}

#[test]
fn a_run_needs_one_region_at_least() {
    let mut observed = two_regions(MissingRegion::Continue, away());
    observed.regions.insert("local".into(), away());
    let plan = plan(&observed, &POLICY, at("10:15:01"));
    assert_eq!((start_of(&plan), ended(&plan)), (None, Some(EndReason::StartTimedOut)));
    assert!(message(&plan).contains("local has") && message(&plan).contains("other has"), "{}", message(&plan));
}

#[test]
fn a_broken_script_is_broken_in_every_region() {
    let other = RegionSeen { job: Some(JobSeen { script_failed: true, ..job(2, 0) }), ..RegionSeen::default() };
    let plan = plan(&two_regions(MissingRegion::Continue, other), &POLICY, at("10:00:05"));
    assert_eq!(ended(&plan), Some(EndReason::ScriptFailed));
}

#[test]
fn what_one_region_refuses_is_tried_again_there_and_goes_on_elsewhere() {
    let refusal = || ending::Refusal {
        target: Some("other".into()),
        reason: EndReason::RegionNotReady,
        message: "namespace volley-workers not found".into(),
    };
    let mut observed = two_regions(MissingRegion::Continue, RegionSeen::default());
    let create = Action::CreateWorkerJob { target: "other".into() };
    assert_eq!(plan(&observed, &POLICY, at("10:00:05")).actions, std::slice::from_ref(&create));
    observed.refusals = vec![refusal()];
    let refused = plan(&observed, &POLICY, at("10:00:05"));
    assert_eq!((refused.actions.as_slice(), ended(&refused)), ([].as_slice(), None));
    assert_eq!(refused.status.regions[1].message.as_deref(), Some("namespace volley-workers not found"));
    let mut observed = two_regions(MissingRegion::Fail, RegionSeen::default());
    observed.refusals = vec![refusal()];
    assert_eq!(ended(&plan(&observed, &POLICY, at("10:00:05"))), Some(EndReason::RegionNotReady));
}

/// Started without `other`, whose Job is still there.
fn started_without_other() -> Observed {
    let mut observed = two_regions(MissingRegion::Continue, half());
    let decided = follow(&mut observed, at("10:15:01"));
    observed.start = start_of(&decided).cloned();
    observed
}

#[test]
fn after_the_start_the_job_of_a_region_that_takes_no_part_goes_and_the_region_says_why() {
    let mut observed = started_without_other();
    let first = follow(&mut observed, at("10:15:20"));
    assert_eq!(first.actions, [Action::DeleteWorkerJob { target: "other".into(), uid: "job-uid".into() }]);
    assert!(first.status.regions[1].message.as_ref().unwrap().contains("takes no part"), "{:?}", first.status.regions);
    observed.regions.get_mut("other").unwrap().job.as_mut().unwrap().deleting = true;
    assert_eq!(plan(&observed, &POLICY, at("10:15:21")).actions, []);
}

#[test]
fn nothing_is_expected_from_it_and_nobody_of_it_is_lost() {
    let mut observed = started_without_other();
    observed.regions.get_mut("other").unwrap().job =
        Some(JobSeen { deleting: true, failed_indexes: [0, 1].into(), ..job(2, 0) });
    let running = plan(&observed, &POLICY, at("10:15:12"));
    assert_eq!((running.actions.as_slice(), ended(&running)), ([].as_slice(), None), "its workers are not missed");
    observed.manifests = [attempt(0), attempt(1), WorkerAttempt { target: "other".into(), ..attempt(0) }].into();
    let plan = plan(&observed, &POLICY, at("10:15:30"));
    let [Action::DecideClose(closing)] = plan.actions.as_slice() else { panic!("{:?}", plan.actions) };
    assert_eq!(
        (closing.attempts.as_slice(), closing.lost.as_slice()),
        ([attempt(0), attempt(1)].as_slice(), [].as_slice())
    );
}

#[test]
fn the_end_names_the_region_that_did_not_run() {
    let mut observed = closed(None);
    let mut result = result(Verdict::NotJudged, 2, 0);
    result.regions.push(volley_api::load_test_run::RegionResult {
        target: "other".into(),
        left_out: Some(WORDS.into()),
        ..Default::default()
    });
    observed.run.status.as_mut().unwrap().result = Some(result);
    let plan = plan(&observed, &POLICY, at("10:00:35"));
    assert_eq!(ended(&plan), Some(EndReason::Completed));
    assert!(message(&plan).contains(&format!("did not run: other ({WORDS})")), "{}", message(&plan));
}
