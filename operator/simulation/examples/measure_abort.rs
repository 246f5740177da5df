//! Measures how soon a threshold with `abort` stops the load of many workers.
//!
//! ```text
//! cargo run --release -p volley-simulation --example measure_abort -- [WORKERS]
//! ```
//!
//! All requests of WORKERS (100) workers in up to five regions fail, and a threshold on the error rate is judged from the eighth second
//! on, over three seconds. Storage (real protocols over 127.0.0.1), aggregator and every worker's collector are the real ones; the
//! engines are played, and end within a quarter of a second. What a real engine takes to end comes on top: Locust about one second
//! (`runs`, `a_threshold_that_breaks_…`).

#![expect(clippy::print_stdout, reason = "the figures are the purpose of this program")]

use std::error::Error;
use std::future::pending;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use volley_api::load_test::LiveInterval;
use volley_collector::Settings;
use volley_simulation::figures::spread::Spread;
use volley_simulation::figures::{Row, table};
use volley_simulation::outline::Outline;
use volley_simulation::worker::{Behaviour, Place, Worker, play};
use volley_stats::Percentile;
use volley_storage::documents::{Manifest, StopDecision, StopReason};
use volley_storage::embedded::Server;
use volley_storage::keys;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const RUN_UID: &str = "0b5d2f6e-4c1a-4d59-9a40-61626f727400";
/// `after` of the threshold, in seconds.
const AFTER_S: i64 = 8;
/// `for` of the threshold, in seconds.
const FOR_S: i64 = 3;
/// The load would take so long.
const HOLD_FOR: Duration = Duration::from_mins(3);
/// Workers get ready, and end, within this time.
const PATIENCE: Duration = Duration::from_mins(2);
/// From the start decision to the start.
const LEAD_S: i64 = 5;

#[tokio::main]
async fn main() -> Outcome<()> {
    tracing_subscriber::fmt().with_env_filter("error").with_writer(std::io::stderr).init();
    let workers: u32 = std::env::args().nth(1).map_or(Ok(100), |text| text.parse())?;
    let outline = outline(workers)?;
    let place = tempfile::tempdir()?;
    let storage = Server::start_on_free_ports(&place.path().join("data")).await?;
    let objects = storage.objects();
    outline.define(&objects).await?;

    let never = watch::channel(false).0;
    let (mut playing, mut prepared) = (JoinSet::new(), Vec::new());
    for attempt in outline.attempts() {
        let settings = Settings {
            run_uid: RUN_UID.into(),
            worker: attempt,
            storage: storage.storage_settings(),
            listen: "127.0.0.1:0".parse()?,
            // Those of the place.
            control_dir: "".into(),
            work_dir: "".into(),
        };
        let behaviour = Behaviour { failures_per_thousand: 1_000, ..Behaviour::default() };
        let worker = Worker { settings, objects: storage.objects_of_run(RUN_UID), behaviour, grace: PATIENCE };
        let (folders, terminated) = (Place::new(place.path())?, never.subscribe());
        prepared.push(folders.work().join("status/prepared.json"));
        playing.spawn(async move { play(worker, &folders, terminated).await });
    }
    let deadline = Instant::now() + PATIENCE;
    while !prepared.iter().all(|marker| marker.exists()) {
        if Instant::now() > deadline {
            return Err(format!("{workers} workers were not prepared within {PATIENCE:?}").into());
        }
        sleep(Duration::from_millis(100)).await;
    }
    let start_at = Timestamp::from_second(Timestamp::now().as_second() + LEAD_S)?;
    outline.start(&objects, start_at).await?;
    let aggregator = volley_aggregator::Settings {
        run_uid: RUN_UID.into(),
        patience: Some(Duration::MAX),
        outlets: volley_aggregator::feed::Outlets::default(),
    };
    tokio::select! {
        aggregated = volley_aggregator::run(aggregator, objects.clone(), storage.results(), None, pending()) => {
            aggregated?;
            return Err("the aggregator ended although the run was never closed".into());
        }
        played = playing.join_all() => drop(played),
    }

    let (stop, _) =
        objects.get_document::<StopDecision>(&keys::stop(RUN_UID)).await?.ok_or("nothing stopped the load")?;
    if stop.reason != StopReason::ThresholdsAborted {
        return Err(format!("the load was stopped by {:?}: {}", stop.reason, stop.message).into());
    }
    // The first second that begins `after` the start or later is the first that is judged, and the window is full by then.
    let judged_end = start_at + SignedDuration::from_secs(AFTER_S + 1);
    let mut last_samples = Vec::new();
    for attempt in outline.attempts() {
        let (manifest, _) =
            objects.get_document::<Manifest>(&attempt.manifest(RUN_UID)).await?.ok_or("a worker has no manifest")?;
        if manifest.stopped != Some(StopReason::ThresholdsAborted) {
            return Err(format!("{attempt:?} was stopped by {:?}", manifest.stopped).into());
        }
        last_samples.push(manifest.last_sample_at.ok_or("a worker has no sample")?);
    }
    print!("{}", table(&columns(workers, judged_end, stop.at, &last_samples)));
    Ok(())
}

fn outline(workers: u32) -> Outcome<Outline> {
    let threshold = json!({
        "name": "clean", "label": null, "target": null,
        "criterion": {"metric": "errorRate", "comparison": "Below", "limit": "50%"},
        "abort": {"afterMs": AFTER_S * 1_000, "forSeconds": FOR_S},
    });
    Ok(Outline {
        run_uid: RUN_UID.into(),
        regions: Outline::regions_of(workers),
        users_per_worker: 10,
        hold_for: HOLD_FOR,
        live_interval_s: LiveInterval::Auto.seconds(workers.into()),
        thresholds: vec![serde_json::from_value(threshold)?],
    })
}

/// The columns of the table: what is to be reached, and what was measured.
fn columns(workers: u32, judged_end: Timestamp, decided: Timestamp, last_samples: &[Timestamp]) -> [Vec<Row>; 2] {
    let since = |from: Timestamp| -> Spread {
        let milliseconds = |last: &Timestamp| last.as_millisecond() - from.as_millisecond();
        last_samples.iter().map(milliseconds).collect()
    };
    let (since_decided, since_judged) = (since(decided), since(judged_end));
    let mut columns = [Vec::new(), Vec::new()];
    let mut row = |title: &'static str, reach: Option<&str>, measured: Option<String>| {
        let values = [reach.map(str::to_owned), measured];
        for (column, value) in columns.iter_mut().zip(values) {
            column.push(Row { title, value });
        }
    };
    row("a threshold that stops the load", Some("to reach"), Some("measured".into()));
    row("workers", None, Some(workers.to_string()));
    row("end of the second that ends `for` to the decision", None, {
        Some(seconds(decided.as_millisecond() - judged_end.as_millisecond()))
    });
    row("decision to a worker's last sample: median", None, since_decided.percentile(Percentile::P50).map(seconds));
    row("to the last sample of all", Some("≤ 5 s"), since_decided.maximum().map(seconds));
    row("end of the second to the last sample of all", Some("≤ 8 s"), since_judged.maximum().map(seconds));
    columns
}

#[expect(clippy::cast_precision_loss, reason = "a time is far below 2^52 ms")]
fn seconds(milliseconds: i64) -> String {
    format!("{:.2} s", milliseconds as f64 / 1000.0)
}
