//! The course of a run so far, in the columns of `result.json`. Pure.

use volley_stats::series::LiveSeries;
use volley_storage::documents::{SeriesFigures, SeriesPercentiles};

use crate::over_time::{push_figures, push_percentiles, whole_seconds};

/// The columns: all regions together first, then each region. None before the first second.
#[must_use]
pub fn course(series: &LiveSeries) -> Vec<SeriesFigures> {
    if series.span().is_none() {
        return Vec::new();
    }
    let scopes = std::iter::once(None).chain(series.targets().map(Some));
    scopes.map(|target| columns(series, target)).collect()
}

fn columns(series: &LiveSeries, target: Option<&str>) -> SeriesFigures {
    let mut columns = SeriesFigures {
        target: target.map(str::to_owned),
        step_seconds: whole_seconds(series.step_seconds()),
        percentiles: SeriesPercentiles {
            step_seconds: whole_seconds(series.distribution_step_seconds()),
            ..SeriesPercentiles::default()
        },
        ..SeriesFigures::default()
    };
    for point in series.points(target) {
        push_figures(&mut columns, point.second, point.figures, point.bytes, point.users);
    }
    for point in series.distributions(target) {
        push_percentiles(&mut columns.percentiles, point.second, |percentile| point.percentile(percentile));
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use volley_stats::frame::Responses;

    fn responses(times_us: &[u64]) -> Responses {
        let mut responses = Responses::default();
        for time_us in times_us {
            responses.elapsed.record(*time_us);
        }
        responses
    }

    #[test]
    fn bytes_that_an_engine_does_not_tell_are_unknown_where_its_requests_are_and_nowhere_else() {
        let mut series = LiveSeries::new(["eu", "us"]);
        let told = Responses { bytes: Some(500), ..responses(&[10]) };
        let untold = Responses { bytes: None, ..responses(&[10]) };
        series.add("eu", 7, 1, &told);
        series.add("us", 7, 1, &untold);
        series.add("eu", 8, 1, &told);
        series.add("us", 8, 1, &Responses::default());
        let bytes: Vec<_> = course(&series).into_iter().map(|columns| columns.bytes).collect();
        assert_eq!(bytes, [[None, Some(500)], [Some(500), Some(500)], [None, Some(0)]]);
    }

    #[test]
    fn each_region_has_its_columns_after_those_of_all() {
        let mut series = LiveSeries::new(["us", "eu"]);
        assert_eq!(course(&series), []);
        series.add("eu", 7, 3, &responses(&[10, 30]));
        series.add("us", 7, 2, &responses(&[20]));
        series.add("us", 8, 2, &responses(&[]));
        let columns = course(&series);
        let shown: Vec<_> = columns
            .iter()
            .map(|columns| (columns.target.as_deref(), columns.seconds.as_slice(), columns.requests.as_slice()))
            .collect();
        let expected: [(Option<&str>, &[i64], &[u64]); 3] =
            [(None, &[7, 8], &[3, 0]), (Some("eu"), &[7], &[2]), (Some("us"), &[7, 8], &[1, 0])];
        assert_eq!(shown, expected);
        let all = &columns[0];
        assert_eq!((all.users.as_slice(), all.average_us.as_slice()), ([5, 2].as_slice(), [Some(20), None].as_slice()));
        assert_eq!(
            (all.percentiles.seconds.as_slice(), all.percentiles.p50_us.as_slice()),
            ([7].as_slice(), [20].as_slice())
        );
    }

    #[test]
    fn percentiles_have_longer_steps_than_figures_after_ten_minutes() {
        let mut series = LiveSeries::new(["eu"]);
        for second in 0..=600 {
            series.add("eu", second, 1, &responses(&[second.unsigned_abs() * 10, 7]));
        }
        for columns in course(&series) {
            assert_eq!((columns.step_seconds, columns.seconds.len()), (1, 601));
            let percentiles = &columns.percentiles;
            assert_eq!((percentiles.step_seconds, percentiles.seconds.len()), (5, 121));
            assert_eq!((percentiles.seconds[1], percentiles.p50_us[1], percentiles.p99_us[1]), (5, 7, 90));
        }
    }
}
