//! `volley result`: the summary from the run's status, the whole `result.json` from the storage, or a report of it.

use kube::api::Api;
use volley_api::load_test_run::LoadTestRun;
use volley_storage::documents::ResultDocument;
use volley_storage::keys;
use volley_storage::objects::Document;

use super::{CommandError, print_text};
use crate::cli::ResultArguments;
use crate::cluster::storage;
use crate::cluster::{bounded, connect};
use crate::exit::Exit;
use crate::follow::ending::Ending;
use crate::follow::snapshot::one_line;
use crate::report::formats::{self, Format};
use crate::report::gather::{Gathered, MAXIMUM_HISTOGRAM_BYTES};
use crate::report::status;

/// Runs the command.
///
/// # Errors
/// [`CommandError`] with its exit code.
pub async fn run(arguments: &ResultArguments) -> Result<Exit, CommandError> {
    let cluster = connect(arguments.cluster.context.as_deref()).await?;
    let namespace = arguments.cluster.namespace.clone().unwrap_or_else(|| cluster.default_namespace.clone());
    let runs: Api<LoadTestRun> = Api::namespaced(cluster.client.clone(), &namespace);
    let name = arguments.run.as_str();
    let run = existing(&runs, &namespace, name).await?;
    let status = run.status.as_ref();
    let Some(result) = status.and_then(|status| status.result.as_ref()) else {
        return Err(CommandError::cluster(&no_result(&run, &namespace, name)));
    };
    let uid = run.metadata.uid.as_deref().unwrap_or_default();
    let fetch = |location: String, limit| {
        let cluster = &cluster;
        async move { storage::fetch(cluster, &arguments.operator.operator_namespace, uid, &location, limit).await }
    };
    let location = result.location.clone();
    match (arguments.output, Ending::of(&run)) {
        (Format::Table, Some(ending)) => print_text(&status::text(&run, &ending))?,
        // The result is there a moment before the operator says that the run has ended.
        (Format::Table, None) => print_text(&(status::figures(result) + "\n"))?,
        (Format::Json, _) => {
            let bytes = fetch(location, ResultDocument::MAX_BYTES).await?;
            let mut text = String::from_utf8(bytes)
                .map_err(|_| CommandError::cluster(&format!("{} is not UTF-8 text", result.location)))?;
            if !text.ends_with('\n') {
                text.push('\n');
            }
            print_text(&text)?;
        }
        (format, _) => {
            let document = fetch(location.clone(), ResultDocument::MAX_BYTES).await?;
            let mut warnings = Vec::new();
            let mut histograms = None;
            // Only the curves of a page need more than the document has, and they can do without.
            let place = storage::beside(&location, &keys::histograms(uid)).filter(|_| format == Format::Html);
            if let Some(place) = place {
                match fetch(place.clone(), MAXIMUM_HISTOGRAM_BYTES).await {
                    Ok(bytes) => histograms = Some((place, bytes)),
                    Err(error) => warnings.push(without_histograms(&error.to_string())),
                }
            }
            // What the storage holds is not the user's fault.
            let gathered = Gathered::run((location, &document), histograms, warnings)
                .map_err(|error| CommandError::cluster(&error.to_string()))?;
            print_text(&formats::of(&gathered, None, None, format))?;
        }
    }
    Ok(Exit::Success)
}

/// What a reader of a page should know whose curves come from the document alone.
fn without_histograms(error: &str) -> String {
    format!("the curves have only the percentiles of result.json, because the run's histograms were not read: {error}")
}

/// A run that is there.
///
/// # Errors
/// Where it is not, and what the cluster says.
pub(super) async fn existing(
    runs: &Api<LoadTestRun>,
    namespace: &str,
    name: &str,
) -> Result<LoadTestRun, CommandError> {
    bounded("read", "LoadTestRun", name, runs.get_opt(name)).await?.ok_or_else(|| {
        CommandError::cluster(&format!(
            "there is no LoadTestRun {namespace}/{name}; look at: kubectl -n {namespace} get loadtestruns"
        ))
    })
}

/// Why there is no result to show.
fn no_result(run: &LoadTestRun, namespace: &str, name: &str) -> String {
    if let Some(ending) = Ending::of(run) {
        let message = one_line(&ending.message);
        return format!("run {namespace}/{name} ended without a result ({}): {message}", ending.reason);
    }
    let phase = run.status.as_ref().and_then(|status| status.phase);
    let phase = phase.map_or_else(|| "waiting".to_owned(), |phase| format!("{phase:?}"));
    format!(
        "run {namespace}/{name} has no result yet, it is {phase}; wait for it: kubectl -n {namespace} wait \
         --for=condition=Finished loadtestrun/{name} --timeout=1h"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::follow::sample;
    use serde_json::json;

    #[test]
    fn a_missing_result_is_explained() {
        let running = sample::run(json!({"phase": "Running"}));
        assert!(no_result(&running, "shop", "checkout-1").contains("no result yet, it is Running"));
        let ended = sample::run(json!({"phase": "Failed", "conditions": [
            sample::condition("Finished", "True", "Ended"), sample::condition("Succeeded", "False", "ScriptFailed")]}));
        let words = no_result(&ended, "shop", "checkout-1");
        assert_eq!(words, "run shop/checkout-1 ended without a result (ScriptFailed): ScriptFailed.");
    }
}
