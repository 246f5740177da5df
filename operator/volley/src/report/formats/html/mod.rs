//! One self-contained page: no network, a strict policy about what may run in it, and all figures in its tables, so that it
//! says everything without JavaScript too. Plots, sorting and the search are `script.js`.

mod data;
mod tables;

#[cfg(test)]
mod tests;

use std::fmt::Write;

use base64::Engine;
use sha2::{Digest, Sha256};
use volley_api::figures::{bytes, rate, ratio, time_us};
use volley_api::load_test_run::Verdict;

use super::{cost, coverage, length, verdict};
use crate::report::model::{Plots, Report};
use crate::report::text::visible;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// How to read the page.
const READING: &str = "Response times are those of all requests, failed ones included. A percentile is the time that at \
    least that share of the requests did not exceed (nearest rank), taken from all requests together, never averaged; it is \
    exact to 0.05 %. Rates refer to the time from the first request to the last response, ramp-up included. Rows of \
    transactions are in no total.";
const READING_FINAL_STATS: &str = "These figures are Taurus' own: times are cut to whole milliseconds, percentiles belong \
    to one file each, and its totals count transactions and interrupted requests as requests.";

/// The page.
pub(super) fn write(report: &Report, plots: &Plots) -> String {
    let reading = if report.is_taurus() { READING_FINAL_STATS } else { READING };
    fill(
        PAGE,
        &[
            ("policy", &policy()),
            ("version", env!("CARGO_PKG_VERSION")),
            ("title", &escape(&report.title)),
            ("style", STYLE),
            ("verdict", &badge(report)),
            ("facts", &facts(report)),
            ("warnings", &warnings(report)),
            ("cards", &cards(report)),
            ("thresholds", &tables::thresholds(report)),
            ("regions", &tables::regions(report)),
            ("labels", &tables::labels(&report.labels, Some(&report.totals))),
            ("files", &tables::files(report)),
            ("errors", &tables::errors(report)),
            ("sources", &tables::sources(report)),
            ("reading", reading),
            ("data", &data::write(plots)),
            ("script", SCRIPT),
        ],
    )
}

/// The template with every `{{name}}` replaced. What is put in is not looked at again.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut page = String::with_capacity(template.len() + values.iter().map(|(_, value)| value.len()).sum::<usize>());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        page.push_str(before);
        page.extend(values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value));
        rest = after;
    }
    page.push_str(rest);
    page
}

/// Only our own style and script, known by their digests, and nothing from anywhere. Source: Content Security Policy 3.
fn policy() -> String {
    let digest = |text: &str| base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        digest(STYLE),
        digest(SCRIPT)
    )
}

/// A text of strangers as HTML shows it, in elements and in quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in visible(text).chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            character => safe.push(character),
        }
    }
    safe
}

/// A count with its thousands apart.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) && digits.len() > 4 {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

fn badge(report: &Report) -> String {
    let Some(judgement) = report.verdict else { return String::new() };
    let class = match judgement {
        Verdict::Passed => "good",
        Verdict::Failed => "bad",
        Verdict::Inconclusive => "open",
        Verdict::NotJudged => "none",
    };
    format!("<span class=\"badge {class}\">{}</span>", verdict(judgement))
}

/// When, how long, how many users, how complete.
fn facts(report: &Report) -> String {
    let mut facts = Vec::new();
    if let Some(interval) = &report.interval {
        let from = interval.from.strftime("%Y-%m-%d %H:%M:%S UTC");
        facts.push(format!("{from} for {}", length(interval)));
    }
    facts.extend(report.peak_users.map(|users| format!("at most {} users", grouped(users))));
    facts.extend(report.run.as_ref().map(|run| coverage(run.workers)));
    facts.extend(report.run.as_ref().and_then(cost));
    if report.sources.len() > 1 {
        facts.push(format!("{} files", report.sources.len()));
    }
    facts.iter().fold(String::new(), |mut text, fact| {
        let _ = write!(text, "<span>{}</span>", escape(fact));
        text
    })
}

fn warnings(report: &Report) -> String {
    if report.warnings.is_empty() {
        return String::new();
    }
    let mut text = String::from("<section class=\"warnings\" aria-labelledby=\"warnings-heading\">");
    text.push_str("<h2 id=\"warnings-heading\">What to know</h2><ul>");
    for warning in &report.warnings {
        let _ = write!(text, "<li>{}</li>", escape(warning));
    }
    text + "</ul></section>"
}

fn cards(report: &Report) -> String {
    let totals = &report.totals;
    let mut text = String::new();
    let mut card = |name: &str, value: Option<String>, note: &str, bad: bool| {
        let Some(value) = value else { return };
        let class = if bad { " class=\"bad\"" } else { "" };
        let note = if note.is_empty() { String::new() } else { format!("<small>{note}</small>") };
        let _ = write!(text, "<div><dt>{name}</dt><dd{class}>{value}{note}</dd></div>");
    };
    let interrupted = match totals.interrupted {
        0 => String::new(),
        count => format!("{} more interrupted", grouped(count)),
    };
    card("Requests", Some(grouped(totals.requests)), &interrupted, false);
    let share = format!("{} of all", ratio(totals.errors, totals.requests));
    card("Errors", Some(grouped(totals.errors)), &share, totals.errors > 0);
    card("Rate", totals.request_rate.map(|milli| rate(milli.0, 1_000_000_000)), "", false);
    card("Average", totals.average.map(time_us), "", false);
    card("Median", totals.p50.map(time_us), "", false);
    card("95th percentile", totals.p95.map(time_us), "", false);
    card("99th percentile", totals.p99.map(time_us), "", false);
    card("Longest", totals.max.map(time_us), "", false);
    card("Received", totals.bytes.map(bytes), "", false);
    card("Users", report.peak_users.map(grouped), "at most", false);
    text
}
