//! When the list of what is merged is closed, and with what.

use super::*;

#[test]
fn when_every_worker_has_a_manifest_the_list_is_closed() {
    let mut observed = started();
    observed.manifests = [attempt(0)].into();
    assert_eq!(plan(&observed, &POLICY, at("10:00:21")).actions, []);
    observed.manifests.insert(attempt(1));
    let plan = plan(&observed, &POLICY, at("10:00:22"));
    let [Action::DecideClose(closing)] = plan.actions.as_slice() else { panic!("{:?}", plan.actions) };
    assert_eq!(closing.attempts, [attempt(0), attempt(1)]);
    assert_eq!(closing.lost, []);
}

#[test]
fn when_the_job_has_ended_nothing_more_is_waited_for_and_the_lost_are_named() {
    let mut observed = started();
    observed.manifests = [attempt(0)].into();
    let end = Some(JobEnd { failed: true, reason: "FailedIndexes".into(), message: String::new() });
    observed.regions.get_mut("local").unwrap().job = Some(JobSeen { end, failed_indexes: [1].into(), ..job(2, 0) });
    let plan = plan(&observed, &POLICY, at("10:00:22"));
    let [Action::DecideClose(closing)] = plan.actions.as_slice() else { panic!("{:?}", plan.actions) };
    assert_eq!(closing.attempts, [attempt(0)]);
    assert_eq!((closing.lost.len(), closing.lost[0].index), (1, 1));
    assert_eq!(closing.lost[0].reason.as_deref(), Some("its pods failed without a result"));
}

#[test]
fn two_minutes_after_the_last_main_container_ended_the_list_is_closed() {
    let mut observed = started();
    observed.manifests = [attempt(0)].into();
    let pod = |ended: &str| PodSeen { alive: true, waiting: None, main_ended_at: Some(at(ended)) };
    observed.regions.get_mut("local").unwrap().pods = Some(vec![pod("10:00:21"), pod("10:00:25")]);
    assert_eq!(plan(&observed, &POLICY, at("10:02:24")).actions, []);
    let plan = plan(&observed, &POLICY, at("10:02:25"));
    assert!(matches!(plan.actions.as_slice(), [Action::DecideClose(_)]), "{:?}", plan.actions);
}

#[test]
fn a_pod_that_was_never_started_is_not_waited_for_after_the_load() {
    let mut observed = started();
    observed.manifests = [attempt(0)].into();
    let ended = PodSeen { alive: false, waiting: None, main_ended_at: Some(at("10:00:21")) };
    let waiting = Waiting { kind: WaitingKind::Capacity, message: "no node has room".into() };
    let pending = PodSeen { alive: true, waiting: Some(waiting), main_ended_at: None };
    observed.regions.get_mut("local").unwrap().pods = Some(vec![ended, pending]);
    assert_eq!(plan(&observed, &POLICY, at("10:02:20")).actions, []);
    let plan = plan(&observed, &POLICY, at("10:02:21"));
    assert!(matches!(plan.actions.as_slice(), [Action::DecideClose(closing)] if closing.lost.len() == 1), "{plan:?}");
}

#[test]
fn a_manifest_of_a_worker_that_the_definition_does_not_know_is_not_merged() {
    let mut observed = started();
    observed.manifests = [attempt(0), attempt(1), attempt(2)].into();
    let plan = plan(&observed, &POLICY, at("10:00:22"));
    let [Action::DecideClose(closing)] = plan.actions.as_slice() else { panic!("{:?}", plan.actions) };
    assert_eq!(closing.attempts, [attempt(0), attempt(1)]);
}
