//! Where the columns of a JTL file are, by the names in its header.

use crate::samples::Engine;
use crate::samples::columns::{ABSENT, missing, positions};

/// Positions of the columns that we read.
#[derive(Debug, Clone, Default)]
pub(super) struct Columns {
    pub(super) count: usize,
    pub(super) time_stamp: usize,
    pub(super) elapsed: usize,
    pub(super) label: usize,
    pub(super) success: usize,
    pub(super) code: usize,
    pub(super) message: usize,
    pub(super) failure_message: usize,
    pub(super) bytes: usize,
    pub(super) all_threads: usize,
    pub(super) latency: usize,
    pub(super) connect: usize,
}

impl Columns {
    /// Reads a header; the names of columns that are missing where a file cannot do without.
    pub(super) fn read(engine: Engine, header: &[String]) -> Result<Self, Vec<&'static str>> {
        missing(header, &["timeStamp", "elapsed", "label", "success"])?;
        let [time_stamp, elapsed, label, success] = positions(header, ["timeStamp", "elapsed", "label", "success"]);
        let [code, message, failure_message] = positions(header, ["responseCode", "responseMessage", "failureMessage"]);
        let [bytes, all_threads] = positions(header, ["bytes", "allThreads"]);
        // Locust and Apiritif have a column `Latency` in which they always write 0.
        let [latency, connect] = match engine {
            Engine::JMeter => positions(header, ["Latency", "Connect"]),
            _ => [ABSENT; 2],
        };
        Ok(Self {
            count: header.len(),
            time_stamp,
            elapsed,
            label,
            success,
            code,
            message,
            failure_message,
            bytes,
            all_threads,
            latency,
            connect,
        })
    }
}
