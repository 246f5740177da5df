//! Restarts and crashes.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use volley_storage::embedded::{EmbeddedError, Server};
use volley_storage::objects::{BYTES, PutOptions};
use volley_storage::{KeyPair, ObjectStore, StorageSettings};

use crate::place::{Place, noise};

#[tokio::test]
async fn everything_survives_a_restart() {
    let Some(place) = Place::embedded("everything_survives_a_restart").await else { return };
    for (name, size) in [("small", 100), ("large", 300_000)] {
        place.objects.put(&place.key(name), noise(1, size), PutOptions::default()).await.unwrap();
    }
    let before = place.objects.list(&place.key(""), None, 10).await.unwrap();
    let place = place.restart().await;
    assert_eq!(place.objects.list(&place.key(""), None, 10).await.unwrap(), before);
    assert_eq!(place.objects.get(&place.key("large"), 1 << 20).await.unwrap().unwrap(), noise(1, 300_000));
    place.clean().await;
}

#[tokio::test]
async fn replaced_and_deleted_bodies_leave_no_files() {
    let Some(place) = Place::embedded("replaced_and_deleted_bodies_leave_no_files").await else { return };
    let files = |place: &Place| std::fs::read_dir(place.folder().join("files")).unwrap().count();
    for seed in 0..3 {
        place.objects.put(&place.key("large"), noise(seed, 100_000), PutOptions::default()).await.unwrap();
    }
    assert_eq!(files(&place), 1);
    place.objects.put(&place.key("large"), "small now", PutOptions::default()).await.unwrap();
    assert_eq!(files(&place), 0);
    place.clean().await;
}

#[tokio::test]
async fn a_folder_serves_one_process_at_a_time() {
    let Some(place) = Place::embedded("a_folder_serves_one_process_at_a_time").await else { return };
    let error = Server::start_on_free_ports(place.folder()).await.unwrap_err();
    assert!(matches!(error, EmbeddedError::InUse { .. }), "{error}");
    place.clean().await;
}

/// Not a test of its own: the process that the next test kills. It serves the folder that the variable names.
#[tokio::test(flavor = "multi_thread")]
async fn server_process_for_the_kill_test() {
    let Ok(folder) = std::env::var("VOLLEY_CONFORMANCE_SERVE") else { return };
    let server = Server::start_on_free_ports(std::path::Path::new(&folder)).await.unwrap();
    let (settings, keys) = (server.storage_settings(), server.root_keys());
    let (s3, dynamodb) = (settings.s3_endpoint.unwrap(), settings.dynamodb_endpoint.unwrap());
    println!("\nREADY {s3} {} {dynamodb}", keys.secret_key);
    // Longer than the test takes; the parent kills it.
    tokio::time::sleep(std::time::Duration::from_mins(1)).await;
}

fn serve_in_another_process(folder: &std::path::Path) -> (std::process::Child, ObjectStore) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "durability::server_process_for_the_kill_test", "--nocapture"])
        .env("VOLLEY_CONFORMANCE_SERVE", folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = lines.map(Result::unwrap).find(|line| line.starts_with("READY ")).unwrap();
    let mut words = ready.split(' ').skip(1).map(str::to_owned);
    let settings = StorageSettings {
        bucket: "volley-test".into(),
        s3_endpoint: words.next(),
        dynamodb_endpoint: None,
        table: "volley-test".into(),
        region: "us-east-1".into(),
    };
    let keys = KeyPair { access_key: "volley".into(), secret_key: words.next().unwrap() };
    (child, ObjectStore::with_key(&settings, &keys))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_of_writes_leaves_nothing_half_and_loses_nothing_that_was_answered() {
    if Place::embedded("a_kill_in_the_middle_of_writes").await.is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (mut child, objects) = serve_in_another_process(folder.path());
    let writers: Vec<_> = (0..8_u64)
        .map(|writer| {
            let objects = objects.clone();
            tokio::spawn(async move {
                let mut answered = Vec::new();
                for number in 0..10_000_u64 {
                    let (key, seed) = (format!("k/{writer}/{number}"), writer * 100_000 + number);
                    let size = if number % 2 == 0 { 500 } else { 400_000 };
                    match objects.put_new(&key, noise(seed, size), BYTES, 1 << 20).await {
                        Ok(_) => answered.push((key, seed, size)),
                        Err(_) => break,
                    }
                }
                answered
            })
        })
        .collect();
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    child.kill().unwrap();
    child.wait().unwrap();
    let mut answered = Vec::new();
    for writer in writers {
        answered.extend(writer.await.unwrap());
    }
    assert!(answered.len() > 8, "some writes were answered before the kill");

    let server = Server::start_on_free_ports(folder.path()).await.unwrap();
    let objects = server.objects();
    for (key, seed, size) in &answered {
        let read = objects.get(key, 1 << 20).await.unwrap().unwrap_or_else(|| panic!("{key} is lost"));
        assert_eq!(read, noise(*seed, *size), "{key}");
    }
    // What is visible without having been answered is whole as well.
    let visible = objects.list_all("k/", 100_000).await.unwrap();
    let mut large = 0;
    for object in &visible {
        assert!(object.size == 500 || object.size == 400_000, "{object:?}");
        let read = objects.get(&object.key, 1 << 20).await.unwrap().unwrap();
        assert_eq!(read.len() as u64, object.size);
        large += usize::from(object.size == 400_000);
    }
    assert_eq!(std::fs::read_dir(folder.path().join("files")).unwrap().count(), large, "no file without a row");
    assert_eq!(std::fs::read_dir(folder.path().join("incoming")).unwrap().count(), 0);
    server.stop().await;
}
