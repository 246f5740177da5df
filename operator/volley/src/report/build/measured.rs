//! Of samples and histograms: exact figures.

use volley_aggregator::measured::figures;
use volley_stats::SampleKind;
use volley_stats::statistics::{Collection, Overview};

use super::title_of;
use crate::report::model::{ErrorGroup, Interval, Label, Report, Source, VERSION};

/// The report of everything that was measured together.
pub(super) fn report(collection: &Collection, sources: &[Source], warnings: &[String]) -> Report {
    let overview = &collection.overview;
    let interval_us = overview.interval_us().unwrap_or(0);
    let mut labels = Vec::with_capacity(collection.label_count());
    for kind in [SampleKind::Request, SampleKind::Transaction] {
        for (name, label) in collection.labels(kind) {
            labels.push(Label {
                label: name.to_string(),
                transaction: kind == SampleKind::Transaction,
                lower_bound: overview.is_lower_bound(name, label),
                figures: figures(label, interval_us).into(),
            });
        }
    }
    Report {
        version: VERSION,
        title: title_of(sources),
        sources: sources.to_vec(),
        run: None,
        thresholds: Vec::new(),
        verdict: None,
        interval: interval(overview),
        peak_users: Some(overview.peak_users).filter(|users| *users > 0),
        totals: figures(&collection.total(), interval_us).into(),
        labels,
        files: Vec::new(),
        errors: errors(collection),
        warnings: warnings.iter().cloned().chain(folded(overview)).collect(),
    }
}

fn interval(overview: &Overview) -> Option<Interval> {
    let (first, last) = overview.first_start_us.zip(overview.last_end_us)?;
    let instant = |microseconds| jiff::Timestamp::from_microsecond(microseconds).ok();
    Some(Interval { from: instant(first)?, to: instant(last)? })
}

fn errors(collection: &Collection) -> Vec<ErrorGroup> {
    let largest = collection.errors.largest(usize::MAX);
    largest
        .into_iter()
        .map(|(key, count)| ErrorGroup {
            label: Some(key.label.to_string()),
            code: key.code.to_string(),
            message: key.message.to_string(),
            count,
        })
        .collect()
}

/// What was folded or shortened on arrival.
fn folded(overview: &Overview) -> impl Iterator<Item = String> {
    let say = |count: u64, words: &str| (count > 0).then(|| format!("{count} {words}"));
    [
        say(
            overview.folded_label_samples,
            "samples are in the row [other]: there are more labels than are kept apart. Labels marked ≥ are lower bounds",
        ),
        say(overview.folded_error_samples, "failed requests are in the error group [other]: there are too many groups"),
        say(overview.shortened_label_samples, "samples have a label that was cut because it is too long"),
    ]
    .into_iter()
    .flatten()
}
