//! Listing: order, prefix, paging.

use volley_storage::ObjectError;
use volley_storage::objects::PutOptions;

use crate::place::Place;

async fn fill(place: &Place, names: &[&str]) {
    for name in names {
        place.objects.put(&place.key(name), "x", PutOptions::default()).await.unwrap();
    }
}

async fn names(place: &Place, prefix: &str, after: Option<&str>, limit: usize) -> (Vec<String>, bool) {
    let after = after.map(|after| place.key(after));
    let listing = place.objects.list(&place.key(prefix), after.as_deref(), limit).await.unwrap();
    let cut = place.own.len() + 1;
    (listing.objects.iter().map(|object| object.key[cut..].to_owned()).collect(), listing.truncated)
}

#[tokio::test]
async fn keys_come_in_the_order_of_their_bytes_and_only_below_the_prefix() {
    let place = Place::any().await;
    // `-` sorts before `/`, capitals before small letters, `ä` after all of ASCII.
    fill(&place, &["a/b", "a-b", "a/B", "a/ä", "a/b/c", "b", "a0", "a"]).await;
    let (all, truncated) = names(&place, "", None, 100).await;
    assert_eq!(all, ["a", "a-b", "a/B", "a/b", "a/b/c", "a/ä", "a0", "b"]);
    assert!(!truncated);
    assert_eq!(names(&place, "a/", None, 100).await.0, ["a/B", "a/b", "a/b/c", "a/ä"]);
    assert_eq!(names(&place, "a/b", None, 100).await.0, ["a/b", "a/b/c"], "a prefix may end inside a segment");
    place.clean().await;
}

#[tokio::test]
async fn a_key_and_keys_below_it_live_side_by_side() {
    let place = Place::any().await;
    fill(&place, &["workers/1", "workers/1/log", "workers/1/log/part"]).await;
    assert_eq!(names(&place, "workers/1", None, 100).await.0, ["workers/1", "workers/1/log", "workers/1/log/part"]);
    place.objects.delete(&place.key("workers/1/log")).await.unwrap();
    assert_eq!(names(&place, "workers/1", None, 100).await.0, ["workers/1", "workers/1/log/part"]);
    place.clean().await;
}

#[tokio::test]
async fn a_listing_goes_on_after_a_key_that_need_not_exist() {
    let place = Place::any().await;
    fill(&place, &["live/1", "live/2", "live/4"]).await;
    assert_eq!(names(&place, "live/", Some("live/2"), 100).await.0, ["live/4"]);
    assert_eq!(names(&place, "live/", Some("live/3"), 100).await.0, ["live/4"]);
    assert_eq!(names(&place, "live/", Some("live/4"), 100).await.0, Vec::<String>::new());
    place.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_page_comes_whole_once_and_in_order() {
    let place = Place::any().await;
    let expected: Vec<String> = (0..1203).map(|number| format!("m/{number:05}")).collect();
    for chunk in expected.chunks(50) {
        let writes = chunk.iter().map(|name| {
            let (objects, key) = (place.objects.clone(), place.key(name));
            async move { objects.put(&key, "x", PutOptions::default()).await.unwrap() }
        });
        futures::future::join_all(writes).await;
    }
    assert_eq!(names(&place, "m/", None, 10_000).await, (expected.clone(), false));
    assert_eq!(names(&place, "m/", None, 1203).await, (expected.clone(), false), "exactly as many as there are");
    assert_eq!(names(&place, "m/", None, 1100).await, (expected[..1100].to_vec(), true));
    let refused = place.objects.list_all(&place.key("m/"), 1202).await.unwrap_err();
    assert!(matches!(refused, ObjectError::TooManyObjects { limit: 1202, .. }), "{refused}");
    assert_eq!(place.objects.delete_prefix(&place.key("m/")).await.unwrap(), 1203);
    place.clean().await;
}

#[tokio::test]
async fn a_delimiter_folds_what_lies_below_into_common_prefixes_over_pages() {
    let place = Place::any().await;
    fill(&place, &["d/a/1", "d/a/2", "d/b", "d/c/1", "d/c/2", "d/c/3", "d/d"]).await;
    let client = crate::rights::client(&place, None).await;
    let mut seen = Vec::new();
    let mut token = None;
    loop {
        let answer = client
            .list_objects_v2()
            .bucket(&place.settings.bucket)
            .prefix(place.key("d/"))
            .delimiter("/")
            .max_keys(2)
            .set_continuation_token(token)
            .send()
            .await
            .unwrap();
        assert!(answer.contents().len() + answer.common_prefixes().len() <= 2);
        // An answer holds keys and common prefixes apart; together they are the page.
        let keys = answer.contents().iter().filter_map(|object| object.key());
        let mut page: Vec<_> = keys.chain(answer.common_prefixes().iter().filter_map(|one| one.prefix())).collect();
        page.sort_unstable();
        seen.extend(page.into_iter().map(str::to_owned));
        token = answer.next_continuation_token().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["d/a/", "d/b", "d/c/", "d/d"].map(|name| place.key(name)));
    place.clean().await;
}
