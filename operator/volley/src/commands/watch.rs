//! `volley watch`: a run live, from anywhere in its middle to its end.

use kube::api::Api;
use serde_json::Value;
use volley_api::load_test_run::LoadTestRun;

use super::{CommandError, print_text};
use crate::cli::WatchArguments;
use crate::cluster::connect;
use crate::exit::Exit;
use crate::follow::ending::Ending;
use crate::follow::progress::{JsonLines, Pace, Progress};
use crate::follow::screen::Screen;
use crate::follow::{Followed, RunReference, follow};
use crate::report::{Output, status};
use crate::signals;

use super::result::existing;
use super::run::goes_on;

/// Runs the command.
///
/// # Errors
/// [`CommandError`] with its exit code.
pub async fn run(arguments: WatchArguments) -> Result<Exit, CommandError> {
    let cluster = connect(arguments.cluster.context.as_deref()).await?;
    let namespace = arguments.cluster.namespace.clone().unwrap_or_else(|| cluster.default_namespace.clone());
    let runs: Api<LoadTestRun> = Api::namespaced(cluster.client.clone(), &namespace);
    let run = existing(&runs, &namespace, &arguments.run).await?;
    let uid = run.metadata.uid.unwrap_or_default();
    let reference = RunReference { namespace, name: arguments.run, uid };
    let operator_namespace = &arguments.operator.operator_namespace;
    let interrupted = signals::interrupted().map_err(CommandError::signals)?;
    let followed = match arguments.output {
        Output::Table => {
            let mut progress = Progress::new(Screen::standard_output(), Pace::EachFigure);
            let followed = follow(&cluster, operator_namespace, &reference, None, &mut progress, interrupted).await;
            progress.finish();
            followed?
        }
        Output::Json => {
            let mut lines = JsonLines::new(std::io::stdout());
            follow(&cluster, operator_namespace, &reference, None, &mut lines, interrupted).await?
        }
    };
    match followed {
        Followed::Detached => {
            // Standard output is for who reads the figures, and may be closed.
            Progress::new(Screen::standard_error(), Pace::TenSeconds).line(&goes_on(&reference));
            Ok(Exit::Interrupted)
        }
        Followed::Finished(run) => {
            let Some(ending) = Ending::of(&run) else { return Ok(Exit::NotRun) };
            match arguments.output {
                Output::Table => print_text(&status::text(&run, &ending))?,
                Output::Json => print_text(&format!("{}\n", end_line(status::json(&run, &ending))))?,
            }
            Ok(ending.exit)
        }
    }
}

/// The last line of JSON: how the run ended, as `volley run -o json` says it.
fn end_line(mut ended: Value) -> Value {
    if let Some(fields) = ended.as_object_mut() {
        fields.insert("type".to_owned(), Value::from("end"));
    }
    ended
}
