//! Files of every kind, sound and damaged; the figures against an independent reader that sorts all rows.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rstest::rstest;
use tempfile::TempDir;
use volley_stats::series::Series;
use volley_stats::statistics::Collection;
use volley_stats::{Engine, Limits, Parser, Recorder, file};

use super::{GatherError, Gathered, Progress, gather};
use crate::report::build;
use crate::report::model::{Report, SourceKind};

const JTL: &str = "timeStamp,elapsed,label,responseCode,responseMessage,threadName,success,bytes,grpThreads,allThreads,Latency,Hostname,Connect\n";

fn stats_sample(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "stats", "tests", "samples", name].iter().collect()
}

fn report(paths: &[PathBuf]) -> Result<Report, GatherError> {
    gather(paths, &Progress::on_terminal()).map(|gathered| build::report(&gathered, None))
}

fn message(paths: &[PathBuf]) -> String {
    report(paths).unwrap_err().to_string()
}

/// A folder with files.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn rows(times_ms: &[u64]) -> String {
    times_ms.iter().enumerate().fold(JTL.to_owned(), |text, (number, time)| {
        text + &format!("{},{time},home,200,OK,t 1-1,true,10,1,1,{time},vm,0\n", 1_795_578_546_000 + 100 * number)
    })
}

fn collection_of(text: &str) -> Collection {
    parts_of(text).0
}

fn parts_of(text: &str) -> (Collection, Series) {
    let mut recorder = Recorder::new(Limits::default());
    Parser::new(Engine::JMeter).push(text.as_bytes(), &mut |sample| recorder.record(0, &sample)).unwrap();
    recorder.into_parts()
}

/// What an independent reader makes of rows of JMeter or Locust: nothing but the `csv` crate, a sort and a rank.
#[derive(Debug, Default)]
struct Oracle {
    times_us: Vec<u64>,
    errors: u64,
    bytes: u64,
    first_ms: Option<u64>,
    last_ms: Option<u64>,
}

impl Oracle {
    fn read(&mut self, text: &[u8], label: Option<&str>) {
        let mut reader = csv::Reader::from_reader(text);
        let header = reader.headers().unwrap().clone();
        let place = |name: &str| header.iter().position(|column| column == name).unwrap();
        let stamps_end = header.iter().any(|column| column == "method");
        for row in reader.records().map(Result::unwrap) {
            let number = |name: &str| row[place(name)].parse::<u64>().unwrap();
            let transaction = row[place("responseMessage")].starts_with("Number of samples in transaction");
            if transaction || label.is_some_and(|label| label != &row[place("label")]) {
                continue;
            }
            let (stamp, elapsed) = (number("timeStamp"), number("elapsed"));
            let (start, end) = if stamps_end { (stamp - elapsed, stamp) } else { (stamp, stamp + elapsed) };
            self.times_us.push(elapsed * 1000);
            self.errors += u64::from(&row[place("success")] != "true");
            self.bytes += number("bytes");
            self.first_ms = Some(self.first_ms.map_or(start, |first| first.min(start)));
            self.last_ms = Some(self.last_ms.map_or(end, |last| last.max(end)));
        }
        self.times_us.sort_unstable();
    }

    fn check(&self, report: &Report) {
        let totals = &report.totals;
        let count = self.times_us.len();
        assert_eq!((totals.requests, totals.errors, totals.bytes), (count as u64, self.errors, Some(self.bytes)));
        assert_eq!((totals.min, totals.max), (self.times_us.first().copied(), self.times_us.last().copied()));
        let sum: u64 = self.times_us.iter().sum();
        let average = (2 * sum + count as u64) / (2 * count as u64);
        assert_eq!(totals.average, Some(average));
        for (thousandths, figure) in [
            (50_000, totals.p50),
            (90_000, totals.p90),
            (95_000, totals.p95),
            (99_000, totals.p99),
            (99_900, totals.p999),
        ] {
            let rank = (count * thousandths).div_ceil(100_000).max(1);
            let exact = self.times_us[rank - 1];
            let figure = figure.unwrap();
            assert!(figure.abs_diff(exact) * 2000 <= exact, "p{thousandths}: {figure} instead of {exact}");
        }
        let interval = report.interval.unwrap();
        assert_eq!(u64::try_from(interval.from.as_millisecond()).unwrap(), self.first_ms.unwrap());
        assert_eq!(u64::try_from(interval.to.as_millisecond()).unwrap(), self.last_ms.unwrap());
        let rate = totals.request_rate.unwrap().0;
        let length_ms = u128::from(self.last_ms.unwrap() - self.first_ms.unwrap());
        let expected = (count as u128 * 1_000_000 + length_ms / 2).checked_div(length_ms).unwrap_or(0);
        assert_eq!(u128::from(rate), expected);
    }
}

#[rstest]
#[case(&["jmeter-kpi.jtl"])]
#[case(&["locust-kpi.jtl"])]
#[case(&["jmeter-kpi-errors-transactions.jtl"])]
#[case(&["jmeter-kpi.jtl", "locust-kpi.jtl", "jmeter-kpi-errors-transactions.jtl"])]
fn figures_are_those_of_a_sort_of_all_rows(#[case] names: &[&str]) {
    let paths: Vec<PathBuf> = names.iter().map(|name| stats_sample(name)).collect();
    let mut oracle = Oracle::default();
    for path in &paths {
        oracle.read(&fs::read(path).unwrap(), None);
    }
    let report = report(&paths).unwrap();
    oracle.check(&report);
    assert_eq!(report.warnings, Vec::<String>::new());
    for label in report.labels.iter().filter(|label| !label.transaction) {
        let mut one = Oracle::default();
        for path in &paths {
            one.read(&fs::read(path).unwrap(), Some(&label.label));
        }
        assert_eq!(label.figures.requests, one.times_us.len() as u64, "{}", label.label);
        assert_eq!(label.figures.max, one.times_us.last().copied());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn files_merge_exactly_however_they_are_cut_and_packed(
        times_ms in prop::collection::vec(prop_oneof![1_u64..50, 1_u64..100_000], 1..400),
        cuts in prop::collection::vec(0_usize..400, 0..4),
        packings in prop::collection::vec(0_u8..4, 5),
    ) {
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % times_ms.len()).filter(|cut| *cut > 0).collect();
        cuts.extend([0, times_ms.len()]);
        cuts.sort_unstable();
        cuts.dedup();
        let folder = tempfile::tempdir().unwrap();
        let mut oracle = Oracle::default();
        let mut paths = Vec::new();
        for (number, (cut, packing)) in cuts.windows(2).zip(&packings).enumerate() {
            let text = rows(&times_ms[cut[0]..cut[1]]);
            oracle.read(text.as_bytes(), None);
            let bytes = match packing {
                0 => text.into_bytes(),
                1 => gzip(text.as_bytes()),
                2 => zstd(text.as_bytes()),
                _ => file::encode(&collection_of(&text)),
            };
            paths.push(folder.path().join(number.to_string()));
            fs::write(paths.last().unwrap(), bytes).unwrap();
        }
        oracle.check(&report(&paths).unwrap());
        paths.reverse();
        oracle.check(&report(&paths).unwrap());
    }
}

#[test]
fn a_file_with_nothing_to_report_says_what_is_wrong_and_what_to_do() {
    let folder = folder(&[
        ("empty", b""),
        ("header", JTL.as_bytes()),
        ("log", b"2026-11-25 INFO \x1b[31mstarted\nmore"),
        ("other.json", b"{\"version\": 1, \"x\": 2}"),
        ("old.json", b"{\"version\": 99}"),
        ("jmeter.xml", b"<?xml version=\"1.0\"?>\n<testResults version=\"1.2\">\n<httpSample t=\"1\"/>"),
        ("page.xml", b"<html></html>"),
        ("cut.xml", b"<FinalStatus><Group label=\"a\">"),
        ("nothing.xml", b"<FinalStatus></FinalStatus>"),
        ("histograms", b"VOLLEYH1 and no more"),
    ]);
    let at = |name: &str| folder.path().join(name);
    for (name, words) in [
        ("empty", "is empty; its writer measured nothing"),
        ("header", "there is no sample in "),
        ("log", r"it begins with '2026-11-25 INFO \u{1b}[31mstarted'"),
        ("other.json", "of JSON files only the result.json of a run is read"),
        ("old.json", "99"),
        ("jmeter.xml", "as XML, which is not read; write CSV"),
        ("page.xml", "<html> instead of <FinalStatus>"),
        ("cut.xml", "ends early"),
        ("nothing.xml", "there is no sample in "),
        ("histograms", "it is another object or was cut"),
        ("absent", "No such file"),
    ] {
        let message = message(&[at(name)]);
        assert!(message.contains(words), "{name}: {message}");
        assert!(message.contains(name), "{name}: {message}");
    }
    let nothing = tempfile::tempdir().unwrap();
    assert!(message(&[nothing.path().to_owned()]).contains("holds no sample file"));
}

#[test]
fn a_compressed_file_that_is_cut_or_damaged_is_told_from_one_that_cannot_be_read() {
    let text = rows(&(1..20_000).collect::<Vec<_>>());
    for (name, packed, command) in
        [("a.gz", gzip(text.as_bytes()), "gzip -dc"), ("a.zst", zstd(text.as_bytes()), "zstd -dc")]
    {
        let cut = folder(&[(name, &packed[..packed.len() - 10])]);
        let words = message(&[cut.path().join(name)]);
        assert!(words.contains("is cut off") && words.contains(command), "{words}");
        let mut damaged = packed.clone();
        let middle = damaged.len() / 2;
        damaged[middle..middle + 200].fill(0xff);
        let damaged = folder(&[(name, &damaged)]);
        let words = message(&[damaged.path().join(name)]);
        assert!(words.contains("is damaged") || words.contains("is cut off"), "{words}");
    }
}

#[test]
fn a_sample_file_that_ends_within_a_row_or_has_odd_rows_is_reported_with_a_warning() {
    let mut text = rows(&[10, 20, 30]);
    text.push_str("these,are,no,samples\n1795578546449,14");
    let folder = folder(&[("kpi.jtl", text.as_bytes())]);
    let report = report(&[folder.path().join("kpi.jtl")]).unwrap();
    assert_eq!(report.totals.requests, 3);
    assert!(
        report.warnings[0].contains("ends within a row: its last 16 bytes are not counted"),
        "{:?}",
        report.warnings
    );
    assert!(report.warnings[1].contains("1 rows make no sense"), "{:?}", report.warnings);
}

#[test]
fn an_artifacts_folder_is_one_worker_and_taurus_summary_is_compared_with_its_samples() {
    let group = |count: u64, label: &str| {
        format!(
            "<Group label=\"{label}\"><throughput value=\"{count}\"/><succ value=\"{count}\"/><fail value=\"0\"/></Group>"
        )
    };
    let xml = |count| format!("<FinalStatus>{}{}</FinalStatus>", group(count, ""), group(count, "home"));
    let files = |xml: &str| {
        folder(&[
            ("kpi.jtl", rows(&[10, 20]).as_bytes()),
            ("kpi-1.jtl", rows(&[30]).as_bytes()),
            ("final-stats.xml", xml.as_bytes()),
            ("bzt.log", b"a log"),
            ("effective.json", b"{\"settings\": {}}"),
            ("script.jmx", b"<?xml version=\"1.0\"?><jmeterTestPlan/>"),
            ("empty.csv", b""),
        ])
    };
    let right = files(&xml(3));
    let told = report(&[right.path().to_owned()]).unwrap();
    assert_eq!((told.totals.requests, told.totals.max), (3, Some(30_000)));
    assert_eq!(told.warnings, Vec::<String>::new());
    assert_eq!(told.sources.len(), 2);
    let wrong = files(&xml(4));
    let told = report(&[wrong.path().to_owned()]).unwrap();
    assert!(
        told.warnings[0].contains("all labels: samples: Taurus reports 4, the samples say 3"),
        "{:?}",
        told.warnings
    );
    let cut = files("<FinalStatus>");
    assert!(report(&[cut.path().to_owned()]).unwrap().warnings[0].contains("the samples are not compared with it"));
}

#[test]
fn of_a_folder_of_workers_one_that_is_damaged_is_a_warning_and_the_rest_stands() {
    let sound = file::encode(&collection_of(&rows(&[10, 20])));
    let cut = &sound[..sound.len() - 3];
    let folder = folder(&[
        ("workers/local/0/pod-a/histograms", &sound),
        ("workers/local/0/pod-a/samples/kpi.jtl.zst", &zstd(rows(&[10, 20]).as_bytes())),
        ("workers/local/1/pod-b/histograms", cut),
        ("workers/local/2/pod-c/samples/kpi.jtl.zst", &zstd(rows(&[30]).as_bytes())),
        ("workers/local/3/pod-d/final-stats.xml", b"<FinalStatus></FinalStatus>"),
    ]);
    let report = report(&[folder.path().to_owned()]).unwrap();
    assert_eq!((report.totals.requests, report.totals.max), (3, Some(30_000)), "samples beside histograms count once");
    assert_eq!(report.warnings.len(), 2, "{:?}", report.warnings);
    assert!(report.warnings[0].contains("pod-b") && report.warnings[0].contains("left out"), "{:?}", report.warnings);
    assert!(report.warnings[1].contains("pod-d has only a final-stats XML"), "{:?}", report.warnings);
    let only = folder.path().join("workers/local/1");
    assert!(matches!(gather(&[only], &Progress::on_terminal()), Err(GatherError::Histograms { .. })));
}

#[cfg(unix)]
#[test]
fn links_in_a_folder_are_not_followed() {
    let outside = folder(&[("kpi.jtl", rows(&[10]).as_bytes())]);
    let folder = folder(&[("kpi.jtl", rows(&[20]).as_bytes())]);
    std::os::unix::fs::symlink(outside.path().join("kpi.jtl"), folder.path().join("kpi-1.jtl")).unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.path().join("more")).unwrap();
    assert_eq!(report(&[folder.path().to_owned()]).unwrap().totals.requests, 1);
}

#[test]
fn several_xml_add_up_but_their_percentiles_stay_per_file() {
    let paths = [stats_sample("final-stats-jmeter-5.6.2.xml"), stats_sample("final-stats-locust.xml")];
    let [one, two] = paths.each_ref().map(|path| report(std::slice::from_ref(path)).unwrap());
    assert!(one.totals.p99.is_some() && one.files.is_empty());
    let both = report(&paths).unwrap();
    assert_eq!(both.totals.requests, one.totals.requests + two.totals.requests);
    assert_eq!(both.totals.errors, one.totals.errors + two.totals.errors);
    assert_eq!(both.totals.max, one.totals.max.max(two.totals.max));
    assert_eq!(both.totals.min, one.totals.min.min(two.totals.min));
    let weighted = |report: &Report| u128::from(report.totals.average.unwrap()) * u128::from(report.totals.requests);
    let requests = u128::from(both.totals.requests);
    let average = (weighted(&one) + weighted(&two) + requests / 2) / requests;
    assert_eq!(u128::from(both.totals.average.unwrap()), average);
    assert_eq!((both.totals.p50, both.totals.p99, both.totals.p999), (None, None, None));
    assert_eq!(both.files.len(), 2);
    assert_eq!(both.files[0].totals, one.totals);
    assert_eq!(both.files[1].labels, two.labels);
    assert!(both.warnings.iter().any(|warning| warning.contains("cannot be merged")), "{:?}", both.warnings);
}

#[test]
fn the_course_over_time_adds_up_over_files_and_is_left_out_where_one_does_not_tell_it() {
    let (collection, series) = parts_of(&rows(&[10, 20]));
    let histograms = file::encode(&collection);
    let folder = folder(&[
        ("kpi.jtl", rows(&[10, 20, 30]).as_bytes()),
        ("with/histograms", &histograms),
        ("with/series", &series.encode()),
        ("without/histograms", &histograms),
    ]);
    let at = |name: &str| folder.path().join(name);
    let courses = |paths: &[PathBuf]| build::plots(&gather(paths, &Progress::on_terminal()).unwrap()).courses;
    let both = courses(&[at("kpi.jtl"), at("with")]);
    assert_eq!(both.iter().map(|course| course.name.as_str()).collect::<Vec<_>>(), ["all requests", "home"]);
    for course in &both {
        assert_eq!(
            (course.requests.iter().sum::<u64>(), course.max.iter().max()),
            (5, Some(&Some(30_000))),
            "{course:?}"
        );
    }
    // One user of each of the two workers.
    assert_eq!(both[0].users, [Some(2)]);
    assert_eq!(both[0].percentiles.as_ref().unwrap().p99, [Some(30_000)]);
    assert_eq!(courses(&[at("kpi.jtl"), at("without")]), []);
    assert!(message(&[at("with/series")]).contains("give the folder that it lies in"));
}

#[test]
fn kinds_are_not_mixed_and_no_file_counts_twice() {
    let result = volley_storage::objects::encode_document("x", &build::sample_result()).unwrap();
    let folder = folder(&[
        ("kpi.jtl", rows(&[10]).as_bytes()),
        ("histograms", &file::encode(&collection_of(&rows(&[10])))),
        ("one.json", &result),
        ("two.json", &result),
    ]);
    let at = |name: &str| folder.path().join(name);
    let xml = stats_sample("final-stats-locust.xml");
    for (paths, words) in [
        (vec![at("kpi.jtl"), xml.clone()], "(samples) and "),
        (vec![xml, at("histograms")], "cannot be merged: only samples and histograms"),
        (vec![at("one.json"), at("kpi.jtl")], "(result.json of a run) and "),
        (vec![at("one.json"), at("two.json")], "are both results of runs"),
        (vec![at("kpi.jtl"), folder.path().join("./kpi.jtl")], "is given twice"),
    ] {
        let message = message(&paths);
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(report(&[at("kpi.jtl"), at("histograms")]).unwrap().totals.requests, 2);
}

#[test]
fn the_folder_of_a_run_is_its_result_with_the_histograms_beside_it() {
    let result = volley_storage::objects::encode_document("x", &build::sample_result()).unwrap();
    let histograms = file::encode(&collection_of(&rows(&[10, 30])));
    let folder = folder(&[
        ("result.json", &result),
        ("histograms", &histograms),
        ("workers/local/0/pod/histograms", &histograms),
    ]);
    let gathered = gather(&[folder.path().to_owned()], &Progress::on_terminal()).unwrap();
    assert!(matches!(&gathered, Gathered::Run { run, .. } if run.histograms.is_some()));
    let report = build::report(&gathered, Some("Night".into()));
    assert_eq!(report.title, "Night");
    assert_eq!(
        report.sources.iter().map(|source| source.kind).collect::<Vec<_>>(),
        [SourceKind::Result, SourceKind::Histograms]
    );
    assert_eq!(report.totals.standard_deviation, Some(10_000));
    assert_eq!(report.run.unwrap().workers.planned, 2);
    let alone = gather(&[Path::join(folder.path(), "result.json")], &Progress::on_terminal()).unwrap();
    assert_eq!(build::report(&alone, None).title, "shop/checkout-1");
}
