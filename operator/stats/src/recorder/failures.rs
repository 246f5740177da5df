//! The error groups of a worker in the order of their arrival, found by one look-up in a hash table.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::limits::shorten;
use crate::histogram::add_counts;
use crate::statistics::{ErrorGroups, ErrorKey, OTHER};

/// Failed requests by label, code and message.
#[derive(Debug, Clone, Default)]
pub(super) struct Failures {
    groups: Vec<(ErrorKey, u64)>,
    /// Places in `groups` by [`key_bytes`](Self::key_bytes).
    places: HashMap<Box<[u8]>, usize, RandomState>,
    /// The bytes of the group that is looked up.
    key_bytes: Vec<u8>,
}

impl Failures {
    pub(super) fn restore(groups: &ErrorGroups) -> Self {
        let mut failures = Self::default();
        for (key, count) in groups.iter() {
            failures.add(&key.label, &key.code, &key.message, count, usize::MAX);
        }
        failures
    }

    pub(super) fn groups(&self) -> ErrorGroups {
        let mut groups = ErrorGroups::default();
        for (key, count) in &self.groups {
            groups.add(key.clone(), *count);
        }
        groups
    }

    /// Counts a failure of the label of a row. False: it had no group of its own any more.
    pub(super) fn record(&mut self, label: &str, code: &str, message: &str, text_bytes: usize, limit: usize) -> bool {
        let (code, message) = (shorten(code, text_bytes), shorten(message, text_bytes));
        self.add(label, &code, &message, 1, limit) || {
            self.add(OTHER, "", OTHER, 1, usize::MAX);
            false
        }
    }

    /// Adds to a group; false where it would be a new one beyond `limit`.
    fn add(&mut self, label: &str, code: &str, message: &str, count: u64, limit: usize) -> bool {
        self.key_bytes.clear();
        for text in [label, code] {
            self.key_bytes.extend_from_slice(&text.len().to_le_bytes());
            self.key_bytes.extend_from_slice(text.as_bytes());
        }
        self.key_bytes.extend_from_slice(message.as_bytes());
        if let Some(place) = self.places.get(self.key_bytes.as_slice()) {
            if let Some((_, known)) = self.groups.get_mut(*place) {
                *known = add_counts(*known, count);
            }
            return true;
        }
        if self.groups.len() >= limit {
            return false;
        }
        self.places.insert(self.key_bytes.as_slice().into(), self.groups.len());
        let key = ErrorKey { label: label.into(), code: code.into(), message: message.into() };
        self.groups.push((key, add_counts(0, count)));
        true
    }
}
