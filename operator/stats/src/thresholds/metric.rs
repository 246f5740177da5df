//! What a threshold looks at.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::amount::Unit;
use crate::percentile::Percentile;

/// What a threshold looks at. Its text form is that of a manifest: `average`, `p99.9`, `errorRate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Metric {
    /// Mean response time.
    Average,
    /// Shortest response time.
    Minimum,
    /// Longest response time.
    Maximum,
    /// A percentile of the response times.
    Percentile(Percentile),
    /// Share of failed requests.
    ErrorRate,
    /// Requests per second.
    RequestRate,
    /// Number of requests.
    Requests,
}

/// The text is no metric.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "metric '{text}' is not known; write average, min, max, errorRate, requestRate, requests or a percentile such as p95 or p99.9"
)]
pub struct InvalidMetric {
    text: String,
}

impl Metric {
    /// The unit of its values and limits.
    #[must_use]
    pub fn unit(self) -> Unit {
        match self {
            Self::Average | Self::Minimum | Self::Maximum | Self::Percentile(_) => Unit::Time,
            Self::ErrorRate => Unit::Share,
            Self::RequestRate => Unit::Rate,
            Self::Requests => Unit::Count,
        }
    }
}

impl FromStr for Metric {
    type Err = InvalidMetric;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "average" => Ok(Self::Average),
            "min" => Ok(Self::Minimum),
            "max" => Ok(Self::Maximum),
            "errorRate" => Ok(Self::ErrorRate),
            "requestRate" => Ok(Self::RequestRate),
            "requests" => Ok(Self::Requests),
            _ => {
                text.parse().map(Self::Percentile).map_err(|_| InvalidMetric { text: text.chars().take(40).collect() })
            }
        }
    }
}

impl TryFrom<String> for Metric {
    type Error = InvalidMetric;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Metric> for String {
    fn from(metric: Metric) -> Self {
        metric.to_string()
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Average => formatter.write_str("average"),
            Self::Minimum => formatter.write_str("min"),
            Self::Maximum => formatter.write_str("max"),
            Self::Percentile(percentile) => percentile.fmt(formatter),
            Self::ErrorRate => formatter.write_str("errorRate"),
            Self::RequestRate => formatter.write_str("requestRate"),
            Self::Requests => formatter.write_str("requests"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_reads_back() {
        for text in ["average", "min", "max", "errorRate", "requestRate", "requests", "p50", "p99.9", "p99.95", "p100"]
        {
            assert_eq!(text.parse::<Metric>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn another_text_is_refused_by_name() {
        for text in ["", "avg", "Average", "P99", "p101", "p99.9999", "median", "error_rate"] {
            let message = text.parse::<Metric>().unwrap_err().to_string();
            assert!(message.contains(&format!("'{text}'")) && message.contains("p99.9"), "{message}");
        }
    }
}
