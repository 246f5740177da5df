//! Of Taurus' own summaries. Counts, bytes, averages and extremes of several add up; percentiles do not, so they are told
//! per file.

use volley_stats::Percentile;
use volley_stats::final_stats::{FinalStats, Group, Merged, Sum};
use volley_storage::documents::rate_milli;

use super::title_of;
use crate::report::model::{Figures, FileFigures, Label, Rate, Report, Source, VERSION};

const OWN_FIGURES: &str = "these are Taurus' own figures: times are cut to whole milliseconds, and its totals count \
    transactions and interrupted requests as requests";
const NOT_MERGED: &str = "percentiles of several final-stats XML cannot be merged; each file has its own below. Report the \
    sample files (kpi.jtl) or histograms instead to have them for all together. The rate takes the files as parts of one \
    test that ran at the same time";

/// The report of one or several summaries.
pub(super) fn report(files: &[(Source, FinalStats)], warnings: &[String]) -> Report {
    let mut merged = Merged::default();
    for (_, report) in files {
        merged.add(report);
    }
    let mut warnings = warnings.to_vec();
    warnings.push(OWN_FIGURES.to_owned());
    let sources: Vec<Source> = files.iter().map(|(source, _)| source.clone()).collect();
    let separate: Vec<FileFigures> = files.iter().map(|(source, report)| file_figures(source, report)).collect();
    let mut labels: Vec<Label> =
        merged.labels.iter().map(|(name, sum)| row(name, of_sum(sum, merged.longest_us))).collect();
    let mut totals = of_sum(&merged.total, merged.longest_us);
    let files = if let [only] = separate.as_slice() {
        labels.clone_from(&only.labels);
        totals.clone_from(&only.totals);
        Vec::new()
    } else {
        warnings.push(NOT_MERGED.to_owned());
        separate
    };
    Report {
        version: VERSION,
        title: title_of(&sources),
        sources,
        run: None,
        thresholds: Vec::new(),
        verdict: None,
        interval: None,
        peak_users: merged.total.users(),
        totals,
        labels,
        files,
        errors: Vec::new(),
        warnings,
    }
}

fn file_figures(source: &Source, report: &FinalStats) -> FileFigures {
    let totals = if let Some(total) = &report.total {
        of_group(total, report.duration_us)
    } else {
        let mut alone = Merged::default();
        alone.add(report);
        of_sum(&alone.total, report.duration_us)
    };
    let labels = report.labels.iter().map(|(name, group)| row(name, of_group(group, report.duration_us))).collect();
    FileFigures { file: source.file.clone(), totals, labels }
}

fn row(name: &str, figures: Figures) -> Label {
    Label { label: name.to_owned(), transaction: false, lower_bound: false, figures }
}

fn of_group(group: &Group, duration_us: Option<u64>) -> Figures {
    let percentile = |percentile| group.percentiles.get(&percentile).copied();
    Figures {
        requests: group.count,
        errors: group.failures,
        interrupted: 0,
        request_rate: rate(group.count, duration_us),
        bytes: group.bytes,
        average: group.average_us,
        min: percentile(Percentile::MINIMUM),
        max: percentile(Percentile::MAXIMUM),
        p50: percentile(Percentile::P50),
        p90: percentile(Percentile::P90),
        p95: percentile(Percentile::P95),
        p99: percentile(Percentile::P99),
        p999: percentile(Percentile::P99_9),
        standard_deviation: group.standard_deviation_us,
        connect: group.connect_us,
        first_byte: group.first_byte_us,
        codes: group.codes.clone(),
    }
}

fn of_sum(sum: &Sum, duration_us: Option<u64>) -> Figures {
    Figures {
        requests: sum.count(),
        errors: sum.failures(),
        request_rate: rate(sum.count(), duration_us),
        bytes: sum.bytes(),
        average: sum.average_us(),
        min: sum.minimum_us(),
        max: sum.maximum_us(),
        connect: sum.connect_us(),
        first_byte: sum.first_byte_us(),
        codes: sum.codes().clone(),
        ..Figures::default()
    }
}

/// Requests over the time that Taurus reports; none where it reports none, or less than a second.
fn rate(requests: u64, duration_us: Option<u64>) -> Option<Rate> {
    duration_us.filter(|duration| *duration > 0).map(|duration| Rate(rate_milli(requests, duration)))
}
