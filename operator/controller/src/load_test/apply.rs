//! Does what a plan says, in order. Takes no decision.

use kube::api::Api;
use serde_json::{Value, json};
use volley_api::{LoadTest, LoadTestRun, labels};

use super::build;
use super::error::Error;
use super::observed::{Observed, TRIGGERING};
use super::plan::Action;
use crate::context::Context;
use crate::kubernetes;

/// Does the actions of a plan.
pub(super) async fn apply(actions: &[Action], observed: &Observed, context: &Context) -> Result<(), Error> {
    for action in actions {
        tracing::debug!(?action, "acting");
        perform(action, observed, context).await?;
    }
    Ok(())
}

async fn perform(action: &Action, observed: &Observed, context: &Context) -> Result<(), Error> {
    let metadata = &observed.load_test.metadata;
    let namespace = metadata.namespace.as_deref().unwrap_or_default();
    let runs: Api<LoadTestRun> = Api::namespaced(context.client.clone(), namespace);
    match action {
        Action::Decide { triggered, run } => {
            let pending = if *run { json!(metadata.uid) } else { Value::Null };
            let patch = json!({"metadata": {
                "uid": metadata.uid,
                "resourceVersion": metadata.resource_version,
                "annotations": {labels::TRIGGERED: triggered, TRIGGERING: pending},
            }});
            annotate(patch, observed, context).await
        }
        Action::CreateRun { name, digest } => {
            let run = build::run::triggered_run(&observed.load_test, name, digest, &context.settings.installation);
            if kubernetes::create(&runs, &run).await? {
                return Ok(());
            }
            // That it exists already means that it is made, unless it belongs to a test of the same name that was deleted.
            match kubernetes::get(&runs, name).await? {
                Some(run) if owned(&run, observed) => Ok(()),
                Some(_) | None => Err(Error::PredecessorLeft(format!("{namespace}/{name}"))),
            }
        }
        Action::Settle => {
            let patch = json!({"metadata": {"uid": metadata.uid, "annotations": {TRIGGERING: Value::Null}}});
            annotate(patch, observed, context).await
        }
        Action::Prune { name, uid } => Ok(kubernetes::delete(&runs, name, uid).await?),
    }
}

fn owned(run: &LoadTestRun, observed: &Observed) -> bool {
    let uid = observed.load_test.metadata.uid.as_deref();
    run.metadata.owner_references.iter().flatten().any(|owner| Some(owner.uid.as_str()) == uid)
}

async fn annotate(patch: Value, observed: &Observed, context: &Context) -> Result<(), Error> {
    let metadata = &observed.load_test.metadata;
    let api: Api<LoadTest> = Api::namespaced(context.client.clone(), metadata.namespace.as_deref().unwrap_or_default());
    Ok(kubernetes::merge(&api, metadata.name.as_deref().unwrap_or_default(), patch).await?)
}
