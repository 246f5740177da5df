//! Who may do what, and that nothing unverified becomes visible.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, Credentials, Region};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use volley_storage::objects::{BYTES, PutOptions, sha256_hex};
use volley_storage::{FailureClass, KeyPair, ObjectError, ObjectStore, keys};

use crate::place::{Place, noise};

/// A bare client with the given keys; `None`: those of the place.
pub(crate) async fn client(place: &Place, given: Option<&KeyPair>) -> Client {
    let endpoint = place.settings.s3_endpoint.clone();
    let keys = given.cloned().or_else(|| endpoint_keys(place));
    let config =
        aws_config::defaults(aws_config::BehaviorVersion::latest()).region(Region::new(place.settings.region.clone()));
    let config = match keys {
        Some(keys) => {
            config.credentials_provider(Credentials::new(keys.access_key, keys.secret_key, None, None, "test"))
        }
        None => config,
    };
    let mut builder = Builder::from(&config.load().await);
    if let Some(endpoint) = endpoint {
        builder = builder.endpoint_url(endpoint).force_path_style(true);
    }
    Client::from_conf(builder.build())
}

fn endpoint_keys(place: &Place) -> Option<KeyPair> {
    place.is_embedded().then(|| place.server().root_keys())
}

#[tokio::test]
async fn a_body_with_a_wrong_checksum_is_refused_and_never_visible() {
    let place = Place::any().await;
    let client = client(&place, None).await;
    for size in [100, 200_000_usize] {
        for kind in ["crc32", "md5", "sha256"] {
            let key = place.key(&format!("wrong-{kind}-{size}"));
            let put =
                client.put_object().bucket(&place.settings.bucket).key(&key).body(ByteStream::from(noise(1, size)));
            let put = match kind {
                "crc32" => put.checksum_crc32("AAAAAA=="),
                "sha256" => put.checksum_sha256("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
                _ => put.content_md5("AAAAAAAAAAAAAAAAAAAAAA=="),
            };
            let error = put.send().await.unwrap_err();
            assert_eq!(error.raw_response().unwrap().status().as_u16(), 400, "{kind} {size}: {:?}", error.code());
            assert!(place.objects.head(&key).await.unwrap().is_none(), "{kind} {size} became visible");
        }
    }
    place.clean().await;
}

#[tokio::test]
async fn a_wrong_checksum_leaves_the_object_that_was_there() {
    let place = Place::any().await;
    let client = client(&place, None).await;
    let key = place.key("kept");
    place.objects.put(&key, "first", PutOptions::default()).await.unwrap();
    let put = client.put_object().bucket(&place.settings.bucket).key(&key).body(ByteStream::from_static(b"second"));
    assert!(put.checksum_crc32("AAAAAA==").send().await.is_err());
    assert_eq!(place.objects.get(&key, 100).await.unwrap().unwrap(), "first");
    place.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_appears_only_with_its_last_byte_and_never_when_the_writer_dies() {
    let place = Place::any().await;
    for (name, dies) in [("lives", false), ("dies", true)] {
        let key = place.key(name);
        let half = noise(2, 512 * 1024);
        let (sender, receiver) = futures::channel::mpsc::unbounded();
        let body = http_body_util::StreamBody::new(receiver);
        let put = client(&place, None).await.put_object().bucket(&place.settings.bucket).key(&key);
        let put = put.content_length(2 * 512 * 1024).body(ByteStream::from_body_1_x(body));
        let upload = tokio::spawn(put.send());
        let frame = |half: &[u8]| Ok::<_, std::io::Error>(http_body::Frame::data(bytes::Bytes::copy_from_slice(half)));
        sender.unbounded_send(frame(&half)).unwrap();
        // Long enough for the first half to arrive.
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        assert!(!upload.is_finished());
        assert!(place.objects.head(&key).await.unwrap().is_none(), "half a body is visible");
        if dies {
            upload.abort();
            drop(sender);
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            assert!(place.objects.head(&key).await.unwrap().is_none(), "half a body is visible");
        } else {
            sender.unbounded_send(frame(&half)).unwrap();
            drop(sender);
            upload.await.unwrap().unwrap();
            assert_eq!(place.objects.head(&key).await.unwrap().unwrap().size, 2 * 512 * 1024);
        }
    }
    assert!(
        place
            .is_embedded()
            .then(|| std::fs::read_dir(place.folder().join("incoming")).unwrap().count())
            .is_none_or(|left| left == 0)
    );
    place.clean().await;
}

#[tokio::test]
async fn user_metadata_is_kept_and_given_back() {
    let place = Place::any().await;
    let client = client(&place, None).await;
    let key = place.key("metadata");
    let put = client.put_object().bucket(&place.settings.bucket).key(&key).body(ByteStream::from_static(b"x"));
    put.metadata("engine", "jmeter").content_encoding("zstd").send().await.unwrap();
    let head = client.head_object().bucket(&place.settings.bucket).key(&key).send().await.unwrap();
    assert_eq!(head.metadata().unwrap()["engine"], "jmeter");
    assert_eq!(head.content_encoding(), Some("zstd"));
    place.clean().await;
}

#[tokio::test]
async fn if_match_replaces_only_what_was_read() {
    let place = Place::any().await;
    let client = client(&place, None).await;
    let key = place.key("compare");
    place.objects.put(&key, "first", PutOptions::default()).await.unwrap();
    let etag = place.objects.head(&key).await.unwrap().unwrap().etag;
    let put = |etag: &str, body: &'static [u8]| {
        let put = client.put_object().bucket(&place.settings.bucket).key(&key).if_match(etag);
        put.body(ByteStream::from_static(body)).send()
    };
    put(&etag, b"second").await.unwrap();
    let stale = put(&etag, b"third").await.unwrap_err();
    assert_eq!(stale.raw_response().unwrap().status().as_u16(), 412);
    assert_eq!(place.objects.get(&key, 100).await.unwrap().unwrap(), "second");
    place.clean().await;
}

#[tokio::test]
async fn the_key_of_a_run_reaches_only_its_run() {
    let Some(place) = Place::embedded("the_key_of_a_run_reaches_only_its_run").await else { return };
    let (root, run) = (&place.objects, place.server().objects_of_run("run-1"));
    let script = keys::script(&sha256_hex(b"script"));
    let foreign = keys::definition("run-2");
    for key in [script.as_str(), &keys::definition("run-1"), &foreign, "uploads/shop/data.csv"] {
        root.put(key, "content", PutOptions::default()).await.unwrap();
    }
    let (attempt, options) = (attempt(), PutOptions::default());

    assert!(run.get(&script, 100).await.unwrap().is_some());
    assert!(run.head(&keys::definition("run-1")).await.unwrap().is_some());
    assert_eq!(run.get(&keys::start("run-1"), 100).await.unwrap(), None, "polling an absent decision is no error");
    run.put(&attempt.object("run-1", "histograms"), "h", options).await.unwrap();
    run.put_new(&attempt.manifest("run-1"), "m", BYTES, 100).await.unwrap();
    assert_eq!(run.list(&keys::run_prefix("run-1"), None, 10).await.unwrap().objects.len(), 3);

    denied(run.get(&foreign, 100).await);
    denied(run.head(&foreign).await);
    denied(run.get_range(&foreign, 0..1).await);
    denied(run.get("uploads/shop/data.csv", 100).await);
    denied(run.put(&foreign, "x", options).await);
    denied(run.put(&attempt.manifest("run-2"), "x", options).await);
    denied(run.put(&keys::start("run-1"), "x", options).await);
    denied(run.put(&keys::result("run-1"), "x", options).await);
    denied(run.put(&script, "x", options).await);
    denied(run.list("", None, 10).await);
    denied(run.list(&keys::run_prefix("run-2"), None, 10).await);
    denied(run.list("runs/v1/run-", None, 10).await);
    denied(run.delete(&attempt.manifest("run-1")).await);
    let bare = client(&place, Some(&place.server().run_keys("run-1"))).await;
    let bucket = place.settings.bucket.as_str();
    let multipart = bare.create_multipart_upload().bucket(bucket).key(&foreign).send().await.unwrap_err();
    assert_eq!(multipart.code(), Some("AccessDenied"));
    let copy = bare
        .copy_object()
        .bucket(bucket)
        .key(attempt.object("run-1", "copy"))
        .copy_source(format!("{bucket}/{foreign}"));
    assert!(copy.send().await.is_err(), "a copy would read another run");
    assert_eq!(bare.create_bucket().bucket("other").send().await.unwrap_err().code(), Some("AccessDenied"));
    assert_eq!(root.get(&foreign, 100).await.unwrap().unwrap(), "content");
    place.clean().await;
}

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_key_are_refused() {
    let Some(place) = Place::embedded("a_wrong_secret_and_an_unknown_key_are_refused").await else { return };
    let key = keys::definition("run-1");
    place.objects.put(&key, "content", PutOptions::default()).await.unwrap();
    let store = |access_key: &str, secret_key: &str| {
        let keys = KeyPair { access_key: access_key.into(), secret_key: secret_key.into() };
        ObjectStore::with_key(&place.settings, &keys)
    };
    let of_other_run = place.server().run_keys("run-2").secret_key;
    denied(store("run-1", &of_other_run).get(&key, 100).await);
    denied(store("volley", "not-the-root-key-at-all").get(&key, 100).await);
    denied(store("NOBODY", "x").get(&key, 100).await);
    place.clean().await;
}

#[tokio::test]
async fn anonymous_requests_are_refused_and_health_is_not() {
    let Some(place) = Place::embedded("anonymous_requests_are_refused_and_health_is_not").await else { return };
    place.objects.put(&place.key("secret"), "content", PutOptions::default()).await.unwrap();
    let address = place.settings.s3_endpoint.clone().unwrap();
    let object = format!("/{}/{}", place.settings.bucket, place.key("secret"));
    for (method, path) in [
        ("GET", object.as_str()),
        ("PUT", &object),
        ("DELETE", &object),
        ("GET", "/"),
        ("GET", "/volley-test?list-type=2"),
    ] {
        let answer = bare_request(&address, method, path, "").await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{method} {path}: {answer}");
        assert!(!answer.contains("content\n"), "{answer}");
    }
    let link = format!("{object}?AWSAccessKeyId=volley&Expires=4102444800&Signature=AAAA");
    assert!(bare_request(&address, "GET", &link, "").await.starts_with("HTTP/1.1 403"));
    assert!(bare_request(&address, "GET", "/healthz", "").await.starts_with("HTTP/1.1 200"));
    place.clean().await;
}

/// One HTTP request without any signature; the whole answer.
pub(crate) async fn bare_request(endpoint: &str, method: &str, path: &str, headers: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = endpoint.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}content-length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn attempt() -> keys::WorkerAttempt {
    keys::WorkerAttempt { target: "local".into(), index: 0, pod_uid: "pod".into() }
}

fn denied<T: std::fmt::Debug>(outcome: Result<T, ObjectError>) {
    let error = outcome.unwrap_err();
    assert!(matches!(error, ObjectError::Denied { .. }), "{error}");
    assert_eq!(error.class(), FailureClass::NeedsChange);
}
