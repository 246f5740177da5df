//! How a run ends, in words: its outcome by the table of `volley_api`, and the message that says what is wrong and what to do.

use volley_api::load_test_run::{EndReason, Outcome, ThresholdsOutcome};
use volley_storage::documents::{FailedStage, StopReason, WorkerFailure};

use crate::definition::Problem;

/// The reason of a run whose load was stopped.
#[must_use]
pub(crate) fn of_stop(reason: StopReason) -> EndReason {
    match reason {
        StopReason::Requested | StopReason::Deleted => EndReason::Stopped,
        StopReason::WorkersLost => EndReason::WorkersLost,
        StopReason::DeadlineExceeded => EndReason::DeadlineExceeded,
        StopReason::DiskFull => EndReason::DiskFull,
        StopReason::Uncontrolled => EndReason::Uncontrolled,
        StopReason::ThresholdsAborted => EndReason::ThresholdsAborted,
    }
}

/// The reason of a run whose definition could not be frozen.
#[must_use]
pub(crate) fn of_problem(problem: &Problem) -> EndReason {
    match problem {
        Problem::SourceNotFound { .. } => EndReason::SourceUnavailable,
        Problem::TargetNotFound { .. } => EndReason::TargetNotFound,
        Problem::NamespaceNotAllowed { .. } => EndReason::NamespaceNotAllowed,
        Problem::RegionNotReady { .. } | Problem::RegionPaused { .. } => EndReason::RegionNotReady,
        Problem::QuotaExceeded { .. } => EndReason::QuotaExceeded,
        Problem::Invalid { .. } => EndReason::InvalidDefinition,
    }
}

/// A server refused an action for good; the next plan ends the run with it, or goes on without the region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The target in which it was refused; `None`: it concerns the whole run.
    pub target: Option<String>,
    /// What the run ends with.
    pub reason: EndReason,
    /// For people.
    pub message: String,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conclusion {
    /// What follows from it.
    pub outcome: Outcome,
    /// For people: what is wrong and what to do.
    pub message: String,
}

impl Conclusion {
    /// An end that no threshold had a part in.
    #[must_use]
    pub fn new(reason: EndReason, message: impl Into<String>) -> Self {
        Self { outcome: Outcome::of(reason, ThresholdsOutcome::None), message: message.into() }
    }
}

/// What broke a worker before the start, from what the workers say: the first in order of stage, so that a script's fault wins over
/// what follows from it. `None` where no worker could say it.
#[must_use]
pub(crate) fn script_failure(failures: &[WorkerFailure]) -> Option<Conclusion> {
    let order = |failure: &WorkerFailure| match failure.stage {
        FailedStage::Script => 0,
        FailedStage::Configuration => 1,
        FailedStage::Prepare => 2,
        FailedStage::Fetch => 3,
        FailedStage::Start => 4,
    };
    let first = failures.iter().min_by_key(|failure| order(failure))?;
    let reason = match first.stage {
        FailedStage::Fetch => EndReason::SourceUnavailable,
        FailedStage::Script | FailedStage::Configuration | FailedStage::Prepare | FailedStage::Start => {
            EndReason::ScriptFailed
        }
    };
    let place = match (&first.file, first.line) {
        (Some(file), Some(line)) => format!("{file}, line {line}: "),
        (Some(file), None) => format!("{file}: "),
        (None, _) => String::new(),
    };
    Some(Conclusion::new(reason, format!("{place}{}", first.words.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(stage: FailedStage, words: &str) -> WorkerFailure {
        WorkerFailure { version: 1, stage, file: Some("script.py".into()), line: Some(7), words: words.into() }
    }

    #[test]
    fn the_engines_words_stand_in_the_conclusion_with_file_and_line() {
        let failures =
            [failure(FailedStage::Prepare, "later"), failure(FailedStage::Script, "SyntaxError: invalid syntax\n")];
        let conclusion = script_failure(&failures).unwrap();
        assert_eq!(conclusion.outcome.reason, EndReason::ScriptFailed);
        assert_eq!(conclusion.message, "script.py, line 7: SyntaxError: invalid syntax");
    }

    #[test]
    fn a_source_that_cannot_be_fetched_is_no_fault_of_the_script() {
        let conclusion = script_failure(&[failure(FailedStage::Fetch, "404")]).unwrap();
        assert_eq!(conclusion.outcome.reason, EndReason::SourceUnavailable);
        assert_eq!(script_failure(&[]), None);
    }
}
