//! A run of neighbouring counts that exists only where it is needed.

use super::{PAGE_SLOTS, add_counts};

/// Counts of 128 neighbouring slots, all as wide as the largest of them needs: a worker with many labels has mostly small
/// counts in many pages.
#[derive(Debug, Clone)]
pub(super) enum Page {
    Small(Box<[u16; PAGE_SLOTS]>),
    Medium(Box<[u32; PAGE_SLOTS]>),
    Large(Box<[u64; PAGE_SLOTS]>),
}

/// A width of counts.
trait Count: Copy + Default {
    const LARGEST: u64;

    fn get(self) -> u64;

    /// The count of a number up to [`LARGEST`](Self::LARGEST).
    fn of(number: u64) -> Self;
}

macro_rules! counts {
    ($($number:ty),*) => {$(
        impl Count for $number {
            const LARGEST: u64 = <$number>::MAX as u64;

            #[inline]
            fn get(self) -> u64 {
                u64::from(self)
            }

            #[inline]
            #[allow(clippy::cast_possible_truncation, reason = "the caller has compared it with the largest")]
            fn of(number: u64) -> Self {
                number as Self
            }
        }
    )*};
}

counts!(u16, u32, u64);

impl Page {
    pub(super) fn new() -> Self {
        Self::Small(Box::new([0; PAGE_SLOTS]))
    }

    pub(super) fn get(&self, offset: usize) -> u64 {
        match self {
            Self::Small(counts) => counts[offset].get(),
            Self::Medium(counts) => counts[offset].get(),
            Self::Large(counts) => counts[offset].get(),
        }
    }

    /// The sum of the counts, at most 2⁶³ − 1.
    pub(super) fn total(&self) -> u64 {
        match self {
            Self::Small(counts) => sum(counts),
            Self::Medium(counts) => sum(counts),
            Self::Large(counts) => sum(counts),
        }
    }

    #[inline]
    pub(super) fn add(&mut self, offset: usize, count: u64) {
        let fits = match self {
            Self::Small(counts) => add(&mut counts[offset], count),
            Self::Medium(counts) => add(&mut counts[offset], count),
            Self::Large(counts) => add(&mut counts[offset], count),
        };
        if !fits {
            self.widen();
            self.add(offset, count);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let fits = match (&mut *self, other) {
            (Self::Small(counts), Self::Small(others)) => add_all(counts, others),
            (Self::Small(_), _) | (Self::Medium(_), Self::Large(_)) => false,
            (Self::Medium(counts), Self::Small(others)) => add_all(counts, others),
            (Self::Medium(counts), Self::Medium(others)) => add_all(counts, others),
            (Self::Large(counts), Self::Small(others)) => add_all(counts, others),
            (Self::Large(counts), Self::Medium(others)) => add_all(counts, others),
            (Self::Large(counts), Self::Large(others)) => add_all(counts, others),
        };
        if !fits {
            self.widen();
            self.merge(other);
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Small(_) => size_of::<[u16; PAGE_SLOTS]>(),
            Self::Medium(_) => size_of::<[u32; PAGE_SLOTS]>(),
            Self::Large(_) => size_of::<[u64; PAGE_SLOTS]>(),
        }
    }

    /// Makes the counts wider. The widest hold every count.
    #[cold]
    fn widen(&mut self) {
        match self {
            Self::Small(counts) => *self = Self::Medium(widened(counts)),
            Self::Medium(counts) => *self = Self::Large(widened(counts)),
            Self::Large(_) => {}
        }
    }
}

fn sum<C: Count>(counts: &[C; PAGE_SLOTS]) -> u64 {
    counts.iter().fold(0, |sum, count| add_counts(sum, count.get()))
}

/// False: the sum does not fit, and nothing was added.
#[inline]
fn add<C: Count>(known: &mut C, count: u64) -> bool {
    let sum = add_counts(known.get(), count);
    let fits = sum <= C::LARGEST;
    if fits {
        *known = C::of(sum);
    }
    fits
}

/// False: a sum does not fit, and nothing was added.
fn add_all<C: Count, D: Count>(counts: &mut [C; PAGE_SLOTS], others: &[D; PAGE_SLOTS]) -> bool {
    let sums = || counts.iter().zip(others).map(|(count, other)| add_counts(count.get(), other.get()));
    let fits = sums().fold(0, u64::max) <= C::LARGEST;
    if fits {
        counts.iter_mut().zip(others).for_each(|(count, other)| *count = C::of(add_counts(count.get(), other.get())));
    }
    fits
}

#[expect(clippy::unnecessary_box_returns, reason = "a page is up to 1 KiB and lives on the heap; it is filled there")]
fn widened<C: Count, W: Count>(counts: &[C; PAGE_SLOTS]) -> Box<[W; PAGE_SLOTS]> {
    let mut wide = Box::new([W::default(); PAGE_SLOTS]);
    wide.iter_mut().zip(counts).for_each(|(wide, count)| *wide = W::of(count.get()));
    wide
}
