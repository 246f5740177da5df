//! `volley report`: what files hold, without any cluster.

use volley_api::load_test_run::Verdict;

use super::{CommandError, print_text};
use crate::cli::ReportArguments;
use crate::exit::Exit;
use crate::report::gather::{GatherError, Progress, gather};
use crate::report::model::verdict;
use crate::report::{formats, thresholds};

/// Runs the command. A missed threshold is an exit code, no error: the report says which.
///
/// # Errors
/// When a file cannot be read or judged, or standard output is closed.
pub fn run(arguments: &ReportArguments) -> Result<Exit, CommandError> {
    let progress = Progress::on_terminal();
    let gathered = gather(&arguments.files, &progress);
    progress.end();
    let gathered = gathered?;
    let judged = thresholds::judge(&gathered, &arguments.thresholds).map_err(CommandError::usage)?;
    let exit = judged.as_deref().map_or(Exit::Success, |judged| match verdict(judged) {
        Verdict::Failed => Exit::ThresholdsMissed,
        Verdict::Inconclusive => Exit::Inconclusive,
        Verdict::Passed | Verdict::NotJudged => Exit::Success,
    });
    print_text(&formats::of(&gathered, arguments.title.clone(), judged, arguments.output))?;
    Ok(exit)
}

impl From<GatherError> for CommandError {
    fn from(error: GatherError) -> Self {
        Self::usage(&error.to_string())
    }
}
