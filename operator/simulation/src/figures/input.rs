//! What a run with simulated workers leaves in a folder.
//!
//! | file | content | made by |
//! |---|---|---|
//! | `run.json` | the LoadTestRun | `kubectl get -o json` |
//! | `result.json` | the result | `volley result -o json` |
//! | `workers.jsonl` | [`WorkerRecord`]s | `simulate-workers play` |
//! | `processes.jsonl` | [`ProcessSample`]s | the same |
//! | `hub.audit`, `regions.audit` | audit logs of the hub's API server and of all regions' | `dev/scale.sh` |

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use volley_api::LoadTestRun;
use volley_storage::documents::ResultDocument;

use super::audit::Request;
use super::processes::ProcessSample;
use crate::record::WorkerRecord;

/// All that is known of a run.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The run's object.
    pub run: LoadTestRun,
    /// Its result.
    pub result: ResultDocument,
    /// Its workers.
    pub records: Vec<WorkerRecord>,
    /// Processes, in the order of time.
    pub processes: Vec<ProcessSample>,
    /// Requests to the hub's API server.
    pub hub: Vec<Request>,
    /// Requests to the regions' API servers.
    pub regions: Vec<Request>,
}

/// A file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// It cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{}, line {line}: {source}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        source: serde_json::Error,
    },
}

impl Inputs {
    /// Reads a folder. Only the records and requests of its run are kept.
    ///
    /// # Errors
    /// [`InputError`] names the file.
    pub fn read(folder: &Path) -> Result<Self, InputError> {
        let run: LoadTestRun = document(&folder.join("run.json"))?;
        let uid = run.metadata.uid.clone().unwrap_or_default();
        let mut records: Vec<WorkerRecord> = lines(&folder.join("workers.jsonl"))?;
        records.retain(|record| record.run_uid == uid);
        Ok(Self {
            result: document(&folder.join("result.json"))?,
            processes: lines(&folder.join("processes.jsonl"))?,
            hub: lines(&folder.join("hub.audit"))?,
            regions: lines(&folder.join("regions.audit"))?,
            run,
            records,
        })
    }
}

fn document<T: DeserializeOwned>(path: &Path) -> Result<T, InputError> {
    let file = open(path)?;
    serde_json::from_reader(file).map_err(|source| InputError::Content {
        path: path.to_owned(),
        line: source.line(),
        source,
    })
}

/// One document a line. A last line without its end is left out: whoever wrote it was not finished.
fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, InputError> {
    let mut file = open(path)?;
    let (mut text, mut documents) = (String::new(), Vec::new());
    loop {
        text.clear();
        let length = file.read_line(&mut text).map_err(|source| InputError::Read { path: path.to_owned(), source })?;
        if length == 0 || !text.ends_with('\n') {
            return Ok(documents);
        }
        let document = serde_json::from_str(&text).map_err(|source| InputError::Content {
            path: path.to_owned(),
            line: documents.len() + 1,
            source,
        })?;
        documents.push(document);
    }
}

fn open(path: &Path) -> Result<BufReader<File>, InputError> {
    File::open(path).map(BufReader::new).map_err(|source| InputError::Read { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_line_at_the_end_is_left_out_and_a_wrong_one_is_named() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("numbers");
        std::fs::write(&path, "1\n2\n3").unwrap();
        assert_eq!(lines::<u8>(&path).unwrap(), [1, 2]);
        std::fs::write(&path, "1\nx\n").unwrap();
        let error = lines::<u8>(&path).unwrap_err().to_string();
        assert!(error.contains("numbers, line 2"), "{error}");
        assert!(lines::<u8>(&place.path().join("none")).unwrap_err().to_string().contains("cannot be read"));
    }
}
