//! Repeats what fails for a moment. The SDK repeats within seconds; this bridges a restart of the storage.

use std::future::Future;
use std::time::Duration;

use volley_storage::FailureClass;

/// Pauses between attempts: together half a minute, which a restart of the embedded storage does not take.
const PAUSES_MS: [u64; 7] = [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000];

/// Calls until it succeeds, fails for good, or the pauses are used up.
///
/// # Errors
/// The last error.
pub(crate) async fn patiently<T, E, F>(class: impl Fn(&E) -> FailureClass, mut call: impl FnMut() -> F) -> Result<T, E>
where
    E: std::fmt::Display,
    F: Future<Output = Result<T, E>>,
{
    for pause_ms in PAUSES_MS {
        match call().await {
            Err(error) if class(&error) == FailureClass::Transient => {
                tracing::warn!(%error, pause_ms, "trying again");
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            }
            done => return done,
        }
    }
    call().await
}
