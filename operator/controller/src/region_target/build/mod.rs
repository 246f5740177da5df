//! A RegionTarget makes no objects; this reads those of its runs. Pure.

use k8s_openapi::api::batch::v1::Job;
use volley_api::region_target::TargetQuota;
use volley_api::{LoadTestRun, labels};

use super::observed::{JobThere, RunKnown};
use crate::aws::VcpuQuota;
use crate::kubernetes;

/// What a target needs to know of a worker Job.
#[must_use]
pub(crate) fn job_there(job: &Job) -> JobThere {
    let metadata = &job.metadata;
    let run_uid = metadata.labels.as_ref().and_then(|all| all.get(labels::RUN_UID)).cloned().unwrap_or_default();
    JobThere {
        name: metadata.name.clone().unwrap_or_default(),
        uid: metadata.uid.clone().unwrap_or_default(),
        run_uid,
        deleting: metadata.deletion_timestamp.is_some(),
        active: job.status.as_ref().and_then(|status| status.active).map_or(0, i64::from),
    }
}

/// What a target needs to know of a run.
#[must_use]
pub(crate) fn run_known(run: &LoadTestRun, target: &str) -> RunKnown {
    let metadata = &run.metadata;
    let status = run.status.as_ref();
    RunKnown {
        uid: metadata.uid.clone().unwrap_or_default(),
        name: kubernetes::qualified_name(metadata),
        acts: metadata.finalizers.iter().flatten().any(|name| name == labels::RUN_FINALIZER),
        uses_target: status.is_some_and(|status| status.regions.iter().any(|region| region.target == target)),
    }
}

/// Fargate's quota as a status says it.
pub(crate) fn quota(asked: VcpuQuota) -> TargetQuota {
    TargetQuota { vcpu: i64::from(asked.vcpu), used: i64::from(asked.used) }
}
