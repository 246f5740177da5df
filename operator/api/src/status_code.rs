//! HTTP status codes and classes as a user writes them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Form of a status code or class as a string.
pub const STATUS_PATTERN: &str = "^[1-5](xx|[0-9][0-9])$";
/// Lowest status code.
pub const LOWEST: i64 = 100;
/// Highest status code.
pub const HIGHEST: i64 = 599;

/// A status code (`200`, as a number or a string, because YAML makes it a number) or a class (`2xx`).
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(untagged)]
pub enum StatusPattern {
    /// A number.
    Code(i64),
    /// A string: `200` or `2xx`.
    Text(String),
}

impl fmt::Display for StatusPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(formatter, "{code}"),
            Self::Text(text) => formatter.write_str(text),
        }
    }
}

impl JsonSchema for StatusPattern {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StatusPattern".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        // The pattern holds for a string, the range for a number. No rule says it better: CEL's cost of looking at an int-or-string is
        // estimated by its longest text, which no schema can bound, and a hundred requests with ten of them break the budget.
        schemars::json_schema!({
            "x-kubernetes-int-or-string": true,
            "pattern": STATUS_PATTERN,
            "minimum": LOWEST,
            "maximum": HIGHEST,
        })
    }
}
