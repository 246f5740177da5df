//! The histogram file: round trips, ranges, damage.

use proptest::prelude::*;
use volley_stats::file::{self, FileError, Index, TAIL_BYTES, Tail, Writer};
use volley_stats::statistics::LabelKey;
use volley_stats::{Collection, Limits, Recorder, Sample, SampleKind};

use crate::generators::{TIGHT, record, samples};

fn slice(file: &[u8], range: std::ops::Range<u64>) -> &[u8] {
    &file[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]
}

fn tail(file: &[u8]) -> Result<Tail, FileError> {
    Tail::read(file.len() as u64, &file[file.len().saturating_sub(TAIL_BYTES)..])
}

fn keys(collection: &Collection) -> Vec<LabelKey> {
    [SampleKind::Request, SampleKind::Transaction]
        .into_iter()
        .flat_map(|kind| collection.labels(kind).keys().map(move |name| LabelKey { kind, name: name.clone() }))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_collection_comes_back_from_its_bytes(samples in samples(60), tight in any::<bool>()) {
        let collection = record(&samples, if tight { TIGHT } else { Limits::default() });
        let bytes = file::encode(&collection);
        prop_assert_eq!(file::decode(&bytes).unwrap(), collection);
    }

    #[test]
    fn writing_label_by_label_gives_the_same_bytes(samples in samples(60)) {
        let collection = record(&samples, Limits::default());
        let mut writer = Writer::new(Vec::new()).unwrap();
        for key in keys(&collection) {
            writer.label(&key, &collection.labels(key.kind)[&key.name]).unwrap();
        }
        let bytes = writer.finish(&collection.overview, &collection.errors).unwrap();
        prop_assert_eq!(bytes, file::encode(&collection));
    }

    #[test]
    fn reading_a_few_labels_at_a_time_gives_the_whole(samples in samples(60), step in 1_usize..5) {
        let collection = record(&samples, Limits::default());
        let bytes = file::encode(&collection);
        let tail = tail(&bytes).unwrap();
        let index = tail.read_index(slice(&bytes, tail.index_range())).unwrap();
        let errors = tail.read_errors(slice(&bytes, tail.errors_range())).unwrap();
        let mut read = Collection { overview: tail.overview.clone(), errors, ..Collection::default() };
        for keys in keys(&collection).chunks(step) {
            let entries = index.between(&keys[0], &keys[keys.len() - 1]);
            prop_assert_eq!(entries.len(), keys.len());
            for label in file::read_labels(entries, slice(&bytes, Index::range(entries).unwrap())) {
                let (key, label) = label.unwrap();
                read.merge_label(key.kind, &key.name, &label);
            }
        }
        prop_assert_eq!(read, collection);
    }

    #[test]
    fn damaged_bytes_are_an_error_or_another_collection_but_never_a_panic(
        samples in samples(20),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = file::encode(&record(&samples, TIGHT));
        for (place, value) in damage {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if let Ok(collection) = file::decode(&bytes) {
            prop_assert_eq!(file::decode(&file::encode(&collection)).unwrap(), collection);
        }
    }

    #[test]
    fn cut_bytes_are_an_error(samples in samples(20), place in any::<proptest::sample::Index>()) {
        let bytes = file::encode(&record(&samples, Limits::default()));
        prop_assert!(file::decode(&bytes[..place.index(bytes.len())]).is_err());
    }

    #[test]
    fn any_bytes_are_no_collection(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(file::decode(&bytes).is_err());
    }
}

#[test]
fn an_empty_collection_has_no_labels_and_no_ranges_to_read() {
    let bytes = file::encode(&Collection::default());
    let tail = tail(&bytes).unwrap();
    assert_eq!((tail.labels(), tail.errors_range().is_empty()), (0, true));
    let index = tail.read_index(slice(&bytes, tail.index_range())).unwrap();
    assert_eq!(Index::range(index.entries()), None);
    assert_eq!(file::decode(&bytes).unwrap(), Collection::default());
}

#[test]
fn labels_out_of_order_are_refused_by_the_writer() {
    let key = |name: &str| LabelKey { kind: SampleKind::Request, name: name.into() };
    let mut writer = Writer::new(Vec::new()).unwrap();
    let label = volley_stats::LabelStatistics::default();
    writer.label(&key("b"), &label).unwrap();
    let message = writer.label(&key("a"), &label).unwrap_err().to_string();
    assert!(message.contains("label 'a' must be written before"), "{message}");
    assert!(writer.label(&key("b"), &label).is_err(), "twice the same");
}

#[test]
fn other_objects_and_versions_are_named() {
    let good = file::encode(&Collection::default());
    let version_at = good.len() - 12;
    for (at, expected) in
        [(0, "its beginning is not"), (good.len() - 1, "its end is not"), (version_at, "has version 0")]
    {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        let message = file::decode(&bytes).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    let mut longer = good.clone();
    longer.insert(8, 0);
    assert_eq!(file::decode(&longer), Err(FileError::Size { actual: good.len() as u64 + 1 }));
    assert_eq!(file::decode(b""), Err(FileError::Magic { place: "end" }));
}

/// Two requests: `a` with the codes 200 and 500 among its successes, `b` with one success.
fn two_labels() -> Collection {
    let mut recorder = Recorder::new(Limits::default());
    for (label, code) in [("a", "200"), ("a", "500"), ("b", "200")] {
        recorder.record(
            0,
            &Sample {
                kind: SampleKind::Request,
                label,
                start_us: 0,
                end_us: 5_000,
                elapsed_us: 5_000,
                first_byte_us: Some(1_000),
                connect_us: None,
                bytes: Some(3),
                code,
                message: "",
                success: true,
                active_users: None,
            },
        );
    }
    recorder.into_collection()
}

#[test]
fn contradictions_are_refused_with_the_label_and_the_problem() {
    let good = file::encode(&two_labels());
    // Offsets in the layout of the module's documentation; the body begins with the record of `a`.
    let record = 8;
    let index = usize::try_from(tail(&good).unwrap().index_range().start).unwrap();
    let histogram = good.windows(4).position(|window| window == [0x1c, 0x84, 0x93, 0x13]).unwrap();
    let codes = good.windows(3).position(|window| window == b"200").unwrap();
    for (at, bytes, expected) in [
        (record, &[3][..], "label 'a' is contradictory: an outcome is marked neither 0 nor 1 nor 2"),
        (record + 1, &[0, 0][..], "label 'a' is contradictory: its sum does not fit"),
        (record + 33, &[3][..], "label 'a' is contradictory: more samples were measured in detail than there are"),
        (record + 41, &[0x10][..], "label 'a' is contradictory: its minimum and maximum do not fit its histogram"),
        (
            record + 49,
            &[0xff, 0xff][..],
            "label 'a' is contradictory: its minimum and maximum do not fit its histogram",
        ),
        (record + 57, &[9][..], "label 'a' is contradictory: more samples were measured in detail than there are"),
        (histogram, &[0][..], "label 'a': histogram begins with 0x00849313"),
        (codes, b"900", "label 'a' is contradictory: its response codes are not in order"),
        (index, &[1][..], "the index is contradictory: its labels are not in order"),
        (index, &[2][..], "the index is contradictory: a label is neither request nor transaction"),
        (index + 5, b"c", "the index is contradictory: its labels are not in order"),
        (index + 5, b"\xff", "the index holds a text that is not UTF-8"),
        (index + 6, &[0xff; 8][..], "the index is contradictory: a record is longer than any file"),
        (index + 6, &[1][..], "the index is contradictory: its records do not fill the file"),
    ] {
        let mut bad = good.clone();
        bad[at..at + bytes.len()].copy_from_slice(bytes);
        assert_ne!(bad, good, "{expected}");
        let message = file::decode(&bad).unwrap_err().to_string();
        assert!(message.contains(expected), "{message} instead of {expected}");
    }
}
