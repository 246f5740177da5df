//! Definitions, manifests and samples for tests.

use std::collections::BTreeMap;

use jiff::Timestamp;
use volley_aggregator::gather::{SERIES, STATISTICS};
use volley_aggregator::outcome::{MeasuredAttempt, Provenance, WorkerOutcome};
use volley_stats::statistics::Collection;
use volley_stats::{Limits, Recorder, Sample, SampleKind, Series};
use volley_storage::documents::{
    ClockOffset, CloseDecision, ClosedWorker, Counters, Definition, Manifest, ObjectDigest,
};
use volley_storage::keys::WorkerAttempt;
use volley_storage::objects::sha256_hex;

pub(crate) const RUN: &str = "11111111-2222-3333-4444-555555555555";
/// When the load of every fixture starts.
pub(crate) const START_S: i64 = 1_800_000_000;

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(START_S + second).unwrap()
}

/// A run over the given regions with their numbers of workers.
pub(crate) fn definition(regions: &[(&str, u32)]) -> Definition {
    let mut definition = Definition {
        regions: regions.iter().map(|(target, workers)| volley_fixtures::region(target, *workers)).collect(),
        live: None,
        ..volley_fixtures::definition()
    };
    (definition.run.uid, definition.run.created_at) = (RUN.into(), at(-60));
    definition
}

pub(crate) fn close(workers: Vec<ClosedWorker>) -> CloseDecision {
    CloseDecision { version: 1, at: at(20), workers, stopped: None, asked_at: BTreeMap::new() }
}

pub(crate) fn attempt(target: &str, index: u32) -> WorkerAttempt {
    WorkerAttempt { target: target.into(), index, pod_uid: format!("pod-{target}-{index}") }
}

/// One request as a test writes it down: label, start in milliseconds after the load's start, response time in
/// microseconds, success.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) label: String,
    pub(crate) start_ms: i64,
    pub(crate) elapsed_us: u64,
    pub(crate) success: bool,
    pub(crate) bytes: Option<u64>,
}

pub(crate) fn request(label: &str, start_ms: i64, elapsed_us: u64, success: bool) -> Request {
    Request { label: label.into(), start_ms, elapsed_us, success, bytes: Some(100) }
}

/// What a worker makes of its requests.
pub(crate) struct Recorded {
    pub(crate) collection: Collection,
    pub(crate) series: Series,
}

impl Recorded {
    /// Its objects by name.
    pub(crate) fn objects(&self) -> BTreeMap<&'static str, Vec<u8>> {
        BTreeMap::from([(STATISTICS, volley_stats::file::encode(&self.collection)), (SERIES, self.series.encode())])
    }
}

pub(crate) fn collection(requests: &[Request]) -> Collection {
    recorded(requests).collection
}

pub(crate) fn recorded(requests: &[Request]) -> Recorded {
    let mut recorder = Recorder::new(Limits::default());
    for request in requests {
        let start_us = (START_S * 1000 + request.start_ms) * 1000;
        recorder.record(
            0,
            &Sample {
                kind: SampleKind::Request,
                label: &request.label,
                start_us,
                end_us: start_us + i64::try_from(request.elapsed_us).unwrap(),
                elapsed_us: request.elapsed_us,
                first_byte_us: None,
                connect_us: None,
                bytes: request.bytes,
                code: if request.success { "200" } else { "503" },
                message: if request.success { "OK" } else { "Service Unavailable" },
                success: request.success,
                active_users: Some(5),
            },
        );
    }
    let (collection, series) = recorder.into_parts();
    Recorded { collection, series }
}

fn digest(bytes: &[u8]) -> ObjectDigest {
    let size = bytes.len() as u64;
    ObjectDigest { sha256: sha256_hex(bytes), size, stored_size: size }
}

/// The manifest of a worker that ran its full time and uploaded these objects.
pub(crate) fn manifest(
    attempt: &WorkerAttempt,
    collection: &Collection,
    objects: &BTreeMap<&'static str, Vec<u8>>,
) -> Manifest {
    let total = collection.total();
    Manifest {
        version: 1,
        run_uid: RUN.into(),
        worker: attempt.clone(),
        taurus: Some("1.17.2".into()),
        engines: Vec::new(),
        exit_code: Some(0),
        released_at: Some(at(0)),
        first_sample_at: Some(at(0)),
        last_sample_at: Some(at(10)),
        clock: Some(ClockOffset { offset_us: 0, bound_us: 10_000 }),
        complete: true,
        stopped: None,
        counters: Counters {
            requests: total.requests(),
            errors: total.errors(),
            interrupted: total.interrupted.count(),
            bytes: total.bytes(),
            malformed_rows: 0,
            folded_labels: 0,
        },
        frames: None,
        health: None,
        sample_files: Vec::new(),
        objects: objects.iter().map(|(name, bytes)| ((*name).to_owned(), digest(bytes))).collect(),
        warnings: Vec::new(),
    }
}

/// A measured outcome, to be changed by a test.
pub(crate) fn measured(target: &str, index: u32, collection: &Collection) -> MeasuredAttempt {
    let attempt = attempt(target, index);
    let objects = BTreeMap::from([(STATISTICS, volley_stats::file::encode(collection))]);
    let manifest = manifest(&attempt, collection, &objects);
    MeasuredAttempt { attempt, manifest, provenance: Provenance::Manifest, lacks: None }
}

pub(crate) fn outcome(measured: MeasuredAttempt) -> WorkerOutcome {
    WorkerOutcome::Measured(Box::new(measured))
}
