//! Rows that are broken, too long, cut off, or in an odd encoding.

use volley_stats::samples::{MAXIMUM_COLUMNS, MAXIMUM_ROW_BYTES, ParseError};
use volley_stats::{Engine, Parser};

use super::{JMETER_HEADER, each_sample, parse};

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
    for long in
        [format!("1000,5,{long},200,OK,t,true,1,1,1,1,h,0\n"), format!("{}\n", "1,".repeat(2 * MAXIMUM_COLUMNS))]
    {
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
fn control_characters_and_bytes_that_are_not_utf_8_stay_visible_in_labels() {
    // Taurus writes no report at all where a label has a control character.
    let mut file = JMETER_HEADER.as_bytes().to_vec();
    for label in [&b"caf\xe9"[..], b"", b"bell \x07", b"nul \0", b"\x1b[31mred", b"\xff\xfe", b"\"two\nlines\""] {
        file.extend(b"1000,5,");
        file.extend(label);
        file.extend(b",200,OK,t,true,1,1,1,1,h,0\n");
    }
    let expected =
        ["caf\u{fffd}", "[empty]", "bell \u{7}", "nul \0", "\u{1b}[31mred", "\u{fffd}\u{fffd}", "two\nlines"];
    let count = each_sample(Engine::JMeter, &file, |position, sample| assert_eq!(sample.label, expected[position]));
    assert_eq!(count, 7);
}

#[test]
fn a_hole_of_nul_bytes_costs_one_row_and_the_one_it_damages() {
    let good = b"1000,5,a,200,OK,t,true,1,1,1,1,h,0\n";
    for length in [10, 3 * MAXIMUM_ROW_BYTES] {
        let file = [JMETER_HEADER.as_bytes(), good, &vec![0; length], good, good].concat();
        let (outcome, samples, malformed) = parse(Engine::JMeter, &file, &[100, 70_000, 150_000]);
        assert_eq!((outcome, samples.len(), malformed), (Ok(()), 2, 1), "{length}");
    }
}

#[test]
fn a_header_with_too_many_columns_is_no_header() {
    let columns = "x,".repeat(MAXIMUM_COLUMNS);
    for header in [format!("{columns}timeStamp,elapsed,label,success\n"), format!("{columns}\"y\"\n")] {
        let outcome = parse(Engine::JMeter, header.as_bytes(), &[]).0;
        assert_eq!(outcome, Err(ParseError::HeaderTooLong { engine: Engine::JMeter }));
    }
}

#[test]
fn columns_beyond_the_limit_are_counted_whether_quoted_or_not() {
    // A row is as good with its last fields quoted, and as bad with one column more.
    let header = format!("timeStamp,elapsed,label,success{}\n", ",x".repeat(MAXIMUM_COLUMNS - 4));
    for (more, samples, malformed) in [(0, 1, 0), (1, 0, 1), (40, 0, 1), (1000, 0, 1)] {
        let fields = MAXIMUM_COLUMNS - 5 + more;
        for row in [
            format!("1000,5,a,true{},1\n", ",1".repeat(fields)),
            format!("1000,5,a,true{},\"1\"\n", ",1".repeat(fields)),
        ] {
            let file = format!("{header}{row}1000,5,a,true{}\n", ",1".repeat(MAXIMUM_COLUMNS - 4));
            let parsed = parse(Engine::JMeter, file.as_bytes(), &[header.len() + 700]);
            assert_eq!((parsed.1.len(), parsed.2), (samples + 1, malformed), "{more}");
        }
    }
}
