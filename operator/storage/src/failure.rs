//! What an error of the storage means for whoever called: the class alone decides about retry.

/// What can be done about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// It passes by itself: try again later, with backoff. The SDK has already retried.
    Transient,
    /// Somebody has to change something (credentials, bucket, table, settings) before a retry can succeed.
    NeedsChange,
    /// What is stored is wrong or unknown; trying again gives the same.
    Terminal,
}
