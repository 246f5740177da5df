//! Signals: how services are told to shut down in order, and how a user detaches.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// A value that becomes true once SIGTERM or SIGINT came. A second signal ends the process at once, as the system does.
///
/// # Errors
/// What the system says when it cannot install a handler.
pub fn shutdown() -> io::Result<watch::Receiver<bool>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        let first = tokio::select! { _ = terminate.recv() => "SIGTERM", _ = interrupt.recv() => "SIGINT" };
        tracing::info!(signal = first, "shutting down");
        // Nobody listening means that the service has ended already.
        let _ = sender.send(true);
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tracing::warn!("second signal: leaving at once");
        std::process::exit(130);
    });
    Ok(receiver)
}

/// Resolves when a shutdown value becomes true.
pub async fn requested(mut shutdown: watch::Receiver<bool>) {
    if shutdown.wait_for(|requested| *requested).await.is_err() {
        // The sender lives as long as the process; without it no signal can come any more.
        std::future::pending::<()>().await;
    }
}

/// Resolves at the first SIGINT or SIGTERM.
///
/// # Errors
/// What the system says when it cannot install a handler.
pub fn interrupted() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    })
}
