//! What all workers measured in one second.

use std::collections::BTreeMap;

use volley_stats::SampleKind;
use volley_stats::frame::Responses;
use volley_stats::health::GeneratorLoad;
use volley_stats::statistics::{ErrorGroups, LabelKey};

/// A second of the run that is closed: all workers that live have told of it, or were waited for long enough. What comes later
/// is in the [`LiveSeries`](super::LiveSeries) and in the final result only.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ClosedSecond {
    /// Since 1970-01-01 UTC. Closed seconds follow each other without gaps.
    pub second: i64,
    /// Active virtual users of the workers that told of it.
    pub users: u64,
    /// All requests that ended in it.
    pub totals: Responses,
    /// By `RegionTarget`; each region of the run is there.
    pub regions: BTreeMap<String, ClosedRegion>,
    /// By label, all regions together. Transactions are in no total. Labels for which a worker or this process had no room
    /// stand under `[other]`.
    pub labels: BTreeMap<LabelKey, Responses>,
    /// Failed requests by label, code and message; what is beyond [`ERROR_GROUPS`](super::ERROR_GROUPS) is under `[other]`.
    pub errors: ErrorGroups,
    /// Whose figures these are.
    pub workers: Heard,
    /// How loaded the workers are that make them.
    pub generators: Generators,
}

/// One region of it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ClosedRegion {
    /// Active virtual users.
    pub users: u64,
    /// All its requests.
    pub totals: Responses,
    /// By label.
    pub labels: BTreeMap<LabelKey, Responses>,
    /// Workers that should have told of it: planned, and neither ended nor silent for so long that nobody waits for them.
    pub expected: u32,
    /// Those of them that have.
    pub reported: u32,
}

/// How many workers told of a second.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Heard {
    /// Workers that should have, of all regions.
    pub expected: u32,
    /// Those of them that have.
    pub reported: u32,
    /// The others, the one longest silent first; at most [`BEHIND`](super::BEHIND).
    pub behind: Vec<Behind>,
}

/// A worker that has not told of a second in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    /// Name of the `RegionTarget`.
    pub target: String,
    /// Completion index.
    pub index: u32,
    /// The newest second that it has told of; `None`: nothing was heard of it yet.
    pub newest: Option<i64>,
}

/// How loaded the workers are, by what each has said last.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Generators {
    /// Workers that say how loaded they are.
    pub measured: u32,
    /// Those of them that are saturated: their response times may be their own and not the target's.
    pub saturated: u32,
    /// The saturated ones, the most loaded first; at most [`SATURATED`](super::SATURATED).
    pub named: Vec<Saturated>,
    /// The largest shares of all workers.
    pub highest: GeneratorLoad,
    /// Samples that came after their second had been told, since the second that was closed before.
    pub late: u64,
}

/// A worker that is saturated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saturated {
    /// Name of the `RegionTarget`.
    pub target: String,
    /// Completion index.
    pub index: u32,
    /// How loaded it is.
    pub load: GeneratorLoad,
}

impl ClosedRegion {
    /// Adds up what the labels say.
    pub(super) fn total_up(&mut self) {
        for (key, responses) in &self.labels {
            if key.kind == SampleKind::Request {
                self.totals.merge(responses);
            }
        }
    }
}
