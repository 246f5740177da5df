//! When a run will start and what it will cost, told before anything is made.

use jiff::{SignedDuration, Timestamp};
use volley_api::figures;
use volley_storage::documents::Definition;

use super::{ramp, timing};

/// From asking for a pod on Fargate to its being at the gate: pods start in 60 to 90 s (users' reports; AWS gives no figure), and
/// our check of the script takes a few seconds more.
const START_UP: SignedDuration = SignedDuration::from_secs(95);
/// From the end of the load to the end of the pods: the engine shuts down, the collector uploads, the run is closed.
const FINISH: SignedDuration = SignedDuration::from_secs(30);

/// When the load will start; `None`: a region is not on Fargate, and how fast its pods start depends on its nodes.
pub(super) fn start(definition: &Definition, start_delay: SignedDuration, now: Timestamp) -> Option<Timestamp> {
    let longest = definition.regions.iter().map(|region| ramp::duration(region.workers)).max()?;
    let all = [longest, START_UP, start_delay].into_iter().fold(SignedDuration::ZERO, SignedDuration::saturating_add);
    let start = timing::whole_second(timing::after(now, all));
    definition.regions.iter().all(|region| region.fargate).then_some(start)
}

/// What the workers will cost on Fargate; `None`: the rates of a region are not known.
pub(super) fn cost(definition: &Definition, start_delay: SignedDuration) -> Option<String> {
    let load = timing::milliseconds(definition.load.duration_ms());
    let together =
        [START_UP, start_delay, load, FINISH].into_iter().fold(SignedDuration::ZERO, SignedDuration::saturating_add);
    let longest = definition.regions.iter().map(|region| ramp::duration(region.workers)).max()?;
    let costs = definition.regions.iter().map(|region| {
        // All wait for the last worker of the largest region; a region's own come on average in the middle of its ramp.
        let waits = longest - ramp::duration(region.workers) / 2;
        region.cost_microdollars(together.saturating_add(waits))
    });
    Some(figures::dollars(costs.sum::<Option<u64>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    /// Two regions; an hour of load, a worker costs a dollar an hour.
    fn definition(workers: [u32; 2]) -> Definition {
        let mut definition = fixtures::definition();
        definition.load.ramp_up_ms = 0;
        definition.load.hold_for_ms = 3_600_000;
        let region = definition.regions.remove(0);
        definition.regions = workers
            .map(|workers| volley_storage::documents::Region {
                workers,
                fargate: true,
                worker_hour_nanodollars: Some(1_000_000_000),
                ..region.clone()
            })
            .to_vec();
        definition
    }

    fn cost_of(definition: &Definition) -> Option<String> {
        cost(definition, SignedDuration::from_secs(15))
    }

    #[test]
    fn workers_are_paid_from_being_asked_for_to_the_end() {
        // An hour and 95 + 15 + 30 s, 2 workers: 2 * 3740 / 3600 dollars.
        assert_eq!(cost_of(&definition([1, 1])).as_deref(), Some("$2.08"));
    }

    #[test]
    fn the_start_is_foretold_where_every_region_is_on_fargate() {
        let mut definition = definition([1, 1000]);
        let start_of = |definition: &Definition| {
            start(definition, SignedDuration::from_secs(15), "2026-11-25T10:00:00Z".parse().unwrap())
        };
        // 98 s of the ramp, 95 s of the last pod, 15 s.
        assert_eq!(start_of(&definition), Some("2026-11-25T10:03:28Z".parse().unwrap()));
        definition.regions[0].fargate = false;
        assert_eq!(start_of(&definition), None);
    }

    #[test]
    fn all_wait_for_the_largest_region() {
        // 1000 workers come in 50 steps, 98 s: (3740 + 98) s for one, (3740 + 49) s for each of the others.
        let expected = (3838.0 + 1000.0 * 3789.0) / 3600.0;
        assert_eq!(cost_of(&definition([1, 1000])), Some(format!("${expected:.0}")));
    }

    #[test]
    fn one_region_without_rates_leaves_no_cost() {
        let mut definition = definition([1, 1]);
        definition.regions[1].worker_hour_nanodollars = None;
        assert_eq!(cost_of(&definition), None);
    }
}
