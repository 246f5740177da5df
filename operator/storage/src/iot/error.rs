//! Errors of IoT Core.

use aws_sdk_iotdataplane::config::http::HttpResponse;
use aws_sdk_iotdataplane::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::FailureClass;

/// Why IoT Core did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IotError {
    /// The credentials may not do that.
    #[error("IoT Core refused to {operation}: access denied ({words}); give the aggregator's role {right}")]
    Denied {
        /// What was tried.
        operation: &'static str,
        /// The right that it needs.
        right: &'static str,
        /// IoT Core's words.
        words: String,
    },
    /// It takes no more messages now.
    #[error("IoT Core is too busy to {operation} ({words}); this passes")]
    Throttled {
        /// What was tried.
        operation: &'static str,
        /// IoT Core's words.
        words: String,
    },
    /// It did not answer in time.
    #[error("failed to {operation}: IoT Core did not answer in time ({words}); this passes or the endpoint is wrong")]
    TimedOut {
        /// What was tried.
        operation: &'static str,
        /// What happened.
        words: String,
    },
    /// It could not be reached, or failed.
    #[error("failed to {operation}: IoT Core does not answer ({words}); this passes or the endpoint is wrong")]
    Unavailable {
        /// What was tried.
        operation: &'static str,
        /// What happened.
        words: String,
    },
    /// It refused the request for another reason.
    #[error("IoT Core refused to {operation} ({words})")]
    Refused {
        /// What was tried.
        operation: &'static str,
        /// IoT Core's words.
        words: String,
    },
}

impl IotError {
    /// What can be done about it.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        match self {
            Self::Throttled { .. } | Self::TimedOut { .. } | Self::Unavailable { .. } => FailureClass::Transient,
            Self::Denied { .. } | Self::Refused { .. } => FailureClass::NeedsChange,
        }
    }
}

/// Translates an error of the SDK. `right` is what the operation needs.
pub(super) fn from_sdk<E>(operation: &'static str, right: &'static str, error: &SdkError<E, HttpResponse>) -> IotError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let code = error.code().unwrap_or_default();
    let words = match error.message() {
        Some(message) => format!("{code}: {message}"),
        None => DisplayErrorContext(error).to_string(),
    };
    let timed_out = match error {
        SdkError::TimeoutError(_) => true,
        SdkError::DispatchFailure(failure) => failure.is_timeout(),
        _ => false,
    };
    if timed_out {
        return IotError::TimedOut { operation, words };
    }
    let status = error.raw_response().map(|response| response.status().as_u16());
    match (code, status) {
        ("ThrottlingException", _) | (_, Some(429)) => IotError::Throttled { operation, words },
        (_, Some(401 | 403)) => IotError::Denied { operation, right, words },
        (_, None | Some(500..=599)) => IotError::Unavailable { operation, words },
        (_, Some(_)) => IotError::Refused { operation, words },
    }
}
