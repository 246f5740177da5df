//! No field that nothing reads: every leaf of the three spec schemas has a row here with two values between which something
//! that the product does differs: the frozen definition, the worker Job, the Taurus configuration or what a planner decides.
//!
//! The digest of a definition is held constant, because it differs with every field and would prove nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use serde_json::{Value, json};
use volley_api::crd::{Kind, spec_leaves};
use volley_api::{LoadTest, LoadTestRun, LoadTestSpec, RegionTarget};

use crate::capacity::{self, Usage};
use crate::clusters::Access;
use crate::definition::{self, References, Requester};
use crate::load_test_run::observed::{Definiteness, Observed};
use crate::load_test_run::{build, plan};
use crate::{fixtures, load_test};

/// Leaves that can have one value only, so that there is no other to compare with. A field that joins them changes their path.
const ONE_VALUE: [(&str, &str); 1] = [("RegionTarget", "spec.connection.inCluster")];

struct Row {
    kind: Kind,
    path: &'static str,
    /// What the spec is before the leaf is set.
    base: Value,
    values: [Value; 2],
}

impl Row {
    fn by_kubeconfig(mut self) -> Self {
        self.base = json!({"connection": {"kubeconfig": {"secretName": "eu", "key": "kubeconfig"}}});
        self
    }

    fn by_eks(mut self) -> Self {
        self.base = json!({"connection": {"eks": {"clusterName": "eu"}}});
        self
    }
}

fn http() -> Value {
    json!({"scenario": {"http": {"baseUrl": "http://shop", "requests": [{"name": "home", "path": "/"}]}}})
}

fn script(engine: &str, source: &Value) -> Value {
    json!({"scenario": {engine: {"script": source}}})
}

fn k6(source: &Value) -> Value {
    json!({"scenario": {"k6": {"script": source, "acceptLicense": true}}})
}

fn inline() -> Value {
    json!({"inline": "x"})
}

fn threshold(side: &str) -> Value {
    let mut base = http();
    base["thresholds"] = json!([{"name": "fast", "metric": "p99", side: "1s"}]);
    base
}

fn abort() -> Value {
    let mut base = threshold("below");
    base["thresholds"][0]["abort"] = json!({"after": "1s", "for": "1s"});
    base
}

/// The smallest Taurus configuration.
fn taurus(scenario: &str) -> String {
    format!("execution: [{{scenario: {scenario}}}]")
}

fn config_map() -> Value {
    json!({"configMap": {"name": "one", "key": "a"}})
}

fn resources() -> Value {
    json!({"worker": {"resources": {"limits": {"memory": "1Gi"}}}})
}

#[rustfmt::skip]
fn rows() -> Vec<Row> {
    let load_test = |path, base: Value, one: Value, other: Value| Row { kind: Kind::LoadTest, path, base, values: [one, other] };
    let run = |path, base: Value, one: Value, other: Value| Row { kind: Kind::LoadTestRun, path, base, values: [one, other] };
    let target = |path, one: Value, other: Value| Row { kind: Kind::RegionTarget, path, base: json!({}), values: [one, other] };
    vec![
        load_test("spec.scenario.http.baseUrl", http(), json!("http://a"), json!("http://b")),
        load_test("spec.scenario.http.requests[].name", http(), json!("a"), json!("b")),
        load_test("spec.scenario.http.requests[].method", http(), json!("GET"), json!("PUT")),
        load_test("spec.scenario.http.requests[].path", http(), json!("/a"), json!("/b")),
        load_test("spec.scenario.http.requests[].headers", http(), json!({"X-A": "1"}), json!({"X-A": "2"})),
        load_test("spec.scenario.http.requests[].body", http(), json!("a"), json!("b")),
        load_test("spec.scenario.http.requests[].thinkTime", http(), json!("1s"), json!("2s")),
        load_test("spec.scenario.http.requests[].expect.status", http(), json!([200]), json!(["3xx"])),
        load_test("spec.scenario.http.requests[].expect.contains", http(), json!("a"), json!("b")),
        load_test("spec.scenario.jmeter.script.inline", script("jmeter", &inline()), json!("a"), json!("b")),
        load_test("spec.scenario.jmeter.script.configMap.name", script("jmeter", &config_map()), json!("one"), json!("two")),
        load_test("spec.scenario.jmeter.script.configMap.key", script("jmeter", &config_map()), json!("a"), json!("b")),
        load_test("spec.scenario.jmeter.properties", script("jmeter", &inline()), json!({"p": "1"}), json!({"p": "2"})),
        load_test("spec.scenario.k6.script.inline", k6(&inline()), json!("a"), json!("b")),
        load_test("spec.scenario.k6.script.configMap.name", k6(&config_map()), json!("one"), json!("two")),
        load_test("spec.scenario.k6.script.configMap.key", k6(&config_map()), json!("a"), json!("b")),
        load_test("spec.scenario.k6.arguments", k6(&inline()), json!(["--throw"]), json!(["--no-setup"])),
        load_test("spec.scenario.k6.acceptLicense", k6(&inline()), json!(true), json!(false)),
        load_test("spec.scenario.locust.script.inline", script("locust", &inline()), json!("a"), json!("b")),
        load_test("spec.scenario.locust.script.configMap.name", script("locust", &config_map()), json!("one"), json!("two")),
        load_test("spec.scenario.locust.script.configMap.key", script("locust", &config_map()), json!("a"), json!("b")),
        load_test("spec.scenario.taurus.script.inline", script("taurus", &inline()), json!(taurus("a")), json!(taurus("b"))),
        load_test("spec.scenario.taurus.script.configMap.name", script("taurus", &config_map()), json!("one"), json!("two")),
        load_test("spec.scenario.taurus.script.configMap.key", script("taurus", &config_map()), json!("a"), json!("b")),
        load_test("spec.load.usersPerWorker", http(), json!(1), json!(2)),
        load_test("spec.load.rampUp", http(), json!("1s"), json!("2s")),
        load_test("spec.load.holdFor", http(), json!("10s"), json!("20s")),
        load_test("spec.regions[].target", http(), json!("local"), json!("other")),
        load_test("spec.regions[].workers", http(), json!(1), json!(2)),
        load_test("spec.regions[].usersPerWorker", http(), json!(1), json!(2)),
        load_test("spec.worker.size", http(), json!("Small"), json!("Large")),
        load_test("spec.worker.resources.requests", resources(), json!({"cpu": "1"}), json!({"cpu": "2"})),
        load_test("spec.worker.resources.limits", resources(), json!({"memory": "1Gi"}), json!({"memory": "2Gi"})),
        load_test("spec.start.quorumPercent", http(), json!(50), json!(100)),
        load_test("spec.start.timeout", http(), json!("1m"), json!("2m")),
        load_test("spec.start.onMissingRegion", http(), json!("Fail"), json!("Continue")),
        load_test("spec.start.lateWorkers", http(), json!("Refuse"), json!("Join")),
        load_test("spec.healthyPercent", http(), json!(50), json!(90)),
        load_test("spec.thresholds[].name", threshold("below"), json!("a"), json!("b")),
        load_test("spec.thresholds[].metric", threshold("below"), json!("p95"), json!("p99")),
        load_test("spec.thresholds[].label", threshold("below"), json!("home"), json!("cart")),
        load_test("spec.thresholds[].region", threshold("below"), json!("local"), json!("other")),
        load_test("spec.thresholds[].below", threshold("below"), json!("1s"), json!("2s")),
        load_test("spec.thresholds[].above", threshold("above"), json!("1s"), json!("2s")),
        load_test("spec.thresholds[].abort.after", abort(), json!("1s"), json!("2s")),
        load_test("spec.thresholds[].abort.for", abort(), json!("1s"), json!("2s")),
        load_test("spec.trigger", http(), json!("Once"), json!("OnChange")),
        load_test("spec.artifacts.samples", http(), json!(false), json!(true)),
        load_test("spec.live.enabled", http(), json!(false), json!(true)),
        load_test("spec.live.interval", http(), json!("1s"), json!("2s")),
        load_test("spec.history.succeeded", http(), json!(0), json!(5)),
        load_test("spec.history.failed", http(), json!(0), json!(5)),
        run("spec.loadTest", json!({}), json!("checkout"), json!("missing")),
        run("spec.definitionDigest", json!({}), json!(volley_api::digest::definition_digest(&fixtures::load_test(json!({"trigger": "OnChange"})).spec)), json!(format!("v1:{}", "0".repeat(64)))),
        run("spec.stop.reason", json!({}), json!("a"), json!("b")),
        target("spec.connection.eks.clusterName", json!("a"), json!("b")).by_eks(),
        target("spec.connection.eks.roleArn", json!("arn:aws:iam::111122223333:role/a"), json!("arn:aws:iam::111122223333:role/b")).by_eks(),
        target("spec.connection.kubeconfig.secretName", json!("a"), json!("b")).by_kubeconfig(),
        target("spec.connection.kubeconfig.key", json!("a"), json!("b")).by_kubeconfig(),
        target("spec.capacity.maxWorkers", json!(1), json!(100)),
        target("spec.capacity.vcpu", json!(1), json!(100)),
        target("spec.paused", json!(false), json!(true)),
        target("spec.region", json!("us-east-1"), json!("eu-west-1")),
        target("spec.namespace", json!("a"), json!("b")),
        target("spec.allowedNamespaces", json!(["shop"]), json!(["other"])),
        target("spec.fargate", json!(false), json!(true)),
    ]
}

/// Set a leaf; `[]` is the first item of a list, and what is missing on the way is made.
fn set(object: &mut Value, path: &str, value: &Value) {
    let mut place = object;
    for part in path.split('.') {
        let (name, item) = part.strip_suffix("[]").map_or((part, false), |name| (name, true));
        place = &mut place[name];
        if item {
            place = &mut place[0];
        }
    }
    *place = value.clone();
}

fn differs(row: &Row) -> bool {
    let [one, other] = &row.values;
    show(row, one) != show(row, other)
}

fn show(row: &Row, value: &Value) -> String {
    match row.kind {
        Kind::LoadTest => {
            let mut object = serde_json::to_value(fixtures::load_test(row.base.clone())).unwrap();
            set(&mut object, row.path, value);
            let load_test: LoadTest = serde_json::from_value(object).unwrap();
            format!("{}\n{}", executed(&load_test.spec, &references()), decided(&load_test))
        }
        Kind::LoadTestRun => {
            let mut object = json!({"apiVersion": "volley.dev/v1alpha1", "kind": "LoadTestRun", "spec": {"loadTest": "checkout"},
                "metadata": {"name": "r", "namespace": "shop", "uid": "u", "creationTimestamp": "2026-11-25T09:00:00Z",
                    "finalizers": ["volley.dev/run"]}});
            set(&mut object, row.path, value);
            planned(&serde_json::from_value(object).unwrap())
        }
        Kind::RegionTarget => {
            let mut object = serde_json::to_value(fixtures::target("local")).unwrap();
            if let Some(connection) = row.base.get("connection") {
                object["spec"]["connection"] = connection.clone();
            }
            set(&mut object, row.path, value);
            let target: RegionTarget = serde_json::from_value(object).unwrap();
            let access = Access::of(&target);
            let room = capacity::admit(
                "local",
                Usage { workers: 5, millicores: 5_000 },
                &capacity::limits(&target, Usage::default()),
            );
            let mut references = references();
            references.targets.insert("local".into(), target);
            let spec = fixtures::load_test(resources()).spec;
            format!("{access:?}\n{room:?}\n{}", executed(&spec, &references))
        }
    }
}

fn references() -> References {
    let mut references = fixtures::references();
    let mut other = fixtures::target("other");
    other.spec.region = "eu-west-1".into();
    references.targets.insert("other".into(), other);
    for map in ["one", "two"] {
        for key in ["a", "b"] {
            references.contents.holds(map, key, taurus(&format!("{map}-{key}")).into_bytes());
        }
    }
    references
}

/// What a run of the spec freezes, and what follows from that.
fn executed(spec: &LoadTestSpec, references: &References) -> String {
    let fixed = fixtures::definition();
    let requester = Requester {
        installation: fixed.installation,
        run: fixed.run,
        definition_digest: fixed.definition_digest,
        images: fixed.images,
    };
    match definition::candidate(spec, requester, references) {
        Ok(candidate) => {
            let definition = candidate.definition;
            let job = build::worker_job::worker_job(&definition, &definition.regions[0], &fixtures::settings());
            let configuration =
                volley_collector::configuration::taurus_configuration(&definition, &definition.regions[0].target)
                    .unwrap();
            format!("{}\n{}\n{configuration}", json!(definition), json!(job))
        }
        Err(problem) => problem.to_string(),
    }
}

/// What the LoadTest's planner does with an older definition's run and two finished ones, without any digest.
fn decided(load_test: &LoadTest) -> String {
    let mut load_test = load_test.clone();
    let older = format!("v1:{}:1", "0".repeat(64));
    load_test.metadata.annotations = Some(BTreeMap::from([(volley_api::labels::TRIGGERED.to_owned(), older)]));
    let run = |name: &str, succeeded: &str| -> LoadTestRun {
        let condition = |type_: &str, status: &str| json!({"type": type_, "status": status, "reason": "R", "message": "", "lastTransitionTime": "2026-11-25T09:00:00Z"});
        serde_json::from_value(json!({
            "apiVersion": "volley.dev/v1alpha1", "kind": "LoadTestRun", "metadata": {"name": name, "uid": name},
            "spec": {"loadTest": "checkout"},
            "status": {"conditions": [condition("Finished", "True"), condition("Succeeded", succeeded)]}}))
        .unwrap()
    };
    let runs = vec![run("good", "True"), run("bad", "False")];
    let observed = load_test::observed::Observed { load_test, runs, references: References::default() };
    let plan = load_test::plan::plan(&observed, None, "2026-11-25T10:00:00Z".parse().unwrap());
    let shown = plan.actions.iter().map(|action| match action {
        load_test::plan::Action::Decide { run, .. } => format!("decide, with a run: {run}"),
        load_test::plan::Action::CreateRun { .. } => "create a run".to_owned(),
        load_test::plan::Action::Settle => "settle".to_owned(),
        load_test::plan::Action::Prune { name, .. } => format!("prune {name}"),
    });
    shown.collect::<Vec<_>>().join("\n")
}

/// What the run's planner does first.
fn planned(run: &LoadTestRun) -> String {
    let load_test = (run.spec.load_test == "checkout").then(|| fixtures::load_test(json!({"trigger": "OnChange"})));
    let mut run = run.clone();
    run.metadata.labels = Some([(volley_api::labels::LOAD_TEST.to_owned(), run.spec.load_test.clone())].into());
    run.metadata.owner_references = Some(vec![load_test::build::run::owner(&fixtures::load_test(json!({})))]);
    let observed = Observed {
        run,
        definition: Definiteness::Unknown,
        load_test,
        rivals: Vec::new(),
        regions: BTreeMap::new(),
        aggregator: None,
        start: None,
        stop: None,
        close: None,
        manifests: BTreeSet::new(),
        shortage: None,
        refusals: Vec::new(),
    };
    let mut observed = observed;
    if observed.load_test.is_some() {
        let candidate = definition::Candidate { definition: fixtures::definition(), sources: BTreeMap::new() };
        observed.definition = Definiteness::Open(Ok(Box::new(candidate)));
    }
    let policy = plan::Policy { start_delay: SignedDuration::from_secs(5) };
    let plan = plan::plan(&observed, &policy, "2026-11-25T10:00:00Z".parse().unwrap());
    format!("{:?}\n{}", plan.actions, json!(plan.status))
}

#[test]
fn every_leaf_of_every_spec_has_a_row_and_every_row_is_a_leaf() {
    for kind in Kind::ALL {
        let leaves: BTreeSet<String> = spec_leaves(kind).unwrap().into_iter().collect();
        let excused = ONE_VALUE.iter().filter(|(of, _)| *of == kind.as_str()).map(|(_, path)| (*path).to_owned());
        let rows: BTreeSet<String> =
            rows().iter().filter(|row| row.kind == kind).map(|row| row.path.to_owned()).chain(excused).collect();
        let without: Vec<_> = leaves.difference(&rows).collect();
        let unknown: Vec<_> = rows.difference(&leaves).collect();
        assert!(without.is_empty(), "{}: leaves that nothing is known to read: {without:?}", kind.as_str());
        assert!(unknown.is_empty(), "{}: rows of leaves that do not exist: {unknown:?}", kind.as_str());
    }
}

#[test]
fn every_row_makes_a_difference() {
    let idle: Vec<_> = rows().iter().filter(|row| !differs(row)).map(|row| row.path).collect();
    assert!(idle.is_empty(), "between these values nothing differs: {idle:?}");
}

#[test]
fn a_field_that_nothing_reads_would_be_noticed() {
    let idle = Row { kind: Kind::LoadTest, path: "spec.trigger", base: http(), values: [json!("Once"), json!("Once")] };
    assert!(!differs(&idle));
}
