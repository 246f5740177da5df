//! The driver: gathers what there is, asks [`plan`], and does that one step. It takes no decisions of its own.

mod gather;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use volley_stats::Engine;
use volley_storage::ObjectStore;
use volley_storage::documents::{Definition, Scenario, StopReason, WorkerFailure};

use crate::clock::ClockComparison;
use crate::control::{Action, Delivery, Limits, Observed, Outcome, Plan, State, StopFile, plan};
use crate::disk::{self, Disk, FreeBytes};
use crate::fetch::{self, FetchError};
use crate::files::{ControlFolder, FileError, WorkFolder};
use crate::frames::{self, Schedule, Tally};
use crate::probe::{self, ProbeError, Readiness};
use crate::progress::Progress;
use crate::settings::Settings;
use crate::tail::{Place, Tail, TailError};
use crate::upload::{Courier, DeliveryError, Seen};
use crate::watcher::{Decisions, watch_decisions};

/// How often the work folder is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// The collector cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The probe's address.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// Control or work folder.
    #[error(transparent)]
    File(#[from] FileError),
    /// The tail.
    #[error(transparent)]
    Tail(#[from] TailError),
    /// The probe's server ended, which it never does.
    #[error("the probe's server ended; the pod could never become ready")]
    ProbeEnded,
}

/// Runs the sidecar of one worker until `shutdown`, with the credentials that the AWS SDK finds.
///
/// It stays when everything is uploaded, because a sidecar that exits by itself is started again.
///
/// # Errors
/// [`Error`] where it cannot begin, or the control folder cannot be written. A restart then finds the files and goes on.
pub async fn run(settings: Settings, shutdown: impl Future<Output = ()> + Send) -> Result<(), Error> {
    let objects = ObjectStore::connect(&settings.storage).await;
    run_with(settings, objects, disk::free_bytes, shutdown).await
}

/// As [`run`], with a store that is already connected and another way to see how full the disk is.
///
/// # Errors
/// As [`run`].
pub async fn run_with(
    settings: Settings,
    objects: ObjectStore,
    free_bytes: FreeBytes,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let listener = probe::bind(settings.listen).await?;
    let mut collector = Collector::new(settings, objects, free_bytes)?;
    let (readiness, shown) = watch::channel(Readiness::of(State::Fetching, false, None));
    let mut tasks = JoinSet::new();
    tasks.spawn(probe::serve(listener, shown));
    tokio::pin!(shutdown);
    loop {
        collector.gather();
        collector.keep_progress();
        let next = collector.plan();
        readiness.send_if_modified(|shown| {
            let new = Readiness::of(next.state, collector.observed.prepared, collector.failure_words());
            let changed = *shown != new;
            if changed {
                tracing::info!(state = ?new.state, ready = new.ready, "{}", new.message);
                *shown = new;
            }
            changed
        });
        match next.action {
            Some(Action::Exit) => return Ok(()),
            Some(Action::Deliver(delivery)) => {
                // Happens once, and would be most of this future.
                let told_to_end = Box::pin(collector.deliver(delivery, &mut shutdown)).await?;
                collector.terminating_since = collector.terminating_since.or(told_to_end);
            }
            Some(action) => collector.act(action)?,
            None => {
                let pause = Collector::pause(next.wake_at);
                tokio::select! {
                    () = sleep(pause) => {}
                    Ok(()) = collector.decisions.changed() => {}
                    () = &mut shutdown, if collector.terminating_since.is_none() => {
                        tracing::info!("told to end");
                        collector.terminating_since = Some(Instant::now());
                    }
                    Some(_) = tasks.join_next() => return Err(Error::ProbeEnded),
                }
            }
        }
    }
}

type Fetched = Result<Arc<Definition>, FetchError>;

struct Collector {
    settings: Settings,
    objects: ObjectStore,
    control: ControlFolder,
    work: WorkFolder,
    decisions: watch::Receiver<Decisions>,
    /// Ended with this value.
    tasks: JoinSet<()>,
    fetching: Option<oneshot::Receiver<Fetched>>,
    definition: Option<Arc<Definition>>,
    fetch_failure: Option<WorkerFailure>,
    tail: Option<Tail>,
    /// What became of the frames, where any are told.
    frames: Option<Tally>,
    /// The gate was open when this process began: the second after that.
    restarted_in: Option<i64>,
    progress: Progress,
    disk: Disk,
    clock: ClockComparison,
    observed: Observed,
    seen: Seen,
    complained: bool,
    terminating_since: Option<Instant>,
}

impl Collector {
    fn new(settings: Settings, objects: ObjectStore, free_bytes: FreeBytes) -> Result<Self, Error> {
        let control = ControlFolder::new(&settings.control_dir);
        let work = WorkFolder::open(&settings.work_dir)?;
        // Says now, not in the middle of a run, when the kernel does not allow it.
        work.untrusted().file("taurus.log").map(drop).or_else(|error| match error {
            FileError::NotRegular { .. } => Ok(()),
            other => Err(other),
        })?;
        let (sender, decisions) =
            watch::channel(Decisions { start_looked_for: false, start: None, stop: None, answered: Instant::now() });
        let run_uid: Arc<str> = settings.run_uid.as_str().into();
        let mut tasks = JoinSet::new();
        tasks.spawn(watch_decisions(objects.clone(), run_uid, sender, Timestamp::now));
        let launched = control.launched();
        let stop = control.stop()?;
        let mut collector = Self {
            observed: Observed {
                launched,
                refused: control.refused(),
                opened: control.opened(),
                stopping: stop.is_some(),
                uploaded: control.uploaded(),
                ..Observed::nothing()
            },
            fetching: None,
            definition: None,
            fetch_failure: None,
            tail: None,
            frames: None,
            restarted_in: control.opened().then(|| Timestamp::now().as_second().saturating_add(1)),
            progress: Progress::new(objects.clone(), &settings.run_uid, &settings.worker),
            disk: Disk::new(&settings.work_dir, free_bytes),
            clock: ClockComparison::default(),
            seen: Seen { stopped: stop.as_ref().and_then(|(file, _)| decided(file)), ..Seen::default() },
            complained: false,
            terminating_since: None,
            settings,
            objects,
            control,
            work,
            decisions,
            tasks,
        };
        if !(collector.observed.uploaded || collector.observed.refused) {
            collector.fetch(!launched);
        }
        Ok(collector)
    }

    /// Fetches the definition and, unless a predecessor launched already, the workspace.
    fn fetch(&mut self, with_workspace: bool) {
        let (sender, receiver) = oneshot::channel();
        let (objects, control, run_uid) = (self.objects.clone(), self.control.clone(), self.settings.run_uid.clone());
        let target = self.settings.worker.target.clone();
        self.tasks.spawn(async move {
            let fetched = async {
                let definition =
                    fetch::persistently("the definition", || fetch::definition(&objects, &run_uid)).await?;
                if with_workspace {
                    let workspace = || fetch::workspace(&objects, &definition, &target, &control);
                    fetch::persistently("the workspace", workspace).await?;
                }
                Ok(Arc::new(definition))
            };
            // Nobody listens any more when the process ends.
            let _ = sender.send(fetched.await);
        });
        self.fetching = Some(receiver);
    }

    /// Follows the sample files from the launch on.
    fn start_tail(&mut self) {
        let Some(definition) = self.definition.as_ref().filter(|_| self.tail.is_none()) else { return };
        let engines = engines(&definition.scenario);
        let frames = definition.live.map(|live| {
            let (outlet, writer, tally) = frames::channel(Schedule::new(&engines, live.interval_s));
            let (run_uid, worker) = (self.settings.run_uid.as_str().into(), self.settings.worker.clone());
            self.tasks.spawn(writer.run(self.objects.clone(), run_uid, worker));
            self.frames = Some(tally);
            outlet
        });
        let place = Place {
            work: self.settings.work_dir.clone(),
            control: self.control.clone(),
            engines,
            // Who asks for the raw samples gets all of them.
            gives_back: !definition.artifacts.samples,
            frames,
        };
        let started = Tail::start(place);
        match started {
            Ok(tail) => {
                if let Ok(Some((_, stopped_us))) = self.control.stop() {
                    tail.stop_at(stopped_us);
                }
                self.tail = Some(tail);
            }
            Err(error) => tracing::error!(%error, "the sample files are read at the end only"),
        }
    }

    fn keep_progress(&mut self) {
        self.seen.frames = self.frames.as_ref().map(Tally::counts);
        if let Some((tail, released_at)) = self.tail.as_ref().zip(self.observed.released_at) {
            tail.tell_from(self.restarted_in.unwrap_or_else(|| released_at.as_second()));
        }
        let under_load = self.observed.released_at.is_some() && !self.observed.ended;
        if let Some((tail, definition)) = self.tail.as_ref().zip(self.definition.as_ref()).filter(|_| under_load) {
            self.progress.keep(tail, definition, &self.seen);
        }
    }

    fn plan(&self) -> Plan {
        // Until the definition is there, no bound of it can have been reached.
        let bound = |of: fn(&Definition) -> u64| self.definition.as_deref().map_or(u64::MAX, of);
        let limits = Limits {
            target: self.settings.worker.target.clone(),
            load_ms: bound(|definition| definition.load.duration_ms()),
            max_load_ms: bound(|definition| definition.max_load_ms),
            max_uncontrolled_ms: bound(|definition| definition.max_uncontrolled_ms),
        };
        plan(&self.observed, &limits, Timestamp::now())
    }

    fn pause(wake_at: Option<Timestamp>) -> Duration {
        let until = wake_at.and_then(|wake_at| Duration::try_from(wake_at.duration_since(Timestamp::now())).ok());
        until.map_or(LOOK, |until| until.min(LOOK))
    }

    fn failure_words(&self) -> Option<&str> {
        let failure = self.seen.failed.as_ref().or(self.fetch_failure.as_ref())?;
        Some(failure.words.as_str())
    }

    fn act(&mut self, action: Action) -> Result<(), Error> {
        tracing::info!(?action, "next step");
        match action {
            Action::Launch => {
                if let Some(definition) = &self.definition {
                    self.control.launch(&fetch::launch(definition))?;
                    self.observed.launched = true;
                }
            }
            Action::Refuse(refusal) => {
                self.control.refuse(&refusal)?;
                self.observed.refused = true;
                if self.observed.launched && !self.observed.stopping {
                    // Taurus may stand at the gate by now, which leaves it by `stop.json`.
                    let (version, message) = (refusal.version, refusal.message);
                    self.control.write_stop(&StopFile { version, reason: StopReason::Deleted, message })?;
                    self.observed.stopping = true;
                    // There is nothing to upload, so the launcher has nothing to wait for.
                    self.control.confirm_upload()?;
                    self.observed.uploaded = true;
                }
            }
            Action::OpenGate => {
                self.control.open_gate()?;
                self.observed.opened = true;
            }
            Action::Stop(file) => {
                // Before the file: what the stop cuts off must be read as cut off.
                if let Some(tail) = &self.tail {
                    tail.stop_at(Timestamp::now().as_microsecond());
                }
                self.control.write_stop(&file)?;
                self.observed.stopping = true;
                self.seen.stopped = self.observed.stop.as_ref().map(|decision| decision.reason).or(decided(&file));
            }
            Action::ConfirmUpload => {
                if self.observed.delivered == Some(Outcome::Complete) {
                    self.control.confirm_upload()?;
                    self.observed.uploaded = true;
                }
            }
            Action::Deliver(_) | Action::Exit => {}
        }
        Ok(())
    }

    /// Delivers; returns when this process was told to end meanwhile.
    async fn deliver(
        &mut self,
        delivery: Delivery,
        mut shutdown: impl Future<Output = ()> + Unpin,
    ) -> Result<Option<Instant>, Error> {
        self.seen.terminated = self.observed.terminating_ms.is_some() && !self.observed.ended;
        if delivery == Delivery::Results {
            // Without it a worker that was stopped before its launch would have no statistics, not even empty ones.
            self.start_tail();
        }
        let tailed = match self.tail.take() {
            Some(tail) => {
                Some(tokio::task::spawn_blocking(move || tail.finish()).await.map_err(|_| TailError::Broken)??)
            }
            None => None,
        };
        self.progress.end();
        let mut told_to_end = None;
        let outcome = {
            let courier = Courier {
                store: self.objects.clone(),
                run_uid: &self.settings.run_uid,
                worker: &self.settings.worker,
                work: self.work.untrusted(),
            };
            let sending = async {
                match (delivery, self.definition.as_deref(), tailed) {
                    (Delivery::Results, Some(definition), Some(tailed)) => {
                        courier.results(definition, &self.seen, tailed).await
                    }
                    (Delivery::Results, _, _) => Err(DeliveryError::Unprepared),
                    (Delivery::Failure, _, _) => {
                        courier.failure(self.seen.failed.as_ref().or(self.fetch_failure.as_ref())).await
                    }
                }
            };
            tokio::pin!(sending);
            loop {
                tokio::select! {
                    outcome = &mut sending => break outcome,
                    () = &mut shutdown, if told_to_end.is_none() && self.terminating_since.is_none() => {
                        tracing::info!("told to end; the delivery goes on as long as the pod lives");
                        told_to_end = Some(Instant::now());
                    }
                }
            }
        };
        self.observed.delivered = Some(match outcome {
            Ok(()) => Outcome::Complete,
            Err(error) => {
                tracing::error!(%error, "the delivery was given up");
                Outcome::GaveUp
            }
        });
        Ok(told_to_end)
    }
}

/// The engines whose sample files a scenario makes.
fn engines(scenario: &Scenario) -> Vec<Engine> {
    match scenario {
        Scenario::Http { .. } | Scenario::Jmeter { .. } => vec![Engine::JMeter],
        Scenario::K6 { .. } => vec![Engine::K6],
        Scenario::Locust { .. } => vec![Engine::Locust],
        // An executor without a parser of ours has its samples written by the worker.
        Scenario::Taurus { executions, .. } => {
            executions.iter().map(|execution| execution.executor.parse().unwrap_or(Engine::Taurus)).collect()
        }
    }
}

/// The reason of a stop that is a decision about the load. The end of the pod writes `Deleted` without being one.
fn decided(file: &StopFile) -> Option<StopReason> {
    Some(file.reason).filter(|reason| *reason != StopReason::Deleted)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
