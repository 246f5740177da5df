//! Of the result of a run.

use volley_stats::SampleKind;
use volley_stats::statistics::Collection;
use volley_storage::documents::{LabelFigures, ResultDocument};

use super::measured::exact;
use crate::report::model::{ErrorGroup, Figures, Label, Region, Report, Run, Source, VERSION};

/// The report of a run. The run's merged histograms add what the document does not have: the standard deviation.
pub(super) fn report(document: &ResultDocument, histograms: Option<&Collection>, sources: &[Source]) -> Report {
    let deviation = histograms.and_then(|histograms| exact(&histograms.total(), 0).standard_deviation);
    let labels = document.labels.iter().filter(|label| label.target.is_none());
    let run = &document.run;
    Report {
        version: VERSION,
        title: format!("{}/{}", run.namespace, run.name),
        sources: sources.to_vec(),
        run: Some(Run {
            namespace: run.namespace.clone(),
            name: run.name.clone(),
            uid: run.uid.clone(),
            verdict: document.verdict,
            workers: document.workers_total.into(),
            regions: regions(document),
        }),
        thresholds: document.thresholds.clone(),
        verdict: Some(document.verdict),
        interval: document.interval.map(Into::into),
        peak_users: document.peak_users,
        totals: Figures { standard_deviation: deviation, ..document.totals.clone().into() },
        labels: labels.map(|label| row(label, histograms)).collect(),
        files: Vec::new(),
        errors: errors(document),
        warnings: document.warnings.clone(),
    }
}

fn row(label: &LabelFigures, histograms: Option<&Collection>) -> Label {
    let kind = if label.transaction { SampleKind::Transaction } else { SampleKind::Request };
    let measured = histograms.and_then(|histograms| histograms.labels(kind).get(label.label.as_str()));
    let standard_deviation = measured.and_then(|label| exact(label, 0).standard_deviation);
    Label {
        label: label.label.clone(),
        transaction: label.transaction,
        lower_bound: label.lower_bound,
        figures: Figures { standard_deviation, ..label.figures.clone().into() },
    }
}

fn regions(document: &ResultDocument) -> Vec<Region> {
    let regions = document.regions.iter().map(|region| Region {
        target: region.target.clone(),
        region: region.region.clone(),
        left_out: region.left_out.clone(),
        workers: region.workers.into(),
        figures: region.figures.clone().into(),
    });
    regions.collect()
}

fn errors(document: &ResultDocument) -> Vec<ErrorGroup> {
    let groups = document.errors.iter().map(|group| ErrorGroup {
        label: group.label.clone(),
        code: group.code.clone(),
        message: group.message.clone(),
        count: group.count,
    });
    groups.collect()
}
