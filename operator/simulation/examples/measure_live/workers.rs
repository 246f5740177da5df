//! The child that is all workers: samples by a formula, told as the collector tells them.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::sleep;
use volley_collector::frames::{Outlet, Schedule, Tally, channel};
use volley_simulation::worker::{Behaviour, Generator};
use volley_stats::{Engine, FrameRecorder, Sample, SampleKind};
use volley_storage::ObjectStore;

use crate::{Load, Outcome, RUN_UID, START, storage_of_child};

/// Virtual users of each worker.
pub(crate) const USERS: u32 = 50;
/// Pause between two looks, as the collector's.
const PAUSE: Duration = Duration::from_millis(200);

/// What the workers say of themselves when they have ended.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) samples: u64,
    /// Frames that reached the storage.
    pub(crate) written: u64,
    /// Frames that did not.
    pub(crate) dropped: u64,
}

/// One worker.
struct Worker {
    generator: Generator,
    recorder: FrameRecorder,
    outlet: Outlet,
    tally: Tally,
    samples: u64,
}

impl Worker {
    /// Reads what has ended before an instant.
    fn read(&mut self, until: Timestamp, labels: &[String]) {
        while let Some(sample) = self.generator.before(until.as_millisecond()) {
            let elapsed_us = u64::from(sample.elapsed_ms) * 1_000;
            let (code, message) = if sample.failed { ("503", "Service Unavailable") } else { ("200", "OK") };
            self.samples += 1;
            self.recorder.record(
                0,
                &Sample {
                    kind: SampleKind::Request,
                    label: labels.get(usize::from(sample.label)).map_or("", String::as_str),
                    start_us: (sample.ended_ms - i64::from(sample.elapsed_ms)) * 1_000,
                    end_us: sample.ended_ms * 1_000,
                    elapsed_us,
                    first_byte_us: None,
                    connect_us: None,
                    bytes: Some(sample.bytes.into()),
                    code,
                    message,
                    success: !sample.failed,
                    active_users: Some(USERS),
                },
            );
        }
    }

    /// Tells of the seconds that are over, as the collector's tail does.
    fn tell(&mut self, read_until: Timestamp) {
        if self.outlet.is_free()
            && let Some(frame) = self.recorder.close(self.outlet.schedule.through(read_until))
        {
            self.outlet.put(frame);
        }
    }
}

/// Plays all workers from the start on, and prints what they did.
pub(crate) async fn work(load: &Load) -> Outcome<()> {
    let (storage, key) = storage_of_child()?;
    let start_at = Timestamp::from_second(std::env::var(START)?.parse()?)?;
    let end = start_at + SignedDuration::from_secs(load.seconds.into());
    let schedule = Schedule::new(&[Engine::Locust], load.interval_s()?);
    let behaviour = Behaviour { samples_per_minute: load.samples * 60, labels: load.labels, ..Behaviour::default() };
    let labels: Vec<String> = (0..load.labels).map(|label| format!("GET /shop/{label:04}/items")).collect();
    let (store, run_uid) = (ObjectStore::with_key(&storage, &key), Arc::from(RUN_UID));
    let mut writing = JoinSet::new();
    let mut workers: Vec<Worker> = Vec::new();
    for attempt in load.outline()?.attempts() {
        let (outlet, writer, tally) = channel(schedule);
        let generator = Generator::new(&behaviour, behaviour.seed_of(&attempt), start_at.as_millisecond());
        let mut recorder = FrameRecorder::new();
        recorder.begin(start_at.as_second());
        workers.push(Worker { generator, recorder, outlet, tally, samples: 0 });
        writing.spawn(writer.run(store.clone(), Arc::clone(&run_uid), attempt));
    }
    loop {
        let now = Timestamp::now();
        if now >= end {
            break;
        }
        for worker in &mut workers {
            worker.read(now, &labels);
            worker.tell(now);
        }
        sleep(schedule.next(Timestamp::now()).min(PAUSE)).await;
    }
    let mut told = Told::default();
    let mut tallies = Vec::new();
    for mut worker in workers {
        worker.read(end, &labels);
        if let Some(last) = worker.recorder.end(end.as_second() - 1) {
            worker.outlet.put(last);
        }
        told.samples += worker.samples;
        tallies.push(worker.tally);
    }
    writing.join_all().await;
    for counts in tallies.iter().map(Tally::counts) {
        told.written += counts.written;
        told.dropped += counts.dropped;
    }
    println!("{}", serde_json::to_string(&told)?);
    Ok(())
}
