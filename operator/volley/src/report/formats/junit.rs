//! `JUnit` XML, as CI systems read it: one test case for the load test itself and one for each threshold.
//!
//! Source of the form: the schema of Jenkins' xUnit plugin (`junit-10.xsd`), which GitLab and GitHub's actions read too. A missed threshold
//! is a failure; what cannot be judged is an error, so that nothing passes unseen.

use std::fmt::Write;

use volley_api::load_test_run::{ThresholdOutcome, ThresholdResult, Verdict};

use super::html;
use super::verdict;
use crate::report::model::Report;

/// Name of the test case of the load test itself.
const WHOLE: &str = "load test";

pub(super) fn write(report: &Report) -> String {
    let inconclusive = report.verdict == Some(Verdict::Inconclusive);
    let not_judged = |threshold: &&ThresholdResult| threshold.outcome == ThresholdOutcome::NotJudged;
    let thresholds: Vec<ThresholdResult> = report.thresholds.iter().map(ThresholdResult::from).collect();
    let failures = thresholds.iter().filter(|threshold| threshold.outcome == ThresholdOutcome::Missed).count();
    let errors = thresholds.iter().filter(not_judged).count() + usize::from(inconclusive);
    let title = escape(&report.title);
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    let _ = write!(
        text,
        "  <testsuite name=\"{title}\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\"",
        thresholds.len() + 1
    );
    if let Some(interval) = &report.interval {
        let milliseconds = interval.length_us() / 1_000;
        let _ = write!(
            text,
            " timestamp=\"{}\" time=\"{}.{:03}\"",
            interval.from.strftime("%Y-%m-%dT%H:%M:%S"),
            milliseconds / 1_000,
            milliseconds % 1_000
        );
    }
    text.push_str(">\n");
    let whole = if inconclusive {
        element("error", &format!("{}; {}", verdict(Verdict::Inconclusive), report.warnings.join("; ")))
    } else {
        output(&format!("{} requests, {} errors", report.totals.requests, report.totals.errors))
    };
    case(&mut text, &title, WHOLE, &whole);
    for threshold in &thresholds {
        let words = threshold.sentence();
        let outcome = match threshold.outcome {
            ThresholdOutcome::Met => output(&words),
            ThresholdOutcome::Missed => element("failure", &words),
            ThresholdOutcome::NotJudged => element("error", &words),
        };
        case(&mut text, &title, &threshold.name, &outcome);
    }
    text + "  </testsuite>\n</testsuites>\n"
}

fn case(text: &mut String, title: &str, name: &str, outcome: &str) {
    let name = escape(name);
    let _ = writeln!(text, "    <testcase classname=\"{title}\" name=\"{name}\">{outcome}</testcase>");
}

fn element(name: &str, words: &str) -> String {
    format!("<{name} message=\"{}\"/>", escape(words))
}

fn output(words: &str) -> String {
    format!("<system-out>{}</system-out>", escape(words))
}

/// A text of strangers in an attribute or element. XML has no way to write the two non-characters.
fn escape(text: &str) -> String {
    html::escape(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}
