//! What the environment says; the names are those of `docs/contributors/worker-contract.md`.

use std::net::SocketAddr;
use std::path::PathBuf;

use volley_storage::keys::WorkerAttempt;
use volley_storage::{SettingsError as StorageSettingsError, StorageSettings};

const DEFAULT_LISTEN: &str = "0.0.0.0:8655";
const DEFAULT_CONTROL_DIR: &str = "/volley/control";
const DEFAULT_WORK_DIR: &str = "/volley/work";

/// Everything the collector is told from outside. The rest is in the run's definition.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Uid of the LoadTestRun.
    pub run_uid: String,
    /// Which worker and attempt this is.
    pub worker: WorkerAttempt,
    /// Where the objects are. Credentials come from the places that the AWS SDK knows.
    pub storage: StorageSettings,
    /// Address of the probe.
    pub listen: SocketAddr,
    /// Folder that this process writes and the main container reads.
    pub control_dir: PathBuf,
    /// Folder that the main container writes and this process reads.
    pub work_dir: PathBuf,
}

/// A variable is missing or malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A required variable is absent or empty.
    #[error("environment variable {0} is not set; the operator sets it in the worker's pod")]
    Missing(&'static str),
    /// A value is not what it should be.
    #[error("environment variable {variable} is {value:?}; it should be {wanted}")]
    Malformed {
        /// The variable.
        variable: &'static str,
        /// What it holds.
        value: String,
        /// What it should hold.
        wanted: &'static str,
    },
    /// The storage's variables.
    #[error(transparent)]
    Storage(#[from] StorageSettingsError),
}

impl Settings {
    /// Reads the variables of this process.
    ///
    /// # Errors
    /// [`SettingsError`] names the variable and what to set.
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// The same from any source of variables. An empty value counts as absent.
    ///
    /// # Errors
    /// [`SettingsError`] names the variable and what to set.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let optional = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let required = |name: &'static str| optional(name).ok_or(SettingsError::Missing(name));
        let index = required("JOB_COMPLETION_INDEX")?;
        let listen = optional("VOLLEY_LISTEN").unwrap_or_else(|| DEFAULT_LISTEN.to_owned());
        let folder = |name: &str, default: &str| PathBuf::from(optional(name).unwrap_or_else(|| default.to_owned()));
        Ok(Self {
            run_uid: key_part("VOLLEY_RUN_UID", required("VOLLEY_RUN_UID")?)?,
            worker: WorkerAttempt {
                target: key_part("VOLLEY_TARGET", required("VOLLEY_TARGET")?)?,
                index: index.parse().map_err(|_| SettingsError::Malformed {
                    variable: "JOB_COMPLETION_INDEX",
                    value: index.clone(),
                    wanted: "a completion index, 0 or more",
                })?,
                pod_uid: key_part("VOLLEY_POD_UID", required("VOLLEY_POD_UID")?)?,
            },
            listen: listen.parse().map_err(|_| SettingsError::Malformed {
                variable: "VOLLEY_LISTEN",
                value: listen.clone(),
                wanted: "an address and a port, for example 0.0.0.0:8655",
            })?,
            control_dir: folder("VOLLEY_CONTROL_DIR", DEFAULT_CONTROL_DIR),
            work_dir: folder("VOLLEY_WORK_DIR", DEFAULT_WORK_DIR),
            storage: StorageSettings::from_lookup(lookup)?,
        })
    }
}

/// What becomes part of a key must not change the key's shape.
fn key_part(variable: &'static str, value: String) -> Result<String, SettingsError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if value.bytes().all(plain) && value != "." && value != ".." {
        return Ok(value);
    }
    Err(SettingsError::Malformed { variable, value, wanted: "letters, digits, '-', '_' and '.'" })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn read(changes: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::from_lookup(|name| {
            let set = [
                ("VOLLEY_RUN_UID", "run"),
                ("VOLLEY_TARGET", "here"),
                ("JOB_COMPLETION_INDEX", "3"),
                ("VOLLEY_POD_UID", "pod"),
                ("VOLLEY_BUCKET", "volley"),
            ];
            changes.iter().chain(&set).find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.listen.to_string(), DEFAULT_LISTEN);
        assert_eq!(settings.control_dir, PathBuf::from("/volley/control"));
        assert_eq!(settings.worker.prefix("run"), "runs/v1/run/workers/here/3/pod/");
    }

    #[rstest]
    #[case("VOLLEY_RUN_UID", "", "VOLLEY_RUN_UID is not set")]
    #[case("JOB_COMPLETION_INDEX", "-1", "a completion index")]
    #[case("VOLLEY_LISTEN", "8655", "an address and a port")]
    #[case("VOLLEY_POD_UID", "../other", "letters, digits")]
    #[case("VOLLEY_BUCKET", "", "VOLLEY_BUCKET is not set")]
    fn a_wrong_variable_is_named(#[case] name: &str, #[case] value: &str, #[case] words: &str) {
        let error = read(&[(name, value)]).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
