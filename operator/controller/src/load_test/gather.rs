//! Reads what a plan of a LoadTest depends on, fresh from the API server.

use kube::api::Api;
use volley_api::{LoadTest, LoadTestRun, labels};

use super::error::Error;
use super::observed::Observed;
use crate::context::Context;
use crate::{kubernetes, references};

/// Everything about a LoadTest; `None`: it does not exist any more.
pub(super) async fn gather(name: &str, namespace: &str, context: &Context) -> Result<Option<Observed>, Error> {
    let load_tests: Api<LoadTest> = Api::namespaced(context.client.clone(), namespace);
    let Some(load_test) = kubernetes::get(&load_tests, name).await? else { return Ok(None) };
    let runs: Api<LoadTestRun> = Api::namespaced(context.client.clone(), namespace);
    // Every run is labelled in its first reconcile, triggered ones from the beginning.
    let runs = kubernetes::list(&runs, &format!("{}={name}", labels::LOAD_TEST)).await?;
    let references = references::gather(&load_test.spec, namespace, context).await?;
    Ok(Some(Observed { load_test, runs, references }))
}
