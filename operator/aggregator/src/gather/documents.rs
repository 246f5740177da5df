//! The documents of a run: its definition, the start decision, and the frozen list of what to merge.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};
use volley_storage::documents::{CloseDecision, Definition, StartDecision};
use volley_storage::{FailureClass, ObjectStore, keys};

use crate::error::AggregateError;
use crate::retry::patiently;

/// How often `close.json` is looked for.
const INTERVAL: Duration = Duration::from_secs(1);
/// What a run may take beyond waiting for its workers and its load: shutdown and upload of the workers (90 s, 5 min), the
/// last manifests (2 min), and a restart of the operator.
const SLACK: Duration = Duration::from_mins(15);

/// The documents that the result is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct RunDocuments {
    /// What was run.
    pub definition: Definition,
    /// When it started; `None`: the load never started.
    pub start: Option<StartDecision>,
    /// What is merged.
    pub close: CloseDecision,
}

/// Reads the definition of a run.
///
/// # Errors
/// [`AggregateError::DefinitionMissing`], [`AggregateError::OtherRun`], or what the storage says.
pub async fn definition(store: &ObjectStore, run_uid: &str) -> Result<Definition, AggregateError> {
    let key = keys::definition(run_uid);
    let found = patiently(volley_storage::ObjectError::class, || store.get_document::<Definition>(&key)).await?;
    let location = store.location(&key);
    match found {
        None => Err(AggregateError::DefinitionMissing { run_uid: run_uid.to_owned(), location }),
        Some((definition, _)) if definition.run.uid != run_uid => {
            Err(AggregateError::OtherRun { run_uid: run_uid.to_owned(), location, found: definition.run.uid })
        }
        Some((definition, _)) => Ok(definition),
    }
}

/// The longest that a run may take from the creation of its workers to its closing.
#[must_use]
pub fn patience(definition: &Definition) -> Duration {
    Duration::from_millis(definition.start.timeout_ms)
        .saturating_add(Duration::from_millis(definition.max_load_ms))
        .saturating_add(SLACK)
}

/// Waits until the run is closed, then reads its start decision.
///
/// # Errors
/// [`AggregateError::NotClosed`] after `patience`; what the storage says where waiting does not help.
pub async fn closed(
    store: &ObjectStore,
    definition: Definition,
    patience: Duration,
) -> Result<RunDocuments, AggregateError> {
    let run = &definition.run;
    let key = keys::close(&run.uid);
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let close = loop {
        ticks.tick().await;
        match store.get_document::<CloseDecision>(&key).await {
            Ok(Some((close, _))) => break close,
            Ok(None) => {}
            Err(error) if error.class() == FailureClass::Transient => tracing::warn!(%error, "waiting for the storage"),
            Err(error) => return Err(error.into()),
        }
        if begun.elapsed() >= patience {
            return Err(AggregateError::NotClosed {
                run_uid: run.uid.clone(),
                name: run.name.clone(),
                namespace: run.namespace.clone(),
                location: store.location(&key),
                waited_s: patience.as_secs(),
            });
        }
    };
    let start_key = keys::start(&run.uid);
    let start =
        patiently(volley_storage::ObjectError::class, || store.get_document::<StartDecision>(&start_key)).await?;
    Ok(RunDocuments { definition, start: start.map(|(start, _)| start), close })
}
