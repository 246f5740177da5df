//! The two folders of a worker: the control folder, which this process writes, and the work folder, which it only reads and never
//! trusts.

mod control;
mod untrusted;
mod work;

pub use control::{Consumed, ControlFolder, Launch, LaunchScript};
pub use untrusted::{Opened, UntrustedFolder};
pub use work::{Ended, Prepared, Released, WorkFolder};

use std::io;
use std::path::PathBuf;

/// A file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system says no.
    #[error("failed to {what} {}: {source}", path.display())]
    Io {
        /// `read`, `write`, …
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The kernel or its seccomp profile does not know `openat2`.
    #[error(
        "the kernel refuses openat2, without which no file of a test can be opened safely; use Linux 5.6 or newer and a seccomp profile that allows it"
    )]
    NoOpenat2,
    /// What is there is a folder, a link, a pipe or a device.
    #[error("{} is no regular file", path.display())]
    NotRegular {
        /// Which file.
        path: PathBuf,
    },
    /// More than a reader takes.
    #[error("{} is larger than {limit} bytes", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// The content is no document of the contract.
    #[error("{} is no valid document: {message}", path.display())]
    Document {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
}

impl FileError {
    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, path: path.into(), source }
    }
}
