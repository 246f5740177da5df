//! Figures as a status and a table show them: times, rates, ratios and sizes with three significant digits.
//!
//! All arithmetic is in integers and rounds half up, so that the same numbers give the same text on every machine.
//! Exact numbers are in `result.json`.

/// Digits that are shown.
const SIGNIFICANT: u32 = 3;

/// A time in microseconds: `0.85ms`, `142ms`, `1.23s`.
#[must_use]
pub fn time_us(microseconds: u64) -> String {
    quotient_of_time(u128::from(microseconds), 1)
}

/// A mean time, from an exact sum in microseconds and the number of samples; `None` without samples.
#[must_use]
pub fn mean_time(sum_us: u128, count: u64) -> Option<String> {
    (count > 0).then(|| quotient_of_time(sum_us, u128::from(count)))
}

fn quotient_of_time(microseconds: u128, divisor: u128) -> String {
    // 999.5 ms would round to 1000ms, which is written 1s.
    if microseconds.saturating_mul(2) < divisor.saturating_mul(1_999_000) {
        format!("{}ms", significant(microseconds, divisor.saturating_mul(1_000)))
    } else {
        format!("{}s", significant(microseconds, divisor.saturating_mul(1_000_000)))
    }
}

/// Events per second over an interval in microseconds: `398/s`; `0/s` where the interval is empty.
#[must_use]
pub fn rate(events: u64, interval_us: u64) -> String {
    if interval_us == 0 {
        return "0/s".into();
    }
    format!("{}/s", significant(u128::from(events) * 1_000_000, u128::from(interval_us)))
}

/// A part of a whole in percent: `0.12%`; `0%` of nothing. Only the whole itself reads `100%`.
#[must_use]
pub fn ratio(part: u64, whole: u64) -> String {
    if part == 0 || whole == 0 {
        return "0%".into();
    }
    let text = significant(u128::from(part) * 100, u128::from(whole));
    if part < whole && text == "100" { "99.9%".into() } else { format!("{text}%") }
}

/// A number of bytes in multiples of 1,024: `512 B`, `1.5 KiB`, `23.4 MiB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut divisor = 1024_u128;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        // 1023.5 KiB would round to 1024 KiB, which is written 1 MiB.
        if u128::from(count) * 2 < divisor * 2047 {
            break;
        }
        divisor *= 1024;
        unit = larger;
    }
    format!("{} {unit}", significant(u128::from(count), divisor))
}

/// Millionths of a US dollar: `$0.0038`, `$51.8`, `$1234`.
#[must_use]
pub fn dollars(microdollars: u64) -> String {
    format!("${}", significant(u128::from(microdollars), 1_000_000))
}

/// A length of time in milliseconds, exact, in the form in which a manifest writes it: `500ms`, `5m30s`, `25h`.
#[must_use]
pub fn span(milliseconds: u64) -> String {
    let parts = [
        (milliseconds / 3_600_000, "h"),
        (milliseconds / 60_000 % 60, "m"),
        (milliseconds / 1000 % 60, "s"),
        (milliseconds % 1000, "ms"),
    ];
    let mut text = String::new();
    for (number, unit) in parts.into_iter().filter(|(number, _)| *number > 0) {
        text.push_str(&number.to_string());
        text.push_str(unit);
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Seconds of a text of [`time_us`] or [`mean_time`]; `None`: it is none.
#[must_use]
pub fn seconds_of(time: &str) -> Option<f64> {
    match time.strip_suffix("ms") {
        Some(number) => Some(quantity_of(number)? / 1e3),
        None => quantity_of(time.strip_suffix('s')?),
    }
}

/// Events per second of a text of [`rate`]; `None`: it is none.
#[must_use]
pub fn per_second_of(rate: &str) -> Option<f64> {
    quantity_of(rate.strip_suffix("/s")?)
}

/// The part of the whole, 0 to 1, of a text of [`ratio`]; `None`: it is none.
#[must_use]
pub fn part_of(ratio: &str) -> Option<f64> {
    Some(quantity_of(ratio.strip_suffix('%')?)? / 100.0)
}

fn quantity_of(number: &str) -> Option<f64> {
    number.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0)
}

/// `numerator / denominator` with three significant digits, without trailing zeros of a fraction.
/// Whole numbers above three digits keep all of them.
fn significant(numerator: u128, denominator: u128) -> String {
    if numerator == 0 || denominator == 0 {
        return "0".into();
    }
    // Decimals that keep three digits of a number below one, found by scaling it up.
    let mut decimals = 0_u32;
    let mut scaled = numerator;
    let least = denominator.saturating_mul(10_u128.pow(SIGNIFICANT - 1));
    while scaled < least && decimals < 20 {
        let Some(next) = scaled.checked_mul(10) else { break };
        scaled = next;
        decimals += 1;
    }
    let rounded = scaled / denominator + u128::from(scaled % denominator >= denominator.div_ceil(2));
    let factor = 10_u128.pow(decimals);
    let fraction = format!("{:0width$}", rounded % factor, width = decimals as usize);
    let fraction = fraction.trim_end_matches('0');
    let whole = rounded / factor;
    if decimals == 0 || fraction.is_empty() { whole.to_string() } else { format!("{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case(0, "0ms")]
    #[case(1, "0.001ms")]
    #[case(850, "0.85ms")]
    #[case(1_234, "1.23ms")]
    #[case(14_250, "14.3ms")]
    #[case(142_400, "142ms")]
    #[case(999_499, "999ms")]
    #[case(999_500, "1s")]
    #[case(1_234_567, "1.23s")]
    #[case(1_200_000, "1.2s")]
    #[case(59_999_999, "60s")]
    #[case(123_456_789, "123s")]
    #[case(136_800_000_000, "136800s")]
    fn times_have_three_significant_digits(#[case] microseconds: u64, #[case] expected: &str) {
        assert_eq!(time_us(microseconds), expected);
    }

    #[rstest]
    #[case(0, "$0")]
    #[case(3_840, "$0.00384")]
    #[case(51_844_000, "$51.8")]
    #[case(1_234_567_890, "$1235")]
    fn money_has_three_significant_digits(#[case] microdollars: u64, #[case] expected: &str) {
        assert_eq!(dollars(microdollars), expected);
    }

    #[rstest]
    #[case(0, 10_000_000, "0/s")]
    #[case(5, 0, "0/s")]
    #[case(1, 60_000_000, "0.0167/s")]
    #[case(398, 1_000_000, "398/s")]
    #[case(123_456, 10_000_000, "12346/s")]
    fn rates_are_per_second(#[case] events: u64, #[case] interval_us: u64, #[case] expected: &str) {
        assert_eq!(rate(events, interval_us), expected);
    }

    #[rstest]
    #[case(0, 0, "0%")]
    #[case(0, 9, "0%")]
    #[case(9, 9, "100%")]
    #[case(99_999, 100_000, "99.9%")]
    #[case(12, 10_000, "0.12%")]
    #[case(1, 10_000_000, "0.00001%")]
    #[case(1, 3, "33.3%")]
    fn a_ratio_never_hides_an_error_nor_a_success(#[case] part: u64, #[case] whole: u64, #[case] expected: &str) {
        assert_eq!(ratio(part, whole), expected);
    }

    #[rstest]
    #[case(0, "0 B")]
    #[case(1023, "1023 B")]
    #[case(1024, "1 KiB")]
    #[case(1536, "1.5 KiB")]
    #[case(1_048_063, "1023 KiB")]
    #[case(1_048_064, "1 MiB")]
    #[case(u64::MAX, "16 EiB")]
    fn sizes_are_multiples_of_1024(#[case] count: u64, #[case] expected: &str) {
        assert_eq!(bytes(count), expected);
    }

    #[rstest]
    #[case(0, "0s")]
    #[case(500, "500ms")]
    #[case(330_000, "5m30s")]
    #[case(90_061_001, "25h1m1s1ms")]
    fn spans_are_exact(#[case] milliseconds: u64, #[case] expected: &str) {
        assert_eq!(span(milliseconds), expected);
    }

    #[rstest]
    #[case::a_time(seconds_of("142ms"), Some(0.142))]
    #[case::a_long_time(seconds_of("1.23s"), Some(1.23))]
    #[case::no_time(seconds_of("398/s"), None)]
    #[case::no_number(seconds_of("NaNs"), None)]
    #[case::a_negative_time(seconds_of("-1s"), None)]
    #[case::a_rate(per_second_of("398/s"), Some(398.0))]
    #[case::no_rate(per_second_of("398"), None)]
    #[case::a_ratio(part_of("12.5%"), Some(0.125))]
    #[case::no_ratio(part_of("1"), None)]
    fn figures_read_back(#[case] found: Option<f64>, #[case] expected: Option<f64>) {
        assert_eq!(found, expected);
    }

    #[test]
    fn a_mean_of_nothing_is_absent() {
        assert_eq!(mean_time(0, 0), None);
        assert_eq!(mean_time(1_000_001, 3).as_deref(), Some("333ms"));
    }

    proptest! {
        #[test]
        fn a_span_reads_back_as_the_same_duration(milliseconds in 0_u64..=3_600_000_000) {
            prop_assert_eq!(span(milliseconds).parse::<crate::Duration>().unwrap().milliseconds(), milliseconds);
        }

        #[test]
        #[allow(clippy::cast_precision_loss, reason = "half a percent is enough")]
        fn what_is_read_back_is_within_half_a_percent(number in 1_u64..=137_438_953_472, of in 1_u64..=1_000_000) {
            let near = |read: Option<f64>, exact: f64| (read.unwrap() - exact).abs() <= exact * 0.005 + 1e-9;
            prop_assert!(near(seconds_of(&time_us(number)), number as f64 / 1e6));
            prop_assert!(near(per_second_of(&rate(number, 1_000_000)), number as f64));
            let part = of.min(number);
            prop_assert!(near(part_of(&ratio(part, number)), part as f64 / number as f64));
        }

        #[test]
        fn what_is_shown_is_within_half_a_percent_of_the_exact_time(microseconds in 1_u64..=137_438_953_472) {
            let text = time_us(microseconds);
            let (number, unit) = match text.strip_suffix("ms") {
                Some(number) => (number, 1e3),
                None => (text.strip_suffix('s').unwrap(), 1e6),
            };
            let shown = number.parse::<f64>().unwrap() * unit;
            #[allow(clippy::cast_precision_loss)]
            let exact = microseconds as f64;
            prop_assert!((shown - exact).abs() <= exact * 0.005, "{} for {}", text, microseconds);
        }
    }
}
