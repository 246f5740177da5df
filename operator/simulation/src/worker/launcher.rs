//! The main container, by `docs/contributors/worker-contract.md`: launcher, gate and engine in one.
//!
//! It looks at its files as often as the real parts do: the launcher every 50 ms, the gate every 10 ms. The looks of a gate at which
//! nothing can be new are left out: a process that plays a thousand gates would spend most of its time on them.

use std::io::{self, Write as _};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use volley_storage::ObjectStore;
use volley_storage::documents::DOCUMENT_VERSION;

use super::changes::Changes;
use super::folders::{Folders, Place};
use super::health::Health;
use super::samples::{Engine, Generator};
use super::{Behaviour, RequestsByPhase};

/// How often the launcher looks for a file.
const LOOK: Duration = Duration::from_millis(50);
/// How often the gate looks for `start`.
const GATE_LOOK: Duration = Duration::from_millis(10);
/// The gate looks so often even when nothing in its folder seems to change.
const LONGEST_BLINDNESS: Duration = Duration::from_secs(1);
/// How often rows are written; the first time a part of this after the start that depends on the worker, as engines do not start in step.
const WRITE: Duration = Duration::from_millis(500);
/// Until `launch.json`, `refused.json` or `stop.json` is there.
const LAUNCH_LIMIT: Duration = Duration::from_mins(10);
/// For `uploaded` after a failure before the start.
const FAILED_UPLOAD_LIMIT: Duration = Duration::from_secs(20);
/// For `uploaded` where a stop came before `launch.json`.
const STOPPED_UPLOAD_LIMIT: Duration = Duration::from_mins(5);
/// The longest load that a definition may ask for, with its ramp-up.
const LONGEST_LOAD: Duration = Duration::from_hours(24);

/// How the main container ended; the numbers are those of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// 0: the load ran, or a stop came first.
    Done,
    /// 64: what it was given cannot be run.
    NeedsChange,
    /// 65: no sample although the gate was opened.
    NoResult,
    /// 66: late or refused.
    Refused,
    /// 70: nothing has begun and the test is not to blame.
    BrokenContract,
}

impl ExitCode {
    /// As the kubelet sees it.
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            Self::Done => 0,
            Self::NeedsChange => 64,
            Self::NoResult => 65,
            Self::Refused => 66,
            Self::BrokenContract => 70,
        }
    }
}

/// When a worker did what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moments {
    /// `prepared.json` was written.
    pub prepared: Option<Timestamp>,
    /// The gate saw `start`.
    pub released: Option<Timestamp>,
    /// `ended.json` was written.
    pub ended: Option<Timestamp>,
    /// `uploaded` was seen.
    pub uploaded: Option<Timestamp>,
}

/// What of a run a main container has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Load {
    engine: Engine,
    users: u32,
    duration: Duration,
    upload_limit: Duration,
}

/// Why the load ended or never began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interruption {
    Stopped,
    Refused,
    Evicted,
}

pub(super) struct Launcher<'a> {
    folders: Folders,
    behaviour: &'a Behaviour,
    seed: u64,
    objects: &'a ObjectStore,
    terminated: watch::Receiver<bool>,
    moments: Moments,
    requests: RequestsByPhase,
    samples: u64,
}

impl<'a> Launcher<'a> {
    pub(super) fn new(
        place: &Place,
        behaviour: &'a Behaviour,
        seed: u64,
        objects: &'a ObjectStore,
        terminated: watch::Receiver<bool>,
    ) -> Self {
        Self {
            folders: Folders::of(place),
            behaviour,
            seed,
            objects,
            terminated,
            moments: Moments::default(),
            requests: RequestsByPhase::default(),
            samples: 0,
        }
    }

    pub(super) async fn run(mut self) -> (ExitCode, Moments, u64, RequestsByPhase) {
        let exit = self.container().await.unwrap_or_else(|error| {
            tracing::error!(%error, "a main container broke its contract");
            ExitCode::BrokenContract
        });
        (exit, self.moments, self.samples, self.requests)
    }

    async fn container(&mut self) -> io::Result<ExitCode> {
        self.appears(LAUNCH_LIMIT, |folders| {
            folders.launch.exists() || folders.refused.exists() || folders.stop.exists()
        })
        .await;
        if self.folders.refused.exists() {
            return Ok(ExitCode::Refused);
        }
        if self.folders.launch.exists() {
            return self.launched().await;
        }
        if self.folders.stop.exists() {
            self.end(true)?;
            self.wait_for_upload(STOPPED_UPLOAD_LIMIT).await;
            return Ok(ExitCode::Done);
        }
        Ok(ExitCode::BrokenContract)
    }

    async fn launched(&mut self) -> io::Result<ExitCode> {
        let load = match self.load()? {
            Ok(load) => load,
            Err(words) => return self.fail(&words).await,
        };
        self.folders.log("simulated: preparing")?;
        let prepared = self.until(Instant::now() + self.behaviour.prepare, LOOK).await;
        if prepared.is_none() {
            self.write_prepared(load.engine)?;
        }
        let interruption = match prepared {
            Some(interruption) => Some(interruption),
            None => self.hold().await?,
        };
        if let Some(interruption) = interruption {
            return self.leave_without_load(interruption, load).await;
        }
        let released = Timestamp::now();
        self.folders.write_status("released.json", &json!({"version": DOCUMENT_VERSION, "at": instant(released)}))?;
        self.moments.released = Some(released);
        self.requests.released = self.objects.requests();

        let interruption = self.make_load(load, released).await?;
        self.end(interruption.is_some())?;
        self.wait_for_upload(load.upload_limit).await;
        Ok(if self.samples > 0 || interruption.is_some() { ExitCode::Done } else { ExitCode::NoResult })
    }

    /// What the workspace says, or in the words of a Taurus why it cannot be run.
    fn load(&self) -> io::Result<Result<Load, String>> {
        let launch = self.folders.read("launch.json")?;
        let upload_limit = Duration::from_secs(launch["uploadTimeoutSeconds"].as_u64().unwrap_or_default());
        let configuration = self.folders.read("workspace/volley.yml")?;
        Ok(load_of(&configuration, upload_limit))
    }

    fn write_prepared(&mut self, engine: Engine) -> io::Result<()> {
        let at = Timestamp::now();
        let document = json!({
            "version": DOCUMENT_VERSION,
            "at": instant(at),
            "engines": [{"name": engine.name(), "version": "simulated"}],
            "taurus": "simulated",
            "notes": [],
        });
        self.folders.write_status("prepared.json", &document)?;
        self.moments.prepared = Some(at);
        self.requests.prepared = self.objects.requests();
        Ok(())
    }

    /// The gate; nothing where it was opened.
    async fn hold(&self) -> io::Result<Option<Interruption>> {
        let changes = Changes::of(&self.folders.control)?;
        let mut terminated = self.terminated.clone();
        let began = Instant::now();
        while began.elapsed() < LONGEST_LOAD {
            // The stop first: who asks for both wants no load.
            let interruption = self.interruption();
            if interruption.is_some() || self.folders.start.exists() {
                return Ok(interruption.or_else(|| self.interruption()));
            }
            tokio::select! {
                () = changes.next() => {}
                () = sleep(LONGEST_BLINDNESS) => {}
                Ok(()) = terminated.changed() => {}
            }
            sleep(until_next_look(began.elapsed())).await;
        }
        Ok(Some(Interruption::Evicted))
    }

    /// Samples until the end of the load; why it ended before.
    async fn make_load(&mut self, load: Load, released: Timestamp) -> io::Result<Option<Interruption>> {
        let began_ms = released.as_millisecond();
        let ends_ms = began_ms.saturating_add(i64::try_from(load.duration.as_millis()).unwrap_or(i64::MAX));
        let mut generator = Generator::new(self.behaviour, self.seed, began_ms);
        let (mut health, header) = Health::begin(self.behaviour.cpu_per_thousand, began_ms);
        let ends = Instant::now() + load.duration;
        let mut interruption = self.until(ends.min(Instant::now() + first_write(self.seed)), WRITE).await;
        let mut file = self.folders.sample_file(load.engine.header())?;
        self.folders.health(&header)?;
        let mut text = String::new();
        loop {
            // At the end exactly what belongs to the load, however late this process is.
            let over = Instant::now() >= ends;
            let until_ms = if over { ends_ms } else { Timestamp::now().as_millisecond().min(ends_ms) };
            while let Some(sample) = generator.before(until_ms) {
                load.engine.write_row(&sample, load.users, &mut text);
                self.samples += 1;
            }
            file.write_all(text.as_bytes())?;
            text.clear();
            let lines = health.before(until_ms);
            if !lines.is_empty() {
                self.folders.health(&lines)?;
            }
            if over || interruption.is_some() {
                return Ok(interruption);
            }
            interruption = self.until(ends.min(Instant::now() + WRITE), LOOK.max(WRITE / 2)).await;
        }
    }

    async fn leave_without_load(&mut self, interruption: Interruption, load: Load) -> io::Result<ExitCode> {
        self.end(true)?;
        Ok(match interruption {
            Interruption::Refused => ExitCode::Refused,
            Interruption::Evicted => ExitCode::BrokenContract,
            Interruption::Stopped => {
                self.wait_for_upload(load.upload_limit).await;
                ExitCode::Done
            }
        })
    }

    async fn fail(&mut self, words: &str) -> io::Result<ExitCode> {
        let failure = json!({
            "version": DOCUMENT_VERSION, "stage": "Configuration", "file": null, "line": null, "words": words,
        });
        self.folders.write_status("failed.json", &failure)?;
        self.end(false)?;
        self.wait_for_upload(FAILED_UPLOAD_LIMIT).await;
        Ok(ExitCode::NeedsChange)
    }

    fn end(&mut self, stopped: bool) -> io::Result<()> {
        let at = Timestamp::now();
        self.folders.log("simulated: ended")?;
        self.folders.write_status(
            "ended.json",
            &json!({"version": DOCUMENT_VERSION, "exitCode": 0, "at": instant(at), "stopped": stopped}),
        )?;
        self.moments.ended = Some(at);
        self.requests.ended = self.objects.requests();
        Ok(())
    }

    async fn wait_for_upload(&mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        while !self.folders.uploaded.exists() {
            if Instant::now() > deadline {
                return;
            }
            sleep(LOOK).await;
        }
        self.moments.uploaded = Some(Timestamp::now());
    }

    /// Waits until something is there, the pod is to end, or the time is over.
    async fn appears(&self, limit: Duration, there: impl Fn(&Folders) -> bool) {
        let deadline = Instant::now() + limit;
        while !there(&self.folders) && !*self.terminated.borrow() && Instant::now() < deadline {
            sleep(LOOK).await;
        }
    }

    /// Sleeps until an instant or an interruption.
    async fn until(&self, instant: Instant, look: Duration) -> Option<Interruption> {
        loop {
            if let Some(interruption) = self.interruption() {
                return Some(interruption);
            }
            let left = instant.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            sleep(left.min(look)).await;
        }
    }

    fn interruption(&self) -> Option<Interruption> {
        if self.folders.refused.exists() {
            Some(Interruption::Refused)
        } else if self.folders.stop.exists() {
            Some(Interruption::Stopped)
        } else {
            self.terminated.borrow().then_some(Interruption::Evicted)
        }
    }
}

/// From an instant to the next look of a gate that was opened for looking so long ago.
fn until_next_look(since: Duration) -> Duration {
    let passed = since.as_nanos() % GATE_LOOK.as_nanos();
    GATE_LOOK.saturating_sub(Duration::from_nanos(u64::try_from(passed).unwrap_or_default()))
}

/// From the start to the first rows of a worker.
fn first_write(seed: u64) -> Duration {
    WRITE.mul_f64(fastrand::Rng::with_seed(seed).f64())
}

/// Reads what the collector wrote for Taurus.
fn load_of(configuration: &Value, upload_limit: Duration) -> Result<Load, String> {
    let execution = &configuration["execution"][0];
    let executor = execution["executor"].as_str().unwrap_or_default();
    let engine = Engine::of_executor(executor).ok_or_else(|| {
        format!("simulated workers play jmeter and locust, not {executor:?}; use http, jmeter or locust")
    })?;
    let seconds = |name: &str| {
        let text = execution[name].as_str().and_then(|text| text.strip_suffix('s')).unwrap_or_default();
        text.parse().map(Duration::from_secs).map_err(|_| format!("{name} of the execution is no number of seconds"))
    };
    Ok(Load {
        engine,
        users: execution["concurrency"].as_u64().and_then(|users| u32::try_from(users).ok()).unwrap_or(1),
        duration: seconds("ramp-up")?.saturating_add(seconds("hold-for")?).min(LONGEST_LOAD),
        upload_limit,
    })
}

/// RFC 3339 in milliseconds, as the contract has it.
fn instant(at: Timestamp) -> String {
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_mins(10);

    #[test]
    fn the_load_is_what_the_collector_wrote_for_taurus() {
        let configuration = json!({"execution": [
            {"executor": "locust", "concurrency": 7, "ramp-up": "30s", "hold-for": "90s", "scenario": "volley"}]});
        let expected = Load { engine: Engine::Locust, users: 7, duration: Duration::from_mins(2), upload_limit: LIMIT };
        assert_eq!(load_of(&configuration, LIMIT), Ok(expected));
    }

    #[test]
    fn a_gate_sees_what_is_new_at_its_next_look_of_each_10_ms() {
        let pauses =
            [0, 1, 10_000, 1_003_500].map(|since_us| until_next_look(Duration::from_micros(since_us)).as_micros());
        assert_eq!(pauses, [10_000, 9_999, 10_000, 6_500]);
    }

    #[rstest::rstest]
    #[case(json!({"execution": [{"executor": "k6"}]}), "not \"k6\"")]
    #[case(json!({"$execution": []}), "not \"\"")]
    #[case(json!({"execution": [{"executor": "jmeter", "ramp-up": "0s", "hold-for": "5m"}]}), "hold-for")]
    fn what_cannot_be_played_is_said(#[case] configuration: Value, #[case] words: &str) {
        let error = load_of(&configuration, LIMIT).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}
