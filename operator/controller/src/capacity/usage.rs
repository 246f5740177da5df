//! What workers of a run have in a target.

use std::collections::BTreeMap;

use volley_api::quantity::nanounits;
use volley_api::{LoadTestRunStatus, RegionTarget};
use volley_storage::documents::Definition;

use super::{Limit, Resource};
use crate::load_test_run::build::sizes;

/// Nanounits of a thousandth of a vCPU.
const NANO_PER_MILLI: u128 = 1_000_000;

/// Workers and their CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Workers.
    pub workers: u64,
    /// Their CPU, in thousandths of a vCPU.
    pub millicores: u64,
}

/// What one run has or wants, by target.
pub(super) type ByTarget = BTreeMap<String, Usage>;

impl Usage {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            workers: self.workers.saturating_add(other.workers),
            millicores: self.millicores.saturating_add(other.millicores),
        }
    }

    /// What a run wants, by target.
    #[must_use]
    pub fn wanted(definition: &Definition) -> BTreeMap<String, Self> {
        let each = u64::from(sizes::millicores(&definition.resources));
        let usage = |workers: u64| Self { workers, millicores: workers.saturating_mul(each) };
        definition.regions.iter().map(|region| (region.target.clone(), usage(u64::from(region.workers)))).collect()
    }

    /// What a run has, by target; `None`: its status does not say it yet, so nothing of it is made.
    #[must_use]
    pub fn of(status: &LoadTestRunStatus) -> Option<BTreeMap<String, Self>> {
        let plan = status.plan.as_ref()?;
        let number = |number: i64| u64::try_from(number).unwrap_or(0);
        let all = plan.vcpu.as_deref().and_then(|vcpu| nanounits(vcpu).ok()).unwrap_or(0) / NANO_PER_MILLI;
        let all = u64::try_from(all).unwrap_or(u64::MAX);
        // All workers of a run have the same size.
        let each = all.checked_div(number(plan.workers)).unwrap_or(0);
        let usage = |workers: u64| Self { workers, millicores: workers.saturating_mul(each) };
        Some(status.regions.iter().map(|region| (region.target.clone(), usage(number(region.planned)))).collect())
    }
}

/// What a target's spec allows, beside what is in use there.
pub(crate) fn limits(target: &RegionTarget, used: Usage) -> Vec<Limit> {
    let Some(capacity) = &target.spec.capacity else { return Vec::new() };
    let limit = |name: &str, most: Option<i64>, factor: u64, resource: Resource| {
        let most = u64::try_from(most?).unwrap_or(0).saturating_mul(factor);
        Some(Limit { name: name.to_owned(), resource, most, used: resource.of(used) })
    };
    [
        limit("spec.capacity.maxWorkers", capacity.max_workers, 1, Resource::Workers),
        limit("spec.capacity.vcpu", capacity.vcpu, 1_000, Resource::Millicores),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Thousandths of a vCPU as a number of vCPU: `7.5`.
pub(crate) fn vcpu(millicores: u64) -> String {
    let text = format!("{}.{:03}", millicores / 1_000, millicores % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use volley_api::WorkerSize;
    use volley_api::load_test_run::{RegionProgress, RunPlan};
    use volley_storage::documents::{Region, WorkerResources};

    use crate::fixtures;

    fn definition(resources: WorkerResources, workers: &[u32]) -> Definition {
        let mut definition = fixtures::definition();
        let region = definition.regions[0].clone();
        definition.resources = resources;
        definition.regions = workers
            .iter()
            .enumerate()
            .map(|(place, workers)| Region { target: format!("t{place}"), workers: *workers, ..region.clone() })
            .collect();
        definition
    }

    fn any_resources() -> impl Strategy<Value = WorkerResources> {
        prop_oneof![
            prop::sample::select(vec![WorkerSize::Small, WorkerSize::Standard, WorkerSize::XLarge])
                .prop_map(WorkerResources::Size),
            (1_u32..64_000).prop_map(|millicores| WorkerResources::Quantities {
                requests: [("cpu".to_owned(), format!("{millicores}m"))].into(),
                limits: [("memory".to_owned(), "1Gi".to_owned())].into(),
            }),
        ]
    }

    proptest! {
        /// What is admitted by the definition is counted by the status: to the same number.
        #[test]
        fn the_status_says_what_the_definition_wanted(resources in any_resources(), workers in prop::collection::vec(1_u32..1000, 1..6)) {
            let definition = definition(resources, &workers);
            let wanted = Usage::wanted(&definition);
            let all = wanted.values().fold(Usage::default(), |sum, usage| sum.plus(*usage));
            let status = LoadTestRunStatus {
                plan: Some(RunPlan {
                    workers: i64::from(definition.workers()),
                    vcpu: Some(vcpu(all.millicores)),
                    size: None,
                    resources: None,
                    duration: "1s".into(),
                    starts_by: None,
                    expected_start: None,
                    estimated_cost: None,
                    worker_image: String::new(),
                    volley_image: String::new(),
                }),
                regions: definition.regions.iter().map(|region| RegionProgress {
                    target: region.target.clone(), planned: i64::from(region.workers), ..RegionProgress::default()
                }).collect(),
                ..LoadTestRunStatus::default()
            };
            prop_assert_eq!(Usage::of(&status), Some(wanted));
        }
    }

    #[test]
    fn a_run_without_a_plan_has_nothing_yet() {
        assert_eq!(Usage::of(&LoadTestRunStatus::default()), None);
    }

    #[test]
    fn a_target_limits_what_its_spec_names() {
        let mut target = fixtures::target("eu");
        let used = Usage { workers: 3, millicores: 1_500 };
        assert_eq!(limits(&target, used), []);
        target.spec.capacity = Some(volley_api::region_target::Capacity { max_workers: None, vcpu: Some(4) });
        let [limit] = &limits(&target, used)[..] else { panic!() };
        assert_eq!((limit.most, limit.used, limit.resource), (4_000, 1_500, Resource::Millicores));
    }

    #[test]
    fn cpu_is_written_without_trailing_zeros() {
        for (millicores, text) in [(0, "0"), (500, "0.5"), (7_500, "7.5"), (20, "0.02"), (12_000, "12")] {
            assert_eq!(vcpu(millicores), text);
        }
    }
}
