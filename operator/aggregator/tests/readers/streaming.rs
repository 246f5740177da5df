//! The stream over HTTP.

use serde_json::Value;
use volley_storage::documents::LiveCourse;

use super::event_stream::{EventStream, get};
use super::seconds::Played;

async fn kinds_and_ids(stream: &mut EventStream, count: usize) -> Vec<(String, Option<i64>)> {
    let mut found = Vec::new();
    for _ in 0..count {
        let event = stream.next().await.unwrap();
        found.push((event.kind, event.id));
    }
    found
}

fn named(kind: &str, ids: impl IntoIterator<Item = i64>) -> Vec<(String, Option<i64>)> {
    ids.into_iter().map(|id| (kind.to_owned(), Some(id))).collect()
}

#[tokio::test]
async fn a_reader_who_comes_late_gets_the_course_so_far_then_each_frame_and_the_end() {
    let mut run = Played::start().await;
    (1..=3).for_each(|second| run.close(second));
    let mut stream = EventStream::open(run.address, None).await;
    assert_eq!(stream.status, 200);
    let first = stream.next().await.unwrap();
    assert_eq!((first.kind.as_str(), first.id), ("series", Some(3)));
    let course: LiveCourse = serde_json::from_str(&first.data).unwrap();
    assert_eq!(course.last.unwrap().seq, 3);

    run.close(4);
    let event = stream.next().await.unwrap();
    assert_eq!((event.kind.as_str(), event.id), ("frame", Some(4)));
    let frame: Value = serde_json::from_str(&event.data).unwrap();
    assert_eq!((&frame["second"], &frame["totals"]["requests"]), (&4.into(), &4.into()));

    run.close(5);
    run.end().await;
    assert_eq!(kinds_and_ids(&mut stream, 2).await, [named("frame", [5]), vec![("end".into(), None)]].concat());
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn a_reader_who_comes_before_the_first_second_gets_an_empty_course_and_then_frames() {
    let mut run = Played::start().await;
    let mut stream = EventStream::open(run.address, None).await;
    let first = stream.next().await.unwrap();
    assert_eq!((first.kind.as_str(), first.id), ("series", None));
    run.close(1);
    assert_eq!(kinds_and_ids(&mut stream, 1).await, named("frame", [1]));
    run.end().await;
}

#[tokio::test]
async fn a_reader_who_comes_back_gets_what_it_missed_or_the_course_anew() {
    let mut run = Played::start().await;
    (1..=30).for_each(|second| run.close(second));
    let mut back = EventStream::open(run.address, Some(12)).await;
    assert_eq!(kinds_and_ids(&mut back, 18).await, named("frame", 13..=30));
    for unknown in [0, 31] {
        let mut stranger = EventStream::open(run.address, Some(unknown)).await;
        assert_eq!(kinds_and_ids(&mut stranger, 1).await, named("series", [30]));
    }
    run.end().await;
}

#[tokio::test]
async fn a_reader_who_never_reads_does_not_hold_up_the_end() {
    let mut run = Played::start().await;
    let _idle = EventStream::open(run.address, None).await;
    (1..=2000).for_each(|second| run.close(second));
    tokio::time::timeout(std::time::Duration::from_secs(9), run.end()).await.unwrap();
}

#[tokio::test]
async fn the_course_is_also_there_without_a_stream() {
    let mut run = Played::start().await;
    run.close(7);
    let (status, body) = get(run.address, "/v1/frames").await;
    assert_eq!(status, 200);
    let course: LiveCourse = serde_json::from_str(&body).unwrap();
    assert_eq!((course.run.as_str(), course.last.unwrap().second), ("run-uid", 7));
    assert_eq!(get(run.address, "/healthz").await, (200, "ok\n".into()));
    assert_eq!(get(run.address, "/").await.0, 404);
    run.end().await;
}
