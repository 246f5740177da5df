//! A test's own Taurus configuration: what it may say, and how the virtual users are shared among its executions.
//!
//! The file goes to Taurus as it is; nothing is written anew here, because YAML readers differ in what they take for a number or a
//! truth. This module reads it beside Taurus, says what cannot be run before any worker exists, and knows the executions by their
//! position, so that users and times can be laid over them.
//!
//! Only what is listed may be said, because what is not known could change what is measured: other sample files, a load that ends
//! early, a reporter that talks to a service elsewhere. Inside a scenario everything is Taurus' matter, except what would change
//! the sample file or judge one worker alone.
//!
//! Sources: Taurus' own documentation (`ConfigSyntax`, `ExecutionSettings`) and the engine of release 1.17.

mod executor;
mod rules;
mod shares;

#[cfg(test)]
mod tests;

use serde_json::Value;

pub use executor::Executor;
pub use shares::TooFewUsers;

/// Most executions of a configuration. Each one is an engine of its own in the same container.
pub const MAXIMUM_EXECUTIONS: usize = 16;
/// Most complaints about one configuration.
const MAXIMUM_COMPLAINTS: usize = 20;

/// A configuration that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaurusConfiguration {
    executions: Vec<Execution>,
}

/// One execution of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// The engine.
    pub executor: Executor,
    /// Its weight when users are shared: the `concurrency` that it asks for, 1 where it asks for none.
    weight: u32,
}

/// Something that a configuration must not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Where, as `execution[0].iterations`; empty for the whole file.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl std::fmt::Display for Complaint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = if self.path.is_empty() { "the file" } else { &self.path };
        write!(formatter, "{path}: {}", self.message)
    }
}

/// A configuration that cannot be run; at least one complaint, at most 20.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", complaints.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct Unusable {
    /// What is wrong, in the order of the file.
    pub complaints: Vec<Complaint>,
}

impl TaurusConfiguration {
    /// Reads a configuration, YAML or JSON.
    ///
    /// # Errors
    /// [`Unusable`] with everything that must not stand in it.
    pub fn read(content: &[u8]) -> Result<Self, Unusable> {
        let mut complaints = Complaints::default();
        let executions = match parse(content) {
            Ok(configuration) => rules::executions(&configuration, &mut complaints),
            Err(message) => {
                complaints.add("", message);
                Vec::new()
            }
        };
        match complaints.0 {
            list if list.is_empty() => Ok(Self { executions }),
            complaints => Err(Unusable { complaints }),
        }
    }

    /// The executions in the order of the file, 1 to 16.
    #[must_use]
    pub fn executions(&self) -> &[Execution] {
        &self.executions
    }

    /// How many of a worker's users each execution gets: in proportion to the `concurrency` that it asks for, at least one each, all of
    /// them together.
    ///
    /// # Errors
    /// [`TooFewUsers`] where there are fewer users than executions.
    pub fn shares(&self, users: u32) -> Result<Vec<u32>, TooFewUsers> {
        let weights: Vec<u32> = self.executions.iter().map(|execution| execution.weight).collect();
        shares::shares(&weights, users)
    }
}

fn parse(content: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(content).map_err(|_| "it is not UTF-8 text".to_owned())?;
    let value: Value = serde_saphyr::from_str(text)
        .map_err(|error| format!("it is not one document of YAML or JSON: {}", first_line(&error.to_string())))?;
    if value.is_object() { Ok(value) } else { Err("write a mapping with execution and scenarios".to_owned()) }
}

fn first_line(words: &str) -> &str {
    words.lines().next().unwrap_or_default()
}

/// Complaints as they are found.
#[derive(Debug, Default)]
struct Complaints(Vec<Complaint>);

impl Complaints {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        if self.0.len() < MAXIMUM_COMPLAINTS {
            self.0.push(Complaint { path: path.into(), message: message.into() });
        }
    }
}
