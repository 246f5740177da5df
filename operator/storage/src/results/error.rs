//! Errors of the result table, each naming what was read or written.

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::FailureClass;

/// Why the table could not be read or written. `what` names the run or test.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// The table is not there.
    #[error("failed to {operation} {what}: table {table} is not there; create it or correct VOLLEY_TABLE")]
    TableMissing {
        /// What was tried.
        operation: &'static str,
        /// Of what.
        what: String,
        /// The table.
        table: String,
    },
    /// The credentials may not do that.
    #[error("failed to {operation} {what}: access denied ({words}); check the storage credentials and their rights")]
    Denied {
        /// What was tried.
        operation: &'static str,
        /// Of what.
        what: String,
        /// The table's words.
        words: String,
    },
    /// The table could not be reached, or has no capacity now.
    #[error("failed to {operation} {what}: the table is not available ({words}); this passes or the endpoint is wrong")]
    Unavailable {
        /// What was tried.
        operation: &'static str,
        /// Of what.
        what: String,
        /// What happened.
        words: String,
    },
    /// The table refused the request for another reason.
    #[error("failed to {operation} {what}: the table refused it ({words})")]
    Refused {
        /// What was tried.
        operation: &'static str,
        /// Of what.
        what: String,
        /// The table's words.
        words: String,
    },
    /// An item is not what this release writes.
    #[error("the item of {what} cannot be read: {words}")]
    Malformed {
        /// Of what.
        what: String,
        /// What is wrong.
        words: String,
    },
}

impl ResultsError {
    /// What can be done about it.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        match self {
            Self::Unavailable { .. } => FailureClass::Transient,
            Self::TableMissing { .. } | Self::Denied { .. } | Self::Refused { .. } => FailureClass::NeedsChange,
            Self::Malformed { .. } => FailureClass::Terminal,
        }
    }
}

/// Translates an error of the SDK.
pub(super) fn from_sdk<E>(
    operation: &'static str,
    what: &str,
    table: &str,
    error: &SdkError<E, HttpResponse>,
) -> ResultsError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let what = what.to_owned();
    let code = error.code().unwrap_or_default();
    let words = match error.message() {
        Some(message) => format!("{code}: {message}"),
        None => DisplayErrorContext(error).to_string(),
    };
    let status = error.raw_response().map(|response| response.status().as_u16());
    match (code, status) {
        ("ResourceNotFoundException", _) => ResultsError::TableMissing { operation, what, table: table.to_owned() },
        (
            "AccessDeniedException"
            | "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "MissingAuthenticationTokenException"
            | "IncompleteSignatureException"
            | "ExpiredTokenException",
            _,
        ) => ResultsError::Denied { operation, what, words },
        (
            "ProvisionedThroughputExceededException"
            | "ThrottlingException"
            | "RequestLimitExceeded"
            | "TransactionInProgressException",
            _,
        )
        | (_, None | Some(500..=599)) => ResultsError::Unavailable { operation, what, words },
        (_, Some(_)) => ResultsError::Refused { operation, what, words },
    }
}
