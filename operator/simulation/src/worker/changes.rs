//! Tells when something changes in a folder, so that a thousand gates that wait cost nothing.
//!
//! One inotify instance of the process: Linux allows a user 128 of them, but many thousand watches (inotify(7)).

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use rustix::fd::OwnedFd;
use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use tokio::sync::Notify;

/// Bytes of events that are read at a time; one has at most 272.
const BUFFER: usize = 64 * 1024;

type Listeners = Mutex<HashMap<i32, Arc<Notify>>>;

/// The process' instance.
struct Instance {
    inotify: Arc<OwnedFd>,
    listeners: Arc<Listeners>,
}

/// Changes of one folder, until dropped.
pub(super) struct Changes {
    instance: &'static Instance,
    watch: i32,
    changed: Arc<Notify>,
}

impl Changes {
    /// Watches a folder from now on for files that appear in it.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let instance = Instance::get()?;
        // Before the first event can be read somebody has to listen.
        let mut listeners = lock(&instance.listeners);
        let watch = inotify::add_watch(&*instance.inotify, folder, WatchFlags::CREATE | WatchFlags::MOVED_TO)?;
        let changed = Arc::clone(listeners.entry(watch).or_default());
        Ok(Self { instance, watch, changed })
    }

    /// Resolves when a file appeared since the last call, or since the beginning.
    pub(super) async fn next(&self) {
        self.changed.notified().await;
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        lock(&self.instance.listeners).remove(&self.watch);
        // The folder may be gone, and its watch with it.
        let _ = inotify::remove_watch(&*self.instance.inotify, self.watch);
    }
}

impl Instance {
    fn get() -> io::Result<&'static Self> {
        static INSTANCE: OnceLock<Result<Instance, io::ErrorKind>> = OnceLock::new();
        let started = INSTANCE.get_or_init(|| Self::start().map_err(|error| error.kind()));
        started.as_ref().map_err(|kind| (*kind).into())
    }

    fn start() -> io::Result<Self> {
        let instance = Self { inotify: Arc::new(inotify::init(CreateFlags::CLOEXEC)?), listeners: Arc::default() };
        let (inotify, listeners) = (Arc::clone(&instance.inotify), Arc::clone(&instance.listeners));
        thread::Builder::new().name("changes".to_owned()).spawn(move || read(&inotify, &listeners))?;
        Ok(instance)
    }
}

/// Wakes listeners for the life of the process.
fn read(inotify: &OwnedFd, listeners: &Listeners) {
    let mut buffer = vec![MaybeUninit::uninit(); BUFFER];
    let mut reader = Reader::new(inotify, &mut buffer);
    loop {
        match reader.next() {
            Ok(event) => {
                if let Some(changed) = lock(listeners).get(&event.wd()) {
                    changed.notify_one();
                }
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                tracing::error!(%error, "changes of folders are not seen any more; gates open up to a second late");
                return;
            }
        }
    }
}

fn lock(listeners: &Listeners) -> MutexGuard<'_, HashMap<i32, Arc<Notify>>> {
    listeners.lock().unwrap_or_else(PoisonError::into_inner)
}
