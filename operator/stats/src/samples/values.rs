//! Values out of fields.

use std::borrow::Cow;

/// What Taurus calls a sample without a name.
const EMPTY_LABEL: &str = "[empty]";

/// The text of a field; bytes that are not UTF-8 become `U+FFFD`.
pub(super) fn text(field: &[u8]) -> Cow<'_, str> {
    // Nearly all are UTF-8, and to see that is faster than to look for what is not.
    std::str::from_utf8(field).map_or_else(|_| String::from_utf8_lossy(field), Cow::Borrowed)
}

/// A label is never empty.
pub(super) fn label(text: &str) -> &str {
    if text.is_empty() { EMPTY_LABEL } else { text }
}

/// A number of at most 19 digits.
pub(super) fn number(field: &[u8]) -> Option<u64> {
    if field.is_empty() || field.len() > 19 {
        return None;
    }
    field.iter().try_fold(0_u64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9).then(|| value * 10 + u64::from(digit))
    })
}

/// Whole milliseconds, in microseconds.
pub(super) fn milliseconds(field: &[u8]) -> Option<u64> {
    number(field)?.checked_mul(1000)
}

/// Milliseconds with a fraction (`20.687814`), in microseconds, rounded half up.
pub(super) fn decimal_milliseconds(field: &[u8]) -> Option<u64> {
    let point = field.iter().position(|byte| *byte == b'.').unwrap_or(field.len());
    let (whole, fraction) = field.split_at_checked(point)?;
    let fraction = fraction.get(1..).unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |position: usize| fraction.get(position).map_or(0, |digit| u64::from(digit - b'0'));
    let microseconds = digit(0) * 100 + digit(1) * 10 + digit(2) + u64::from(digit(3) >= 5);
    milliseconds(whole)?.checked_add(microseconds)
}

/// An empty field is no value; a field that makes no sense makes the row malformed (the outer `None`).
#[allow(clippy::option_option, reason = "`?` takes the outer one, the sample the inner one")]
pub(super) fn optional(field: &[u8], read: impl Fn(&[u8]) -> Option<u64>) -> Option<Option<u64>> {
    if field.is_empty() { Some(None) } else { read(field).map(Some) }
}

/// A number of virtual users.
pub(super) fn users(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_with_a_fraction_are_rounded_to_microseconds() {
        for (field, microseconds) in [
            ("20.687814", 20_688),
            ("0.000000", 0),
            ("0.000499", 0),
            ("0.0005", 1),
            ("0.9999", 1_000),
            ("59999.999500", 60_000_000),
            ("7", 7_000),
            ("7.", 7_000),
            ("7.2", 7_200),
        ] {
            assert_eq!(decimal_milliseconds(field.as_bytes()), Some(microseconds), "{field}");
        }
        for field in ["", ".5", "-1.0", "1.0e3", "1.2.3", "NaN", "+Inf", "1,5", "99999999999999999999.0"] {
            assert_eq!(decimal_milliseconds(field.as_bytes()), None, "{field}");
        }
    }
}
