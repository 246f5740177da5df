//! Definition and sources: read from the storage, verified, laid into the workspace.

use std::time::Duration;

use volley_storage::documents::{DOCUMENT_VERSION, Definition, FailedStage, WorkerFailure};
use volley_storage::keys;
use volley_storage::{FailureClass, ObjectError, ObjectStore};

use crate::configuration::{self, CONFIGURATION_FILE, InvalidDefinition};
use crate::files::{ControlFolder, FileError, Launch, LaunchScript};

/// Largest script. Inline and ConfigMap sources are far below; this bounds memory.
const MAXIMUM_SOURCE: u64 = 16 * 1024 * 1024;
/// Pause after the first failure that may pass by itself; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Most characters of a message that becomes `failed.json`.
const MAXIMUM_WORDS: usize = 2048;
/// How long the launcher waits for `uploaded`, in seconds.
pub const UPLOAD_TIMEOUT_SECONDS: u64 = 600;

/// Why the worker cannot be given its work.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The storage.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The definition of the run is not there.
    #[error("the run's definition {0} is not there; the operator writes it before it creates workers")]
    NoDefinition(String),
    /// A source is larger than a worker takes.
    #[error("{file} has {size} bytes; a worker takes at most {MAXIMUM_SOURCE}")]
    TooLarge {
        /// Name in the workspace.
        file: &'static str,
        /// Size that the definition names.
        size: u64,
    },
    /// What was fetched has another size than the definition says.
    #[error("{file} has {found} bytes instead of {expected}")]
    Size {
        /// Name in the workspace.
        file: &'static str,
        /// What the definition says.
        expected: u64,
        /// What came.
        found: u64,
    },
    /// The definition cannot be run.
    #[error("{0}")]
    Invalid(#[from] InvalidDefinition),
    /// The control folder.
    #[error(transparent)]
    File(#[from] FileError),
}

impl FetchError {
    /// What can be done about it. Only what passes by itself is tried again.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        match self {
            Self::Object(error) => error.class(),
            Self::NoDefinition(_) | Self::TooLarge { .. } | Self::Size { .. } => FailureClass::Terminal,
            Self::Invalid(_) | Self::File(_) => FailureClass::NeedsChange,
        }
    }

    /// What is uploaded as `failed.json`.
    #[must_use]
    pub fn failure(&self) -> WorkerFailure {
        let stage = match self {
            Self::Invalid(_) => FailedStage::Configuration,
            Self::Object(_) | Self::NoDefinition(_) | Self::TooLarge { .. } | Self::Size { .. } | Self::File(_) => {
                FailedStage::Fetch
            }
        };
        let file = match self {
            Self::TooLarge { file, .. } | Self::Size { file, .. } => Some((*file).to_owned()),
            Self::Object(_) | Self::NoDefinition(_) | Self::Invalid(_) | Self::File(_) => None,
        };
        let words = self.to_string().chars().take(MAXIMUM_WORDS / 4).collect();
        WorkerFailure { version: DOCUMENT_VERSION, stage, file, line: None, words }
    }
}

/// Repeats what may pass by itself, for as long as it takes: the launcher and the Job's deadline end a wait without end.
///
/// # Errors
/// The first error that does not pass by itself.
pub async fn persistently<T, F>(what: &str, mut attempt: impl FnMut() -> F) -> Result<T, FetchError>
where
    F: Future<Output = Result<T, FetchError>>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        match attempt().await {
            Err(error) if error.class() == FailureClass::Transient => {
                tracing::warn!(%error, what, pause_ms = pause.as_millis(), "will be tried again");
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
            }
            outcome => return outcome,
        }
    }
}

/// Reads the run's definition.
///
/// # Errors
/// [`FetchError`]; see [`FetchError::class`].
pub async fn definition(objects: &ObjectStore, run_uid: &str) -> Result<Definition, FetchError> {
    let key = keys::definition(run_uid);
    let found = objects.get_document::<Definition>(&key).await?;
    found.map(|(definition, _)| definition).ok_or_else(|| FetchError::NoDefinition(objects.location(&key)))
}

/// Fetches and verifies the sources, and writes the workspace of a worker of a RegionTarget. Repeating it is harmless.
///
/// # Errors
/// [`FetchError`]; see [`FetchError::class`].
pub async fn workspace(
    objects: &ObjectStore,
    definition: &Definition,
    target: &str,
    control: &ControlFolder,
) -> Result<(), FetchError> {
    // First what needs no storage: a definition that cannot be run is known at once.
    let configuration = configuration::taurus_configuration(definition, target)?;
    for (file, source) in configuration::sources(&definition.scenario) {
        if source.size > MAXIMUM_SOURCE {
            return Err(FetchError::TooLarge { file, size: source.size });
        }
        let content = objects.get_verified(&keys::script(&source.sha256), &source.sha256, MAXIMUM_SOURCE).await?;
        let found = content.len() as u64;
        if found != source.size {
            return Err(FetchError::Size { file, expected: source.size, found });
        }
        control.write_workspace(file, &content)?;
    }
    Ok(control.write_workspace(CONFIGURATION_FILE, configuration.as_bytes())?)
}

/// `launch.json` of a definition.
#[must_use]
pub fn launch(definition: &Definition) -> Launch {
    let scenario = &definition.scenario;
    let in_workspace = |file: &str| format!("workspace/{file}");
    Launch {
        version: DOCUMENT_VERSION,
        configurations: configuration::configurations(scenario).into_iter().map(in_workspace).collect(),
        scripts: configuration::scripts(scenario)
            .into_iter()
            .map(|(engine, file)| LaunchScript { engine: engine.to_owned(), file: in_workspace(file) })
            .collect(),
        upload_timeout_seconds: UPLOAD_TIMEOUT_SECONDS,
    }
}
