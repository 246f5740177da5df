//! Large bodies as files: received below `incoming/`, published by a rename into `files/`.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tokio::io::AsyncWriteExt;

use crate::embedded::error::EmbeddedError;

use super::{Store, StoreError};

/// A file whose body is being received. It is removed when dropped, unless it was published.
#[derive(Debug)]
pub(in crate::embedded) struct IncomingFile {
    path: PathBuf,
    file: Option<tokio::fs::File>,
    published: bool,
}

impl IncomingFile {
    pub(super) async fn create(path: PathBuf) -> std::io::Result<Self> {
        let file = tokio::fs::OpenOptions::new().create_new(true).write(true).open(&path).await?;
        Ok(Self { path, file: Some(file), published: false })
    }

    /// Appends bytes.
    pub(in crate::embedded) async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        match &mut self.file {
            Some(file) => Ok(file.write_all(bytes).await?),
            None => Err(StoreError::Stopping),
        }
    }

    /// Flushes everything to the disk and closes the file.
    pub(in crate::embedded) async fn finish(&mut self) -> Result<(), StoreError> {
        if let Some(mut file) = self.file.take() {
            file.flush().await?;
            file.sync_all().await?;
        }
        Ok(())
    }

    /// Moves the file to its final place and returns its name there. Call [`Self::finish`] before.
    pub(super) fn publish(mut self, store: &Store) -> Result<String, StoreError> {
        let name = store.unique_name();
        std::fs::rename(&self.path, store.shared.files.join(&name))?;
        self.published = true;
        File::open(&store.shared.files)?.sync_all()?;
        Ok(name)
    }
}

impl Drop for IncomingFile {
    fn drop(&mut self) {
        if !self.published {
            remove(&self.path);
        }
    }
}

impl Store {
    /// Where the body with this name lies.
    pub(in crate::embedded) fn file_path(&self, name: &str) -> PathBuf {
        self.shared.files.join(name)
    }

    /// Removes bodies that no row names any more.
    pub(super) fn remove_files<'a>(&self, names: impl IntoIterator<Item = &'a String>) {
        for name in names {
            remove(&self.shared.files.join(name));
        }
    }

    /// Joins files into a new one in `incoming/`, flushed.
    pub(super) fn join_files(&self, names: &[String]) -> Result<IncomingFile, StoreError> {
        let path = self.shared.incoming.join(self.unique_name());
        let mut whole = File::options().create_new(true).write(true).open(&path)?;
        // From here on the guard removes the file if anything fails.
        let guard = IncomingFile { path, file: None, published: false };
        for name in names {
            std::io::copy(&mut File::open(self.shared.files.join(name))?, &mut whole)?;
        }
        whole.sync_all()?;
        Ok(guard)
    }
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "failed to remove a file; the next start tries again");
    }
}

/// Removes everything in `incoming` and what no row names in `files`; returns how many files that were.
pub(super) fn sweep(connection: &Connection, files: &Path, incoming: &Path) -> Result<usize, EmbeddedError> {
    let mut statement =
        connection.prepare("SELECT file FROM objects WHERE file IS NOT NULL UNION SELECT file FROM parts")?;
    let named: HashSet<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut removed = 0;
    for folder in [files, incoming] {
        let failed = |source| EmbeddedError::File { path: folder.to_owned(), source };
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let keep = folder == files && entry.file_name().to_str().is_some_and(|name| named.contains(name));
            if !keep {
                std::fs::remove_file(entry.path()).map_err(failed)?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}
