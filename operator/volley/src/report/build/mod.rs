//! Makes a [`Report`], and what its plots are drawn from, of what was read. Pure.

mod course;
mod final_stats;
mod measured;
mod plots;
mod run;

#[cfg(test)]
mod sample;

#[cfg(test)]
pub(super) use sample::sample_result;

pub use plots::plots;

use super::gather::Gathered;
use super::model::{Report, Source};

/// The report. `title` is what it is called; by default the run or the files.
#[must_use]
pub fn report(gathered: &Gathered, title: Option<String>) -> Report {
    let mut report = match gathered {
        Gathered::Measured { collection, sources, warnings, .. } => measured::report(collection, sources, warnings),
        Gathered::FinalStats { files, warnings } => final_stats::report(files, warnings),
        Gathered::Run { run, sources, warnings } => run::report(&run.document, sources, warnings),
    };
    if let Some(title) = title {
        report.title = title;
    }
    report
}

/// What a report is called by its files.
fn title_of(sources: &[Source]) -> String {
    match sources {
        [] => "Load test".to_owned(),
        [only] => only.file.clone(),
        [first, rest @ ..] => format!("{} and {} more", first.file, rest.len()),
    }
}
