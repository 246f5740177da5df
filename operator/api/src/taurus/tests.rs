use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn complaints(text: &str) -> Vec<String> {
    match TaurusConfiguration::read(text.as_bytes()) {
        Ok(configuration) => panic!("accepted: {configuration:?}"),
        Err(unusable) => unusable.complaints.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_configuration_from_a_laptop_is_read_with_its_executors_and_proportions() {
    let text = "
settings: {default-executor: apiritif, env: {HOST: shop}, verbose: true}
modules:
  jmeter: {properties: {my.host: shop}, memory-xmx: 1G}
provisioning: local
execution:
- {executor: jmeter, concurrency: 30, ramp-up: 1m, hold-for: 5m, throughput: 50, scenario: buy}
- {concurrency: 10, hold-for: 5m, scenario: {requests: ['http://${HOST}/']}}
- {executor: molotov, scenario: {script: test.py}}
scenarios:
  buy: {requests: [{url: 'http://shop/', label: home}], properties: {user.speed: fast}}
services: [{module: shellexec, prepare: ['echo ready']}, shellexec]
reporting: [final-stats, {module: console}]
";
    let configuration = TaurusConfiguration::read(text.as_bytes()).unwrap();
    let executors: Vec<_> = configuration.executions().iter().map(|execution| execution.executor.as_str()).collect();
    assert_eq!(executors, ["jmeter", "apiritif", "molotov"]);
    assert_eq!(configuration.shares(44).unwrap(), [31, 11, 2]);
}

#[test]
fn json_is_read_as_well_and_jmeter_is_the_default() {
    let configuration = TaurusConfiguration::read(br#"{"execution": [{"scenario": "a"}]}"#).unwrap();
    assert_eq!(configuration.executions(), [Execution { executor: Executor::Jmeter, weight: 1 }]);
}

#[rstest]
#[case::no_execution("scenarios: {}", "execution: write a list of 1 to 16 executions")]
#[case::a_mapping("execution: {scenario: a}", "execution: write a list of 1 to 16 executions")]
#[case::an_empty_list("execution: []", "execution: write a list of 1 to 16 executions")]
#[case::included(
    "execution: [{scenario: a}]\nincluded-configs: ['http://x/y.yml']",
    "included-configs: remove it: other configurations"
)]
#[case::command_line("execution: [{scenario: a}]\ncli: {linter: {disable: true}}", "cli: remove it")]
#[case::a_change_of_a_base("execution: [{scenario: a}]\n~modules: {}", "~modules: write the section itself")]
#[case::cloud("execution: [{scenario: a}]\nprovisioning: cloud", "provisioning: write local")]
#[case::artifacts("execution: [{scenario: a}]\nsettings: {artifacts-dir: /tmp}", "settings.artifacts-dir: remove it")]
#[case::exclusion(
    "execution: [{scenario: a}]\nsettings: {ramp-up-exclude: true}",
    "settings.ramp-up-exclude: remove it"
)]
#[case::a_variable_of_ours(
    "execution: [{scenario: a}]\nsettings: {env: {VOLLEY_WORK_DIR: /tmp}}",
    "settings.env.VOLLEY_WORK_DIR: take another name"
)]
#[case::a_variable_of_an_execution(
    "execution: [{scenario: a, env: {PYTHONPATH: /tmp}}]",
    "execution[0].env.PYTHONPATH: take another name"
)]
#[case::a_path(
    "execution: [{scenario: a}]\nmodules: {jmeter: {path: /x}}",
    "modules.jmeter.path: remove it: Volley decides it; a test may set properties,"
)]
#[case::a_class(
    "execution: [{scenario: a}]\nmodules: {locust: {class: x.Y}}",
    "modules.locust.class: remove it: Volley decides it; a test may set nothing of this module"
)]
#[case::a_class_as_text("execution: [{scenario: a}]\nmodules: {locust: x.Y}", "modules.locust: write a mapping")]
#[case::the_consolidator(
    "execution: [{scenario: a}]\nmodules: {consolidator: {generalize-labels: 4}}",
    "modules.consolidator: remove it"
)]
#[case::our_own_module("execution: [{scenario: a}]\nmodules: {volley-gate: {}}", "modules.volley-gate: remove it")]
#[case::sample_columns(
    "execution: [{scenario: a}]\nmodules: {jmeter: {properties: {jmeter.save.saveservice.bytes: 'false'}}}",
    "modules.jmeter.properties.jmeter.save.saveservice.bytes: remove it"
)]
#[case::sample_columns_of_a_scenario(
    "execution: [{scenario: a}]\nscenarios: {a: {properties: {sampleresult.timestamp.start: 'false'}}}",
    "scenarios.a.properties.sampleresult.timestamp.start: remove it"
)]
#[case::another_service("execution: [{scenario: a}]\nservices: [pip-install]", "services[0]: remove pip-install")]
#[case::services_without_a_list("execution: [{scenario: a}]\nservices: shellexec", "services: write a list")]
#[case::pass_or_fail(
    "execution: [{scenario: a}]\nreporting: [{module: passfail, criteria: ['fail>1%']}]",
    "reporting[0]: remove it: a worker sees only its own part"
)]
#[case::another_reporter(
    "execution: [{scenario: a}]\nreporting: [final-stats, blazemeter]",
    "reporting[1]: remove blazemeter"
)]
#[case::criteria(
    "execution: [{scenario: a, criteria: ['fail>1%']}]",
    "execution[0].criteria: remove it: a worker sees only its own part"
)]
#[case::criteria_of_a_scenario(
    "execution: [{scenario: {requests: [], criteria: []}}]",
    "execution[0].scenario.criteria: remove it"
)]
#[case::iterations("execution: [{scenario: a, iterations: 5}]", "execution[0].iterations: remove it: spec.load says")]
#[case::a_delay("execution: [{scenario: a, delay: 5s}]", "execution[0].delay: remove it: spec.load says")]
#[case::distributed(
    "execution: [{executor: locust, scenario: a, master: true}]",
    "execution[0].master: remove it: spec.regions says"
)]
#[case::raw_results("execution: [{executor: siege, scenario: a, rc-file: x}]", "execution[0].rc-file: remove it")]
#[case::no_engine(
    "execution: [{executor: gatling, scenario: a}]",
    "execution[0].executor: the worker image has no executor \"gatling\"; it has jmeter, locust,"
)]
#[case::a_variable_as_an_engine(
    "execution: [{executor: '${ENGINE}', scenario: a}]",
    "execution[0].executor: the worker image has no executor"
)]
#[case::k6("execution: [{executor: k6, scenario: a}]", "execution[0].executor: k6 has a scenario kind of its own")]
#[case::no_default_engine(
    "execution: [{scenario: a}]\nsettings: {default-executor: ab}",
    "execution[0].executor: the worker image has no executor \"ab\""
)]
#[case::throughput(
    "execution: [{executor: siege, scenario: a, throughput: 5}]",
    "execution[0].throughput: remove it: siege takes no notice of it"
)]
#[case::users_of_text(
    "execution: [{scenario: a, concurrency: '${USERS}'}]",
    "execution[0].concurrency: write a whole number above 0"
)]
#[case::no_users(
    "execution: [{scenario: a, concurrency: 0}]",
    "execution[0].concurrency: write a whole number above 0"
)]
#[case::a_script_elsewhere(
    "execution: [{scenario: {script: 'https://x/y.py'}}]",
    "execution[0].scenario.script: scripts cannot be fetched"
)]
#[case::a_list("[a]", "the file: write a mapping")]
#[case::nothing("", "the file: write a mapping")]
#[case::no_yaml("execution: [", "the file: it is not one document of YAML or JSON")]
#[case::two_documents(
    "execution: [{scenario: a}]\n---\nsettings: {}",
    "the file: it is not one document of YAML or JSON"
)]
#[case::a_key_twice(
    "execution: [{scenario: a}]\nexecution: [{scenario: b}]",
    "the file: it is not one document of YAML or JSON"
)]
fn what_cannot_be_run_is_named_with_what_to_do(#[case] text: &str, #[case] expected: &str) {
    let complaints = complaints(text);
    assert!(complaints[0].starts_with(expected), "{complaints:?}");
    assert_eq!(complaints.len(), 1, "{complaints:?}");
}

#[test]
fn everything_wrong_is_told_at_once_but_not_without_end() {
    let text = "execution: [{scenario: a, iterations: 1}]\nsettings: {proxy: {}}\ncli: {}";
    assert_eq!(complaints(text).len(), 3);
    let many = (0..100).map(|number| format!("key{number}: 1")).collect::<Vec<_>>().join("\n");
    assert_eq!(complaints(&many).len(), MAXIMUM_COMPLAINTS);
}

#[test]
fn bytes_that_are_no_text_and_aliases_that_grow_without_end_are_refused() {
    assert!(TaurusConfiguration::read(b"execution: [{scenario: \xff}]").is_err());
    let mut bomb = vec!["a0: &a0 [x, x, x, x, x, x, x, x, x, x]".to_owned()];
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push(format!("a{level}: &a{level} [{aliases}]"));
    }
    assert!(complaints(&bomb.join("\n"))[0].starts_with("the file: it is not one document"));
}

#[test]
fn more_executions_than_users_is_an_error_with_the_number_that_would_do() {
    let configuration = TaurusConfiguration::read(b"execution: [{scenario: a}, {scenario: b}]").unwrap();
    let error = configuration.shares(1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a worker has 1 virtual users for 2 executions; each execution needs at least one, so write usersPerWorker: 2 or more"
    );
}

proptest! {
    #[test]
    fn shares_are_all_users_at_least_one_each_and_within_one_of_their_exact_part(
        weights in proptest::collection::vec(1_u32..=u32::MAX, 1..=16),
        beyond in 0_u32..200_000,
    ) {
        let count = u32::try_from(weights.len()).unwrap();
        let users = count + beyond;
        let shares = shares::shares(&weights, users).unwrap();
        prop_assert_eq!(shares.iter().map(|share| u64::from(*share)).sum::<u64>(), u64::from(users));
        let sum: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
        for (share, weight) in shares.iter().zip(&weights) {
            prop_assert!(*share >= 1);
            let exact = 1.0 + f64::from(beyond) * f64::from(*weight) / sum;
            prop_assert!((f64::from(*share) - exact).abs() < 1.0 + 1e-6, "{} {}", share, exact);
        }
    }
}
