//! How a run ends: one table of reasons, and what follows from each for verdict, conditions, phase and exit code.

use std::fmt;
use std::str::FromStr;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::status::{Phase, ThresholdOutcome, Verdict};
use crate::condition::{self, ConditionType};

/// Why a run ended; the reason of its `Succeeded` condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EndReason {
    /// It ran to its end.
    Completed,
    /// It ran to its end, but what was measured cannot be judged.
    Inconclusive,
    /// A threshold was missed at the end.
    ThresholdsFailed,
    /// A threshold stopped the load.
    ThresholdsAborted,
    /// Too few workers stayed healthy while it ran.
    WorkersLost,
    /// It took longer than it may.
    DeadlineExceeded,
    /// A worker's disk was nearly full.
    DiskFull,
    /// A worker could not reach the storage for too long.
    Uncontrolled,
    /// Somebody stopped it.
    Stopped,
    /// The definition makes no sense, or its LoadTest does not exist.
    InvalidDefinition,
    /// A source did not appear in time, or could not be fetched.
    SourceUnavailable,
    /// A RegionTarget did not appear in time.
    TargetNotFound,
    /// A RegionTarget does not let the namespace in.
    NamespaceNotAllowed,
    /// A RegionTarget was not ready in time, or refused the Job.
    RegionNotReady,
    /// A quota refused the workers.
    QuotaExceeded,
    /// An image cannot be pulled.
    ImageUnavailable,
    /// A Secret is missing.
    SecretUnavailable,
    /// The script or its configuration is broken.
    ScriptFailed,
    /// Too few workers were ready in time.
    StartTimedOut,
    /// Clocks differ too much for one start instant.
    ClockSkewed,
    /// Another run of the LoadTest was active.
    ConcurrencyForbidden,
    /// The definition had changed before the run began, and the change triggers a run of its own.
    Superseded,
    /// A newer run took its place.
    Replaced,
    /// It could not begin within its schedule's deadline.
    StartingDeadlineMissed,
    /// It had ended before its object was restored from a backup.
    Restored,
}

/// What kinds of ends there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// The load ran its full time.
    Ran,
    /// The load ended early, by a fault or a decision.
    CutShort,
    /// The load never began, and somebody has to act.
    NotStarted,
    /// The run was not meant to begin any more.
    Skipped,
}

impl EndReason {
    /// All reasons.
    pub const ALL: [Self; 25] = [
        Self::Completed,
        Self::Inconclusive,
        Self::ThresholdsFailed,
        Self::ThresholdsAborted,
        Self::WorkersLost,
        Self::DeadlineExceeded,
        Self::DiskFull,
        Self::Uncontrolled,
        Self::Stopped,
        Self::InvalidDefinition,
        Self::SourceUnavailable,
        Self::TargetNotFound,
        Self::NamespaceNotAllowed,
        Self::RegionNotReady,
        Self::QuotaExceeded,
        Self::ImageUnavailable,
        Self::SecretUnavailable,
        Self::ScriptFailed,
        Self::StartTimedOut,
        Self::ClockSkewed,
        Self::ConcurrencyForbidden,
        Self::Superseded,
        Self::Replaced,
        Self::StartingDeadlineMissed,
        Self::Restored,
    ];

    /// As it stands in the condition.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "Completed",
            Self::Inconclusive => "Inconclusive",
            Self::ThresholdsFailed => "ThresholdsFailed",
            Self::ThresholdsAborted => "ThresholdsAborted",
            Self::WorkersLost => "WorkersLost",
            Self::DeadlineExceeded => "DeadlineExceeded",
            Self::DiskFull => "DiskFull",
            Self::Uncontrolled => "Uncontrolled",
            Self::Stopped => "Stopped",
            Self::InvalidDefinition => "InvalidDefinition",
            Self::SourceUnavailable => "SourceUnavailable",
            Self::TargetNotFound => "TargetNotFound",
            Self::NamespaceNotAllowed => "NamespaceNotAllowed",
            Self::RegionNotReady => "RegionNotReady",
            Self::QuotaExceeded => "QuotaExceeded",
            Self::ImageUnavailable => "ImageUnavailable",
            Self::SecretUnavailable => "SecretUnavailable",
            Self::ScriptFailed => "ScriptFailed",
            Self::StartTimedOut => "StartTimedOut",
            Self::ClockSkewed => "ClockSkewed",
            Self::ConcurrencyForbidden => "ConcurrencyForbidden",
            Self::Superseded => "Superseded",
            Self::Replaced => "Replaced",
            Self::StartingDeadlineMissed => "StartingDeadlineMissed",
            Self::Restored => "Restored",
        }
    }

    fn class(self) -> Class {
        match self {
            Self::Completed | Self::Inconclusive | Self::ThresholdsFailed => Class::Ran,
            Self::ThresholdsAborted
            | Self::WorkersLost
            | Self::DeadlineExceeded
            | Self::DiskFull
            | Self::Uncontrolled
            | Self::Stopped => Class::CutShort,
            Self::InvalidDefinition
            | Self::SourceUnavailable
            | Self::TargetNotFound
            | Self::NamespaceNotAllowed
            | Self::RegionNotReady
            | Self::QuotaExceeded
            | Self::ImageUnavailable
            | Self::SecretUnavailable
            | Self::ScriptFailed
            | Self::StartTimedOut
            | Self::ClockSkewed => Class::NotStarted,
            Self::ConcurrencyForbidden
            | Self::Superseded
            | Self::Replaced
            | Self::StartingDeadlineMissed
            | Self::Restored => Class::Skipped,
        }
    }

    /// The phase of a run that ended so.
    #[must_use]
    pub fn phase(self) -> Phase {
        match (self, self.class()) {
            (Self::Completed, _) => Phase::Succeeded,
            (Self::Stopped, _) => Phase::Stopped,
            (_, Class::Skipped) => Phase::Skipped,
            (_, Class::Ran | Class::CutShort | Class::NotStarted) => Phase::Failed,
        }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The text is no reason of this release.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no reason for the end of a run that this release knows")]
pub struct UnknownEndReason {
    text: String,
}

impl FromStr for EndReason {
    type Err = UnknownEndReason;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.as_str() == text)
            .ok_or_else(|| UnknownEndReason { text: text.to_owned() })
    }
}

/// What the thresholds of a test say about what ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ThresholdsOutcome {
    /// The test has none.
    None,
    /// All are met.
    Met,
    /// At least one is missed.
    Missed,
    /// None is missed, but at least one cannot be judged.
    Unjudged,
}

impl ThresholdsOutcome {
    /// What all thresholds together say: a missed one weighs more than one that cannot be judged.
    #[must_use]
    pub fn of(thresholds: impl IntoIterator<Item = ThresholdOutcome>) -> Self {
        thresholds.into_iter().fold(Self::None, |all, one| match (all, one) {
            (Self::Missed, _) | (_, ThresholdOutcome::Missed) => Self::Missed,
            (Self::Unjudged, _) | (_, ThresholdOutcome::NotJudged) => Self::Unjudged,
            (Self::None | Self::Met, ThresholdOutcome::Met) => Self::Met,
        })
    }
}

/// Everything that follows from the way in which a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Reason of `Succeeded`.
    pub reason: EndReason,
    /// The judgement.
    pub verdict: Verdict,
}

impl Outcome {
    /// The outcome of a run. `reason` says how it came to its end: [`EndReason::Completed`] for one that ran its full time and of
    /// which enough was measured, [`EndReason::Inconclusive`] where too little was. Failed beats Inconclusive beats Passed.
    #[must_use]
    pub fn of(reason: EndReason, thresholds: ThresholdsOutcome) -> Self {
        use EndReason as Reason;
        let (reason, verdict) = match (reason, reason.class(), thresholds) {
            (_, Class::Ran, ThresholdsOutcome::Missed) => (Reason::ThresholdsFailed, Verdict::Failed),
            (Reason::ThresholdsFailed | Reason::ThresholdsAborted, _, _)
            | (_, Class::CutShort, ThresholdsOutcome::Missed) => (reason, Verdict::Failed),
            (Reason::Completed, _, ThresholdsOutcome::None) => (reason, Verdict::NotJudged),
            (Reason::Completed, _, ThresholdsOutcome::Met) => (reason, Verdict::Passed),
            (_, Class::Ran, _) => (Reason::Inconclusive, Verdict::Inconclusive),
            (_, Class::CutShort, _) => (reason, Verdict::Inconclusive),
            (_, Class::NotStarted | Class::Skipped, _) => (reason, Verdict::NotJudged),
        };
        Self { reason, verdict }
    }

    /// Status of the condition `Succeeded`.
    #[must_use]
    pub fn succeeded(self) -> bool {
        self.phase() == Phase::Succeeded
    }

    /// Status of the condition `Stalled`: somebody has to act.
    #[must_use]
    pub fn stalled(self) -> bool {
        self.phase() == Phase::Failed
    }

    /// The phase.
    #[must_use]
    pub fn phase(self) -> Phase {
        self.reason.phase()
    }

    /// Exit code of `volley run`.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self.verdict {
            Verdict::Passed => 0,
            Verdict::NotJudged if self.succeeded() => 0,
            Verdict::Failed => 1,
            Verdict::NotJudged => 3,
            Verdict::Inconclusive => 4,
        }
    }
}

/// The phase of a run: what its conditions say, in one word.
#[must_use]
pub fn phase(conditions: &[Condition]) -> Phase {
    let is = |type_| condition::is_true(conditions, type_);
    if is(ConditionType::Finished) {
        if is(ConditionType::Succeeded) {
            return Phase::Succeeded;
        }
        let reason = condition::find(conditions, ConditionType::Succeeded).map(|succeeded| succeeded.reason.parse());
        // A reason of another release, or none: it did not succeed, that much is sure.
        return match reason {
            Some(Ok(EndReason::Completed) | Err(_)) | None => Phase::Failed,
            Some(Ok(reason)) => reason.phase(),
        };
    }
    if is(ConditionType::Collected) {
        Phase::Aggregating
    } else if condition::find(conditions, ConditionType::Collected).is_some() {
        Phase::Collecting
    } else if is(ConditionType::Started) {
        Phase::Running
    } else if is(ConditionType::Provisioned) {
        Phase::Ready
    } else if is(ConditionType::Planned) {
        Phase::Provisioning
    } else {
        Phase::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::Status;
    use EndReason as R;
    use ThresholdsOutcome as T;
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    /// How it ended, what the thresholds say → verdict, reason, phase, stalled, exit code.
    type Row = (EndReason, ThresholdsOutcome, Verdict, EndReason, Phase, bool, u8);

    #[test]
    fn the_table_of_ends_holds() {
        use Phase::{Failed, Skipped, Stopped, Succeeded};
        use Verdict::{Inconclusive, NotJudged, Passed};
        let mut rows: Vec<Row> = vec![
            (R::Completed, T::Met, Passed, R::Completed, Succeeded, false, 0),
            (R::Completed, T::None, NotJudged, R::Completed, Succeeded, false, 0),
            (R::Completed, T::Missed, Verdict::Failed, R::ThresholdsFailed, Failed, true, 1),
            (R::ThresholdsFailed, T::Missed, Verdict::Failed, R::ThresholdsFailed, Failed, true, 1),
            (R::ThresholdsAborted, T::Missed, Verdict::Failed, R::ThresholdsAborted, Failed, true, 1),
            (R::Completed, T::Unjudged, Inconclusive, R::Inconclusive, Failed, true, 4),
            (R::Inconclusive, T::Met, Inconclusive, R::Inconclusive, Failed, true, 4),
            (R::Inconclusive, T::None, Inconclusive, R::Inconclusive, Failed, true, 4),
            (R::Inconclusive, T::Unjudged, Inconclusive, R::Inconclusive, Failed, true, 4),
            (R::Inconclusive, T::Missed, Verdict::Failed, R::ThresholdsFailed, Failed, true, 1),
        ];
        // Over some seconds it was missed, whatever the whole of it says.
        for thresholds in [T::None, T::Met, T::Unjudged] {
            rows.push((R::ThresholdsAborted, thresholds, Verdict::Failed, R::ThresholdsAborted, Failed, true, 1));
        }
        for reason in [R::WorkersLost, R::DeadlineExceeded, R::DiskFull, R::Uncontrolled] {
            rows.push((reason, T::Missed, Verdict::Failed, reason, Failed, true, 1));
            for thresholds in [T::None, T::Met, T::Unjudged] {
                rows.push((reason, thresholds, Inconclusive, reason, Failed, true, 4));
            }
        }
        rows.push((R::Stopped, T::Missed, Verdict::Failed, R::Stopped, Stopped, false, 1));
        for thresholds in [T::None, T::Met, T::Unjudged] {
            rows.push((R::Stopped, thresholds, Inconclusive, R::Stopped, Stopped, false, 4));
        }
        for reason in [
            R::InvalidDefinition,
            R::SourceUnavailable,
            R::TargetNotFound,
            R::NamespaceNotAllowed,
            R::RegionNotReady,
            R::QuotaExceeded,
            R::ImageUnavailable,
            R::SecretUnavailable,
            R::ScriptFailed,
            R::StartTimedOut,
            R::ClockSkewed,
        ] {
            rows.push((reason, T::None, NotJudged, reason, Failed, true, 3));
        }
        for reason in [R::ConcurrencyForbidden, R::Superseded, R::Replaced, R::StartingDeadlineMissed, R::Restored] {
            rows.push((reason, T::None, NotJudged, reason, Skipped, false, 3));
        }
        for (how, thresholds, verdict, reason, phase, stalled, exit_code) in &rows {
            let outcome = Outcome::of(*how, *thresholds);
            assert_eq!(
                (outcome.verdict, outcome.reason, outcome.phase(), outcome.stalled(), outcome.exit_code()),
                (*verdict, *reason, *phase, *stalled, *exit_code),
                "{how} with {thresholds:?}"
            );
            assert_eq!(outcome.succeeded(), *phase == Succeeded);
        }
        for reason in EndReason::ALL {
            assert!(rows.iter().any(|row| row.0 == reason), "{reason} has no row");
        }
    }

    #[test]
    fn a_missed_threshold_beats_one_that_cannot_be_judged_and_that_beats_a_met_one() {
        use ThresholdOutcome::{Met, Missed, NotJudged};
        for (thresholds, all) in [
            (&[][..], T::None),
            (&[Met], T::Met),
            (&[Met, Met], T::Met),
            (&[Met, NotJudged], T::Unjudged),
            (&[NotJudged, Met], T::Unjudged),
            (&[Missed, NotJudged, Met], T::Missed),
            (&[NotJudged, Met, Missed], T::Missed),
        ] {
            assert_eq!(T::of(thresholds.iter().copied()), all, "{thresholds:?}");
        }
    }

    #[test]
    fn every_reason_reads_back() {
        for reason in EndReason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(reason));
        }
        assert!("Nonsense".parse::<EndReason>().unwrap_err().to_string().contains("Nonsense"));
    }

    fn conditions(of: &[(ConditionType, Status, &str)]) -> Vec<Condition> {
        of.iter()
            .map(|(type_, status, reason)| Condition {
                type_: type_.as_str().into(),
                status: status.as_str().into(),
                reason: (*reason).into(),
                message: String::new(),
                observed_generation: None,
                last_transition_time: Time(Timestamp::UNIX_EPOCH),
            })
            .collect()
    }

    #[test]
    fn the_phase_follows_the_conditions_in_their_order() {
        use ConditionType::{Collected, Planned, Provisioned, Started};
        let all = [
            (Planned, Status::True, "A"),
            (Provisioned, Status::True, "A"),
            (Started, Status::True, "A"),
            (Collected, Status::False, "A"),
            (Collected, Status::True, "A"),
        ];
        let expected = [Phase::Pending, Phase::Provisioning, Phase::Ready, Phase::Running, Phase::Collecting];
        for (count, phase_) in expected.into_iter().enumerate() {
            assert_eq!(phase(&conditions(&all[..count])), phase_);
        }
        assert_eq!(phase(&conditions(&[all[0], all[1], all[2], all[4]])), Phase::Aggregating);
    }

    #[test]
    fn the_phase_of_a_finished_run_is_that_of_its_reason() {
        let finished = |status, reason: &'static str| {
            phase(&conditions(&[
                (ConditionType::Collected, Status::True, "A"),
                (ConditionType::Finished, Status::True, reason),
                (ConditionType::Succeeded, status, reason),
            ]))
        };
        assert_eq!(finished(Status::True, "Completed"), Phase::Succeeded);
        for reason in EndReason::ALL.into_iter().filter(|reason| *reason != R::Completed) {
            assert_eq!(finished(Status::False, reason.as_str()), reason.phase(), "{reason}");
        }
        assert_eq!(finished(Status::False, "OfALaterRelease"), Phase::Failed);
        assert_eq!(phase(&conditions(&[(ConditionType::Finished, Status::True, "A")])), Phase::Failed);
    }
}
