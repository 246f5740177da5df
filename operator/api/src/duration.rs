//! Durations in the Gateway API's form.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The pattern as a literal, for expressions that hold it.
macro_rules! duration_pattern {
    () => {
        "^([0-9]{1,5}(h|m|s|ms)){1,4}$"
    };
}
pub(crate) use duration_pattern;

/// Pattern of a duration, as GEP-2257 of the Gateway API defines it.
pub const DURATION_PATTERN: &str = duration_pattern!();

/// Longest text of a duration: four numbers of five digits with their units.
pub const DURATION_MAX: usize = 28;

/// A duration as it stands in a manifest: `500ms`, `30s`, `1h30m`. Keeps the user's spelling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Duration {
    text: String,
    milliseconds: u64,
}

/// The text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no duration; write for example 500ms, 30s or 1h30m (units h, m, s, ms)")]
pub struct InvalidDuration {
    text: String,
}

impl Duration {
    /// A duration of whole minutes.
    #[must_use]
    pub fn from_minutes(minutes: u16) -> Self {
        Self { text: format!("{minutes}m"), milliseconds: u64::from(minutes) * 60_000 }
    }

    /// Milliseconds.
    #[must_use]
    pub fn milliseconds(&self) -> u64 {
        self.milliseconds
    }
}

impl FromStr for Duration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidDuration { text: text.to_owned() };
        let mut rest = text;
        let mut milliseconds = 0_u64;
        let mut parts = 0;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let unit = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
            parts += 1;
            if !(1..=5).contains(&digits) || parts > 4 {
                return Err(invalid());
            }
            let number: u64 = rest[..digits].parse().map_err(|_| invalid())?;
            let factor = match &rest[digits..digits + unit] {
                "h" => 3_600_000,
                "m" => 60_000,
                "s" => 1_000,
                "ms" => 1,
                _ => return Err(invalid()),
            };
            milliseconds += number * factor;
            rest = &rest[digits + unit..];
        }
        if parts == 0 {
            return Err(invalid());
        }
        Ok(Self { text: text.to_owned(), milliseconds })
    }
}

impl TryFrom<String> for Duration {
    type Error = InvalidDuration;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> Self {
        duration.text
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        // The form is a rule of the catalogue, because a rule can say what to write instead; a pattern cannot.
        schemars::json_schema!({"type": "string", "minLength": 1, "maxLength": DURATION_MAX})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_keeps_its_spelling_and_knows_its_milliseconds() {
        for (text, milliseconds) in
            [("500ms", 500), ("30s", 30_000), ("1h30m", 5_400_000), ("90m", 5_400_000), ("1m1m", 120_000), ("0s", 0)]
        {
            let duration: Duration = text.parse().unwrap();
            assert_eq!((duration.milliseconds(), duration.to_string().as_str()), (milliseconds, text));
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_by_name() {
        for text in ["", "5", "s", "1d", "100000s", "1s1s1s1s1s", "-1s", "1.5s", "1 s", "1sm"] {
            let message = text.parse::<Duration>().unwrap_err().to_string();
            assert!(message.contains(text) && message.contains("1h30m"), "{message}");
        }
    }
}
