//! The collector with a simulated main container: what needs no Taurus, because only bytes and instants matter.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may fail loudly, their helpers too")]

mod scene;

use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use scene::{CHILD, RUN_UID, Scene, appears, until};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};
use volley_collector::{Settings, disk, run, run_with};
use volley_stats::{Engine, Limits, Parser, Recorder, file};
use volley_storage::documents::{Checkpoint, StopReason};
use volley_storage::objects::sha256_hex;

const HEADER: &str = "allThreads,timeStamp,label,method,elapsed,bytes,responseCode,responseMessage,success,Latency\n";

/// Rows with what makes parsing depend on its past: quotes, line ends within fields, failures, users that change.
fn rows(from: u64, count: u64) -> String {
    let mut text = String::new();
    for number in from..from + count {
        let (stamp, elapsed) = (1_795_578_096_000 + number / 2, 5 + number * 7_919 % 400);
        let answer = if number % 50 == 0 { "500,\"no \"\"good\"\",\nat all\",false" } else { "200,OK,true" };
        writeln!(text, "{},{stamp},\"page {}\",GET,{elapsed},512,{answer},0", 1 + number % 97, number % 37).unwrap();
    }
    text
}

/// What an uninterrupted reader makes of a file.
fn expected(text: &str) -> (Vec<u8>, Vec<u8>) {
    let (mut parser, mut recorder) = (Parser::new(Engine::Locust), Recorder::new(Limits::default()));
    parser.push(text.as_bytes(), &mut |sample| recorder.record(0, &sample)).unwrap();
    let (collection, series) = recorder.into_parts();
    (file::encode(&collection), series.encode())
}

/// Started by the tests of this file, as the process that is killed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "not a test of its own"]
async fn the_collector_itself() {
    assert!(std::env::var_os(CHILD).is_some(), "only the tests of this file start it");
    run(Settings::from_env().unwrap(), std::future::pending()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_killed_at_any_moment_counts_each_row_once() {
    let scene = Scene::new().await;
    let mut collector = scene.spawn();
    scene.open_the_gate().await;
    let (mut samples, mut text) = (scene.samples(), String::from(HEADER));
    samples.write_all(HEADER.as_bytes()).unwrap();
    let began = Instant::now();
    // Some kills come before the first checkpoint of a process, some after.
    let random = RandomState::new();
    let kill = |number: u64| Duration::from_millis(number * 6_000 + random.hash_one(number) % 6_000);
    let mut kills: Vec<_> = (0..3).map(kill).collect();
    println!("killed after {kills:?}");
    let (mut number, mut resumed) = (0, 0);
    while began.elapsed() < Duration::from_secs(19) {
        let more = rows(number, 50);
        number += 50;
        // The file is seen with half rows at its end.
        let (one, two) = more.split_at(more.len() / 2 + usize::try_from(number % 13).unwrap());
        for piece in [one, two] {
            samples.write_all(piece.as_bytes()).unwrap();
            text.push_str(piece);
            sleep(Duration::from_millis(5)).await;
        }
        if kills.first().is_some_and(|kill| began.elapsed() > *kill) {
            kills.remove(0);
            collector.kill().unwrap();
            collector.wait().unwrap();
            resumed += u32::from(forget_what_the_checkpoint_covers(&scene));
            collector = scene.spawn();
        }
    }
    let manifest = scene.end().await;
    println!("{number} rows, {resumed} restarts from a checkpoint");
    let (histograms, series) = expected(&text);
    assert_eq!(manifest.counters.requests, number);
    assert_eq!(manifest.sample_files.len(), 1);
    assert_eq!((manifest.sample_files[0].engine, manifest.sample_files[0].samples), (Some(Engine::Locust), number));
    assert_eq!(scene.object("histograms").await, histograms);
    assert_eq!(scene.object("series").await, series);
    assert_eq!(manifest.objects["series"].sha256, sha256_hex(&series));
    assert!(manifest.warnings.iter().all(|warning| warning.contains("were planned")), "{:?}", manifest.warnings);
    collector.kill().unwrap();
    collector.wait().unwrap();
}

/// Overwrites the rows that a restarted collector must not need: as a hole would. False: there is no checkpoint yet.
fn forget_what_the_checkpoint_covers(scene: &Scene) -> bool {
    let Ok(state) = std::fs::read(scene.control(".checkpoint")) else { return false };
    let state = String::from_utf8_lossy(&state);
    let offset = state.split("\"offset\":").nth(1).unwrap().split(',').next().unwrap().parse::<usize>().unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(scene.work("artifacts/kpi.jtl")).unwrap();
    file.write_all_at(&vec![0; offset], 0).unwrap();
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_vanishes_leaves_a_whole_checkpoint() {
    let scene = Scene::new().await;
    let mut collector = scene.spawn();
    // There when the first checkpoint is due, which is at once.
    let text = format!("{HEADER}{}", rows(0, 1_000));
    scene.samples().write_all(text.as_bytes()).unwrap();
    scene.open_the_gate().await;
    let key = scene.attempt.checkpoint(RUN_UID);
    let mut checkpoint = None;
    for _ in 0..3_000 {
        sleep(Duration::from_millis(10)).await;
        checkpoint = scene.objects.get_document::<Checkpoint>(&key).await.unwrap();
        if checkpoint.is_some() {
            break;
        }
    }
    collector.kill().unwrap();
    collector.wait().unwrap();
    let (Checkpoint { slot, manifest, .. }, _) = checkpoint.expect("a checkpoint");
    assert!(!manifest.complete);
    assert_eq!(manifest.counters.requests, 1_000);
    assert!(manifest.released_at.is_some());
    assert_eq!(manifest.warnings, Vec::<String>::new());
    assert_eq!(manifest.objects.keys().collect::<Vec<_>>(), ["histograms", "series"]);
    for (name, digest) in &manifest.objects {
        let key = scene.attempt.checkpoint_object(RUN_UID, slot, name);
        let bytes = scene.objects.get_verified(&key, &digest.sha256, digest.size).await.unwrap();
        assert_eq!(bytes.len() as u64, digest.size);
        if name == "histograms" {
            assert_eq!(file::decode(&bytes).unwrap().total().requests(), manifest.counters.requests);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_nearly_full_stops_the_load_and_keeps_the_results() {
    let scene = Scene::new().await;
    let (sender, receiver) = oneshot::channel::<()>();
    let shutdown = async move { receiver.await.unwrap_or_default() };
    let collector = tokio::spawn(run_with(
        scene.settings(),
        scene.storage.objects_of_run(RUN_UID),
        |work| Ok(if work.join("artifacts/kpi.jtl").exists() { disk::TOO_LITTLE - 1 } else { disk::TOO_LITTLE }),
        shutdown,
    ));
    scene.open_the_gate().await;
    sleep(Duration::from_secs(2)).await;
    assert!(!scene.control("stop.json").exists(), "stopped at the limit");
    let text = format!("{HEADER}{}", rows(0, 1_000));
    scene.samples().write_all(text.as_bytes()).unwrap();
    appears(scene.control("stop.json")).await;
    let stop = std::fs::read_to_string(scene.control("stop.json")).unwrap();
    assert!(stop.contains("DiskFull") && stop.contains("255 MiB"), "{stop}");
    let manifest = scene.end().await;
    assert_eq!((manifest.stopped, manifest.complete), (Some(StopReason::DiskFull), false));
    assert_eq!(manifest.counters.requests, 1_000);
    assert!(manifest.warnings.iter().any(|warning| warning.contains("nearly full")), "{:?}", manifest.warnings);
    sender.send(()).unwrap();
    until("the collector ends", || collector.is_finished()).await;
    collector.await.unwrap().unwrap();
}
