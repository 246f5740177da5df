//! The catalogue of rules: everything that a shape cannot say, once, as CEL for the API server and as Rust for everybody else.
//!
//! A rule has a name, the places that it speaks of, and a message that says what to write instead. How to add one: write it here, add a
//! good and a bad case to `tests/cases`, run `cargo xtask generate`.

mod amounts;
mod load_test;
mod load_test_run;
mod region_target;
mod scenario;
mod thresholds;

use serde_json::Value;

use crate::crd::Kind;

/// A rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Unique name, for tests and for people who search.
    pub name: &'static str,
    /// Paths that it holds at; `[]` stands for every item of a list, the empty path for the object itself.
    pub at: &'static [&'static str],
    /// What must hold there.
    pub test: Test,
    /// What to write instead.
    pub message: &'static str,
}

/// What must hold.
#[derive(Clone, Copy, Debug)]
pub enum Test {
    /// A string matches the regular expression (the common part of RE2 and Rust).
    Text(&'static str),
    /// Every key of a map matches.
    Keys(&'static str),
    /// Every value of a map matches.
    Values(&'static str),
    /// An expression and the same in Rust. Where the shape is another one than the schema asks for, it holds: the schema says it.
    Value {
        /// CEL; `self` is the value.
        cel: &'static str,
        /// The same in Rust.
        holds: fn(&Value) -> bool,
    },
    /// The same over a change.
    Change {
        /// CEL; `self` is the new value, `oldSelf` the old one.
        cel: &'static str,
        /// The same in Rust: old, new.
        holds: fn(&Value, &Value) -> bool,
    },
}

impl Rule {
    /// The expression for the API server.
    #[must_use]
    pub fn cel(&self) -> String {
        match self.test {
            Test::Text(pattern) => format!("self.matches(r\"{pattern}\")"),
            Test::Keys(pattern) => format!("self.all(key, key.matches(r\"{pattern}\"))"),
            Test::Values(pattern) => format!("self.all(key, self[key].matches(r\"{pattern}\"))"),
            Test::Value { cel, .. } | Test::Change { cel, .. } => cel.to_owned(),
        }
    }
}

impl Test {
    /// Whether a value passes. Rules over a change pass: there is none.
    #[must_use]
    pub fn holds(&self, value: &Value) -> bool {
        match self {
            Self::Text(pattern) => value.as_str().is_none_or(|text| matches(pattern, text)),
            Self::Keys(pattern) => {
                value.as_object().is_none_or(|fields| fields.keys().all(|key| matches(pattern, key)))
            }
            Self::Values(pattern) => value
                .as_object()
                .is_none_or(|fields| fields.values().filter_map(Value::as_str).all(|text| matches(pattern, text))),
            Self::Value { holds, .. } => holds(value),
            Self::Change { .. } => true,
        }
    }
}

/// The rules of a kind.
#[must_use]
pub fn of(kind: Kind) -> Vec<Rule> {
    match kind {
        Kind::LoadTest => [load_test::RULES, scenario::RULES, amounts::RULES, thresholds::RULES].concat(),
        Kind::LoadTestRun => load_test_run::RULES.to_vec(),
        Kind::RegionTarget => region_target::RULES.to_vec(),
    }
}

/// An expression that does not compile matches nothing: every manifest would be refused, which no test survives.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    regex_lite::Regex::new(pattern).is_ok_and(|expression| expression.is_match(text))
}

/// Exactly one of the fields is there.
fn exactly_one(value: &Value, fields: &[&str]) -> bool {
    value.as_object().is_none_or(|object| {
        fields.iter().filter(|field| object.get(**field).is_some_and(|value| !value.is_null())).count() == 1
    })
}

fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.get(name).filter(|value| !value.is_null())
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    field(value, name)?.as_str()
}

/// Milliseconds of a duration; `None` where it is none, which another rule says.
fn milliseconds(text: &str) -> Option<u64> {
    text.parse().ok().map(|duration: crate::Duration| duration.milliseconds())
}

/// `metadata.name` is a DNS label of at most `max` characters, or not there yet.
fn is_named(object: &Value, max: usize) -> bool {
    object.pointer("/metadata/name").and_then(Value::as_str).is_none_or(|name| crate::names::is_dns_label(name, max))
}
