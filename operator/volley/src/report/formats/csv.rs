//! CSV in the column names of other tools, for the spreadsheets and scripts that read theirs.
//!
//! Sources of the columns: JMeter 5.6, "Save Table Data" of the listeners Aggregate Report and Summary Report (times in
//! whole milliseconds, the row `TOTAL` last); Taurus 1.17, `FinalStatus` with `dump-csv` (times in seconds with five
//! decimals, `throughput` is a count, the row of all labels has no label). What a column cannot be filled with stays
//! empty. Other than there, rates refer to the interval of the whole report, and transactions are in no total.

use std::collections::BTreeSet;

use super::decimal::decimal;
use crate::report::model::{Figures, Label, Report};
use crate::report::text::visible;

/// Name of JMeter's last row.
const JMETER_TOTAL: &str = "TOTAL";
/// Key of a response without a code, for which Taurus has no column.
const NO_CODE: &str = "none";

/// JMeter's Aggregate Report.
pub(super) fn aggregate(report: &Report) -> String {
    let header = [
        "Label",
        "# Samples",
        "Average",
        "Median",
        "90% Line",
        "95% Line",
        "99% Line",
        "Min",
        "Max",
        "Error %",
        "Throughput",
        "Received KB/sec",
        "Sent KB/sec",
    ];
    let rows = jmeter_rows(report).map(|(label, figures)| {
        vec![
            label,
            figures.requests.to_string(),
            milliseconds(figures.average),
            milliseconds(figures.p50),
            milliseconds(figures.p90),
            milliseconds(figures.p95),
            milliseconds(figures.p99),
            milliseconds(figures.min),
            milliseconds(figures.max),
            error_percent(figures),
            throughput(figures),
            received(figures),
            String::new(),
        ]
    });
    text(header.map(str::to_owned).to_vec(), rows)
}

/// JMeter's Summary Report.
pub(super) fn summary(report: &Report) -> String {
    let header = [
        "Label",
        "# Samples",
        "Average",
        "Min",
        "Max",
        "Std. Dev.",
        "Error %",
        "Throughput",
        "Received KB/sec",
        "Sent KB/sec",
        "Avg. Bytes",
    ];
    let rows = jmeter_rows(report).map(|(label, figures)| {
        let average_bytes = figures.bytes.map(|bytes| decimal(bytes.into(), figures.requests.into(), 1));
        vec![
            label,
            figures.requests.to_string(),
            milliseconds(figures.average),
            milliseconds(figures.min),
            milliseconds(figures.max),
            figures.standard_deviation.map_or_else(String::new, |deviation| decimal(deviation.into(), 1000, 2)),
            error_percent(figures),
            throughput(figures),
            received(figures),
            String::new(),
            average_bytes.unwrap_or_default(),
        ]
    });
    text(header.map(str::to_owned).to_vec(), rows)
}

/// Taurus' final-stats report.
pub(super) fn taurus(report: &Report) -> String {
    let all = || report.labels.iter().map(|label| &label.figures).chain([&report.totals]);
    let codes: BTreeSet<&str> =
        all().flat_map(|figures| figures.codes.keys()).map(String::as_str).filter(|code| *code != NO_CODE).collect();
    let mut header: Vec<String> = [
        "label",
        "avg_ct",
        "avg_lt",
        "avg_rt",
        "bytes",
        "concurrency",
        "fail",
        "stdev_rt",
        "succ",
        "throughput",
        "perc_0.0",
        "perc_50.0",
        "perc_90.0",
        "perc_95.0",
        "perc_99.0",
        "perc_99.9",
        "perc_100.0",
    ]
    .map(str::to_owned)
    .to_vec();
    header.extend(codes.iter().map(|code| format!("rc_{}", visible(code))));
    let labels = report.labels.iter().map(|label| (cell(&label.label), &label.figures, None));
    let rows = labels.chain([(String::new(), &report.totals, report.peak_users)]).map(|(label, figures, users)| {
        let mut row = vec![
            label,
            seconds(figures.connect),
            seconds(figures.first_byte),
            seconds(figures.average),
            number(figures.bytes),
            number(users),
            figures.errors.to_string(),
            seconds(figures.standard_deviation),
            figures.requests.saturating_sub(figures.errors).to_string(),
            figures.requests.to_string(),
        ];
        let percentiles = [figures.min, figures.p50, figures.p90, figures.p95, figures.p99, figures.p999, figures.max];
        row.extend(percentiles.map(seconds));
        row.extend(codes.iter().map(|code| number(figures.codes.get(*code).copied())));
        row
    });
    text(header, rows)
}

fn jmeter_rows(report: &Report) -> impl Iterator<Item = (String, &Figures)> {
    let row = |label: &'_ Label| cell(&label.label);
    let labels = report.labels.iter().map(move |label| (row(label), &label.figures));
    labels.chain([(JMETER_TOTAL.to_owned(), &report.totals)])
}

fn milliseconds(microseconds: Option<u64>) -> String {
    microseconds.map_or_else(String::new, |microseconds| decimal(microseconds.into(), 1000, 0))
}

fn seconds(microseconds: Option<u64>) -> String {
    microseconds.map_or_else(String::new, |microseconds| decimal(microseconds.into(), 1_000_000, 5))
}

fn number(number: Option<u64>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

fn error_percent(figures: &Figures) -> String {
    decimal(u128::from(figures.errors) * 100, figures.requests.into(), 3) + "%"
}

fn throughput(figures: &Figures) -> String {
    figures.request_rate.map_or_else(String::new, |rate| decimal(rate.0.into(), 1000, 5))
}

/// Bytes per second over the interval of the rate, in multiples of 1,024 as JMeter has it.
fn received(figures: &Figures) -> String {
    let known = figures.bytes.zip(figures.request_rate).filter(|_| figures.requests > 0);
    known.map_or_else(String::new, |(bytes, rate)| {
        decimal(u128::from(bytes) * u128::from(rate.0), u128::from(figures.requests) * 1000 * 1024, 2)
    })
}

/// A label as a cell: no character in it acts, and where it would begin a formula an apostrophe comes before it.
/// Source: OWASP, "CSV Injection".
fn cell(label: &str) -> String {
    let label = visible(label);
    match label.trim_start().chars().next() {
        Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠') => format!("'{label}"),
        _ => label.into_owned(),
    }
}

/// Rows by the rules of RFC 4180, with `\n` as line end.
fn text(header: Vec<String>, rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    for row in std::iter::once(header).chain(rows) {
        // Writing to memory fails only for rows of different lengths, and all of them have the header's.
        let _ = writer.write_record(row);
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}
