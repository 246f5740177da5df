//! The engines whose sample files we read.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An engine whose sample files we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Apache JMeter: `kpi.jtl`, stamped with the start of a sample.
    JMeter,
    /// Locust through Taurus: `kpi.jtl`, stamped with the end of a sample.
    Locust,
    /// k6: `kpi.csv`, one row per metric, stamped with the end of a request.
    K6,
    /// Apiritif: `apiritif.0.csv`, one per process, stamped with the start of a sample.
    Apiritif,
    /// Molotov through Taurus: `molotov-report.ldjson`, stamped with the start of a scenario.
    Molotov,
    /// Any other executor of Taurus, of which the worker writes the samples that Taurus itself reads: `taurus-samples.csv`, stamped
    /// with the whole second to which Taurus counts a sample, taken as its end.
    Taurus,
}

impl Engine {
    /// Every engine, in the order of their names in the documentation.
    pub const ALL: [Self; 6] = [Self::JMeter, Self::Locust, Self::K6, Self::Apiritif, Self::Molotov, Self::Taurus];

    /// The name as Taurus writes it: `jmeter`, `locust`, `k6`, `apiritif`, `molotov`; `taurus` for any other.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::JMeter => "jmeter",
            Self::Locust => "locust",
            Self::K6 => "k6",
            Self::Apiritif => "apiritif",
            Self::Molotov => "molotov",
            Self::Taurus => "taurus",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The name of an engine that we cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("engine '{name}' has no sample files that can be read; use jmeter, locust, k6, apiritif, molotov or taurus")]
pub struct UnknownEngine {
    /// The name given.
    pub name: String,
}

impl FromStr for Engine {
    type Err = UnknownEngine;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|engine| engine.as_str() == name);
        known.ok_or_else(|| UnknownEngine { name: name.chars().take(40).collect() })
    }
}
