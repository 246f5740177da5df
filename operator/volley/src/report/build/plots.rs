//! What the plots of a page are drawn from.

use volley_stats::final_stats::{FinalStats, Group};
use volley_stats::statistics::Collection;
use volley_stats::{LabelStatistics, Percentile, SampleKind};
use volley_storage::documents::{Figures, ResultDocument};

use super::course;
use crate::report::gather::Gathered;
use crate::report::model::{Curve, Plots, Source};

/// What the first curve and the first course are called.
pub(super) const ALL: &str = "all requests";
/// Points between two halvings of what is left to 100 %.
const POINTS_PER_HALVING: u32 = 4;

/// The plots of what was read.
#[must_use]
pub fn plots(gathered: &Gathered) -> Plots {
    match gathered {
        Gathered::Measured { collection, series, .. } => Plots {
            curves: exact(collection),
            courses: series.as_deref().map(|series| course::of_series(series, collection)).unwrap_or_default(),
            ..Plots::default()
        },
        Gathered::FinalStats { files, .. } => {
            Plots { curves: of_final_stats(files), per_file: files.len() > 1, ..Plots::default() }
        }
        Gathered::Run { run, .. } => Plots {
            curves: run.histograms.as_deref().map_or_else(|| of_result(&run.document), exact),
            courses: course::of_result(&run.document),
            ..Plots::default()
        },
    }
}

/// Curves with all detail that the histograms have.
fn exact(collection: &Collection) -> Vec<Curve> {
    let axis = axis();
    let mut curves = vec![of_label(ALL.to_owned(), &collection.total(), &axis)];
    for kind in [SampleKind::Request, SampleKind::Transaction] {
        for (name, label) in collection.labels(kind) {
            curves.push(of_label(name_of(name, kind == SampleKind::Transaction), label, &axis));
        }
    }
    curves.retain(|curve| !curve.points.is_empty());
    curves
}

/// A label as plots call it.
pub(super) fn name_of(label: &str, transaction: bool) -> String {
    if transaction { format!("{label} (transaction)") } else { label.to_owned() }
}

/// Percentiles that halve what is left to 100 % again and again, with some points between, and those of the tables.
fn axis() -> Vec<Percentile> {
    let mut thousandths = vec![90_000, 95_000, 99_000, 99_900, 99_990, 99_999];
    let mut left = Percentile::WHOLE;
    while left > 1 {
        let point = |number| Percentile::WHOLE - left + left / 2 * number / POINTS_PER_HALVING;
        thousandths.extend((0..POINTS_PER_HALVING).map(point));
        left /= 2;
    }
    thousandths.sort_unstable();
    thousandths.dedup();
    thousandths.into_iter().filter_map(|thousandths| Percentile::from_thousandths(thousandths).ok()).collect()
}

/// The points up to the first that is the longest time, and that one.
fn of_label(name: String, label: &LabelStatistics, axis: &[Percentile]) -> Curve {
    let elapsed = label.together().elapsed;
    let count = elapsed.count();
    let below = axis.iter().filter(|percentile| percentile.rank(count) < count);
    let points = below.chain([&Percentile::MAXIMUM]);
    let points = points.filter_map(|percentile| Some((*percentile, elapsed.percentile(*percentile)?))).collect();
    Curve { name, count, points }
}

fn of_result(document: &ResultDocument) -> Vec<Curve> {
    let labels = document.labels.iter().filter(|label| label.target.is_none());
    let labels = labels.map(|label| of_figures(name_of(&label.label, label.transaction), &label.figures));
    let mut curves: Vec<Curve> = [of_figures(ALL.to_owned(), &document.totals)].into_iter().chain(labels).collect();
    curves.retain(|curve| !curve.points.is_empty());
    curves
}

/// The percentiles that a result states.
fn of_figures(name: String, figures: &Figures) -> Curve {
    let known = [
        (Percentile::MINIMUM, figures.min_us),
        (Percentile::P50, figures.p50_us),
        (Percentile::P90, figures.p90_us),
        (Percentile::P95, figures.p95_us),
        (Percentile::P99, figures.p99_us),
        (Percentile::P99_9, figures.p999_us),
        (Percentile::MAXIMUM, figures.max_us),
    ];
    let points = known.into_iter().filter_map(|(percentile, value)| Some((percentile, value?))).collect();
    Curve { name, count: figures.requests, points }
}

/// The percentiles that Taurus states: of all and of each label for one file, of each file for several.
fn of_final_stats(files: &[(Source, FinalStats)]) -> Vec<Curve> {
    let curve = |name: &str, group: &Group| Curve {
        name: name.to_owned(),
        count: group.count,
        points: group.percentiles.iter().map(|(percentile, value)| (*percentile, *value)).collect(),
    };
    let mut curves: Vec<Curve> = match files {
        [(_, only)] => {
            let total = only.total.as_ref().map(|total| curve(ALL, total));
            total.into_iter().chain(only.labels.iter().map(|(name, group)| curve(name, group))).collect()
        }
        several => {
            let totals =
                several.iter().filter_map(|(source, report)| Some(curve(&source.file, report.total.as_ref()?)));
            totals.collect()
        }
    };
    curves.retain(|curve| !curve.points.is_empty());
    curves
}
