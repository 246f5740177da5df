//! Why a run could not be aggregated.

use volley_stats::file::WriteError;
use volley_storage::{FailureClass, ObjectError, ResultsError};

/// Why a run could not be aggregated. What the object store says is in the message.
#[derive(Debug, thiserror::Error)]
pub enum AggregateError {
    /// The storage does not do what is asked.
    #[error(transparent)]
    Storage(#[from] ObjectError),
    /// The results table does not do what is asked.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// The run has no definition.
    #[error("run {run_uid} has no {location}; VOLLEY_RUN_UID is wrong or the operator has not frozen the definition")]
    DefinitionMissing {
        /// Uid of the run.
        run_uid: String,
        /// `s3://bucket/key`.
        location: String,
    },
    /// The definition is that of another run.
    #[error("{location} is the definition of run {found}, not of {run_uid}; objects were copied between runs")]
    OtherRun {
        /// Uid of the run.
        run_uid: String,
        /// `s3://bucket/key`.
        location: String,
        /// The uid found.
        found: String,
    },
    /// The operator never decided what to merge.
    #[error(
        "run {run_uid} was not closed: {location} did not appear within {waited_s} s, the longest that the run may take; \
         look at the operator: kubectl describe loadtestrun {name} -n {namespace}"
    )]
    NotClosed {
        /// Uid of the run.
        run_uid: String,
        /// Name of the run.
        name: String,
        /// Namespace of the run.
        namespace: String,
        /// `s3://bucket/key`.
        location: String,
        /// Seconds waited.
        waited_s: u64,
    },
    /// The merged histograms could not be written to a temporary file.
    #[error("failed to write the merged histograms to the temporary folder: {0}")]
    Temporary(#[from] std::io::Error),
    /// The merged histograms could not be laid out.
    #[error(transparent)]
    Layout(#[from] WriteError),
    /// A thread that merges ended by itself.
    #[error("merging the workers' statistics broke off: {0}; this is a fault of Volley, please report it")]
    Merging(String),
    /// The run's status could not be written.
    #[error("failed to write the status of LoadTestRun {namespace}/{name}: {words}")]
    Status {
        /// Namespace of the run.
        namespace: String,
        /// Name of the run.
        name: String,
        /// What the API server says.
        words: String,
        /// Whether it may work a little later.
        class: FailureClass,
    },
    /// The process was told to end.
    #[error("told to shut down before the run was aggregated; aggregating it again is safe")]
    ShutDown,
}

impl AggregateError {
    /// What can be done about it.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        match self {
            Self::Storage(error) => error.class(),
            Self::Results(error) => error.class(),
            Self::Status { class, .. } => *class,
            Self::Temporary(_) | Self::ShutDown => FailureClass::Transient,
            Self::DefinitionMissing { .. } | Self::NotClosed { .. } => FailureClass::NeedsChange,
            Self::OtherRun { .. } | Self::Layout(_) | Self::Merging(_) => FailureClass::Terminal,
        }
    }
}
