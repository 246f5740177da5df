//! Of the result of a run.

use volley_storage::documents::{LabelFigures, ResultDocument};

use crate::report::model::{ErrorGroup, Label, Region, Report, Run, Source, VERSION};

/// The report of a run. `warnings` stand behind those of the document.
pub(super) fn report(document: &ResultDocument, sources: &[Source], warnings: &[String]) -> Report {
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
            cost_micro_dollars: document.cost_micro_dollars,
            regions: regions(document),
        }),
        thresholds: document.thresholds.clone(),
        verdict: Some(document.verdict),
        interval: document.interval.map(Into::into),
        peak_users: document.peak_users,
        totals: document.totals.clone().into(),
        labels: labels.map(row).collect(),
        files: Vec::new(),
        errors: errors(document),
        warnings: document.warnings.iter().chain(warnings).cloned().collect(),
    }
}

fn row(label: &LabelFigures) -> Label {
    Label {
        label: label.label.clone(),
        transaction: label.transaction,
        lower_bound: label.lower_bound,
        figures: label.figures.clone().into(),
    }
}

fn regions(document: &ResultDocument) -> Vec<Region> {
    let regions = document.regions.iter().map(|region| Region {
        target: region.target.clone(),
        region: region.region.clone(),
        left_out: region.left_out.clone(),
        workers: region.workers.into(),
        cost_micro_dollars: region.cost_micro_dollars,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::build::sample_result;

    #[test]
    fn every_figure_of_the_document_is_told() {
        let document = sample_result();
        let report = report(&document, &[], &["something".to_owned()]);
        let row = &report.labels[0].figures;
        let run = report.run.unwrap();
        let region = &run.regions[0];
        assert_eq!(run.cost_micro_dollars, document.cost_micro_dollars);
        assert_eq!(region.cost_micro_dollars, document.regions[0].cost_micro_dollars);
        for figures in [&report.totals, row, &region.figures] {
            assert_eq!((figures.standard_deviation, figures.max), (Some(10_000), Some(30_000)));
        }
        assert_eq!(report.warnings, ["worker local/1 is lost: no manifest", "something"]);
    }
}
