//! Structured logs of the services: one JSON object a line on standard error.

use tracing_subscriber::EnvFilter;

/// What is logged where `VOLLEY_LOG` says nothing.
const DEFAULT_FILTER: &str = "info";

/// Starts logging with a filter such as `debug` or `info,kube=debug`.
///
/// # Errors
/// Words for people when the filter cannot be read.
pub fn start(filter: Option<&str>) -> Result<(), String> {
    let text = filter.map(str::trim).filter(|text| !text.is_empty()).unwrap_or(DEFAULT_FILTER);
    let filter = EnvFilter::try_new(text).map_err(|error| {
        format!("VOLLEY_LOG={text:?} is no log filter: {error}; write for example info or info,kube=debug")
    })?;
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_writer(std::io::stderr)
        .with_env_filter(filter)
        .try_init()
        .map_err(|error| format!("cannot start logging: {error}"))
}
