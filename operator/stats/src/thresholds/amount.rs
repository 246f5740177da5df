//! Amounts that values and limits are compared in: whole numbers of a unit that is fine enough for every limit.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Digits that [`Amount::rounded`] keeps.
const SIGNIFICANT: u32 = 3;
/// Digits before the point of a limit with a unit.
const WHOLE_DIGITS: usize = 9;
/// Digits of a limit without a unit.
const COUNT_DIGITS: usize = 15;
/// 100 % in parts per million.
pub(super) const WHOLE_SHARE: u64 = 1_000_000;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// Microseconds.
    Time,
    /// Parts per million.
    Share,
    /// Thousandths per second.
    Rate,
    /// Pieces.
    Count,
}

/// A whole number of a [`Unit`]. Its text form is that of a manifest: `300ms`, `1.5s`, `1%`, `400/s`, `1000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Amount {
    unit: Unit,
    number: u64,
}

/// The text is no limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "limit '{text}' is not understood; write a time such as 300ms or 1.5s, a share such as 1%, a rate such as 400/s or a whole \
     number such as 1000, with at most three decimals"
)]
pub struct InvalidAmount {
    text: String,
}

impl Amount {
    /// That many of the unit.
    #[must_use]
    pub fn new(unit: Unit, number: u64) -> Self {
        Self { unit, number }
    }

    /// The unit.
    #[must_use]
    pub fn unit(self) -> Unit {
        self.unit
    }

    /// How many of the unit.
    #[must_use]
    pub fn number(self) -> u64 {
        self.number
    }

    /// With three significant digits, rounded half up. Counts, and whole rates above three digits, keep all of theirs, and only the
    /// whole itself becomes 100 %.
    #[must_use]
    pub fn rounded(self) -> Self {
        let most = match self.unit {
            Unit::Count => 1,
            Unit::Rate => 1_000,
            Unit::Time | Unit::Share => u64::MAX,
        };
        let digits = self.number.checked_ilog10().map_or(1, |digits| digits + 1);
        let step = 10_u64.pow(digits.saturating_sub(SIGNIFICANT)).min(most);
        let number = self.number.saturating_add(step / 2) / step * step;
        if self.unit == Unit::Share && number == WHOLE_SHARE {
            return self;
        }
        Self { number, ..self }
    }
}

impl FromStr for Amount {
    type Err = InvalidAmount;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| InvalidAmount { text: text.chars().take(40).collect() })
    }
}

fn parse(text: &str) -> Option<Amount> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = text.split_at(digits(text));
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(digits(rest)),
        None => ("000", rest),
    };
    let plain = whole == "0" || !(whole.is_empty() || whole.starts_with('0'));
    if !plain || !(1..=3).contains(&fraction.len()) {
        return None;
    }
    if suffix.is_empty() {
        let number = (rest.is_empty() && whole.len() <= COUNT_DIGITS).then(|| whole.parse().ok())??;
        return Some(Amount::new(Unit::Count, number));
    }
    if whole.len() > WHOLE_DIGITS {
        return None;
    }
    // Thousandths of what is written: at most 12 digits.
    let thousandths: u64 = format!("{whole}{fraction:0<3}").parse().ok()?;
    let amount = match suffix {
        "ms" => Amount::new(Unit::Time, thousandths),
        "s" => Amount::new(Unit::Time, thousandths * 1_000),
        "%" => Amount::new(Unit::Share, thousandths * 10),
        "/s" => Amount::new(Unit::Rate, thousandths),
        _ => return None,
    };
    (amount.unit != Unit::Share || amount.number <= WHOLE_SHARE).then_some(amount)
}

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (denominator, suffix) = match self.unit {
            // A second and more in seconds, unless they need more than three decimals.
            Unit::Time if self.number >= 1_000_000 && self.number.is_multiple_of(1_000) => (1_000_000, "s"),
            Unit::Time => (1_000, "ms"),
            Unit::Share => (10_000, "%"),
            Unit::Rate => (1_000, "/s"),
            Unit::Count => (1, ""),
        };
        write!(formatter, "{}", self.number / denominator)?;
        let fraction = self.number % denominator;
        if fraction > 0 {
            let width = usize::try_from(denominator.ilog10()).unwrap_or_default();
            write!(formatter, ".{}", format!("{fraction:0width$}").trim_end_matches('0'))?;
        }
        formatter.write_str(suffix)
    }
}

impl TryFrom<String> for Amount {
    type Error = InvalidAmount;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Amount> for String {
    fn from(amount: Amount) -> Self {
        amount.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_limit_is_an_exact_number_of_its_unit() {
        for (text, unit, number) in [
            ("300ms", Unit::Time, 300_000),
            ("0.5ms", Unit::Time, 500),
            ("1.5s", Unit::Time, 1_500_000),
            ("1.005s", Unit::Time, 1_005_000),
            ("1%", Unit::Share, 10_000),
            ("0.001%", Unit::Share, 10),
            ("100%", Unit::Share, 1_000_000),
            ("400/s", Unit::Rate, 400_000),
            ("0.25/s", Unit::Rate, 250),
            ("1000", Unit::Count, 1_000),
            ("0", Unit::Count, 0),
            ("999999999999999", Unit::Count, 999_999_999_999_999),
            ("999999999.999s", Unit::Time, 999_999_999_999_000),
        ] {
            assert_eq!(text.parse(), Ok(Amount::new(unit, number)), "{text}");
        }
        assert_eq!("1500ms".parse::<Amount>().unwrap().to_string(), "1.5s");
        assert_eq!("1.50%".parse::<Amount>().unwrap().to_string(), "1.5%");
    }

    #[test]
    fn what_is_no_limit_is_refused_by_name() {
        for text in [
            "",
            "ms",
            "1.5",
            "1,5s",
            "-1ms",
            "+1ms",
            "1.2345s",
            "1.s",
            ".5s",
            "300 ms",
            "300MS",
            "5m",
            "1h",
            "101%",
            "100.001%",
            "1e3ms",
            "0300ms",
            "1000000000ms",
            "1/min",
            "٣ms",
            "1000000000000000",
            "01",
        ] {
            let message = text.parse::<Amount>().unwrap_err().to_string();
            assert!(message.contains(&format!("'{text}'")) && message.contains("300ms"), "{message}");
        }
    }

    #[test]
    fn three_significant_digits_are_shown() {
        for (unit, number, shown) in [
            (Unit::Time, 0, "0ms"),
            (Unit::Time, 850, "0.85ms"),
            (Unit::Time, 142_449, "142ms"),
            (Unit::Time, 142_500, "143ms"),
            (Unit::Time, 999_600, "1s"),
            (Unit::Time, 1_234_567, "1.23s"),
            (Unit::Share, 1_234, "0.123%"),
            (Unit::Share, 999_900, "99.99%"),
            (Unit::Share, 1_000_000, "100%"),
            (Unit::Rate, 398_212, "398/s"),
            (Unit::Rate, 12_345_678, "12346/s"),
            (Unit::Count, 1_234_567, "1234567"),
            (Unit::Time, u64::MAX, "18400000000000s"),
        ] {
            assert_eq!(Amount::new(unit, number).rounded().to_string(), shown, "{number}");
        }
    }

    proptest! {
        #[test]
        fn a_limit_reads_back_as_the_same_amount(
            whole in 0_u64..1_000_000_000, thousandths in 0_u64..1_000, suffix in 0_usize..4,
        ) {
            let suffix = ["ms", "s", "%", "/s"][suffix];
            let whole = if suffix == "%" { whole % 100 } else { whole };
            let amount: Amount = format!("{whole}.{thousandths:03}{suffix}").parse().unwrap();
            prop_assert_eq!(amount.to_string().parse(), Ok(amount));
        }

        #[test]
        fn no_text_makes_it_fail_otherwise(text in "\\PC{0,24}") {
            if let Ok(amount) = text.parse::<Amount>() {
                prop_assert_eq!(amount.to_string().parse(), Ok(amount));
            }
        }
    }
}
