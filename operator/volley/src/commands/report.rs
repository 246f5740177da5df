//! `volley report`: what files hold, without any cluster.

use super::{CommandError, print_text};
use crate::cli::ReportArguments;
use crate::exit::Exit;
use crate::report::formats;
use crate::report::gather::{GatherError, Progress, gather};

/// Runs the command.
///
/// # Errors
/// When a file cannot be read, or standard output is closed.
pub fn run(arguments: &ReportArguments) -> Result<Exit, CommandError> {
    let progress = Progress::on_terminal();
    let gathered = gather(&arguments.files, &progress);
    progress.end();
    print_text(&formats::of(&gathered?, arguments.title.clone(), arguments.output))?;
    Ok(Exit::Success)
}

impl From<GatherError> for CommandError {
    fn from(error: GatherError) -> Self {
        Self::usage(&error.to_string())
    }
}
