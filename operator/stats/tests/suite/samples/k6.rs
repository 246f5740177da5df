//! k6's CSV.

use std::fmt::Write as _;

use proptest::prelude::*;
use volley_stats::{Engine, Parser, Sample, SampleKind};

use super::{FILES, describe, each_sample, parse};

const HEADER: &str = "metric_name,timestamp,metric_value,check,error,error_code,expected_response,group,method,name,proto,\
                      scenario,service,status,subproto,tls_version,url,extra_tags,metadata\n";

fn file() -> &'static [u8] {
    FILES.iter().find(|(engine, _)| *engine == Engine::K6).unwrap().1
}

/// The rows of a request that we need, with a label, a status and a duration in milliseconds.
fn request(label: &str, status: &str, duration: &str) -> String {
    let tags = format!(",,,true,,GET,{label},HTTP/1.1,default,,{status},,,{label},,");
    ["http_reqs", "http_req_duration", "http_req_connecting", "http_req_tls_handshaking", "http_req_waiting"]
        .iter()
        .zip(["1.000000", duration, "0.000000", "0.000000", duration])
        .fold(String::new(), |mut rows, (metric, value)| {
            writeln!(rows, "{metric},1795637536,{value},{tags}").unwrap();
            rows
        })
}

#[test]
fn a_file_of_k6_is_read() {
    let mut codes = Vec::new();
    let count = each_sample(Engine::K6, file(), |position, sample| {
        codes.push((sample.label.to_owned(), sample.code.to_owned(), sample.message.to_owned(), sample.success));
        if position == 0 {
            assert_eq!(
                sample,
                Sample {
                    kind: SampleKind::Request,
                    label: "GET slow20",
                    start_us: 1_795_637_536_000_000 - 21_439,
                    end_us: 1_795_637_536_000_000,
                    elapsed_us: 21_439,
                    first_byte_us: Some(21_218),
                    connect_us: Some(118),
                    bytes: None,
                    code: "200",
                    message: "",
                    success: true,
                    active_users: None,
                }
            );
        }
    });
    assert_eq!(count, 26, "11 requests and 2 calls in each of 2 iterations");
    let base = "http://127.0.0.1:18473";
    let expected = [
        ("GET slow20".to_owned(), "200", "", true),
        (format!("{base}/nf"), "404", "", false),
        ("GET \"fail\",\nsecond line".to_owned(), "500", "", false),
        (format!("{base}/redirect"), "302", "", true),
        (format!("{base}/ok"), "200", "", true),
        ("expected 404".to_owned(), "404", "", true),
        ("no judgement".to_owned(), "404", "", false),
        ("http://127.0.0.1:1/refused".to_owned(), "1212", "dial: connection refused", false),
        (format!("{base}/close"), "1000", "EOF", false),
        ("http://nosuch.invalid/".to_owned(), "1101", "lookup: no such host", false),
        ("timeout".to_owned(), "1050", "request timeout", false),
        ("/t.S/Ok".to_owned(), "0", "", true),
        ("/t.S/Bad".to_owned(), "5", "", false),
    ]
    .map(|(label, code, message, success)| (label, code.to_owned(), message.to_owned(), success));
    assert_eq!(codes[..13], expected);
    assert_eq!(codes[13..], expected);
}

#[test]
fn rows_of_a_request_belong_together_wherever_the_file_is_cut() {
    // Taurus pairs the rows by their position in what it has read, and so mixes up requests at each cut.
    let file = &file()[..12_000];
    let whole = parse(Engine::K6, file, &[]);
    for cut in 0..file.len() {
        assert_eq!(parse(Engine::K6, file, &[cut]), whole, "{cut}");
    }
}

#[test]
fn bytes_of_k6_are_none_rather_than_a_share_of_the_second() {
    // Taurus gives each request of a second all bytes of that second: these two would have 2,000,000 together.
    let received = "data_received,1795637536,1000000.000000,,,,,,,,,default,,,,,,,\n";
    let file = format!("{HEADER}{}{}{received}", request("a", "200", "1.000000"), request("b", "200", "1.000000"));
    assert_eq!(each_sample(Engine::K6, file.as_bytes(), |_, sample| assert_eq!(sample.bytes, None)), 2);
}

#[test]
fn users_are_those_of_the_newest_row_of_vus() {
    let users =
        |users: &str| format!("vus,1795637536,{users},,,,,,,,,,,,,,,,\nvus_max,1795637536,99,,,,,,,,,,,,,,,,\n");
    let one = request("a", "200", "1.0");
    let file = format!("{HEADER}{one}{}{one}{}{}{one}", users("10.000000"), users("5"), users("7.000000"));
    let expected = [None, Some(10), Some(7)];
    each_sample(Engine::K6, file.as_bytes(), |position, sample| {
        assert_eq!(sample.active_users, expected[position]);
    });
}

#[test]
fn the_size_of_a_stamp_tells_its_unit() {
    let row = request("a", "200", "1.500000");
    for (stamp, end_us) in [
        ("1795637536", 1_795_637_536_000_000),
        ("1795637536123", 1_795_637_536_123_000),
        ("1795637536123456", 1_795_637_536_123_456),
        ("1795637536123456789", 1_795_637_536_123_456),
    ] {
        let file = format!("{HEADER}{}", row.replace("1795637536", stamp));
        let count = each_sample(Engine::K6, file.as_bytes(), |_, sample| {
            assert_eq!((sample.start_us, sample.end_us), (end_us - 1500, end_us), "{stamp}");
        });
        assert_eq!(count, 1);
    }
    // K6_CSV_TIME_FORMAT=rfc3339 is none that we read.
    let file = format!("{HEADER}{}", row.replace("1795637536", "2026-11-25T20:12:16Z"));
    assert_eq!(parse(Engine::K6, file.as_bytes(), &[]), (Ok(()), vec![], 2), "its first row and its duration");
}

#[test]
fn a_request_of_which_rows_are_missing_is_malformed_unless_its_duration_is_there() {
    let whole = request("a", "200", "1.0");
    let rows: Vec<&str> = whole.lines().collect();
    let join = |rows: &[&str]| rows.iter().fold(String::new(), |text, row| text + row + "\n");
    for (what, begin, samples, malformed) in [
        ("no more than its first row", join(&rows[..1]), 1, 1),
        ("no duration", join(&[rows[0], rows[2], rows[3], rows[4]]), 1, 1),
        ("no first row", join(&rows[1..]), 1, 1),
        ("no first row and no duration", join(&rows[2..]), 1, 0),
        ("a first row with a column more", join(&[&format!("{},", rows[0])]) + &join(&rows[1..]), 1, 2),
        ("a first row without a judgement", join(&rows).replacen("true", "perhaps", 1), 1, 2),
        ("a duration that is none", join(&rows).replace(",1.0,", ",NaN,"), 1, 1),
        ("no waiting", join(&rows[..4]), 2, 0),
    ] {
        let file = format!("{HEADER}{begin}{whole}");
        let parsed = parse(Engine::K6, file.as_bytes(), &[]);
        assert_eq!((parsed.1.len(), parsed.2), (samples, malformed), "{what}");
    }
    let file = format!("{HEADER}{}", join(&rows[..4]));
    assert_eq!(parse(Engine::K6, file.as_bytes(), &[]), (Ok(()), vec![], 1), "its end may be missing");
}

#[test]
fn system_tags_that_are_turned_off_are_done_without() {
    let file = "metric_name,timestamp,metric_value,error_code,url,extra_tags\n\
                http_reqs,1795637536,1,,http://a/,\nhttp_req_duration,1795637536,2.5,,http://a/,\n\
                http_reqs,1795637536,1,1500,http://b/,\nhttp_req_duration,1795637536,3.5,1500,http://b/,\n\
                http_reqs,1795637536,1,,http://c/,\n";
    let mut parser = Parser::new(Engine::K6);
    let mut seen = Vec::new();
    let sink = &mut |sample: Sample<'_>| seen.push((sample.label.to_owned(), sample.success, sample.elapsed_us));
    parser.push(file.as_bytes(), sink).unwrap();
    assert_eq!(seen, [("http://a/".to_owned(), true, 2_500), ("http://b/".to_owned(), false, 3_500)]);
    for (header, missing) in [
        ("metric_name,timestamp,name,status\n", "metric_value"),
        ("metric_name,timestamp,metric_value,status\n", "name"),
        ("metric_name,timestamp,metric_value,name,group\n", "expected_response"),
    ] {
        let error = parse(Engine::K6, header.as_bytes(), &[]).0.unwrap_err().to_string();
        assert!(error.contains(&format!("no column {missing};")), "{error}");
    }
}

#[test]
fn what_is_no_request_is_skipped() {
    let mut file = HEADER.to_owned();
    for metric in
        ["checks", "group_duration", "iterations", "iteration_duration", "ws_sessions", "http_reqs_of_mine", "x"]
    {
        writeln!(file, "{metric},1795637536,0.000000,\"a \"\"check\"\",\nof two lines\",,,,,,,,default,,,,,,,")
            .unwrap();
    }
    assert_eq!(parse(Engine::K6, file.as_bytes(), &[]), (Ok(()), vec![], 0));
}

/// A request as k6 measures it, in nanoseconds.
#[derive(Debug, Clone)]
struct Measured {
    second: u32,
    label: String,
    group: String,
    status: u16,
    error: String,
    judgement: &'static str,
    duration_ns: u64,
    waiting_ns: u64,
    connecting_ns: u64,
    handshaking_ns: u64,
    others: Vec<(&'static str, String)>,
}

fn measured() -> impl Strategy<Value = Measured> {
    let text = || prop_oneof![3 => "[a-c]{1,2}", 1 => "[a-z,\"\n\r é\u{0}\u{7}]{0,12}"];
    let time = || prop_oneof![2 => 0_u64..3_000_000_000, 1 => Just(0)];
    let other =
        (proptest::sample::select(vec!["vus", "vus_max", "data_received", "checks", "iterations", "my_trend"]), text());
    (
        (any::<u32>(), text(), text(), prop_oneof![Just(200_u16), Just(404), Just(500), Just(0)]),
        (text(), proptest::sample::select(vec!["true", "false", ""])),
        (time(), time(), time(), time()),
        proptest::collection::vec(other, 0..3),
    )
        .prop_map(|((second, label, group, status), (error, judgement), times, others)| Measured {
            second,
            label,
            group,
            status,
            error,
            judgement,
            duration_ns: times.0,
            waiting_ns: times.1,
            connecting_ns: times.2,
            handshaking_ns: times.3,
            others,
        })
}

/// Writes what k6 would, with columns in some order.
fn write(requests: &[Measured], columns: &[&str]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(columns).unwrap();
    for (position, request) in requests.iter().enumerate() {
        let status = request.status.to_string();
        let code = if request.status == 200 { String::new() } else { (1000 + request.status).to_string() };
        let second = request.second.to_string();
        let mut row = |metric: &str, value: &str, check: &str| {
            let row: Vec<&str> = columns
                .iter()
                .map(|column| match *column {
                    "metric_name" => metric,
                    "timestamp" => &second,
                    "metric_value" => value,
                    "check" => check,
                    _ if !metric.starts_with("http_") => "",
                    "error" => &request.error,
                    "error_code" => &code,
                    "expected_response" => request.judgement,
                    "group" => &request.group,
                    "name" | "url" => &request.label,
                    "status" => &status,
                    _ => "",
                })
                .collect();
            writer.write_record(row).unwrap();
        };
        let milliseconds = |ns: u64| format!("{}.{:06}", ns / 1_000_000, ns % 1_000_000);
        row("http_reqs", "1.000000", "");
        row("http_req_duration", &milliseconds(request.duration_ns), "");
        row("http_req_blocked", "0.1", "");
        row("http_req_connecting", &milliseconds(request.connecting_ns), "");
        row("http_req_tls_handshaking", &milliseconds(request.handshaking_ns), "");
        row("http_req_sending", "0.1", "");
        row("http_req_waiting", &milliseconds(request.waiting_ns), "");
        row("http_req_receiving", "0.1", "");
        if !request.judgement.is_empty() {
            row("http_req_failed", "0.000000", "");
        }
        for (metric, check) in &request.others {
            row(metric, &format!("{position}.000000"), check);
        }
    }
    writer.into_inner().unwrap()
}

/// A row as the judge reads it.
#[derive(serde::Deserialize)]
struct JudgedRow {
    metric_name: String,
    timestamp: i64,
    metric_value: f64,
    error: String,
    error_code: String,
    expected_response: String,
    name: String,
    status: String,
}

/// Reads a whole file with `csv` and `serde`, in floating point, request by request.
fn judge(file: &[u8]) -> Vec<String> {
    let rows: Vec<JudgedRow> = csv::Reader::from_reader(file).deserialize().map(Result::unwrap).collect();
    let mut users = None;
    let mut samples = Vec::new();
    for (position, row) in rows.iter().enumerate() {
        match row.metric_name.as_str() {
            "vus" => users = Some(row.metric_value),
            "http_reqs" => {
                let value = |metric: &str| {
                    let found = rows[position..].iter().find(|row| row.metric_name == metric).unwrap();
                    // k6 writes nanoseconds as milliseconds with six digits: exact in f64 as integers.
                    let nanoseconds = (found.metric_value * 1e6).round();
                    (nanoseconds / 1e3 + 0.5).floor()
                };
                let whole = |value: f64| format!("{value:.0}").parse::<u64>().unwrap();
                let elapsed_us = whole(value("http_req_duration"));
                let success = match row.expected_response.as_str() {
                    "" => row.error.is_empty() && row.error_code.is_empty(),
                    judgement => judgement == "true",
                };
                samples.push(describe(&Sample {
                    kind: SampleKind::Request,
                    label: if row.name.is_empty() { "[empty]" } else { &row.name },
                    start_us: row.timestamp * 1_000_000 - i64::try_from(elapsed_us).unwrap(),
                    end_us: row.timestamp * 1_000_000,
                    elapsed_us,
                    first_byte_us: Some(whole(value("http_req_waiting"))),
                    connect_us: Some(whole(value("http_req_connecting")) + whole(value("http_req_tls_handshaking"))),
                    bytes: None,
                    code: if row.status == "0" { &row.error_code } else { &row.status },
                    message: &row.error,
                    success,
                    active_users: users.map(|users| u32::try_from(whole(users)).unwrap()),
                }));
            }
            _ => {}
        }
    }
    samples
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn requests_come_back_as_the_judge_reads_them_whatever_the_pieces(
        requests in proptest::collection::vec(measured(), 0..12),
        columns in Just(HEADER.trim().split(',').collect::<Vec<_>>()).prop_shuffle(),
        usual_order in any::<bool>(),
        cuts in proptest::collection::vec(any::<usize>(), 0..20),
    ) {
        let columns = if usual_order { HEADER.trim().split(',').collect() } else { columns };
        let file = write(&requests, &columns);
        prop_assert_eq!(parse(Engine::K6, &file, &cuts), (Ok(()), judge(&file), 0));
    }
}
