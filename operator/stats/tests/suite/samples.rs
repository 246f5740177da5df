//! The parsers: rows as engines wrote them, random rows, random bytes, random pieces.

use std::fmt::Write as _;

use proptest::prelude::*;
use volley_stats::samples::{self, MAXIMUM_ROW_BYTES, ParseError};
use volley_stats::{Engine, Parser, Sample, SampleKind};

const JMETER_HEADER: &str = "timeStamp,elapsed,label,responseCode,responseMessage,threadName,success,bytes,grpThreads,\
                             allThreads,Latency,Hostname,Connect\n";

/// Everything of a sample in one text, so that samples outlive the parser.
fn describe(sample: &Sample<'_>) -> String {
    format!("{sample:?}")
}

/// Parses bytes in the pieces that `cuts` make of them.
fn parse(engine: Engine, bytes: &[u8], cuts: &[usize]) -> (Result<(), ParseError>, Vec<String>, u64) {
    let mut parser = Parser::new(engine);
    let mut samples = Vec::new();
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    let mut outcome = Ok(());
    for piece in cuts.windows(2) {
        outcome = parser.push(&bytes[piece[0]..piece[1]], &mut |sample| samples.push(describe(&sample)));
    }
    parser.finish();
    assert_eq!(parser.samples(), samples.len() as u64);
    (outcome, samples, parser.malformed())
}

/// Calls `check` with the samples of a file, and fails if any row is malformed.
fn each_sample(engine: Engine, bytes: &[u8], mut check: impl FnMut(usize, Sample<'_>)) -> u64 {
    let mut parser = Parser::new(engine);
    let mut position = 0;
    let sink = &mut |sample: Sample<'_>| {
        check(position, sample);
        position += 1;
    };
    parser.push(bytes, sink).unwrap();
    parser.finish();
    assert_eq!(parser.malformed(), 0);
    parser.samples()
}

#[test]
fn a_file_of_jmeter_with_errors_and_transactions_is_read() {
    let file = include_bytes!("../samples/jmeter-kpi-errors-transactions.jtl");
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
                bytes: 2583,
                code: "HttpHostConnectException",
                message: "Connect to 127.0.0.1:1 [/127.0.0.1] failed: Connection refused",
                success: false,
                active_users: Some(2),
            }
        ),
        9 => {
            assert_eq!((sample.kind, sample.label, sample.success), (SampleKind::Transaction, "tx", true));
            assert_eq!(sample.message, "Number of samples in transaction : 2, number of failing samples : 0");
            assert_eq!((sample.second(), sample.bytes), (1_795_582_174, 1274));
        }
        _ => assert_eq!(sample.kind == SampleKind::Transaction, sample.label == "tx"),
    });
    assert_eq!(count, 13);
    assert_eq!(each_sample(Engine::JMeter, include_bytes!("../samples/jmeter-kpi.jtl"), |_, _| {}), 7);
}

#[test]
fn a_file_of_locust_is_read_with_the_stamp_as_the_end() {
    let file = include_bytes!("../samples/locust-kpi.jtl");
    let count = each_sample(Engine::Locust, file, |position, sample| {
        if position == 6 {
            assert_eq!((sample.label, sample.code, sample.success), ("GET nf", "404", false));
            assert_eq!(sample.message, "Not Found for url: GET nf");
            assert_eq!((sample.start_us, sample.end_us), (1_795_578_096_871_000, 1_795_578_096_874_000));
            assert_eq!((sample.first_byte_us, sample.connect_us), (None, None), "Locust writes 0 but measures neither");
            assert_eq!((sample.bytes, sample.active_users), (2, Some(2)));
        }
    });
    assert_eq!(count, 7);
}

#[test]
fn a_sample_belongs_to_the_second_of_its_end() {
    let file = format!("{JMETER_HEADER}1999,2,a,200,OK,t,true,1,1,1,1,h,0\n1000,999,a,200,OK,t,true,1,1,1,1,h,0\n");
    each_sample(Engine::JMeter, file.as_bytes(), |position, sample| assert_eq!(sample.second(), [2, 1][position]));
}

#[test]
fn rows_that_make_no_sense_are_counted_and_skipped() {
    let good = "1000,5,a,200,OK,t,true,1,1,1,1,h,0\n";
    for bad in [
        "1000,5,a,200,OK,t,true,1,1,1,1,h\n",
        "1000,5,a,200,OK,t,true,1,1,1,1,h,0,0\n",
        "x,5,a,200,OK,t,true,1,1,1,1,h,0\n",
        ",5,a,200,OK,t,true,1,1,1,1,h,0\n",
        "1000,-5,a,200,OK,t,true,1,1,1,1,h,0\n",
        "1000,5,a,200,OK,t,maybe,1,1,1,1,h,0\n",
        "1000,5,a,200,OK,t,true,many,1,1,1,h,0\n",
        "1000,5,a,200,OK,t,true,1,1,1,fast,h,0\n",
        "9223372036854775807,5,a,200,OK,t,true,1,1,1,1,h,0\n",
        "9223372036854775,9999999999999999,a,200,OK,t,true,1,1,1,1,h,0\n",
        "99999999999999999999,5,a,200,OK,t,true,1,1,1,1,h,0\n",
        "nonsense\n",
    ] {
        let file = format!("{JMETER_HEADER}{good}{bad}{good}");
        let (outcome, samples, malformed) = parse(Engine::JMeter, file.as_bytes(), &[]);
        assert_eq!((outcome, samples.len(), malformed), (Ok(()), 2, 1), "{bad}");
    }
}

#[test]
fn a_row_above_the_limit_costs_nothing_but_itself() {
    let long = "x".repeat(MAXIMUM_ROW_BYTES);
    let good = "1000,5,a,200,OK,t,true,1,1,1,1,h,0\n";
    for long in [format!("1000,5,{long},200,OK,t,true,1,1,1,1,h,0\n"), format!("{}\n", "1,".repeat(100))] {
        let file = format!("{JMETER_HEADER}{good}{long}{good}");
        for cuts in [vec![], vec![200, 50_000, 65_700, 65_702]] {
            let (outcome, samples, malformed) = parse(Engine::JMeter, file.as_bytes(), &cuts);
            assert_eq!((outcome, samples.len(), malformed), (Ok(()), 2, 1));
        }
    }
    // The longest label that fits beside the other fields.
    let fits = "x".repeat(MAXIMUM_ROW_BYTES - 64);
    let file = format!("{JMETER_HEADER}1000,5,{fits},200,OK,t,true,1,1,1,1,h,0\n");
    assert_eq!(parse(Engine::JMeter, file.as_bytes(), &[]).2, 0);
}

#[test]
fn a_lost_quotation_mark_costs_a_bounded_number_of_rows() {
    let good = "1000,5,a,200,OK,t,true,1,1,1,1,h,0\n";
    let rows = 2 * MAXIMUM_ROW_BYTES / good.len();
    let file = format!("{JMETER_HEADER}1000,5,\"broken,200,OK\n{}", good.repeat(rows));
    let (outcome, samples, malformed) = parse(Engine::JMeter, file.as_bytes(), &[]);
    assert_eq!((outcome, malformed), (Ok(()), 1));
    assert!(samples.len() + MAXIMUM_ROW_BYTES / good.len() + 2 > rows, "{} of {rows}", samples.len());
}

#[test]
fn a_row_without_its_line_end_waits_for_the_rest() {
    let mut parser = Parser::new(Engine::JMeter);
    let mut samples = Vec::new();
    let file = format!("{JMETER_HEADER}1000,5,a,200,OK,t,true,1,1,1,1,h,12\n");
    let (start, end) = file.as_bytes().split_at(file.len() - 2);
    parser.push(start, &mut |sample| samples.push(sample.connect_us)).unwrap();
    assert!(parser.unfinished_bytes() > 0);
    parser.push(end, &mut |sample| samples.push(sample.connect_us)).unwrap();
    assert_eq!((samples, parser.unfinished_bytes()), (vec![Some(12_000)], 0));
    parser.finish();
    assert_eq!(parser.malformed(), 0);
}

#[test]
fn a_last_row_that_was_cut_off_is_malformed_not_a_sample() {
    let file = format!("{JMETER_HEADER}1000,5,a,200,OK,t,true,1,1,1,1,h,1");
    let (outcome, samples, malformed) = parse(Engine::JMeter, file.as_bytes(), &[]);
    assert_eq!((outcome, samples.len(), malformed), (Ok(()), 0, 1));
}

#[test]
fn line_ends_of_windows_leave_nothing_unfinished() {
    let file = format!("{JMETER_HEADER}1000,5,a,200,OK,t,true,1,1,1,1,h,1\n\n").replace('\n', "\r\n");
    for cut in 0..file.len() {
        let (outcome, samples, malformed) = parse(Engine::JMeter, file.as_bytes(), &[cut]);
        assert_eq!((outcome, samples.len(), malformed), (Ok(()), 1, 0), "{cut}");
    }
}

#[test]
fn a_header_may_come_again_with_other_columns() {
    let file =
        format!("{JMETER_HEADER}1000,5,a,200,OK,t,true,1,1,1,1,h,0\nlabel,success,timeStamp,elapsed\nb,false,7,2\n");
    let mut labels = Vec::new();
    each_sample(Engine::JMeter, file.as_bytes(), |_, sample| {
        labels.push((
            sample.label.to_owned(),
            sample.end_us,
            sample.success,
            sample.first_byte_us,
            sample.active_users,
        ));
    });
    let expected = [("a".to_owned(), 1_005_000, true, Some(1000), Some(1)), ("b".to_owned(), 9_000, false, None, None)];
    assert_eq!(labels, expected);
}

#[test]
fn a_first_row_that_is_no_header_ends_the_file_with_its_reason() {
    let mut parser = Parser::new(Engine::Locust);
    let error = parser.push(b"timeStamp,label,other\n1,2,3\n", &mut |_| panic!("no sample")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "sample file of locust has no column elapsed, success; its first row is 'timeStamp,label,other'"
    );
    assert_eq!(parser.push(b"4,5,6\n", &mut |_| panic!("no sample")), Err(error));
    let long = "x".repeat(MAXIMUM_ROW_BYTES + 1);
    let outcome = parse(Engine::JMeter, long.as_bytes(), &[]).0;
    assert_eq!(outcome, Err(ParseError::HeaderTooLong { engine: Engine::JMeter }));
}

#[test]
fn a_byte_order_mark_before_the_header_is_no_part_of_it() {
    let file = format!("\u{feff}{JMETER_HEADER}1000,5,a,200,OK,t,true,1,1,1,1,h,0\n");
    for cut in 0..5 {
        assert_eq!(parse(Engine::JMeter, file.as_bytes(), &[cut]).1.len(), 1, "{cut}");
    }
}

#[test]
fn texts_that_are_not_utf_8_and_empty_labels_are_visible() {
    let mut file = JMETER_HEADER.as_bytes().to_vec();
    file.extend(b"1000,5,caf\xe9,200,OK,t,true,1,1,1,1,h,0\n1000,5,,200,OK,t,true,1,1,1,1,h,0\n");
    each_sample(Engine::JMeter, &file, |position, sample| {
        assert_eq!(sample.label, ["caf\u{fffd}", "[empty]"][position]);
    });
}

/// A CSV field as JMeter writes it: quoted only where needed, quotation marks doubled.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn rows_with_any_text_come_back_whatever_the_pieces(
        rows in proptest::collection::vec((1_u32.., 0_u32..90_000, "[a-z,\"\n\r é]{0,20}", "[a-z,\"\n ]{0,20}", any::<bool>()), 0..20),
        cuts in proptest::collection::vec(any::<usize>(), 0..30),
    ) {
        let mut file = JMETER_HEADER.to_owned();
        let mut expected = Vec::new();
        for (stamp, elapsed, label, message, success) in &rows {
            let (quoted_label, quoted_message) = (quoted(label), quoted(message));
            writeln!(
                file, "{stamp},{elapsed},{quoted_label},200,{quoted_message},t 1-1,{success},9,1,4,{elapsed},h,0"
            ).unwrap();
            expected.push(describe(&Sample {
                kind: SampleKind::Request,
                label: if label.is_empty() { "[empty]" } else { label },
                start_us: i64::from(*stamp) * 1000,
                end_us: (i64::from(*stamp) + i64::from(*elapsed)) * 1000,
                elapsed_us: u64::from(*elapsed) * 1000,
                first_byte_us: Some(u64::from(*elapsed) * 1000),
                connect_us: Some(0),
                bytes: 9,
                code: "200",
                message,
                success: *success,
                active_users: Some(4),
            }));
        }
        let (outcome, samples, malformed) = parse(Engine::JMeter, file.as_bytes(), &cuts);
        prop_assert_eq!((outcome, samples, malformed), (Ok(()), expected, 0));
    }

    #[test]
    fn any_bytes_give_the_same_whatever_the_pieces_and_never_panic(
        noise in proptest::collection::vec(
            prop_oneof![
                4 => proptest::sample::select(b",\"\n\r0179truefalse".to_vec()),
                1 => any::<u8>(),
            ],
            0..600,
        ),
        cuts in proptest::collection::vec(any::<usize>(), 0..30),
        with_header in any::<bool>(),
        engine in prop_oneof![Just(Engine::JMeter), Just(Engine::Locust)],
    ) {
        let mut file = if with_header { b"timeStamp,elapsed,label,success\n".to_vec() } else { Vec::new() };
        file.extend(&noise);
        let whole = parse(engine, &file, &[]);
        prop_assert_eq!(parse(engine, &file, &cuts), whole);
    }
}

#[test]
fn the_first_row_tells_the_engine() {
    for (engine, file) in [
        (Engine::JMeter, &include_bytes!("../samples/jmeter-kpi.jtl")[..]),
        (Engine::Locust, include_bytes!("../samples/locust-kpi.jtl")),
        (Engine::Apiritif, include_bytes!("../samples/apiritif.0.csv")),
        (Engine::Molotov, include_bytes!("../samples/molotov-report.ldjson")),
    ] {
        assert_eq!(samples::detect(file), Some(engine));
        let first_row = file.iter().position(|byte| b"\r\n".contains(byte)).unwrap();
        for cut in 0..=first_row {
            assert_eq!(samples::detect(&file[..cut]), None, "{engine} {cut}: the row is not there yet");
        }
        assert_eq!(samples::detect(&file[..=first_row]), Some(engine));
    }
}
