//! The part of `docs/reference/metrics.md` that speaks of an aggregator.

use volley_storage::documents::RunIdentity;

use super::Metrics;
use super::reference::{self, Part};

fn served() -> String {
    let run = RunIdentity {
        uid: "u".into(),
        name: "r".into(),
        namespace: "n".into(),
        load_test: "t".into(),
        created_at: jiff::Timestamp::UNIX_EPOCH,
    };
    Metrics::of(&run).text()
}

fn part() -> String {
    reference::AGGREGATOR.to_owned()
        + "\n\
        The aggregator of a run serves them at `/metrics` of port 8081 (`metrics`) of its pod, in the OpenMetrics text format, while the run is \
        under way. The chart makes a `PodMonitor`, an alert rule and panels of the dashboard for them. They say how the live figures come about; \
        what a run measures is among the metrics of the operator.\n\n"
        + &reference::table(&served())
        + "\nEach has the labels `namespace`, `load_test` and `run` of its run. A restarted aggregator counts from 0 again.\n\n\
        | label | values |\n|---|---|\n\
        | `outcome` of a worker's frame | `Merged`; `Late`: it came after its last second was closed, and is in the course alone; `Unreadable`: it is damaged or of another release |\n\
        | `outcome` of a checkpoint | `Written`, `Failed` |\n\
        | `reason` | `Denied` (the role lacks `iot:Publish` or `iot:DescribeEndpoint`), `Throttled`, `TimedOut`, `Unavailable` (not reached, or a fault of IoT Core), `Refused` |\n\
        | `class` | `Transient`, `NeedsChange`, `Terminal`, as the operator's |\n"
}

#[test]
fn the_reference_is_what_an_aggregator_serves() {
    reference::assert_part(Part::Aggregator, &part());
}

#[test]
fn every_metric_has_a_value_a_help_and_a_name_by_the_conventions() {
    reference::assert_conventions(&served());
}
