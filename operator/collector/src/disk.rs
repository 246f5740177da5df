//! How much room is left on the worker's disk, and what that means.
//!
//! Sample files grow with the load. What both readers have passed is given back (see the worker's contract), unless the test asks
//! for its raw samples; then the disk has to hold them all. A disk that is full would make the engine fail at some write, with a
//! half row and no summary, so the load is stopped in order before that.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Below this many free bytes the manifest carries a warning.
pub const LITTLE: u64 = 1 << 30;
/// Below this many free bytes the load is stopped: room for logs, summary and the compressed uploads.
pub const TOO_LITTLE: u64 = 256 << 20;

/// How free space is asked for; tests have a disk of their own.
pub type FreeBytes = fn(&Path) -> io::Result<u64>;

/// Bytes that this user may still write on the file system of a folder.
///
/// # Errors
/// What the kernel says.
pub fn free_bytes(folder: &Path) -> io::Result<u64> {
    let state = rustix::fs::statvfs(folder)?;
    Ok(state.f_bavail.saturating_mul(state.f_frsize))
}

/// How often the disk is asked.
const PERIOD: Duration = Duration::from_secs(1);

/// Knows how much room there is, and how little there was.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: PathBuf,
    free_bytes: FreeBytes,
    next: Instant,
    complained: bool,
}

impl Disk {
    pub(crate) fn new(folder: &Path, free_bytes: FreeBytes) -> Self {
        Self { folder: folder.to_owned(), free_bytes, next: Instant::now(), complained: false }
    }

    /// The free bytes, when it is time to look again.
    pub(crate) fn look(&mut self) -> Option<u64> {
        let now = Instant::now();
        if now < self.next {
            return None;
        }
        self.next = now + PERIOD;
        match (self.free_bytes)(&self.folder) {
            Ok(free) => Some(free),
            Err(error) => {
                if !self.complained {
                    tracing::warn!(%error, folder = %self.folder.display(), "how full the disk is cannot be seen");
                }
                self.complained = true;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn what_is_free_is_what_df_says_is_available() {
        let place = tempfile::tempdir().unwrap();
        let told = Command::new("df").args(["--output=avail", "-B1"]).arg(place.path()).output().unwrap();
        let told: u64 = String::from_utf8(told.stdout).unwrap().lines().nth(1).unwrap().trim().parse().unwrap();
        let ours = free_bytes(place.path()).unwrap();
        assert!(ours.abs_diff(told) < 2 << 30, "{ours} instead of {told}; others write at the same time");
        assert!(free_bytes(&place.path().join("none")).is_err());
    }
}
