//! Texts of plans, with units.

use std::collections::BTreeMap;

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
