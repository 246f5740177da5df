//! The repository that is checked: its root, its tracked files, its crates.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A command or file of the checks fails; the checks have said nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A command cannot be run or fails.
    #[error("{command} failed: {words}")]
    Command {
        /// The command line.
        command: String,
        /// What it says.
        words: String,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The CRDs cannot be made.
    #[error(transparent)]
    Schema(#[from] volley_api::crd::SchemaError),
    /// The CRDs cannot be written as YAML.
    #[error("CRD cannot be written as YAML: {0}")]
    Yaml(String),
}

/// A checkout.
pub(crate) struct Repository {
    root: PathBuf,
}

impl Repository {
    /// The checkout that this program was built from.
    pub(crate) fn here() -> Result<Self, Error> {
        let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = crate_folder.ancestors().nth(2).unwrap_or(crate_folder);
        Self::at(root)
    }

    /// The checkout with the given root.
    pub(crate) fn at(root: &Path) -> Result<Self, Error> {
        let root = root.canonicalize().map_err(|source| Error::File { path: root.to_owned(), source })?;
        Ok(Self { root })
    }

    /// Path of a file or folder in the checkout.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Text of a file; `None`: there is none.
    pub(crate) fn read(&self, relative: &str) -> Result<Option<String>, Error> {
        let path = self.path(relative);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::File { path, source }),
        }
    }

    /// Tracked files, and those that could be: what `git add` would take.
    pub(crate) fn files(&self) -> Result<Vec<String>, Error> {
        let listed = self.run("git", &["ls-files", "--cached", "--others", "--exclude-standard", "-z"])?;
        let mut files: Vec<String> =
            listed.split('\0').filter(|name| !name.is_empty()).map(ToOwned::to_owned).collect();
        files.sort();
        files.dedup();
        Ok(files)
    }

    /// What cargo says about the workspace's own crates.
    pub(crate) fn packages(&self) -> Result<Vec<Value>, Error> {
        let words = self.run("cargo", &["metadata", "--format-version", "1", "--no-deps", "--offline"])?;
        let metadata: Value = serde_json::from_str(&words)
            .map_err(|error| Error::Command { command: "cargo metadata".into(), words: error.to_string() })?;
        Ok(metadata["packages"].as_array().cloned().unwrap_or_default())
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<String, Error> {
        let command = format!("{program} {}", arguments.join(" "));
        let output = Command::new(program)
            .args(arguments)
            .current_dir(&self.root)
            .output()
            .map_err(|error| Error::Command { command: command.clone(), words: error.to_string() })?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(Error::Command { command, words: String::from_utf8_lossy(&output.stderr).trim().to_owned() })
        }
    }
}
