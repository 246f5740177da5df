//! `volley run`: apply or create, follow, report. Each call follows exactly one run.

use std::future::Future;
use std::io::Write;
use std::path::Path;

use kube::api::{Api, PostParams};
use serde_json::Value;
use volley_api::LoadTest;
use volley_api::load_test_run::{LoadTestRun, LoadTestRunSpec};

use super::{CommandError, print_json, print_text};
use crate::cli::RunArguments;
use crate::cluster::trigger::{self, Awaited};
use crate::cluster::{Cluster, apply, bounded, connect};
use crate::exit::Exit;
use crate::follow::ending::Ending;
use crate::follow::progress::{Pace, Progress};
use crate::follow::screen::Screen;
use crate::follow::{Followed, Limit, RunReference, follow};
use crate::manifest::{self, Document};
use crate::report::{Output, status};
use crate::signals;

/// Runs the command.
///
/// # Errors
/// [`CommandError`] with its exit code.
pub async fn run(arguments: RunArguments) -> Result<Exit, CommandError> {
    // Wrong files are found before any cluster is asked for.
    let documents =
        arguments.file.as_deref().map(|file| ordered(file, arguments.cluster.namespace.as_deref())).transpose()?;
    let cluster = connect(arguments.cluster.context.as_deref()).await?;
    let namespace = arguments.cluster.namespace.clone().unwrap_or_else(|| cluster.default_namespace.clone());
    let limit = arguments.timeout.map(Limit::of);
    let interrupted = signals::interrupted().map_err(CommandError::signals)?;
    let mut interrupted = std::pin::pin!(interrupted);
    let mut progress = Progress::new(Screen::standard_error(), Pace::TenSeconds);

    let reference = match (documents, arguments.name) {
        (Some(documents), _) => {
            let found = apply_and_find(&cluster, &documents, &namespace, &mut progress, interrupted.as_mut()).await?;
            let Some(reference) = found else {
                progress.line("Stopped waiting. What was applied stays applied and may still trigger a run.");
                return Ok(Exit::Interrupted);
            };
            reference
        }
        (None, Some(name)) => {
            require_load_test(&cluster, &namespace, &name).await?;
            let reference = create(&cluster, &namespace, &name).await?;
            progress.line(&format!("Created run {}/{}", reference.namespace, reference.name));
            reference
        }
        (None, None) => return Err(CommandError::usage("give a LoadTest's name or -f FILE")),
    };

    let operator_namespace = &arguments.operator.operator_namespace;
    let followed = follow(&cluster, operator_namespace, &reference, limit, &mut progress, interrupted.as_mut()).await;
    progress.finish();
    match followed? {
        Followed::Detached => {
            progress.line(&goes_on(&reference));
            Ok(Exit::Interrupted)
        }
        Followed::Finished(run) => {
            let Some(ending) = Ending::of(&run) else { return Ok(Exit::NotRun) };
            match arguments.output {
                Output::Table => print_text(&status::text(&run, &ending))?,
                Output::Json => print_json(&status::json(&run, &ending))?,
            }
            Ok(ending.exit)
        }
    }
}

/// What a user is told who stops following.
pub(super) fn goes_on(reference: &RunReference) -> String {
    let RunReference { namespace, name, .. } = reference;
    format!(
        "Stopped following; run {namespace}/{name} goes on.\n\
         To watch it:  volley watch {name} -n {namespace}\n\
         Its result:   volley result {name} -n {namespace}\n\
         To stop it:   kubectl -n {namespace} patch loadtestrun {name} --type merge \
         -p '{{\"spec\":{{\"stop\":{{\"reason\":\"stopped by hand\"}}}}}}'"
    )
}

/// The objects of a file in the order in which they are applied: the LoadTest last, so that what it needs is there.
fn ordered(file: &Path, namespace: Option<&str>) -> Result<Vec<Document>, CommandError> {
    let name = file.display();
    let documents = manifest::read(file)?;
    let (mut tests, mut others): (Vec<_>, Vec<_>) =
        documents.into_iter().partition(|document| document.is_volley("LoadTest"));
    if let Some(run) = others.iter().find(|document| document.is_volley("LoadTestRun")) {
        return Err(CommandError::usage(&format!(
            "document {} of {name} is a LoadTestRun; leave it out: volley run makes the run, or create it with kubectl create",
            run.position
        )));
    }
    if tests.len() != 1 {
        return Err(CommandError::usage(&format!(
            "{name} holds {} LoadTests; volley run -f follows one run, so the file must hold exactly one",
            tests.len()
        )));
    }
    if let (Some(wanted), Some(other)) = (
        namespace,
        tests
            .iter()
            .chain(&others)
            .find_map(|document| document.namespace.as_deref().filter(|given| Some(*given) != namespace)),
    ) {
        return Err(CommandError::usage(&format!(
            "{name} names namespace {other}, --namespace says {wanted}; leave one of them out"
        )));
    }
    others.append(&mut tests);
    Ok(others)
}

/// Applies the file, then finds the run that this triggers, or creates one. `None`: the user detached before.
async fn apply_and_find<W: Write>(
    cluster: &Cluster,
    documents: &[Document],
    namespace: &str,
    progress: &mut Progress<W>,
    interrupted: impl Future<Output = ()>,
) -> Result<Option<RunReference>, CommandError> {
    let answers = apply::apply(cluster, documents, namespace).await?;
    for document in documents {
        progress.line(&format!("Applied {} {}", document.kind, document.name));
    }
    let answer = answers.into_iter().next_back().unwrap_or(Value::Null);
    let applied: LoadTest = serde_json::from_value(answer).map_err(|error| {
        CommandError::cluster(&format!(
            "the API server's LoadTest cannot be read: {error}; do the CRDs fit this volley?"
        ))
    })?;
    let namespace = applied.metadata.namespace.clone().unwrap_or_else(|| namespace.to_owned());
    let name = applied.metadata.name.clone().unwrap_or_default();
    let awaited = trigger::await_run(cluster, &namespace, &applied, progress, interrupted).await?;
    match awaited {
        Awaited::Detached => Ok(None),
        Awaited::Run(reference) => {
            progress
                .line(&format!("Following run {}/{}, triggered by the LoadTest", reference.namespace, reference.name));
            Ok(Some(reference))
        }
        Awaited::NotTriggered(why) => {
            let reference = create(cluster, &namespace, &name).await?;
            progress.line(&format!("Created run {}/{}: {why}", reference.namespace, reference.name));
            Ok(Some(reference))
        }
    }
}

async fn require_load_test(cluster: &Cluster, namespace: &str, name: &str) -> Result<(), CommandError> {
    let tests: Api<LoadTest> = Api::namespaced(cluster.client.clone(), namespace);
    match bounded("read", "LoadTest", name, tests.get_opt(name)).await? {
        Some(_) => Ok(()),
        None => Err(CommandError::usage(&format!(
            "there is no LoadTest {namespace}/{name}; look at: kubectl get loadtests -A"
        ))),
    }
}

/// Creates a run of an existing LoadTest.
async fn create(cluster: &Cluster, namespace: &str, load_test: &str) -> Result<RunReference, CommandError> {
    let spec = LoadTestRunSpec { load_test: load_test.to_owned(), definition_digest: None, stop: None };
    let mut run = LoadTestRun::new("", spec);
    run.metadata.name = None;
    run.metadata.generate_name = Some(format!("{load_test}-"));
    let runs: Api<LoadTestRun> = Api::namespaced(cluster.client.clone(), namespace);
    let parameters = PostParams { field_manager: Some(apply::FIELD_MANAGER.into()), ..PostParams::default() };
    let created =
        bounded("create", "LoadTestRun", &format!("of {namespace}/{load_test}"), runs.create(&parameters, &run))
            .await?;
    Ok(RunReference {
        namespace: namespace.to_owned(),
        name: created.metadata.name.unwrap_or_default(),
        uid: created.metadata.uid.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const TEST: &str = "apiVersion: volley.dev/v1alpha1\nkind: LoadTest\nmetadata: {name: a, namespace: shop}\n";
    const RUN: &str = "apiVersion: volley.dev/v1alpha1\nkind: LoadTestRun\nmetadata: {name: b}\n";
    const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n";

    fn ordered_text(documents: &[&str], namespace: Option<&str>) -> Result<Vec<String>, CommandError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), documents.join("---\n")).unwrap();
        ordered(file.path(), namespace).map(|documents| documents.into_iter().map(|document| document.kind).collect())
    }

    #[test]
    fn the_load_test_is_applied_last() {
        assert_eq!(ordered_text(&[TEST, MAP], Some("shop")).unwrap(), ["ConfigMap", "LoadTest"]);
    }

    #[rstest]
    #[case(&[MAP], None, "holds 0 LoadTests")]
    #[case(&[TEST, TEST], None, "holds 2 LoadTests")]
    #[case(&[TEST, RUN], None, "document 2 of")]
    #[case(&[MAP, TEST], Some("other"), "names namespace shop, --namespace says other")]
    fn a_file_that_does_not_say_one_run_is_wrong_usage(
        #[case] documents: &[&str],
        #[case] namespace: Option<&str>,
        #[case] expected: &str,
    ) {
        let error = ordered_text(documents, namespace).unwrap_err();
        assert_eq!(error.exit, Exit::Usage);
        assert!(error.message.contains(expected), "{}", error.message);
    }
}
