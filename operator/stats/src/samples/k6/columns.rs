//! Where the columns of k6's CSV are, by the names in its header.

use crate::samples::columns::{missing, positions};

/// Positions of the columns that we read.
///
/// Every column but the first three is a system tag of k6, which a user can turn off.
#[derive(Debug, Clone, Default)]
pub(super) struct Columns {
    pub(super) count: usize,
    pub(super) metric: usize,
    pub(super) timestamp: usize,
    pub(super) value: usize,
    pub(super) name: usize,
    pub(super) url: usize,
    pub(super) status: usize,
    pub(super) error: usize,
    pub(super) error_code: usize,
    pub(super) expected_response: usize,
}

impl Columns {
    /// Reads a header; the names of columns that are missing where a file cannot do without.
    pub(super) fn read(header: &[String]) -> Result<Self, Vec<&'static str>> {
        missing(header, &["metric_name", "timestamp", "metric_value"])?;
        // One of each is enough to name a request and to know whether it failed.
        missing(header, &["name"]).or_else(|_| missing(header, &["url"])).map_err(|_| vec!["name"])?;
        missing(header, &["expected_response"])
            .or_else(|_| missing(header, &["error_code"]))
            .or_else(|_| missing(header, &["status"]))
            .map_err(|_| vec!["expected_response"])?;
        let [metric, timestamp, value] = positions(header, ["metric_name", "timestamp", "metric_value"]);
        let [name, url, status] = positions(header, ["name", "url", "status"]);
        let [error, error_code, expected_response] = positions(header, ["error", "error_code", "expected_response"]);
        Ok(Self {
            count: header.len(),
            metric,
            timestamp,
            value,
            name,
            url,
            status,
            error,
            error_code,
            expected_response,
        })
    }
}
