//! What a recorder makes of samples, within the bounds of a worker.

use proptest::prelude::*;
use volley_stats::series::{Bounds, SeriesSum};
use volley_stats::statistics::OTHER;
use volley_stats::{Collection, Limits, Recorder, Sample, SampleKind, file};

use crate::generators::{TIGHT, dense_samples};

fn request(label: &str) -> Sample<'_> {
    Sample {
        kind: SampleKind::Request,
        label,
        start_us: 1_000_000,
        end_us: 1_500_000,
        elapsed_us: 500_000,
        first_byte_us: None,
        connect_us: None,
        bytes: Some(7),
        code: "200",
        message: "OK",
        success: true,
        active_users: None,
    }
}

#[test]
fn labels_beyond_the_bound_share_one_visible_row() {
    let mut recorder = Recorder::new(Limits { labels: 2, ..Limits::default() });
    for label in ["a", "b", "c", "d", "a", "c"] {
        recorder.record(0, &request(label));
    }
    let collection = recorder.into_collection();
    let counts: Vec<_> = collection.requests.iter().map(|(name, label)| (&**name, label.requests())).collect();
    assert_eq!(counts, [(OTHER, 3), ("a", 2), ("b", 1)]);
    assert_eq!(collection.overview.folded_label_samples, 3);
    assert_eq!(collection.total().requests(), 6);
}

#[test]
fn a_label_is_a_lower_bound_only_where_a_worker_folded_it() {
    let mut folding = Recorder::new(Limits { labels: 2, ..Limits::default() });
    for label in ["a", "b", "c"] {
        folding.record(0, &request(label));
    }
    let mut whole = Recorder::new(Limits::default());
    for label in ["b", "c"] {
        whole.record(0, &request(label));
    }
    let mut merged = whole.into_collection();
    assert!(!merged.overview.has_folded_labels());
    merged.merge(&folding.collection());
    assert!(merged.overview.has_folded_labels());
    let lower_bounds: Vec<_> = merged
        .requests
        .iter()
        .filter(|(name, label)| merged.overview.is_lower_bound(name, label))
        .map(|(name, _)| &**name)
        .collect();
    // `c` was folded by one worker, into `[other]`.
    assert_eq!(lower_bounds, ["c"]);
}

#[test]
fn transactions_count_towards_the_bound_and_have_their_own_other_row() {
    let mut recorder = Recorder::new(Limits { labels: 1, ..Limits::default() });
    recorder.record(0, &request("a"));
    recorder.record(0, &Sample { kind: SampleKind::Transaction, ..request("a") });
    recorder.record(0, &request("b"));
    let collection = recorder.into_collection();
    assert_eq!(collection.requests.keys().map(|name| &**name).collect::<Vec<_>>(), [OTHER, "a"]);
    assert_eq!(collection.transactions.keys().map(|name| &**name).collect::<Vec<_>>(), [OTHER]);
    assert_eq!(collection.total().requests(), 2);
}

#[test]
fn error_groups_beyond_the_bound_share_one_visible_row() {
    let mut recorder = Recorder::new(Limits { error_groups: 2, ..Limits::default() });
    for message in ["one", "two", "three", "four", "one"] {
        recorder.record(0, &Sample { success: false, code: "500", message, ..request("a") });
    }
    let collection = recorder.into_collection();
    let groups: Vec<_> = collection.errors.largest(10).iter().map(|(key, count)| (&*key.message, *count)).collect();
    assert_eq!(groups, [(OTHER, 2), ("one", 2), ("two", 1)]);
    assert_eq!(collection.overview.folded_error_samples, 2);
}

#[test]
fn codes_beyond_the_bound_share_one_row_of_the_label() {
    let mut recorder = Recorder::new(Limits { codes_per_label: 1, ..Limits::default() });
    for code in ["200", "201", "202", "200"] {
        recorder.record(0, &Sample { code, ..request("a") });
    }
    let label = &recorder.collection().requests["a"];
    assert_eq!(label.codes, [("200".into(), 2), (OTHER.into(), 2)].into());
}

#[test]
fn long_texts_are_cut_at_a_character_and_counted() {
    let mut recorder = Recorder::new(Limits { label_bytes: 8, message_bytes: 8, ..Limits::default() });
    recorder.record(0, &Sample { success: false, message: "ääääääää", ..request("12345678") });
    recorder.record(0, &request("123456789"));
    let collection = recorder.into_collection();
    assert_eq!(collection.requests.keys().map(|name| &**name).collect::<Vec<_>>(), ["12345678", "12345…"]);
    assert_eq!(collection.overview.shortened_label_samples, 1);
    assert_eq!(&*collection.errors.iter().next().unwrap().0.message, "ää…");
}

#[test]
fn users_are_the_sum_of_each_execution_s_maximum() {
    let mut recorder = Recorder::new(Limits::default());
    for (execution, users) in [(0, 3), (1, 10), (0, 5), (1, 2), (0, 4)] {
        recorder.record(execution, &Sample { active_users: Some(users), ..request("a") });
    }
    assert_eq!(recorder.collection().overview.peak_users, 15);
    recorder.record(usize::MAX, &Sample { active_users: Some(1), ..request("a") });
    assert_eq!(recorder.collection().overview.peak_users, 16);
}

#[test]
fn interrupted_samples_are_outside_errors_percentiles_rate_and_interval() {
    let mut recorder = Recorder::new(Limits::default());
    recorder.record(0, &request("a"));
    recorder.stop_at(2_000_000);
    recorder.stop_at(9_000_000);
    recorder.record(
        0,
        &Sample {
            success: false,
            code: "SocketException",
            message: "Socket closed",
            end_us: 8_000_000,
            elapsed_us: 7_000_000,
            ..request("a")
        },
    );
    let collection = recorder.into_collection();
    let total = collection.total();
    assert_eq!((total.requests(), total.errors(), total.interrupted.count()), (1, 0, 1));
    assert_eq!(total.together().elapsed.maximum_us(), Some(500_000));
    assert_eq!(total.error_rate(), Some(0.0));
    assert!(collection.errors.is_empty());
    assert_eq!(collection.overview.interval_us(), Some(500_000));
    assert_eq!(collection.request_rate(), Some(2.0));
}

#[test]
fn bytes_are_unknown_where_the_engine_does_not_tell_them_of_every_request() {
    let mut recorder = Recorder::new(Limits::default());
    recorder.record(0, &request("a"));
    recorder.record(0, &request("b"));
    recorder.record(0, &Sample { bytes: None, success: false, code: "500", ..request("b") });
    let collection = file::decode(&recorder.encode_collection()).unwrap();
    assert_eq!((collection.requests["a"].bytes(), collection.requests["b"].bytes()), (Some(7), None));
    assert_eq!(collection.total().bytes(), None);
    assert_eq!(Recorder::new(Limits::default()).into_collection().total().bytes(), Some(0));
}

#[test]
fn rates_of_nothing_are_absent() {
    let collection = Recorder::new(Limits::default()).into_collection();
    assert_eq!((collection.request_rate(), collection.overview.interval_us()), (None, None));
    assert_eq!(collection.total().error_rate(), None);
    let mut recorder = Recorder::new(Limits::default());
    recorder.record(0, &Sample { end_us: 1_000_000, elapsed_us: 0, ..request("a") });
    assert_eq!(recorder.collection().request_rate(), None, "an interval of 0 µs has no rate");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn many_alike_samples_are_the_sum_of_each_recorded_by_itself(all in dense_samples(700)) {
        let mut recorder = Recorder::new(Limits::default());
        let (mut collection, mut series) = (Collection::default(), SeriesSum::new(Bounds::WORKER));
        for sample in &all {
            recorder.record(0, &sample.borrow());
            let mut alone = Recorder::new(Limits::default());
            alone.record(0, &sample.borrow());
            let (one, course) = alone.into_parts();
            collection.merge(&one);
            series.add(&course);
        }
        prop_assert_eq!(recorder.encode_collection(), file::encode(&collection));
        prop_assert_eq!(recorder.encode_series(), series.finish().encode());
    }

    #[test]
    fn what_was_asked_for_in_between_changes_nothing(all in dense_samples(120)) {
        let limits = Limits { codes_per_label: 1, ..TIGHT };
        let (mut undisturbed, mut asked) = (Recorder::new(limits), Recorder::new(limits));
        for sample in &all {
            undisturbed.record(0, &sample.borrow());
            asked.record(0, &sample.borrow());
            let _ = asked.encode_collection();
        }
        prop_assert_eq!(undisturbed.checkpoint(), asked.checkpoint());
    }
}
