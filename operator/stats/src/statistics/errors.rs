//! Failed requests, grouped by what they say.

use std::collections::BTreeMap;

use crate::histogram::add_counts;

/// What the failures of a group have in common. Ordered by label, code, message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorKey {
    /// Label of the request.
    pub label: Box<str>,
    /// Response code, or the simple name of the exception.
    pub code: Box<str>,
    /// Response message.
    pub message: Box<str>,
}

/// Number of failed requests per group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ErrorGroups {
    groups: BTreeMap<ErrorKey, u64>,
}

impl ErrorGroups {
    /// Number of groups.
    #[must_use]
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Whether there is no group.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Groups with their counts, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&ErrorKey, u64)> {
        self.groups.iter().map(|(key, count)| (key, *count))
    }

    /// The `limit` largest groups; equal counts in the order of their keys.
    #[must_use]
    pub fn largest(&self, limit: usize) -> Vec<(&ErrorKey, u64)> {
        let mut groups: Vec<_> = self.iter().collect();
        groups.sort_by(|(left_key, left), (right_key, right)| right.cmp(left).then_with(|| left_key.cmp(right_key)));
        groups.truncate(limit);
        groups
    }

    /// Adds `count` failures to a group.
    pub fn add(&mut self, key: ErrorKey, count: u64) {
        let known = self.groups.entry(key).or_default();
        *known = add_counts(*known, count);
    }

    /// Adds the groups of another value.
    pub fn merge(&mut self, other: &Self) {
        for (key, count) in &other.groups {
            match self.groups.get_mut(key) {
                Some(known) => *known = add_counts(*known, *count),
                None => {
                    self.groups.insert(key.clone(), *count);
                }
            }
        }
    }
}
