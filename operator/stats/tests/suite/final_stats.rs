//! Taurus' reports that were measured, and several of them together.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use volley_stats::Percentile;
use volley_stats::final_stats::{self, FinalStats, Group, Merged};

use crate::cross_check::as_taurus_reports;
use crate::generators::samples;
use crate::measured_reports::{REPORTS, Report};

fn read(file: &str) -> FinalStats {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples").join(file);
    final_stats::read(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn every_measured_report_says_what_stands_in_it() {
    const PERCENTILES: [Percentile; 7] = [
        Percentile::MINIMUM,
        Percentile::P50,
        Percentile::P90,
        Percentile::P95,
        Percentile::P99,
        Percentile::P99_9,
        Percentile::MAXIMUM,
    ];
    for Report { file, duration_s, labels, groups, .. } in REPORTS {
        let report = read(file);
        assert_eq!((report.duration_us, report.labels.len()), (Some(duration_s * 1_000_000), *labels), "{file}");
        for expected in *groups {
            let group =
                if expected.label.is_empty() { report.total.as_ref() } else { report.labels.get(expected.label) };
            let (successes, failures) = expected.outcomes;
            let milliseconds = PERCENTILES.iter().zip(expected.percentiles_ms);
            let expected_group = Group {
                count: successes + failures,
                successes,
                failures,
                users: Some(expected.users),
                average_us: expected.average_us,
                standard_deviation_us: expected.standard_deviation_us,
                first_byte_us: Some(expected.first_byte_us),
                connect_us: Some(expected.connect_us),
                bytes: expected.bytes,
                codes: expected.codes.iter().map(|(code, count)| ((*code).to_owned(), *count)).collect(),
                percentiles: milliseconds.map(|(percentile, value)| (*percentile, value * 1000)).collect(),
            };
            assert_eq!(group, Some(&expected_group), "{file}: '{}'", expected.label);
        }
        let impossible_averages = if *file == "final-stats-ab.xml" { 2 } else { 0 };
        assert_eq!(report.oddities.count(), impossible_averages, "{file}");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let is_report = |entry: &std::io::Result<std::fs::DirEntry>| {
        entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "xml")
    };
    assert_eq!(std::fs::read_dir(folder).unwrap().filter(is_report).count(), REPORTS.len());
}

#[test]
fn the_labels_of_a_measured_report_add_up_to_what_it_says_of_all() {
    for Report { file, average_of_labels_us, .. } in REPORTS {
        let mut report = read(file);
        let total = report.total.take().unwrap();
        let mut merged = Merged::default();
        merged.add(&report);
        let sum = merged.total;
        assert_eq!((merged.reports, merged.without_total), (1, 1));
        assert_eq!((sum.count(), sum.successes(), sum.failures()), (total.count, total.successes, total.failures));
        assert_eq!(sum.codes(), &total.codes, "{file}");
        assert_eq!(sum.bytes(), total.bytes, "{file}");
        assert_eq!(sum.average_us(), *average_of_labels_us, "{file}");
        assert_eq!(sum.minimum_us(), total.percentiles.get(&Percentile::MINIMUM).copied(), "{file}");
        assert_eq!(sum.maximum_us(), total.percentiles.get(&Percentile::MAXIMUM).copied(), "{file}");
        if let Some((sum, total)) = sum.average_us().zip(total.average_us) {
            assert!(sum.abs_diff(total) <= 10, "{file}: {sum} {total}");
        }
    }
}

#[test]
fn reports_of_two_workers_add_up() {
    let mut merged = Merged::default();
    for file in ["final-stats-jmeter-5.6.2.xml", "final-stats-locust.xml"] {
        merged.add(&read(file));
    }
    // 7,443 + 6,603 samples; 3,731 + 5,282 and 3,712 + 1,321; 2,892,615 + 2,708,390 bytes; both ran 35 s with 10 users.
    let total = &merged.total;
    assert_eq!((merged.reports, merged.without_total, merged.longest_us), (2, 0, Some(35_000_000)));
    assert_eq!((total.count(), total.successes(), total.failures()), (14_046, 9_013, 5_033));
    assert_eq!((total.bytes(), total.users()), (Some(5_601_005), Some(20)));
    // 3,731 + 5,282, 1,856 + 639, 1,856 + 682.
    let codes = [("200", 9_013), ("404", 2_495), ("500", 2_538)];
    assert_eq!(total.codes(), &codes.map(|(code, count)| (code.to_owned(), count)).into());
    // (7,443 · 43,830 + 6,603 · 48,540) / 14,046 = 646,736,310 / 14,046 = 46,044.2
    assert_eq!((total.average_us(), total.minimum_us(), total.maximum_us()), (Some(46_044), Some(0), Some(268_000)));
    // 1,866 + 4,003 samples; (1,866 · 21,410 + 4,003 · 27,630) / 5,869 = 150,553,950 / 5,869 = 25,652.4;
    // (1,866 · 21,390 + 4,003 · 0) / 5,869 = 6,800.8; (1,866 · 60 + 0) / 5,869 = 19.1
    let label = &merged.labels["GET slow20"];
    assert_eq!((label.count(), label.failures(), label.average_us()), (5_869, 0, Some(25_652)));
    assert_eq!((label.first_byte_us(), label.connect_us()), (Some(6_801), Some(19)));
    assert_eq!((label.minimum_us(), label.maximum_us()), (Some(20_000), Some(151_000)));
}

#[test]
fn a_figure_that_one_worker_lacks_is_unknown_for_all() {
    let mut merged = Merged::default();
    for file in ["final-stats-jmeter-5.6.2.xml", "final-stats-k6.xml", "final-stats-ab.xml"] {
        merged.add(&read(file));
    }
    assert_eq!(merged.total.count(), 7_443 + 6_328 + 12_800);
    assert_eq!((merged.total.bytes(), merged.total.average_us()), (None, None));
    assert_eq!(merged.labels["GET slow20"].average_us(), Some(21_304), "(1,866 · 21,410 + 1,582 · 21,180) / 3,448");
    assert_eq!(merged.oddities, 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn workers_together_say_what_one_worker_with_all_samples_would(
        workers in proptest::collection::vec(samples(30), 1..5),
    ) {
        // Control characters break Taurus' report, so they cannot be in one.
        let workers: Vec<Vec<_>> = workers
            .into_iter()
            .map(|samples| samples.into_iter().filter(|sample| !sample.label.contains(char::is_control)).collect())
            .filter(|samples: &Vec<_>| !samples.is_empty())
            .collect();
        prop_assume!(!workers.is_empty());
        let one = as_taurus_reports(&workers.concat());
        let mut together = Merged::default();
        for samples in &workers {
            together.add(&as_taurus_reports(samples));
        }
        prop_assert_eq!(together.labels.keys().collect::<Vec<_>>(), one.labels.keys().collect::<Vec<_>>());
        let labels = one.labels.iter().map(|(name, group)| (group, &together.labels[name]));
        for (group, sum) in labels.chain([(one.total.as_ref().unwrap(), &together.total)]) {
            prop_assert_eq!((sum.count(), sum.successes(), sum.failures()), (group.count, group.successes, group.failures));
            prop_assert_eq!((sum.bytes(), sum.codes()), (group.bytes, &group.codes));
            prop_assert_eq!(sum.minimum_us(), Some(group.percentiles[&Percentile::MINIMUM]));
            prop_assert_eq!(sum.maximum_us(), Some(group.percentiles[&Percentile::MAXIMUM]));
            // Both sides are made of averages that are rounded to 10 µs.
            prop_assert!(sum.average_us().unwrap().abs_diff(group.average_us.unwrap()) <= 10);
        }
    }

    #[test]
    fn merging_does_not_depend_on_order_or_grouping(
        workers in proptest::collection::vec((samples(10), any::<u8>()), 1..6),
        split in any::<prop::sample::Index>(),
    ) {
        let reports: Vec<FinalStats> = workers
            .iter()
            .map(|(samples, left_out)| without_some_figures(as_taurus_reports(samples), *left_out))
            .collect();
        let add_all = |reports: &mut dyn Iterator<Item = &FinalStats>| {
            let mut merged = Merged::default();
            reports.for_each(|report| merged.add(report));
            merged
        };
        let in_order = add_all(&mut reports.iter());
        prop_assert_eq!(&add_all(&mut reports.iter().rev()), &in_order);
        let (left, right) = reports.split_at(split.index(reports.len()));
        let mut grouped = add_all(&mut right.iter());
        grouped.merge(add_all(&mut left.iter()));
        prop_assert_eq!(grouped, in_order);
    }
}

/// A report in which every group lacks the figures that the bits name.
fn without_some_figures(mut report: FinalStats, bits: u8) -> FinalStats {
    let groups: &mut BTreeMap<String, Group> = &mut report.labels;
    for group in groups.values_mut().chain(report.total.as_mut()) {
        let lacks = |bit: u8| bits & (1 << bit) == 0;
        group.bytes = group.bytes.filter(|_| !lacks(0));
        group.average_us = group.average_us.filter(|_| !lacks(1));
        group.percentiles.retain(|percentile, _| *percentile != Percentile::MAXIMUM || !lacks(2));
    }
    report.total = report.total.filter(|_| bits < 200);
    report
}
