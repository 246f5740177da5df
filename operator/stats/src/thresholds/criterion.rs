//! A metric, a side and a limit, and the judgement over statistics.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::amount::{Amount, Unit, WHOLE_SHARE};
use super::metric::Metric;
use crate::frame::Responses;
use crate::percentile::Percentile;

/// On which side of the limit a value must be. The limit itself is on neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Comparison {
    /// Less than the limit.
    Below,
    /// More than the limit.
    Above,
}

/// What must hold: `p99 below 300ms`. The unit of the limit is that of the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Criterion {
    metric: Metric,
    comparison: Comparison,
    limit: Amount,
}

#[derive(Deserialize)]
struct Unchecked {
    metric: Metric,
    comparison: Comparison,
    limit: Amount,
}

/// The limit does not fit the metric.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCriterion {
    /// It is of another unit.
    #[error("the limit {limit} does not fit {metric}; write {example}")]
    Unit {
        /// The metric.
        metric: Metric,
        /// The limit.
        limit: Amount,
        /// What a limit of this metric looks like.
        example: &'static str,
    },
    /// No value is below 0, and no share above 100 %.
    #[error(
        "{metric} can never be {} {limit}; write a limit that it can keep, for example errorRate below 0.001% for hardly any error",
        .comparison.as_str()
    )]
    Impossible {
        /// The metric.
        metric: Metric,
        /// The side.
        comparison: Comparison,
        /// The limit.
        limit: Amount,
    },
}

/// What a criterion says of what was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgement {
    /// The value, rounded away from the limit: it is on the same side of it as the exact one.
    pub observed: Amount,
    /// The value is on the side where it must be.
    pub met: bool,
}

/// Why there is nothing to judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unjudgeable {
    /// There was no request.
    #[error("no request was measured")]
    NoRequests,
    /// All requests were at one instant, so there is no rate.
    #[error("the measured interval has no length, so there is no rate")]
    NoInterval,
}

impl Comparison {
    /// `below` or `above`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Below => "below",
            Self::Above => "above",
        }
    }
}

impl Criterion {
    /// A criterion that some value meets.
    ///
    /// # Errors
    /// [`InvalidCriterion`], which says what to write instead.
    pub fn new(metric: Metric, comparison: Comparison, limit: Amount) -> Result<Self, InvalidCriterion> {
        let unit = metric.unit();
        if limit.unit() != unit {
            let example = match unit {
                Unit::Time => "a time such as 300ms or 1.5s",
                Unit::Share => "a share such as 1%",
                Unit::Rate => "a rate such as 400/s",
                Unit::Count => "a whole number such as 1000",
            };
            return Err(InvalidCriterion::Unit { metric, limit, example });
        }
        let whole = unit == Unit::Share && limit.number() == WHOLE_SHARE;
        match comparison {
            Comparison::Below if limit.number() == 0 => {}
            Comparison::Above if whole => {}
            Comparison::Below | Comparison::Above => return Ok(Self { metric, comparison, limit }),
        }
        Err(InvalidCriterion::Impossible { metric, comparison, limit })
    }

    /// The metric.
    #[must_use]
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// The side.
    #[must_use]
    pub fn comparison(&self) -> Comparison {
        self.comparison
    }

    /// The limit.
    #[must_use]
    pub fn limit(&self) -> Amount {
        self.limit
    }

    /// Judges requests that were measured in an interval of that many microseconds.
    ///
    /// # Errors
    /// [`Unjudgeable`] where there is no value.
    pub fn judge(&self, responses: &Responses, interval_us: u64) -> Result<Judgement, Unjudgeable> {
        let value = Fraction::of(self.metric, responses, interval_us)?;
        let (side, number) = value.beside(self.limit.number());
        let met = match self.comparison {
            Comparison::Below => side == Ordering::Less,
            Comparison::Above => side == Ordering::Greater,
        };
        Ok(Judgement { observed: Amount::new(self.metric.unit(), number), met })
    }
}

/// An exact value in a metric's unit. The denominator is not 0.
struct Fraction {
    numerator: u128,
    denominator: u128,
}

impl Fraction {
    fn of(metric: Metric, responses: &Responses, interval_us: u64) -> Result<Self, Unjudgeable> {
        let requests = responses.requests();
        if requests == 0 {
            return Err(Unjudgeable::NoRequests);
        }
        let whole = |value: u64| Self { numerator: value.into(), denominator: 1 };
        let percentile =
            |percentile| responses.elapsed.percentile(percentile).map(whole).ok_or(Unjudgeable::NoRequests);
        match metric {
            Metric::Average => Ok(Self { numerator: responses.elapsed.sum_us(), denominator: requests.into() }),
            Metric::Minimum => percentile(Percentile::MINIMUM),
            Metric::Maximum => percentile(Percentile::MAXIMUM),
            Metric::Percentile(of) => percentile(of),
            Metric::ErrorRate => Ok(Self {
                numerator: u128::from(responses.errors) * u128::from(WHOLE_SHARE),
                denominator: requests.into(),
            }),
            // Thousandths per second from microseconds.
            Metric::RequestRate if interval_us == 0 => Err(Unjudgeable::NoInterval),
            Metric::RequestRate => {
                Ok(Self { numerator: u128::from(requests) * 1_000_000_000, denominator: interval_us.into() })
            }
            Metric::Requests => Ok(whole(requests)),
        }
    }

    /// On which side of a whole number it is, and the whole number next to it on that side.
    fn beside(&self, limit: u64) -> (Ordering, u64) {
        let (floor, rest) = (self.numerator / self.denominator, self.numerator % self.denominator);
        let side = floor.cmp(&u128::from(limit)).then(if rest > 0 { Ordering::Greater } else { Ordering::Equal });
        let number = if side == Ordering::Greater && rest > 0 { floor.saturating_add(1) } else { floor };
        (side, u64::try_from(number).unwrap_or(u64::MAX))
    }
}

impl TryFrom<Unchecked> for Criterion {
    type Error = InvalidCriterion;

    fn try_from(unchecked: Unchecked) -> Result<Self, Self::Error> {
        Self::new(unchecked.metric, unchecked.comparison, unchecked.limit)
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} {}", self.metric, self.comparison.as_str(), self.limit)
    }
}

impl Judgement {
    /// The value for people: three significant digits, or all where three would put it on another side of the limit.
    #[must_use]
    pub fn shown(observed: Amount, limit: Amount) -> Amount {
        let rounded = observed.rounded();
        let keeps_side = rounded.number().cmp(&limit.number()) == observed.number().cmp(&limit.number());
        if keeps_side { rounded } else { observed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn criterion(metric: &str, comparison: Comparison, limit: &str) -> Result<Criterion, InvalidCriterion> {
        Criterion::new(metric.parse().unwrap(), comparison, limit.parse().unwrap())
    }

    #[test]
    fn a_limit_of_another_unit_is_refused_with_an_example() {
        for (metric, limit, example) in [
            ("p99", "1%", "300ms"),
            ("average", "400/s", "300ms"),
            ("errorRate", "300ms", "1%"),
            ("errorRate", "1", "1%"),
            ("requestRate", "400", "400/s"),
            ("requests", "400/s", "1000"),
        ] {
            let error = criterion(metric, Comparison::Below, limit).unwrap_err();
            assert!(error.to_string().contains(example), "{error}");
        }
    }

    #[test]
    fn what_no_value_can_meet_is_refused() {
        for (metric, comparison, limit) in [
            ("errorRate", Comparison::Below, "0%"),
            ("p99", Comparison::Below, "0.000s"),
            ("requests", Comparison::Below, "0"),
            ("errorRate", Comparison::Above, "100%"),
        ] {
            let error = criterion(metric, comparison, limit).unwrap_err();
            assert!(matches!(error, InvalidCriterion::Impossible { .. }), "{error}");
        }
        for (metric, comparison, limit) in
            [("requests", Comparison::Above, "0"), ("errorRate", Comparison::Below, "100%")]
        {
            assert!(criterion(metric, comparison, limit).is_ok());
        }
    }

    #[test]
    fn a_criterion_in_a_document_is_text_and_is_checked_when_it_is_read() {
        let one = criterion("p99.9", Comparison::Below, "1500ms").unwrap();
        assert_eq!(one.to_string(), "p99.9 below 1.5s");
        let text = r#"{"metric":"p99.9","comparison":"Below","limit":"1.5s"}"#;
        assert_eq!(serde_json::to_string(&one).unwrap(), text);
        assert_eq!(serde_json::from_str::<Criterion>(text).unwrap(), one);
        assert!(serde_json::from_str::<Criterion>(&text.replace("1.5s", "1%")).is_err());
    }

    #[test]
    fn what_is_shown_stays_on_its_side_of_the_limit() {
        for (observed, limit, shown) in [
            (299_968, 300_000, "299.968ms"),
            (299_400, 300_000, "299ms"),
            (300_000, 300_000, "300ms"),
            (300_001, 300_000, "300.001ms"),
            (1_234_567, 300_000, "1.23s"),
        ] {
            let amount = |number| Amount::new(Unit::Time, number);
            assert_eq!(Judgement::shown(amount(observed), amount(limit)).to_string(), shown);
        }
    }
}
