//! Tells what the worker measures while the load runs: a frame each live interval, best effort.
//!
//! The thread of the tail collects the samples and closes seconds ([`Schedule`], pure); a task of its own writes the frames.
//! While one is being written, what is new waits in the recorder and goes with the next: nothing queues up, and neither tail
//! nor delivery ever wait for a frame. One that the storage does not take in time is dropped and counted.

mod schedule;
mod writer;

pub use schedule::Schedule;
pub use writer::{Outlet, Tally, Writer, channel};
