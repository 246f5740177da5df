use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, symlink};
use std::path::PathBuf;

use proptest::prelude::*;
use rstest::rstest;

use super::*;

const HEADER: &str = "allThreads,timeStamp,label,method,elapsed,bytes,responseCode,responseMessage,success,Latency\n";

fn row(elapsed_ms: u64) -> String {
    format!("2,{},home,GET,{elapsed_ms},512,200,OK,true,0\n", 1_795_578_096_824_u64 + elapsed_ms)
}

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(ARTIFACTS)).unwrap();
        Self { folder }
    }

    fn follower(&self) -> Follower {
        Follower::new(self.work(), &[Engine::Locust])
    }

    fn work(&self) -> UntrustedFolder {
        UntrustedFolder::open(self.folder.path()).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(ARTIFACTS).join(name)
    }

    fn append(&self, name: &str, text: &str) {
        let mut file: File = OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }
}

fn requests(tailed: &Tailed) -> u64 {
    tailed.collection.total().requests()
}

fn look(follower: &mut Follower) -> bool {
    follower.look(&|| None)
}

fn checkpoint(follower: &mut Follower) -> (Vec<u8>, Vec<Consumed>) {
    let mut state = Vec::new();
    let consumed = follower.checkpoint(&mut state).unwrap();
    (state, consumed)
}

#[test]
fn files_are_found_when_they_appear_and_read_as_they_grow() {
    let place = Place::new();
    let mut follower = place.follower();
    assert!(!look(&mut follower));
    place.append("kpi.jtl", HEADER);
    place.append("bzt.log", "nothing to count");
    assert!(look(&mut follower));
    let (first, second) = (row(10), row(20));
    place.append("kpi.jtl", &first);
    place.append("kpi.jtl", &second[..9]);
    look(&mut follower);
    place.append("kpi-1.jtl", &format!("{HEADER}{}", row(30)));
    place.append("kpi.jtl", &second[9..]);
    look(&mut follower);
    assert!(!look(&mut follower), "nothing is read twice");
    let tailed = follower.finish();
    assert_eq!(requests(&tailed), 3);
    let files: Vec<_> = tailed.files.iter().map(|file| (file.path.as_str(), file.engine, file.samples)).collect();
    let locust = Some(Engine::Locust);
    assert_eq!(files, [("artifacts/kpi.jtl", locust, 2), ("artifacts/kpi-1.jtl", locust, 1)]);
    assert_eq!(tailed.collection.overview.peak_users, 4, "users of two executions add up");
    assert_eq!(tailed.warnings, Vec::<String>::new());
}

#[test]
fn a_last_row_without_its_end_is_counted_as_malformed() {
    let place = Place::new();
    let mut follower = place.follower();
    place.append("kpi.jtl", &format!("{HEADER}{}{}", row(1), &row(2)[..12]));
    look(&mut follower);
    let tailed = follower.finish();
    assert_eq!((requests(&tailed), tailed.collection.overview.malformed_rows), (1, 1));
}

#[test]
fn a_file_that_is_cut_is_read_from_its_new_beginning_with_a_warning() {
    let place = Place::new();
    let mut follower = place.follower();
    place.append("kpi.jtl", &format!("{HEADER}{}{}", row(1), row(2)));
    look(&mut follower);
    fs::write(place.path("kpi.jtl"), format!("{HEADER}{}", row(3))).unwrap();
    while look(&mut follower) {}
    let tailed = follower.finish();
    assert_eq!(requests(&tailed), 3);
    assert!(tailed.warnings[0].contains("was cut"), "{:?}", tailed.warnings);
}

#[test]
fn the_rest_of_a_replaced_file_is_read_before_the_new_one() {
    let place = Place::new();
    let mut follower = place.follower();
    place.append("kpi.jtl", &format!("{HEADER}{}", row(1)));
    look(&mut follower);
    place.append("kpi.jtl", &row(2));
    fs::rename(place.path("kpi.jtl"), place.path("old")).unwrap();
    place.append("kpi.jtl", &format!("{HEADER}{}", row(3)));
    while look(&mut follower) {}
    let tailed = follower.finish();
    assert_eq!(requests(&tailed), 3);
    assert!(tailed.warnings[0].contains("was replaced"), "{:?}", tailed.warnings);
}

#[test]
fn a_link_is_not_followed_and_is_reported_once() {
    let place = Place::new();
    fs::write(place.folder.path().join("secret"), format!("{HEADER}{}", row(1))).unwrap();
    symlink("../secret", place.path("kpi.jtl")).unwrap();
    let mut follower = place.follower();
    look(&mut follower);
    look(&mut follower);
    let tailed = follower.finish();
    assert_eq!(requests(&tailed), 0);
    assert_eq!(tailed.warnings.len(), 1, "{:?}", tailed.warnings);
}

#[test]
fn a_file_that_is_no_sample_file_is_a_warning_and_no_end() {
    let place = Place::new();
    place.append("kpi.jtl", "some,other,columns\n1,2,3\n");
    place.append("kpi-1.jtl", &format!("{HEADER}{}", row(1)));
    let mut follower = place.follower();
    while look(&mut follower) {}
    let tailed = follower.finish();
    assert_eq!(requests(&tailed), 1);
    assert!(tailed.warnings[0].contains("of no engine"), "{:?}", tailed.warnings);
}

const JMETER: &str = "timeStamp,elapsed,label,responseCode,responseMessage,threadName,success,bytes,grpThreads,allThreads\n\
    1795578096824,7,home,200,OK,t,true,512,3,3\n";
const APIRITIF: &str = "timeStamp,elapsed,Latency,label,responseCode,responseMessage,success,allThreads,bytes\n\
    1795578096824,7,0,home,200,OK,true,4,512\n";

#[test]
fn files_of_several_engines_are_read_side_by_side_each_by_its_first_row() {
    let place = Place::new();
    place.append("kpi.jtl", JMETER);
    place.append("kpi-1.jtl", &format!("{HEADER}{}", row(1)));
    place.append("apiritif.0.csv", APIRITIF);
    place.append("apiritif.1.csv", APIRITIF);
    let mut follower = Follower::new(place.work(), &Engine::ALL);
    while look(&mut follower) {}
    let tailed = follower.finish();
    let engines: BTreeMap<_, _> = tailed.files.iter().map(|file| (file.path.as_str(), file.engine.unwrap())).collect();
    let expected = [
        ("artifacts/apiritif.0.csv", Engine::Apiritif),
        ("artifacts/apiritif.1.csv", Engine::Apiritif),
        ("artifacts/kpi-1.jtl", Engine::Locust),
        ("artifacts/kpi.jtl", Engine::JMeter),
    ];
    assert_eq!(engines, expected.into());
    assert_eq!(requests(&tailed), 4);
    assert_eq!(tailed.collection.overview.peak_users, 2 + 3 + 4 + 4);
    assert_eq!(tailed.warnings, Vec::<String>::new());
}

#[rstest]
#[case::by_its_name("kpi.csv", "metric_name,timestamp,metric_value\n", "no engine that writes such a file")]
#[case::by_its_rows("kpi.jtl", JMETER, "those of jmeter")]
fn a_file_of_an_engine_that_the_test_does_not_run_is_not_counted(
    #[case] name: &str,
    #[case] text: &str,
    #[case] words: &str,
) {
    let place = Place::new();
    place.append(name, text);
    let mut follower = place.follower();
    look(&mut follower);
    look(&mut follower);
    let tailed = follower.finish();
    assert_eq!(requests(&tailed), 0);
    assert_eq!(tailed.warnings.len(), 1, "{:?}", tailed.warnings);
    assert!(tailed.warnings[0].contains(words), "{:?}", tailed.warnings);
}

#[test]
fn more_files_than_the_bound_are_said() {
    let place = Place::new();
    for number in 0..=MAXIMUM_FILES {
        place.append(&format!("kpi-{number}.jtl"), &format!("{HEADER}{}", row(1)));
    }
    let mut follower = place.follower();
    while look(&mut follower) {}
    let tailed = follower.finish();
    assert_eq!(requests(&tailed), 64);
    assert!(tailed.warnings[0].contains("more than 64 sample files"), "{:?}", tailed.warnings);
}

#[test]
fn a_header_that_never_ends_is_counted_as_malformed() {
    let place = Place::new();
    let mut follower = place.follower();
    place.append("kpi.jtl", &HEADER[..20]);
    look(&mut follower);
    let tailed = follower.finish();
    assert_eq!((requests(&tailed), tailed.collection.overview.malformed_rows), (0, 1));
    assert_eq!(tailed.files[0].engine, None);
}

#[test]
fn a_file_that_was_replaced_while_nobody_looked_is_read_from_its_beginning_with_a_warning() {
    let place = Place::new();
    let mut follower = place.follower();
    place.append("kpi.jtl", &format!("{HEADER}{}", row(1)));
    place.append("kpi-1.jtl", &format!("{HEADER}{}", row(1)));
    look(&mut follower);
    let (state, _) = checkpoint(&mut follower);
    fs::rename(place.path("kpi.jtl"), place.path("old")).unwrap();
    place.append("kpi.jtl", &format!("{HEADER}{}", row(2)));
    fs::remove_file(place.path("kpi-1.jtl")).unwrap();
    let mut follower = Follower::resume(place.work(), &[Engine::Locust], &state).unwrap();
    while look(&mut follower) {}
    let tailed = follower.finish();
    assert_eq!(requests(&tailed), 3);
    assert_eq!(tailed.warnings.len(), 1);
    assert!(tailed.warnings[0].contains("kpi.jtl was replaced"), "{:?}", tailed.warnings);
}

#[test]
fn a_damaged_checkpoint_is_an_error_and_no_crash() {
    let place = Place::new();
    let mut follower = place.follower();
    place.append("kpi.jtl", &format!("{HEADER}{}", row(1)));
    look(&mut follower);
    let (state, _) = checkpoint(&mut follower);
    for length in 0..state.len() {
        assert!(Follower::resume(place.work(), &[Engine::Locust], &state[..length]).is_err(), "{length} bytes");
    }
}

proptest! {
    /// However often and wherever a follower is replaced by one that goes on from its checkpoint, the result is the same, and
    /// nothing before the offsets of the checkpoint is read again.
    #[test]
    fn going_on_from_a_checkpoint_is_as_never_having_stopped(
        cuts in prop::collection::vec((1_usize..400, 0_u8..4), 1..40),
        long in 0_usize..60,
    ) {
        let text: String = (0..60).map(|number| match number % 10 {
            _ if number == long => format!("2,1,\"{}\",GET,1,1,200,OK,true,0\n", "x".repeat(70_000)),
            0 => format!("{},1795578096824,\"a \"\"b\"\",\nc\",GET,{number},7,500,\"no,\",false,0\n", number % 7),
            5 => "nonsense\n".to_owned(),
            _ => row(u64::try_from(number).unwrap()),
        }).collect();
        let text = format!("{HEADER}{text}");
        let (place, undisturbed) = (Place::new(), Place::new());
        let mut follower = place.follower();
        let mut rest = text.as_str();
        for (cut, what) in cuts {
            // Some cuts are within the row that is too long.
            let (now, later) = rest.split_at((cut * if what == 0 { 100 } else { 1 }).min(rest.len()));
            place.append("kpi.jtl", now);
            rest = later;
            look(&mut follower);
            if what > 1 {
                let (state, consumed) = checkpoint(&mut follower);
                if let Some(consumed) = consumed.first() {
                    let file = OpenOptions::new().write(true).open(place.path("kpi.jtl")).unwrap();
                    file.write_all_at(&vec![0; usize::try_from(consumed.up_to).unwrap()], 0).unwrap();
                }
                follower = Follower::resume(place.work(), &[Engine::Locust], &state).unwrap();
            }
        }
        place.append("kpi.jtl", rest);
        undisturbed.append("kpi.jtl", &text);
        while look(&mut follower) {}
        let mut other = undisturbed.follower();
        while look(&mut other) {}
        let (one, other) = (follower.finish(), other.finish());
        let nonsense = if long % 10 == 5 { 5 } else { 6 };
        prop_assert_eq!(one.collection.overview.malformed_rows, nonsense + 1);
        prop_assert_eq!(&one.collection, &other.collection);
        prop_assert_eq!(one.series.encode(), other.series.encode());
        prop_assert_eq!(one.files, other.files);
    }


    /// However the engine's writes and our looks interleave, each row is counted once.
    #[test]
    fn every_row_is_counted_once(cuts in prop::collection::vec(1_usize..200, 1..40), looks in prop::collection::vec(any::<bool>(), 40)) {
        let rows: Vec<_> = (0..60).map(row).collect();
        let text = format!("{HEADER}{}", rows.concat());
        let place = Place::new();
        let mut follower = place.follower();
        let mut rest = text.as_str();
        for (cut, seen) in cuts.iter().zip(&looks) {
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            place.append("kpi.jtl", now);
            rest = later;
            if *seen {
                look(&mut follower);
            }
        }
        place.append("kpi.jtl", rest);
        while look(&mut follower) {}
        let tailed = follower.finish();
        prop_assert_eq!(requests(&tailed), 60);
        prop_assert_eq!(tailed.collection.overview.malformed_rows, 0);
    }
}
