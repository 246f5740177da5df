//! A request to AWS failed.

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// A request to AWS failed. No text holds a credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AwsError {
    /// The SDK finds no credentials, or AWS does not give any for what it finds.
    #[error(
        "the operator has no AWS credentials ({0}); give its service account an IAM role, by IRSA or by EKS Pod Identity"
    )]
    NoCredentials(String),
    /// The credentials are no longer, or never were, AWS' own.
    #[error(
        "AWS does not accept the operator's credentials ({0}); renew them, and check the clock of the operator's node"
    )]
    CredentialsRefused(String),
    /// The role may not be assumed.
    #[error(
        "AWS refuses role {role} to the operator ({words}); correct spec.connection.eks.roleArn, allow sts:AssumeRole to the operator, and name the operator's role in the trust policy of that role"
    )]
    RoleRefused {
        /// ARN of the role.
        role: String,
        /// AWS' words.
        words: String,
    },
    /// A policy does not allow it.
    #[error("the operator may not ask AWS for {object} ({words}); allow {action} in its IAM policy")]
    Denied {
        /// What was asked for.
        object: String,
        /// The IAM action.
        action: &'static str,
        /// AWS' words.
        words: String,
    },
    /// There is no such thing.
    #[error("AWS has no {object}")]
    NotFound {
        /// What was asked for.
        object: String,
    },
    /// Another answer than an expected one, or none.
    #[error("AWS did not say anything about {object}: {words}")]
    Failed {
        /// What was asked for.
        object: String,
        /// What happened.
        words: String,
    },
}

impl AwsError {
    /// No credentials, with what their source said.
    pub(super) fn of_source(error: &CredentialsError) -> Self {
        Self::NoCredentials(DisplayErrorContext(error).to_string())
    }

    /// What a failed request for `object` means; `action` is the IAM action that it needs.
    pub(crate) fn of<E, R>(object: impl Into<String>, action: &'static str, error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug,
    {
        match error.code() {
            Some(code) => Self::of_code(object.into(), action, code, error.message()),
            None => Self::Failed { object: object.into(), words: DisplayErrorContext(error).to_string() },
        }
    }

    /// What an error code of AWS means.
    pub(super) fn of_code(object: String, action: &'static str, code: &str, message: Option<&str>) -> Self {
        let words = message.map_or_else(|| code.to_owned(), |message| format!("{code}: {message}"));
        match code {
            "AccessDenied" | "AccessDeniedException" => Self::Denied { object, action, words },
            "ResourceNotFoundException" | "NoSuchResourceException" => Self::NotFound { object },
            "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "SignatureDoesNotMatch"
            | "InvalidSignatureException" => Self::CredentialsRefused(words),
            _ => Self::Failed { object, words },
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_sts::error::ErrorMetadata;
    use aws_sdk_sts::operation::assume_role::AssumeRoleError;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::denied("AccessDeniedException", "allow eks:DescribeCluster")]
    #[case::missing("ResourceNotFoundException", "AWS has no EKS cluster eu")]
    #[case::old("ExpiredTokenException", "does not accept the operator's credentials")]
    #[case::busy("ThrottlingException", "did not say anything about EKS cluster eu: ThrottlingException: words")]
    fn the_code_of_an_answer_decides_what_is_said(#[case] code: &str, #[case] expected: &str) {
        let meta = ErrorMetadata::builder().code(code).message("words").build();
        let error: SdkError<_, ()> = SdkError::service_error(AssumeRoleError::generic(meta), ());
        let said = AwsError::of("EKS cluster eu", "eks:DescribeCluster", &error).to_string();
        assert!(said.contains(expected), "{said}");
    }

    #[test]
    fn no_answer_says_why() {
        let error: SdkError<AssumeRoleError, ()> = SdkError::timeout_error("too slow");
        let said = AwsError::of("EKS cluster eu", "eks:DescribeCluster", &error).to_string();
        assert!(said.contains("EKS cluster eu") && said.contains("too slow"), "{said}");
    }
}
