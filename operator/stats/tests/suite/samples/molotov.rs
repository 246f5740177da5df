//! Molotov's report.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::json;
use volley_stats::samples::{MAXIMUM_ROW_BYTES, ParseError};
use volley_stats::{Engine, Sample, SampleKind};

use super::{FILES, describe, each_sample, parse};

#[test]
fn a_report_of_molotov_is_read_without_counting_requests_twice() {
    // 5 rows of requests belong to the scenarios that contain them; a refused connection has none at all.
    let mut seen = Vec::new();
    let count = each_sample(Engine::Molotov, FILES[6].1, |position, sample| {
        seen.push((sample.label.to_owned(), sample.code.to_owned(), sample.active_users));
        if position == 0 {
            assert_eq!(
                sample,
                Sample {
                    kind: SampleKind::Request,
                    label: "fail",
                    start_us: 1_795_636_730_669_385,
                    end_us: 1_795_636_730_681_385,
                    elapsed_us: 12_000,
                    first_byte_us: None,
                    connect_us: None,
                    bytes: None,
                    code: "AssertionError",
                    message: "bad \"status\" 500\nsecond ünï",
                    success: false,
                    active_users: Some(0),
                }
            );
        }
    });
    assert_eq!(count, 4);
    let expected = [
        ("fail", "AssertionError", Some(0)),
        ("browse", "", Some(0)),
        ("refused", "ClientConnectorError", Some(0)),
        ("browse", "", Some(2)),
    ];
    assert_eq!(seen, expected.map(|(label, code, users)| (label.to_owned(), code.to_owned(), users)));
}

#[test]
fn rows_that_make_no_sense_are_counted_and_skipped() {
    let good = "{\"ts\": 1.5, \"type\": \"scenario_success\", \"name\": \"a\", \"duration\": 0.25}\n";
    let long = format!("{{\"ts\": 1.5, \"type\": \"{}\"}}\n", "x".repeat(MAXIMUM_ROW_BYTES));
    for bad in [
        "{\"ts\": 1.5, \"type\": \"scenario_success\", \"name\": \"a\"}\n",
        "{\"ts\": -1.5, \"type\": \"scenario_success\", \"name\": \"a\", \"duration\": 0.25}\n",
        "{\"ts\": 1e300, \"type\": \"scenario_success\", \"name\": \"a\", \"duration\": 0.25}\n",
        "{\"ts\": 1.5, \"type\": \"scenario_success\", \"name\": \"a\", \"duration\": NaN}\n",
        "{\"ts\": 1.5, \"type\": \"scenario_success\", \"name\": 7, \"duration\": 0.25}\n",
        "{\"ts\": 1.5, \"type\": \"workers\"}\n",
        "{\"ts\": 1.5, \"type\": \"workers\", \"value\": -1}\n",
        "{\"ts\": 1.5}\n",
        "{\"ts\": 1.5, \"type\": \"scenario_success\", \"na\n",
        "nonsense\n",
        &long,
    ] {
        let file = format!("{good}{bad}{good}");
        for cuts in [vec![], vec![good.len() + 20, 50_000]] {
            let (outcome, samples, malformed) = parse(Engine::Molotov, file.as_bytes(), &cuts);
            assert_eq!((outcome, samples.len(), malformed), (Ok(()), 2, 1), "{bad}");
        }
    }
    let cut = format!("{good}{}", good.trim_end());
    assert_eq!(parse(Engine::Molotov, cut.as_bytes(), &[]).2, 1, "its end may be missing");
    let file = format!("\r\n\n{good}\n  \n{}", good.replace('\n', "\r\n"));
    assert_eq!(parse(Engine::Molotov, file.as_bytes(), &[]).2, 0);
}

#[test]
fn a_first_row_that_is_no_report_ends_the_file_with_its_reason() {
    let error = parse(Engine::Molotov, b"timeStamp,elapsed\n1,2\n", &[]).0.unwrap_err();
    assert_eq!(
        error.to_string(),
        "sample file of molotov does not begin with a JSON object that has 'ts' and 'type'; its first row is \
         'timeStamp,elapsed'"
    );
    let long = vec![b' '; MAXIMUM_ROW_BYTES + 1];
    let outcome = parse(Engine::Molotov, &long, &[]).0;
    assert_eq!(outcome, Err(ParseError::HeaderTooLong { engine: Engine::Molotov }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn scenarios_come_back_whatever_their_texts_and_the_pieces(
        rows in proptest::collection::vec(
            (0_u64..1 << 42, 0_u64..90_000, "\\PC{0,20}", "[a-z\"\\\\\n\u{0}é]{0,20}", any::<bool>(), proptest::option::of(any::<u16>())),
            0..20,
        ),
        cuts in proptest::collection::vec(any::<usize>(), 0..30),
    ) {
        let mut file = String::new();
        let mut expected = Vec::new();
        let mut users = None;
        for (start_us, milliseconds, name, message, success, workers) in &rows {
            if let Some(workers) = workers {
                writeln!(file, "{}", json!({"ts": 1.0, "type": "workers", "value": workers})).unwrap();
                users = Some(u32::from(*workers));
            }
            writeln!(file, "{}", json!({"ts": 1.0, "type": "request", "label": name, "elapsed": 1.0})).unwrap();
            // Decimal texts, as Python writes them.
            let (ts, duration) = (decimal(*start_us, 6), decimal(*milliseconds, 3));
            let texts = if *success {
                json!({"type": "scenario_success", "name": name})
            } else {
                json!({"type": "scenario_failure", "name": name, "exception": "ValueError", "errorMessage": message})
            };
            writeln!(file, "{{\"ts\": {ts}, \"duration\": {duration}, {}", &texts.to_string()[1..]).unwrap();
            let elapsed_us = milliseconds * 1000;
            let start_us = i64::try_from(*start_us).unwrap();
            expected.push(describe(&Sample {
                kind: SampleKind::Request,
                label: if name.is_empty() { "[empty]" } else { name },
                start_us,
                end_us: start_us + i64::try_from(elapsed_us).unwrap(),
                elapsed_us,
                first_byte_us: None,
                connect_us: None,
                bytes: None,
                code: if *success { "" } else { "ValueError" },
                message: if *success { "" } else { message },
                success: *success,
                active_users: users,
            }));
        }
        prop_assert_eq!(parse(Engine::Molotov, file.as_bytes(), &cuts), (Ok(()), expected, 0));
    }
}

/// A number with that many digits behind its point.
fn decimal(number: u64, digits: u32) -> String {
    let unit = 10_u64.pow(digits);
    format!("{}.{:0width$}", number / unit, number % unit, width = digits as usize)
}
