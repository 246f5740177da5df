//! Follows the engine's sample files while they grow, and turns them into statistics.
//!
//! One thread reads all files of the worker with one buffer; what it keeps is bounded by [`volley_stats::Limits`], not by the
//! length of the run. It looks every 200 ms: notification by the kernel would wake it for each of a thousand writes a second.

mod follower;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use volley_stats::Engine;

pub use follower::{Follower, Tailed};

use crate::files::UntrustedFolder;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(200);
/// How long the rest of the files is read after Taurus has ended. At 600 MB/s that is more than a worker's disk holds; it
/// ends only a file that something goes on writing.
const LONGEST_DRAIN: Duration = Duration::from_mins(1);
/// The value that says that no stop was ordered.
const NO_STOP: i64 = i64::MIN;

/// The thread that follows the files could not be started or broke.
#[derive(Debug, thiserror::Error)]
pub enum TailError {
    /// No thread.
    #[error("failed to start the thread that reads the sample files: {0}")]
    Start(#[source] std::io::Error),
    /// It panicked: a defect of ours.
    #[error("the thread that reads the sample files broke; this is a defect of Volley, please report it with this log")]
    Broken,
}

#[derive(Debug)]
struct Orders {
    stop_us: AtomicI64,
    finish: AtomicBool,
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
    /// Starts to follow the sample files below a work folder, from their beginning.
    ///
    /// # Errors
    /// [`TailError::Start`].
    pub fn start(folder: UntrustedFolder, engine: Engine) -> Result<Self, TailError> {
        let orders = Arc::new(Orders { stop_us: AtomicI64::new(NO_STOP), finish: AtomicBool::new(false) });
        let follower = Follower::new(folder, engine);
        let given = Arc::clone(&orders);
        let thread = thread::Builder::new()
            .name("tail".to_owned())
            .spawn(move || follow(follower, &given))
            .map_err(TailError::Start)?;
        Ok(Self { orders, thread: Some(thread) })
    }

    /// Says that the engine is about to be asked to stop, in microseconds since 1970-01-01 UTC.
    ///
    /// It must be called before the engine can know, so that what the stop cuts off is read with the stop in mind.
    pub fn stop_at(&self, stop_us: i64) {
        self.orders.stop_us.store(stop_us, Ordering::SeqCst);
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

fn follow(mut follower: Follower, orders: &Orders) -> Tailed {
    let stop_us = || Some(orders.stop_us.load(Ordering::SeqCst)).filter(|stop_us| *stop_us != NO_STOP);
    while !orders.finish.load(Ordering::SeqCst) {
        follower.look(&stop_us);
        thread::park_timeout(PAUSE);
    }
    let began = Instant::now();
    while follower.look(&stop_us) {
        if began.elapsed() > LONGEST_DRAIN {
            follower.warn("the sample files still grew a minute after Taurus had ended; the rest was not read");
            break;
        }
    }
    follower.finish()
}
