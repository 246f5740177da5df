//! Writes a [`Report`]. Pure: what was read in, text out.

mod csv;
mod decimal;
mod html;
mod json;
mod junit;
mod markdown;
#[cfg(test)]
mod sample;
mod table;
#[cfg(test)]
mod tests;

use volley_api::figures::{dollars, span, time_us};
use volley_api::load_test_run::{ThresholdOutcome, ThresholdResult, Verdict};
use volley_storage::documents::ThresholdFigures;

use super::build;
use super::gather::Gathered;
use super::model::{Interval, Plots, Report, Run, Workers};
use super::text::visible;

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A table for people.
    #[default]
    Table,
    /// JSON for programs; times in integer microseconds.
    Json,
    /// CSV with the columns of JMeter's Aggregate Report; times in whole milliseconds.
    #[value(name = "csv", alias = "csv=jmeter")]
    CsvJMeter,
    /// CSV with the columns of JMeter's Summary Report.
    #[value(name = "csv=jmeter-summary")]
    CsvJMeterSummary,
    /// CSV with the columns of Taurus' final-stats report; times in seconds.
    #[value(name = "csv=taurus")]
    CsvTaurus,
    /// A Markdown table, for issues and pull requests.
    Markdown,
    /// One self-contained page with plots.
    Html,
    /// `JUnit` XML, for CI systems: a test case for each threshold.
    #[value(name = "junit")]
    JUnit,
}

/// The report of what was read as text. `title` is what it is called; by default the run or the files. `judged` are the thresholds to
/// judge by; `None`: those of the run.
#[must_use]
pub fn of(gathered: &Gathered, title: Option<String>, judged: Option<Vec<ThresholdFigures>>, format: Format) -> String {
    let plots = match format {
        Format::Html => build::plots(gathered),
        _ => Plots::default(),
    };
    let mut report = build::report(gathered, title);
    if let Some(judged) = judged {
        report.judge(judged);
    }
    write(&report, &plots, format)
}

/// The report as text, with a line break at its end. `plots` are needed for the page only.
fn write(report: &Report, plots: &Plots, format: Format) -> String {
    match format {
        Format::Table => table::write(report),
        Format::Json => json::write(report),
        Format::CsvJMeter => csv::aggregate(report),
        Format::CsvJMeterSummary => csv::summary(report),
        Format::CsvTaurus => csv::taurus(report),
        Format::Markdown => markdown::write(report),
        Format::Html => html::write(report, plots),
        Format::JUnit => junit::write(report),
    }
}

/// A verdict in words.
pub(super) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "Passed: all thresholds are met",
        Verdict::Failed => "Failed: a threshold was missed",
        Verdict::Inconclusive => "Inconclusive: it cannot be judged",
        Verdict::NotJudged => "NotJudged: there are no thresholds",
    }
}

/// Thresholds for people, a line each.
pub(super) fn thresholds<'a>(thresholds: impl IntoIterator<Item = &'a ThresholdResult>) -> Option<String> {
    let lines = thresholds.into_iter().map(|threshold| {
        let outcome = match threshold.outcome {
            ThresholdOutcome::Met => "met",
            ThresholdOutcome::Missed => "MISSED",
            ThresholdOutcome::NotJudged => "not judged",
        };
        format!("  {outcome:<10}  {}: {}", visible(&threshold.name), visible(&threshold.sentence()))
    });
    let lines: Vec<String> = lines.collect();
    (!lines.is_empty()).then(|| format!("Thresholds:\n{}", lines.join("\n")))
}

/// How long something was measured: from a minute on in whole seconds.
fn length(interval: &Interval) -> String {
    let microseconds = interval.length_us();
    if microseconds < 60_000_000 { time_us(microseconds) } else { span((microseconds + 500_000) / 1_000_000 * 1000) }
}

/// Cost in words: Fargate's list prices, whatever else was billed.
fn cost(run: &Run) -> Option<String> {
    run.cost_micro_dollars.map(|cost| on_fargate(&dollars(cost)))
}

/// An amount in dollars as what workers cost.
pub(super) fn on_fargate(amount: &str) -> String {
    format!("{amount} for the workers on AWS Fargate")
}

/// Coverage in words.
fn coverage(workers: Workers) -> String {
    let measured = workers.complete + workers.partial;
    let partial = if workers.partial == 0 { String::new() } else { format!(", {} of them in part", workers.partial) };
    format!("{measured} of {} workers measured{partial}", workers.planned)
}
