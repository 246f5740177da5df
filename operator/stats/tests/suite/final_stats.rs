//! Taurus' reports that were measured, and several of them together.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use volley_stats::Percentile;
use volley_stats::final_stats::{self, FinalStats, Group, Merged};

use crate::cross_check::as_taurus_reports;
use crate::generators::samples;

/// A group as a person reads it in the file: times in microseconds, codes as written.
struct Expected {
    label: &'static str,
    users: u64,
    /// Successes and failures.
    outcomes: (u64, u64),
    /// None for `ab`: it reports 0.00000 beside a minimum of 19 ms, because it has no response codes.
    average_us: Option<u64>,
    standard_deviation_us: Option<u64>,
    first_byte_us: u64,
    connect_us: u64,
    /// None for k6, whose numbers have decimals and are wrong.
    bytes: Option<u64>,
    codes: &'static [(&'static str, u64)],
    /// p0, p50, p90, p95, p99, p99.9 and p100 in milliseconds.
    percentiles_ms: [u64; 7],
}

/// One report: its duration, the group of all labels, and single labels of it.
struct Report {
    file: &'static str,
    duration_s: u64,
    labels: usize,
    /// Σ count · average / Σ count over the labels, worked out on paper from the numbers in the file. What Taurus says of all
    /// labels together is within 10 µs of it, as both are made of rounded numbers.
    average_of_labels_us: Option<u64>,
    groups: &'static [Expected],
}

const REPORTS: &[Report] = &[
    // ab: one label, no response codes, no bytes, and no average.
    Report {
        file: "final-stats-ab.xml",
        duration_s: 30,
        labels: 1,
        average_of_labels_us: None,
        groups: &[Expected {
            label: "",
            users: 10,
            outcomes: (12_800, 0),
            average_us: None,
            standard_deviation_us: None,
            first_byte_us: 0,
            connect_us: 0,
            bytes: Some(0),
            codes: &[],
            percentiles_ms: [19, 22, 27, 29, 36, 42, 46],
        }],
    },
    // apiritif: 404 and 500 are successes unless the script asserts something. 4 · 520 = 2,080.
    Report {
        file: "final-stats-apiritif.xml",
        duration_s: 23,
        labels: 4,
        average_of_labels_us: Some(47_153),
        groups: &[
            Expected {
                label: "",
                users: 5,
                outcomes: (2_080, 0),
                average_us: Some(47_150),
                standard_deviation_us: Some(63_350),
                first_byte_us: 0,
                connect_us: 0,
                bytes: Some(747_760),
                codes: &[("200", 1_040), ("500", 520), ("404", 520)],
                percentiles_ms: [0, 20, 153, 156, 168, 210, 233],
            },
            Expected {
                label: "http://127.0.0.1:18080/nf",
                users: 5,
                outcomes: (520, 0),
                average_us: Some(4_200),
                standard_deviation_us: Some(10_090),
                first_byte_us: 0,
                connect_us: 0,
                bytes: Some(53_560),
                codes: &[("404", 520)],
                percentiles_ms: [0, 2, 9, 13, 26, 173, 173],
            },
        ],
    },
    // JMeter, two labels: 1,891 + 1,890 = 3,781 samples, 1,204,567 + 1,203,930 = 2,408,497 bytes.
    Report {
        file: "final-stats-dlt-simple-jmeter-5.6.2.xml",
        duration_s: 35,
        labels: 2,
        average_of_labels_us: Some(86_348),
        groups: &[
            Expected {
                label: "",
                users: 10,
                outcomes: (3_781, 0),
                average_us: Some(86_340),
                standard_deviation_us: Some(64_990),
                first_byte_us: 86_310,
                connect_us: 10,
                bytes: Some(2_408_497),
                codes: &[("200", 3_781)],
                percentiles_ms: [20, 72, 152, 152, 155, 158, 161],
            },
            Expected {
                label: "http://127.0.0.1:18080/slow/150",
                users: 10,
                outcomes: (1_890, 0),
                average_us: Some(151_340),
                standard_deviation_us: Some(1_210),
                first_byte_us: 151_310,
                connect_us: 0,
                bytes: Some(1_203_930),
                codes: &[("200", 1_890)],
                percentiles_ms: [150, 151, 152, 153, 156, 159, 161],
            },
        ],
    },
    // JMeter: all = 14 + 14 + 6 · 12 = 100 samples, the 12 of the transaction tx = c1 + c2 counted again: 150,400 bytes
    // are 135,112 and the 15,288 of tx. Failures 14 + 14 + 12 (dns) + 12 (an assertion, as code 200): 52.
    Report {
        file: "final-stats-jmeter-5.5-errors-transactions.xml",
        duration_s: 4,
        labels: 8,
        average_of_labels_us: Some(83_690),
        groups: &[
            Expected {
                label: "",
                users: 2,
                outcomes: (48, 52),
                average_us: Some(83_690),
                standard_deviation_us: Some(170_010),
                first_byte_us: 11_970,
                connect_us: 1_380,
                bytes: Some(150_400),
                codes: &[
                    ("HttpHostConnectException", 14),
                    ("SocketTimeoutException", 14),
                    ("UnknownHostException", 12),
                    ("200", 60),
                ],
                percentiles_ms: [0, 21, 502, 503, 505, 509, 509],
            },
            Expected {
                label: "refused",
                users: 2,
                outcomes: (0, 14),
                average_us: Some(5_070),
                standard_deviation_us: Some(9_810),
                first_byte_us: 0,
                connect_us: 4_930,
                bytes: Some(36_162),
                codes: &[("HttpHostConnectException", 14)],
                percentiles_ms: [0, 1, 27, 31, 31, 31, 31],
            },
            Expected {
                label: "tmo",
                users: 2,
                outcomes: (0, 14),
                average_us: Some(503_290),
                standard_deviation_us: Some(2_020),
                first_byte_us: 0,
                connect_us: 1_430,
                bytes: Some(37_478),
                codes: &[("SocketTimeoutException", 14)],
                percentiles_ms: [501, 503, 505, 509, 509, 509, 509],
            },
            Expected {
                label: "dns",
                users: 2,
                outcomes: (0, 12),
                average_us: Some(920),
                standard_deviation_us: Some(1_110),
                first_byte_us: 0,
                connect_us: 920,
                bytes: Some(29_204),
                codes: &[("UnknownHostException", 12)],
                percentiles_ms: [0, 1, 2, 4, 4, 4, 4],
            },
            Expected {
                label: "tx",
                users: 2,
                outcomes: (12, 0),
                average_us: Some(48_330),
                standard_deviation_us: Some(4_070),
                first_byte_us: 47_420,
                connect_us: 1_580,
                bytes: Some(15_288),
                codes: &[("200", 12)],
                percentiles_ms: [44, 46, 54, 57, 57, 57, 57],
            },
        ],
    },
    // JMeter: 1,866 + 1,865 + 2 · 1,856 = 7,443 samples, of which 1,856 answered 500 and 1,856 answered 404.
    Report {
        file: "final-stats-jmeter-5.6.2.xml",
        duration_s: 35,
        labels: 4,
        average_of_labels_us: Some(43_825),
        groups: &[
            Expected {
                label: "",
                users: 10,
                outcomes: (3_731, 3_712),
                average_us: Some(43_830),
                standard_deviation_us: Some(62_920),
                first_byte_us: 43_810,
                connect_us: 20,
                bytes: Some(2_892_615),
                codes: &[("200", 3_731), ("500", 1_856), ("404", 1_856)],
                percentiles_ms: [0, 20, 151, 152, 156, 170, 181],
            },
            Expected {
                label: "GET slow20",
                users: 10,
                outcomes: (1_866, 0),
                average_us: Some(21_410),
                standard_deviation_us: Some(3_450),
                first_byte_us: 21_390,
                connect_us: 60,
                bytes: Some(1_188_642),
                codes: &[("200", 1_866)],
                percentiles_ms: [20, 21, 23, 25, 30, 36, 149],
            },
            Expected {
                label: "GET nf",
                users: 10,
                outcomes: (0, 1_856),
                average_us: Some(810),
                standard_deviation_us: Some(1_230),
                first_byte_us: 800,
                connect_us: 0,
                bytes: Some(244_992),
                codes: &[("404", 1_856)],
                percentiles_ms: [0, 1, 2, 3, 5, 18, 19],
            },
        ],
    },
    // k6: 4 · 1,582 = 6,328 samples; its bytes, 337,403,248.00000, would be 53 KB a response of some 600 bytes.
    Report {
        file: "final-stats-k6.xml",
        duration_s: 30,
        labels: 4,
        average_of_labels_us: Some(43_535),
        groups: &[
            Expected {
                label: "",
                users: 10,
                outcomes: (3_164, 3_164),
                average_us: Some(43_540),
                standard_deviation_us: Some(62_800),
                first_byte_us: 43_450,
                connect_us: 0,
                bytes: None,
                codes: &[("200", 3_164), ("500", 1_582), ("404", 1_582)],
                percentiles_ms: [0, 19, 151, 151, 155, 164, 165],
            },
            Expected {
                label: "GET slow20",
                users: 10,
                outcomes: (1_582, 0),
                average_us: Some(21_180),
                standard_deviation_us: Some(1_560),
                first_byte_us: 21_070,
                connect_us: 10,
                bytes: None,
                codes: &[("200", 1_582)],
                percentiles_ms: [19, 20, 22, 23, 27, 32, 33],
            },
        ],
    },
    // Locust: 4,003 + 1,279 successes, 639 + 682 failures, no time to the first byte.
    Report {
        file: "final-stats-locust.xml",
        duration_s: 35,
        labels: 4,
        average_of_labels_us: Some(48_541),
        groups: &[
            Expected {
                label: "",
                users: 10,
                outcomes: (5_282, 1_321),
                average_us: Some(48_540),
                standard_deviation_us: Some(54_930),
                first_byte_us: 0,
                connect_us: 0,
                bytes: Some(2_708_390),
                codes: &[("200", 5_282), ("404", 639), ("500", 682)],
                percentiles_ms: [1, 25, 155, 160, 173, 213, 268],
            },
            Expected {
                label: "GET fail",
                users: 10,
                outcomes: (0, 682),
                average_us: Some(5_810),
                standard_deviation_us: Some(6_200),
                first_byte_us: 0,
                connect_us: 0,
                bytes: Some(2_728),
                codes: &[("500", 682)],
                percentiles_ms: [1, 3, 13, 19, 32, 45, 45],
            },
        ],
    },
    // molotov: failed assertions have the class of the exception as their code. 4,374 + 2,951 = 7,325.
    Report {
        file: "final-stats-molotov.xml",
        duration_s: 22,
        labels: 2,
        average_of_labels_us: Some(13_511),
        groups: &[
            Expected {
                label: "",
                users: 5,
                outcomes: (4_374, 2_951),
                average_us: Some(13_510),
                standard_deviation_us: Some(10_240),
                first_byte_us: 0,
                connect_us: 0,
                bytes: Some(0),
                codes: &[("AssertionError", 2_951), ("200", 4_374)],
                percentiles_ms: [0, 21, 23, 24, 28, 35, 61],
            },
            Expected {
                label: "fail",
                users: 5,
                outcomes: (0, 2_951),
                average_us: Some(1_240),
                standard_deviation_us: Some(1_260),
                first_byte_us: 0,
                connect_us: 0,
                bytes: Some(0),
                codes: &[("AssertionError", 2_951)],
                percentiles_ms: [0, 1, 2, 4, 6, 10, 15],
            },
        ],
    },
    // Locust and k6 in one test: 1,292 + 4 · 70 = 1,572 samples of 5 + 2 users; the bytes of Locust alone are right.
    Report {
        file: "final-stats-multi-executor-locust-k6.xml",
        duration_s: 7,
        labels: 5,
        average_of_labels_us: Some(26_629),
        groups: &[
            Expected {
                label: "",
                users: 7,
                outcomes: (1_432, 140),
                average_us: Some(26_630),
                standard_deviation_us: Some(28_000),
                first_byte_us: 7_690,
                connect_us: 0,
                bytes: None,
                codes: &[("200", 1_432), ("500", 70), ("404", 70)],
                percentiles_ms: [0, 22, 24, 35, 151, 153, 153],
            },
            Expected {
                label: "/slow/20",
                users: 5,
                outcomes: (1_292, 0),
                average_us: Some(23_030),
                standard_deviation_us: Some(5_580),
                first_byte_us: 0,
                connect_us: 0,
                bytes: Some(661_504),
                codes: &[("200", 1_292)],
                percentiles_ms: [20, 22, 24, 25, 29, 123, 125],
            },
            Expected {
                label: "GET nf",
                users: 2,
                outcomes: (0, 70),
                average_us: Some(500),
                standard_deviation_us: Some(690),
                first_byte_us: 440,
                connect_us: 0,
                bytes: None,
                codes: &[("404", 70)],
                percentiles_ms: [0, 0, 0, 2, 3, 3, 3],
            },
        ],
    },
    // siege: 404 and 500 are successes, times are in steps of 10 ms. 1,031 + 1,030 + 1,024 + 1,023 = 4,108.
    Report {
        file: "final-stats-siege.xml",
        duration_s: 18,
        labels: 4,
        average_of_labels_us: Some(45_223),
        groups: &[
            Expected {
                label: "",
                users: 10,
                outcomes: (4_108, 0),
                average_us: Some(45_220),
                standard_deviation_us: Some(62_870),
                first_byte_us: 0,
                connect_us: 0,
                bytes: Some(1_061_374),
                codes: &[("200", 2_061), ("500", 1_024), ("404", 1_023)],
                percentiles_ms: [0, 20, 150, 160, 160, 170, 180],
            },
            Expected {
                label: "http://127.0.0.1:18080/fail",
                users: 10,
                outcomes: (1_024, 0),
                average_us: Some(1_910),
                standard_deviation_us: Some(3_930),
                first_byte_us: 0,
                connect_us: 0,
                bytes: Some(4_096),
                codes: &[("500", 1_024)],
                percentiles_ms: [0, 0, 10, 10, 10, 10, 10],
            },
        ],
    },
    // tsung: one label, so both groups are the same.
    Report {
        file: "final-stats-tsung.xml",
        duration_s: 14,
        labels: 1,
        average_of_labels_us: Some(22_100),
        groups: &[Expected {
            label: "",
            users: 3,
            outcomes: (72, 0),
            average_us: Some(22_100),
            standard_deviation_us: Some(3_520),
            first_byte_us: 0,
            connect_us: 0,
            bytes: Some(45_864),
            codes: &[("200", 72)],
            percentiles_ms: [20, 21, 22, 24, 49, 49, 49],
        }],
    },
];

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
        workers.iter().for_each(|samples| together.add(&as_taurus_reports(samples)));
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
