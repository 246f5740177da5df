//! The text formats, with labels that want to act.

use rstest::rstest;

use super::sample::{figures, label, report};
use super::*;
use crate::report::model::{ErrorGroup, Figures, FileFigures, Label, Run, Workers};

const HOSTILE: &str = "=cmd|' /C calc'!A0 <script>alert(1)</script> `x` \u{1b}[31m,\"q\"\nend";

fn shown(report: &Report, format: Format) -> String {
    write(report, &Plots::default(), format)
}

fn hostile() -> Report {
    Report {
        labels: vec![label(HOSTILE)],
        errors: vec![ErrorGroup {
            label: Some(HOSTILE.into()),
            code: "5|0".into(),
            message: "\u{1b}]0;title\u{7}@everyone see #1 https://evil.example".into(),
            count: 3,
        }],
        thresholds: vec![ThresholdFigures { label: Some(HOSTILE.into()), ..threshold(ThresholdOutcome::Met) }],
        warnings: vec!["worker <b> says \u{1b}[2J | @team".into()],
        ..report()
    }
}

#[rstest]
#[case(Format::Table)]
#[case(Format::Json)]
#[case(Format::CsvJMeter)]
#[case(Format::CsvJMeterSummary)]
#[case(Format::CsvTaurus)]
#[case(Format::Markdown)]
#[case(Format::Html)]
#[case(Format::JUnit)]
fn no_format_lets_a_control_character_through(#[case] format: Format) {
    let text = shown(&hostile(), format);
    assert!(text.chars().all(|character| character == '\n' || !character.is_control()), "{text:?}");
    assert!(text.ends_with('\n'));
}

#[test]
fn the_table_has_one_line_per_label_and_the_facts_around() {
    let labels = vec![
        label("home"),
        Label { transaction: true, ..label("checkout\u{1b}[1m") },
        Label { lower_bound: true, figures: Figures::default(), ..label("rare") },
    ];
    let expected = "\
kpi.jtl
from 2026-11-25 10:00:00 UTC for 30s, at most 5 users, 87.9 KiB received, 1 requests interrupted by the stop

LABEL                            REQUESTS  ERRORS  ERROR RATE  RATE  AVERAGE     MIN   P50     P90     P95   P99  P99.9    MAX
home                                 1200       3       0.25%  40/s   21.2ms  0.85ms  20ms  30.5ms  30.5ms  52ms  600ms  1.23s
checkout\\u{1b}[1m (transaction)      1200       3       0.25%  40/s   21.2ms  0.85ms  20ms  30.5ms  30.5ms  52ms  600ms  1.23s
≥ rare                                  0       0          0%     -        -       -     -       -       -     -      -      -
total                                1200       3       0.25%  40/s   21.2ms  0.85ms  20ms  30.5ms  30.5ms  52ms  600ms  1.23s

Errors:
  3 x  home: 500 Internal Server Error

Warnings:
  - 2 rows make no sense
";
    assert_eq!(shown(&Report { labels, ..report() }, Format::Table), expected);
}

#[rstest]
#[case("2026-11-25T10:00:03.25Z", "for 2.75s")]
#[case("2026-11-25T10:59:59.9Z", "for 59m59s")]
#[case("2026-11-25T12:00:00.5Z", "for 2h")]
#[case("2026-11-25T09:00:00Z", "for 0ms")]
fn a_long_time_is_told_in_hours_minutes_and_seconds(#[case] to: &str, #[case] words: &str) {
    let interval = report().interval.map(|interval| Interval { to: to.parse().unwrap(), ..interval });
    let text = shown(&Report { interval, ..report() }, Format::Table);
    assert!(text.contains(words), "{text}");
}

#[test]
fn a_run_says_its_verdict_and_its_coverage_and_files_stand_apart() {
    let run = Run {
        namespace: "shop".into(),
        name: "checkout-1".into(),
        uid: "u".into(),
        verdict: Verdict::Inconclusive,
        workers: Workers { planned: 3, started: 2, late: 0, complete: 1, partial: 1, lost: 1 },
        cost_micro_dollars: Some(1_250_000),
        regions: Vec::new(),
    };
    let file = FileFigures { file: "b.xml".into(), totals: figures(), labels: vec![label("b only")] };
    let verdict = Some(run.verdict);
    let text = shown(&Report { run: Some(run), verdict, files: vec![file], ..report() }, Format::Table);
    assert!(
        text.contains("\nVerdict Inconclusive: it cannot be judged\n2 of 3 workers measured, 1 of them in part\n"),
        "{text}"
    );
    assert!(text.contains(", $1.25 for the workers on AWS Fargate\n"), "{text}");
    assert!(text.contains("\n\nb.xml\n\nLABEL"), "{text}");
}

/// 52 ms where less than 60 ms, or less than 52 ms, must be.
fn threshold(outcome: ThresholdOutcome) -> ThresholdFigures {
    let missed = outcome == ThresholdOutcome::Missed;
    let judged = outcome != ThresholdOutcome::NotJudged;
    ThresholdFigures {
        name: format!("{outcome:?}").to_lowercase(),
        metric: "p99".parse().unwrap(),
        label: Some("home".into()),
        target: None,
        below: Some(if missed { 52_000 } else { 60_000 }),
        above: None,
        observed: judged.then_some(52_000),
        outcome,
        reason: (!judged).then(|| "no request with the label \"<home>\" was measured".into()),
    }
}

fn judged() -> Report {
    let mut report = report();
    report.judge([ThresholdOutcome::Met, ThresholdOutcome::Missed, ThresholdOutcome::NotJudged].map(threshold).into());
    report
}

#[test]
fn the_table_tells_each_threshold_before_the_figures() {
    let expected = "
Thresholds:
  met         met: p99 of home is 52ms, below 60ms
  MISSED      missed: p99 of home is 52ms, not below 52ms
  not judged  notjudged: no request with the label \"<home>\" was measured

LABEL";
    let text = shown(&judged(), Format::Table);
    assert!(text.starts_with("kpi.jtl\nVerdict Failed: a threshold was missed\n") && text.contains(expected), "{text}");
}

#[test]
fn markdown_has_a_table_of_the_thresholds() {
    let expected = "\
### `kpi.jtl`

**Failed: a threshold was missed**.

| threshold | outcome | metric | limit | observed |
|---|---|---|---|--:|
| `met` | met | `p99 of home` | below 60ms | 52ms |
| `missed` | **missed** | `p99 of home` | below 52ms | 52ms |
| `notjudged` | **not judged**: no request with the label &#34;&#60;home&#62;&#34; was measured | `p99 of home` | below 60ms | - |

| label |";
    let text = shown(&judged(), Format::Markdown);
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn the_page_has_a_table_of_the_thresholds_and_the_badge_of_their_verdict() {
    let text = shown(&judged(), Format::Html);
    assert!(text.contains("<span class=\"badge bad\">Failed: a threshold was missed</span>"), "{text}");
    assert!(text.contains("<td>missed</td><td class=\"words bad\">missed</td>"), "{text}");
    assert!(text.contains("not judged: no request with the label &quot;&lt;home&gt;&quot; was measured"), "{text}");
    assert!(!shown(&report(), Format::Html).contains("id=\"thresholds\""));
}

#[test]
fn junit_has_a_case_for_the_test_and_one_for_each_threshold() {
    let expected = "\
<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<testsuites>
  <testsuite name=\"kpi.jtl\" tests=\"4\" failures=\"1\" errors=\"1\" timestamp=\"2026-11-25T10:00:00\" time=\"30.000\">
    <testcase classname=\"kpi.jtl\" name=\"load test\"><system-out>1200 requests, 3 errors</system-out></testcase>
    <testcase classname=\"kpi.jtl\" name=\"met\"><system-out>p99 of home is 52ms, below 60ms</system-out></testcase>
    <testcase classname=\"kpi.jtl\" name=\"missed\"><failure message=\"p99 of home is 52ms, not below 52ms\"/></testcase>
    <testcase classname=\"kpi.jtl\" name=\"notjudged\"><error message=\"no request with the label &quot;&lt;home&gt;&quot; was measured\"/></testcase>
  </testsuite>
</testsuites>
";
    assert_eq!(shown(&judged(), Format::JUnit), expected);
}

#[test]
fn an_inconclusive_run_is_no_green_test_case() {
    let report = Report { verdict: Some(Verdict::Inconclusive), ..report() };
    let text = shown(&report, Format::JUnit);
    let error = "<error message=\"Inconclusive: it cannot be judged; 2 rows make no sense\"/>";
    assert!(text.contains("errors=\"1\"") && text.contains(error), "{text}");
}

#[test]
fn jmeters_columns_hold_milliseconds_and_the_total_comes_last() {
    let expected = "\
Label,# Samples,Average,Median,90% Line,95% Line,99% Line,Min,Max,Error %,Throughput,Received KB/sec,Sent KB/sec
home,1200,21,20,30,31,52,1,1235,0.250%,40.00000,2.93,
TOTAL,1200,21,20,30,31,52,1,1235,0.250%,40.00000,2.93,
";
    assert_eq!(shown(&report(), Format::CsvJMeter), expected);
    let expected = "\
Label,# Samples,Average,Min,Max,Std. Dev.,Error %,Throughput,Received KB/sec,Sent KB/sec,Avg. Bytes
home,1200,21,1,1235,5.43,0.250%,40.00000,2.93,,75.0
TOTAL,1200,21,1,1235,5.43,0.250%,40.00000,2.93,,75.0
";
    assert_eq!(shown(&report(), Format::CsvJMeterSummary), expected);
}

#[test]
fn taurus_columns_hold_seconds_and_the_total_has_no_label() {
    let mut other = label("other");
    other.figures = Figures { requests: 1, codes: [("404".to_owned(), 1)].into(), ..Figures::default() };
    let expected = "\
label,avg_ct,avg_lt,avg_rt,bytes,concurrency,fail,stdev_rt,succ,throughput,perc_0.0,perc_50.0,perc_90.0,perc_95.0,perc_99.0,perc_99.9,perc_100.0,rc_200,rc_404,rc_=1+1
home,0.00006,0.02100,0.02124,90000,,3,0.00543,1197,1200,0.00085,0.02000,0.03050,0.03050,0.05200,0.60000,1.23457,1197,,2
other,,,,,,0,,1,1,,,,,,,,,1,
,0.00006,0.02100,0.02124,90000,5,3,0.00543,1197,1200,0.00085,0.02000,0.03050,0.03050,0.05200,0.60000,1.23457,1197,,2
";
    assert_eq!(shown(&Report { labels: vec![label("home"), other], ..report() }, Format::CsvTaurus), expected);
}

#[test]
fn a_label_in_csv_is_quoted_and_begins_no_formula() {
    for (name, cell) in [
        ("=1+1", "'=1+1"),
        ("  @SUM(A1)", "'  @SUM(A1)"),
        ("-1", "'-1"),
        ("+1", "'+1"),
        ("＝1", "'＝1"),
        ("a,b", "\"a,b\""),
        ("say \"x\"", "\"say \"\"x\"\"\""),
        ("GET /a=b", "GET /a=b"),
    ] {
        let text = shown(&Report { labels: vec![label(name)], ..report() }, Format::CsvJMeter);
        assert!(text.lines().nth(1).unwrap().starts_with(&format!("{cell},1200,")), "{text}");
    }
}

#[test]
fn markdown_keeps_markup_mentions_and_pipes_of_labels_from_acting() {
    let text = shown(&hostile(), Format::Markdown);
    assert!(text.contains("<code>&#92;u&#123;1b&#125;&#93;0;title&#92;u&#123;7&#125;&#64;everyone"), "{text}");
    assert!(!text.contains("<script>") && !text.contains("@everyone") && !text.contains("https://"), "{text}");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ") && line.contains("1200")).collect();
    assert!(rows.iter().all(|row| row.matches('|').count() == 14), "{rows:?}");
    assert!(text.contains("| 3 | <code>&#61;cmd&#124;"), "{text}");
    assert!(text.contains("* worker &#60;b&#62; says &#92;u&#123;1b&#125;&#91;2J &#124; &#64;team"), "{text}");
    let plain = shown(&report(), Format::Markdown);
    assert!(plain.starts_with("### `kpi.jtl`\n\n| label | requests |"), "{plain}");
    assert!(
        plain.contains(
            "| `home` | 1200 | 3 | 0.25% | 40/s | 21.2ms | 0.85ms | 20ms | 30.5ms | 30.5ms | 52ms | 600ms | 1.23s |"
        ),
        "{plain}"
    );
}

#[test]
fn markdown_stays_postable_with_thousands_of_labels() {
    let labels = (0..3000).map(|number| label(&format!("GET /{number}"))).collect();
    let text = shown(&Report { labels, ..report() }, Format::Markdown);
    assert!(text.len() < 65_536, "{}", text.len());
    assert!(text.contains("2800 more labels are in the total and not shown."));
}
