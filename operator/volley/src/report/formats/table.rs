//! A table for people, with what belongs around it.

use volley_api::figures::{bytes, rate, ratio, time_us};
use volley_api::load_test_run::ThresholdResult;

use super::{cost, coverage, length, thresholds, verdict};
use crate::report::model::{Figures, FileFigures, Label, Report};
use crate::report::table::{NOTHING, render};
use crate::report::text::{short_label, visible};

const HEADER: [&str; 13] =
    ["LABEL", "REQUESTS", "ERRORS", "ERROR RATE", "RATE", "AVERAGE", "MIN", "P50", "P90", "P95", "P99", "P99.9", "MAX"];
/// Error groups that are shown; all are in the other formats.
const SHOWN_ERRORS: usize = 10;

pub(super) fn write(report: &Report) -> String {
    let told: Vec<_> = report.thresholds.iter().map(ThresholdResult::from).collect();
    let mut parts = vec![head(report)];
    parts.extend(thresholds(&told));
    parts.push(figures(&report.labels, &report.totals));
    parts.extend(report.files.iter().map(file));
    parts.extend(errors(report));
    if !report.warnings.is_empty() {
        let lines: Vec<String> = report.warnings.iter().map(|warning| format!("  - {}", visible(warning))).collect();
        parts.push(format!("Warnings:\n{}", lines.join("\n")));
    }
    parts.join("\n\n") + "\n"
}

/// What it is about, when, how many users.
fn head(report: &Report) -> String {
    let mut lines = vec![visible(&report.title).into_owned()];
    lines.extend(report.verdict.map(|judgement| format!("Verdict {}", verdict(judgement))));
    lines.extend(report.run.as_ref().map(|run| coverage(run.workers)));
    let mut facts = Vec::new();
    if let Some(interval) = &report.interval {
        let from = interval.from.strftime("%Y-%m-%d %H:%M:%S UTC");
        facts.push(format!("from {from} for {}", length(interval)));
    }
    facts.extend(report.peak_users.map(|users| format!("at most {users} users")));
    facts.extend(report.totals.bytes.map(|count| format!("{} received", bytes(count))));
    if report.totals.interrupted > 0 {
        facts.push(format!("{} requests interrupted by the stop", report.totals.interrupted));
    }
    facts.extend(report.run.as_ref().and_then(cost));
    if !facts.is_empty() {
        lines.push(facts.join(", "));
    }
    lines.join("\n")
}

fn figures(labels: &[Label], totals: &Figures) -> String {
    let rows = labels.iter().map(|label| {
        let name = short_label(&label.label);
        let name = if label.transaction { format!("{name} (transaction)") } else { name };
        row(if label.lower_bound { format!("≥ {name}") } else { name }, &label.figures)
    });
    render(HEADER, rows.chain([row("total".to_owned(), totals)]))
}

fn row(name: String, figures: &Figures) -> [String; 13] {
    let time = |time: Option<u64>| time.map_or_else(|| NOTHING.to_owned(), time_us);
    [
        name,
        figures.requests.to_string(),
        figures.errors.to_string(),
        ratio(figures.errors, figures.requests),
        figures.request_rate.map_or_else(|| NOTHING.to_owned(), |milli| rate(milli.0, 1_000_000_000)),
        time(figures.average),
        time(figures.min),
        time(figures.p50),
        time(figures.p90),
        time(figures.p95),
        time(figures.p99),
        time(figures.p999),
        time(figures.max),
    ]
}

fn file(file: &FileFigures) -> String {
    format!("{}\n\n{}", visible(&file.file), figures(&file.labels, &file.totals))
}

fn errors(report: &Report) -> Option<String> {
    if report.errors.is_empty() {
        return None;
    }
    let mut lines = vec!["Errors:".to_owned()];
    for group in report.errors.iter().take(SHOWN_ERRORS) {
        let label = group.label.as_deref().map_or_else(|| NOTHING.to_owned(), short_label);
        let words = [visible(&group.code).into_owned(), short_label(&group.message)];
        let words = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        lines.push(format!("  {} x  {label}: {words}", group.count));
    }
    if let Some(more) = report.errors.len().checked_sub(SHOWN_ERRORS).filter(|more| *more > 0) {
        lines.push(format!("  and {more} more groups, see -o json"));
    }
    Some(lines.join("\n"))
}
