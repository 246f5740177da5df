//! Requests, errors, rate and times per label and over all, as text.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use volley_api::figures::ratio;
use volley_api::load_test_run::RunResult;

use crate::follow::snapshot::one_line;

const HEADER: [&str; 9] = ["LABEL", "REQUESTS", "ERRORS", "ERROR RATE", "RATE", "AVERAGE", "P50", "P95", "P99"];
/// What stands where there was no request to measure.
const NOTHING: &str = "-";

/// The table, without a line break at its end.
pub(super) fn render(result: &RunResult) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(HEADER);
    for label in &result.labels {
        table.add_row([
            one_line(&label.label),
            label.requests.to_string(),
            label.errors.to_string(),
            ratio(count(label.errors), count(label.requests)),
            label.request_rate.clone(),
            time(label.average.as_ref()),
            time(label.p50.as_ref()),
            time(label.p95.as_ref()),
            time(label.p99.as_ref()),
        ]);
    }
    table.add_row([
        "total".to_owned(),
        result.requests.to_string(),
        result.errors.to_string(),
        result.error_rate.clone(),
        result.request_rate.clone(),
        time(result.average.as_ref()),
        time(result.p50.as_ref()),
        time(result.p95.as_ref()),
        time(result.p99.as_ref()),
    ]);
    for (number, column) in table.column_iter_mut().enumerate() {
        let right = if number + 1 == HEADER.len() { 0 } else { 2 };
        column.set_padding((0, right));
        if number > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

fn time(text: Option<&String>) -> String {
    text.cloned().unwrap_or_else(|| NOTHING.into())
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
