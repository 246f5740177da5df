//! The control folder. Every file appears at once, with its whole content.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use volley_storage::documents::DOCUMENT_VERSION;

use super::FileError;
use crate::control::{Refusal, StopFile};

/// Bytes of a document of ours.
const MAXIMUM_DOCUMENT: u64 = 1 << 20;
/// Bytes of the tail's state: 4,000 labels with full histograms are some 40 MB.
const MAXIMUM_CHECKPOINT: u64 = 256 << 20;
/// The tail's state. Its name says that it is nobody else's.
const CHECKPOINT: &str = ".checkpoint";

/// A script that the gate checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchScript {
    /// `jmeter`, `k6` or `locust`.
    pub engine: String,
    /// Path relative to the control folder.
    pub file: String,
}

/// `launch.json`: start Taurus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Launch {
    /// Document version.
    pub version: u32,
    /// Paths relative to the control folder, in the order in which Taurus merges them.
    pub configurations: Vec<String>,
    /// What the gate checks.
    pub scripts: Vec<LaunchScript>,
    /// How long the launcher waits for `uploaded`.
    pub upload_timeout_seconds: u64,
}

/// `consumed.json`: rows that this process needs no more, whatever happens to it.
#[derive(Serialize)]
struct ConsumedDocument<'a> {
    version: u32,
    files: &'a [Consumed],
}

/// How much of a sample file is needed no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Consumed {
    /// Below the work folder.
    pub path: String,
    /// Inode of the file, so that another one of its name keeps its rows.
    pub inode: u64,
    /// Bytes from its beginning that even a restarted collector does not read again.
    pub up_to: u64,
}

/// The control folder.
#[derive(Clone, Debug)]
pub struct ControlFolder {
    path: PathBuf,
}

impl ControlFolder {
    /// The folder at a path that exists.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Whether `launch.json` is there.
    #[must_use]
    pub fn launched(&self) -> bool {
        self.path.join("launch.json").exists()
    }

    /// Whether `refused.json` is there.
    #[must_use]
    pub fn refused(&self) -> bool {
        self.path.join("refused.json").exists()
    }

    /// Whether the gate was opened.
    #[must_use]
    pub fn opened(&self) -> bool {
        self.path.join("start").exists()
    }

    /// Whether everything was said to be uploaded.
    #[must_use]
    pub fn uploaded(&self) -> bool {
        self.path.join("uploaded").exists()
    }

    /// `stop.json` and when it was written, in microseconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// [`FileError`] where it is there and cannot be read.
    pub fn stop(&self) -> Result<Option<(StopFile, i64)>, FileError> {
        let path = self.path.join("stop.json");
        let modified = match fs::metadata(&path).and_then(|metadata| metadata.modified()) {
            Ok(modified) => modified,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FileError::io("read", path)(error)),
        };
        let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        let file = read_document(&path)?;
        Ok(Some((file, i64::try_from(since.as_micros()).unwrap_or(i64::MAX))))
    }

    /// Writes a file of the workspace.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn write_workspace(&self, name: &str, content: &[u8]) -> Result<(), FileError> {
        let workspace = self.path.join("workspace");
        fs::create_dir_all(&workspace).map_err(FileError::io("create", workspace.clone()))?;
        write(&workspace.join(name), content)
    }

    /// Writes `launch.json`.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn launch(&self, launch: &Launch) -> Result<(), FileError> {
        self.document("launch.json", launch)
    }

    /// Writes `refused.json`.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn refuse(&self, refusal: &Refusal) -> Result<(), FileError> {
        self.document("refused.json", refusal)
    }

    /// Writes `stop.json`.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn write_stop(&self, stop: &StopFile) -> Result<(), FileError> {
        self.document("stop.json", stop)
    }

    /// Opens the gate.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn open_gate(&self) -> Result<(), FileError> {
        write(&self.path.join("start"), b"")
    }

    /// Says that everything is in the storage.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn confirm_upload(&self) -> Result<(), FileError> {
        write(&self.path.join("uploaded"), b"")
    }

    /// The state that a tail kept; nothing where there is none.
    ///
    /// # Errors
    /// [`FileError`] where it is there and cannot be read.
    pub fn checkpoint(&self) -> Result<Option<Vec<u8>>, FileError> {
        let path = self.path.join(CHECKPOINT);
        match fs::metadata(&path) {
            Ok(metadata) if metadata.len() > MAXIMUM_CHECKPOINT => {
                Err(FileError::TooLarge { path, limit: MAXIMUM_CHECKPOINT })
            }
            Ok(_) => fs::read(&path).map(Some).map_err(FileError::io("read", path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(FileError::io("read", path)(error)),
        }
    }

    /// Keeps the state of a tail, which `fill` writes.
    ///
    /// # Errors
    /// [`FileError::Io`], also what `fill` says; then the state that was kept before stays.
    pub fn write_checkpoint(&self, fill: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), FileError> {
        write_filled(&self.path.join(CHECKPOINT), fill)
    }

    /// Writes `consumed.json`.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn write_consumed(&self, files: &[Consumed]) -> Result<(), FileError> {
        self.document("consumed.json", &ConsumedDocument { version: DOCUMENT_VERSION, files })
    }

    fn document(&self, name: &str, document: &impl Serialize) -> Result<(), FileError> {
        let path = self.path.join(name);
        let content = serde_json::to_vec(document)
            .map_err(|error| FileError::Document { path: path.clone(), message: error.to_string() })?;
        write(&path, &content)
    }
}

fn read_document<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T, FileError> {
    let metadata = fs::metadata(path).map_err(FileError::io("read", path))?;
    if metadata.len() > MAXIMUM_DOCUMENT {
        return Err(FileError::TooLarge { path: path.to_owned(), limit: MAXIMUM_DOCUMENT });
    }
    let content = fs::read(path).map_err(FileError::io("read", path))?;
    serde_json::from_slice(&content)
        .map_err(|error| FileError::Document { path: path.to_owned(), message: error.to_string() })
}

/// Writes beside the name, readable for the group, then renames: a reader sees nothing or all of it.
fn write(path: &Path, content: &[u8]) -> Result<(), FileError> {
    write_filled(path, |file| file.write_all(content))
}

fn write_filled(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), FileError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut temporary = tempfile::Builder::new()
        .prefix(".")
        .permissions(readable_for_the_group())
        .tempfile_in(folder)
        .map_err(FileError::io("write", path))?;
    fill(temporary.as_file_mut()).map_err(FileError::io("write", path))?;
    temporary.persist(path).map_err(|error| FileError::io("write", path)(error.error))?;
    Ok(())
}

fn readable_for_the_group() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    fs::Permissions::from_mode(0o644)
}

#[cfg(test)]
mod tests {
    use volley_storage::documents::StopReason;

    use super::*;

    #[test]
    fn a_stop_is_read_back_with_the_time_of_its_writing() {
        let place = tempfile::tempdir().unwrap();
        let control = ControlFolder::new(place.path());
        assert_eq!(control.stop().unwrap(), None);
        let stop = StopFile { version: 1, reason: StopReason::Requested, message: "too hot".into() };
        control.write_stop(&stop).unwrap();
        let (read, at_us) = control.stop().unwrap().unwrap();
        assert_eq!(read, stop);
        assert!(at_us > 1_600_000_000_000_000);
        let names: Vec<_> = fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["stop.json"], "no temporary file stays");
    }
}
