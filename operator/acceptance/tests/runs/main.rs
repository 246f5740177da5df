//! Whole runs: what a user applies, and what must then be true.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "test code: a failure is a panic with a message"
)]

mod abort;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use volley_acceptance::bench::{NAMESPACE, condition, reason};
use volley_acceptance::{Bench, lag, manifests, witness};
use volley_api::LoadTestRun;
use volley_api::load_test_run::{Phase, ThresholdOutcome};
use volley_storage::documents::ResultDocument;
use volley_storage::keys;

const RUN_LIMIT: Duration = Duration::from_secs(150);

/// Runs a test by `volley run` and insists that its result is what the raw samples and the workers' own XML say. Meanwhile somebody
/// watches it; how late the figures are is printed.
async fn assert_a_run_is_true(test: &str, manifest: &str) {
    let bench = Bench::connect().await;
    let running = async {
        let outcome = bench.volley(&["run", "--namespace", NAMESPACE, "-f", "-"], Some(manifest)).await;
        assert_eq!(outcome.code, 0, "volley run: {}\n{}", outcome.output, outcome.errors);
    };
    let watching = async {
        let run = bench.wait_for_run(test, RUN_LIMIT, "appeared", |_| true).await;
        lag::of_run(&bench, &run.name_any()).await
    };
    let ((), lag) = tokio::join!(running, watching);
    println!("{test}: volley watch showed samples {lag} after their end");
    let run = bench.runs(test).await.pop().expect("volley run made a run");
    let uid = run.uid().expect("a run has a uid");
    let result = run.status.as_ref().and_then(|status| status.result.as_ref()).expect("a finished run has a result");
    assert_eq!((result.coverage.workers_measured, result.coverage.complete), (2, true), "{:?}", result.warnings);

    let storage = bench.storage().await;
    let store = &storage.objects;
    let (document, _) = store
        .get_document::<ResultDocument>(&keys::result(&uid))
        .await
        .expect("the result can be read")
        .expect("result.json is there");
    let totals = &document.totals;
    assert_eq!(i64::try_from(totals.requests), Ok(result.requests), "status and result.json agree");
    assert!(totals.requests > 50, "there was load: {} requests", totals.requests);

    let (xml_requests, xml_failures, xml_bytes) = witness::summed_xml(store, &uid).await;
    assert_eq!(totals.requests + totals.interrupted, xml_requests, "requests are the sum of the workers' XML");
    assert_eq!(totals.errors + totals.interrupted, xml_failures, "failures are the sum of the workers' XML");
    // The worker's reader of k6 gives Taurus none either.
    assert_eq!(totals.bytes.unwrap_or(0), xml_bytes, "bytes are the sum of the workers' XML");

    let samples = witness::raw_samples(store, &uid).await;
    assert_eq!(samples.len() as u64, totals.requests + totals.interrupted, "every raw sample is in the result");
    if totals.interrupted == 0 {
        let last_ms = samples.iter().map(|sample| sample.ended_ms).max();
        let interval = document.interval.as_ref().expect("there were samples");
        assert_eq!(Some(interval.to.as_millisecond()), last_ms, "the measured time ends with the last raw sample");
        witness::assert_percentiles(totals, &samples, "all labels");
        for label in &document.labels {
            let own: Vec<_> = samples.iter().filter(|sample| sample.label == label.label).cloned().collect();
            assert_eq!(own.len() as u64, label.figures.requests, "requests of {}", label.label);
            witness::assert_percentiles(&label.figures, &own, &label.label);
        }
    }
    bench.assert_nothing_left(&uid).await;
    bench.delete_test(test).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster with Volley: `make test` prepares it"]
async fn an_http_test_ends_with_the_numbers_of_its_raw_samples() {
    assert_a_run_is_true("true-http", &manifests::measured("http.yaml", "checkout", "true-http", "8s")).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster with Volley: `make test` prepares it"]
async fn a_jmx_ends_with_the_numbers_of_its_raw_samples() {
    assert_a_run_is_true("true-jmeter", &manifests::measured("jmeter.yaml", "catalogue", "true-jmeter", "8s")).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster with Volley: `make test` prepares it"]
async fn a_locust_test_ends_with_the_numbers_of_its_raw_samples() {
    assert_a_run_is_true("true-locust", &manifests::measured("locust.yaml", "browse", "true-locust", "8s")).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster with Volley: `make test` prepares it"]
async fn a_k6_script_ends_with_the_numbers_of_its_raw_samples() {
    assert_a_run_is_true("true-k6", &manifests::measured("k6.yaml", "cart", "true-k6", "8s")).await;
}

/// A script that its engine refuses ends the run with the engine's words, without load, within 60 s.
async fn assert_the_script_is_refused(test: &str, manifest: &str, words: &[&str]) {
    let bench = Bench::connect().await;
    let began = Instant::now();
    bench.apply(manifest).await;
    let run = bench.wait_finished(test, Duration::from_mins(1)).await;
    let (reason, message) = reason(&run, "Succeeded").expect("a finished run says whether it succeeded");
    assert_eq!(reason, "ScriptFailed", "{message}");
    for word in words {
        assert!(message.contains(word), "the engine's words are missing {word:?}: {message}");
    }
    let status = run.status.as_ref().expect("a finished run has a status");
    assert!(status.start_at.is_none(), "no start was decided");
    println!("{test}: refused after {:?}: {message}", began.elapsed());
    let uid = run.uid().expect("a run has a uid");
    let storage = bench.storage().await;
    let start = storage.objects.head(&keys::start(&uid)).await.expect("the storage answers");
    assert!(start.is_none(), "there is no start.json");
    assert_eq!(witness::count_objects(&storage.objects, &uid, "final-stats.xml").await, 0, "no load was made");
    bench.assert_nothing_left(&uid).await;
    bench.delete_test(test).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster with Volley: `make test` prepares it"]
async fn a_jmx_with_an_unknown_class_is_refused_in_jmeters_words() {
    assert_the_script_is_refused(
        "refused-jmeter",
        &manifests::unknown_class("refused-jmeter"),
        &["com.example.NoSuchTimer"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster with Volley: `make test` prepares it"]
async fn a_locust_file_with_a_syntax_error_is_refused_in_pythons_words() {
    let manifest = manifests::locust("refused-locust", manifests::SYNTAX_ERROR, "5s", "Once");
    assert_the_script_is_refused("refused-locust", &manifest, &["SyntaxError"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster with Volley: `make test` prepares it"]
async fn a_stopped_run_ends_its_load_within_5_s_and_keeps_what_ran() {
    let bench = Bench::connect().await;
    let test = "stopped";
    bench.apply(&manifests::locust(test, manifests::VISITOR, "120s", "Once")).await;
    let running = |run: &LoadTestRun| condition(run, "Started") == Some("True");
    bench.wait_for_run(test, Duration::from_mins(1), "started", running).await;
    let figures = |run: &LoadTestRun| run.status.as_ref().and_then(|status| status.live.clone());
    let shown = |run: &LoadTestRun| figures(run).is_some_and(|live| live.users > 0 && live.p95.is_some());
    let run = bench.wait_for_run(test, Duration::from_secs(20), "shows figures while it runs", shown).await;
    let first = figures(&run).expect("just seen");
    let moved = |run: &LoadTestRun| figures(run).is_some_and(|live| live.at > first.at && live.request_rate != "0/s");
    let run = bench.wait_for_run(test, Duration::from_secs(20), "shows newer figures", moved).await;
    println!("stopped: live figures were {first:?}, then {:?}", figures(&run));
    let gauge = format!(
        "volley_run_requests_per_second{{namespace=\"{NAMESPACE}\",load_test=\"{test}\",run=\"{}\"}}",
        run.name_any()
    );
    bench.wait_for_metrics("show the figures of the run", |metrics| metrics.contains(&gauge)).await;
    let runs: Api<LoadTestRun> = Api::namespaced(bench.client.clone(), NAMESPACE);
    let stop = json!({"spec": {"stop": {"reason": "seen enough"}}});
    runs.patch(&run.name_any(), &PatchParams::default(), &Patch::Merge(&stop)).await.expect("a run can be stopped");
    let stopped_at = jiff::Timestamp::now();
    let run = bench.wait_finished(test, RUN_LIMIT).await;
    let status = run.status.as_ref().expect("a finished run has a status");
    assert_eq!(status.phase.map(|phase| format!("{phase:?}")).as_deref(), Some("Stopped"));
    assert_eq!(reason(&run, "Succeeded").expect("the condition is there").0, "Stopped");
    bench.wait_for_metrics("forget the run when it has ended", |metrics| !metrics.contains(&gauge)).await;
    let uid = run.uid().expect("a run has a uid");
    let storage = bench.storage().await;
    let (document, _) = storage
        .objects
        .get_document::<ResultDocument>(&keys::result(&uid))
        .await
        .expect("readable")
        .expect("there is a result");
    assert!(document.totals.requests > 0, "results of what ran are kept");
    let last = document.interval.expect("there were samples").to;
    let seconds = last.duration_since(stopped_at).as_secs_f64();
    println!("stopped: the last sample ended {seconds:.1} s after spec.stop was set");
    assert!(seconds <= 5.0, "load went on for {seconds:.1} s");
    bench.assert_nothing_left(&uid).await;
    bench.delete_test(test).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster with Volley: `make test` prepares it"]
async fn volley_run_makes_exactly_one_run_per_call_whatever_the_trigger() {
    let bench = Bench::connect().await;
    let test = "one-per-call";
    let manifest = manifests::locust(test, manifests::VISITOR, "3s", "Manual");
    let first = bench.volley(&["run", "--namespace", NAMESPACE, "-f", "-"], Some(&manifest)).await;
    assert_eq!(first.code, 0, "{}", first.errors);
    assert_eq!(bench.runs(test).await.len(), 1, "Manual: the call makes the run");
    let second = bench.volley(&["run", test, "--namespace", NAMESPACE], None).await;
    assert_eq!(second.code, 0, "{}", second.errors);
    let runs = bench.runs(test).await;
    assert_eq!(runs.len(), 2, "by name: one more");
    let name = runs[1].name_any();
    let json = bench.volley(&["result", &name, "--namespace", NAMESPACE, "-o", "json"], None).await;
    assert_eq!(json.code, 0, "{}", json.errors);
    let document: ResultDocument =
        serde_json::from_str(&json.output).expect("volley result -o json prints result.json");
    assert_eq!(Some(document.run.uid), runs[1].uid());
    bench.delete_test(test).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster with Volley: `make test` prepares it"]
async fn a_missed_threshold_fails_the_run_with_exit_code_1_and_says_the_value() {
    let bench = Bench::connect().await;
    let test = "judged";
    let manifest = format!(
        "{}  thresholds:
  - {{name: clean, metric: errorRate, below: 50%}}
  - {{name: impossible, metric: min, label: home, region: local, below: 0.001ms}}
",
        manifests::locust(test, manifests::VISITOR, "3s", "Once")
    );
    let outcome = bench.volley(&["run", "--namespace", NAMESPACE, "-f", "-"], Some(&manifest)).await;
    assert_eq!(outcome.code, 1, "volley run: {}\n{}", outcome.output, outcome.errors);
    assert!(outcome.output.contains("MISSED      impossible: min of home in local is "), "{}", outcome.output);
    let run = bench.runs(test).await.pop().expect("volley run made a run");
    let (reason, message) = reason(&run, "Succeeded").expect("a finished run says whether it succeeded");
    assert_eq!(reason, "ThresholdsFailed", "{message}");
    assert!(message.starts_with("1 of 2 thresholds are missed (impossible: min of home in local is "), "{message}");
    let result = run.status.as_ref().and_then(|status| status.result.as_ref()).expect("a finished run has a result");
    let outcomes: Vec<_> = result.thresholds.iter().map(|one| (one.name.as_str(), one.outcome)).collect();
    assert_eq!(outcomes, [("clean", ThresholdOutcome::Met), ("impossible", ThresholdOutcome::Missed)]);
    let name = run.name_any();
    let junit = bench.volley(&["result", &name, "--namespace", NAMESPACE, "-o", "junit"], None).await;
    assert_eq!(junit.code, 0, "{}", junit.errors);
    assert!(junit.output.contains("tests=\"3\" failures=\"1\" errors=\"0\""), "{}", junit.output);
    bench.delete_test(test).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster with Volley: `make test` prepares it"]
async fn a_run_is_watched_from_its_middle_to_its_end() {
    let bench = Bench::connect().await;
    let test = "watched";
    bench.apply(&manifests::locust(test, manifests::VISITOR, "10s", "Once")).await;
    let running = |run: &LoadTestRun| run.status.as_ref().is_some_and(|status| status.phase == Some(Phase::Running));
    let run = bench.wait_for_run(test, RUN_LIMIT, "ran", running).await;
    let watched = bench.volley(&["watch", &run.name_any(), "--namespace", NAMESPACE, "-o", "json"], None).await;
    assert_eq!(watched.code, 0, "{}\n{}", watched.output, watched.errors);
    let lines: Vec<Value> =
        watched.output.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    let frames: BTreeMap<i64, &Value> = lines
        .iter()
        .filter_map(|line| line["frame"]["seq"].as_i64().map(|seq| (seq, &line["frame"]["totals"])))
        .collect();
    assert!(frames.len() >= 3, "{} frames in {}", frames.len(), watched.output);
    assert!(frames.values().any(|totals| totals["requests"].as_u64() > Some(0)), "{}", watched.output);
    let end = lines.last().expect("there is a line");
    assert_eq!((&end["type"], &end["exitCode"]), (&json!("end"), &json!(0)));
    // A subset: who comes in the middle has missed some, and late samples are in no frame.
    let seen: u64 = frames.values().filter_map(|totals| totals["requests"].as_u64()).sum();
    assert!(Some(seen) <= end["result"]["requests"].as_u64(), "{seen} requests in frames: {end}");
    bench.delete_test(test).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster with Volley: `make test` prepares it"]
async fn a_second_run_while_one_is_active_is_skipped() {
    let bench = Bench::connect().await;
    let test = "no-overlap";
    bench.apply(&manifests::locust(test, manifests::VISITOR, "8s", "Once")).await;
    let first = bench.wait_for_run(test, Duration::from_secs(30), "appeared", |_| true).await;
    let claimed = |run: &LoadTestRun| condition(run, "Planned") == Some("True");
    bench.wait_for_run(test, Duration::from_secs(30), "was planned", claimed).await;
    let second = bench.kubectl(
        &["create", "-f", "-"],
        Some(&format!("{{apiVersion: volley.dev/v1alpha1, kind: LoadTestRun, metadata: {{generateName: {test}-, namespace: {NAMESPACE}}}, spec: {{loadTest: {test}}}}}")),
    ).await;
    assert_eq!(second.code, 0, "{}", second.errors);
    let deadline = Instant::now() + Duration::from_secs(30);
    let skipped = loop {
        let runs = bench.runs(test).await;
        let other =
            runs.iter().find(|run| run.uid() != first.uid() && condition(run, "Finished") == Some("True")).cloned();
        if let Some(run) = other {
            break run;
        }
        assert!(Instant::now() < deadline, "the second run did not end");
        tokio::time::sleep(Duration::from_millis(300)).await;
    };
    assert_eq!(reason(&skipped, "Succeeded").expect("the condition is there").0, "ConcurrencyForbidden");
    let deadline = Instant::now() + RUN_LIMIT;
    while bench.runs(test).await.iter().any(|run| condition(run, "Finished") != Some("True")) {
        assert!(Instant::now() < deadline, "the first run did not end");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let first =
        bench.runs(test).await.into_iter().find(|run| run.uid() == first.uid()).expect("the first run is there");
    assert_eq!(
        reason(&first, "Succeeded").expect("the condition is there").0,
        "Completed",
        "the first run is unharmed"
    );
    bench.delete_test(test).await;
}
