//! Follows the engines' sample files while they grow, and turns them into statistics.
//!
//! One thread reads all files of the worker with one buffer; what it keeps is bounded by [`volley_stats::Limits`], not by the
//! length of the run. It looks every 200 ms: notification by the kernel would wake it for each of a thousand writes a second.
//! Every few seconds it keeps its state on the pod's volume, from which a restarted collector goes on exactly.

mod checkpoint;
mod discovery;
mod followed;
mod follower;
mod health;
mod keeper;
mod snapshot;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::oneshot;
use volley_stats::Engine;

pub use checkpoint::CheckpointError;
pub use follower::{Follower, Tailed};
pub use snapshot::{Measured, Snapshot};

use crate::files::{ControlFolder, FileError, UntrustedFolder};
use crate::frames::Outlet;
use keeper::Keeper;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(200);
/// How long the rest of the files is read after Taurus has ended. At 600 MB/s that is more than a worker's disk holds; it
/// ends only a file that something goes on writing.
const LONGEST_DRAIN: Duration = Duration::from_mins(1);
/// The value that says that something was not ordered yet.
const NOT_YET: i64 = i64::MIN;

/// The thread that follows the files could not be started or broke.
#[derive(Debug, thiserror::Error)]
pub enum TailError {
    /// The work folder.
    #[error(transparent)]
    Folder(#[from] FileError),
    /// No thread.
    #[error("failed to start the thread that reads the sample files: {0}")]
    Start(#[source] std::io::Error),
    /// It panicked: a defect of ours.
    #[error("the thread that reads the sample files broke; this is a defect of Volley, please report it with this log")]
    Broken,
}

/// What a tail works with.
#[derive(Debug)]
pub struct Place {
    /// The work folder.
    pub work: PathBuf,
    /// Where the state is kept.
    pub control: ControlFolder,
    /// The engines whose sample files are read.
    pub engines: Vec<Engine>,
    /// Whether the disk space of rows that were read may be given back.
    pub gives_back: bool,
    /// Where frames go; none where nothing is told while the load runs.
    pub frames: Option<Outlet>,
}

#[derive(Debug)]
struct Orders {
    stop_us: AtomicI64,
    frames_from: AtomicI64,
    finish: AtomicBool,
    snapshot: Mutex<Option<oneshot::Sender<Snapshot>>>,
}

/// A running tail.
#[derive(Debug)]
pub struct Tail {
    orders: Arc<Orders>,
    thread: Option<JoinHandle<Tailed>>,
}

impl Drop for Tail {
    /// Ends the thread; its result is lost where nobody has asked for it.
    fn drop(&mut self) {
        self.orders.finish.store(true, Ordering::SeqCst);
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Tail {
    /// Starts to follow the sample files below a work folder: from where a predecessor kept its state, or from their beginning.
    ///
    /// # Errors
    /// [`TailError::Folder`], [`TailError::Start`].
    pub fn start(place: Place) -> Result<Self, TailError> {
        let orders = Arc::new(Orders {
            stop_us: AtomicI64::new(NOT_YET),
            frames_from: AtomicI64::new(NOT_YET),
            finish: AtomicBool::new(false),
            snapshot: Mutex::new(None),
        });
        let mut follower = follower(&place)?;
        let keeper = Keeper::new(place.control, place.gives_back);
        let outlet = place.frames;
        if outlet.is_some() {
            follower.collect_frames();
        }
        let given = Arc::clone(&orders);
        let thread = thread::Builder::new()
            .name("tail".to_owned())
            .spawn(move || follow(follower, keeper, outlet.as_ref(), &given))
            .map_err(TailError::Start)?;
        Ok(Self { orders, thread: Some(thread) })
    }

    /// Says that the engine is about to be asked to stop, in microseconds since 1970-01-01 UTC.
    ///
    /// It must be called before the engine can know, so that what the stop cuts off is read with the stop in mind.
    pub fn stop_at(&self, stop_us: i64) {
        self.orders.stop_us.store(stop_us, Ordering::SeqCst);
    }

    /// Says which second is the first that frames tell of, since 1970-01-01 UTC. The first call counts.
    ///
    /// It is the second in which the gate was opened; after a restart under load the one after the restart, because nobody knows
    /// what the predecessor has told.
    pub fn tell_from(&self, second: i64) {
        let _ = self.orders.frames_from.compare_exchange(NOT_YET, second, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// What was measured so far, at the next look. The receiver fails where the tail ends before or is asked again.
    #[must_use]
    pub fn snapshot(&self) -> oneshot::Receiver<Snapshot> {
        let (sender, receiver) = oneshot::channel();
        *self.orders.snapshot.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }

    /// Reads the files to their ends and gives the result. For a thread that may block.
    ///
    /// # Errors
    /// [`TailError::Broken`].
    pub fn finish(mut self) -> Result<Tailed, TailError> {
        let thread = self.thread.take().ok_or(TailError::Broken)?;
        self.orders.finish.store(true, Ordering::SeqCst);
        thread.thread().unpark();
        thread.join().map_err(|_| TailError::Broken)
    }
}

/// A follower that goes on from the state that was kept. Without a usable one it reads everything that is still there.
fn follower(place: &Place) -> Result<Follower, TailError> {
    let folder = || UntrustedFolder::open(&place.work);
    let trouble = match place.control.checkpoint() {
        Ok(None) => return Ok(Follower::new(folder()?, &place.engines)),
        Ok(Some(bytes)) => match Follower::resume(folder()?, &place.engines, &bytes) {
            Ok(follower) => return Ok(follower),
            Err(error) => error.to_string(),
        },
        Err(error) => error.to_string(),
    };
    let mut follower = Follower::new(folder()?, &place.engines);
    follower.warn(format!(
        "the collector was restarted and its checkpoint cannot be used, so the sample files were read again from their beginning; \
         rows whose disk space was given back are missing: {trouble}"
    ));
    Ok(follower)
}

fn follow(mut follower: Follower, mut keeper: Keeper, outlet: Option<&Outlet>, orders: &Orders) -> Tailed {
    let stop_us = || Some(orders.stop_us.load(Ordering::SeqCst)).filter(|stop_us| *stop_us != NOT_YET);
    while !orders.finish.load(Ordering::SeqCst) {
        let looked_at = Timestamp::now();
        follower.look(&stop_us);
        if let Some(outlet) = outlet {
            tell(&mut follower, outlet, looked_at, orders);
        }
        keeper.keep(&mut follower);
        let asked = orders.snapshot.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(asked) = asked {
            match Snapshot::of(&mut follower, looked_at) {
                // Whoever asked may have given up.
                Ok(snapshot) => drop(asked.send(snapshot)),
                Err(error) => tracing::error!(%error, "what was measured so far cannot be told"),
            }
        }
        thread::park_timeout(outlet.map_or(PAUSE, |outlet| outlet.schedule.next(Timestamp::now()).min(PAUSE)));
    }
    let began = Instant::now();
    while follower.look(&stop_us) {
        if began.elapsed() > LONGEST_DRAIN {
            follower.warn("the sample files still grew a minute after Taurus had ended; the rest was not read");
            break;
        }
    }
    if let Some((outlet, frames)) = outlet.zip(follower.frames())
        && let Some(last) = frames.end(Timestamp::now().as_second())
    {
        outlet.put(last);
    }
    follower.finish()
}

/// Closes the seconds of which all rows were read, if the frame before is on its way.
fn tell(follower: &mut Follower, outlet: &Outlet, read_until: Timestamp, orders: &Orders) {
    let is_behind = follower.is_behind();
    let Some(frames) = follower.frames() else { return };
    let from = orders.frames_from.load(Ordering::SeqCst);
    if from != NOT_YET {
        frames.begin(from);
    }
    if !is_behind
        && outlet.is_free()
        && let Some(frame) = frames.close(outlet.schedule.through(read_until))
    {
        outlet.put(frame);
    }
}
