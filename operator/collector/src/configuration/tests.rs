use std::collections::BTreeMap;

use proptest::prelude::*;
use rstest::rstest;
use volley_storage::documents::{Assertion, Definition, Load, RequestStep, Scenario, Source, TaurusExecution};

use super::*;
use crate::fixtures::{self, definition};

fn request(name: &str) -> RequestStep {
    RequestStep {
        name: name.into(),
        method: "GET".into(),
        path: "/".into(),
        headers: BTreeMap::new(),
        body: None,
        think_time_ms: None,
        expect: None,
    }
}

fn http(requests: Vec<RequestStep>) -> Definition {
    definition(Scenario::Http { base_url: "https://shop.example.com/".into(), requests })
}

fn source() -> Source {
    Source { sha256: "0".repeat(64), size: 1 }
}

fn jmeter(name: &str, value: &str) -> Definition {
    definition(Scenario::Jmeter { script: source(), properties: BTreeMap::from([(name.to_owned(), value.to_owned())]) })
}

fn expecting(status: &[&str], contains: Option<&str>) -> Definition {
    http(vec![RequestStep {
        expect: Some(Assertion {
            status: status.iter().map(ToString::to_string).collect(),
            contains: contains.map(Into::into),
        }),
        ..request("home")
    }])
}

#[test]
fn an_http_scenario_becomes_labelled_requests_with_pauses_behind_them() {
    let definition = http(vec![
        request("home"),
        RequestStep {
            method: "POST".into(),
            path: "/checkout".into(),
            headers: BTreeMap::from([("Content-Type".into(), "application/json".into())]),
            body: Some(r#"{"sku":"A1"}"#.into()),
            think_time_ms: Some(500),
            expect: Some(Assertion { status: vec!["2xx".into(), "404".into()], contains: Some("order_id".into()) }),
            ..request("checkout")
        },
    ]);
    insta::assert_snapshot!(taurus_configuration(&definition, "here").unwrap());
}

#[test]
fn a_jmeter_scenario_names_its_script_and_properties() {
    insta::assert_snapshot!(taurus_configuration(&jmeter("target.host", r"C:\a"), "here").unwrap());
}

#[test]
fn a_k6_scenario_names_its_script_and_arguments() {
    let arguments = vec!["--env=HOST=a \"b\"".to_owned(), "--throw".to_owned()];
    insta::assert_snapshot!(
        taurus_configuration(&definition(Scenario::K6 { script: source(), arguments }), "here").unwrap()
    );
}

#[test]
fn a_locust_scenario_names_its_script() {
    insta::assert_snapshot!(taurus_configuration(&definition(Scenario::Locust { script: source() }), "here").unwrap());
}

#[test]
fn a_taurus_scenario_lays_users_and_times_over_the_executions_of_the_users_own_file() {
    let execution = |executor: &str, users| TaurusExecution { executor: executor.into(), users };
    let executions = vec![execution("locust", 30), execution("molotov", 15), execution("siege", 5)];
    let definition = definition(Scenario::Taurus { script: source(), executions });
    insta::assert_snapshot!(taurus_configuration(&definition, "here").unwrap());
    assert_eq!(configurations(&definition.scenario), ["taurus.yml", "volley.yml"]);
}

#[test]
fn fractions_of_seconds_are_rounded_up_so_that_no_duration_becomes_zero() {
    let mut definition = definition(Scenario::Locust { script: source() });
    definition.load = Load { users_per_worker: 1, ramp_up_ms: 0, hold_for_ms: 300 };
    let execution = configuration(&definition, "here").unwrap()["execution"][0].clone();
    assert_eq!((execution["ramp-up"].as_str(), execution["hold-for"].as_str()), (Some("0s"), Some("1s")));
}

#[test]
fn a_region_may_have_users_of_its_own() {
    let mut definition = definition(Scenario::Locust { script: source() });
    definition.regions[0].users_per_worker = Some(7);
    let users = |target: &str| configuration(&definition, target).unwrap()["execution"][0]["concurrency"].clone();
    assert_eq!((users("here"), users("elsewhere")), (json!(7), json!(50)));
    let execution = |executor: &str, users| TaurusExecution { executor: executor.into(), users };
    let executions = vec![execution("locust", 40), execution("k6", 10)];
    let mut definition = fixtures::definition(Scenario::Taurus { script: source(), executions });
    let shares = |definition: &Definition| {
        let configuration = configuration(definition, "here").unwrap();
        configuration["$execution"].as_array().unwrap().iter().map(|one| one["concurrency"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(shares(&definition), [json!(40), json!(10)]);
    definition.regions[0].users_per_worker = Some(7);
    definition.regions[0].execution_users = vec![5, 2];
    assert_eq!(shares(&definition), [json!(5), json!(2)]);
}

#[test]
fn expecting_a_redirect_stops_following_it() {
    let following = |status: &[&str]| {
        configuration(&expecting(status, None), "here").unwrap()["scenarios"]["volley"]["requests"][0]["follow-redirects"]
            .clone()
    };
    assert_eq!(following(&["302"]), json!(false));
    assert_eq!(following(&["3xx", "200"]), json!(false));
    assert_eq!(following(&["2xx"]), Value::Null);
}

#[rstest]
#[case::status_word(expecting(&["ok"], None), "request \"home\", expect: \"ok\" is no status")]
#[case::status_above_599(expecting(&["600"], None), "\"600\" is no status")]
#[case::status_half_a_class(expecting(&["20x"], None), "\"20x\" is no status")]
#[case::status_expression(expecting(&["2.."], None), "\"2..\" is no status")]
#[case::line_end_in_a_label(http(vec![request("a\nb")]), "U+000A")]
#[case::bell_in_a_text(expecting(&[], Some("\u{7}")), "expect.contains holds the control character U+0007")]
#[case::property_name(jmeter("a=b", ""), "JMeter property \"a=b\"")]
#[case::property_that_deletes_another(jmeter("^user.classpath", ""), "letters, digits")]
#[case::property_of_the_sample_file(jmeter("jmeter.save.saveservice.default_delimiter", ";"), "is reserved")]
fn what_cannot_be_carried_is_refused_by_name(#[case] definition: Definition, #[case] words: &str) {
    let error = taurus_configuration(&definition, "here").unwrap_err().to_string();
    assert!(error.contains(words), "{error}");
}

#[test]
fn no_users_or_no_time_is_refused() {
    let mut definition = http(vec![request("home")]);
    definition.load.users_per_worker = 0;
    assert!(taurus_configuration(&definition, "here").is_err());
    definition.load = Load { users_per_worker: 1, ramp_up_ms: 0, hold_for_ms: 0 };
    assert!(taurus_configuration(&definition, "here").is_err());
}

proptest! {
    /// The judge is a YAML reader that knows nothing of our writer.
    #[test]
    fn every_text_is_read_back_as_the_same_text(body in "\\PC*", header in "\\PC*", label in "\\PC*") {
        let written = http(vec![RequestStep {
            body: Some(body.clone()),
            headers: BTreeMap::from([(header.clone(), label.clone())]),
            ..request(&label)
        }]);
        let Ok(text) = taurus_configuration(&written, "here") else { return Ok(()) };
        let read: Value = serde_saphyr::from_str(&text).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let step = &read["scenarios"]["volley"]["requests"][0];
        prop_assert_eq!(step["body"].as_str(), Some(body.as_str()));
        prop_assert_eq!(step["label"].as_str(), Some(label.as_str()));
        prop_assert_eq!(step["headers"][&header].as_str(), Some(label.as_str()));
    }

    #[test]
    fn the_text_holds_no_character_that_old_readers_take_for_a_line_end(body in any::<String>()) {
        let text = text::yaml(&json!({"body": body}));
        prop_assert!(text.chars().all(|character| !matches!(u32::from(character), 0x7F..=0xFFFF)));
        let read: Value = serde_json::from_str(&text).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(read["body"].as_str(), Some(body.as_str()));
    }
}
