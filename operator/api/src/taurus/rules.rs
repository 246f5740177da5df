//! What may stand where. Everything that is not listed is refused by name.

use serde_json::{Map, Value};

use super::executor::{self, Executor};
use super::{Complaints, Execution, MAXIMUM_EXECUTIONS};

/// Top-level keys.
const SECTIONS: [&str; 7] = ["execution", "scenarios", "modules", "settings", "services", "reporting", "provisioning"];
/// Keys of an execution.
const EXECUTION: [&str; 8] =
    ["executor", "scenario", "concurrency", "ramp-up", "hold-for", "throughput", "steps", "env"];
/// Keys of `settings`.
const SETTINGS: [&str; 3] = ["default-executor", "env", "verbose"];
/// Reporters that Volley replaces with its own of the same kind, so that a configuration from a laptop runs unchanged.
const REPLACED_REPORTERS: [&str; 2] = ["final-stats", "console"];
/// Names of environment variables that belong to the worker.
const RESERVED_VARIABLES: [&str; 3] = ["VOLLEY_", "TAURUS_", "PYTHON"];
/// JMeter properties that decide how the sample file looks.
const RESERVED_PROPERTIES: [&str; 2] = ["jmeter.save.saveservice.", "sampleresult."];
/// Why an execution's times are not its own.
const LOAD: &str = "remove it: spec.load says how much load there is and how long it lasts";
/// Why a worker judges nothing.
const CRITERIA: &str = "remove it: a worker sees only its own part of the test and must neither judge nor end it";

/// Checks the whole configuration and gives its executions; what they are where there are complaints does not matter.
pub(super) fn executions(configuration: &Value, complaints: &mut Complaints) -> Vec<Execution> {
    let Some(sections) = configuration.as_object() else { return Vec::new() };
    for name in sections.keys().filter(|name| !SECTIONS.contains(&name.as_str())) {
        complaints.add(name, unknown_section(name));
    }
    settings(sections.get("settings"), complaints);
    modules(sections.get("modules"), complaints);
    services(sections.get("services"), complaints);
    reporting(sections.get("reporting"), complaints);
    if sections.get("provisioning").is_some_and(|value| value.as_str() != Some("local")) {
        complaints.add("provisioning", "write local or leave it out: the worker itself makes the load");
    }
    scenarios(sections.get("scenarios"), complaints);
    let default = sections.get("settings").and_then(|settings| settings.get("default-executor"));
    let default = default.and_then(Value::as_str).unwrap_or(Executor::Jmeter.as_str());
    match sections.get("execution") {
        Some(Value::Array(list)) if (1..=MAXIMUM_EXECUTIONS).contains(&list.len()) => list
            .iter()
            .enumerate()
            .filter_map(|(place, item)| execution(&format!("execution[{place}]"), item, default, complaints))
            .collect(),
        _ => {
            let message = format!("write a list of 1 to {MAXIMUM_EXECUTIONS} executions");
            complaints.add("execution", message);
            Vec::new()
        }
    }
}

fn unknown_section(name: &str) -> String {
    match name {
        "included-configs" => {
            "remove it: other configurations cannot be fetched; write all of it into this file".into()
        }
        "cli" | "cli-aliases" => "remove it: there is no command line in a worker".into(),
        _ if name.starts_with(['^', '~', '$']) => {
            "write the section itself: there is no configuration before this one to change".into()
        }
        _ => format!("remove it: a Taurus configuration here consists of {}", SECTIONS.join(", ")),
    }
}

fn execution(path: &str, item: &Value, default: &str, complaints: &mut Complaints) -> Option<Execution> {
    let fields = mapping(path, item, complaints)?;
    for name in fields.keys().filter(|name| !EXECUTION.contains(&name.as_str())) {
        let message = match name.as_str() {
            "iterations" | "delay" | "start-at" => LOAD.to_owned(),
            "criteria" => CRITERIA.to_owned(),
            "master" | "workers" | "distributed" | "locations" => {
                "remove it: spec.regions says how many workers there are and where".to_owned()
            }
            _ => format!("remove it: an execution here may set {}", EXECUTION.join(", ")),
        };
        complaints.add(format!("{path}.{name}"), message);
    }
    environment(&format!("{path}.env"), fields.get("env"), complaints);
    if let Some(scenario) = fields.get("scenario").filter(|scenario| scenario.is_object()) {
        self::scenario(&format!("{path}.scenario"), scenario, complaints);
    }
    let weight = weight(path, fields.get("concurrency"), complaints)?;
    let name = fields.get("executor").map_or(Some(default), Value::as_str).unwrap_or_default();
    let Some(executor) = Executor::named(name) else {
        let message = match name {
            // Where a test accepts its licence.
            "k6" => "k6 has a scenario kind of its own: write spec.scenario.k6 in a LoadTest of its own".to_owned(),
            _ => format!("the worker image has no executor {name:?}; it has {}", executor::names()),
        };
        complaints.add(format!("{path}.executor"), message);
        return None;
    };
    if fields.contains_key("throughput") && executor != Executor::Jmeter {
        complaints
            .add(format!("{path}.throughput"), format!("remove it: {name} takes no notice of it, only jmeter does"));
    }
    Some(Execution { executor, weight })
}

fn weight(path: &str, concurrency: Option<&Value>, complaints: &mut Complaints) -> Option<u32> {
    let Some(value) = concurrency else { return Some(1) };
    let weight = value.as_u64().and_then(|weight| u32::try_from(weight).ok()).filter(|weight| *weight > 0);
    if weight.is_none() {
        let message = "write a whole number above 0: the executions share the users of a worker in this proportion";
        complaints.add(format!("{path}.concurrency"), message);
    }
    weight
}

fn settings(section: Option<&Value>, complaints: &mut Complaints) {
    let Some(fields) = section.and_then(|section| mapping("settings", section, complaints)) else { return };
    for name in fields.keys().filter(|name| !SETTINGS.contains(&name.as_str())) {
        complaints.add(
            format!("settings.{name}"),
            format!("remove it: Volley decides it; a test may set {}", SETTINGS.join(", ")),
        );
    }
    environment("settings.env", fields.get("env"), complaints);
}

fn environment(path: &str, section: Option<&Value>, complaints: &mut Complaints) {
    let Some(fields) = section.and_then(|section| mapping(path, section, complaints)) else { return };
    for name in fields.keys().filter(|name| RESERVED_VARIABLES.iter().any(|prefix| name.starts_with(prefix))) {
        let message = format!(
            "take another name: {} belong to the worker",
            RESERVED_VARIABLES.map(|name| format!("{name}…")).join(", ")
        );
        complaints.add(format!("{path}.{name}"), message);
    }
}

fn modules(section: Option<&Value>, complaints: &mut Complaints) {
    let Some(modules) = section.and_then(|section| mapping("modules", section, complaints)) else { return };
    for (name, module) in modules {
        let path = format!("modules.{name}");
        let Some(executor) = Executor::named(name) else {
            complaints.add(
                path,
                format!("remove it: a test may set modules of its executors ({}), no others", executor::names()),
            );
            continue;
        };
        let Some(fields) = mapping(&path, module, complaints) else { continue };
        for key in fields.keys().filter(|key| !executor.settings().contains(&key.as_str())) {
            let allowed = match executor.settings() {
                [] => "nothing of this module".to_owned(),
                allowed => allowed.join(", "),
            };
            complaints.add(format!("{path}.{key}"), format!("remove it: Volley decides it; a test may set {allowed}"));
        }
        properties(&format!("{path}.properties"), fields.get("properties"), complaints);
    }
}

fn services(section: Option<&Value>, complaints: &mut Complaints) {
    for (path, name) in named_modules("services", section, complaints) {
        if name != "shellexec" {
            complaints.add(path, format!("remove {name}: of Taurus' services only shellexec can be used here"));
        }
    }
}

fn reporting(section: Option<&Value>, complaints: &mut Complaints) {
    for (path, name) in named_modules("reporting", section, complaints) {
        if name == "passfail" {
            complaints.add(path, CRITERIA);
        } else if !REPLACED_REPORTERS.contains(&name.as_str()) {
            let message = format!("remove {name}: the figures of all workers together are in the run's result");
            complaints.add(path, message);
        }
    }
}

/// The items of a list of modules, each a name or a mapping with `module`.
fn named_modules(name: &str, section: Option<&Value>, complaints: &mut Complaints) -> Vec<(String, String)> {
    match section {
        None => Vec::new(),
        Some(Value::Array(list)) => list
            .iter()
            .enumerate()
            .map(|(place, item)| {
                let module = item.as_str().or_else(|| item.get("module").and_then(Value::as_str));
                (format!("{name}[{place}]"), module.unwrap_or("an item without a module").to_owned())
            })
            .collect(),
        Some(_) => {
            complaints.add(name, "write a list");
            Vec::new()
        }
    }
}

fn scenarios(section: Option<&Value>, complaints: &mut Complaints) {
    let Some(scenarios) = section.and_then(|section| mapping("scenarios", section, complaints)) else { return };
    for (name, scenario) in scenarios {
        self::scenario(&format!("scenarios.{name}"), scenario, complaints);
    }
}

fn scenario(path: &str, scenario: &Value, complaints: &mut Complaints) {
    let Some(fields) = mapping(path, scenario, complaints) else { return };
    if fields.contains_key("criteria") {
        complaints.add(format!("{path}.criteria"), CRITERIA);
    }
    let remote = |script: &str| script.starts_with("http://") || script.starts_with("https://");
    if fields.get("script").and_then(Value::as_str).is_some_and(remote) {
        complaints.add(
            format!("{path}.script"),
            "scripts cannot be fetched when the worker starts; describe the scenario by requests",
        );
    }
    properties(&format!("{path}.properties"), fields.get("properties"), complaints);
}

fn properties(path: &str, section: Option<&Value>, complaints: &mut Complaints) {
    let Some(fields) = section.and_then(|section| mapping(path, section, complaints)) else { return };
    for name in fields.keys().filter(|name| RESERVED_PROPERTIES.iter().any(|prefix| name.starts_with(prefix))) {
        complaints
            .add(format!("{path}.{name}"), "remove it: it would change the sample file that the figures come from");
    }
}

/// A section that must be a mapping; an empty one (`null`) is none.
fn mapping<'a>(path: &str, value: &'a Value, complaints: &mut Complaints) -> Option<&'a Map<String, Value>> {
    if !(value.is_object() || value.is_null()) {
        complaints.add(path, "write a mapping");
    }
    value.as_object()
}
