//! What a plan does while a region's cluster cannot be asked.

use super::*;

const WORDS: &str = "its API server did not answer within 8 s";

fn goes_away(observed: &mut Observed) {
    observed.regions.insert("local".into(), RegionSeen { away: Some(WORDS.into()), ..RegionSeen::default() });
}

#[test]
fn before_the_start_nothing_is_made_there_and_the_region_says_why() {
    let mut observed = provisioned(job(0, 0));
    goes_away(&mut observed);
    let waiting = plan(&observed, &POLICY, at("10:00:02"));
    assert!(waiting.actions.iter().all(|action| action.target().is_none()), "{:?}", waiting.actions);
    assert_eq!(waiting.status.regions[0].message.as_deref(), Some(WORDS));
    let given_up = plan(&observed, &POLICY, at("10:15:02"));
    assert_eq!(ended(&given_up), Some(EndReason::StartTimedOut));
    assert!(message(&given_up).contains(WORDS), "{}", message(&given_up));
}

#[test]
fn a_target_is_held_before_a_job_is_made_there() {
    let mut observed = provisioned(job(0, 0));
    observed.regions.insert("local".into(), RegionSeen { unheld: true, ..RegionSeen::default() });
    let hold = Action::HoldTarget { target: "local".into() };
    assert_eq!(plan(&observed, &POLICY, at("10:00:02")).actions, [hold]);
    observed.regions.insert("local".into(), RegionSeen::default());
    let make = Action::CreateWorkerJob { target: "local".into() };
    assert_eq!(plan(&observed, &POLICY, at("10:00:02")).actions, [make]);
}

#[test]
fn load_goes_on_and_ends_with_complete_results_through_the_storage() {
    let mut observed = started();
    goes_away(&mut observed);
    let running = plan(&observed, &POLICY, at("10:01:05"));
    assert_eq!((running.actions.as_slice(), ended(&running)), ([].as_slice(), None));
    assert_eq!(running.status.regions[0].message.as_deref(), Some(WORDS));
    observed.manifests.insert(attempt(0));
    assert_eq!(plan(&observed, &POLICY, at("10:01:30")).actions, []);
    observed.manifests.insert(attempt(1));
    let closing = plan(&observed, &POLICY, at("10:01:30")).actions;
    assert!(matches!(closing.as_slice(), [Action::DecideClose(closing)] if closing.lost.is_empty()), "{closing:?}");
}

#[test]
fn workers_that_never_upload_from_there_are_lost_at_the_deadline_and_the_reason_names_the_region() {
    let mut observed = started();
    goes_away(&mut observed);
    observed.manifests.insert(attempt(0));
    let closing = plan(&observed, &POLICY, at("10:20:00")).actions;
    let [Action::DecideClose(closing)] = closing.as_slice() else { panic!("{closing:?}") };
    assert_eq!(closing.lost.len(), 1);
    assert!(closing.lost[0].reason.as_ref().unwrap().contains("could not be asked"), "{closing:?}");
}

fn finished(deleted: bool) -> Observed {
    let mut observed = closed(None);
    observed.run.status.as_mut().unwrap().result = Some(result(Verdict::NotJudged, 2, 0));
    let end = plan(&observed, &POLICY, at("10:02:00"));
    observed.run.status = Some(end.status);
    observed.run.metadata.annotations = Some([("volley.dev/finished".into(), "2026-11-25T10:02:00Z".into())].into());
    if deleted {
        observed.run.metadata.deletion_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at("10:00:30")));
    }
    observed.aggregator = None;
    goes_away(&mut observed);
    observed
}

#[rstest]
#[case::a_run_that_stays(false, "10:05:59", "10:06:00")]
#[case::a_run_that_is_deleted(true, "10:02:59", "10:03:00")]
fn after_the_end_the_region_is_waited_for_then_its_target_is_told(
    #[case] deleted: bool,
    #[case] before: &str,
    #[case] after: &str,
) {
    let observed = finished(deleted);
    let waiting = plan(&observed, &POLICY, at(before));
    assert_eq!(waiting.actions, []);
    assert!(waiting.requeue.unwrap() <= Duration::from_secs(1));
    let actions = plan(&observed, &POLICY, at(after)).actions;
    assert_eq!(actions.first(), Some(&Action::NoteLeftovers { target: "local".into() }));
    assert_eq!(actions.last(), Some(&Action::RemoveFinalizer));
}
