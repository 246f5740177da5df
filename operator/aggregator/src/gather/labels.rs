//! Which labels there are, and where each file has its records: 12 bytes a label and file, however long the names are.

use std::collections::HashMap;
use std::ops::Range;

use std::sync::Arc;

use volley_stats::file::Index;
use volley_stats::statistics::LabelKey;

/// Numbers labels in the order in which they are met.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    numbers: HashMap<Arc<LabelKey>, u32>,
    keys: Vec<Arc<LabelKey>>,
}

impl Vocabulary {
    /// The places of a file's records, with the labels by their number.
    pub(super) fn places(&mut self, index: &Index) -> Places {
        let entries = index.entries();
        let start = entries.first().map_or(0, |entry| entry.range.start);
        Places {
            labels: entries.iter().map(|entry| self.number(&entry.key)).collect(),
            ends: std::iter::once(start).chain(entries.iter().map(|entry| entry.range.end)).collect(),
        }
    }

    fn number(&mut self, key: &LabelKey) -> u32 {
        if let Some(number) = self.numbers.get(key) {
            return *number;
        }
        let key = Arc::new(key.clone());
        // More than 2³² labels would not fit the memory by far.
        let number = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        self.keys.push(Arc::clone(&key));
        self.numbers.insert(key, number);
        number
    }

    /// The labels in the order of their keys, and the rank of each number.
    pub(super) fn ranked(self) -> (Vec<Arc<LabelKey>>, Vec<u32>) {
        let mut order: Vec<u32> = (0..).take(self.keys.len()).collect();
        order.sort_by_key(|number| self.keys.get(*number as usize));
        let mut ranks = vec![0; order.len()];
        let mut sorted = Vec::with_capacity(order.len());
        for (rank, number) in (0_u32..).zip(order) {
            let place = number as usize;
            if let Some((key, slot)) = self.keys.get(place).zip(ranks.get_mut(place)) {
                sorted.push(Arc::clone(key));
                *slot = rank;
            }
        }
        (sorted, ranks)
    }
}

/// Where a file has the records of its labels.
#[derive(Debug)]
pub(super) struct Places {
    /// Numbers, and after [`Self::rank`] ranks, of its labels.
    labels: Vec<u32>,
    /// Where the first record begins, then where each ends.
    ends: Vec<u64>,
}

impl Places {
    /// Replaces numbers by ranks. A file is sorted by label, so its ranks ascend.
    pub(super) fn rank(&mut self, ranks: &[u32]) {
        for label in &mut self.labels {
            *label = ranks.get(*label as usize).copied().unwrap_or(u32::MAX);
        }
    }

    /// The records of the labels with the given ranks. They lie together.
    pub(super) fn records(&self, ranks: &Range<u32>) -> Records<'_> {
        let start = self.labels.partition_point(|label| *label < ranks.start);
        let end = self.labels.partition_point(|label| *label < ranks.end);
        Records {
            labels: self.labels.get(start..end).unwrap_or_default(),
            ends: self.ends.get(start..=end).unwrap_or_default(),
        }
    }
}

/// Neighbouring records of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Records<'a> {
    labels: &'a [u32],
    ends: &'a [u64],
}

impl<'a> Records<'a> {
    /// The one range that holds all of them.
    pub(super) fn range(&self) -> Range<u64> {
        let (first, last) = (self.ends.first(), self.ends.last());
        first.zip(last).map_or(0..0, |(first, last)| *first..*last)
    }

    /// Each label's rank with its record, from the bytes of [`Self::range`].
    pub(super) fn in_bytes(self, bytes: &'a [u8]) -> impl Iterator<Item = (u32, &'a [u8])> {
        let start = self.range().start;
        let place = move |at: &u64| usize::try_from(at - start).unwrap_or(usize::MAX);
        self.labels.iter().zip(self.ends.windows(2)).filter_map(move |(label, ends)| {
            let [from, to] = ends else { return None };
            Some((*label, bytes.get(place(from)..place(to))?))
        })
    }
}
