//! Markdown in GitHub's dialect, for issues, pull requests and wikis.

use std::fmt::Write;

use volley_api::figures::{rate, ratio, time_us};
use volley_api::load_test_run::{ThresholdOutcome, ThresholdResult};
use volley_storage::documents::ThresholdFigures;

use super::{cost, coverage, verdict};
use crate::report::model::{Figures, Label, Report};
use crate::report::text::visible;

/// Rows of a table; a comment on GitHub holds 65,536 characters. What is left out is said.
const SHOWN_LABELS: usize = 200;
const SHOWN_ERRORS: usize = 20;
const HEADER: &str = "\
| label | requests | errors | error rate | rate | average | min | p50 | p90 | p95 | p99 | p99.9 | max |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
";

pub(super) fn write(report: &Report) -> String {
    let mut page = format!("### {}\n\n", code(&report.title));
    if let Some(judgement) = report.verdict {
        let run = report.run.as_ref();
        let facts = run.map(|run| coverage(run.workers)).into_iter().chain(run.and_then(cost));
        let facts = facts.fold(String::new(), |text, fact| text + "; " + &fact);
        let _ = writeln!(page, "**{}**{facts}.\n", verdict(judgement));
    }
    thresholds(&mut page, &report.thresholds);
    figures(&mut page, &report.labels, &report.totals);
    for file in &report.files {
        let _ = writeln!(page, "\n#### {}\n", code(&file.file));
        figures(&mut page, &file.labels, &file.totals);
    }
    errors(&mut page, report);
    if !report.warnings.is_empty() {
        page.push_str("\n#### Warnings\n\n");
        for warning in &report.warnings {
            let _ = writeln!(page, "* {}", words(warning));
        }
    }
    page
}

fn thresholds(page: &mut String, thresholds: &[ThresholdFigures]) {
    if thresholds.is_empty() {
        return;
    }
    page.push_str("| threshold | outcome | metric | limit | observed |\n|---|---|---|---|--:|\n");
    for threshold in thresholds.iter().map(ThresholdResult::from) {
        let outcome = match (threshold.outcome, &threshold.reason) {
            (ThresholdOutcome::Met, _) => "met".to_owned(),
            (ThresholdOutcome::Missed, _) => "**missed**".to_owned(),
            (ThresholdOutcome::NotJudged, None) => "**not judged**".to_owned(),
            (ThresholdOutcome::NotJudged, Some(reason)) => format!("**not judged**: {}", words(reason)),
        };
        let cells = [
            code(&threshold.name),
            outcome,
            code(&threshold.metric),
            threshold.limit.clone(),
            threshold.observed.unwrap_or_else(|| "-".to_owned()),
        ];
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    }
    page.push('\n');
}

fn figures(page: &mut String, labels: &[Label], totals: &Figures) {
    page.push_str(HEADER);
    for label in labels.iter().take(SHOWN_LABELS) {
        let bound = if label.lower_bound { "≥ " } else { "" };
        let kind = if label.transaction { " (transaction)" } else { "" };
        row(page, &format!("{bound}{}{kind}", code(&label.label)), &label.figures);
    }
    row(page, "**total**", totals);
    if let Some(more) = labels.len().checked_sub(SHOWN_LABELS).filter(|more| *more > 0) {
        let _ = writeln!(page, "\n{more} more labels are in the total and not shown.");
    }
}

fn row(page: &mut String, name: &str, figures: &Figures) {
    let time = |time: Option<u64>| time.map_or_else(|| "-".to_owned(), time_us);
    let cells = [
        name.to_owned(),
        figures.requests.to_string(),
        figures.errors.to_string(),
        ratio(figures.errors, figures.requests),
        figures.request_rate.map_or_else(|| "-".to_owned(), |milli| rate(milli.0, 1_000_000_000)),
        time(figures.average),
        time(figures.min),
        time(figures.p50),
        time(figures.p90),
        time(figures.p95),
        time(figures.p99),
        time(figures.p999),
        time(figures.max),
    ];
    let _ = writeln!(page, "| {} |", cells.join(" | "));
}

fn errors(page: &mut String, report: &Report) {
    if report.errors.is_empty() {
        return;
    }
    page.push_str("\n#### Errors\n\n| count | label | code | message |\n|--:|---|---|---|\n");
    for group in report.errors.iter().take(SHOWN_ERRORS) {
        let label = group.label.as_deref().map_or_else(|| "-".to_owned(), code);
        let _ = writeln!(page, "| {} | {label} | {} | {} |", group.count, code(&group.code), code(&group.message));
    }
    if let Some(more) = report.errors.len().checked_sub(SHOWN_ERRORS).filter(|more| *more > 0) {
        let _ = writeln!(page, "\n{more} more groups of errors are not shown.");
    }
}

/// A text of strangers as code: no markup, no link, no mention and no reference acts in it. Where a plain code span would end
/// early or break the table, its characters are written as entities.
fn code(text: &str) -> String {
    let text = visible(text);
    if text.trim().is_empty() {
        return if text.is_empty() { String::new() } else { "<code>&#32;</code>".to_owned() };
    }
    if text.contains(['`', '|', '\\']) { format!("<code>{}</code>", entities(&text)) } else { format!("`{text}`") }
}

/// A sentence of ours that may hold a text of strangers.
fn words(text: &str) -> String {
    entities(&visible(text))
}

/// All of ASCII's punctuation that could mean anything, as entities.
fn entities(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            ' ' | ',' | ';' | '%' | '\'' | '/' | '(' | ')' => safe.push(character),
            '.' | ':' | '-' if !text.contains("www") && !text.contains("://") => safe.push(character),
            character if character.is_ascii_punctuation() => {
                let _ = write!(safe, "&#{};", u32::from(character));
            }
            character => safe.push(character),
        }
    }
    safe
}
