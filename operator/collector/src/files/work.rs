//! What the main container says in `status/`.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use volley_storage::documents::{DOCUMENT_VERSION, EngineVersion, WorkerFailure};

use super::{FileError, UntrustedFolder};

/// Bytes of a status document; the largest holds 2 KiB of an engine's words.
const MAXIMUM_STATUS: u64 = 64 * 1024;

/// `prepared.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    /// When.
    pub at: Timestamp,
    /// The engines.
    #[serde(default)]
    pub engines: Vec<EngineVersion>,
    /// Version of Taurus.
    #[serde(default)]
    pub taurus: Option<String>,
    /// What a reader of the result should know about the script although it can run, such as options of it that do not count.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// `released.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// When the gate opened.
    pub at: Timestamp,
}

/// `ended.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ended {
    /// Exit code of Taurus.
    #[serde(default)]
    pub exit_code: Option<i32>,
    /// When.
    pub at: Timestamp,
}

/// The work folder. The script of a test can write here, so whatever makes no sense is an error that names the file.
#[derive(Debug)]
pub struct WorkFolder {
    folder: UntrustedFolder,
}

impl WorkFolder {
    /// Opens the folder.
    ///
    /// # Errors
    /// [`FileError::Io`] where it is not there.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        Ok(Self { folder: UntrustedFolder::open(path)? })
    }

    /// All of it, for the tail and the upload.
    #[must_use]
    pub fn untrusted(&self) -> &UntrustedFolder {
        &self.folder
    }

    /// `prepared.json`, when it is there.
    ///
    /// # Errors
    /// [`FileError`] where it cannot be read.
    pub fn prepared(&self) -> Result<Option<Prepared>, FileError> {
        self.document("status/prepared.json")
    }

    /// `released.json`, when it is there.
    ///
    /// # Errors
    /// [`FileError`] where it cannot be read.
    pub fn released(&self) -> Result<Option<Released>, FileError> {
        self.document("status/released.json")
    }

    /// `failed.json`, when it is there.
    ///
    /// # Errors
    /// [`FileError`] where it cannot be read.
    pub fn failed(&self) -> Result<Option<WorkerFailure>, FileError> {
        self.document("status/failed.json")
    }

    /// `ended.json`, when it is there.
    ///
    /// # Errors
    /// [`FileError`] where it cannot be read.
    pub fn ended(&self) -> Result<Option<Ended>, FileError> {
        self.document("status/ended.json")
    }

    fn document<T: for<'a> Deserialize<'a>>(&self, name: &str) -> Result<Option<T>, FileError> {
        let Some(content) = self.folder.read(name, MAXIMUM_STATUS)? else { return Ok(None) };
        let wrong = |message: String| FileError::Document { path: name.into(), message };
        let value: serde_json::Value = serde_json::from_slice(&content).map_err(|error| wrong(error.to_string()))?;
        if value.get("version").and_then(serde_json::Value::as_u64) != Some(u64::from(DOCUMENT_VERSION)) {
            return Err(wrong(format!(
                "it has version {:?}; this collector knows {DOCUMENT_VERSION}",
                value.get("version")
            )));
        }
        serde_json::from_value(value).map(Some).map_err(|error| wrong(error.to_string()))
    }
}
