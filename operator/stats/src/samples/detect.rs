//! Which engine wrote a file.

use memchr::memchr;

use super::columns::{missing, names};
use super::rows::{Ends, Event, MAXIMUM_COLUMNS, Rows};
use super::{Engine, molotov};

/// What Apiritif writes, in its order. JMeter can be told to write the same columns, but not in this order.
const APIRITIF: [&str; 9] =
    ["timeStamp", "elapsed", "Latency", "label", "responseCode", "responseMessage", "success", "allThreads", "bytes"];

/// Tells by the first row of a sample file which engine wrote it.
///
/// `first_bytes` should hold the whole first row; [`MAXIMUM_ROW_BYTES`](super::MAXIMUM_ROW_BYTES) are always enough. None:
/// the row is not there yet, or no engine writes such a row.
///
/// * `metric_name`, `timestamp`, `metric_value`: k6.
/// * JMeter's columns with `executor`: the worker, for an executor of Taurus without a sample file of its own.
/// * JMeter's columns with `method` and without a thread's name: Locust through Taurus.
/// * JMeter's columns, exactly those of Apiritif and in its order: Apiritif.
/// * `timeStamp`, `elapsed`, `label` and `success` otherwise: JMeter.
/// * a JSON object with `ts` and `type`: Molotov through Taurus.
#[must_use]
pub fn detect(first_bytes: &[u8]) -> Option<Engine> {
    let first_bytes = first_bytes.trim_ascii_start();
    if first_bytes.starts_with(b"{") {
        let (line, _) = first_bytes.split_at_checked(memchr(b'\n', first_bytes)?)?;
        return molotov::is_row(line).then_some(Engine::Molotov);
    }
    let mut input = first_bytes;
    let mut rows = Rows::new(false);
    let mut ends: Box<Ends> = Box::new([0; MAXIMUM_COLUMNS]);
    let Event::Row(row) = rows.next(&mut input)? else { return None };
    let names = names(&row.split_all(&mut ends));
    let has = |wanted: &[&str]| missing(&names, wanted).is_ok();
    if has(&["metric_name", "timestamp", "metric_value"]) {
        Some(Engine::K6)
    } else if !has(&["timeStamp", "elapsed", "label", "success"]) {
        None
    } else if has(&["executor"]) && !has(&["threadName"]) {
        Some(Engine::Taurus)
    } else if has(&["method"]) && !has(&["threadName"]) {
        Some(Engine::Locust)
    } else if names == APIRITIF {
        Some(Engine::Apiritif)
    } else {
        Some(Engine::JMeter)
    }
}
