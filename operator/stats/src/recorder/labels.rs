//! The labels of a worker in the order of their arrival, found by one look-up in a hash table.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::row::Row;
use crate::samples::SampleKind;
use crate::statistics::{LabelKey, LabelStatistics, OTHER};

/// Rows by number, in the order of their arrival.
#[derive(Debug, Clone, Default)]
pub(super) struct Labels {
    rows: Vec<Row>,
    requests: HashMap<Box<str>, usize, RandomState>,
    transactions: HashMap<Box<str>, usize, RandomState>,
    /// The rows named `[other]` of requests and of transactions. They are not counted: they are what the bound leads to.
    others: [Option<usize>; 2],
    folding: bool,
}

/// Where a sample goes.
pub(super) struct Place {
    pub(super) row: usize,
    /// Its label has no row of its own.
    pub(super) folded: bool,
}

impl Labels {
    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(super) fn row_mut(&mut self, row: usize) -> Option<&mut Row> {
        self.rows.get_mut(row)
    }

    pub(super) fn rows_mut(&mut self) -> impl Iterator<Item = &mut Row> {
        self.rows.iter_mut()
    }

    pub(super) fn into_rows(self) -> Vec<Row> {
        self.rows
    }

    /// Goes on with labels of which some were folded, or none.
    pub(super) fn restore(
        labels: impl IntoIterator<Item = (SampleKind, Box<str>, LabelStatistics)>,
        folding: bool,
    ) -> Self {
        let mut restored = Self { folding, ..Self::default() };
        for (kind, name, statistics) in labels {
            let row = restored.add(kind, &name);
            if let Some(row) = restored.rows.get_mut(row) {
                row.statistics = statistics;
            }
        }
        restored
    }

    /// The row of a label: its own, a new one below `limit`, or `[other]`.
    pub(super) fn place(&mut self, kind: SampleKind, name: &str, limit: usize) -> Place {
        if let Some(row) = self.find(kind, name) {
            return Place { row, folded: false };
        }
        let others = self.others.iter().flatten().count();
        if name == OTHER || self.rows.len() - others < limit {
            return Place { row: self.add(kind, name), folded: false };
        }
        if !self.folding {
            // From here on no row is added: the labels that are here now are exact, all others are folded.
            self.folding = true;
            self.rows.iter_mut().for_each(|row| row.statistics.folding_workers = 1);
        }
        let known = self.others.get(kind as usize).copied().flatten();
        let row = known.unwrap_or_else(|| self.add(kind, OTHER));
        Place { row, folded: true }
    }

    fn find(&self, kind: SampleKind, name: &str) -> Option<usize> {
        match kind {
            SampleKind::Request => &self.requests,
            SampleKind::Transaction => &self.transactions,
        }
        .get(name)
        .copied()
    }

    fn add(&mut self, kind: SampleKind, name: &str) -> usize {
        let row = self.rows.len();
        self.rows.push(Row::new(LabelKey { kind, name: name.into() }, LabelStatistics::default()));
        match kind {
            SampleKind::Request => &mut self.requests,
            SampleKind::Transaction => &mut self.transactions,
        }
        .insert(name.into(), row);
        if name == OTHER
            && let Some(other) = self.others.get_mut(kind as usize)
        {
            *other = Some(row);
        }
        row
    }
}
