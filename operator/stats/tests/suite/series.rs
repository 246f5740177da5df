//! Series against counting samples second by second.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;
use volley_stats::series::{Bounds, DistributionPoint, EncodedSeries, Figures, SeriesSum};
use volley_stats::{Limits, Percentile, Recorder, SampleKind, Series};

use crate::generators::{OwnedSample, STOP_US, samples};

/// Bounds that a few dozen random samples exceed.
const TIGHT: Bounds = Bounds { row_points: 6, label_points: 9, label_slots: 25 };
/// The steps by their definition, as far as the samples need them.
const STEPS: [i64; 14] = [1, 5, 10, 30, 60, 300, 600, 1_800, 3_600, 21_600, 86_400, 864_000, 8_640_000, 86_400_000];

fn recorded(samples: &[OwnedSample], bounds: Bounds) -> Series {
    let mut recorder = Recorder::new(Limits { series: bounds, ..Limits::default() });
    recorder.stop_at(STOP_US);
    for sample in samples {
        recorder.record(0, &sample.borrow());
    }
    recorder.into_parts().1
}

/// Adds up in an order and grouping that `choices` decides.
fn sum_in_some_order(mut parts: Vec<Series>, choices: &[Index], bounds: Bounds) -> Series {
    let mut choices = choices.iter().cycle();
    while parts.len() > 1 {
        let mut sum = SeriesSum::new(bounds);
        let together = 2 + choices.next().unwrap().index(parts.len() - 1);
        for _ in 0..together {
            let part = parts.swap_remove(choices.next().unwrap().index(parts.len()));
            sum.add_encoded(&EncodedSeries::read(part.encode()).unwrap());
        }
        parts.push(sum.finish());
    }
    parts.pop().unwrap_or_default()
}

fn choices() -> impl Strategy<Value = Vec<Index>> {
    proptest::collection::vec(any::<Index>(), 1..12)
}

/// What the oracle knows of a sample.
struct Known<'a> {
    second: i64,
    elapsed_us: u64,
    interrupted: bool,
    sample: &'a OwnedSample,
}

fn known(samples: &[OwnedSample]) -> Vec<Known<'_>> {
    let known = samples.iter().map(|sample| {
        let end_us = sample.start_us + i64::try_from(sample.elapsed_us).unwrap();
        let cut_off = sample.message == "Socket closed" || sample.kind == SampleKind::Transaction;
        Known {
            second: end_us.div_euclid(1_000_000),
            elapsed_us: sample.elapsed_us.min(1 << 37),
            interrupted: !sample.success && end_us >= STOP_US && cut_off,
            sample,
        }
    });
    known.collect()
}

/// Figures by the first second of their point.
fn figures<'a>(samples: impl Iterator<Item = &'a Known<'a>>, step: i64) -> BTreeMap<i64, Figures> {
    let mut points: BTreeMap<i64, Vec<&Known<'_>>> = BTreeMap::new();
    for known in samples {
        points.entry(known.second - known.second.rem_euclid(step)).or_default().push(known);
    }
    let sums = points.into_iter().map(|(second, all)| {
        let counted: Vec<_> = all.iter().filter(|known| !known.interrupted).collect();
        let figures = Figures {
            requests: counted.len() as u64,
            errors: counted.iter().filter(|known| !known.sample.success).count() as u64,
            interrupted: (all.len() - counted.len()) as u64,
            bytes: counted.iter().filter_map(|known| known.sample.bytes).sum(),
            elapsed_us: counted.iter().map(|known| known.elapsed_us).sum(),
            minimum_us: counted.iter().map(|known| known.elapsed_us).min().unwrap_or(0),
            maximum_us: counted.iter().map(|known| known.elapsed_us).max().unwrap_or(0),
        };
        (second, figures)
    });
    sums.collect()
}

/// Sorted response times by the first second of their point.
fn durations<'a>(samples: impl Iterator<Item = &'a Known<'a>>, step: i64) -> BTreeMap<i64, Vec<u64>> {
    let mut points: BTreeMap<i64, Vec<u64>> = BTreeMap::new();
    for known in samples.filter(|known| !known.interrupted) {
        points.entry(known.second - known.second.rem_euclid(step)).or_default().push(known.elapsed_us);
    }
    for values in points.values_mut() {
        values.sort_unstable();
    }
    points
}

/// Slots that values take: those below 128 apart, then 64 for each doubling.
fn slots(values: &[u64]) -> usize {
    let slot = |value: u64| {
        let mut width = 1;
        while value / width >= 128 {
            width *= 2;
        }
        (width, value / width)
    };
    values.iter().map(|value| slot(*value)).collect::<std::collections::BTreeSet<_>>().len()
}

/// `bounded`: the figures' points are not longer, so the exact bounds of each distribution are known.
fn check_percentiles(
    points: &[DistributionPoint<'_>],
    expected: &BTreeMap<i64, Vec<u64>>,
    bounded: bool,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(
        points.iter().map(|point| point.second).collect::<Vec<_>>(),
        expected.keys().copied().collect::<Vec<_>>()
    );
    for (point, values) in points.iter().zip(expected.values()) {
        prop_assert_eq!(point.histogram.total(), values.len() as u64);
        for thousandths in [0, 50_000, 90_000, 95_000, 99_900, 100_000_u32] {
            let rank = (values.len() as u64 * u64::from(thousandths)).div_ceil(100_000).max(1);
            let exact = values[usize::try_from(rank).unwrap() - 1];
            let published = point.percentile(Percentile::from_thousandths(thousandths).unwrap()).unwrap();
            prop_assert!(published.abs_diff(exact) * 125 <= exact, "{published} instead of {exact}");
            prop_assert!(!bounded || values[0] <= published && published <= values[values.len() - 1]);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(384))]

    #[test]
    fn any_partition_and_order_gives_the_bytes_of_recording_everything_at_once(
        mut all in samples(90), owners in proptest::collection::vec(0_usize..6, 90), choices in choices(), tight: bool,
    ) {
        for sample in &mut all {
            sample.active_users = None;
        }
        let bounds = if tight { TIGHT } else { Bounds::WORKER };
        let mut parts: Vec<Vec<OwnedSample>> = vec![Vec::new(); 6];
        all.iter().zip(owners).for_each(|(sample, owner)| parts[owner].push(sample.clone()));
        let parts: Vec<Series> = parts.iter().map(|part| recorded(part, bounds)).collect();
        let whole = recorded(&all, bounds);
        prop_assert_eq!(&sum_in_some_order(parts.clone(), &choices, bounds), &whole);
        if !tight {
            let mut merged = Series::default();
            for part in &parts {
                merged.merge(part);
            }
            prop_assert_eq!(merged.encode(), whole.encode());
        }
    }

    #[test]
    fn any_order_gives_the_same_bytes_where_workers_have_different_steps_and_users(
        parts in proptest::collection::vec((samples(40), any::<bool>()), 1..7), one in choices(), other in choices(),
    ) {
        let parts: Vec<Series> = parts
            .iter()
            .map(|(part, tight)| recorded(part, if *tight { TIGHT } else { Bounds::WORKER }))
            .collect();
        let merged = sum_in_some_order(parts.clone(), &one, Bounds::MERGED);
        prop_assert_eq!(&sum_in_some_order(parts.clone(), &other, Bounds::MERGED), &merged);
        let requests = |series: &Series| series.points().map(|point| point.figures.requests).sum::<u64>();
        prop_assert_eq!(requests(&merged), parts.iter().map(requests).sum::<u64>());
    }

    #[test]
    fn points_say_what_counting_second_by_second_says(all in samples(90), tight: bool) {
        let bounds = if tight { TIGHT } else { Bounds::WORKER };
        let series = recorded(&all, bounds);
        let known = known(&all);
        let requests = || known.iter().filter(|known| known.sample.kind == SampleKind::Request);

        let step = i64::try_from(series.step_seconds()).unwrap();
        let points: BTreeMap<_, _> = series.points()
            .filter(|point| point.figures != Figures::default())
            .map(|point| (point.second, point.figures))
            .collect();
        prop_assert_eq!(points, figures(requests(), step));
        prop_assert!(series.points().count() <= bounds.row_points);

        let step = i64::try_from(series.distribution_step_seconds()).unwrap();
        check_percentiles(&series.distributions().collect::<Vec<_>>(), &durations(requests(), step), series.step_seconds() <= step.unsigned_abs())?;
        let shortest = STEPS[2..].iter().find(|step| durations(requests(), **step).len() <= bounds.row_points);
        prop_assert_eq!(Some(&step), shortest);
        prop_assert_eq!(series.span().is_some(), !all.is_empty());
    }

    #[test]
    fn labels_have_the_shortest_step_that_fits_all_of_them(all in samples(60), tight: bool) {
        let bounds = if tight { TIGHT } else { Bounds::WORKER };
        let series = recorded(&all, bounds);
        let known = known(&all);
        let mut labels: BTreeMap<(SampleKind, &str), Vec<&Known<'_>>> = BTreeMap::new();
        for known in &known {
            labels.entry((known.sample.kind, &known.sample.label)).or_default().push(known);
        }
        let rows = |step: i64| labels.values().map(move |all| figures(all.iter().copied(), step));
        let fits = |rows: &[usize]| rows.iter().all(|row| *row <= bounds.row_points)
            && rows.iter().sum::<usize>() <= bounds.label_points;
        let shortest =
            STEPS[2..].iter().find(|step| fits(&rows(**step).map(|row| row.len()).collect::<Vec<_>>()));
        prop_assert_eq!(series.label_step_seconds().map(|step| i64::try_from(step).unwrap()), shortest.copied());
        if let Some(step) = shortest {
            let points: Vec<BTreeMap<_, _>> = series.labels()
                .map(|label| label.points().map(|(second, figures)| (second, *figures)).collect()).collect();
            prop_assert_eq!(points, rows(*step).collect::<Vec<_>>());
        }

        let rows = |step: i64| labels.values().map(move |all| durations(all.iter().copied(), step));
        let shortest = STEPS[4..].iter().find(|step| {
            fits(&rows(**step).map(|row| row.len()).collect::<Vec<_>>())
                && rows(**step).flat_map(BTreeMap::into_values).map(|values| slots(&values)).sum::<usize>()
                    <= bounds.label_slots
        });
        prop_assert_eq!(
            series.label_distribution_step_seconds().map(|step| i64::try_from(step).unwrap()),
            shortest.copied()
        );
        if let Some(step) = shortest {
            let bounded = series.label_step_seconds().is_some_and(|figures| figures <= step.unsigned_abs());
            for label in series.labels() {
                let expected = durations(labels[&(label.key.kind, &*label.key.name)].iter().copied(), *step);
                check_percentiles(&label.distributions().collect::<Vec<_>>(), &expected, bounded)?;
            }
        }
    }

    #[test]
    fn users_are_the_maximum_of_each_second_and_stay_until_the_next_row(
        rows in proptest::collection::vec((0_usize..3, 0_i64..400, -2_i64..=2, 0_u32..50), 0..60),
    ) {
        // Rows of all executions come in the order of time, each up to 4 seconds late.
        let mut rows = rows;
        rows.sort_by_key(|(_, time, _, _)| *time);
        let rows: Vec<_> = rows.iter().map(|(execution, time, jitter, users)| (*execution, time + jitter, *users)).collect();
        let mut recorder = Recorder::new(Limits::default());
        for (execution, second, users) in &rows {
            let end_us = (1_000 + second) * 1_000_000;
            let sample = OwnedSample {
                kind: SampleKind::Request, label: "a".into(), start_us: end_us - 5, elapsed_us: 5, first_byte_us: None,
                bytes: None, code: "200", message: "OK", success: true, active_users: Some(*users),
            };
            recorder.record(*execution, &sample.borrow());
        }
        let mut expected: BTreeMap<i64, f64> = BTreeMap::new();
        for execution in 0..3 {
            let mut maxima: BTreeMap<i64, u32> = BTreeMap::new();
            for (_, second, users) in rows.iter().filter(|row| row.0 == execution) {
                let known = maxima.entry(*second).or_default();
                *known = (*known).max(*users);
            }
            let Some((first, last)) = maxima.keys().next().copied().zip(maxima.keys().last().copied()) else { continue };
            for second in first..=last {
                let (_, users) = maxima.range(..=second).next_back().unwrap();
                *expected.entry(1_000 + second).or_default() += f64::from(*users);
            }
        }
        expected.retain(|_, users| *users > 0.0);
        let series = recorder.series();
        let points: BTreeMap<_, _> =
            series.points().filter(|point| point.users > 0.0).map(|point| (point.second, point.users)).collect();
        prop_assert_eq!(points, expected);
    }

    #[test]
    fn bytes_are_read_back_and_damaged_ones_are_an_error_or_another_series(
        all in samples(40), at in any::<Index>(), byte: u8, cut in any::<Index>(),
    ) {
        let series = recorded(&all, Bounds::WORKER);
        let bytes = series.encode();
        prop_assert_eq!(Series::decode(&bytes), Ok(series));
        prop_assert!(Series::decode(&bytes[..cut.index(bytes.len())]).is_err());
        let mut damaged = bytes;
        let at = at.index(damaged.len());
        damaged[at] = byte;
        if let Ok(other) = Series::decode(&damaged) {
            prop_assert_eq!(other.encode(), damaged);
        }
    }
}
