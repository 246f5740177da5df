//! From the frozen definition to the files that Taurus reads. Pure.
//!
//! Only what depends on the definition stands here; what is the same for every worker (paths, update checks, consolidator,
//! the gate itself) is forced by the image's own configuration, which Taurus merges last.
//!
//! # Guarantees
//!
//! * A user's text is always a value. The file is JSON, which every YAML reader takes too, so no text can end a scalar, become a
//!   number or a boolean, an alias or a second document; see [`text`].
//! * What Taurus or JMeter could not carry (control characters, property names that would become other settings) is refused here
//!   by name, instead of being lost on the way.
//! * Times are whole seconds, rounded up: Locust and JMeter's thread groups cut fractions off, and a duration cut to 0 would
//!   mean "for ever" to Locust.

mod http;
mod properties;
mod text;

#[cfg(test)]
mod tests;

use serde_json::{Value, json};
use volley_storage::documents::{Definition, Load, Scenario, Source, TaurusExecution};

/// Name of the configuration in the workspace.
pub const CONFIGURATION_FILE: &str = "volley.yml";
/// Name of a JMX in the workspace.
pub const JMETER_SCRIPT_FILE: &str = "script.jmx";
/// Name of a script of k6 in the workspace.
pub const K6_SCRIPT_FILE: &str = "script.js";
/// Name of a Locust file in the workspace.
pub const LOCUST_SCRIPT_FILE: &str = "script.py";

/// Name of a user's Taurus configuration in the workspace.
pub const TAURUS_SCRIPT_FILE: &str = "taurus.yml";

/// Executors whose `hold-for` is the whole time: Molotov starts its users within it, siege has no ramp-up at all.
const HOLD_IS_EVERYTHING: [&str; 2] = ["molotov", "siege"];

/// Name of the only scenario in the configuration.
const SCENARIO: &str = "volley";

/// The definition asks for something that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDefinition {
    /// No virtual users or no time.
    #[error("load has {what}; it needs at least one virtual user and one second")]
    EmptyLoad {
        /// What is missing.
        what: &'static str,
    },
    /// A text holds a character that no JMX can carry.
    #[error("{field} holds the control character U+{code:04X}, which JMeter cannot carry; remove it")]
    ControlCharacter {
        /// Path of the field.
        field: String,
        /// The character.
        code: u32,
    },
    /// An expected status is neither a code nor a class.
    #[error("{field}: {pattern:?} is no status; write a code such as 404 or a class such as 2xx")]
    Status {
        /// Path of the field.
        field: String,
        /// What was written.
        pattern: String,
    },
    /// The name of a JMeter property cannot be written to a properties file.
    #[error("JMeter property {name:?}: a name consists of letters, digits, '.', '_' and '-'")]
    PropertyName {
        /// What was written.
        name: String,
    },
    /// A JMeter property would change the sample file that is read.
    #[error(
        "JMeter property {name:?} is reserved: it would change the sample file that the figures come from; remove it"
    )]
    PropertyReserved {
        /// What was written.
        name: String,
    },
}

/// What has to be fetched for a scenario: the name in the workspace and the source.
#[must_use]
pub fn sources(scenario: &Scenario) -> Vec<(&'static str, &Source)> {
    match scenario {
        Scenario::Http { .. } => Vec::new(),
        Scenario::Jmeter { script, .. } => vec![(JMETER_SCRIPT_FILE, script)],
        Scenario::K6 { script, .. } => vec![(K6_SCRIPT_FILE, script)],
        Scenario::Locust { script } => vec![(LOCUST_SCRIPT_FILE, script)],
        Scenario::Taurus { script, .. } => vec![(TAURUS_SCRIPT_FILE, script)],
    }
}

/// The configurations of the workspace, in the order in which Taurus merges them.
#[must_use]
pub fn configurations(scenario: &Scenario) -> Vec<&'static str> {
    match scenario {
        Scenario::Taurus { .. } => vec![TAURUS_SCRIPT_FILE, CONFIGURATION_FILE],
        Scenario::Http { .. } | Scenario::Jmeter { .. } | Scenario::K6 { .. } | Scenario::Locust { .. } => {
            vec![CONFIGURATION_FILE]
        }
    }
}

/// The scripts that the gate checks, each with its engine.
#[must_use]
pub fn scripts(scenario: &Scenario) -> Vec<(&'static str, &'static str)> {
    match scenario {
        // Which scripts there are, only Taurus knows; the gate checks what it will load.
        Scenario::Http { .. } | Scenario::Taurus { .. } => Vec::new(),
        Scenario::Jmeter { .. } => vec![("jmeter", JMETER_SCRIPT_FILE)],
        Scenario::K6 { .. } => vec![("k6", K6_SCRIPT_FILE)],
        Scenario::Locust { .. } => vec![("locust", LOCUST_SCRIPT_FILE)],
    }
}

/// The text of [`CONFIGURATION_FILE`] for the workers of a RegionTarget.
///
/// # Errors
/// [`InvalidDefinition`] names the field and what to write instead.
pub fn taurus_configuration(definition: &Definition, target: &str) -> Result<String, InvalidDefinition> {
    Ok(text::yaml(&configuration(definition, target)?))
}

fn configuration(definition: &Definition, target: &str) -> Result<Value, InvalidDefinition> {
    let load = &definition.load;
    let region = definition.regions.iter().find(|region| region.target == target);
    let users = region.map_or(load.users_per_worker, |region| definition.users_per_worker(region));
    if users == 0 {
        return Err(InvalidDefinition::EmptyLoad { what: "no virtual users" });
    }
    if load.duration_ms() == 0 {
        return Err(InvalidDefinition::EmptyLoad { what: "no duration" });
    }
    let execution = |executor: &str| {
        json!({
            "executor": executor,
            "scenario": SCENARIO,
            "concurrency": users,
            // As text: Taurus takes a bare 0 for "not given" and then keeps the ramp-up of the script's own thread group.
            "ramp-up": whole_seconds(load.ramp_up_ms),
            "hold-for": whole_seconds(load.hold_for_ms),
            // 0.8 KB per failed request and a fifth of a core in Taurus at 1,000 failures/s. It belongs to the execution, so no
            // later configuration can force it: Taurus appends lists.
            "write-xml-jtl": "none",
        })
    };
    Ok(match &definition.scenario {
        Scenario::Http { base_url, requests } => json!({
            "execution": [execution("jmeter")],
            "scenarios": {SCENARIO: http::scenario(base_url, requests)?},
        }),
        Scenario::Jmeter { properties, .. } => json!({
            "execution": [execution("jmeter")],
            "scenarios": {SCENARIO: {"script": JMETER_SCRIPT_FILE}},
            "modules": {"jmeter": {"properties": properties::properties(properties)?}},
        }),
        Scenario::K6 { arguments, .. } => {
            let mut execution = execution("k6");
            execution["arguments"] = json!(arguments);
            json!({
                "execution": [execution],
                "scenarios": {SCENARIO: {"script": K6_SCRIPT_FILE}},
            })
        }
        Scenario::Locust { .. } => json!({
            "execution": [execution("locust")],
            "scenarios": {SCENARIO: {"script": LOCUST_SCRIPT_FILE}},
        }),
        // `$`: Taurus merges the items into those of the user's list, by position.
        Scenario::Taurus { executions, .. } => {
            let of_region = region.map(|region| region.execution_users.as_slice()).unwrap_or_default();
            let executions = executions.iter().enumerate().map(|(place, execution)| {
                let users = of_region.get(place).copied().unwrap_or(execution.users);
                self::execution(execution, users, load)
            });
            json!({"$execution": executions.collect::<Vec<_>>()})
        }
    })
}

/// What is laid over an execution of the user's own configuration.
fn execution(execution: &TaurusExecution, users: u32, load: &Load) -> Value {
    let hold_is_everything = HOLD_IS_EVERYTHING.contains(&execution.executor.as_str());
    json!({
        "executor": execution.executor,
        "concurrency": users,
        "ramp-up": whole_seconds(load.ramp_up_ms),
        "hold-for": whole_seconds(if hold_is_everything { load.duration_ms() } else { load.hold_for_ms }),
    })
}

fn whole_seconds(milliseconds: u64) -> String {
    format!("{}s", milliseconds.div_ceil(1000))
}
