//! What can be frozen, and the words for what cannot.

use rstest::rstest;
use serde_json::json;
use volley_storage::documents::{Images, LateWorkers, MissingRegion, RunIdentity, Scenario, WorkerResources};

use super::*;
use crate::fixtures;

fn requester() -> Requester {
    let definition = fixtures::definition();
    Requester {
        installation: definition.installation,
        run: RunIdentity { ..definition.run },
        definition_digest: definition.definition_digest,
        images: Images { ..definition.images },
    }
}

fn problem(changes: serde_json::Value, references: &References) -> Problem {
    let spec = fixtures::load_test(changes).spec;
    let problem = check(&spec, "shop", references).unwrap_err();
    // What keeps a LoadTest from being ready keeps a run from being frozen, in the same words.
    assert_eq!(candidate(&spec, requester(), references).unwrap_err(), problem);
    problem
}

#[test]
fn a_small_definition_is_frozen_with_its_defaults_resolved() {
    let spec = fixtures::load_test(json!({})).spec;
    let candidate = candidate(&spec, requester(), &fixtures::references()).unwrap();
    let definition = &candidate.definition;
    assert_eq!(definition.resources, WorkerResources::Size(WorkerSize::Standard));
    assert_eq!((definition.load.ramp_up_ms, definition.load.hold_for_ms), (1_000, 9_000));
    assert_eq!((definition.start.quorum_percent, definition.start.timeout_ms), (100, 900_000));
    assert_eq!((definition.max_load_ms, definition.max_uncontrolled_ms), (70_000, 300_000));
    assert_eq!(definition.regions[0].namespace, "volley-workers");
    let Scenario::Locust { script } = &definition.scenario else { panic!("{:?}", definition.scenario) };
    assert_eq!(candidate.sources[&script.sha256], b"print()");
    // `printf 'print()' | sha256sum`
    assert_eq!(script.sha256, "525d513313416cf187f44fa87e1753ee6d11552c22097537ddc32b4ed34fa68f");
}

#[test]
fn an_http_request_gets_its_method_and_keeps_its_order() {
    let spec = fixtures::load_test(json!({"scenario": {"http": {"baseUrl": "http://shop", "requests": [
        {"name": "b", "path": "/b"}, {"name": "a", "path": "/a", "method": "POST", "expect": {"status": [200, "3xx"]}}]}}}))
    .spec;
    let candidate = candidate(&spec, requester(), &fixtures::references()).unwrap();
    let Scenario::Http { requests, .. } = &candidate.definition.scenario else { panic!() };
    let shown: Vec<_> = requests.iter().map(|step| (step.name.as_str(), step.method.as_str())).collect();
    assert_eq!(shown, [("b", "GET"), ("a", "POST")]);
    assert_eq!(requests[1].expect.as_ref().unwrap().status, ["200", "3xx"]);
}

#[test]
fn a_config_map_is_asked_for_by_name_and_its_absence_is_named() {
    let changes = json!({"scenario": {"jmeter": {"script": {"configMap": {"name": "scripts", "key": "a.jmx"}}}}});
    let spec = fixtures::load_test(changes.clone()).spec;
    assert_eq!(crate::definition::references(&spec)[0].name, "scripts");
    let mut references = fixtures::references();
    assert!(problem(changes.clone(), &references).to_string().contains("ConfigMap shop/scripts does not exist"));
    references.contents.exists("scripts");
    assert!(problem(changes, &references).to_string().contains("has no key \"a.jmx\""));
    references.contents.holds("scripts", "a.jmx", b"<jmeterTestPlan/>".to_vec());
    assert_eq!(check(&spec, "shop", &references), Ok(()));
}

#[test]
fn the_executions_of_a_taurus_configuration_are_frozen_with_their_parts_of_the_users() {
    let script = "execution: [{executor: locust, concurrency: 3, scenario: a}, {executor: apiritif, scenario: a}]";
    let changes = json!({"scenario": {"taurus": {"script": {"inline": script}}}, "load": {"usersPerWorker": 10, "holdFor": "9s"}});
    let candidate = candidate(&fixtures::load_test(changes).spec, requester(), &fixtures::references()).unwrap();
    let Scenario::Taurus { script: source, executions } = &candidate.definition.scenario else { panic!() };
    let shown: Vec<_> = executions.iter().map(|execution| (execution.executor.as_str(), execution.users)).collect();
    assert_eq!(shown, [("locust", 7), ("apiritif", 3)]);
    assert_eq!(candidate.sources[&source.sha256], script.as_bytes());
}

#[rstest]
#[case::a_taurus_configuration_that_ends_the_load(json!({"scenario": {"taurus": {"script": {"inline": "execution: [{scenario: a, iterations: 1}]"}}}}), "the Taurus configuration cannot be run: execution[0].iterations: remove it")]
#[case::more_executions_than_users(json!({"scenario": {"taurus": {"script": {"inline": "execution: [{scenario: a}, {scenario: a}]"}}}, "load": {"usersPerWorker": 1, "holdFor": "10s"}}), "spec.load.usersPerWorker is too small")]
#[case::an_unknown_target(json!({"regions": [{"target": "mars", "workers": 1}]}), "RegionTarget mars does not exist")]
#[case::a_target_twice(json!({"regions": [{"target": "local", "workers": 1}, {"target": "local", "workers": 2}]}), "names local twice")]
#[case::no_region(json!({"regions": []}), "name at least one RegionTarget")]
#[case::no_worker(json!({"regions": [{"target": "local", "workers": 0}]}), "write at least 1")]
#[case::size_and_resources(json!({"worker": {"size": "Small", "resources": {}}}), "keep one of them")]
#[case::a_strange_resource(json!({"worker": {"resources": {"limits": {"nvidia.com/gpu": "1"}}}}), "cpu and memory")]
#[case::no_users(json!({"load": {"usersPerWorker": 0, "holdFor": "10s"}}), "at least one virtual user")]
#[case::no_time(json!({"load": {"usersPerWorker": 1, "holdFor": "10ms"}}), "at least 1s")]
#[case::an_empty_script(json!({"scenario": {"locust": {"script": {"inline": ""}}}}), "the script is empty")]
#[case::a_licence_that_is_not_accepted(json!({"scenario": {"k6": {"script": {"inline": "x"}, "acceptLicense": false}}}), "acceptLicense is false")]
#[case::no_request(json!({"scenario": {"http": {"baseUrl": "http://shop", "requests": []}}}), "at least one request")]
fn what_makes_no_sense_is_refused_with_what_to_do(#[case] changes: serde_json::Value, #[case] words: &str) {
    let problem = problem(changes, &fixtures::references());
    assert!(problem.to_string().contains(words), "{problem}");
}

#[test]
fn a_target_lets_in_only_its_namespaces() {
    let spec = fixtures::load_test(json!({})).spec;
    let problem = check(&spec, "intruder", &fixtures::references()).unwrap_err();
    assert!(matches!(problem, Problem::NamespaceNotAllowed { .. }) && !problem.may_heal());
    assert!(problem.to_string().contains("spec.allowedNamespaces"), "{problem}");
}

#[test]
fn free_resources_need_targets_without_fargate() {
    let mut references = fixtures::references();
    let changes = json!({"worker": {"resources": {"limits": {"memory": "1Gi"}}}});
    assert_eq!(check(&fixtures::load_test(changes.clone()).spec, "shop", &references), Ok(()));
    references.targets.get_mut("local").unwrap().spec.fargate = true;
    assert!(problem(changes, &references).to_string().contains("write spec.worker.size instead"));
}

#[test]
fn a_target_that_is_not_ready_keeps_a_run_waiting_but_not_its_load_test_from_being_ready() {
    let mut references = fixtures::references();
    references.targets.get_mut("local").unwrap().status = None;
    let spec = fixtures::load_test(json!({})).spec;
    assert_eq!(check(&spec, "shop", &references), Ok(()));
    let problem = candidate(&spec, requester(), &references).unwrap_err();
    assert!(problem.may_heal() && problem.to_string().contains("it has not been probed yet"), "{problem}");
}

#[test]
fn policies_and_users_of_regions_are_frozen() {
    let spec = fixtures::load_test(json!({
        "start": {"onMissingRegion": "Continue", "lateWorkers": "Join"}, "healthyPercent": 75,
        "regions": [{"target": "local", "workers": 2, "usersPerWorker": 9}]}))
    .spec;
    let definition = candidate(&spec, requester(), &fixtures::references()).unwrap().definition;
    assert_eq!(definition.start.on_missing_region, MissingRegion::Continue);
    assert_eq!((definition.start.late_workers, definition.healthy_percent), (LateWorkers::Join, 75));
    assert_eq!(definition.users_per_worker(&definition.regions[0]), 9);
}

#[test]
fn the_users_of_a_region_are_shared_among_the_executions_too() {
    let script = "execution: [{executor: locust, concurrency: 3, scenario: a}, {executor: apiritif, scenario: a}]";
    let with = |users: u32| {
        let changes = json!({"scenario": {"taurus": {"script": {"inline": script}}},
            "regions": [{"target": "local", "workers": 2, "usersPerWorker": users}]});
        candidate(&fixtures::load_test(changes).spec, requester(), &fixtures::references())
    };
    assert_eq!(with(8).unwrap().definition.regions[0].execution_users, [6, 2]);
    let problem = with(1).unwrap_err().to_string();
    assert!(problem.contains("usersPerWorker of local is too small"), "{problem}");
}

/// Two targets, one of them as given.
fn with_other(other: volley_api::RegionTarget, policy: &str) -> Result<Candidate, Problem> {
    let mut references = fixtures::references();
    references.targets.insert("other".into(), other);
    let spec = fixtures::load_test(json!({"start": {"onMissingRegion": policy},
        "regions": [{"target": "local", "workers": 2}, {"target": "other", "workers": 1}]}))
    .spec;
    candidate(&spec, requester(), &references)
}

#[test]
fn only_a_target_that_is_not_ready_may_be_missing() {
    let mut not_ready = fixtures::target("other");
    not_ready.status.as_mut().unwrap().conditions[0].status = "False".into();
    assert!(matches!(with_other(not_ready.clone(), "Fail"), Err(Problem::RegionNotReady { .. })));
    assert_eq!(with_other(not_ready, "Continue").unwrap().definition.regions.len(), 2);
    let mut paused = fixtures::target("other");
    paused.spec.paused = true;
    for policy in ["Fail", "Continue"] {
        assert!(matches!(with_other(paused.clone(), policy), Err(Problem::RegionPaused { .. })), "{policy}");
    }
}

#[rstest]
#[case::enough(64, 62, false)]
#[case::one_too_few(64, 63, true)]
#[case::more_in_use_than_allowed(6, 10, true)]
fn a_run_stays_within_fargates_quota(#[case] vcpu: i64, #[case] used: i64, #[case] refused: bool) {
    let mut references = fixtures::references();
    let target = references.targets.get_mut("local").unwrap();
    target.spec.fargate = true;
    target.status.as_mut().unwrap().quota = Some(volley_api::region_target::TargetQuota { vcpu, used });
    // Two workers of 1 vCPU.
    let spec = fixtures::load_test(json!({})).spec;
    let found = candidate(&spec, requester(), &references).err();
    assert_eq!(found.is_some(), refused);
    if let Some(problem) = found {
        let words = problem.to_string();
        let free = format!("{} of the account's {vcpu} are free", (vcpu - used).max(0));
        assert!(problem.may_heal() && words.contains("wants 2 vCPU") && words.contains(&free), "{words}");
    }
}

#[test]
fn a_run_without_any_ready_target_waits_whatever_its_policy() {
    let mut references = fixtures::references();
    references.targets.get_mut("local").unwrap().status = None;
    let spec = fixtures::load_test(json!({"start": {"onMissingRegion": "Continue"}})).spec;
    assert!(matches!(candidate(&spec, requester(), &references), Err(Problem::RegionNotReady { .. })));
}

#[test]
fn a_worker_on_fargate_has_the_rate_of_its_region() {
    let mut references = fixtures::references();
    let spec = fixtures::load_test(json!({})).spec;
    let region =
        |references: &References| candidate(&spec, requester(), references).unwrap().definition.regions.remove(0);
    assert_eq!((region(&references).fargate, region(&references).worker_hour_nanodollars), (false, None));
    references.targets.get_mut("local").unwrap().spec.fargate = true;
    assert_eq!((region(&references).fargate, region(&references).worker_hour_nanodollars), (true, Some(53_210_000)));
}
