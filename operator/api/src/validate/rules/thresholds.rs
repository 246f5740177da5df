//! Rules of thresholds.

use serde_json::Value;

use super::{Rule, Test, field, milliseconds, text};
use crate::duration::duration_pattern;
use crate::load_test::METRIC_PATTERN;

/// Every way to write that nothing is below a limit.
macro_rules! zeros {
    () => {
        r#"["0", "0ms", "0.0ms", "0.00ms", "0.000ms", "0s", "0.0s", "0.00s", "0.000s", "0/s", "0.0/s", "0.00/s", "0.000/s", "0%", "0.0%", "0.00%", "0.000%"]"#
    };
}

/// Every way to write 100 %.
macro_rules! wholes {
    () => {
        r#"["100%", "100.0%", "100.00%", "100.000%"]"#
    };
}

/// A limit ends in a digit and one of the units. Written out, because CEL's estimate takes an item of a list for a text of any length,
/// and that is beyond the budget.
macro_rules! ends_in {
    ($limit:literal, $($unit:literal)|+) => {
        concat!("(", $(
            $limit, ".endsWith(\"0", $unit, "\") || ",
            $limit, ".endsWith(\"1", $unit, "\") || ",
            $limit, ".endsWith(\"2", $unit, "\") || ",
            $limit, ".endsWith(\"3", $unit, "\") || ",
            $limit, ".endsWith(\"4", $unit, "\") || ",
            $limit, ".endsWith(\"5", $unit, "\") || ",
            $limit, ".endsWith(\"6", $unit, "\") || ",
            $limit, ".endsWith(\"7", $unit, "\") || ",
            $limit, ".endsWith(\"8", $unit, "\") || ",
            $limit, ".endsWith(\"9", $unit, "\") || ",
        )+ "false)")
    };
}

/// The unit of a limit fits the metric beside it.
macro_rules! fits {
    ($limit:literal) => {
        concat!(
            r#"(self.metric == "requests" ? type("#,
            $limit,
            ") == int || ",
            ends_in!($limit, ""),
            " : type(",
            $limit,
            r#") != int && (self.metric == "errorRate" ? "#,
            ends_in!($limit, "%"),
            r#" : self.metric == "requestRate" ? "#,
            ends_in!($limit, "/s"),
            " : ",
            ends_in!($limit, "s" | "ms"),
            "))"
        )
    };
}

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "threshold.name",
        at: &["spec.thresholds[].name"],
        test: Test::Text("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
        message: "write lower-case letters, digits and -, with a letter or digit at both ends, for example checkout-is-fast",
    },
    Rule {
        name: "threshold.metric",
        at: &["spec.thresholds[].metric"],
        test: Test::Text(METRIC_PATTERN),
        message: "write average, min, max, errorRate, requestRate, requests or a percentile such as p95 or p99.9",
    },
    Rule {
        name: "threshold.one",
        at: &["spec.thresholds[]"],
        test: Test::Value {
            cel: "has(self.below) != has(self.above)",
            holds: |threshold| {
                !threshold.is_object() || field(threshold, "below").is_some() != field(threshold, "above").is_some()
            },
        },
        message: "write exactly one of below, above",
    },
    Rule {
        name: "threshold.unit",
        at: &["spec.thresholds[]"],
        test: Test::Value {
            cel: concat!(
                "(!has(self.below) || ",
                fits!("self.below"),
                ") && (!has(self.above) || ",
                fits!("self.above"),
                ")"
            ),
            holds: units_fit,
        },
        message: "write a limit that fits the metric: 300ms or 1.5s for average, min, max and percentiles, 1% for errorRate, 400/s for requestRate, 1000 for requests",
    },
    Rule {
        name: "threshold.possible",
        at: &["spec.thresholds[]"],
        test: Test::Value {
            cel: concat!(
                "(!has(self.below) || (self.below != 0 && !(self.below in ",
                zeros!(),
                r#"))) && (!has(self.above) || self.metric != "errorRate" || !(self.above in "#,
                wholes!(),
                "))"
            ),
            holds: |threshold| {
                let is_zero = |limit: &String| {
                    let digits = limit.trim_end_matches(['m', 's', '/', '%']);
                    !digits.is_empty() && digits.bytes().all(|byte| matches!(byte, b'0' | b'.'))
                };
                let below_zero = written(threshold, "below").as_ref().is_some_and(is_zero);
                let above_whole = text(threshold, "metric") == Some("errorRate")
                    && text(threshold, "above").is_some_and(|limit| {
                        limit.strip_prefix("100").is_some_and(|rest| {
                            rest.strip_suffix('%')
                                .is_some_and(|zeros| zeros.bytes().all(|byte| matches!(byte, b'0' | b'.')))
                        })
                    });
                !below_zero && !above_whole
            },
        },
        message: "write a limit that can be kept: nothing is below 0 and no errorRate above 100%; for hardly any error write errorRate below 0.001%",
    },
    Rule {
        name: "threshold.abortAfter",
        at: &["spec.thresholds[].abort.after"],
        test: Test::Value {
            cel: concat!(r#"!self.matches(r""#, duration_pattern!(), r#"") || duration(self) <= duration("24h")"#),
            holds: |after| after.as_str().and_then(milliseconds).is_none_or(|length| length <= 24 * 3_600_000),
        },
        message: "write at most 24h",
    },
    Rule {
        name: "threshold.abortFor",
        at: &["spec.thresholds[].abort.for"],
        test: Test::Text(r"^([1-9][0-9]?|1[01][0-9]|120)s$"),
        message: "write whole seconds from 1s to 120s, for example 10s",
    },
    Rule {
        name: "threshold.abortLive",
        at: &["spec"],
        test: Test::Value {
            cel: "!has(self.thresholds) || !has(self.live) || !has(self.live.enabled) || self.live.enabled || !self.thresholds.exists(threshold, has(threshold.abort))",
            holds: |spec| {
                let off =
                    field(spec, "live").and_then(|live| field(live, "enabled")).and_then(Value::as_bool) == Some(false);
                !off || items(spec, "thresholds").all(|threshold| field(threshold, "abort").is_none())
            },
        },
        message: "spec.thresholds: abort needs live figures; leave spec.live.enabled out, or leave abort out",
    },
    Rule {
        name: "threshold.region",
        at: &["spec"],
        test: Test::Value {
            cel: "!has(self.thresholds) || self.thresholds.all(threshold, !has(threshold.region) || self.regions.exists(region, region.target == threshold.region))",
            holds: |spec| {
                let targets: Vec<_> = items(spec, "regions").filter_map(|region| text(region, "target")).collect();
                items(spec, "thresholds")
                    .filter_map(|threshold| text(threshold, "region"))
                    .all(|region| targets.contains(&region))
            },
        },
        message: "spec.thresholds: write a region that is the target of one of spec.regions, or leave region out",
    },
    Rule {
        name: "threshold.label",
        at: &["spec"],
        test: Test::Value {
            cel: "!has(self.thresholds) || !has(self.scenario.http) || self.thresholds.all(threshold, !has(threshold.label) || self.scenario.http.requests.exists(request, request.name == threshold.label))",
            holds: |spec| {
                let Some(http) = field(spec, "scenario").and_then(|scenario| field(scenario, "http")) else {
                    return true;
                };
                let names: Vec<_> = items(http, "requests").filter_map(|request| text(request, "name")).collect();
                items(spec, "thresholds")
                    .filter_map(|threshold| text(threshold, "label"))
                    .all(|label| names.contains(&label))
            },
        },
        message: "spec.thresholds: write a label that is the name of one of spec.scenario.http.requests, or leave label out",
    },
];

fn items<'a>(object: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    field(object, name).and_then(Value::as_array).into_iter().flatten()
}

/// A limit as text, whatever it is written as.
fn written(threshold: &Value, side: &str) -> Option<String> {
    match field(threshold, side)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn units_fit(threshold: &Value) -> bool {
    let ends_in = |limit: &str, unit: &str| {
        limit.strip_suffix(unit).is_some_and(|number| number.ends_with(|character: char| character.is_ascii_digit()))
    };
    let metric = text(threshold, "metric").unwrap_or_default();
    ["below", "above"].into_iter().filter_map(|side| field(threshold, side)).all(|limit| match (metric, limit) {
        ("requests", Value::String(limit)) => ends_in(limit, ""),
        ("errorRate", Value::String(limit)) => ends_in(limit, "%"),
        ("requestRate", Value::String(limit)) => ends_in(limit, "/s"),
        (_, Value::String(limit)) => ends_in(limit, "s") || ends_in(limit, "ms"),
        // Another shape than number or text is the schema's matter.
        (metric, limit) => metric == "requests" || !limit.is_number(),
    })
}
