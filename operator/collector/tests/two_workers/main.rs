//! Workers on 127.0.0.1 without Kubernetes: the collector in this process, the launcher with real Taurus and real engines, the
//! embedded storage in this process, a target in this process.
//!
//! ```text
//! container/taurus/dev-setup.sh
//! VOLLEY_WORKER_VENV=~/.cache/volley/worker-venv VOLLEY_JMETER=~/.cache/volley/jmeter/bin/jmeter \
//! VOLLEY_K6=~/.cache/volley/k6/k6 \
//!     cargo test -p volley-collector --test two_workers -- --ignored --test-threads=2
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests may fail loudly, their helpers too"
)]

mod frames;
mod raw;
mod run;
mod target;
mod worker;

use std::time::Duration;

use frames::Watch;
use jiff::Timestamp;
use raw::{Raw, Rows, summary};
use run::{Run, request};
use volley_api::taurus::TaurusConfiguration;
use volley_fixtures::source;
use volley_stats::frame::Responses;
use volley_stats::{Collection, Percentile, file};
use volley_storage::documents::{
    Assertion, FailedStage, LateWorkers, Manifest, RequestStep, Scenario, StopReason, TaurusExecution,
};
use worker::{Worker, since};

const PERCENTILES: [u32; 6] = [0, 50_000, 90_000, 95_000, 99_000, 100_000];

fn locust_script(target: std::net::SocketAddr) -> String {
    format!(
        "from locust import HttpUser, constant, task\n\n\nclass Shopper(HttpUser):\n    host = \"http://{target}\"\n    \
         wait_time = constant(0.01)\n\n    @task\n    def home(self):\n        self.client.get(\"/status/200\", name=\"home\")\n        \
         self.client.get(\"/status/500\", name=\"broken\")\n"
    )
}

/// Everything that can be said about delivered figures: ours, those of the raw samples, those of Taurus.
async fn assert_figures_are_true(workers: &[&Worker], files: &[Rows]) -> Collection {
    let (mut merged, mut raw, mut taurus) = (Collection::default(), Raw::default(), (0, 0, 0));
    for worker in workers {
        let manifest = worker.manifest().await.unwrap();
        let collection = file::decode(&worker.object("histograms").await).unwrap();
        assert_eq!(manifest.counters.requests, collection.total().requests());
        merged.merge(&collection);
        for rows in files {
            raw.add(&String::from_utf8(worker.object(rows.object()).await).unwrap(), *rows);
        }
        let (samples, failures, bytes) = summary(&String::from_utf8(worker.object("final-stats.xml").await).unwrap());
        taurus = (taurus.0 + samples, taurus.1 + failures, taurus.2 + bytes);
        let log = String::from_utf8(worker.object("taurus.log.zst").await).unwrap();
        assert!(log.contains("Done performing"), "{log}");
    }
    let total = merged.total();
    let interrupted = total.interrupted.count();
    assert_eq!((total.requests() + interrupted, total.errors() + interrupted), (taurus.0, taurus.1), "sum of the XML");
    assert_eq!(
        (total.requests() + interrupted, total.errors() + interrupted),
        (raw.requests(), raw.errors),
        "raw samples"
    );
    assert_eq!(taurus.2, raw.bytes);
    let bytes = total.bytes().zip(total.interrupted.received.bytes()).map(|(counted, cut_off)| counted + cut_off);
    assert_eq!(bytes, files.iter().all(|rows| rows.tell_bytes()).then_some(raw.bytes));
    assert_eq!(merged.overview.malformed_rows, 0);
    if interrupted == 0 {
        for thousandths in PERCENTILES {
            let ours = total.together().elapsed.percentile(Percentile::from_thousandths(thousandths).unwrap()).unwrap();
            let theirs = raw.percentile_us(thousandths.into());
            assert!(ours.abs_diff(theirs) * 1_000 <= theirs, "p{thousandths}: {ours} instead of {theirs}");
        }
    }
    merged
}

fn no_warnings(manifest: &Manifest) {
    assert_eq!(manifest.warnings, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Taurus: make test prepares it"]
async fn two_workers_merge_to_the_sum_of_their_summaries_and_raw_samples() {
    let run = Run::of_locust(&locust_script(target::start().await), 6).await;
    let (mut one, mut two) = (Worker::start(&run, 0).await, Worker::start(&run, 1).await);
    tokio::join!(one.ready(), two.ready());
    let watch = Watch::start(&run, 2);
    let start_at = run.start_in(Duration::from_secs(3)).await;
    assert_eq!((one.exit_code().await, two.exit_code().await), (0, 0), "{}", one.log());
    for worker in [&one, &two] {
        let manifest = worker.manifest().await.unwrap();
        assert!(manifest.complete && manifest.stopped.is_none());
        assert_eq!(manifest.engines[0].name, "locust");
        assert!(
            manifest.frames.is_some_and(|frames| frames.written > 3 && frames.dropped == 0),
            "{:?}",
            manifest.frames
        );
        no_warnings(&manifest);
        let released = manifest.released_at.unwrap().duration_since(start_at).as_millis();
        assert!((0..250).contains(&released), "released {released} ms after the instant");
        assert!(manifest.counters.requests > 100 && manifest.counters.errors > 50, "{:?}", manifest.counters);
        let health = manifest.health.unwrap();
        let (mean, largest) = (health.cpu_mean_ppm.unwrap(), health.cpu_max_ppm.unwrap());
        assert!(health.measured_seconds >= 4 && 0 < mean && mean <= largest, "{health:?}");
        assert!(health.memory_max_bytes.is_some() && health.late_samples.is_some(), "{health:?}");
        assert_eq!(health.own_errors, 0);
    }
    let merged = assert_figures_are_true(&[&one, &two], &[Rows::Locust]).await;
    assert_eq!(merged.requests.keys().map(AsRef::as_ref).collect::<Vec<&str>>(), ["broken", "home"]);
    assert_told(&merged, &watch.finish().await);
}

/// What frames said while the load ran is what the result says.
fn assert_told(merged: &Collection, told: &Responses) {
    let total = merged.total();
    assert_eq!((told.requests(), told.errors), (total.requests(), total.errors()));
    assert_eq!((told.interrupted, told.bytes), (total.interrupted.count(), total.bytes()));
    assert_eq!(told.elapsed, total.together().elapsed, "every percentile");
}

/// With a load and thresholds of its own, which must not count.
const K6_SCRIPT: &str = "import http from 'k6/http';
export const options = { vus: 40, duration: '1h', thresholds: { http_reqs: ['count<3'] } };
export default function () {
  http.get(`${__ENV.TARGET}/status/200`, { tags: { name: 'home' } });
  http.get(`${__ENV.TARGET}/status/500`, { tags: { name: 'broken' } });
}
";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Taurus: make test prepares it"]
async fn two_workers_of_k6_merge_to_their_raw_rows_and_to_what_the_target_answered() {
    let (address, answered) = target::start_counting().await;
    let scenario = Scenario::K6 {
        script: source(K6_SCRIPT),
        arguments: vec![format!("--env=TARGET=http://{address}"), "--throw".into()],
    };
    let run = Run::of(scenario, &[K6_SCRIPT], 4, 3).await;
    let (mut one, mut two) = (Worker::start(&run, 0).await, Worker::start(&run, 1).await);
    tokio::join!(one.ready(), two.ready());
    let watch = Watch::start(&run, 2);
    let start_at = run.start_in(Duration::from_secs(3)).await;
    assert_eq!((one.exit_code().await, two.exit_code().await), (0, 0), "{}", one.log());
    for worker in [&one, &two] {
        let manifest = worker.manifest().await.unwrap();
        assert!(manifest.complete && manifest.stopped.is_none());
        assert_eq!(manifest.engines[0].name, "k6");
        let [load, thresholds] = &manifest.warnings[..] else { panic!("{:?}", manifest.warnings) };
        assert!(
            load.contains("options.duration, options.vus") && thresholds.contains("http_reqs"),
            "{load}; {thresholds}"
        );
        assert!(manifest.counters.requests > 100, "{:?}", manifest.counters);
        let measured = manifest.last_sample_at.unwrap().duration_since(start_at).as_secs_f64();
        assert!((3.0..5.5).contains(&measured), "the last sample ended {measured:.1} s after the start");
    }
    let merged = assert_figures_are_true(&[&one, &two], &[Rows::K6]).await;
    assert_eq!(merged.total().requests(), answered.load(std::sync::atomic::Ordering::Relaxed));
    assert_eq!(merged.requests.keys().map(AsRef::as_ref).collect::<Vec<&str>>(), ["broken", "home"]);
    let (broken, home) = (&merged.requests["broken"], &merged.requests["home"]);
    assert_eq!((broken.errors(), home.errors()), (broken.requests(), 0));
    assert_told(&merged, &watch.finish().await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Taurus: make test prepares it"]
async fn an_http_scenario_counts_as_success_exactly_what_it_expects() {
    let expect = |status: &[&str], contains: Option<&str>| {
        let status = status.iter().map(ToString::to_string).collect();
        Some(Assertion { status, contains: contains.map(Into::into) })
    };
    let cases = [
        (
            RequestStep {
                method: "POST".into(),
                body: Some("{\"a\": \"ä😀\"}".into()),
                ..request("plain", "/status/200")
            },
            true,
        ),
        (request("plain error", "/status/404"), false),
        (RequestStep { expect: expect(&["2xx", "404"], None), ..request("accepted 404", "/status/404") }, true),
        (RequestStep { expect: expect(&["2xx", "404"], None), ..request("refused 500", "/status/500") }, false),
        (RequestStep { expect: expect(&["404"], None), ..request("refused 200", "/status/200") }, false),
        (RequestStep { expect: expect(&["2xx"], Some("order_id")), ..request("right text", "/status/200") }, true),
        (RequestStep { expect: expect(&["404"], Some("receipt")), ..request("wrong text", "/status/404") }, false),
        (RequestStep { expect: expect(&[], Some("order_id")), ..request("text of an error", "/status/503") }, false),
        (request("followed", "/status/302"), true),
        (
            RequestStep {
                think_time_ms: Some(100),
                expect: expect(&["3xx"], None),
                ..request("redirect", "/status/302")
            },
            true,
        ),
    ];
    let scenario = Scenario::Http {
        base_url: format!("http://{}/", target::start().await),
        requests: cases.iter().map(|(request, _)| request.clone()).collect(),
    };
    let run = Run::of(scenario, &[], 4, 2).await;
    let mut worker = Worker::start(&run, 0).await;
    worker.ready().await;
    run.start_in(Duration::from_secs(2)).await;
    assert_eq!(worker.exit_code().await, 0, "{}", worker.log());
    let merged = assert_figures_are_true(&[&worker], &[Rows::JMeter]).await;
    let manifest = worker.manifest().await.unwrap();
    no_warnings(&manifest);
    assert!(manifest.complete);
    assert_eq!(merged.requests.len(), cases.len());
    for (request, success) in &cases {
        let label = &merged.requests[request.name.as_str()];
        assert!(label.requests() > 0, "{}", request.name);
        assert_eq!(label.errors(), if *success { 0 } else { label.requests() }, "{}", request.name);
    }
}

/// A thread group of its own, which Taurus replaces by the load of the definition, and a port that comes from a property.
fn jmeter_script(sampler_class: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<jmeterTestPlan version="1.2" properties="5.0" jmeter="5.6.3"><hashTree>
<TestPlan guiclass="TestPlanGui" testclass="TestPlan" testname="plan" enabled="true"/><hashTree>
<ThreadGroup guiclass="ThreadGroupGui" testclass="ThreadGroup" testname="users" enabled="true">
<stringProp name="ThreadGroup.num_threads">1</stringProp><stringProp name="ThreadGroup.ramp_time">100</stringProp>
<elementProp name="ThreadGroup.main_controller" elementType="LoopController"><stringProp name="LoopController.loops">1</stringProp></elementProp>
</ThreadGroup><hashTree>
<{sampler_class} guiclass="HttpTestSampleGui" testclass="HTTPSamplerProxy" testname="home ${{__P(greeting)}}" enabled="true">
<elementProp name="HTTPsampler.Arguments" elementType="Arguments"><collectionProp name="Arguments.arguments"/></elementProp>
<stringProp name="HTTPSampler.domain">127.0.0.1</stringProp><stringProp name="HTTPSampler.port">${{__P(target.port)}}</stringProp>
<stringProp name="HTTPSampler.protocol">http</stringProp><stringProp name="HTTPSampler.method">GET</stringProp>
<stringProp name="HTTPSampler.path">/status/200</stringProp><boolProp name="HTTPSampler.use_keepalive">true</boolProp>
</{sampler_class}><hashTree/></hashTree></hashTree></hashTree></jmeterTestPlan>
"#
    )
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Taurus: make test prepares it"]
async fn a_jmx_runs_with_the_load_and_the_properties_of_the_definition() {
    let script = jmeter_script("HTTPSamplerProxy");
    let port = target::start().await.port().to_string();
    let properties = [("target.port".to_owned(), port), ("greeting".to_owned(), r"a\b=ä".to_owned())];
    let scenario = Scenario::Jmeter { script: source(&script), properties: properties.into() };
    let run = Run::of(scenario, &[&script], 4, 3).await;
    let mut worker = Worker::start(&run, 0).await;
    worker.ready().await;
    let watch = Watch::start(&run, 1);
    run.start_in(Duration::from_secs(2)).await;
    assert_eq!(worker.exit_code().await, 0, "{}", worker.log());
    let merged = assert_figures_are_true(&[&worker], &[Rows::JMeter]).await;
    let manifest = worker.manifest().await.unwrap();
    no_warnings(&manifest);
    assert!(manifest.complete);
    assert_eq!(merged.overview.peak_users, 3);
    let label = &merged.requests[r"home a\b=ä"];
    assert!(label.requests() > 100, "one iteration only: the script's own load");
    assert_eq!(label.errors(), 0);
    assert_told(&merged, &watch.finish().await);
}

/// Locust from requests; Molotov with a script that a service writes before the load; siege, which has no sample file that we read.
fn taurus_script(target: std::net::SocketAddr) -> String {
    let molotov = format!(
        "import molotov\n\n\n@molotov.scenario(weight=1)\nasync def home(session):\n    \
         async with session.get('http://{target}/status/200') as response:\n        assert response.status == 200\n"
    );
    serde_json::json!({
        "execution": [
            {"executor": "locust", "concurrency": 30, "scenario": "browse"},
            {"executor": "molotov", "concurrency": 20, "hold-for": "1h", "scenario": {"script": "home.py", "think-time": "10ms"}},
            {"executor": "siege", "concurrency": 10, "scenario": "search"},
        ],
        "scenarios": {
            "browse": {"default-address": format!("http://{target}"), "requests": ["/status/200", "/status/404"], "think-time": "10ms"},
            "search": {"requests": [format!("http://{target}/status/200"), format!("http://{target}/status/503")], "think-time": "10ms"},
        },
        "services": [{"module": "shellexec", "prepare": [format!("cat > home.py <<'END'\n{molotov}END\n")]}],
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Taurus: make test prepares it"]
async fn several_executions_of_a_taurus_configuration_merge_to_the_sum_of_all_their_rows() {
    let target = target::start().await;
    let script = taurus_script(target);
    let configuration = TaurusConfiguration::read(script.as_bytes()).unwrap();
    let executors = configuration.executions().iter().map(|execution| execution.executor.as_str().to_owned());
    let shares = configuration.shares(6).unwrap();
    assert_eq!(shares, [3, 2, 1]);
    let executions = executors.zip(shares).map(|(executor, users)| TaurusExecution { executor, users }).collect();
    let run = Run::of(Scenario::Taurus { script: source(&script), executions }, &[&script], 4, 6).await;
    let (mut one, mut two) = (Worker::start(&run, 0).await, Worker::start(&run, 1).await);
    tokio::join!(one.ready(), two.ready());
    run.start_in(Duration::from_secs(2)).await;
    assert_eq!((one.exit_code().await, two.exit_code().await), (0, 0), "{}", one.log());
    let merged = assert_figures_are_true(&[&one, &two], &[Rows::Locust, Rows::Molotov, Rows::Taurus]).await;
    for worker in [&one, &two] {
        let manifest = worker.manifest().await.unwrap();
        assert!(manifest.complete, "{manifest:?}");
        let engines: Vec<_> = manifest.engines.iter().map(|engine| engine.name.as_str()).collect();
        assert_eq!(engines, ["locust", "molotov", "siege"]);
        // The only thing to be told: what siege cannot measure.
        assert!(matches!(&manifest.warnings[..], [one] if one.contains("whole seconds")), "{:?}", manifest.warnings);
    }
    let search = |code| merged.requests[format!("http://{target}/status/{code}").as_str()].clone();
    assert!(search(200).requests() > 10 && search(200).errors() == 0);
    assert!(search(503).requests() > 10 && search(503).errors() == search(503).requests());
    assert!(merged.requests["home"].requests() > 10);
    assert_eq!(merged.overview.peak_users, 12);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Taurus: make test prepares it"]
async fn a_jmx_with_an_unknown_class_is_reported_and_starts_nothing() {
    let script = jmeter_script("com.example.Unknown");
    let scenario = Scenario::Jmeter { script: source(&script), properties: [].into() };
    let run = Run::of(scenario, &[&script], 4, 3).await;
    let mut worker = Worker::start(&run, 0).await;
    assert_eq!(worker.exit_code().await, 64, "{}", worker.log());
    let failure = worker.failure().await.unwrap();
    assert_eq!((failure.stage, failure.file.as_deref()), (FailedStage::Script, Some("script.jmx")));
    assert!(failure.words.contains("com.example.Unknown"), "{failure:?}");
    assert!(worker.manifest().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Taurus: make test prepares it"]
async fn a_collector_that_is_killed_under_load_goes_on_from_its_files() {
    let run = Run::of_locust(&locust_script(target::start().await), 6).await;
    let mut worker = Worker::start(&run, 0).await;
    worker.ready().await;
    let watch = Watch::start(&run, 1);
    run.start_in(Duration::from_millis(1_500)).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let opened = std::fs::metadata(worker.control("start")).unwrap().modified().unwrap();
    worker.restart_collector().await;
    worker.ready().await;
    assert_eq!(worker.exit_code().await, 0, "{}", worker.log());
    assert_eq!(std::fs::metadata(worker.control("start")).unwrap().modified().unwrap(), opened, "opened twice");
    let manifest = worker.manifest().await.unwrap();
    assert!(manifest.complete);
    no_warnings(&manifest);
    let merged = assert_figures_are_true(&[&worker], &[Rows::Locust]).await;
    // Frames lack the seconds around the restart, and tell nothing twice.
    let (told, all) = (watch.finish().await.requests(), merged.total().requests());
    println!("frames told of {told} of {all} requests");
    assert!(told < all && told > all / 4, "{told} of {all}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Taurus: make test prepares it"]
async fn a_stop_ends_the_load_within_five_seconds_and_keeps_the_results() {
    let run = Run::of_locust(&locust_script(target::start().await), 60).await;
    let mut worker = Worker::start(&run, 0).await;
    worker.ready().await;
    run.start_in(Duration::from_millis(1_500)).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let stopped_at = run.stop().await;
    assert_eq!(worker.exit_code().await, 0, "{}", worker.log());
    assert!(since(stopped_at) < 20.0, "the worker took {} s to leave", since(stopped_at));
    let manifest = worker.manifest().await.unwrap();
    assert_eq!((manifest.stopped, manifest.complete), (Some(StopReason::Requested), true));
    assert_figures_are_true(&[&worker], &[Rows::Locust]).await;
    let mut raw = Raw::default();
    raw.add(&String::from_utf8(worker.object(Rows::Locust.object()).await).unwrap(), Rows::Locust);
    let after_ms = i64::try_from(raw.last_start_ms).unwrap() - stopped_at.as_millisecond();
    println!("last request started {after_ms} ms after the stop decision");
    assert!(after_ms < 5_000, "the last request started {after_ms} ms after the stop");
    assert!(manifest.counters.requests > 50);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Taurus: make test prepares it"]
async fn a_worker_that_is_stopped_in_the_gate_has_a_manifest_without_samples() {
    let run = Run::of_locust(&locust_script(target::start().await), 6).await;
    let mut worker = Worker::start(&run, 0).await;
    worker.ready().await;
    run.stop().await;
    assert_eq!(worker.exit_code().await, 0, "{}", worker.log());
    let manifest = worker.manifest().await.unwrap();
    assert_eq!((manifest.stopped, manifest.complete), (Some(StopReason::Requested), true));
    assert_eq!((manifest.released_at, manifest.counters.requests), (None, 0));
    assert_eq!(file::decode(&worker.object("histograms").await).unwrap(), Collection::default());
    assert!(!worker.control("start").exists());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Taurus: make test prepares it"]
async fn a_broken_script_is_reported_with_the_engines_words_and_starts_nothing() {
    let run = Run::of_locust("from locust import HttpUser\n\nclass Broken(HttpUser)\n    pass\n", 6).await;
    let mut worker = Worker::start(&run, 0).await;
    assert_eq!(worker.exit_code().await, 64, "{}", worker.log());
    let failure = worker.failure().await.unwrap();
    assert_eq!(failure.stage, FailedStage::Script);
    assert_eq!((failure.file.as_deref(), failure.line), (Some("script.py"), Some(3)), "{failure:?}");
    assert!(failure.words.contains("SyntaxError"), "{failure:?}");
    assert!(worker.manifest().await.is_none());
    assert!(worker.control("uploaded").exists());
    assert!(!worker.object("taurus.log.zst").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Taurus: make test prepares it"]
async fn a_source_with_another_digest_is_never_run() {
    let script = locust_script(target::start().await);
    let mut wrong = source(&script);
    wrong.size += 1;
    let run = Run::of(Scenario::Locust { script: wrong }, &[&script], 6, 5).await;
    let mut worker = Worker::start(&run, 0).await;
    assert_eq!(worker.exit_code().await, 66, "{}", worker.log());
    let failure = worker.failure().await.unwrap();
    assert_eq!((failure.stage, failure.file.as_deref()), (FailedStage::Fetch, Some("script.py")));
    assert!(!worker.control("launch.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Taurus: make test prepares it"]
async fn a_replacement_that_comes_after_the_decision_is_refused_within_seconds() {
    let run = Run::of_locust(&locust_script(target::start().await), 6).await;
    run.start_in(Duration::from_mins(1)).await;
    let began = Timestamp::now();
    let mut worker = Worker::start(&run, 0).await;
    assert_eq!(worker.exit_code().await, 66, "{}", worker.log());
    assert!(since(began) < 10.0);
    assert!(worker.manifest().await.is_none() && worker.failure().await.is_none());
    assert!(!worker.control("launch.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Taurus: make test prepares it"]
async fn a_late_worker_joins_where_it_may_and_ends_with_the_others() {
    let run = Run::of_locust(&locust_script(target::start().await), 10).await;
    let start_at = run.decide_start(Duration::from_millis(50), LateWorkers::Join).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let mut worker = Worker::start(&run, 0).await;
    assert_eq!(worker.exit_code().await, 0, "{}", worker.log());
    let manifest = worker.manifest().await.unwrap();
    let late = manifest.released_at.unwrap().duration_since(start_at);
    println!("joined {:.3} s late", late.as_secs_f64());
    assert!(late.as_millis() > 1_500, "{late:?}");
    assert_eq!((manifest.complete, manifest.stopped), (false, Some(StopReason::DeadlineExceeded)));
    assert!(manifest.counters.requests > 50);
    let after_ms = manifest.last_sample_at.unwrap().duration_since(start_at).as_millis();
    assert!((9_000..15_000).contains(&after_ms), "its last sample ended {after_ms} ms after the instant");
    assert!(manifest.warnings.iter().any(|warning| warning.contains("with that of the others")), "{manifest:?}");
    assert_figures_are_true(&[&worker], &[Rows::Locust]).await;
}

/// Worker and storage share a clock here, so the true difference is nothing.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Taurus: make test prepares it"]
async fn the_clock_of_a_worker_is_compared_with_the_storages_and_the_gates_open_at_the_instant() {
    let run = Run::of_locust(&locust_script(target::start().await), 6).await;
    let (mut one, mut two) = (Worker::start(&run, 0).await, Worker::start(&run, 1).await);
    tokio::join!(one.ready(), two.ready());
    let start_at = run.start_in(Duration::from_secs(5)).await;
    assert_eq!((one.exit_code().await, two.exit_code().await), (0, 0), "{}", one.log());
    for worker in [&one, &two] {
        let manifest = worker.manifest().await.unwrap();
        let clock = manifest.clock.unwrap();
        assert!(clock.offset_us.unsigned_abs() <= clock.bound_us, "{clock:?}");
        let release = manifest.released_at.unwrap().duration_since(start_at);
        let first_sample = manifest.first_sample_at.unwrap().duration_since(start_at);
        println!(
            "released {} ms, first sample {} ms after the instant; clock {} us, +- {} us",
            release.as_millis(),
            first_sample.as_millis(),
            clock.offset_us,
            clock.bound_us
        );
        assert!(!release.is_negative());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Taurus: make test prepares it"]
async fn a_worker_that_is_not_prepared_at_the_instant_never_starts_load() {
    let run = Run::of_locust(&locust_script(target::start().await), 6).await;
    let mut worker = Worker::start(&run, 0).await;
    while !worker.control("launch.json").exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Taurus needs a second and more to come to the gate.
    run.start_in(Duration::from_millis(50)).await;
    let began = Timestamp::now();
    assert_eq!(worker.exit_code().await, 66, "{}", worker.log());
    assert!(since(began) < 20.0, "{}", worker.log());
    assert!(!worker.control("start").exists());
    let refused = std::fs::read_to_string(worker.control("refused.json")).unwrap();
    assert!(refused.contains("Late"), "{refused}");
    assert!(!worker.place.path().join("work/status/released.json").exists());
    assert!(worker.manifest().await.is_none());
}
