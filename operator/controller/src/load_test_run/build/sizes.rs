//! Requests and limits of a worker's two containers.
//!
//! Fargate gives a pod the smallest size that holds its requests and 256 MiB for its own parts. Whether it counts a native sidecar is
//! undocumented, so each size is chosen such that the answer does not matter: the size is the same with and without the collector.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use volley_api::WorkerSize;
use volley_api::quantity::nanounits;
use volley_storage::documents::WorkerResources;

/// CPU in thousandths of a core and memory in MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) millicores: u32,
    pub(crate) mebibytes: u32,
}

impl Request {
    fn quantities(self) -> BTreeMap<String, Quantity> {
        BTreeMap::from([
            ("cpu".to_owned(), Quantity(format!("{}m", self.millicores))),
            ("memory".to_owned(), Quantity(format!("{}Mi", self.mebibytes))),
        ])
    }
}

/// The collector beside a worker without a size: measured below 40 MiB and 3 % of a core at 1,000 samples/s.
const FREE_COLLECTOR_REQUEST: Request = Request { millicores: 20, mebibytes: 48 };
/// A collector above this has a fault; it must not take the node with it.
const FREE_COLLECTOR_MEMORY_LIMIT: &str = "256Mi";

/// Requests of the main container and of the collector for a Fargate size.
pub(crate) fn requests(size: WorkerSize) -> (Request, Request) {
    let pair = |millicores, mebibytes, collector_millicores| {
        (Request { millicores, mebibytes }, Request { millicores: collector_millicores, mebibytes: 256 })
    };
    match size {
        WorkerSize::Small => pair(400, 1536, 100),
        WorkerSize::Standard => pair(900, 1536, 100),
        WorkerSize::Standard4 => pair(900, 3480, 100),
        WorkerSize::Large => pair(1800, 3480, 200),
        WorkerSize::Large8 => pair(1800, 7576, 200),
        WorkerSize::XLarge => pair(3750, 7576, 250),
    }
}

/// CPU that a worker takes, in thousandths of a vCPU: the Fargate size, or what both containers ask for.
pub(crate) fn millicores(resources: &WorkerResources) -> u32 {
    match resources {
        WorkerResources::Size(size) => size.millicores(),
        WorkerResources::Quantities { requests, limits } => {
            // Kubernetes takes the limit for the request where there is no other.
            let asked = requests.get("cpu").or_else(|| limits.get("cpu"));
            let nanounits = asked.and_then(|text| nanounits(text).ok()).unwrap_or(0);
            let millicores = u32::try_from(nanounits.div_ceil(1_000_000)).unwrap_or(u32::MAX);
            millicores.saturating_add(FREE_COLLECTOR_REQUEST.millicores)
        }
    }
}

/// What stands in the pod: main container, collector.
pub(crate) fn resources(resources: &WorkerResources) -> (ResourceRequirements, ResourceRequirements) {
    match resources {
        WorkerResources::Size(size) => {
            let (main, collector) = requests(*size);
            (exactly(main), exactly(collector))
        }
        WorkerResources::Quantities { requests, limits } => {
            let quantities = |of: &BTreeMap<String, String>| {
                of.iter().map(|(name, value)| (name.clone(), Quantity(value.clone()))).collect::<BTreeMap<_, _>>()
            };
            let some = |map: BTreeMap<String, Quantity>| (!map.is_empty()).then_some(map);
            let main = ResourceRequirements {
                requests: some(quantities(requests)),
                limits: some(quantities(limits)),
                ..ResourceRequirements::default()
            };
            let collector = ResourceRequirements {
                requests: Some(FREE_COLLECTOR_REQUEST.quantities()),
                limits: Some(BTreeMap::from([("memory".to_owned(), Quantity(FREE_COLLECTOR_MEMORY_LIMIT.to_owned()))])),
                ..ResourceRequirements::default()
            };
            (main, collector)
        }
    }
}

/// Fargate has no burst above its size, so limits equal requests and the pod behaves the same on every node.
fn exactly(request: Request) -> ResourceRequirements {
    ResourceRequirements {
        requests: Some(request.quantities()),
        limits: Some(request.quantities()),
        ..ResourceRequirements::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fargate's sizes: vCPU in thousandths, and the memory in GiB that each offers (AWS, "Fargate Pod configuration").
    fn fargate_size(millicores: u32, mebibytes: u32) -> Option<(u32, u32)> {
        let sizes: [(u32, Vec<u32>); 5] = [
            (250, vec![1, 2]), // 0.5 GB left out: below every worker
            (500, (1..=4).collect()),
            (1000, (2..=8).collect()),
            (2000, (4..=16).collect()),
            (4000, (8..=30).collect()),
        ];
        let needed = mebibytes + 256;
        sizes.iter().filter(|(cpu, _)| *cpu >= millicores).find_map(|(cpu, memory)| {
            memory.iter().find(|gibibytes| **gibibytes * 1024 >= needed).map(|gibibytes| (*cpu, *gibibytes))
        })
    }

    #[rstest::rstest]
    #[case(WorkerSize::Small, (500, 2))]
    #[case(WorkerSize::Standard, (1000, 2))]
    #[case(WorkerSize::Standard4, (1000, 4))]
    #[case(WorkerSize::Large, (2000, 4))]
    #[case(WorkerSize::Large8, (2000, 8))]
    #[case(WorkerSize::XLarge, (4000, 8))]
    fn a_size_is_the_same_fargate_size_with_and_without_the_sidecar(
        #[case] size: WorkerSize,
        #[case] expected: (u32, u32),
    ) {
        assert_eq!((size.millicores(), size.gibibytes()), expected);
        let (main, collector) = requests(size);
        assert_eq!(fargate_size(main.millicores, main.mebibytes), Some(expected));
        assert_eq!(millicores(&WorkerResources::Size(size)), expected.0, "what capacity counts is what AWS bills");
        assert_eq!(
            fargate_size(main.millicores + collector.millicores, main.mebibytes + collector.mebibytes),
            Some(expected)
        );
    }

    proptest::proptest! {
        /// A collector that grew by up to what is left in the size would still not change the size; one byte more would.
        #[test]
        fn the_sidecar_fits_into_what_the_size_leaves(extra in 0_u32..400) {
            for size in [WorkerSize::Small, WorkerSize::Standard, WorkerSize::Standard4, WorkerSize::Large, WorkerSize::Large8, WorkerSize::XLarge] {
                let (main, collector) = requests(size);
                let alone = fargate_size(main.millicores, main.mebibytes).unwrap();
                let left_cpu = alone.0 - main.millicores;
                let left_memory = alone.1 * 1024 - 256 - main.mebibytes;
                proptest::prop_assert!(collector.millicores <= left_cpu && collector.mebibytes <= left_memory);
                let grown = fargate_size(main.millicores + extra, main.mebibytes);
                proptest::prop_assert_eq!(grown == Some(alone), extra <= left_cpu);
            }
        }
    }

    #[rstest::rstest]
    #[case::the_request(&[("cpu", "150m")], &[("cpu", "1")], 170)]
    #[case::or_the_limit(&[], &[("cpu", "1")], 1_020)]
    #[case::or_nothing(&[], &[("memory", "1Gi")], 20)]
    fn a_worker_without_a_size_takes_what_it_asks_for(
        #[case] requests: &[(&str, &str)],
        #[case] limits: &[(&str, &str)],
        #[case] expected: u32,
    ) {
        let map =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        assert_eq!(millicores(&WorkerResources::Quantities { requests: map(requests), limits: map(limits) }), expected);
    }

    #[test]
    fn free_quantities_reach_the_main_container_as_they_are_written() {
        let quantities = WorkerResources::Quantities {
            requests: BTreeMap::from([("cpu".into(), "150m".into())]),
            limits: BTreeMap::new(),
        };
        let (main, collector) = resources(&quantities);
        assert_eq!(main.requests.unwrap()["cpu"], Quantity("150m".into()));
        assert_eq!(main.limits, None);
        assert!(collector.requests.is_some());
    }
}
