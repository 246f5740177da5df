//! Values that several tests start from.

use volley_storage::documents::{Artifacts, Definition, Load, Scenario};

/// A small run of one region with two workers.
pub(crate) fn definition(scenario: Scenario) -> Definition {
    Definition {
        scenario,
        load: Load { users_per_worker: 50, ramp_up_ms: 30_000, hold_for_ms: 300_000 },
        artifacts: Artifacts { samples: true },
        max_load_ms: 400_000,
        ..volley_fixtures::definition()
    }
}
