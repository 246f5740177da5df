//! The tables of the page. A cell of figures has the exact number beside its text (`data-v`), by which it is sorted.

use std::fmt::Write;

use volley_api::figures::{bytes, rate, ratio, time_us};
use volley_api::load_test_run::{ThresholdOutcome, ThresholdResult};

use super::{escape, grouped};
use crate::report::model::{Figures, Label, Report};

const LABEL_HEAD: [&str; 14] = [
    "Label",
    "Requests",
    "Errors",
    "Error rate",
    "Rate",
    "Average",
    "Min",
    "p50",
    "p90",
    "p95",
    "p99",
    "p99.9",
    "Max",
    "Received",
];

/// What each threshold says; nothing where there is none.
pub(super) fn thresholds(report: &Report) -> String {
    if report.thresholds.is_empty() {
        return String::new();
    }
    let mut text = section("thresholds", "Thresholds");
    text.push_str(&head("", &["Threshold", "Outcome", "Metric", "Limit", "Observed"], &[1, 2, 3]));
    text.push_str("<tbody>");
    for threshold in report.thresholds.iter().map(ThresholdResult::from) {
        let (class, outcome) = match threshold.outcome {
            ThresholdOutcome::Met => ("words", "met".to_owned()),
            ThresholdOutcome::Missed => ("words bad", "missed".to_owned()),
            ThresholdOutcome::NotJudged => {
                ("words bad", format!("not judged: {}", escape(&threshold.reason.unwrap_or_default())))
            }
        };
        let _ = write!(
            text,
            "<tr><td>{}</td><td class=\"{class}\">{outcome}</td><td class=\"words\"><bdi>{}</bdi></td>\
             <td class=\"words\">{}</td><td>{}</td></tr>",
            escape(&threshold.name),
            escape(&threshold.metric),
            escape(&threshold.limit),
            threshold.observed.as_deref().map_or_else(|| "–".to_owned(), escape),
        );
    }
    text + "</tbody></table></div></section>"
}

/// Labels, with the totals below them.
pub(super) fn labels(labels: &[Label], totals: Option<&Figures>) -> String {
    let mut text = head("sortable", &LABEL_HEAD, &[]);
    text.push_str("<tbody>");
    for label in labels {
        let kind = if label.transaction { "<span class=\"tag\">transaction</span>" } else { "" };
        let bound = if label.lower_bound { "<span class=\"tag\">lower bound</span>" } else { "" };
        let _ = write!(text, "<tr><td><bdi>{}</bdi>{kind}{bound}</td>", escape(&label.label));
        figures(&mut text, &label.figures);
        text.push_str("</tr>");
    }
    text.push_str("</tbody>");
    if let Some(totals) = totals {
        text.push_str("<tfoot><tr><th scope=\"row\">Total</th>");
        figures(&mut text, totals);
        text.push_str("</tr></tfoot>");
    }
    text + "</table></div>"
}

/// Regions of a run; nothing where there is one or none.
pub(super) fn regions(report: &Report) -> String {
    let Some(run) = report.run.as_ref().filter(|run| run.regions.len() > 1) else { return String::new() };
    let mut columns = vec!["Region", "Workers"];
    columns.extend(LABEL_HEAD.iter().skip(1));
    let mut text = section("regions", "Regions");
    text.push_str(&head("sortable", &columns, &[]));
    text.push_str("<tbody>");
    for region in &run.regions {
        let mut name = if region.target == region.region {
            escape(&region.target)
        } else {
            format!("{} <span class=\"tag\">{}</span>", escape(&region.target), escape(&region.region))
        };
        if let Some(why) = &region.left_out {
            let _ = write!(name, " <span class=\"tag\" title=\"{}\">did not run</span>", escape(why));
        }
        let workers = region.workers;
        let measured = workers.complete + workers.partial;
        let _ = write!(text, "<tr><td>{name}</td><td data-v=\"{measured}\">{measured} of {}</td>", workers.planned);
        figures(&mut text, &region.figures);
        text.push_str("</tr>");
    }
    text + "</tbody></table></div></section>"
}

/// Each file's own figures, where percentiles cannot be merged.
pub(super) fn files(report: &Report) -> String {
    let mut text = String::new();
    for (number, file) in report.files.iter().enumerate() {
        text.push_str(&section(&format!("file-{number}"), &escape(&file.file)));
        text.push_str(&labels(&file.labels, Some(&file.totals)));
        text.push_str("</section>");
    }
    text
}

/// Failed requests by label, code and message.
pub(super) fn errors(report: &Report) -> String {
    if report.errors.is_empty() {
        return String::new();
    }
    let mut text = section("errors", "Errors");
    text.push_str(&head("sortable", &["Label", "Count", "Share of errors", "Code", "Message"], &[3, 4]));
    text.push_str("<tbody>");
    for group in &report.errors {
        let label = group.label.as_deref().map_or_else(|| "–".to_owned(), escape);
        let _ = write!(
            text,
            "<tr><td><bdi>{label}</bdi></td><td data-v=\"{count}\">{}</td><td data-v=\"{count}\">{}</td>\
             <td class=\"words\">{}</td><td class=\"words\"><bdi>{}</bdi></td></tr>",
            grouped(group.count),
            ratio(group.count, report.totals.errors),
            escape(&group.code),
            escape(&group.message),
            count = group.count,
        );
    }
    text + "</tbody></table></div></section>"
}

/// The files that the report was made from.
pub(super) fn sources(report: &Report) -> String {
    let mut text = section("sources", "Made from");
    text.push_str(&head("", &["File", "Kind", "Samples"], &[1]));
    text.push_str("<tbody>");
    for source in &report.sources {
        let kind = match &source.engine {
            Some(engine) => format!("{} of {}", source.kind.as_str(), escape(engine)),
            None => source.kind.as_str().to_owned(),
        };
        let samples = source.samples.map_or_else(|| "–".to_owned(), grouped);
        let _ =
            write!(text, "<tr><td>{}</td><td class=\"words\">{kind}</td><td>{samples}</td></tr>", escape(&source.file));
    }
    text + "</tbody></table></div></section>"
}

fn section(id: &str, title: &str) -> String {
    format!(
        "<section id=\"{id}\" aria-labelledby=\"{id}-heading\"><div class=\"bar\"><h2 id=\"{id}-heading\">{title}</h2></div>"
    )
}

/// A table up to its head; `words` are the columns of text besides the first.
fn head(class: &str, columns: &[&str], words: &[usize]) -> String {
    let mut text = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Table\"><table class=\"{class}\"><thead><tr>"
    );
    for (number, column) in columns.iter().enumerate() {
        let class = if words.contains(&number) { " class=\"words\"" } else { "" };
        let _ = write!(text, "<th scope=\"col\"{class}>{column}</th>");
    }
    text + "</tr></thead>"
}

/// The cells of [`LABEL_HEAD`] behind the label.
fn figures(text: &mut String, figures: &Figures) {
    let mut cell = |number: Option<u64>, shown: String| {
        let _ = match number {
            Some(number) => write!(text, "<td data-v=\"{number}\">{shown}</td>"),
            None => write!(text, "<td>–</td>"),
        };
    };
    cell(Some(figures.requests), grouped(figures.requests));
    cell(Some(figures.errors), grouped(figures.errors));
    // Errors per million requests; the text says it better, this sorts.
    let share = u128::from(figures.errors) * 1_000_000 / u128::from(figures.requests.max(1));
    cell(u64::try_from(share).ok(), ratio(figures.errors, figures.requests));
    let milli = figures.request_rate.map(|rate| rate.0);
    cell(milli, rate(milli.unwrap_or(0), 1_000_000_000));
    let times =
        [figures.average, figures.min, figures.p50, figures.p90, figures.p95, figures.p99, figures.p999, figures.max];
    for time in times {
        cell(time, time_us(time.unwrap_or(0)));
    }
    cell(figures.bytes, bytes(figures.bytes.unwrap_or(0)));
}
