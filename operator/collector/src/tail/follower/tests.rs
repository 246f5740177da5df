use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use proptest::prelude::*;

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
        Follower::new(UntrustedFolder::open(self.folder.path()).unwrap(), Engine::Locust)
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
    assert_eq!(tailed.files, ["artifacts/kpi.jtl", "artifacts/kpi-1.jtl"]);
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
    assert!(tailed.warnings[0].contains("no column"), "{:?}", tailed.warnings);
}

proptest! {
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
