//! Checks a manifest as the API server would, without one: the structural schema, then the rules of the catalogue.
//!
//! Guarantees: what is refused here with a rule's name is refused by the API server with that rule's message, and what passes
//! here is accepted there. The case tables in `tests/cases` hold both to it.
//!
//! What no schema can know (whether a ConfigMap or a RegionTarget exists) is the operator's matter.

pub mod rules;
mod structural;

use serde_json::Value;

use crate::crd::{self, Kind, SchemaError};
use rules::Test;

/// One thing that is wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Where: `spec.scenario.http.requests[2].path`.
    pub path: String,
    /// Name of the rule, or of the schema's keyword that it breaks (`required`, `maximum`, …).
    pub rule: &'static str,
    /// What to write instead.
    pub message: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = if self.path.is_empty() { "metadata.name" } else { &self.path };
        write!(formatter, "{path}: {} ({})", self.message, self.rule)
    }
}

/// Checks manifests of the three kinds. Making one builds the schemas; keep it.
#[derive(Clone, Debug)]
pub struct Validator {
    schemas: Vec<(Kind, Value)>,
}

impl Validator {
    /// A validator with the schemas of this release.
    ///
    /// # Errors
    /// [`SchemaError`], never for a released version.
    pub fn new() -> Result<Self, SchemaError> {
        let schemas =
            Kind::ALL.into_iter().map(|kind| Ok((kind, crd::schema(kind)?))).collect::<Result<_, SchemaError>>()?;
        Ok(Self { schemas })
    }

    /// What is wrong with a new object, in the order of its fields. `object` is the whole manifest.
    #[must_use]
    pub fn check(&self, kind: Kind, object: &Value) -> Vec<Violation> {
        let mut violations = Vec::new();
        for (_, schema) in self.schemas.iter().filter(|(of, _)| *of == kind) {
            structural::check_root(schema, object, &mut violations);
        }
        for rule in rules::of(kind) {
            for at in rule.at {
                for (path, value) in occurrences(object, at) {
                    if !rule.test.holds(value) {
                        violations.push(Violation { path, rule: rule.name, message: rule.message.to_owned() });
                    }
                }
            }
        }
        violations.sort();
        violations
    }

    /// What is wrong with a change of an object: [`check`](Self::check) of the new one, and what may not change.
    #[must_use]
    pub fn check_change(&self, kind: Kind, old: &Value, new: &Value) -> Vec<Violation> {
        let mut violations = self.check(kind, new);
        for rule in rules::of(kind) {
            let Test::Change { holds, .. } = rule.test else { continue };
            for at in rule.at {
                let (before, after) = (occurrences(old, at), occurrences(new, at));
                let pair = before.into_iter().next().zip(after.into_iter().next());
                if let Some(((_, old), (path, new))) = pair
                    && !holds(old, new)
                {
                    violations.push(Violation { path, rule: rule.name, message: rule.message.to_owned() });
                }
            }
        }
        violations.sort();
        violations
    }
}

/// All values at a path such as `spec.regions[].target`, with the path of each. `null` counts as absent.
fn occurrences<'a>(object: &'a Value, at: &str) -> Vec<(String, &'a Value)> {
    let mut found = vec![(String::new(), object)];
    for part in at.split('.').filter(|part| !part.is_empty()) {
        let name = part.trim_end_matches("[]");
        found = found
            .into_iter()
            .filter_map(|(path, value)| {
                let field = value.get(name).filter(|field| !field.is_null())?;
                Some((if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }, field))
            })
            .collect();
        if part.ends_with("[]") {
            found = found
                .into_iter()
                .flat_map(|(path, list)| {
                    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
                    items.iter().enumerate().map(move |(index, item)| (format!("{path}[{index}]"), item))
                })
                .collect();
        }
    }
    found
}
