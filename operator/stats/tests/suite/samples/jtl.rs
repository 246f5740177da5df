//! JMeter's, Locust's and Apiritif's files, and what the worker writes for other executors.

use proptest::prelude::*;
use volley_stats::{Engine, Sample, SampleKind};

use super::{FILES, JMETER_HEADER, describe, each_sample, parse};

#[test]
fn a_file_of_jmeter_with_errors_and_transactions_is_read() {
    let file = FILES[1].1;
    let count = each_sample(Engine::JMeter, file, |position, sample| match position {
        0 => assert_eq!(
            sample,
            Sample {
                kind: SampleKind::Request,
                label: "refused",
                start_us: 1_795_582_173_939_000,
                end_us: 1_795_582_173_970_000,
                elapsed_us: 31_000,
                first_byte_us: Some(0),
                connect_us: Some(31_000),
                bytes: Some(2583),
                code: "HttpHostConnectException",
                message: "Connect to 127.0.0.1:1 [/127.0.0.1] failed: Connection refused",
                success: false,
                active_users: Some(2),
            }
        ),
        9 => {
            assert_eq!((sample.kind, sample.label, sample.success), (SampleKind::Transaction, "tx", true));
            assert_eq!(sample.message, "Number of samples in transaction : 2, number of failing samples : 0");
            assert_eq!((sample.second(), sample.bytes), (1_795_582_174, Some(1274)));
        }
        _ => assert_eq!(sample.kind == SampleKind::Transaction, sample.label == "tx"),
    });
    assert_eq!(count, 13);
    assert_eq!(each_sample(Engine::JMeter, FILES[0].1, |_, _| {}), 7);
}

#[test]
fn a_file_of_locust_is_read_with_the_stamp_as_the_end() {
    let file = FILES[2].1;
    let count = each_sample(Engine::Locust, file, |position, sample| {
        if position == 6 {
            assert_eq!((sample.label, sample.code, sample.success), ("GET nf", "404", false));
            assert_eq!(sample.message, "Not Found for url: GET nf");
            assert_eq!((sample.start_us, sample.end_us), (1_795_578_096_871_000, 1_795_578_096_874_000));
            assert_eq!((sample.first_byte_us, sample.connect_us), (None, None), "Locust writes 0 but measures neither");
            assert_eq!((sample.bytes, sample.active_users), (Some(2), Some(2)));
        }
    });
    assert_eq!(count, 7);
}

#[test]
fn locust_tells_by_its_message_what_its_code_hides() {
    // Taurus' wrapper writes 200 for each success and 500 for each failure that has no HTTP status.
    let mut seen = Vec::new();
    each_sample(Engine::Locust, FILES[3].1, |_, sample| {
        let row = (sample.label.to_owned(), sample.code.to_owned(), sample.message.to_owned(), sample.success);
        if !seen.contains(&row) {
            seen.push(row);
        }
    });
    let expected = [
        ("/slow/20", "200", "OK", true),
        ("/nf", "404", "Not Found for url: /nf", false),
        ("/redirect", "200", "OK", true),
        ("not followed", "200", "OK", true),
        ("/refused", "500", "[Errno 111] Connection refused", false),
        ("rejected", "500", "the word \"total\" is missing, sorry", false),
    ];
    let owned = expected
        .map(|(label, code, message, success)| (label.to_owned(), code.to_owned(), message.to_owned(), success));
    assert_eq!(seen, owned);
}

#[test]
fn apiritif_calls_every_response_a_success_unless_the_script_asserts_something() {
    let mut seen = Vec::new();
    let count = each_sample(Engine::Apiritif, FILES[5].1, |position, sample| {
        seen.push((sample.label.to_owned(), sample.code.to_owned(), sample.success));
        if position == 0 {
            assert_eq!((sample.start_us, sample.end_us), (1_795_636_726_773_000, 1_795_636_726_819_000));
            assert_eq!(
                (sample.first_byte_us, sample.connect_us),
                (None, None),
                "Apiritif writes 0 but measures neither"
            );
            assert_eq!((sample.bytes, sample.active_users), (Some(556), Some(2)));
        }
        if sample.label == "test_nothing" {
            assert_eq!((sample.code, sample.message, sample.success), ("", "boom,", false), "the script itself failed");
        }
    });
    assert_eq!(count, 12);
    let base = "http://127.0.0.1:18473";
    assert_eq!(
        seen[..4],
        [
            (format!("{base}/slow/20"), "200".to_owned(), true),
            (format!("{base}/nf"), "404".to_owned(), true),
            (format!("{base}/fail"), "500".to_owned(), true),
            (format!("{base}/nf?asserted"), "404".to_owned(), false),
        ]
    );
    assert_eq!(seen[10], ("http://127.0.0.1:1/refused".to_owned(), "999".to_owned(), false));
}

#[test]
fn a_transaction_of_jmeter_is_not_counted_with_its_requests() {
    // Taurus adds both to its total: 13 samples of which 2 are transactions.
    let mut recorder = volley_stats::Recorder::new(volley_stats::Limits::default());
    each_sample(Engine::JMeter, FILES[1].1, |_, sample| recorder.record(0, &sample));
    let collection = recorder.into_collection();
    assert_eq!((collection.total().requests(), collection.overview.samples), (11, 13));
    assert_eq!(collection.transactions["tx"].requests(), 2);
}

#[test]
fn a_message_of_another_engine_makes_no_transaction() {
    let file = "timeStamp,elapsed,label,method,responseMessage,success\n\
                1000,5,a,GET,\"Number of samples in transaction : 2, number of failing samples : 0\",true\n";
    each_sample(Engine::Locust, file.as_bytes(), |_, sample| assert_eq!(sample.kind, SampleKind::Request));
}

#[test]
fn a_failed_assertion_says_what_was_asserted() {
    let header = "timeStamp,elapsed,label,responseCode,responseMessage,success,failureMessage\n";
    let no_response = "Non HTTP response code: java.net.SocketException";
    for (row, message) in [
        (
            "1000,5,a,200,OK,false,Test failed: text expected to contain /total/\n",
            "Test failed: text expected to contain /total/",
        ),
        ("1000,5,a,200,OK,false,\n", "OK"),
        ("1000,5,a,200,OK,true,ignored\n", "OK"),
        (
            "1000,5,a,500,Internal Server Error,false,Test failed: code expected to contain /200/\n",
            "Internal Server Error",
        ),
        (
            &format!("1000,5,a,{no_response},Non HTTP response message: Socket closed,false,Test failed\n"),
            "Socket closed",
        ),
    ] {
        let file = format!("{header}{row}");
        assert_eq!(each_sample(Engine::JMeter, file.as_bytes(), |_, sample| assert_eq!(sample.message, message)), 1);
    }
}

#[test]
fn samples_that_came_through_taurus_end_in_the_second_to_which_it_counts_them() {
    // What `volley_worker.sample_stream` wrote of siege 4.0.7: answers of 400 and above are failures.
    let file = FILES[7].1;
    let mut outcomes = Vec::new();
    let count = each_sample(Engine::Taurus, file, |position, sample| {
        outcomes.push((sample.code.to_owned(), sample.success));
        if position == 3 {
            assert_eq!((sample.label, sample.message), ("http://127.0.0.1:18999/nf", "Not Found"));
            assert_eq!((sample.start_us, sample.end_us), (1_795_636_069_970_000, 1_795_636_070_000_000));
            assert_eq!((sample.bytes, sample.active_users), (Some(2), Some(2)));
            assert_eq!((sample.first_byte_us, sample.connect_us), (None, None));
        }
    });
    assert_eq!(count, 9);
    let failed: Vec<_> = outcomes.iter().filter(|(_, success)| !success).map(|(code, _)| code.as_str()).collect();
    assert_eq!(failed, ["404", "500", "404"]);
}

#[test]
fn a_sample_belongs_to_the_second_of_its_end() {
    let file = format!("{JMETER_HEADER}1999,2,a,200,OK,t,true,1,1,1,1,h,0\n1000,999,a,200,OK,t,true,1,1,1,1,h,0\n");
    each_sample(Engine::JMeter, file.as_bytes(), |position, sample| assert_eq!(sample.second(), [2, 1][position]));
}

/// A row, as a judge reads it with `serde`.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Judged {
    time_stamp: i64,
    elapsed: u32,
    label: String,
    response_code: String,
    response_message: String,
    success: bool,
    bytes: Option<u32>,
    all_threads: Option<u32>,
    #[serde(rename = "Latency")]
    latency: Option<u32>,
    #[serde(rename = "Connect")]
    connect: Option<u32>,
}

impl Judged {
    fn describe(&self, engine: Engine) -> String {
        let (stamp_us, elapsed_us) = (self.time_stamp * 1000, i64::from(self.elapsed) * 1000);
        let start_us = if engine == Engine::Locust { stamp_us - elapsed_us } else { stamp_us };
        let measured = |time: Option<u32>| time.map(|time| u64::from(time) * 1000).filter(|_| engine == Engine::JMeter);
        describe(&Sample {
            kind: SampleKind::Request,
            label: if self.label.is_empty() { "[empty]" } else { &self.label },
            start_us,
            end_us: start_us + elapsed_us,
            elapsed_us: elapsed_us.unsigned_abs(),
            first_byte_us: measured(self.latency),
            connect_us: measured(self.connect),
            bytes: self.bytes.map(Into::into),
            code: &self.response_code,
            message: &self.response_message,
            success: self.success,
            active_users: self.all_threads,
        })
    }

    fn field(&self, column: &str) -> String {
        let optional = |value: Option<u32>| value.map_or_else(String::new, |value| value.to_string());
        match column {
            "timeStamp" => self.time_stamp.to_string(),
            "elapsed" => self.elapsed.to_string(),
            "label" => self.label.clone(),
            "responseCode" => self.response_code.clone(),
            "responseMessage" => self.response_message.clone(),
            "success" => self.success.to_string(),
            "bytes" => optional(self.bytes),
            "allThreads" => optional(self.all_threads),
            "Latency" => optional(self.latency),
            "Connect" => optional(self.connect),
            other => format!("{other}, not \"read\""),
        }
    }
}

fn row() -> impl Strategy<Value = Judged> {
    let text = || prop_oneof![2 => "[a-c]{1,8}", 1 => "[a-z,\"\n\r é\u{0}\u{1b}]{0,20}"];
    let number = || proptest::option::of(any::<u32>());
    // Time stamps go back and forth, as rows of parallel requests do.
    let times = (1_795_578_546_449_i64..1_795_578_549_449, prop_oneof![9 => 0_u32..5_000, 1 => any::<u32>()]);
    (times, text(), text(), text(), any::<bool>(), (number(), number(), number(), number())).prop_map(
        |((time_stamp, elapsed), label, response_code, response_message, success, numbers)| Judged {
            time_stamp,
            elapsed,
            label,
            response_code,
            response_message,
            success,
            bytes: numbers.0,
            all_threads: numbers.1,
            latency: numbers.2,
            connect: numbers.3,
        },
    )
}

/// Columns in any order: the four that must be there and some of the others.
fn columns() -> impl Strategy<Value = Vec<&'static str>> {
    let others =
        ["responseCode", "responseMessage", "threadName", "bytes", "grpThreads", "allThreads", "Latency", "Connect"];
    proptest::sample::subsequence(others.to_vec(), 0..=others.len())
        .prop_map(|others| [vec!["timeStamp", "elapsed", "label", "success"], others].concat())
        .prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn rows_come_back_as_the_judge_reads_them_whatever_the_pieces(
        rows in proptest::collection::vec(row(), 0..20),
        columns in columns(),
        engine in prop_oneof![Just(Engine::JMeter), Just(Engine::Locust), Just(Engine::Apiritif)],
        windows in any::<bool>(),
        always_quoted in any::<bool>(),
        cuts in proptest::collection::vec(any::<usize>(), 0..30),
    ) {
        let mut writer = csv::WriterBuilder::new()
            .terminator(if windows { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') })
            .quote_style(if always_quoted { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary })
            .from_writer(Vec::new());
        writer.write_record(&columns).unwrap();
        for row in &rows {
            writer.write_record(columns.iter().map(|column| row.field(column))).unwrap();
        }
        let file = writer.into_inner().unwrap();
        let judged: Vec<String> = csv::Reader::from_reader(&file[..])
            .deserialize::<Judged>()
            .map(|row| row.unwrap().describe(engine))
            .collect();
        prop_assert_eq!(judged.len(), rows.len());
        prop_assert_eq!(parse(engine, &file, &cuts), (Ok(()), judged, 0));
    }
}
