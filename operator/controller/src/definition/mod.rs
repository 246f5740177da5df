//! From a LoadTest's spec to what can be frozen: checks that no schema can make, and the conversion. Pure; used by the LoadTest
//! (is it ready?) and by the run (freeze it).

mod rates;
mod scenario;
mod sources;
mod thresholds;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use volley_api::load_test::{self, LoadTestSpec, RegionLoad, Worker};
use volley_api::{RegionTarget, WorkerSize};
use volley_storage::documents::{
    Artifacts, DOCUMENT_VERSION, Definition, Images, LateWorkers, Live, Load, MissingRegion, Region, RunIdentity,
    Start, WorkerResources,
};

pub use sources::{Contents, INLINE_LIMIT, references};

use crate::aws::VCPU_QUOTA;
use crate::load_test_run::timing;

/// Resource names that a worker may ask for.
const RESOURCE_NAMES: [&str; 2] = ["cpu", "memory"];

/// Why a definition cannot be run now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A ConfigMap or its key is not there.
    #[error("ConfigMap {namespace}/{name} {missing}; create it and the test goes on")]
    SourceNotFound {
        /// Namespace of the test.
        namespace: String,
        /// Name of the ConfigMap.
        name: String,
        /// `does not exist` or `has no key "…"`.
        missing: String,
    },
    /// A RegionTarget is not there.
    #[error("RegionTarget {target} does not exist; create it, or name another one in spec.regions")]
    TargetNotFound {
        /// Its name.
        target: String,
    },
    /// A RegionTarget does not let the namespace in.
    #[error(
        "RegionTarget {target} does not run tests of namespace {namespace}; add it to the target's spec.allowedNamespaces, or name another target"
    )]
    NamespaceNotAllowed {
        /// Its name.
        target: String,
        /// Namespace of the test.
        namespace: String,
    },
    /// A RegionTarget is not ready.
    #[error("RegionTarget {target} is not ready: {message}")]
    RegionNotReady {
        /// Its name.
        target: String,
        /// What its condition says.
        message: String,
    },
    /// A RegionTarget is paused.
    #[error(
        "RegionTarget {target} is paused and takes no new runs; set its spec.paused to false, or name another target"
    )]
    RegionPaused {
        /// Its name.
        target: String,
    },
    /// The account has not enough of Fargate left in a region.
    #[error(
        "RegionTarget {target}: the run wants {wanted} vCPU on Fargate in {region}, but {free} of the account's {vcpu} are free; wait for other runs, use fewer or smaller workers, or have quota {VCPU_QUOTA} of Fargate raised there"
    )]
    QuotaExceeded {
        /// Name of the target.
        target: String,
        /// AWS region.
        region: String,
        /// vCPU of the run's workers there.
        wanted: i64,
        /// vCPU that are free.
        free: i64,
        /// vCPU that the account may run.
        vcpu: i64,
    },
    /// The spec contradicts itself or its targets.
    #[error("{message}")]
    Invalid {
        /// Names the field and what to write instead.
        message: String,
    },
}

impl Problem {
    fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid { message: message.into() }
    }

    /// True where it may heal by itself or by somebody else's work, so that waiting makes sense.
    #[must_use]
    pub fn may_heal(&self) -> bool {
        match self {
            Self::SourceNotFound { .. }
            | Self::TargetNotFound { .. }
            | Self::RegionNotReady { .. }
            | Self::RegionPaused { .. }
            | Self::QuotaExceeded { .. } => true,
            Self::NamespaceNotAllowed { .. } | Self::Invalid { .. } => false,
        }
    }
}

/// What a definition refers to, as it was gathered.
#[derive(Clone, Debug, Default)]
pub struct References {
    /// `RegionTargets` by name, of those that exist.
    pub targets: BTreeMap<String, RegionTarget>,
    /// What the `ConfigMaps` hold.
    pub contents: Contents,
}

/// A definition that can be frozen, and the bytes of its sources by SHA-256.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The document.
    pub definition: Definition,
    /// What goes under `scripts/v1/`.
    pub sources: BTreeMap<String, Vec<u8>>,
}

/// Who asks, beside the spec.
#[derive(Clone, Debug)]
pub struct Requester {
    /// Name of the installation.
    pub installation: String,
    /// The run.
    pub run: RunIdentity,
    /// Digest of the spec, `v1:<hex>`.
    pub definition_digest: String,
    /// Images of this release.
    pub images: Images,
}

/// Everything that must hold before a definition may trigger a run: its own sense, its sources and its targets. Whether a target
/// is reachable at this minute is the run's matter.
///
/// # Errors
/// The first [`Problem`], in the order in which a user would mend them.
pub fn check(spec: &LoadTestSpec, namespace: &str, references: &References) -> Result<(), Problem> {
    let load = load(spec)?;
    let resources = resources(spec.worker.as_ref())?;
    live(spec)?;
    let mut regions = regions(&spec.regions, namespace, &references.targets, &resources)?;
    thresholds::convert(spec)?;
    scenario::convert(&spec.scenario, load.users_per_worker, &mut regions, namespace, &references.contents)?;
    Ok(())
}

/// The document that a run freezes.
///
/// # Errors
/// As [`check`], and where a target is paused or not ready. A run that may go on without a region needs one ready target.
pub fn candidate(spec: &LoadTestSpec, requester: Requester, references: &References) -> Result<Candidate, Problem> {
    let namespace = requester.run.namespace.clone();
    let load = load(spec)?;
    let resources = resources(spec.worker.as_ref())?;
    let mut regions = regions(&spec.regions, &namespace, &references.targets, &resources)?;
    let thresholds = thresholds::convert(spec)?;
    let (scenario, sources) =
        scenario::convert(&spec.scenario, load.users_per_worker, &mut regions, &namespace, &references.contents)?;
    let on_missing_region = on_missing_region(spec.start.on_missing_region);
    all_ready(&regions, &references.targets, on_missing_region)?;
    for region in &regions {
        within_quota(region, &resources, &references.targets)?;
    }
    let max_load = timing::milliseconds(load.duration_ms()).saturating_add(timing::LOAD_MARGIN);
    let definition = Definition {
        version: DOCUMENT_VERSION,
        installation: requester.installation,
        run: requester.run,
        definition_digest: requester.definition_digest,
        scenario,
        start: Start {
            quorum_percent: number("spec.start.quorumPercent", spec.start.quorum_percent)?,
            timeout_ms: spec.start.timeout.milliseconds(),
            late_workers: match spec.start.late_workers {
                load_test::LateWorkers::Refuse => LateWorkers::Refuse,
                load_test::LateWorkers::Join => LateWorkers::Join,
            },
            on_missing_region,
        },
        max_load_ms: u64::try_from(max_load.as_millis()).unwrap_or(u64::MAX),
        max_uncontrolled_ms: u64::try_from(timing::MAX_UNCONTROLLED.as_millis()).unwrap_or(u64::MAX),
        load,
        regions,
        resources,
        healthy_percent: number("spec.healthyPercent", spec.healthy_percent)?,
        thresholds,
        artifacts: Artifacts { samples: spec.artifacts.samples },
        live: live(spec)?,
        images: requester.images,
    };
    Ok(Candidate { definition, sources })
}

fn load(spec: &LoadTestSpec) -> Result<Load, Problem> {
    let load = Load {
        users_per_worker: number("spec.load.usersPerWorker", spec.load.users_per_worker)?,
        ramp_up_ms: spec.load.ramp_up.as_ref().map_or(0, volley_api::Duration::milliseconds),
        hold_for_ms: spec.load.hold_for.milliseconds(),
    };
    if load.users_per_worker == 0 {
        return Err(Problem::invalid("spec.load.usersPerWorker is 0; a worker needs at least one virtual user"));
    }
    if load.hold_for_ms < 1000 {
        return Err(Problem::invalid(format!(
            "spec.load.holdFor is {}; hold the load for at least 1s",
            spec.load.hold_for
        )));
    }
    Ok(load)
}

fn live(spec: &LoadTestSpec) -> Result<Option<Live>, Problem> {
    if !spec.live.enabled {
        return Ok(None);
    }
    let workers = u64::try_from(spec.workers()).unwrap_or_default();
    match spec.live.interval.seconds(workers) {
        Some(interval_s) => Ok(Some(Live { interval_s })),
        None => Err(Problem::invalid(format!(
            "spec.live.interval is {}; write Auto, or whole seconds from 1s to 60s",
            spec.live.interval
        ))),
    }
}

fn number(field: &str, value: i64) -> Result<u32, Problem> {
    u32::try_from(value)
        .map_err(|_| Problem::invalid(format!("{field} is {value}; write a number from 0 to 4294967295")))
}

fn resources(worker: Option<&Worker>) -> Result<WorkerResources, Problem> {
    let Some(worker) = worker else { return Ok(WorkerResources::Size(WorkerSize::default())) };
    match (worker.size, &worker.resources) {
        (Some(_), Some(_)) => Err(Problem::invalid("spec.worker has both size and resources; keep one of them")),
        (size, None) => Ok(WorkerResources::Size(size.unwrap_or_default())),
        (None, Some(resources)) => {
            let texts = |field: &str, of: &BTreeMap<_, k8s_openapi::apimachinery::pkg::api::resource::Quantity>| {
                of.iter()
                    .map(|(name, quantity): (&String, _)| {
                        if RESOURCE_NAMES.contains(&name.as_str()) {
                            Ok((name.clone(), quantity.0.clone()))
                        } else {
                            Err(Problem::invalid(format!(
                                "spec.worker.resources.{field} names {name:?}; a worker may ask for cpu and memory"
                            )))
                        }
                    })
                    .collect::<Result<BTreeMap<_, _>, _>>()
            };
            Ok(WorkerResources::Quantities {
                requests: texts("requests", &resources.requests)?,
                limits: texts("limits", &resources.limits)?,
            })
        }
    }
}

fn regions(
    loads: &[RegionLoad],
    namespace: &str,
    targets: &BTreeMap<String, RegionTarget>,
    resources: &WorkerResources,
) -> Result<Vec<Region>, Problem> {
    if loads.is_empty() {
        return Err(Problem::invalid(
            "spec.regions is empty; name at least one RegionTarget with its number of workers",
        ));
    }
    let mut seen = BTreeSet::new();
    let mut regions = Vec::new();
    for load in loads {
        if !seen.insert(&load.target) {
            return Err(Problem::invalid(format!(
                "spec.regions names {} twice; give each target one entry",
                load.target
            )));
        }
        let workers = number("spec.regions[].workers", load.workers)?;
        if workers == 0 {
            return Err(Problem::invalid(format!("spec.regions: {} has 0 workers; write at least 1", load.target)));
        }
        let target =
            targets.get(&load.target).ok_or_else(|| Problem::TargetNotFound { target: load.target.clone() })?;
        if !target.spec.allowed_namespaces.iter().any(|allowed| allowed == namespace) {
            return Err(Problem::NamespaceNotAllowed { target: load.target.clone(), namespace: namespace.to_owned() });
        }
        if target.spec.fargate && matches!(resources, WorkerResources::Quantities { .. }) {
            return Err(Problem::invalid(format!(
                "spec.worker.resources is set, but RegionTarget {} runs on Fargate; write spec.worker.size instead",
                load.target
            )));
        }
        let users_per_worker =
            load.users_per_worker.map(|users| number("spec.regions[].usersPerWorker", users)).transpose()?;
        if users_per_worker == Some(0) {
            return Err(Problem::invalid(format!(
                "spec.regions: usersPerWorker of {} is 0; a worker needs at least one virtual user",
                load.target
            )));
        }
        regions.push(Region {
            target: load.target.clone(),
            region: target.spec.region.clone(),
            namespace: target.spec.namespace.clone(),
            workers,
            users_per_worker,
            execution_users: Vec::new(),
            fargate: target.spec.fargate,
            worker_hour_nanodollars: worker_hour(target, resources),
        });
    }
    regions.sort_by(|one, other| one.target.cmp(&other.target));
    Ok(regions)
}

fn on_missing_region(policy: load_test::MissingRegion) -> MissingRegion {
    match policy {
        load_test::MissingRegion::Fail => MissingRegion::Fail,
        load_test::MissingRegion::Continue => MissingRegion::Continue,
    }
}

/// Whether a run may be planned over its targets. Who pauses a target or misspells its name wants no smaller test, so that only a target
/// that is not ready may be missing.
fn all_ready(
    regions: &[Region],
    targets: &BTreeMap<String, RegionTarget>,
    policy: MissingRegion,
) -> Result<(), Problem> {
    let mut not_ready = None;
    let mut any_ready = false;
    for region in regions {
        match ready(&region.target, targets) {
            Ok(()) => any_ready = true,
            Err(problem @ Problem::RegionNotReady { .. }) => {
                not_ready.get_or_insert(problem);
            }
            Err(other) => return Err(other),
        }
    }
    match not_ready {
        Some(problem) if policy == MissingRegion::Fail || !any_ready => Err(problem),
        Some(_) | None => Ok(()),
    }
}

/// Fargate's quota, where the target's status tells it. What is not known stops nobody.
fn within_quota(
    region: &Region,
    resources: &WorkerResources,
    targets: &BTreeMap<String, RegionTarget>,
) -> Result<(), Problem> {
    let status = targets.get(&region.target).and_then(|target| target.status.as_ref());
    let (Some(quota), WorkerResources::Size(size)) = (status.and_then(|status| status.quota.as_ref()), resources)
    else {
        return Ok(());
    };
    let wanted = (i64::from(region.workers) * i64::from(size.millicores()) + 999) / 1000;
    let free = quota.vcpu.saturating_sub(quota.used).max(0);
    if region.fargate && wanted > free {
        let (target, region) = (region.target.clone(), region.region.clone());
        return Err(Problem::QuotaExceeded { target, region, wanted, free, vcpu: quota.vcpu });
    }
    Ok(())
}

fn worker_hour(target: &RegionTarget, resources: &WorkerResources) -> Option<u64> {
    match resources {
        WorkerResources::Size(size) if target.spec.fargate => rates::worker_hour(&target.spec.region, *size),
        WorkerResources::Size(_) | WorkerResources::Quantities { .. } => None,
    }
}

fn ready(name: &str, targets: &BTreeMap<String, RegionTarget>) -> Result<(), Problem> {
    let target = targets.get(name);
    if target.is_some_and(|target| target.spec.paused) {
        return Err(Problem::RegionPaused { target: name.to_owned() });
    }
    if target.is_some_and(|target| target.metadata.deletion_timestamp.is_some()) {
        let message = "it is being deleted".to_owned();
        return Err(Problem::RegionNotReady { target: name.to_owned(), message });
    }
    let condition = target
        .and_then(|target| target.status.as_ref())
        .and_then(|status| status.conditions.iter().find(|condition| condition.type_ == "Ready"));
    match condition {
        Some(condition) if condition.status == "True" => Ok(()),
        Some(condition) => Err(Problem::RegionNotReady { target: name.to_owned(), message: condition.message.clone() }),
        None => {
            Err(Problem::RegionNotReady { target: name.to_owned(), message: "it has not been probed yet".to_owned() })
        }
    }
}
