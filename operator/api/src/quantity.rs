//! Amounts of CPU and memory as Kubernetes writes them: `250m`, `0.5`, `512Mi`, `1e3`.
//!
//! The form and the suffixes are those of `k8s.io/apimachinery/pkg/api/resource`. Exact integers, so that a comparison never
//! depends on rounding.

/// Nanounits in one unit: `n` is the smallest suffix.
const NANO: u128 = 1_000_000_000;
/// Longest text of an amount, in bytes; the schema has the same limit.
pub const QUANTITY_MAX: usize = 32;

/// The text is no amount, is negative, or is too large to compare.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no amount; write for example 250m or 2 for cpu, 512Mi or 2Gi for memory")]
pub struct InvalidQuantity {
    text: String,
}

/// An amount in billionths of its unit (core or byte). What is finer than a billionth is rounded up, as the API server does.
///
/// # Errors
/// [`InvalidQuantity`], which names the text.
pub fn nanounits(text: &str) -> Result<u128, InvalidQuantity> {
    parse(text).ok_or_else(|| InvalidQuantity { text: text.chars().take(QUANTITY_MAX).collect() })
}

fn parse(text: &str) -> Option<u128> {
    if text.len() > QUANTITY_MAX {
        return None;
    }
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = unsigned.split_at(digits(unsigned));
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(digits(rest)),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    // mantissa / 10^fraction.len() * factor, in nanounits
    let mantissa: u128 = format!("{whole}{fraction}").parse().ok()?;
    let (multiplier, divisor) = factor(suffix)?;
    let numerator = mantissa.checked_mul(multiplier)?;
    let denominator = divisor.checked_mul(10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?)?;
    Some(numerator.div_ceil(denominator))
}

/// Nanounits of one of a suffix, as a fraction.
fn factor(suffix: &str) -> Option<(u128, u128)> {
    let decimal = |exponent: u32| Some((NANO.checked_mul(10_u128.checked_pow(exponent)?)?, 1));
    let binary = |power: u32| Some((NANO << (10 * power), 1));
    match suffix {
        "n" => Some((1, 1)),
        "u" => Some((1_000, 1)),
        "m" => Some((1_000_000, 1)),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let power: u32 = unsigned.parse().ok()?;
            if exponent.starts_with('-') { Some((NANO, 10_u128.checked_pow(power)?)) } else { decimal(power) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_of_all_forms_compare_exactly() {
        for (one, other) in [
            ("1", "1000m"),
            ("0.5", "500m"),
            (".5", "500m"),
            ("5.", "5"),
            ("+2", "2"),
            ("1Ki", "1024"),
            ("1.5Gi", "1536Mi"),
            ("1e3", "1k"),
            ("1E3", "1000"),
            ("1E", "1e18"),
            ("12e-1", "1.2"),
            ("1000u", "1m"),
            ("1000n", "1u"),
            ("0.1n", "1n"),
        ] {
            assert_eq!(nanounits(one).unwrap(), nanounits(other).unwrap(), "{one} and {other}");
        }
        assert!(nanounits("512m").unwrap() < nanounits("1").unwrap());
        assert!(nanounits("1023Mi").unwrap() < nanounits("1Gi").unwrap());
    }

    #[test]
    fn what_is_no_amount_is_refused_by_name() {
        let long = "1".repeat(33);
        for text in
            ["", ".", "m", "-1", "1 Gi", "1gb", "1ki", "0x1", "1e", "1e+", "1e99", "1e-99", "NaN", long.as_str()]
        {
            let message = nanounits(text).unwrap_err().to_string();
            assert!(message.contains("512Mi"), "{text}: {message}");
        }
    }

    proptest! {
        #[test]
        fn whole_numbers_of_every_suffix_are_their_product(number in 0_u64..1_000_000_000, suffix in 0_usize..10) {
            let (text, factor) = [
                ("m", 1_000_000_u128), ("", NANO), ("k", NANO * 1_000), ("M", NANO * 1_000_000), ("G", NANO * 1_000_000_000),
                ("Ki", NANO * 1024), ("Mi", NANO * 1_048_576), ("Gi", NANO * 1_073_741_824), ("u", 1000), ("n", 1),
            ][suffix];
            prop_assert_eq!(nanounits(&format!("{number}{text}")), Ok(u128::from(number) * factor));
        }

        #[test]
        fn no_text_makes_it_fail_otherwise(text in "\\PC{0,40}") {
            let _ = nanounits(&text);
        }
    }
}
