//! One case for each decision: what was seen, and what is done or said.

mod away;
mod closing;
mod missing_region;
mod thresholds;

use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use serde_json::json;
use volley_api::LoadTestRun;
use volley_api::condition::{self, ConditionType};
use volley_api::load_test_run::{EndReason, Phase, RunResult, Verdict};
use volley_storage::documents::{
    CloseDecision, FailedStage, LateWorkers, StartDecision, StopDecision, StopReason, WorkerFailure,
};
use volley_storage::keys::WorkerAttempt;

use super::*;
use crate::capacity::{Limit, Resource, Shortage};
use crate::definition::Problem;
use crate::fixtures;
use observed::{Frozen, JobEnd, JobSeen, PodSeen, RegionSeen, Rival, RivalState, Waiting, WaitingKind};

pub(crate) fn at(text: &str) -> Timestamp {
    format!("2026-11-25T{text}Z").parse().unwrap()
}

pub(crate) const POLICY: Policy = Policy { start_delay: SignedDuration::from_secs(5) };

fn uid() -> String {
    fixtures::definition().run.uid
}

/// A run that was just created and adopted, with its LoadTest.
pub(crate) fn fresh() -> Observed {
    let load_test = fixtures::load_test(json!({}));
    let run: LoadTestRun = serde_json::from_value(json!({
        "apiVersion": "volley.dev/v1alpha1",
        "kind": "LoadTestRun",
        "metadata": {
            "name": "checkout-1", "namespace": "shop", "uid": uid(), "generation": 1, "resourceVersion": "9",
            "creationTimestamp": "2026-11-25T10:00:00Z",
            "finalizers": ["volley.dev/run"], "labels": {"volley.dev/load-test": "checkout"},
            "ownerReferences": [{"apiVersion": "volley.dev/v1alpha1", "kind": "LoadTest", "name": "checkout", "uid": "test-uid"}],
        },
        "spec": {"loadTest": "checkout"},
    }))
    .unwrap();
    let candidate = crate::definition::Candidate {
        definition: fixtures::definition(),
        sources: [("b".repeat(64), b"abc".to_vec())].into(),
    };
    Observed {
        run,
        load_test: Some(load_test),
        rivals: Vec::new(),
        definition: Definiteness::Open(Ok(Box::new(candidate))),
        regions: [].into(),
        aggregator: None,
        start: None,
        stop: None,
        close: None,
        manifests: [].into(),
        shortage: None,
        refusals: Vec::new(),
    }
}

pub(crate) fn claimed() -> Observed {
    let mut observed = fresh();
    observed.load_test.as_mut().unwrap().status = Some(serde_json::from_value(json!({"active": [uid()]})).unwrap());
    observed
}

fn frozen() -> Observed {
    let mut observed = claimed();
    let (definition, digest) = (fixtures::definition(), "d".repeat(64));
    observed.definition =
        Definiteness::Frozen(Box::new(Frozen { definition, digest, location: "s3://volley/definition".into() }));
    observed.regions.insert("local".into(), RegionSeen::default());
    observed
}

/// The status of the plan before is what is seen next.
pub(crate) fn follow(observed: &mut Observed, now: Timestamp) -> Plan {
    let plan = plan(observed, &POLICY, now);
    observed.run.status = Some(plan.status.clone());
    plan
}

pub(crate) fn job(parallelism: u32, ready: u32) -> JobSeen {
    JobSeen {
        uid: "job-uid".into(),
        run_uid: uid(),
        parallelism,
        active: parallelism,
        ready,
        ramped_at: (parallelism > 0).then(|| at("10:00:02")),
        ..JobSeen::default()
    }
}

/// Planned, with the given worker Job and an aggregator.
pub(crate) fn provisioned(job: JobSeen) -> Observed {
    let mut observed = frozen();
    follow(&mut observed, at("10:00:01"));
    observed.regions.get_mut("local").unwrap().job = Some(job);
    observed.aggregator = Some(JobSeen { uid: "aggregator-uid".into(), run_uid: uid(), ..JobSeen::default() });
    observed
}

/// The start is decided, two workers of two are at the gate.
pub(crate) fn started() -> Observed {
    let mut observed = provisioned(job(2, 2));
    follow(&mut observed, at("10:00:05"));
    observed.start = Some(StartDecision {
        version: 1,
        start_at: at("10:00:10"),
        regions: vec!["local".into()],
        late_workers: LateWorkers::Refuse,
        left_out: [].into(),
    });
    observed
}

fn attempt(index: u32) -> WorkerAttempt {
    WorkerAttempt { target: "local".into(), index, pod_uid: format!("pod-{index}") }
}

fn stop(reason: StopReason, at: Timestamp) -> StopDecision {
    StopDecision { version: 1, reason, message: "too hot".into(), at }
}

pub(crate) fn closed(stopped: Option<StopReason>) -> Observed {
    let mut observed = started();
    follow(&mut observed, at("10:00:30"));
    observed.stop = stopped.map(|reason| stop(reason, at("10:00:28")));
    observed.close =
        Some(CloseDecision { version: 1, at: at("10:00:31"), workers: vec![], stopped, asked_at: BTreeMap::new() });
    observed
}

pub(crate) fn result(verdict: Verdict, started: i64, partial: i64) -> RunResult {
    serde_json::from_value(json!({
        "requests": 100, "errors": 1, "errorRate": "1%", "requestRate": "10/s", "bytes": 1, "verdict": verdict,
        "coverage": {"workersPlanned": 2, "workersMeasured": started, "partial": partial, "complete": started == 2},
        "regions": [{"target": "local", "started": started, "lost": 2 - started, "partial": partial}],
        "location": "s3://volley/result"}))
    .unwrap()
}

fn ended(plan: &Plan) -> Option<EndReason> {
    let conditions = &plan.status.conditions;
    condition::is_true(conditions, ConditionType::Finished)
        .then(|| condition::find(conditions, ConditionType::Succeeded).unwrap().reason.parse().unwrap())
}

fn message(plan: &Plan) -> &str {
    &condition::find(&plan.status.conditions, ConditionType::Succeeded).unwrap().message
}

#[test]
fn a_new_run_is_adopted_before_anything_else() {
    let mut observed = fresh();
    observed.run.metadata.finalizers = None;
    let plan = plan(&observed, &POLICY, at("10:00:00"));
    assert_eq!(plan.actions, [Action::Adopt]);
}

#[test]
fn then_it_takes_the_claim_and_nothing_more() {
    let plan = plan(&fresh(), &POLICY, at("10:00:00"));
    assert_eq!(plan.actions, [Action::SetActive(vec![uid()])]);
    assert_eq!(plan.status.phase, Some(Phase::Pending));
}

#[rstest]
#[case::an_active_run_forbids_it(RivalState::Active, Some(EndReason::ConcurrencyForbidden), false)]
#[case::an_ended_one_that_is_being_cleaned_is_waited_for(RivalState::Ending, None, false)]
#[case::the_claim_of_a_deleted_one_means_nothing(RivalState::Gone, None, true)]
fn another_run_in_the_claim(#[case] state: RivalState, #[case] end: Option<EndReason>, #[case] claims: bool) {
    let mut observed = fresh();
    observed.rivals = vec![Rival { uid: "other".into(), name: Some("checkout-0".into()), state }];
    let plan = plan(&observed, &POLICY, at("10:00:00"));
    assert_eq!(ended(&plan), end);
    assert_eq!(plan.actions.contains(&Action::SetActive(vec![uid()])), claims);
    if end.is_some() {
        assert!(message(&plan).contains("checkout-0"), "{}", message(&plan));
        assert_eq!(plan.status.phase, Some(Phase::Skipped));
    }
}

#[test]
fn an_on_change_run_of_an_older_definition_is_superseded_and_a_once_run_is_not() {
    let mut observed = fresh();
    observed.run.spec.definition_digest = Some(format!("v1:{}", "0".repeat(64)));
    assert_eq!(ended(&plan(&observed, &POLICY, at("10:00:00"))), None);
    observed.load_test.as_mut().unwrap().spec.trigger = Some(volley_api::load_test::Trigger::OnChange);
    assert_eq!(ended(&plan(&observed, &POLICY, at("10:00:00"))), Some(EndReason::Superseded));
}

#[test]
fn with_the_claim_the_definition_is_frozen() {
    let plan = plan(&claimed(), &POLICY, at("10:00:01"));
    assert!(matches!(plan.actions.as_slice(), [Action::Freeze(_)]));
}

#[rstest]
#[case::a_missing_source(Problem::SourceNotFound { namespace: "shop".into(), name: "scripts".into(), missing: "does not exist".into() }, EndReason::SourceUnavailable)]
#[case::a_missing_target(Problem::TargetNotFound { target: "mars".into() }, EndReason::TargetNotFound)]
#[case::a_target_that_is_paused(Problem::RegionPaused { target: "local".into() }, EndReason::RegionNotReady)]
#[case::a_quota_that_is_used_up(Problem::QuotaExceeded { target: "local".into(), region: "us-east-1".into(), wanted: 2, free: 1, vcpu: 6 }, EndReason::QuotaExceeded)]
#[case::a_target_that_is_not_ready(Problem::RegionNotReady { target: "local".into(), message: "down".into() }, EndReason::RegionNotReady)]
fn what_may_heal_is_waited_for_sixty_seconds(#[case] problem: Problem, #[case] reason: EndReason) {
    let mut observed = claimed();
    let words = problem.to_string();
    observed.definition = Definiteness::Open(Err(problem));
    let waiting = plan(&observed, &POLICY, at("10:00:59"));
    assert_eq!(ended(&waiting), None);
    assert!(waiting.requeue.unwrap() <= Duration::from_secs(1));
    let given_up = plan(&observed, &POLICY, at("10:01:00"));
    assert_eq!(ended(&given_up), Some(reason));
    assert!(message(&given_up).contains(&words));
}

#[rstest]
#[case(Problem::Invalid { message: "both size and resources".into() }, EndReason::InvalidDefinition)]
#[case(Problem::NamespaceNotAllowed { target: "local".into(), namespace: "shop".into() }, EndReason::NamespaceNotAllowed)]
fn what_does_not_heal_ends_the_run_at_once(#[case] problem: Problem, #[case] reason: EndReason) {
    let mut observed = claimed();
    observed.definition = Definiteness::Open(Err(problem));
    assert_eq!(ended(&plan(&observed, &POLICY, at("10:00:01"))), Some(reason));
}

#[test]
fn a_run_without_its_load_test_waits_and_then_says_which_is_missing() {
    let mut observed = fresh();
    observed.load_test = None;
    observed.definition = Definiteness::Unknown;
    assert_eq!(ended(&plan(&observed, &POLICY, at("10:00:30"))), None);
    let plan = plan(&observed, &POLICY, at("10:01:30"));
    assert_eq!(ended(&plan), Some(EndReason::InvalidDefinition));
    assert!(message(&plan).contains("shop/checkout"));
}

#[test]
fn the_plan_is_written_before_a_job_is_made() {
    let mut observed = frozen();
    let first = follow(&mut observed, at("10:00:01"));
    assert_eq!(first.actions, []);
    let described = first.status.plan.unwrap();
    assert_eq!((described.workers, described.duration.as_str()), (2, "10s"));
    assert_eq!(described.vcpu.as_deref(), Some("2"));
    assert_eq!(described.starts_by.unwrap().0, at("10:15:01"));
    let second = plan(&observed, &POLICY, at("10:00:01"));
    assert_eq!(second.actions, [Action::CreateWorkerJob { target: "local".into() }, Action::CreateAggregatorJob]);
    assert_eq!(second.status.phase, Some(Phase::Provisioning));
}

#[test]
fn a_run_that_does_not_fit_ends_before_anything_is_made_or_planned() {
    let mut observed = frozen();
    let limit = Limit { name: "spec.capacity.maxWorkers".into(), resource: Resource::Workers, most: 5, used: 4 };
    observed.shortage = Some(Shortage { target: "local".into(), limit, wanted: 2 });
    let plan = plan(&observed, &POLICY, at("10:00:01"));
    assert_eq!((ended(&plan), plan.actions.as_slice()), (Some(EndReason::QuotaExceeded), [].as_slice()));
    assert_eq!(plan.status.plan, None);
    for words in ["RegionTarget local", "2 workers are wanted", "1 workers are free", "spec.capacity.maxWorkers"] {
        assert!(message(&plan).contains(words), "{}", message(&plan));
    }
}

#[test]
fn no_job_is_made_without_the_claim() {
    let mut observed = frozen();
    follow(&mut observed, at("10:00:01"));
    observed.load_test.as_mut().unwrap().status = None;
    assert_eq!(plan(&observed, &POLICY, at("10:00:02")).actions, [Action::SetActive(vec![uid()])]);
}

#[test]
fn the_first_pods_come_after_what_they_need() {
    let plan = plan(&provisioned(job(0, 0)), &POLICY, at("10:00:02"));
    assert_eq!(
        plan.actions,
        [
            Action::CreateRunSecret { target: "local".into(), job_uid: "job-uid".into() },
            Action::Ramp { target: "local".into(), parallelism: 2, at: at("10:00:02") },
        ]
    );
}

#[test]
fn the_start_is_decided_when_the_quorum_is_there_and_not_before() {
    assert_eq!(plan(&provisioned(job(2, 1)), &POLICY, at("10:00:05")).actions, []);
    let plan = plan(&provisioned(job(2, 2)), &POLICY, at("10:00:05"));
    let [Action::DecideStart(decision)] = plan.actions.as_slice() else { panic!("{:?}", plan.actions) };
    assert_eq!(decision.start_at, at("10:00:10"));
    assert_eq!(plan.status.phase, Some(Phase::Ready));
    assert_eq!(plan.status.regions[0].prepared, 2);
}

#[test]
fn a_quorum_of_half_starts_with_half() {
    let mut observed = provisioned(job(2, 1));
    let Definiteness::Frozen(frozen) = &mut observed.definition else { unreachable!() };
    frozen.definition.start.quorum_percent = 50;
    assert!(matches!(plan(&observed, &POLICY, at("10:00:05")).actions.as_slice(), [Action::DecideStart(_)]));
}

#[test]
fn a_start_that_does_not_come_in_time_ends_the_run_and_says_what_was_missing() {
    let observed = provisioned(job(2, 1));
    assert_eq!(ended(&plan(&observed, &POLICY, at("10:15:00"))), None);
    let plan = plan(&observed, &POLICY, at("10:15:01"));
    assert_eq!(ended(&plan), Some(EndReason::StartTimedOut));
    assert!(message(&plan).contains("local has 1 of 2 workers at the gate"), "{}", message(&plan));
}

#[test]
fn a_broken_script_ends_the_run_with_the_engines_words() {
    let mut observed = provisioned(JobSeen { script_failed: true, ..job(2, 0) });
    observed.regions.get_mut("local").unwrap().failures = vec![WorkerFailure {
        version: 1,
        stage: FailedStage::Script,
        file: Some("script.py".into()),
        line: Some(3),
        words: "SyntaxError: invalid syntax".into(),
    }];
    let plan = plan(&observed, &POLICY, at("10:00:20"));
    assert_eq!(ended(&plan), Some(EndReason::ScriptFailed));
    assert_eq!(message(&plan), "script.py, line 3: SyntaxError: invalid syntax");
}

#[rstest]
#[case::an_image(WaitingKind::Image, Some(EndReason::ImageUnavailable))]
#[case::a_secret(WaitingKind::Secret, Some(EndReason::SecretUnavailable))]
#[case::room_on_a_node_may_come(WaitingKind::Capacity, None)]
fn pods_that_wait_for_what_does_not_come_end_the_run_after_two_minutes(
    #[case] kind: WaitingKind,
    #[case] reason: Option<EndReason>,
) {
    let mut observed = provisioned(job(2, 0));
    let waiting = Some(Waiting { kind, message: "container taurus: ErrImagePull".into() });
    observed.regions.get_mut("local").unwrap().pods = Some(vec![PodSeen { waiting, alive: true, main_ended_at: None }]);
    let early = plan(&observed, &POLICY, at("10:01:00"));
    assert_eq!(ended(&early), None);
    assert!(early.status.regions[0].message.as_ref().unwrap().contains("ErrImagePull"));
    assert_eq!(ended(&plan(&observed, &POLICY, at("10:02:02"))), reason);
}

#[test]
fn workers_that_fail_for_good_before_the_start_end_the_run_before_its_time() {
    let plan = plan(&provisioned(JobSeen { failed_indexes: [1].into(), ..job(2, 1) }), &POLICY, at("10:00:30"));
    assert_eq!(ended(&plan), Some(EndReason::StartTimedOut));
    assert!(message(&plan).contains("1 of 2 workers failed"));
}

#[test]
fn a_job_of_that_name_that_belongs_to_another_run_is_not_touched() {
    let mut observed = provisioned(JobSeen { run_uid: "another".into(), ..job(2, 2) });
    let first = follow(&mut observed, at("10:00:05"));
    assert_eq!(ended(&first), Some(EndReason::RegionNotReady));
    let cleaning = plan(&observed, &POLICY, at("10:00:06"));
    assert!(!cleaning.actions.iter().any(|action| matches!(action, Action::DeleteWorkerJob { .. })));
}

#[test]
fn what_a_server_refuses_for_good_ends_the_run_with_its_words() {
    let mut observed = provisioned(job(0, 0));
    observed.refusals = vec![ending::Refusal {
        target: Some("local".into()),
        reason: EndReason::QuotaExceeded,
        message: "exceeded quota: jobs".into(),
    }];
    let plan = plan(&observed, &POLICY, at("10:00:03"));
    assert_eq!((ended(&plan), message(&plan)), (Some(EndReason::QuotaExceeded), "exceeded quota: jobs"));
}

#[rstest]
#[case::before_the_instant("10:00:09", Phase::Ready)]
#[case::during_the_load("10:00:15", Phase::Running)]
#[case::after_the_load("10:00:20", Phase::Collecting)]
fn the_phase_follows_the_clock(#[case] now: &str, #[case] phase: Phase) {
    let plan = plan(&started(), &POLICY, at(now));
    assert_eq!((plan.status.phase, plan.actions), (Some(phase), vec![]));
}

#[test]
fn no_worker_job_is_made_after_the_start() {
    let mut observed = started();
    observed.regions.get_mut("local").unwrap().job = None;
    let plan = plan(&observed, &POLICY, at("10:00:15"));
    assert!(!plan.actions.iter().any(|action| matches!(action, Action::CreateWorkerJob { .. })), "{:?}", plan.actions);
}

#[test]
fn a_requested_stop_is_written_once() {
    let mut observed = started();
    observed.run.spec.stop = Some(volley_api::load_test_run::Stop { reason: "too hot".into() });
    let first = plan(&observed, &POLICY, at("10:00:15"));
    assert_eq!(first.actions, [Action::DecideStop(stop(StopReason::Requested, at("10:00:15")))]);
    observed.stop = Some(stop(StopReason::Requested, at("10:00:15")));
    assert_eq!(plan(&observed, &POLICY, at("10:00:16")).actions, []);
}

#[rstest]
#[case::one_of_twenty_is_allowed(1, false)]
#[case::two_of_twenty_are_allowed(2, false)]
#[case::three_are_too_many(3, true)]
fn below_ninety_percent_the_load_is_stopped(#[case] lost: u32, #[case] stops: bool) {
    let mut observed = started();
    let Definiteness::Frozen(frozen) = &mut observed.definition else { unreachable!() };
    frozen.definition.regions[0].workers = 20;
    observed.run.status.as_mut().unwrap().regions[0].prepared = 20;
    observed.regions.get_mut("local").unwrap().job =
        Some(JobSeen { failed_indexes: (0..lost).collect(), ..job(20, 20 - lost) });
    let plan = plan(&observed, &POLICY, at("10:00:15"));
    let stopped = plan
        .actions
        .iter()
        .any(|action| matches!(action, Action::DecideStop(decision) if decision.reason == StopReason::WorkersLost));
    assert_eq!(stopped, stops);
}

#[test]
fn workers_that_never_reached_the_gate_are_not_lost_when_they_are_refused() {
    let mut observed = started();
    let Definiteness::Frozen(frozen) = &mut observed.definition else { unreachable!() };
    frozen.definition.regions[0].workers = 4;
    observed.regions.get_mut("local").unwrap().job = Some(JobSeen { failed_indexes: [2, 3].into(), ..job(4, 2) });
    assert_eq!(plan(&observed, &POLICY, at("10:00:15")).actions, []);
}

#[test]
fn a_stop_without_effect_deletes_the_job() {
    let mut observed = started();
    observed.stop = Some(stop(StopReason::Requested, at("10:00:15")));
    assert_eq!(plan(&observed, &POLICY, at("10:02:29")).actions, []);
    let plan = plan(&observed, &POLICY, at("10:02:30"));
    assert_eq!(plan.actions, [Action::DeleteWorkerJob { target: "local".into(), uid: "job-uid".into() }]);
}

#[test]
fn workers_that_only_upload_are_left_to_it() {
    let mut observed = started();
    observed.stop = Some(stop(StopReason::Requested, at("10:00:15")));
    let pod = PodSeen { alive: true, waiting: None, main_ended_at: Some(at("10:02:00")) };
    observed.regions.get_mut("local").unwrap().pods = Some(vec![pod]);
    assert_eq!(plan(&observed, &POLICY, at("10:02:30")).actions, []);
}

#[test]
fn load_that_does_not_end_by_itself_is_stopped() {
    let plan = plan(&started(), &POLICY, at("10:02:50"));
    assert!(
        matches!(plan.actions.as_slice(), [Action::DecideStop(decision)] if decision.reason == StopReason::DeadlineExceeded),
        "{:?}",
        plan.actions
    );
}

#[test]
fn a_run_that_is_deleted_under_load_is_stopped_and_closed_after_two_minutes() {
    let mut observed = started();
    observed.run.metadata.deletion_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at("10:00:15")));
    let first = plan(&observed, &POLICY, at("10:00:15"));
    assert!(
        matches!(first.actions.as_slice(), [Action::DecideStop(decision)] if decision.reason == StopReason::Deleted)
    );
    observed.stop = Some(stop(StopReason::Deleted, at("10:00:15")));
    let closing = plan(&observed, &POLICY, at("10:02:15"));
    assert!(matches!(closing.actions.as_slice(), [Action::DecideClose(_)]), "{:?}", closing.actions);
}

#[test]
fn once_closed_the_workers_go_and_the_result_is_waited_for() {
    let plan = plan(&closed(None), &POLICY, at("10:00:32"));
    assert_eq!(plan.actions, [Action::DeleteWorkerJob { target: "local".into(), uid: "job-uid".into() }]);
    assert_eq!(plan.status.phase, Some(Phase::Aggregating));
}

#[rstest]
#[case::no_thresholds(None, Verdict::NotJudged, 2, 0, EndReason::Completed, Phase::Succeeded)]
#[case::all_met(None, Verdict::Passed, 2, 0, EndReason::Completed, Phase::Succeeded)]
#[case::one_missed(None, Verdict::Failed, 2, 0, EndReason::ThresholdsFailed, Phase::Failed)]
#[case::one_cannot_be_judged(None, Verdict::Inconclusive, 2, 0, EndReason::Inconclusive, Phase::Failed)]
#[case::too_little_was_measured(None, Verdict::Inconclusive, 1, 0, EndReason::Inconclusive, Phase::Failed)]
#[case::stopped(Some(StopReason::Requested), Verdict::NotJudged, 2, 2, EndReason::Stopped, Phase::Stopped)]
#[case::workers_lost(Some(StopReason::WorkersLost), Verdict::Inconclusive, 1, 1, EndReason::WorkersLost, Phase::Failed)]
fn the_result_and_the_way_to_it_decide_the_end(
    #[case] stopped: Option<StopReason>,
    #[case] verdict: Verdict,
    #[case] measured: i64,
    #[case] partial: i64,
    #[case] reason: EndReason,
    #[case] phase: Phase,
) {
    let mut observed = closed(stopped);
    observed.run.status.as_mut().unwrap().result = Some(result(verdict, measured, partial));
    let plan = plan(&observed, &POLICY, at("10:00:35"));
    assert_eq!((ended(&plan), plan.status.phase), (Some(reason), Some(phase)), "{}", message(&plan));
}

#[test]
fn an_aggregator_that_fails_or_never_ends_does_not_keep_the_run() {
    let mut observed = closed(None);
    assert_eq!(ended(&plan(&observed, &POLICY, at("10:15:30"))), None);
    assert_eq!(ended(&plan(&observed, &POLICY, at("10:15:31"))), Some(EndReason::Inconclusive));
    let end = JobEnd { failed: true, reason: "BackoffLimitExceeded".into(), message: "has reached the limit".into() };
    observed.aggregator.as_mut().unwrap().end = Some(end);
    let plan = plan(&observed, &POLICY, at("10:01:00"));
    assert_eq!(ended(&plan), Some(EndReason::Inconclusive));
    assert!(message(&plan).contains(&format!("runs/v1/{}/", uid())), "{}", message(&plan));
}

#[test]
fn after_the_end_come_annotation_jobs_claim_and_finalizer_in_this_order() {
    let mut observed = closed(None);
    observed.run.status.as_mut().unwrap().result = Some(result(Verdict::NotJudged, 2, 0));
    follow(&mut observed, at("10:00:35"));
    let first = plan(&observed, &POLICY, at("10:00:36"));
    assert_eq!(
        first.actions,
        [
            Action::MarkFinished(at("10:00:35")),
            Action::DeleteWorkerJob { target: "local".into(), uid: "job-uid".into() },
            Action::DeleteAggregatorJob { uid: "aggregator-uid".into() },
        ]
    );
    observed.run.metadata.annotations = Some([("volley.dev/finished".into(), "2026-11-25T10:00:35Z".into())].into());
    observed.aggregator.as_mut().unwrap().deleting = true;
    observed.regions.get_mut("local").unwrap().job = None;
    assert_eq!(plan(&observed, &POLICY, at("10:00:37")).actions, []);
    observed.aggregator = None;
    let last = plan(&observed, &POLICY, at("10:00:38"));
    assert_eq!(last.actions, [Action::SetActive(vec![]), Action::RemoveFinalizer]);
    observed.load_test.as_mut().unwrap().status = None;
    observed.run.metadata.finalizers = None;
    let rest = plan(&observed, &POLICY, at("10:00:39"));
    assert_eq!((rest.actions, rest.requeue), (vec![], None));
}

#[test]
fn a_restored_run_that_had_ended_is_never_executed_again() {
    let mut observed = fresh();
    observed.run.metadata.annotations = Some([("volley.dev/finished".into(), "2026-01-01T00:00:00Z".into())].into());
    let first = follow(&mut observed, at("10:00:00"));
    assert_eq!((ended(&first), first.actions), (Some(EndReason::Restored), vec![]));
    assert_eq!(first.status.finished_at.unwrap().0, "2026-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(plan(&observed, &POLICY, at("10:00:01")).actions, [Action::RemoveFinalizer]);
}
