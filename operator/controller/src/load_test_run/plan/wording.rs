//! Texts of plans, with units.

use std::collections::BTreeMap;

use volley_storage::documents::StartDecision;

/// Milliseconds as `5m30s`.
pub(super) fn duration(milliseconds: u64) -> String {
    let (hours, minutes) = (milliseconds / 3_600_000, milliseconds / 60_000 % 60);
    let (seconds, rest) = (milliseconds / 1000 % 60, milliseconds % 1000);
    let mut text = String::new();
    for (number, unit) in [(hours, "h"), (minutes, "m"), (seconds, "s"), (rest, "ms")] {
        if number > 0 {
            text.push_str(&number.to_string());
            text.push_str(unit);
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// `cpu=200m,memory=256Mi`.
pub(super) fn quantities(requests: &BTreeMap<String, String>) -> String {
    if requests.is_empty() {
        return "none".to_owned();
    }
    requests.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
}

/// What the condition `Provisioned` says once the start is decided.
pub(super) fn provisioned(start: &StartDecision) -> String {
    let mut text = "Enough workers are at the gate".to_owned();
    if !start.left_out.is_empty() {
        text.push_str("; the load starts without ");
        text.push_str(&left_out(start.left_out.iter().map(|(target, why)| (target.as_str(), why.as_str()))));
    }
    text
}

/// Regions that take no part, each with the reason: `eu-west-1 (…), us-east-1 (…)`.
pub(super) fn left_out<'a>(regions: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    regions.map(|(target, why)| format!("{target} ({why})")).collect::<Vec<_>>().join(", ")
}

/// A length as a status writes it.
pub(super) fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_in_the_units_that_they_have() {
        for (milliseconds, text) in
            [(0, "0s"), (500, "500ms"), (330_000, "5m30s"), (3_600_000, "1h"), (90_061_001, "25h1m1s1ms")]
        {
            assert_eq!(duration(milliseconds), text);
        }
    }
}
