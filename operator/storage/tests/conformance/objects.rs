//! Objects: conditional writes, verification before publication, reading.

use std::sync::Arc;

use volley_storage::documents::{DOCUMENT_VERSION, StopDecision, StopReason};
use volley_storage::objects::{BYTES, Creation, Decided, PutOptions, sha256_hex};
use volley_storage::{FailureClass, ObjectError};

use crate::place::{Place, noise};

const LIMIT: u64 = 64 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn of_32_writers_at_the_same_time_exactly_one_creates_the_object() {
    let place = Arc::new(Place::any().await);
    let key = place.key("decision");
    let writers = (0..32_u64).map(|writer| {
        let (place, key) = (Arc::clone(&place), key.clone());
        tokio::spawn(async move {
            // Half of them small (a row), half of them large (a file).
            let body = noise(writer, if writer % 2 == 0 { 100 } else { 100_000 });
            (body.clone(), place.objects.put_new(&key, body, BYTES, LIMIT).await.unwrap())
        })
    });
    let mut winners = Vec::new();
    let mut losers = Vec::new();
    for outcome in futures::future::join_all(writers).await {
        match outcome.unwrap() {
            (body, Creation::Created) => winners.push(body),
            (_, Creation::AlreadyThere(bytes)) => losers.push(bytes),
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(losers.len(), 31);
    assert!(losers.iter().all(|bytes| *bytes == winners[0]), "every loser reads the winner's bytes");
    Arc::into_inner(place).unwrap().clean().await;
}

#[tokio::test]
async fn a_write_that_is_repeated_because_its_answer_was_lost_counts_as_ours() {
    let place = Place::any().await;
    let key = place.key("manifest");
    assert_eq!(place.objects.put_new(&key, "mine", BYTES, LIMIT).await.unwrap(), Creation::Created);
    assert_eq!(place.objects.put_new(&key, "mine", BYTES, LIMIT).await.unwrap(), Creation::Created);
    let other = place.objects.put_new(&key, "other", BYTES, LIMIT).await.unwrap();
    assert_eq!(other, Creation::AlreadyThere("mine".into()));
    let error =
        place.objects.put(&key, "x", PutOptions { if_none_match: true, ..PutOptions::default() }).await.unwrap_err();
    assert!(matches!(error, ObjectError::PreconditionFailed { .. }), "{error}");
    place.clean().await;
}

#[tokio::test]
async fn a_document_is_decided_once_and_everybody_adopts_it() {
    let place = Place::any().await;
    let key = place.key("stop.json");
    let decision = |reason| StopDecision {
        version: DOCUMENT_VERSION,
        reason,
        message: "why".into(),
        at: "2026-11-25T10:00:00Z".parse().unwrap(),
    };
    let ours = place.objects.put_document_once(&key, &decision(StopReason::Requested)).await.unwrap();
    let Decided::Ours { sha256 } = ours else { panic!("{ours:?}") };
    let theirs = place.objects.put_document_once(&key, &decision(StopReason::Deleted)).await.unwrap();
    assert_eq!(theirs, Decided::Theirs { document: decision(StopReason::Requested), sha256: sha256.clone() });
    let read = place.objects.get_document::<StopDecision>(&key).await.unwrap();
    assert_eq!(read, Some((decision(StopReason::Requested), sha256.clone())));
    let verified: StopDecision = place.objects.get_document_verified(&key, &sha256).await.unwrap();
    assert_eq!(verified.reason, StopReason::Requested);
    let wrong = place.objects.get_document_verified::<StopDecision>(&key, &sha256_hex(b"x")).await.unwrap_err();
    assert!(matches!(wrong, ObjectError::DigestMismatch { .. }), "{wrong}");
    place.clean().await;
}

#[tokio::test]
async fn a_document_of_an_unknown_version_is_refused_by_name() {
    let place = Place::any().await;
    let key = place.key("stop.json");
    place.objects.put(&key, r#"{"version":7,"somethingNew":true}"#, PutOptions::default()).await.unwrap();
    let error = place.objects.get_document::<StopDecision>(&key).await.unwrap_err();
    assert!(error.to_string().contains("stop decision of version 7"), "{error}");
    assert!(error.to_string().contains(&place.objects.location(&key)), "{error}");
    assert_eq!(error.class(), FailureClass::Terminal);
    place.clean().await;
}

#[tokio::test]
async fn what_is_not_there_is_none_and_no_error() {
    let place = Place::any().await;
    let key = place.key("missing");
    assert_eq!(place.objects.get(&key, LIMIT).await.unwrap(), None);
    assert_eq!(place.objects.head(&key).await.unwrap(), None);
    assert!(matches!(place.objects.get_range(&key, 0..1).await.unwrap_err(), ObjectError::NotFound { .. }));
    place.objects.delete(&key).await.unwrap();
    place.clean().await;
}

#[tokio::test]
async fn an_object_is_read_as_it_was_written_with_type_size_and_etag() {
    let place = Place::any().await;
    for (name, size) in [("empty", 0), ("small", 1000), ("edge", 64 * 1024), ("over", 64 * 1024 + 1)] {
        let (key, body) = (place.key(name), noise(3, size));
        let options = PutOptions { content_type: "text/x-test", if_none_match: false };
        place.objects.put(&key, body.clone(), options).await.unwrap();
        let head = place.objects.head(&key).await.unwrap().unwrap();
        assert_eq!((head.size, head.content_type.as_deref()), (size as u64, Some("text/x-test")), "{name}");
        assert!(head.etag.starts_with('"') && head.modified.is_some(), "{head:?}");
        assert_eq!(place.objects.get(&key, LIMIT).await.unwrap().unwrap(), body, "{name}");
    }
    let date = place.objects.last_date().expect("answers carry a date");
    assert!(date.sent <= date.received);
    place.clean().await;
}

#[tokio::test]
async fn a_reader_never_takes_more_than_it_accepts() {
    let place = Place::any().await;
    let key = place.key("big");
    place.objects.put(&key, noise(1, 2000), PutOptions::default()).await.unwrap();
    let error = place.objects.get(&key, 1999).await.unwrap_err();
    assert!(matches!(error, ObjectError::TooLarge { limit: 1999, .. }), "{error}");
    place.clean().await;
}

#[tokio::test]
async fn a_range_gives_exactly_its_bytes() {
    let place = Place::any().await;
    for size in [1000, 200_000_usize] {
        let (key, body) = (place.key(&format!("range-{size}")), noise(5, size));
        place.objects.put(&key, body.clone(), PutOptions::default()).await.unwrap();
        assert_eq!(place.objects.get_range(&key, 0..10).await.unwrap(), &body[..10]);
        assert_eq!(place.objects.get_range(&key, 123..777).await.unwrap(), &body[123..777]);
        let behind = place.objects.get_range(&key, size as u64 - 5..size as u64 + 50).await.unwrap();
        assert_eq!(behind, &body[size - 5..], "a range may reach over the end");
        let after = place.objects.get_range(&key, size as u64..size as u64 + 1).await.unwrap_err();
        assert!(matches!(after, ObjectError::TooShort { .. }), "but not begin there: {after}");
    }
    place.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_20_mib_survives_both_ways_as_bytes_and_as_a_file() {
    let place = Place::any().await;
    let folder = tempfile::tempdir().unwrap();
    let body = noise(7, 20 * 1024 * 1024);
    place.objects.put(&place.key("bytes"), body.clone(), PutOptions::default()).await.unwrap();
    assert_eq!(place.objects.get(&place.key("bytes"), LIMIT).await.unwrap().unwrap(), body);
    let (source, target) = (folder.path().join("source"), folder.path().join("target"));
    std::fs::write(&source, &body).unwrap();
    place.objects.put_file(&place.key("file"), &source, BYTES).await.unwrap();
    let fetched = place.objects.get_to_file(&place.key("file"), &target, LIMIT).await.unwrap();
    assert_eq!((fetched.size, fetched.sha256), (body.len() as u64, sha256_hex(&body)));
    assert_eq!(std::fs::read(&target).unwrap(), body);
    place.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_above_64_mib_goes_up_in_parts_and_is_one_object() {
    let place = Place::any().await;
    let folder = tempfile::tempdir().unwrap();
    let body = noise(9, 65 * 1024 * 1024);
    let source = folder.path().join("source");
    std::fs::write(&source, &body).unwrap();
    place.objects.put_file(&place.key("parts"), &source, BYTES).await.unwrap();
    let target = folder.path().join("target");
    let fetched = place.objects.get_to_file(&place.key("parts"), &target, 2 * LIMIT).await.unwrap();
    assert_eq!(fetched.sha256, sha256_hex(&body));
    let middle = 16 * 1024 * 1024_usize;
    let around = middle as u64 - 5..middle as u64 + 5;
    let across = place.objects.get_range(&place.key("parts"), around).await.unwrap();
    assert_eq!(across, &body[middle - 5..middle + 5]);
    let head = place.objects.head(&place.key("parts")).await.unwrap().unwrap();
    assert!(head.etag.trim_matches('"').ends_with("-5"), "the ETag counts the parts: {}", head.etag);
    place.clean().await;
}

#[tokio::test]
async fn deleting_a_prefix_deletes_that_and_nothing_beside_it() {
    let place = Place::any().await;
    for name in ["run/1", "run/2/a", "run/2", "runner"] {
        place.objects.put(&place.key(name), name, PutOptions::default()).await.unwrap();
    }
    assert_eq!(place.objects.delete_prefix(&place.key("run/")).await.unwrap(), 3);
    assert_eq!(place.objects.delete_prefix(&place.key("run/")).await.unwrap(), 0);
    assert!(place.objects.get(&place.key("runner"), LIMIT).await.unwrap().is_some());
    for unsafe_prefix in ["", "/", "runs"] {
        let error = place.objects.delete_prefix(unsafe_prefix).await.unwrap_err();
        assert!(matches!(error, ObjectError::UnsafePrefix { .. }), "{error}");
    }
    place.clean().await;
}
