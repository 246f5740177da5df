//! Rules of a LoadTestRun.

use serde_json::Value;

use super::{Rule, Test, field, is_named};
use crate::digest::DIGEST_PATTERN;
use crate::names::RUN_NAME_MAX;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "loadTestRun.name",
        at: &[""],
        test: Test::Value {
            cel: r#"self.metadata.name.size() <= 63 && self.metadata.name.matches(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")"#,
            holds: |object| is_named(object, RUN_NAME_MAX),
        },
        message: "metadata.name: write at most 63 lower-case letters, digits and -, with a letter or digit at both ends, or write generateName: checkout-",
    },
    Rule {
        name: "loadTestRun.loadTest",
        at: &["spec.loadTest"],
        test: Test::Text("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
        message: "write the name of a LoadTest in the same namespace: lower-case letters, digits and -",
    },
    Rule {
        name: "loadTestRun.definitionDigest",
        at: &["spec.definitionDigest"],
        test: Test::Text(DIGEST_PATTERN),
        message: "leave definitionDigest out; the operator writes it for the runs that it triggers",
    },
    Rule {
        name: "loadTestRun.immutable",
        at: &["spec"],
        test: Test::Change {
            cel: "self.loadTest == oldSelf.loadTest && has(self.definitionDigest) == has(oldSelf.definitionDigest) && (!has(self.definitionDigest) || self.definitionDigest == oldSelf.definitionDigest)",
            holds: |old, new| {
                ["loadTest", "definitionDigest"].into_iter().all(|name| field(old, name) == field(new, name))
            },
        },
        message: "a run does not change; create another LoadTestRun (only stop may be set)",
    },
    Rule {
        name: "loadTestRun.stopOnce",
        at: &["spec"],
        test: Test::Change {
            cel: "!has(oldSelf.stop) || (has(self.stop) && self.stop == oldSelf.stop)",
            holds: stop_is_kept,
        },
        message: "stop was set already and can be neither changed nor taken back; create another LoadTestRun",
    },
    Rule {
        name: "stop.reason",
        at: &["spec.stop.reason"],
        test: Test::Text(r"[^\x00-\x20]"),
        message: "write why the run is stopped, for example \"too hot\"",
    },
];

fn stop_is_kept(old: &Value, new: &Value) -> bool {
    field(old, "stop").is_none_or(|stop| field(new, "stop") == Some(stop))
}
