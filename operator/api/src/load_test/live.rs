//! How often live figures are told.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::{Duration, InvalidDuration};

/// The word for an interval that depends on the number of workers.
const AUTO: &str = "Auto";
/// Up to so many workers an interval of so many seconds. A PUT request to S3 costs USD 0.005 per 1,000, so 100 workers at 1 s cost
/// USD 1.80 an hour.
const AUTO_SECONDS: [(u64, u32); 2] = [(100, 1), (250, 2)];
/// The interval with still more workers, in seconds.
const AUTO_LONGEST: u32 = 5;

/// How often each worker tells its figures: a duration, or `Auto`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LiveInterval {
    /// As the number of workers allows.
    #[default]
    Auto,
    /// A fixed time.
    Every(Duration),
}

impl LiveInterval {
    /// The interval of a test with that many workers, in seconds; `None` where it is not of whole seconds from 1 to 60.
    #[must_use]
    pub fn seconds(&self, workers: u64) -> Option<u32> {
        let seconds = match self {
            Self::Auto => {
                let fits = AUTO_SECONDS.iter().find(|(most, _)| workers <= *most);
                return Some(fits.map_or(AUTO_LONGEST, |(_, seconds)| *seconds));
            }
            Self::Every(duration) => duration.milliseconds(),
        };
        let whole = seconds.is_multiple_of(1_000).then_some(seconds / 1_000)?;
        u32::try_from(whole).ok().filter(|seconds| (1..=60).contains(seconds))
    }
}

impl FromStr for LiveInterval {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == AUTO { Ok(Self::Auto) } else { text.parse().map(Self::Every) }
    }
}

impl TryFrom<String> for LiveInterval {
    type Error = InvalidDuration;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<LiveInterval> for String {
    fn from(interval: LiveInterval) -> Self {
        interval.to_string()
    }
}

impl fmt::Display for LiveInterval {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => formatter.write_str(AUTO),
            Self::Every(duration) => duration.fmt(formatter),
        }
    }
}

impl JsonSchema for LiveInterval {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LiveInterval".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        // The word is shorter than a duration may be.
        Duration::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_grows_with_the_workers_and_a_fixed_interval_does_not() {
        let seconds = |text: &str, workers| text.parse::<LiveInterval>().unwrap().seconds(workers);
        for (workers, expected) in [(1, 1), (100, 1), (101, 2), (250, 2), (251, 5), (5_000, 5)] {
            assert_eq!(seconds("Auto", workers), Some(expected), "{workers}");
        }
        assert_eq!((seconds("1s", 5_000), seconds("1m", 1), seconds("2000ms", 1)), (Some(1), Some(60), Some(2)));
        for text in ["0s", "61s", "1500ms", "1m1s"] {
            assert_eq!(seconds(text, 1), None, "{text}");
        }
    }
}
