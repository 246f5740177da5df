//! A series as it stands in `result.json`: columns of whole numbers. Pure.

use volley_stats::series::Figures;
use volley_stats::{Percentile, Series};
use volley_storage::documents::{SeriesFigures, SeriesPercentiles};

use crate::measured::mean_half_up;

/// The columns of a series; `target` is null for all regions.
#[must_use]
pub fn over_time(target: Option<&str>, series: &Series) -> SeriesFigures {
    let mut columns = SeriesFigures {
        target: target.map(str::to_owned),
        step_seconds: whole_seconds(series.step_seconds()),
        ..SeriesFigures::default()
    };
    for point in series.points() {
        push_figures(&mut columns, point.second, &point.figures, Some(point.figures.bytes), point.users);
    }
    let percentiles = &mut columns.percentiles;
    *percentiles = SeriesPercentiles {
        step_seconds: whole_seconds(series.distribution_step_seconds()),
        ..SeriesPercentiles::default()
    };
    for point in series.distributions() {
        push_percentiles(percentiles, point.second, |percentile| point.percentile(percentile));
    }
    columns
}

/// The length of a step as it stands in the columns.
pub(crate) fn whole_seconds(seconds: u64) -> u32 {
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

/// One point of every column that needs no distribution.
pub(crate) fn push_figures(
    columns: &mut SeriesFigures,
    second: i64,
    figures: &Figures,
    bytes: Option<u64>,
    users: f64,
) {
    columns.seconds.push(second);
    columns.requests.push(figures.requests);
    columns.errors.push(figures.errors);
    columns.interrupted.push(figures.interrupted);
    columns.bytes.push(bytes);
    columns.users.push(whole(users));
    columns.average_us.push(mean_half_up(u128::from(figures.elapsed_us), figures.requests));
    columns.min_us.push(figures.bounds_us().map(|(minimum, _)| minimum));
    columns.max_us.push(figures.bounds_us().map(|(_, maximum)| maximum));
}

/// One point of the percentiles; none where there was no request.
pub(crate) fn push_percentiles(
    percentiles: &mut SeriesPercentiles,
    second: i64,
    percentile: impl Fn(Percentile) -> Option<u64>,
) {
    let values = [Percentile::P50, Percentile::P95, Percentile::P99].map(percentile);
    let [Some(p50_us), Some(p95_us), Some(p99_us)] = values else { return };
    percentiles.seconds.push(second);
    percentiles.p50_us.push(p50_us);
    percentiles.p95_us.push(p95_us);
    percentiles.p99_us.push(p99_us);
}

/// A mean number of users, rounded half up. It is never negative.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floating point saturate")]
fn whole(users: f64) -> u64 {
    users.round() as u64
}
