//! A run of neighbouring counts that exists only where it is needed.

use super::{PAGE_SLOTS, add_counts};

/// Counts of 128 neighbouring slots: in 32 bits until one of them outgrows that, then all in 64.
#[derive(Debug, Clone)]
pub(super) enum Page {
    Narrow(Box<[u32; PAGE_SLOTS]>),
    Wide(Box<[u64; PAGE_SLOTS]>),
}

impl Page {
    pub(super) fn new() -> Self {
        Self::Narrow(Box::new([0; PAGE_SLOTS]))
    }

    pub(super) fn get(&self, offset: usize) -> u64 {
        match self {
            Self::Narrow(counts) => u64::from(counts[offset]),
            Self::Wide(counts) => counts[offset],
        }
    }

    /// The sum of the counts, at most 2⁶³ − 1.
    pub(super) fn total(&self) -> u64 {
        match self {
            Self::Narrow(counts) => counts.iter().map(|count| u64::from(*count)).sum(),
            Self::Wide(counts) => counts.iter().fold(0, |sum, count| add_counts(sum, *count)),
        }
    }

    #[inline]
    pub(super) fn add(&mut self, offset: usize, count: u64) {
        if let Self::Narrow(counts) = self
            && let Some(sum) = u32::try_from(count).ok().and_then(|count| counts[offset].checked_add(count))
        {
            counts[offset] = sum;
        } else {
            self.add_wide(offset, count);
        }
    }

    /// Adds to a count that is or gets too large for 32 bits.
    #[cold]
    fn add_wide(&mut self, offset: usize, count: u64) {
        if let Self::Narrow(counts) = self {
            *self = Self::Wide(widen(counts));
        }
        if let Self::Wide(counts) = self {
            counts[offset] = add_counts(counts[offset], count);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        match (&mut *self, other) {
            (Self::Narrow(counts), Self::Narrow(others)) => {
                let fits = counts.iter().zip(others.iter()).all(|(count, other)| count.checked_add(*other).is_some());
                if fits {
                    counts.iter_mut().zip(others.iter()).for_each(|(count, other)| *count += other);
                } else {
                    let mut wide = widen(counts);
                    add_all(&mut wide, other);
                    *self = Self::Wide(wide);
                }
            }
            (Self::Narrow(counts), Self::Wide(_)) => {
                let mut wide = widen(counts);
                add_all(&mut wide, other);
                *self = Self::Wide(wide);
            }
            (Self::Wide(counts), _) => add_all(counts, other),
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Narrow(_) => size_of::<[u32; PAGE_SLOTS]>(),
            Self::Wide(_) => size_of::<[u64; PAGE_SLOTS]>(),
        }
    }
}

fn widen(narrow: &[u32; PAGE_SLOTS]) -> Box<[u64; PAGE_SLOTS]> {
    let mut wide = Box::new([0; PAGE_SLOTS]);
    wide.iter_mut().zip(narrow.iter()).for_each(|(wide, narrow)| *wide = u64::from(*narrow));
    wide
}

fn add_all(counts: &mut [u64; PAGE_SLOTS], other: &Page) {
    for (offset, count) in counts.iter_mut().enumerate() {
        *count = add_counts(*count, other.get(offset));
    }
}
