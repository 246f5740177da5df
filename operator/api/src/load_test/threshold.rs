//! What must hold for a run to pass.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::Duration;

/// Form of a metric: a name, or a percentile from p0 to p100 with at most three decimals.
pub const METRIC_PATTERN: &str =
    r"^(average|min|max|errorRate|requestRate|requests|p([0-9]|[1-9][0-9])(\.[0-9]{1,3})?|p100(\.0{1,3})?)$";
/// Form of a limit that is text: a whole number, or a number with at most three decimals and a unit, a share up to 100 %. Which unit
/// it must be is a rule, because a rule can say it in words.
const LIMIT_PATTERN: &str = r"^(((0|[1-9][0-9]?)(\.[0-9]{1,3})?|100(\.0{1,3})?)%|(0|[1-9][0-9]{0,8})(\.[0-9]{1,3})?[a-zA-Z/ ]{1,12}|0|[1-9][0-9]{0,14})$";
/// Largest limit that is a number.
const LIMIT_MAX: i64 = 999_999_999_999_999;

/// What must hold for a run to pass. It is judged on all that was measured, when the run has ended.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Threshold {
    /// Unique name; results speak of the threshold by it.
    #[schemars(length(min = 1, max = 40))]
    pub name: String,
    /// What is looked at: average, min, max or a percentile such as p99.9 of the response times, errorRate, requestRate, requests.
    #[schemars(length(min = 1, max = 12))]
    pub metric: String,
    /// Only requests with this label. Absent: all requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub label: Option<String>,
    /// Only requests of this region, named by its target. Absent: all regions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 15))]
    pub region: Option<String>,
    /// The value must be less than this: a time (300ms, 1.5s), for errorRate a share (1%), for requestRate a rate (400/s), for requests
    /// a whole number (1000). Exactly one of below, above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<ThresholdLimit>,
    /// The value must be more than this; written like below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<ThresholdLimit>,
    /// Stop the load as soon as the threshold is missed over some seconds. Absent: it is judged at the end only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort: Option<Abort>,
}

/// When a missed threshold stops the load.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Abort {
    /// Not before this long after the start of the load, 0s to 24h.
    pub after: Duration,
    /// The seconds that are looked at together, 1s to 120s in whole seconds; at each second the last ones.
    #[serde(rename = "for")]
    pub length: Duration,
}

/// A limit with its unit, or a whole number, because YAML makes `1000` a number.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(untagged)]
pub enum ThresholdLimit {
    /// A whole number.
    Number(i64),
    /// A number with its unit, or a whole number.
    Text(String),
}

impl fmt::Display for ThresholdLimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(formatter, "{number}"),
            Self::Text(text) => formatter.write_str(text),
        }
    }
}

impl JsonSchema for ThresholdLimit {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ThresholdLimit".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        // The form is a pattern, because CEL's cost of matching an int-or-string is estimated by its longest text, which no schema can
        // bound. What looks at its end only is cheap.
        schemars::json_schema!({
            "x-kubernetes-int-or-string": true,
            "pattern": LIMIT_PATTERN,
            "minimum": 0,
            "maximum": LIMIT_MAX,
        })
    }
}
