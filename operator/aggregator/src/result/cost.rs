//! What the workers have cost, from what was frozen alone: the rates of the plan, when the workers were asked for, when the run was
//! closed. Their Jobs are deleted right after.

use volley_storage::documents::{CloseDecision, Region, RegionFigures};

/// What the workers of a region have cost, in millionths of a US dollar; `None`: their rate or their time is not known.
pub(super) fn of_region(region: &Region, close: &CloseDecision) -> Option<u64> {
    let asked_at = close.asked_at.get(&region.target)?;
    region.cost_microdollars(close.at.duration_since(*asked_at))
}

/// What all workers have cost; a sum of a part would look like the whole.
pub(super) fn total(regions: &[RegionFigures]) -> Option<u64> {
    regions.iter().map(|region| region.cost_micro_dollars).sum::<Option<u64>>().filter(|_| !regions.is_empty())
}
