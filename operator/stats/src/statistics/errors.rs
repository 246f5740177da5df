//! Failed requests, grouped by what they say.

use std::collections::BTreeMap;

use super::OTHER;
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

    /// Folds all but the `keep` largest groups into one under `[other]`, as a worker does with groups beyond its bound.
    /// Answers the number of failures that lost their group.
    pub fn fold_beyond(&mut self, keep: usize) -> u64 {
        let mut counts: Vec<u64> = self.groups.values().copied().collect();
        let Some(beyond) = counts.len().checked_sub(keep).filter(|beyond| *beyond > 0) else { return 0 };
        counts.sort_unstable();
        let smallest = counts.get(beyond).copied().unwrap_or(u64::MAX);
        // Of groups with as many failures as the smallest that is kept, the first by key stay.
        let mut ties = counts.iter().skip(beyond).take_while(|count| **count == smallest).count();
        let mut folded = 0;
        self.groups.retain(|_, count| {
            let tie = *count == smallest && ties > 0;
            ties -= usize::from(tie);
            let kept = *count > smallest || tie;
            if !kept {
                folded = add_counts(folded, *count);
            }
            kept
        });
        self.add(ErrorKey { label: OTHER.into(), code: "".into(), message: OTHER.into() }, folded);
        folded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(message: &str) -> ErrorKey {
        ErrorKey { label: "cart".into(), code: "500".into(), message: message.into() }
    }

    #[test]
    fn folding_keeps_the_largest_groups_and_every_failure() {
        let mut groups = ErrorGroups::default();
        for (message, count) in [("a", 2), ("b", 9), ("c", 2), ("d", 1), ("e", 2)] {
            groups.add(key(message), count);
        }
        assert_eq!(groups.clone().fold_beyond(5), 0);
        assert_eq!(groups.fold_beyond(2), 5);
        let left: Vec<_> = groups.iter().map(|(key, count)| (key.message.to_string(), count)).collect();
        assert_eq!(left, [("[other]".to_owned(), 5), ("a".to_owned(), 2), ("b".to_owned(), 9)]);
    }
}
