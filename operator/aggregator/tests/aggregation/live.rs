//! Live merging: of frames that come late, twice, in any order or never, and through the embedded storage.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams};
use proptest::prelude::*;
use tokio::time::timeout;
use volley_aggregator::Settings;
use volley_aggregator::feed::Outlets;
use volley_aggregator::live::{self, ClosedSecond, Live, LiveSeries, Merger, Outline};
use volley_api::LoadTestRun;
use volley_stats::frame::EncodedFrame;
use volley_stats::health::GeneratorLoad;
use volley_stats::{Frame, FrameRecorder, Percentile, Sample, SampleKind};
use volley_storage::documents::{self, ClosedWorker, LateWorkers, StartDecision};
use volley_storage::embedded::Server;
use volley_storage::keys::{self, WorkerAttempt};
use volley_storage::objects::PutOptions;

use crate::fixtures::{RUN, START_S, at, attempt, close, definition};
use crate::whole_runs::api_server_with_a_run;

const INTERVAL_S: u32 = 1;

fn outline(regions: &[(&str, u32)]) -> Outline {
    let workers = regions.iter().map(|(target, workers)| ((*target).to_owned(), *workers)).collect();
    Outline { workers, start_at: at(0), interval_s: INTERVAL_S }
}

/// Milliseconds after the start.
fn at_ms(milliseconds: i64) -> Timestamp {
    at(0) + SignedDuration::from_millis(milliseconds)
}

fn sample(label: &str, end_ms: i64, elapsed_us: u64, success: bool) -> Sample<'_> {
    let ended_us = START_S * 1_000_000 + end_ms * 1_000;
    Sample {
        kind: SampleKind::Request,
        label,
        start_us: ended_us - i64::try_from(elapsed_us).unwrap(),
        end_us: ended_us,
        elapsed_us,
        first_byte_us: None,
        connect_us: None,
        bytes: Some(7),
        code: if success { "200" } else { "500" },
        message: "",
        success,
        active_users: Some(5),
    }
}

/// One request: the second of its end, response time in microseconds, success, label.
type Known = (i64, u64, bool, &'static str);

/// The frames of a worker whose last requests of each second come one frame late, if `late`.
fn frames(requests: &[Known], seconds: i64, late: bool) -> Vec<Frame> {
    let mut recorder = FrameRecorder::new();
    recorder.begin(START_S);
    let mut frames = Vec::new();
    for second in 0..seconds {
        for (number, (_, elapsed_us, success, label)) in requests.iter().filter(|known| known.0 == second).enumerate() {
            let is_late = late && number % 3 == 2;
            if !is_late {
                recorder.record(0, &sample(label, second * 1_000 + 500, *elapsed_us, *success));
            }
        }
        frames.extend(recorder.close(START_S + second));
        for (number, (_, elapsed_us, success, label)) in requests.iter().filter(|known| known.0 == second).enumerate() {
            if late && number % 3 == 2 {
                recorder.record(0, &sample(label, second * 1_000 + 500, *elapsed_us, *success));
            }
        }
    }
    frames.extend(recorder.end(START_S + seconds));
    frames
}

fn add(merger: &mut Merger, attempt: &WorkerAttempt, frame: &Frame, now: Timestamp) {
    let bytes = frame.encode();
    merger.add(attempt, &EncodedFrame::read(&bytes).unwrap(), now);
}

fn close_all(merger: &mut Merger, now: Timestamp) -> Vec<ClosedSecond> {
    std::iter::from_fn(|| merger.close(now)).collect()
}

/// A frame without samples that closes seconds.
fn silent_frame(from: i64, through: i64, ended: bool) -> Frame {
    let (from, through) = (START_S + from, START_S + through);
    Frame { from, through, ended, left_out: 0, late: 0, load: None, seconds: BTreeMap::new() }
}

#[test]
fn a_closed_second_says_how_loaded_the_workers_are_and_what_came_late() {
    let mut merger = Merger::new(outline(&[("eu", 1), ("us", 1)]));
    let load =
        |cpu_ppm, saturated| Some(GeneratorLoad { cpu_ppm: Some(cpu_ppm), saturated, ..GeneratorLoad::default() });
    let calm = Frame { load: load(300_000, false), late: 2, ..silent_frame(0, 0, false) };
    let saturated = Frame { load: load(960_000, true), late: 1, ..silent_frame(0, 0, false) };
    add(&mut merger, &attempt("eu", 0), &calm, at_ms(1_400));
    add(&mut merger, &attempt("us", 0), &saturated, at_ms(1_400));
    add(&mut merger, &attempt("us", 0), &saturated, at_ms(1_500));
    let generators = merger.close(at_ms(1_500)).unwrap().generators;
    assert_eq!((generators.measured, generators.saturated, generators.late), (2, 1, 3), "each frame once");
    assert_eq!(generators.highest.cpu_ppm, Some(960_000));
    assert_eq!((generators.named[0].target.as_str(), generators.named[0].index), ("us", 0));
}

#[test]
fn a_second_is_closed_once_all_workers_have_told_of_it() {
    let mut merger = Merger::new(outline(&[("eu", 1), ("us", 1)]));
    add(&mut merger, &attempt("eu", 0), &silent_frame(0, 0, false), at_ms(1_400));
    assert_eq!(merger.close(at_ms(1_400)), None);
    add(&mut merger, &attempt("us", 0), &silent_frame(0, 0, false), at_ms(1_500));
    let closed = merger.close(at_ms(1_500)).unwrap();
    assert_eq!((closed.second, closed.workers.expected, closed.workers.reported), (START_S, 2, 2));
    assert_eq!(closed.regions.keys().collect::<Vec<_>>(), ["eu", "us"]);
    assert_eq!(merger.close(at_ms(2_400)), None, "nobody has told of the next");
}

#[test]
fn a_worker_that_is_missing_is_waited_for_as_long_as_the_interval_and_two_seconds() {
    let mut merger = Merger::new(outline(&[("eu", 2)]));
    add(&mut merger, &attempt("eu", 0), &silent_frame(0, 0, false), at_ms(1_400));
    assert_eq!(merger.close(at_ms(1_400)), None);
    assert_eq!(merger.close(at_ms(4_399)), None);
    let closed = merger.close(at_ms(4_400)).unwrap();
    assert_eq!((closed.workers.expected, closed.workers.reported), (2, 1));
    let behind = &closed.workers.behind[0];
    assert_eq!((behind.target.as_str(), behind.index, behind.newest), ("eu", 1, None));
}

#[test]
fn a_worker_whose_clock_is_five_seconds_ahead_makes_no_other_late() {
    let mut merger = Merger::new(outline(&[("eu", 3)]));
    let mut closed = Vec::new();
    for second in 0..20 {
        let now = at_ms(second * 1_000 + 1_400);
        for index in 0..3 {
            let second = if index == 0 { second + 5 } else { second };
            add(&mut merger, &attempt("eu", index), &silent_frame(second, second, false), now);
        }
        closed.extend(close_all(&mut merger, now));
    }
    assert_eq!(closed.len(), 20);
    assert!(closed.iter().all(|second| second.workers.reported == 3), "{closed:?}");
}

#[test]
fn a_worker_that_has_ended_or_is_silent_is_not_waited_for() {
    let mut merger = Merger::new(outline(&[("eu", 3)]));
    add(&mut merger, &attempt("eu", 0), &silent_frame(0, 0, true), at_ms(1_400));
    add(&mut merger, &attempt("eu", 1), &silent_frame(0, 0, false), at_ms(1_400));
    add(&mut merger, &attempt("eu", 2), &silent_frame(0, 0, false), at_ms(1_400));
    assert_eq!(close_all(&mut merger, at_ms(1_400)).len(), 1);
    // Only one of them goes on.
    for second in 1..20 {
        let now = at_ms(second * 1_000 + 1_400);
        add(&mut merger, &attempt("eu", 2), &silent_frame(second, second, false), now);
        close_all(&mut merger, now);
    }
    assert_eq!(merger.closed(), START_S + 19);
    add(&mut merger, &attempt("eu", 2), &silent_frame(20, 20, false), at_ms(21_400));
    let closed = merger.close(at_ms(21_400)).unwrap();
    assert_eq!((closed.workers.expected, closed.workers.reported), (1, 1));
}

#[test]
fn after_the_end_of_all_workers_there_is_no_further_second() {
    let mut merger = Merger::new(outline(&[("eu", 1)]));
    add(&mut merger, &attempt("eu", 0), &silent_frame(0, 4, true), at_ms(6_000));
    assert_eq!(close_all(&mut merger, at_ms(6_000)).len(), 5);
    assert_eq!(close_all(&mut merger, at_ms(600_000)), []);
}

#[test]
fn seconds_in_which_nobody_is_heard_are_closed_empty_and_the_run_goes_on() {
    let mut merger = Merger::new(outline(&[("eu", 1)]));
    let closed = close_all(&mut merger, at_ms(15_000));
    assert_eq!((closed.len(), closed[0].second), (4, START_S));
    assert!(closed.iter().all(|second| second.totals.is_empty() && second.workers.reported == 0));
    add(&mut merger, &attempt("eu", 0), &silent_frame(200, 200, false), at_ms(201_400));
    assert_eq!(close_all(&mut merger, at_ms(201_400)).last().unwrap().second, START_S + 189);
    add(&mut merger, &attempt("eu", 0), &silent_frame(200, 200, false), at_ms(201_400));
    assert_eq!(close_all(&mut merger, at_ms(212_400)).last().unwrap().second, START_S + 200);
}

#[test]
fn frames_of_a_clock_that_is_an_hour_ahead_disturb_nobody() {
    let mut merger = Merger::new(outline(&[("eu", 2)]));
    for second in 0..30 {
        let now = at_ms(second * 1_000 + 1_400);
        add(&mut merger, &attempt("eu", 0), &silent_frame(second, second, false), now);
        add(&mut merger, &attempt("eu", 1), &silent_frame(second + 3_600, second + 3_600, false), now);
        close_all(&mut merger, now);
    }
    assert!(merger.closed() >= START_S + 26, "{}", merger.closed() - START_S);
}

/// A run of an hour in which one frame in ten is late and one worker in three is silent now and then.
#[test]
fn memory_is_flat_over_an_hour() {
    let regions = [("eu", 3), ("us", 3)];
    let mut merger = Merger::new(outline(&regions));
    let mut sizes = Vec::new();
    for second in 0..3_900 {
        let now = at_ms(second * 1_000 + 1_400);
        for (target, workers) in regions {
            for index in (0..workers).filter(|index| (second + i64::from(*index)) % 10 != 0) {
                let mut recorder = FrameRecorder::new();
                recorder.begin(START_S + second);
                for number in 0..4_u32 {
                    let elapsed_us = 1_000 + 137 * u64::from(number + index) * (u64::try_from(second).unwrap() % 97);
                    recorder.record(0, &sample("home", second * 1_000 + 100, elapsed_us, number > 0));
                }
                add(&mut merger, &attempt(target, index), &recorder.close(START_S + second).unwrap(), now);
            }
        }
        close_all(&mut merger, now);
        if second % 300 == 299 {
            sizes.push(merger.checkpoint().unwrap().len());
        }
    }
    let series = merger.series();
    assert_eq!((series.step_seconds(), series.distribution_step_seconds()), (5, 30));
    // What grows after the first ten minutes are the figures alone: 20 bytes a second of each row.
    let (first, rest) = sizes.split_at(2);
    assert!(rest.iter().all(|size| *size < first[1] + 3_600 * 3 * 20), "{sizes:?}");
    assert!(merger.closed() >= START_S + 3_895);
}

/// How the frame of a worker travels: when it can be read first, and how often it is.
#[derive(Clone, Debug)]
struct Way {
    delay_ms: i64,
    times: usize,
}

#[derive(Clone, Debug)]
struct Worker {
    attempt: WorkerAttempt,
    frames: Vec<Frame>,
    ways: Vec<Way>,
}

const SECONDS: i64 = 12;

fn worker(target: &'static str, index: u32, punctual: bool) -> impl Strategy<Value = (Worker, Vec<Known>)> {
    let label = prop_oneof![Just("home"), Just("cart"), Just("pay")];
    let request = (0..SECONDS, 1_u64..5_000_000, prop::bool::weighted(0.8), label);
    let delay_ms = if punctual { 0_i64..600 } else { 0_i64..9_000 };
    let times = if punctual { 1_usize..4 } else { 0_usize..4 };
    let ways = prop::collection::vec((delay_ms, times).prop_map(|(delay_ms, times)| Way { delay_ms, times }), 20);
    (prop::collection::vec(request, 0..120), ways, any::<bool>()).prop_map(move |(requests, ways, late)| {
        let frames = frames(&requests, SECONDS, late && !punctual);
        (Worker { attempt: attempt(target, index), frames, ways }, requests)
    })
}

fn workers(punctual: bool) -> impl Strategy<Value = Vec<(Worker, Vec<Known>)>> {
    let targets = [("eu", 0), ("eu", 1), ("us", 0), ("us", 1), ("us", 2)];
    targets.map(|(target, index)| worker(target, index, punctual).boxed()).to_vec()
}

/// Plays a run: each 250 ms what can be read is listed, also what was read before, as in a listing. At `killed_ms` the process
/// is killed and goes on from its last checkpoint.
fn play(
    workers: &[(Worker, Vec<Known>)],
    killed_ms: Option<i64>,
) -> (Merger, Vec<ClosedSecond>, BTreeSet<(usize, i64)>) {
    let outline = outline(&[("eu", 2), ("us", 3)]);
    let mut merger = Merger::new(outline.clone());
    let (mut closed, mut read) = (Vec::new(), BTreeSet::new());
    let mut kept: Option<(Vec<u8>, usize)> = None;
    for now_ms in (0..(SECONDS + 30) * 1_000).step_by(250) {
        let now = at_ms(now_ms);
        for (number, (worker, _)) in workers.iter().enumerate() {
            for (frame, way) in worker.frames.iter().zip(&worker.ways) {
                let there_ms = (frame.through - START_S + 1) * 1_000 + 300 + way.delay_ms;
                if way.times > 0 && now_ms >= there_ms && merger.wants(&worker.attempt, frame.through) {
                    for _ in 0..way.times {
                        add(&mut merger, &worker.attempt, frame, now);
                    }
                    read.insert((number, frame.through));
                }
            }
        }
        closed.extend(close_all(&mut merger, now));
        if now_ms % 3_000 == 0 {
            kept = Some((merger.checkpoint().unwrap(), closed.len()));
        }
        if killed_ms.is_some_and(|killed_ms| now_ms == killed_ms / 250 * 250)
            && let Some((bytes, known)) = kept.take()
        {
            merger = Merger::restore(outline.clone(), &bytes, now).unwrap();
            closed.truncate(known);
        }
    }
    (merger, closed, read)
}

fn requests_by_second(series: &LiveSeries) -> BTreeMap<i64, (u64, u64)> {
    series.points(None).map(|point| (point.second, (point.figures.requests, point.figures.errors))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_frame_counts_once_however_late_often_and_in_whatever_order_it_comes(
        workers in workers(false), killed_ms in prop::option::of(1_000_i64..20_000),
    ) {
        let (merger, closed, read) = play(&workers, killed_ms);
        // Only frames that were read at all count, and all of those do.
        let mut expected: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
        for (number, (worker, _)) in workers.iter().enumerate() {
            for frame in worker.frames.iter().filter(|frame| read.contains(&(number, frame.through))) {
                for (second, told) in &frame.seconds {
                    let totals = told.totals();
                    let known = expected.entry(*second).or_default();
                    *known = (known.0 + totals.requests(), known.1 + totals.errors);
                }
            }
        }
        expected.retain(|_, (requests, _)| *requests > 0);
        let mut told = requests_by_second(merger.series());
        told.retain(|_, (requests, _)| *requests > 0);
        prop_assert_eq!(told, expected);
        for (place, second) in closed.iter().enumerate() {
            prop_assert_eq!(second.second, START_S + i64::try_from(place).unwrap());
            let of_regions: u64 = second.regions.values().map(|region| region.totals.requests()).sum();
            let of_labels: u64 = second.labels.values().map(volley_stats::frame::Responses::requests).sum();
            prop_assert_eq!((of_regions, of_labels), (second.totals.requests(), second.totals.requests()));
        }
    }

    #[test]
    fn closed_seconds_have_the_percentiles_of_their_samples(workers in workers(true)) {
        let (_, closed, _) = play(&workers, None);
        prop_assert!(closed.len() >= usize::try_from(SECONDS).unwrap());
        for second in &closed {
            let number = second.second - START_S;
            let all = || workers.iter().flat_map(|(_, requests)| requests).filter(|known| known.0 == number);
            let judge = |responses: &volley_stats::frame::Responses, label: Option<&str>| {
                let mut durations: Vec<u64> =
                    all().filter(|known| label.is_none_or(|label| label == known.3)).map(|known| known.1).collect();
                durations.sort_unstable();
                assert_eq!(responses.requests(), durations.len() as u64);
                for thousandths in [0, 50_000, 90_000, 95_000, 99_000, 100_000] {
                    let rank = (durations.len() * thousandths).div_ceil(100_000).max(1);
                    let percentile = Percentile::from_thousandths(u32::try_from(thousandths).unwrap()).unwrap();
                    let Some(exact) = durations.get(rank - 1) else { continue };
                    let ours = responses.elapsed.percentile(percentile).unwrap();
                    assert!(exact.abs_diff(ours) * 1_000 <= *exact, "{percentile}: {ours} instead of {exact}");
                }
            };
            judge(&second.totals, None);
            for (key, responses) in &second.labels {
                judge(responses, Some(&key.name));
            }
            let failed = all().filter(|known| !known.2).count() as u64;
            prop_assert_eq!(second.totals.errors, failed);
            prop_assert_eq!(second.errors.iter().map(|(_, count)| count).sum::<u64>(), failed);
        }
    }
}

#[test]
fn a_checkpoint_of_another_run_or_with_other_bytes_is_refused() {
    let mut merger = Merger::new(outline(&[("eu", 1)]));
    add(&mut merger, &attempt("eu", 0), &silent_frame(0, 4, false), at_ms(6_000));
    close_all(&mut merger, at_ms(6_000));
    let bytes = merger.checkpoint().unwrap();
    assert!(Merger::restore(outline(&[("eu", 1)]), &bytes, at_ms(7_000)).is_ok());
    assert!(Merger::restore(outline(&[("us", 1)]), &bytes, at_ms(7_000)).is_err());
    for length in 0..bytes.len() {
        assert!(Merger::restore(outline(&[("eu", 1)]), &bytes[..length], at_ms(7_000)).is_err(), "{length}");
    }
}

/// A worker in real time: writes a frame each second, 300 ms after it.
async fn tell(server: &Server, run_uid: &str, attempt: WorkerAttempt, first: i64, seconds: i64) {
    let store = server.objects_of_run(run_uid);
    let mut recorder = FrameRecorder::new();
    recorder.begin(first);
    for second in first..first + seconds {
        for number in 0..20_u64 {
            let moment = sample("home", (second - START_S) * 1_000 + 10, 1_000 * (number + 1), number > 0);
            recorder.record(0, &moment);
        }
        let due = Timestamp::from_millisecond((second + 1) * 1_000 + 300).unwrap();
        tokio::time::sleep(Duration::try_from(due.duration_since(Timestamp::now())).unwrap_or_default()).await;
        let frame = if second + 1 == first + seconds { recorder.end(second) } else { recorder.close(second) }.unwrap();
        store.put(&attempt.frame(run_uid, frame.through), frame.encode(), PutOptions::default()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_in_the_storage_become_closed_seconds_of_all_workers() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_on_free_ports(folder.path()).await.unwrap();
    let first = Timestamp::now().as_second() + 1;
    let start_at = Timestamp::from_second(first).unwrap();
    let outline = Outline { start_at, ..outline(&[("eu", 2), ("us", 1)]) };
    let view = Live::new(Merger::new(outline), Arc::default());
    let mut closed = view.subscribe();
    let store = server.objects();
    // What is no frame disturbs nobody.
    let strange = [keys::frames_prefix(RUN, "eu") + "x", attempt("eu", 0).frame(RUN, first - 1)];
    for key in strange {
        store.put(&key, "nonsense", PutOptions::default()).await.unwrap();
    }
    let merging = live::merge(&store, RUN, &view);
    let telling = async {
        tokio::join!(
            tell(&server, RUN, attempt("eu", 0), first, 3),
            tell(&server, RUN, attempt("eu", 1), first, 3),
            tell(&server, RUN, attempt("us", 0), first, 3),
        );
    };
    let watching = async {
        let mut seconds: Vec<(Arc<ClosedSecond>, SignedDuration)> = Vec::new();
        while seconds.len() < 3 {
            let second = closed.recv().await.unwrap();
            let end = Timestamp::from_second(second.second + 1).unwrap();
            seconds.push((second, Timestamp::now().duration_since(end)));
        }
        seconds
    };
    let seconds = tokio::select! {
        () = merging => unreachable!(),
        (seconds, ()) = async { tokio::join!(timeout(Duration::from_secs(20), watching), telling) } => seconds.unwrap(),
    };
    for (place, (second, lag)) in seconds.iter().enumerate() {
        assert_eq!(second.second, first + i64::try_from(place).unwrap());
        assert_eq!((second.workers.expected, second.workers.reported), (3, 3));
        assert_eq!((second.totals.requests(), second.totals.errors, second.users), (60, 3, 15));
        assert_eq!(second.regions["us"].totals.elapsed.maximum_us(), Some(20_000));
        println!("second {place} was closed {} ms after its end", lag.as_millis());
    }
    assert_eq!(view.series(|series| series.points(None).map(|point| point.figures.requests).sum::<u64>()), 180);
    assert!(view.workers().iter().all(|worker| worker.ended && worker.newest == Some(first + 2)));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an API server: make test sets VOLLEY_TEST_KUBECONFIG"]
async fn the_status_shows_figures_while_the_run_runs_and_then_its_result() {
    let (client, created) = api_server_with_a_run().await;
    let (name, uid) = (created.name_any(), created.uid().unwrap());
    let runs: Api<LoadTestRun> = Api::namespaced(client.clone(), "default");
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_on_free_ports(folder.path()).await.unwrap();
    let store = server.objects();
    let first = Timestamp::now().as_second() + 1;
    let mut definition = definition(&[("eu", 1)]);
    definition.live = Some(documents::Live { interval_s: 1 });
    (definition.run.uid, definition.run.name, definition.run.namespace) = (uid.clone(), name.clone(), "default".into());
    store.put_document(&keys::definition(&uid), &definition).await.unwrap();
    let start_at = Timestamp::from_second(first).unwrap();
    let start = StartDecision {
        version: 1,
        start_at,
        regions: vec!["eu".into()],
        late_workers: LateWorkers::Refuse,
        left_out: BTreeMap::new(),
    };
    store.put_document(&keys::start(&uid), &start).await.unwrap();

    let results = server.results();
    let settings =
        Settings { run_uid: uid.clone(), patience: Some(Duration::from_mins(1)), outlets: Outlets::default() };
    let aggregate = || {
        volley_aggregator::run(
            settings.clone(),
            store.clone(),
            results.clone(),
            Some(client.clone()),
            future::pending(),
        )
    };
    let watching = async {
        let mut seen = Vec::new();
        while seen.len() < 2 {
            let status = runs.get(&name).await.unwrap().status.unwrap_or_default();
            assert_eq!(status.result, None);
            seen.extend(status.live.filter(|live| seen.last() != Some(live)));
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let close = close(vec![ClosedWorker {
            target: "eu".into(),
            index: 0,
            pod_uid: None,
            manifest: None,
            reason: Some("gone".into()),
        }]);
        store.put_document(&keys::close(&uid), &close).await.unwrap();
        seen
    };
    let telling = tell(&server, &uid, attempt("eu", 0), first, 30);
    let running = async { tokio::join!(aggregate(), timeout(Duration::from_secs(40), watching)) };
    let (aggregated, seen) = tokio::select! {
        outcome = running => outcome,
        () = async { telling.await; future::pending().await } => unreachable!(),
    };
    let (aggregated, seen) = (aggregated.unwrap(), seen.unwrap());
    for live in &seen {
        assert_eq!((live.users, live.request_rate.as_str(), live.error_rate.as_str()), (5, "20/s", "5%"));
        assert_eq!(
            (live.p50.as_deref(), live.p95.as_deref(), live.p99.as_deref()),
            (Some("10ms"), Some("19ms"), Some("20ms"))
        );
    }
    assert!(seen[0].at < seen[1].at);
    let status = runs.get(&name).await.unwrap().status.unwrap();
    assert_eq!((status.result.as_ref(), status.live.map(|live| live.users)), (Some(&aggregated.summary), Some(0)));
    // A second process of the same run, which finds it closed.
    aggregate().await.unwrap();
    assert_eq!(runs.get(&name).await.unwrap().status.unwrap().result, Some(aggregated.summary));
    runs.delete(&name, &DeleteParams::default()).await.unwrap();
}
