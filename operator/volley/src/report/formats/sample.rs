//! A report for tests of the formats.

use std::collections::BTreeMap;

use crate::report::model::{ErrorGroup, Figures, Interval, Label, Rate, Report, Source, SourceKind, VERSION};

/// 1,200 requests of 30 s, all to one label.
pub(super) fn figures() -> Figures {
    Figures {
        requests: 1200,
        errors: 3,
        interrupted: 1,
        request_rate: Some(Rate(40_000)),
        bytes: Some(90_000),
        average: Some(21_240),
        min: Some(850),
        max: Some(1_234_567),
        p50: Some(20_000),
        p90: Some(30_499),
        p95: Some(30_500),
        p99: Some(52_000),
        p999: Some(600_000),
        standard_deviation: Some(5_432),
        connect: Some(60),
        first_byte: Some(21_000),
        codes: BTreeMap::from([("200".into(), 1197), ("=1+1".into(), 2), ("none".into(), 1)]),
    }
}

/// A label with those figures.
pub(super) fn label(name: &str) -> Label {
    Label { label: name.into(), transaction: false, lower_bound: false, figures: figures() }
}

/// A report of one sample file.
pub(super) fn report() -> Report {
    Report {
        version: VERSION,
        title: "kpi.jtl".into(),
        sources: vec![Source {
            file: "kpi.jtl".into(),
            kind: SourceKind::Samples,
            engine: Some("jmeter".into()),
            samples: Some(1201),
        }],
        run: None,
        thresholds: Vec::new(),
        verdict: None,
        interval: Some(Interval {
            from: "2026-11-25T10:00:00.5Z".parse().unwrap(),
            to: "2026-11-25T10:00:30.5Z".parse().unwrap(),
        }),
        peak_users: Some(5),
        totals: figures(),
        labels: vec![label("home")],
        files: Vec::new(),
        errors: vec![ErrorGroup {
            label: Some("home".into()),
            code: "500".into(),
            message: "Internal Server Error".into(),
            count: 3,
        }],
        warnings: vec!["2 rows make no sense".into()],
    }
}
