//! How a run ended, in the words and the exit code of the user's command.

use volley_api::condition::{self, ConditionType};
use volley_api::load_test_run::{EndReason, LoadTestRun, Outcome, Phase, ThresholdsOutcome, Verdict};

use crate::exit::Exit;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The exit code it means.
    pub exit: Exit,
    /// The final phase.
    pub phase: Option<Phase>,
    /// The judgement.
    pub verdict: Verdict,
    /// Reason of the condition `Succeeded`.
    pub reason: String,
    /// Message of the condition `Succeeded`.
    pub message: String,
}

impl Ending {
    /// How the run ended; `None`: it has not.
    #[must_use]
    pub fn of(run: &LoadTestRun) -> Option<Self> {
        let status = run.status.as_ref()?;
        if !condition::is_true(&status.conditions, ConditionType::Finished) {
            return None;
        }
        let succeeded = condition::find(&status.conditions, ConditionType::Succeeded);
        let reason = succeeded.map_or("Unknown", |condition| condition.reason.as_str());
        let verdict = verdict(reason, status.result.as_ref().map(|result| result.verdict));
        let exit = if condition::is_true(&status.conditions, ConditionType::Succeeded) {
            Exit::Success
        } else {
            match verdict {
                Verdict::Failed => Exit::ThresholdsMissed,
                Verdict::Inconclusive => Exit::Inconclusive,
                // Not succeeded and nothing judged: no load, or none that counts.
                Verdict::Passed | Verdict::NotJudged => Exit::NotRun,
            }
        };
        let message = succeeded.map(|condition| condition.message.clone()).unwrap_or_default();
        Some(Self { exit, phase: status.phase, verdict, reason: reason.to_owned(), message })
    }
}

/// The judgement over a run: that of its result, or what its reason means by the table of endings, whichever is graver.
/// A reason of another release leaves the word to the result.
fn verdict(reason: &str, of_result: Option<Verdict>) -> Verdict {
    let of_reason = reason.parse::<EndReason>().ok().map(|reason| Outcome::of(reason, ThresholdsOutcome::None).verdict);
    let gravity = |verdict: &Verdict| match verdict {
        Verdict::NotJudged => 0,
        Verdict::Passed => 1,
        Verdict::Inconclusive => 2,
        Verdict::Failed => 3,
    };
    [of_reason, of_result].into_iter().flatten().max_by_key(gravity).unwrap_or(Verdict::NotJudged)
}
