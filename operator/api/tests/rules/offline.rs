//! The case tables against the checks in Rust.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use volley_api::crd::Kind;
use volley_api::validate::{Validator, rules};

use crate::cases;

#[test]
fn every_case_is_judged_as_its_table_says() {
    let validator = Validator::new().unwrap();
    let mut wrong = Vec::new();
    for case in cases::all() {
        let found = match &case.changed {
            Some(changed) => validator.check_change(case.kind, &case.object, changed),
            None => validator.check(case.kind, &case.object),
        };
        let mut found: Vec<_> =
            found.into_iter().map(|violation| (violation.rule.to_owned(), violation.path)).collect();
        found.sort();
        if found != case.refused {
            wrong.push(format!(
                "{}: {}\n  expected {:?}\n  found    {found:?}",
                case.kind.as_str(),
                case.says,
                case.refused
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_has_a_case_that_it_alone_refuses_at_each_of_its_places() {
    let cases = cases::all();
    let mut missing = Vec::new();
    for kind in Kind::ALL {
        for rule in rules::of(kind) {
            for at in rule.at {
                let is_tried = cases.iter().any(|case| {
                    case.kind == kind && matches!(&case.refused[..], [(name, path)] if name == rule.name && without_indexes(path) == *at)
                });
                if !is_tried {
                    missing.push(format!("{} of {} at {at:?}", rule.name, kind.as_str()));
                }
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn names_and_messages_of_rules_are_unique_within_a_kind() {
    for kind in Kind::ALL {
        let rules = rules::of(kind);
        let names: BTreeSet<_> = rules.iter().map(|rule| rule.name).collect();
        let messages: BTreeSet<_> = rules.iter().map(|rule| rule.message).collect();
        assert_eq!((names.len(), messages.len()), (rules.len(), rules.len()));
        for rule in rules {
            assert!(!rule.message.contains('\n') && rule.message.len() <= 200, "{}", rule.name);
        }
    }
}

#[test]
fn what_the_actions_of_argo_cd_make_is_accepted() {
    let made = |name: &str| -> Value {
        let path = format!("{}/../../gitops/test/testdata/created/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
        serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    let validator = Validator::new().unwrap();
    for name in ["LoadTest-run", "LoadTestRun-run-again"] {
        assert_eq!(validator.check(Kind::LoadTestRun, &made(name)), []);
    }
    let before = made("LoadTest-run");
    let stopped = json!({"apiVersion": before["apiVersion"], "kind": before["kind"], "metadata": before["metadata"],
        "spec": made("LoadTestRun-stop")});
    assert_eq!(validator.check_change(Kind::LoadTestRun, &before, &stopped), []);
}

/// `spec.regions[3].target` as a rule names it.
fn without_indexes(path: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for character in path.chars() {
        inside = if inside { character != ']' } else { character == '[' };
        if character == '[' || character == ']' || !inside {
            text.push(character);
        }
    }
    text
}
