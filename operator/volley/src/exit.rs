//! Exit codes of the user's command. They are an interface: pipelines branch on them.

use std::process::ExitCode;

/// How a command ended.
///
/// 0, 1, 3 and 4 speak of the run, see the table of endings in the documentation of `LoadTestRun`. 2, 5 and 130 speak of
/// the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: the run ended well, or the command did what it was told.
    Success,
    /// 1: a threshold was missed.
    ThresholdsMissed,
    /// 2: the command line or a manifest is wrong; no run was started. clap uses the same code.
    Usage,
    /// 3: the run never came to a judgement: it could not start, or it was skipped.
    NotRun,
    /// 4: the run ended early, or it cannot be judged.
    Inconclusive,
    /// 5: the cluster or the storage did not do what was asked, or the run was not followed to its end.
    Unreachable,
    /// 1 of a part of the system (operator, collector, aggregator, storage): it cannot go on; Kubernetes starts it again.
    Service,
    /// 130: interrupted by the user (128 + SIGINT); the run goes on.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::ThresholdsMissed | Self::Service => 1,
            Self::Usage => 2,
            Self::NotRun => 3,
            Self::Inconclusive => 4,
            Self::Unreachable => 5,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
