//! The objects of the embedded storage on disk: an SQLite index with small bodies, and one file for each large body.
//!
//! Guarantees:
//! * An object is visible entirely or not at all: a large body is written, verified, flushed and renamed into `files/`
//!   before the row that names it is committed, and rows are committed with `synchronous=FULL`.
//! * What a crash leaves behind (a file without a row) is removed at the next start.
//! * Keys are compared as bytes; a listing is a range scan of the index.
//!
//! Everything here blocks; [`Store::run`] takes it off the async threads.

mod file;
mod index;
mod uploads;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

pub(super) use file::IncomingFile;
pub(super) use index::{Attributes, Body, Condition, Page, Put, Row, StoredBody, StoredObject};
pub(super) use uploads::{Part, Upload};

use super::error::EmbeddedError;

/// Bodies up to this size lie in SQLite, larger ones in files.
pub(super) const INLINE_BYTES: usize = 64 * 1024;
/// Blocking calls at the same time.
const BLOCKING_CALLS: usize = 32;
/// Read connections that are kept open.
const IDLE_READERS: usize = 8;
/// Format of the index.
const FORMAT: i64 = 1;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS objects (
  key BLOB PRIMARY KEY, size INTEGER NOT NULL, etag TEXT NOT NULL, modified INTEGER NOT NULL, attributes TEXT NOT NULL,
  body INTEGER, file TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bodies (id INTEGER PRIMARY KEY AUTOINCREMENT, data BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS uploads (id TEXT PRIMARY KEY, key BLOB NOT NULL, attributes TEXT NOT NULL, created INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS parts (
  upload TEXT NOT NULL, number INTEGER NOT NULL, size INTEGER NOT NULL, md5 TEXT NOT NULL, file TEXT NOT NULL,
  PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;
";

/// Why the store could not do something.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    /// `If-None-Match: *` or `If-Match` did not hold.
    #[error("the condition does not hold")]
    Condition,
    /// No such multipart upload.
    #[error("there is no such upload")]
    NoSuchUpload,
    /// The list of parts is not what was uploaded.
    #[error("the parts are not those that were uploaded")]
    InvalidPart,
    /// A part but the last one is too small.
    #[error("a part is smaller than 5 MiB")]
    SmallPart,
    /// SQLite failed.
    #[error("the object index failed: {0}")]
    Index(#[from] rusqlite::Error),
    /// A file failed.
    #[error("an object file failed: {0}")]
    File(#[from] std::io::Error),
    /// Attributes could not be read or written.
    #[error("attributes are damaged: {0}")]
    Attributes(#[from] serde_json::Error),
    /// The blocking call ended without an answer.
    #[error("the storage is stopping")]
    Stopping,
}

/// The store. Cheap to clone.
#[derive(Clone)]
pub(super) struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    index: PathBuf,
    files: PathBuf,
    incoming: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    calls: Semaphore,
    // Names of files: the start's instant and a counter, so that no name is used twice.
    start: u128,
    counter: AtomicU64,
    // Held as long as the process uses the folder.
    _lock: std::fs::File,
}

impl Store {
    /// Opens the store in a folder, creating what is missing and removing what a crash left behind.
    pub(super) fn open(folder: &Path) -> Result<Self, EmbeddedError> {
        let (files, incoming) = (folder.join("files"), folder.join("incoming"));
        for path in [folder, &files, &incoming] {
            std::fs::create_dir_all(path).map_err(|source| EmbeddedError::File { path: path.to_owned(), source })?;
        }
        let lock = lock(folder)?;
        let index = folder.join("objects.sqlite");
        let writer = Connection::open(&index)?;
        configure(&writer)?;
        writer.pragma_update(None, "journal_mode", "WAL")?;
        writer.pragma_update(None, "synchronous", "FULL")?;
        let found: i64 = writer.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if found != 0 && found != FORMAT {
            return Err(EmbeddedError::Format { found, supported: FORMAT });
        }
        writer.execute_batch(SCHEMA)?;
        writer.pragma_update(None, "user_version", FORMAT)?;
        let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        uploads::expire(&writer, start.as_secs())?;
        let swept = file::sweep(&writer, &files, &incoming)?;
        if swept > 0 {
            tracing::info!(files = swept, "removed files of writes that never became visible");
        }
        Ok(Self {
            shared: Arc::new(Shared {
                index,
                files,
                incoming,
                writer: Mutex::new(writer),
                readers: Mutex::new(Vec::new()),
                calls: Semaphore::new(BLOCKING_CALLS),
                start: start.as_nanos(),
                counter: AtomicU64::new(0),
                _lock: lock,
            }),
        })
    }

    /// Runs a blocking call off the async threads, a bounded number at a time.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        let _permit = self.shared.calls.acquire().await.map_err(|_| StoreError::Stopping)?;
        tokio::task::spawn_blocking(move || call(&store)).await.map_err(|_| StoreError::Stopping)?
    }

    /// A name that no file of this store has had.
    pub(super) fn unique_name(&self) -> String {
        format!("{:x}-{:x}", self.shared.start, self.shared.counter.fetch_add(1, Ordering::Relaxed))
    }

    /// A new file for a body that is being received.
    pub(super) async fn incoming(&self) -> Result<IncomingFile, StoreError> {
        Ok(IncomingFile::create(self.shared.incoming.join(self.unique_name())).await?)
    }

    /// Whether the index answers.
    pub(super) fn ping(&self) -> Result<(), StoreError> {
        self.read(|connection| Ok(connection.query_row("SELECT 1", [], |_| Ok(()))?))
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        // A panic inside a transaction rolls it back when it is dropped; the connection stays good.
        self.shared.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let kept = self.shared.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = if let Some(connection) = kept {
            connection
        } else {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(&self.shared.index, flags)?;
            configure(&connection)?;
            connection
        };
        let answer = query(&connection);
        let mut readers = self.shared.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < IDLE_READERS {
            readers.push(connection);
        }
        answer
    }
}

fn configure(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(std::time::Duration::from_secs(5))
}

fn lock(folder: &Path) -> Result<std::fs::File, EmbeddedError> {
    let path = folder.join("lock");
    let open = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = open.map_err(|source| EmbeddedError::File { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(EmbeddedError::InUse { path: folder.to_owned() }),
        Err(std::fs::TryLockError::Error(source)) => Err(EmbeddedError::File { path, source }),
    }
}
