//! The figures of one run. Pure.

use jiff::{SignedDuration, Timestamp};
use volley_stats::Percentile;

use super::audit::{Request, kinds};
use super::cost;
use super::input::Inputs;
use super::processes::ProcessSample;
use super::spread::Spread;
use crate::record::{Requests, WorkerRecord};

/// Kinds of requests that are named.
const KINDS: usize = 4;

/// A figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is, with its unit where the value has none.
    pub title: &'static str,
    /// The value for people; `None`: not known.
    pub value: Option<String>,
}

/// All figures of a run; the same titles for every run.
#[must_use]
pub fn rows(inputs: &Inputs) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut row = |title: &'static str, value: Option<String>| rows.push(Row { title, value });
    let run = Run::of(inputs);
    let workers = inputs.result.workers_total;

    row("workers, regions", Some(format!("{}, {}", workers.planned, inputs.result.regions.len())));
    row("complete, partial, lost", Some(format!("{}, {}, {}", workers.complete, workers.partial, workers.lost)));
    row("requests in the result, of those that workers wrote", Some(run.counted()));
    row("run created to the last Job created", run.since_created(run.last_job()));
    row("to the last pod seen by its node", run.since_created(latest(inputs, |record| Some(record.seen_at))));
    row("to the last worker prepared", run.since_created(latest(inputs, |record| record.prepared_at)));
    row("to the last worker ready by its probe", run.since_created(latest(inputs, |record| record.ready_at)));
    row("to the start instant", run.since_created(inputs.result.start_at));
    row("release after the instant: p50, p99, longest", run.release());
    row("first release to last release", run.release_spread());
    row("last load ended to the last upload seen", run.upload());
    row("last upload seen to the result in the status", run.aggregation());
    row("S3 at the gate, requests a worker and minute: GET", rate(run.gate(), |requests| requests.reads));
    row("S3 under load, requests a worker and minute: GET", rate(run.load(), |requests| requests.reads));
    row("S3 under load, requests a worker and minute: PUT, LIST", rate(run.load(), |requests| requests.writes));
    row("S3 in all, requests a worker: GET; PUT, LIST", run.all_requests());
    row("API requests in the regions, all; a worker", run.api_requests());
    row("of those", Some(kinds(run.regions(), KINDS)).filter(|words| !words.is_empty()));
    row("API requests of the operator to the hub", run.hub_requests());
    for (title, name) in [
        ("operator: processor, of one core; memory at most, private", "operator"),
        ("storage: the same", "storage"),
        ("all workers together: the same", "simulation"),
    ] {
        row(title, run.process(name));
    }
    row("the whole machine: processors in use under load", run.machine());
    let cost = cost::of(inputs);
    row("on AWS: Fargate `Small`, from start to removal", Some(format!("${:.3}", cost.fargate)));
    row("on AWS: S3 requests of the workers", Some(format!("${:.4}", cost.requests)));
    rows
}

struct Run<'a> {
    inputs: &'a Inputs,
    created: Option<Timestamp>,
    /// The last worker was gone.
    ended: Option<Timestamp>,
}

impl<'a> Run<'a> {
    fn of(inputs: &'a Inputs) -> Self {
        Self {
            inputs,
            created: inputs.run.metadata.creation_timestamp.as_ref().map(|time| time.0),
            ended: latest(inputs, |record| Some(record.gone_at)),
        }
    }

    fn counted(&self) -> String {
        let written: u64 = self.inputs.records.iter().map(|record| record.samples).sum();
        format!("{} of {written}", self.inputs.result.totals.requests)
    }

    /// A creation time is cut to its second, so this may be up to a second too long.
    fn since_created(&self, at: Option<Timestamp>) -> Option<String> {
        Some(seconds(at?.duration_since(self.created?)))
    }

    fn last_job(&self) -> Option<Timestamp> {
        self.regions().filter(|request| request.is("create", "jobs")).map(|request| request.received_at).max()
    }

    fn releases(&self) -> Option<Spread> {
        let start_at = self.inputs.result.start_at?;
        let late = |record: &WorkerRecord| Some(microseconds(record.released_at?.duration_since(start_at)));
        Some(self.inputs.records.iter().filter_map(late).collect())
    }

    fn release(&self) -> Option<String> {
        let spread = self.releases()?;
        let [p50, p99] = [Percentile::P50, Percentile::P99].map(|percentile| spread.percentile(percentile));
        Some(format!("{}, {}, {}", milliseconds(p50?), milliseconds(p99?), milliseconds(spread.maximum()?)))
    }

    fn release_spread(&self) -> Option<String> {
        let spread = self.releases()?;
        Some(milliseconds(spread.maximum()? - spread.minimum()?))
    }

    fn upload(&self) -> Option<String> {
        let ended = latest(self.inputs, |record| record.ended_at)?;
        Some(seconds(latest(self.inputs, |record| record.uploaded_at)?.duration_since(ended)))
    }

    /// The aggregator writes the status last of all.
    fn aggregation(&self) -> Option<String> {
        let by_aggregator = |request: &&Request| {
            request.verb == "patch"
                && request.object_ref.resource == "loadtestruns"
                && request.user.username.ends_with(":volley-aggregator")
        };
        let written = self.inputs.hub.iter().filter(by_aggregator).map(|request| request.received_at).max()?;
        Some(seconds(written.duration_since(latest(self.inputs, |record| record.uploaded_at)?)))
    }

    /// Requests and worker-milliseconds at the gate.
    fn gate(&self) -> (Requests, i64) {
        self.between(
            |record| Some((record.prepared_at?, record.released_at?)),
            |record| (record.until_prepared, record.until_released),
        )
    }

    /// The same under load.
    fn load(&self) -> (Requests, i64) {
        self.between(
            |record| Some((record.released_at?, record.ended_at?)),
            |record| (record.until_released, record.until_ended),
        )
    }

    fn between(
        &self,
        times: impl Fn(&WorkerRecord) -> Option<(Timestamp, Timestamp)>,
        counts: impl Fn(&WorkerRecord) -> (Requests, Requests),
    ) -> (Requests, i64) {
        let (mut requests, mut milliseconds) = (Requests::default(), 0);
        for record in &self.inputs.records {
            let Some((from, to)) = times(record) else { continue };
            let (before, after) = counts(record);
            requests.reads += after.reads.saturating_sub(before.reads);
            requests.writes += after.writes.saturating_sub(before.writes);
            milliseconds += to.as_millisecond().saturating_sub(from.as_millisecond());
        }
        (requests, milliseconds)
    }

    fn all_requests(&self) -> Option<String> {
        let records = &self.inputs.records;
        let mean = |of: fn(&Requests) -> u64| {
            float(records.iter().map(|record| of(&record.until_gone)).sum()) / float(records.len() as u64)
        };
        (!records.is_empty())
            .then(|| format!("{:.0}; {:.1}", mean(|requests| requests.reads), mean(|requests| requests.writes)))
    }

    /// Requests to the regions while the run was on.
    fn regions(&self) -> impl Iterator<Item = &'a Request> {
        self.during(&self.inputs.regions)
    }

    fn during(&self, requests: &'a [Request]) -> impl Iterator<Item = &'a Request> {
        let (created, finished) = (self.created, self.finished());
        requests.iter().filter(move |request| {
            let at = request.received_at;
            created.is_some_and(|created| at >= created) && finished.is_none_or(|finished| at <= finished)
        })
    }

    /// The run's end, or that of its last worker.
    fn finished(&self) -> Option<Timestamp> {
        let status = self.inputs.run.status.as_ref();
        status.and_then(|status| status.finished_at.as_ref()).map(|time| time.0).max(self.ended)
    }

    fn api_requests(&self) -> Option<String> {
        let count = self.regions().count() as u64;
        let workers = u64::from(self.inputs.result.workers_total.planned);
        (count > 0 && workers > 0).then(|| format!("{count}; {:.1}", float(count) / float(workers)))
    }

    fn hub_requests(&self) -> Option<String> {
        let of_operator =
            self.during(&self.inputs.hub).filter(|request| request.user.username.ends_with(":volley-operator"));
        let requests: Vec<_> = of_operator.collect();
        (!requests.is_empty()).then(|| format!("{}: {}", requests.len(), kinds(requests.into_iter(), KINDS)))
    }

    fn samples(&self, name: &str, from: Option<Timestamp>, to: Option<Timestamp>) -> Vec<&'a ProcessSample> {
        let (Some(from), Some(to)) = (from, to) else { return Vec::new() };
        let of_name = self.inputs.processes.iter().filter(|sample| sample.name == name);
        of_name.filter(|sample| sample.at >= from && sample.at <= to).collect()
    }

    fn process(&self, name: &str) -> Option<String> {
        let samples = self.samples(name, self.created, self.finished());
        let share = share(&samples)?;
        let most = |of: fn(&ProcessSample) -> u64| samples.iter().map(|sample| of(sample)).max();
        let resident = mebibytes(most(|sample| sample.resident_kib)?);
        let private = mebibytes(most(|sample| sample.private_kib)?);
        Some(format!("{:.1} %; {resident}, {private}", share * 100.0))
    }

    fn machine(&self) -> Option<String> {
        let from = latest(self.inputs, |record| record.released_at);
        let to = self.inputs.records.iter().filter_map(|record| record.ended_at).min();
        share(&self.samples("machine", from, to)).map(|share| format!("{share:.2}"))
    }
}

/// Processor time over time.
fn share(samples: &[&ProcessSample]) -> Option<f64> {
    let (first, last) = (samples.first()?, samples.last()?);
    let took = last.at.as_millisecond() - first.at.as_millisecond();
    (took > 0).then(|| float(last.processor_ms.saturating_sub(first.processor_ms)) / signed(took))
}

fn latest(inputs: &Inputs, of: impl Fn(&WorkerRecord) -> Option<Timestamp>) -> Option<Timestamp> {
    inputs.records.iter().filter_map(of).max()
}

fn microseconds(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn milliseconds(microseconds: i64) -> String {
    format!("{:.1} ms", signed(microseconds) / 1000.0)
}

fn seconds(duration: SignedDuration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

fn mebibytes(kibibytes: u64) -> String {
    format!("{:.1} MiB", float(kibibytes) / 1024.0)
}

#[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
fn float(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
fn signed(number: i64) -> f64 {
    number as f64
}

/// Requests a minute.
fn rate((requests, milliseconds): (Requests, i64), of: impl Fn(Requests) -> u64) -> Option<String> {
    (milliseconds > 0).then(|| format!("{:.1}", float(of(requests)) * 60_000.0 / signed(milliseconds)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(milliseconds: i64) -> String {
        format!("{:.3}", Timestamp::from_millisecond(1_800_000_000_000 + milliseconds).unwrap())
    }

    fn figures(count: u64) -> serde_json::Value {
        json!({"requests": count, "errors": 0, "interrupted": 0, "bytes": 0, "errorRatePpm": 0, "requestRateMilli": 0,
            "averageUs": null, "standardDeviationUs": null, "minUs": null, "p50Us": null, "p90Us": null, "p95Us": null,
            "p99Us": null, "p999Us": null, "maxUs": null, "connectAverageUs": null, "firstByteAverageUs": null, "codes": {}})
    }

    /// A worker that was released some milliseconds late.
    fn record(index: u32, late: i64) -> WorkerRecord {
        serde_json::from_value(json!({
            "cluster": "eu", "runUid": "u", "target": "eu", "index": index, "podUid": "p",
            "seenAt": at(3_000), "startedAt": at(4_000), "preparedAt": at(10_000), "readyAt": at(11_000),
            "releasedAt": at(30_000 + late), "endedAt": at(90_000), "uploadedAt": at(91_000), "goneAt": at(94_000),
            "exitCode": 0, "samples": 100,
            "untilPrepared": {"writes": 0, "reads": 10}, "untilReleased": {"writes": 0, "reads": 50},
            "untilEnded": {"writes": 6, "reads": 110}, "untilGone": {"writes": 12, "reads": 111},
        }))
        .unwrap()
    }

    fn request(verb: &str, resource: &str, user: &str, milliseconds: i64) -> Request {
        serde_json::from_value(json!({"verb": verb, "objectRef": {"resource": resource},
            "user": {"username": format!("system:serviceaccount:x:{user}")}, "requestReceivedTimestamp": at(milliseconds)}))
        .unwrap()
    }

    fn inputs() -> Inputs {
        let run = json!({"apiVersion": "volley.dev/v1alpha1", "kind": "LoadTestRun",
            "metadata": {"name": "scale-1", "uid": "u", "creationTimestamp": at(0)}, "spec": {"loadTest": "scale"},
            "status": {"finishedAt": at(100_000)}});
        let counts = json!({"planned": 2, "started": 2, "complete": 2, "partial": 0, "lost": 0});
        let result = json!({"version": 1, "run": {"uid": "u", "name": "scale-1", "namespace": "default", "loadTest": "scale",
                "createdAt": at(0)},
            "definitionDigest": "v1:0", "verdict": "NotJudged", "stopped": null, "startAt": at(30_000), "interval": null,
            "peakUsers": null, "totals": figures(200), "workersTotal": counts,
            "regions": [{"target": "eu", "region": "eu", "workers": counts, "figures": figures(200)}],
            "workers": [], "labels": [], "errors": [], "complete": true, "warnings": []});
        let process = |milliseconds: i64, name: &str, processor_ms: u64| {
            serde_json::from_value(json!({"at": at(milliseconds), "name": name, "processorMs": processor_ms,
                "residentKib": 20480, "privateKib": 1024}))
            .unwrap()
        };
        Inputs {
            run: serde_json::from_value(run).unwrap(),
            result: serde_json::from_value(result).unwrap(),
            records: vec![record(0, 2), record(1, 10)],
            processes: vec![
                process(-10_000, "operator", 0),
                process(0, "operator", 1_000),
                process(50_000, "operator", 1_500),
                process(30_000, "machine", 0),
                process(40_000, "machine", 15_000),
                process(80_000, "machine", 75_000),
            ],
            hub: vec![
                request("patch", "loadtestruns", "volley-aggregator", 92_500),
                request("patch", "loadtestruns", "volley-operator", 95_000),
            ],
            regions: vec![
                request("create", "jobs", "volley-hub", 1_500),
                request("watch", "jobs", "volley-hub", 2_000),
                request("list", "jobs", "volley-hub", -5_000),
                request("delete", "jobs", "volley-hub", 101_000),
            ],
        }
    }

    #[rstest::rstest]
    #[case("complete, partial, lost", "2, 0, 0")]
    #[case("requests in the result, of those that workers wrote", "200 of 200")]
    #[case("run created to the last Job created", "1.5 s")]
    #[case("to the start instant", "30.0 s")]
    #[case("release after the instant: p50, p99, longest", "2.0 ms, 10.0 ms, 10.0 ms")]
    #[case("first release to last release", "8.0 ms")]
    #[case("last load ended to the last upload seen", "1.0 s")]
    #[case("last upload seen to the result in the status", "1.5 s")]
    #[case("S3 at the gate, requests a worker and minute: GET", "120.0")]
    #[case("S3 under load, requests a worker and minute: PUT, LIST", "6.0")]
    #[case("S3 in all, requests a worker: GET; PUT, LIST", "111; 12.0")]
    #[case("API requests in the regions, all; a worker", "2; 1.0")]
    #[case("of those", "1 create jobs, 1 watch jobs")]
    #[case("API requests of the operator to the hub", "1: 1 patch loadtestruns")]
    #[case("operator: processor, of one core; memory at most, private", "1.0 %; 20.0 MiB, 1.0 MiB")]
    #[case("the whole machine: processors in use under load", "1.50")]
    #[case("on AWS: S3 requests of the workers", "$0.0002")]
    fn a_figure_is_what_the_run_left_behind(#[case] title: &str, #[case] expected: &str) {
        let rows = rows(&inputs());
        let row = rows.iter().find(|row| row.title == title).unwrap();
        assert_eq!(row.value.as_deref(), Some(expected));
    }

    #[test]
    fn fargate_is_paid_from_the_start_of_a_pod_to_its_end() {
        // Two workers for 90 s: half a vCPU and 2 GB.
        let expected = 2.0 * 90.0 / 3600.0 * (0.5 * 0.040_48 + 2.0 * 0.004_445);
        assert!((cost::of(&inputs()).fargate - expected).abs() < 1e-9);
    }

    #[test]
    fn what_was_not_measured_has_no_value_and_the_titles_stay() {
        let mut inputs = inputs();
        let all = rows(&inputs);
        (inputs.records, inputs.processes, inputs.regions) = (Vec::new(), Vec::new(), Vec::new());
        inputs.result.start_at = None;
        let less = rows(&inputs);
        let titles = |rows: &[Row]| rows.iter().map(|row| row.title).collect::<Vec<_>>();
        assert_eq!(titles(&less), titles(&all));
        for title in ["first release to last release", "of those", "the whole machine: processors in use under load"] {
            assert_eq!(less.iter().find(|row| row.title == title).unwrap().value, None, "{title}");
        }
    }
}
