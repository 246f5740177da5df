//! The two volumes of a worker, and what the main container reads and writes there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;
use tempfile::TempDir;

/// Largest document that is read. The configuration of a test with large bodies has some hundred KB.
const LARGEST_DOCUMENT: u64 = 16 << 20;

/// The control and the work folder; removed when dropped.
#[derive(Debug)]
pub struct Place {
    folder: TempDir,
}

impl Place {
    /// Both folders below a folder that exists, as the kubelet and the launcher make them.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(parent: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("worker-").tempdir_in(parent)?;
        let place = Self { folder };
        fs::create_dir(place.control())?;
        fs::create_dir_all(place.work().join("status"))?;
        fs::create_dir(place.work().join("artifacts"))?;
        Ok(place)
    }

    /// The folder that the collector writes.
    #[must_use]
    pub fn control(&self) -> PathBuf {
        self.folder.path().join("control")
    }

    /// The folder that the main container writes.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }
}

/// Both folders as the main container sees them, with the paths made once.
#[derive(Debug)]
pub(super) struct Folders {
    pub(super) control: PathBuf,
    work: PathBuf,
    pub(super) launch: PathBuf,
    pub(super) refused: PathBuf,
    pub(super) start: PathBuf,
    pub(super) stop: PathBuf,
    pub(super) uploaded: PathBuf,
}

impl Folders {
    pub(super) fn of(place: &Place) -> Self {
        let (control, work) = (place.control(), place.work());
        Self {
            launch: control.join("launch.json"),
            refused: control.join("refused.json"),
            start: control.join("start"),
            stop: control.join("stop.json"),
            uploaded: control.join("uploaded"),
            control,
            work,
        }
    }

    /// A JSON document below the control folder.
    pub(super) fn read(&self, name: &str) -> io::Result<Value> {
        let path = self.control.join(name);
        let size = fs::metadata(&path)?.len();
        if size > LARGEST_DOCUMENT {
            return Err(io::Error::other(format!("{name} has {size} bytes, more than {LARGEST_DOCUMENT}")));
        }
        serde_json::from_slice(&fs::read(&path)?)
            .map_err(|error| io::Error::other(format!("{name} is no JSON: {error}")))
    }

    /// Writes a document of `status/`; it appears with its whole content.
    pub(super) fn write_status(&self, name: &str, document: &impl Serialize) -> io::Result<()> {
        let folder = self.work.join("status");
        let mut file = tempfile::Builder::new().prefix(".").tempfile_in(&folder)?;
        serde_json::to_writer(&mut file, document)?;
        file.persist(folder.join(name)).map_err(|error| error.error)?;
        Ok(())
    }

    /// A new sample file, with its header.
    pub(super) fn sample_file(&self, header: &str) -> io::Result<File> {
        let path = self.work.join("artifacts/kpi.jtl");
        let mut file = OpenOptions::new().create_new(true).append(true).open(path)?;
        file.write_all(header.as_bytes())?;
        Ok(file)
    }

    /// Adds lines to what the main container says of itself.
    pub(super) fn health(&self, lines: &str) -> io::Result<()> {
        let path = self.work.join("status/health.csv");
        OpenOptions::new().create(true).append(true).open(path)?.write_all(lines.as_bytes())
    }

    /// Adds a line to Taurus' log.
    pub(super) fn log(&self, line: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(self.work.join("taurus.log"))?;
        writeln!(file, "{line}")
    }
}
