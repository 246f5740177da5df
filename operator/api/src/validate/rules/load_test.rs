//! Rules of a LoadTest, beside those of its scenario and of its workers' resources.

use serde_json::Value;

use super::{Rule, Test, exactly_one, is_named, milliseconds, text};
use crate::duration::{DURATION_PATTERN, duration_pattern};
use crate::names::LOAD_TEST_NAME_MAX;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "loadTest.name",
        at: &[""],
        test: Test::Value {
            cel: r#"self.metadata.name.size() <= 40 && self.metadata.name.matches(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")"#,
            holds: |object| is_named(object, LOAD_TEST_NAME_MAX),
        },
        message: "metadata.name: write at most 40 lower-case letters, digits and -, with a letter or digit at both ends, for example checkout",
    },
    Rule {
        name: "duration.form",
        at: &[
            "spec.load.rampUp",
            "spec.load.holdFor",
            "spec.start.timeout",
            "spec.scenario.http.requests[].thinkTime",
            "spec.thresholds[].abort.after",
        ],
        test: Test::Text(DURATION_PATTERN),
        message: "write a duration such as 500ms, 30s or 1h30m (units h, m, s, ms; no days, no fractions)",
    },
    Rule {
        name: "load.holdFor",
        at: &["spec.load.holdFor"],
        test: Test::Value {
            cel: concat!(r#"!self.matches(r""#, duration_pattern!(), r#"") || duration(self) >= duration("1s")"#),
            holds: |value| value.as_str().and_then(milliseconds).is_none_or(|length| length >= 1000),
        },
        message: "hold the load for at least 1s",
    },
    Rule {
        name: "load.total",
        at: &["spec.load"],
        test: Test::Value {
            cel: concat!(
                r#"!self.holdFor.matches(r""#,
                duration_pattern!(),
                r#"") || (has(self.rampUp) && !self.rampUp.matches(r""#,
                duration_pattern!(),
                r#"")) || duration(self.holdFor) + (has(self.rampUp) ? duration(self.rampUp) : duration("0s")) <= duration("24h")"#
            ),
            holds: load_ends_within_a_day,
        },
        message: "rampUp and holdFor together may take at most 24h; shorten them, or run the test several times",
    },
    Rule {
        name: "start.timeout",
        at: &["spec.start.timeout"],
        test: Test::Value {
            cel: concat!(
                r#"!self.matches(r""#,
                duration_pattern!(),
                r#"") || (duration(self) >= duration("1s") && duration(self) <= duration("6h"))"#
            ),
            holds: |value| {
                value.as_str().and_then(milliseconds).is_none_or(|length| (1000..=6 * 3_600_000).contains(&length))
            },
        },
        message: "write a timeout from 1s to 6h",
    },
    Rule {
        name: "live.interval",
        at: &["spec.live.interval"],
        // Not by arithmetic: CEL's estimate takes a text that is made of a number for one of any length, beyond the budget.
        test: Test::Text("^(Auto|1m|([1-9]|[1-5][0-9]|60)(s|000ms))$"),
        message: "write Auto, or whole seconds from 1s to 60s, for example 5s",
    },
    Rule {
        name: "regions.target",
        at: &["spec.regions[].target"],
        test: Test::Text("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
        message: "write the name of a RegionTarget: lower-case letters, digits and -, for example eu-west-1",
    },
    Rule {
        name: "scenario.one",
        at: &["spec.scenario"],
        test: Test::Value {
            cel: "(has(self.http) ? 1 : 0) + (has(self.jmeter) ? 1 : 0) + (has(self.k6) ? 1 : 0) + (has(self.locust) ? 1 : 0) + (has(self.taurus) ? 1 : 0) == 1",
            holds: |scenario| exactly_one(scenario, &["http", "jmeter", "k6", "locust", "taurus"]),
        },
        message: "write exactly one of http, jmeter, k6, locust, taurus",
    },
    Rule {
        name: "worker.sizeOrResources",
        at: &["spec.worker"],
        test: Test::Value {
            cel: "!(has(self.size) && has(self.resources))",
            holds: |worker| super::field(worker, "size").is_none() || super::field(worker, "resources").is_none(),
        },
        message: "write size or resources, not both; resources only for targets with fargate: false",
    },
];

fn load_ends_within_a_day(load: &Value) -> bool {
    const DAY: u64 = 24 * 3_600_000;
    let Some(hold) = text(load, "holdFor").and_then(milliseconds) else { return true };
    let ramp = match text(load, "rampUp") {
        None => 0,
        Some(ramp) => match milliseconds(ramp) {
            Some(ramp) => ramp,
            None => return true,
        },
    };
    hold.saturating_add(ramp) <= DAY
}
