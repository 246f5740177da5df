//! How it went over time, as the plots have it.

use volley_stats::series::{DistributionPoint, Figures, LabelSeries, Series};
use volley_stats::{Collection, LabelStatistics, Percentile, SampleKind};
use volley_storage::documents::{ResultDocument, SeriesFigures};

use super::plots::{ALL, name_of};
use crate::report::model::{Course, CoursePercentiles};

/// Labels that have a course of their own: those with the most requests.
const LABELS: usize = 20;

/// All requests first, then the busiest labels. Whether bytes are known, a series does not say.
pub(super) fn of_series(series: &Series, collection: &Collection) -> Vec<Course> {
    let mut all = Course { name: ALL.to_owned(), step: series.step_seconds(), ..Course::default() };
    for point in series.points() {
        add(&mut all, point.second, &point.figures, users(point.users));
    }
    all.percentiles = percentiles(series.distribution_step_seconds(), series.distributions());
    hide_unknown_bytes(&mut all, collection.requests.values());
    let mut courses = vec![all];
    if let Some(step) = series.label_step_seconds() {
        let mut labels: Vec<(u64, LabelSeries<'_>)> = series
            .labels()
            .map(|label| (label.points().map(|(_, figures)| figures.requests).fold(0, u64::saturating_add), label))
            .collect();
        labels
            .sort_by(|(one, one_label), (two, two_label)| two.cmp(one).then_with(|| one_label.key.cmp(two_label.key)));
        for (_, label) in labels.into_iter().take(LABELS) {
            let mut course = of_label(&label, step, series.label_distribution_step_seconds());
            hide_unknown_bytes(&mut course, collection.labels(label.key.kind).get(&label.key.name));
            courses.push(course);
        }
    }
    courses.retain(|course| !course.seconds.is_empty());
    courses
}

fn of_label(label: &LabelSeries<'_>, step: u64, percentile_step: Option<u64>) -> Course {
    let name = name_of(&label.key.name, label.key.kind == SampleKind::Transaction);
    let mut course = Course { name, step, ..Course::default() };
    for (second, figures) in label.points() {
        add(&mut course, second, figures, None);
    }
    course.percentiles = percentile_step.and_then(|step| percentiles(step, label.distributions()));
    course
}

fn add(course: &mut Course, second: i64, figures: &Figures, users: Option<u64>) {
    let bounds = figures.bounds_us();
    course.seconds.push(second);
    course.requests.push(figures.requests);
    course.errors.push(figures.errors);
    course.bytes.push(Some(figures.bytes));
    course.users.push(users);
    course.average.push(figures.average_us().map(rounded));
    course.min.push(bounds.map(|(minimum, _)| minimum));
    course.max.push(bounds.map(|(_, maximum)| maximum));
}

fn hide_unknown_bytes<'a>(course: &mut Course, labels: impl IntoIterator<Item = &'a LabelStatistics>) {
    if labels.into_iter().any(|label| label.bytes().is_none()) {
        course.bytes.fill(None);
    }
}

/// Percentiles by point; none where no point has any.
fn percentiles<'a>(step: u64, points: impl Iterator<Item = DistributionPoint<'a>>) -> Option<CoursePercentiles> {
    let mut columns = CoursePercentiles { step, ..CoursePercentiles::default() };
    for point in points {
        columns.seconds.push(point.second);
        columns.p50.push(point.percentile(Percentile::P50));
        columns.p95.push(point.percentile(Percentile::P95));
        columns.p99.push(point.percentile(Percentile::P99));
    }
    (!columns.seconds.is_empty()).then_some(columns)
}

/// Engines that report no users have none in any point.
fn users(mean: f64) -> Option<u64> {
    (mean > 0.0).then(|| rounded(mean))
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "means are not negative, and a cast saturates"
)]
fn rounded(mean: f64) -> u64 {
    mean.round() as u64
}

/// All regions first, then each where there are several.
pub(super) fn of_result(document: &ResultDocument) -> Vec<Course> {
    let several = document.series.iter().filter(|series| series.target.is_some()).count() > 1;
    let shown = document.series.iter().filter(|series| series.target.is_none() || several);
    shown.filter(|series| !series.seconds.is_empty()).map(of_figures).collect()
}

fn of_figures(series: &SeriesFigures) -> Course {
    let percentiles = &series.percentiles;
    Course {
        name: series.target.as_ref().map_or_else(|| ALL.to_owned(), |target| format!("region {target}")),
        step: series.step_seconds.into(),
        seconds: series.seconds.clone(),
        requests: series.requests.clone(),
        errors: series.errors.clone(),
        bytes: series.bytes.clone(),
        users: known(&series.users),
        average: series.average_us.clone(),
        min: series.min_us.clone(),
        max: series.max_us.clone(),
        percentiles: (!percentiles.seconds.is_empty()).then(|| CoursePercentiles {
            step: percentiles.step_seconds.into(),
            seconds: percentiles.seconds.clone(),
            p50: known(&percentiles.p50_us),
            p95: known(&percentiles.p95_us),
            p99: known(&percentiles.p99_us),
        }),
    }
}

fn known(values: &[u64]) -> Vec<Option<u64>> {
    values.iter().copied().map(Some).collect()
}
