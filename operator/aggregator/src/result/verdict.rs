//! The judgement over a run.

use volley_api::load_test_run::{EndReason, Outcome, ThresholdsOutcome, Verdict};
use volley_storage::documents::{CloseDecision, Definition, RegionFigures, StopReason, ThresholdFigures, WorkerCounts};

/// Judges by the table of endings: a missed threshold fails the run however it ended; else a run that was cut short, or of which too
/// little was measured, is inconclusive. A region that took no part by the test's own policy makes it no worse.
pub(super) fn verdict(
    definition: &Definition,
    close: &CloseDecision,
    thresholds: &[ThresholdFigures],
    regions: &[RegionFigures],
) -> Verdict {
    let mut took_part = regions.iter().filter(|region| region.left_out.is_none());
    let reason = match close.stopped {
        Some(StopReason::Requested | StopReason::Deleted) => EndReason::Stopped,
        Some(StopReason::WorkersLost) => EndReason::WorkersLost,
        Some(StopReason::DeadlineExceeded) => EndReason::DeadlineExceeded,
        Some(StopReason::DiskFull) => EndReason::DiskFull,
        Some(StopReason::Uncontrolled) => EndReason::Uncontrolled,
        Some(StopReason::ThresholdsAborted) => EndReason::ThresholdsAborted,
        None if took_part.any(|region| !is_healthy(region.workers, definition.healthy_percent)) => {
            EndReason::Inconclusive
        }
        None => EndReason::Completed,
    };
    Outcome::of(reason, ThresholdsOutcome::of(thresholds.iter().map(|threshold| threshold.outcome))).verdict
}

/// Whether enough workers of a region were measured: `measured ≥ ceil(started × percent / 100)`, and at least one.
/// A worker without a manifest counts as started, because nobody can say that it made no load; a worker that the quorum let
/// go is among them, and the verdict stays on the safe side.
pub(super) fn is_healthy(region: WorkerCounts, percent: u32) -> bool {
    let measured = region.complete + region.partial;
    let started = u64::from(measured) + u64::from(region.lost);
    measured > 0 && u64::from(measured) >= (started * u64::from(percent.min(100))).div_ceil(100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(10, 0, 90, true)]
    #[case(9, 1, 90, true)]
    #[case(8, 2, 90, false)]
    #[case(1, 1, 90, false)]
    #[case(1, 0, 100, true)]
    #[case(0, 3, 90, false)]
    #[case(0, 0, 90, false)]
    #[case(1, 9, 0, true)]
    fn a_region_is_healthy_from_the_rounded_up_share_of_its_workers(
        #[case] measured: u32,
        #[case] lost: u32,
        #[case] percent: u32,
        #[case] healthy: bool,
    ) {
        let counts = WorkerCounts { planned: measured + lost, complete: measured, lost, ..WorkerCounts::default() };
        assert_eq!(is_healthy(counts, percent), healthy);
    }
}
