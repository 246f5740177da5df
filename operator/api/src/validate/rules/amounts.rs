//! Rules of a worker's free resources. The ranges catch slips of the unit: `512m` of memory is half a byte, `200` of CPU two
//! hundred cores.

use serde_json::Value;

use super::{Rule, Test, field};
use crate::quantity::nanounits;

const BOTH: &[&str] = &["spec.worker.resources.requests", "spec.worker.resources.limits"];

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "resources.names",
        at: BOTH,
        test: Test::Keys("^(cpu|memory)$"),
        message: "write cpu, memory or both, nothing else",
    },
    Rule {
        name: "resources.amounts",
        at: BOTH,
        test: Test::Value {
            cel: "self.all(name, isQuantity(string(self[name])))",
            holds: |amounts| amounts.as_object().is_none_or(|amounts| amounts.values().all(is_amount)),
        },
        message: "write amounts such as 250m or 2 for cpu, 512Mi or 2Gi for memory",
    },
    Rule {
        name: "resources.cpu",
        at: BOTH,
        test: Test::Value {
            cel: r#"!("cpu" in self) || !isQuantity(string(self["cpu"])) || (quantity(string(self["cpu"])).compareTo(quantity("10m")) >= 0 && quantity(string(self["cpu"])).compareTo(quantity("64")) <= 0)"#,
            holds: |amounts| is_within(amounts, "cpu", "10m", "64"),
        },
        message: "write cpu from 10m to 64; 250m is a quarter of a core",
    },
    Rule {
        name: "resources.memory",
        at: BOTH,
        test: Test::Value {
            cel: r#"!("memory" in self) || !isQuantity(string(self["memory"])) || (quantity(string(self["memory"])).compareTo(quantity("16Mi")) >= 0 && quantity(string(self["memory"])).compareTo(quantity("512Gi")) <= 0)"#,
            holds: |amounts| is_within(amounts, "memory", "16Mi", "512Gi"),
        },
        message: "write memory from 16Mi to 512Gi with its unit, for example 512Mi; 512m is half a byte",
    },
    Rule {
        name: "resources.memoryLimit",
        at: &["spec.worker.resources"],
        test: Test::Value {
            cel: r#"has(self.limits) && "memory" in self.limits"#,
            holds: |resources| {
                !resources.is_object()
                    || field(resources, "limits").and_then(|limits| field(limits, "memory")).is_some()
            },
        },
        message: "write limits.memory, so that a worker cannot take the memory of others on its node",
    },
    Rule {
        name: "resources.requestsWithinLimits",
        at: &["spec.worker.resources"],
        test: Test::Value {
            cel: r#"!has(self.limits) || !has(self.requests) || ["cpu", "memory"].all(name, !(name in self.requests) || !(name in self.limits) || !isQuantity(string(self.requests[name])) || !isQuantity(string(self.limits[name])) || quantity(string(self.requests[name])).compareTo(quantity(string(self.limits[name]))) <= 0)"#,
            holds: requests_are_within_limits,
        },
        message: "write requests that are not larger than the limits",
    },
];

/// The text of an amount; a number counts as its text, as for the API server.
fn written(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn is_amount(value: &Value) -> bool {
    // A negative amount is an amount; the range refuses it.
    written(value).is_none_or(|text| nanounits(text.strip_prefix('-').unwrap_or(&text)).is_ok())
}

fn amount(amounts: &Value, name: &str) -> Option<i128> {
    let text = written(field(amounts, name)?)?;
    match text.strip_prefix('-') {
        Some(positive) => i128::try_from(nanounits(positive).ok()?).ok().map(|amount| -amount),
        None => i128::try_from(nanounits(&text).ok()?).ok(),
    }
}

fn is_within(amounts: &Value, name: &str, least: &str, most: &str) -> bool {
    let bound = |text: &str| nanounits(text).ok().and_then(|bound| i128::try_from(bound).ok());
    match (amount(amounts, name), bound(least), bound(most)) {
        (Some(amount), Some(least), Some(most)) => (least..=most).contains(&amount),
        _ => true,
    }
}

fn requests_are_within_limits(resources: &Value) -> bool {
    let (Some(requests), Some(limits)) = (field(resources, "requests"), field(resources, "limits")) else {
        return true;
    };
    ["cpu", "memory"].into_iter().all(|name| match (amount(requests, name), amount(limits, name)) {
        (Some(request), Some(limit)) => request <= limit,
        _ => true,
    })
}
