//! A RegionTarget makes no objects; this counts those of its runs. Pure.

use k8s_openapi::api::batch::v1::Job;

/// Pods of worker Jobs that have not ended.
#[must_use]
pub(crate) fn active_workers(jobs: &[Job]) -> i64 {
    jobs.iter().filter_map(|job| job.status.as_ref()?.active).map(i64::from).sum()
}
