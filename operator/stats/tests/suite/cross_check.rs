//! The comparison of Taurus' reports with ours.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;
use volley_stats::final_stats::{self, Difference, Figure, FinalStats, cross_check};
use volley_stats::{Limits, Percentile, Recorder, SampleKind};

use crate::generators::{BEYOND_US, OwnedSample, record, samples};

/// Taurus' arithmetic on raw samples, in floating point as there; the report is written as text and read back.
pub(crate) fn as_taurus_reports(samples: &[OwnedSample]) -> FinalStats {
    let mut groups: BTreeMap<String, Vec<&OwnedSample>> = BTreeMap::new();
    for sample in samples {
        for label in [String::new(), sample.label.clone()] {
            groups.entry(label).or_default().push(sample);
        }
    }
    let mut xml = "<?xml version='1.0' encoding='UTF-8'?>\n<FinalStatus><TestDuration>1.0</TestDuration>".to_owned();
    for (label, samples) in groups {
        let count = samples.len();
        let failures = samples.iter().filter(|sample| !sample.success).count();
        let mean = |value: fn(&OwnedSample) -> u64| {
            samples.iter().map(|sample| value(sample) as f64 / 1e6).sum::<f64>() / count as f64
        };
        let label = label.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        write!(xml, r#"<Group label="{label}">"#).unwrap();
        for (name, value) in [
            ("throughput", count.to_string()),
            ("succ", (count - failures).to_string()),
            ("fail", failures.to_string()),
            ("bytes", samples.iter().filter_map(|sample| sample.bytes).sum::<u64>().to_string()),
            ("avg_rt", format!("{:.5}", mean(|sample| sample.elapsed_us))),
            ("avg_lt", format!("{:.5}", mean(|sample| sample.first_byte_us.unwrap_or(0)))),
            ("avg_ct", format!("{:.5}", mean(|sample| sample.first_byte_us.unwrap_or(0) / 3))),
        ] {
            write!(xml, r#"<{name} value="{value}"><value>{value}</value></{name}>"#).unwrap();
        }
        let mut codes: BTreeMap<&str, u64> = BTreeMap::new();
        for sample in &samples {
            *codes.entry(sample.code).or_default() += 1;
        }
        for (code, count) in codes {
            write!(xml, r#"<rc value="{count}" param="{code}"/>"#).unwrap();
        }
        let mut times: Vec<u64> = samples.iter().map(|sample| sample.elapsed_us / 1000).collect();
        times.sort_unstable();
        for percent in [0.0, 50.0, 90.0, 95.0, 99.0, 99.9, 100.0] {
            let reached = |rank: &usize| 100.0 * (*rank as f64) / count as f64 >= percent;
            let rank = (1..=count).find(reached).unwrap();
            // Values above 2,048 ms come from the lower edge of a bucket.
            let bits = u64::BITS - times[rank - 1].leading_zeros();
            let value = times[rank - 1] >> bits.saturating_sub(11) << bits.saturating_sub(11);
            write!(xml, r#"<perc value="{:.5}" param="{percent:?}"/>"#, value as f64 / 1000.0).unwrap();
        }
        xml.push_str("</Group>");
    }
    xml.push_str("</FinalStatus>");
    final_stats::read(xml.as_bytes()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_taurus_reports_of_the_same_samples_makes_no_difference(samples in samples(80)) {
        // Control characters break Taurus' report, so they cannot be in one; and it does not clamp.
        let comparable =
            |sample: &OwnedSample| !sample.label.contains(char::is_control) && sample.elapsed_us < BEYOND_US;
        let samples: Vec<_> = samples.into_iter().filter(comparable).collect();
        let report = as_taurus_reports(&samples);
        let differences = cross_check(&report, &record(&samples, Limits::default()));
        prop_assert_eq!(differences, []);
    }
}

fn three_samples() -> Vec<OwnedSample> {
    let sample = |elapsed_us, success, kind| OwnedSample {
        kind,
        label: "pay".into(),
        start_us: 0,
        elapsed_us,
        first_byte_us: Some(2_000),
        bytes: Some(10),
        code: "200",
        message: "OK",
        success,
        active_users: None,
    };
    vec![
        sample(5_000, true, SampleKind::Request),
        sample(6_000, false, SampleKind::Request),
        sample(11_000, false, SampleKind::Transaction),
    ]
}

#[test]
fn each_figure_that_differs_is_named_with_both_numbers() {
    let samples = three_samples();
    let ours = record(&samples, Limits::default());
    let good = as_taurus_reports(&samples);
    let changed = |change: fn(&mut final_stats::Group)| {
        let mut report = good.clone();
        change(report.labels.get_mut("pay").unwrap());
        cross_check(&report, &ours).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(changed(|_| {}), [""; 0]);
    assert_eq!(changed(|group| group.count += 1), ["label 'pay': samples: Taurus reports 4, the samples say 3"]);
    assert_eq!(
        changed(|group| group.failures = 0),
        ["label 'pay': failures (interrupted ones included): Taurus reports 0, the samples say 2"]
    );
    assert_eq!(changed(|group| group.bytes = Some(31)), ["label 'pay': bytes: Taurus reports 31, the samples say 30"]);
    assert_eq!(changed(|group| group.average_us = Some(7_340)), [""; 0], "10 µs are rounding");
    assert_eq!(
        changed(|group| group.average_us = Some(7_344)),
        ["label 'pay': average: Taurus reports 7344 µs, the samples say 7333 µs"]
    );
    assert_eq!(
        changed(|group| group.first_byte_us = Some(2_020)),
        ["label 'pay': average time to the first byte: Taurus reports 2020 µs, the samples say 2000 µs"]
    );
    assert_eq!(
        changed(|group| *group.percentiles.get_mut(&Percentile::P99_9).unwrap() = 13_000),
        ["label 'pay': p99.9: Taurus reports 13000 µs, the samples say 11000 µs"]
    );
}

#[test]
fn a_label_that_one_side_lacks_is_a_difference() {
    let samples = three_samples();
    let mut report = as_taurus_reports(&samples);
    let group = report.labels.remove("pay").unwrap();
    report.labels.insert("other".into(), group);
    let differences = cross_check(&report, &record(&samples, Limits::default()));
    let label =
        |name: &str, taurus, samples| Difference { label: Some(name.into()), figure: Figure::Label, taurus, samples };
    assert_eq!(differences, [label("pay", 0, 1), label("other", 1, 0)]);
}

#[test]
fn bytes_are_left_out_where_taurus_counts_them_wrongly() {
    let samples = three_samples();
    let mut report = as_taurus_reports(&samples);
    report.total.as_mut().unwrap().bytes = None;
    assert_eq!(cross_check(&report, &record(&samples, Limits::default())), []);
}

#[test]
fn a_label_whose_group_was_left_out_makes_no_difference() {
    let samples = three_samples();
    let xml = br#"<FinalStatus><Group label="pay"><succ value="?"/></Group></FinalStatus>"#;
    let report = final_stats::read(xml).unwrap();
    assert_eq!(report.oddities.groups_left_out(), 1);
    assert_eq!(cross_check(&report, &record(&samples, Limits::default())), []);
}

#[test]
fn above_the_labels_that_taurus_keeps_apart_only_totals_are_compared() {
    let mut samples = Vec::new();
    for number in 0..501 {
        samples.push(OwnedSample { label: format!("label {number}"), ..three_samples()[0].clone() });
    }
    let mut report = as_taurus_reports(&samples);
    report.labels.clear();
    let ours = record(&samples, Limits::default());
    assert_eq!(cross_check(&report, &ours), []);
    report.total.as_mut().unwrap().count -= 1;
    assert_eq!(cross_check(&report, &ours).len(), 1);
    samples.pop();
    assert_eq!(cross_check(&report, &record(&samples, Limits::default())).len(), 501);
}

#[test]
fn interrupted_samples_are_taurus_failures() {
    let mut recorder = Recorder::new(Limits::default());
    recorder.stop_at(0);
    let samples: Vec<OwnedSample> = three_samples()
        .into_iter()
        .take(2)
        .map(|sample| OwnedSample { code: "SocketException", message: "Socket closed", ..sample })
        .collect();
    for sample in &samples {
        recorder.record(0, &sample.borrow());
    }
    let ours = recorder.into_collection();
    assert_eq!((ours.total().requests(), ours.total().interrupted.count()), (1, 1));
    assert_eq!(cross_check(&as_taurus_reports(&samples), &ours), []);
}
