//! How fast the pods of a region are asked for.
//!
//! Fargate launches 20 pods at once and 20 more each second for an account that runs only EKS pods (AWS, "Amazon ECS/EKS on
//! Fargate throttling"); staying at half of it leaves room for whatever else the account launches.

use jiff::{SignedDuration, Timestamp};

use super::observed::JobSeen;
use super::timing;

/// Pods of one step.
pub(super) const STEP: u32 = 20;

/// The next parallelism of a Job that shall have `workers` pods; `None`: it stays as it is for now.
pub(super) fn next(job: &JobSeen, workers: u32, now: Timestamp) -> Option<u32> {
    if job.parallelism >= workers {
        return None;
    }
    let rested = job.ramped_at.is_none_or(|at| now >= timing::after(at, timing::RAMP_INTERVAL));
    let failed = u32::try_from(job.failed_indexes.len()).unwrap_or(u32::MAX);
    let caught_up = job.active.saturating_add(job.succeeded).saturating_add(failed) >= job.parallelism;
    (rested && caught_up).then(|| job.parallelism.saturating_add(STEP).min(workers))
}

/// From the first step to the last of so many workers.
pub(super) fn duration(workers: u32) -> SignedDuration {
    let steps = workers.div_ceil(STEP).saturating_sub(1);
    timing::RAMP_INTERVAL.saturating_mul(i32::try_from(steps).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(parallelism: u32, active: u32, ramped_at: Option<&str>) -> JobSeen {
        JobSeen { parallelism, active, ramped_at: ramped_at.map(|text| text.parse().unwrap()), ..JobSeen::default() }
    }

    #[rstest::rstest]
    #[case::a_small_region_comes_at_once(job(0, 0, None), 7, Some(7))]
    #[case::a_large_one_in_steps(job(0, 0, None), 50, Some(20))]
    #[case::not_before_the_interval_has_passed(job(20, 20, Some("2026-11-25T09:59:59Z")), 50, None)]
    #[case::not_before_the_pods_are_there(job(20, 12, Some("2026-11-25T09:00:00Z")), 50, None)]
    #[case::then_the_next_step(job(20, 20, Some("2026-11-25T09:00:00Z")), 50, Some(40))]
    #[case::the_last_one_is_what_is_left(job(40, 40, Some("2026-11-25T09:00:00Z")), 50, Some(50))]
    #[case::and_then_nothing(job(50, 50, Some("2026-11-25T09:00:00Z")), 50, None)]
    fn pods_are_asked_for_in_steps(#[case] job: JobSeen, #[case] workers: u32, #[case] expected: Option<u32>) {
        assert_eq!(next(&job, workers, "2026-11-25T10:00:00Z".parse().unwrap()), expected);
    }
}
