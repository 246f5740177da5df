//! A percentile as an exact number: thousandths of a percent.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A percentile from p0 to p100 in steps of a thousandth of a percent, so p99.9 is 99,900.
///
/// An integer, because `0.999 * n` in floating point is off by one rank for some `n`.
/// Its text form is `p` and the percent without trailing zeros: `p50`, `p99.9`, `p99.999`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Percentile(u32);

/// Why a text or number is not a percentile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PercentileError {
    /// The number is above 100 %.
    #[error("percentile of {thousandths} thousandths of a percent is above 100 %; use 0 to 100000")]
    TooLarge {
        /// The number given.
        thousandths: u32,
    },
    /// The text has another form.
    #[error("percentile '{text}' is not written as p0 to p100 with at most three decimals, for example p99.9")]
    Malformed {
        /// The text given.
        text: String,
    },
}

impl Percentile {
    /// The thousandths of a percent in 100 %.
    pub const WHOLE: u32 = 100_000;
    /// The exact minimum.
    pub const MINIMUM: Self = Self(0);
    /// The median.
    pub const P50: Self = Self(50_000);
    /// Nine of ten samples are at or below it.
    pub const P90: Self = Self(90_000);
    /// 95 % of the samples are at or below it.
    pub const P95: Self = Self(95_000);
    /// 99 % of the samples are at or below it.
    pub const P99: Self = Self(99_000);
    /// 99.9 % of the samples are at or below it.
    pub const P99_9: Self = Self(99_900);
    /// The exact maximum.
    pub const MAXIMUM: Self = Self(Self::WHOLE);

    /// The percentile of that many thousandths of a percent, 0 to 100,000.
    ///
    /// # Errors
    /// [`PercentileError::TooLarge`] above 100,000.
    pub fn from_thousandths(thousandths: u32) -> Result<Self, PercentileError> {
        if thousandths > Self::WHOLE { Err(PercentileError::TooLarge { thousandths }) } else { Ok(Self(thousandths)) }
    }

    /// Thousandths of a percent, 0 to 100,000.
    #[must_use]
    pub fn thousandths(self) -> u32 {
        self.0
    }

    /// The nearest rank among `count` samples in ascending order: `max(1, ceil(count * p / 100,000))`.
    ///
    /// Computed in 128 bits, so it is exact for every count. For no samples the rank is 1, which no sample has.
    #[must_use]
    pub fn rank(self, count: u64) -> u64 {
        let rank = (u128::from(count) * u128::from(self.0)).div_ceil(u128::from(Self::WHOLE));
        // p <= 100 % makes the quotient at most `count`, so it always fits.
        u64::try_from(rank).unwrap_or(count).max(1)
    }

    /// Parses the percent alone, as Taurus writes it: `99.9`, `50.0`, `100`.
    ///
    /// # Errors
    /// [`PercentileError::Malformed`] for anything but 0 to 100 with at most three decimals (further zeros are allowed).
    pub fn from_percent(text: &str) -> Result<Self, PercentileError> {
        parse_thousandths(text)
            .filter(|thousandths| *thousandths <= Self::WHOLE)
            .map(Self)
            .ok_or_else(|| PercentileError::Malformed { text: text.chars().take(40).collect() })
    }
}

fn parse_thousandths(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || whole.len() > 3 {
        return None;
    }
    let (kept, dropped) = fraction.split_at(fraction.len().min(3));
    if dropped.bytes().any(|byte| byte != b'0') {
        return None;
    }
    let mut thousandths: u32 = whole.parse().ok()?;
    for position in 0..3 {
        thousandths = thousandths * 10 + kept.as_bytes().get(position).map_or(0, |digit| u32::from(digit - b'0'));
    }
    Some(thousandths)
}

impl FromStr for Percentile {
    type Err = PercentileError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || PercentileError::Malformed { text: text.chars().take(40).collect() };
        Self::from_percent(text.strip_prefix('p').ok_or_else(malformed)?).map_err(|_| malformed())
    }
}

impl TryFrom<String> for Percentile {
    type Error = PercentileError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Percentile> for String {
    fn from(percentile: Percentile) -> Self {
        percentile.to_string()
    }
}

impl fmt::Display for Percentile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "p{}", self.0 / 1000)?;
        match self.0 % 1000 {
            0 => Ok(()),
            rest => write!(formatter, ".{}", format!("{rest:03}").trim_end_matches('0')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_number_agree() {
        for (text, thousandths) in
            [("p0", 0), ("p50", 50_000), ("p99.9", 99_900), ("p99.999", 99_999), ("p0.001", 1), ("p100", 100_000)]
        {
            let percentile: Percentile = text.parse().unwrap();
            assert_eq!(percentile.thousandths(), thousandths);
            assert_eq!(percentile.to_string(), text);
        }
        assert_eq!(Percentile::from_percent("99.90000").unwrap(), Percentile::P99_9);
        assert_eq!("p050".parse::<Percentile>().unwrap(), Percentile::P50);
    }

    #[test]
    fn other_texts_are_refused_with_the_text_in_the_message() {
        for text in ["", "p", "50", "p-1", "p100.001", "p101", "p99.9999", "p9.", "p.9", "p1e1", "p 5", "p٣", "p1000"]
        {
            let error = text.parse::<Percentile>().unwrap_err();
            assert!(error.to_string().contains(&format!("'{text}'")), "{error}");
        }
        assert_eq!(Percentile::from_thousandths(100_001), Err(PercentileError::TooLarge { thousandths: 100_001 }));
    }

    #[test]
    fn json_holds_the_text() {
        assert_eq!(serde_json::to_string(&Percentile::P99_9).unwrap(), "\"p99.9\"");
        assert_eq!(serde_json::from_str::<Percentile>("\"p95\"").unwrap(), Percentile::P95);
        assert!(serde_json::from_str::<Percentile>("\"95\"").is_err());
    }

    #[test]
    fn the_rank_is_exact_where_floating_point_is_not() {
        for thousands in 1..2_000_u64 {
            assert_eq!(Percentile::P99_9.rank(thousands * 1000), thousands * 999);
        }
        assert_eq!(Percentile::MAXIMUM.rank(u64::MAX), u64::MAX);
        assert_eq!(Percentile::MINIMUM.rank(10), 1);
        assert_eq!(Percentile::P50.rank(0), 1);
        assert_eq!(Percentile::P50.rank(3), 2);
        assert_eq!(Percentile::from_thousandths(1).unwrap().rank(100_001), 2);
    }
}
