//! Seconds in a row in which a generator was saturated. Bounded: the first spell, the longest one, and sums.

use super::summary::GeneratorLoad;
use super::{CPU_PPM, MEMORY_PPM, THROTTLED_PPM};
use crate::histogram::add_counts;

/// So many saturated seconds in a row are a spell.
pub const SPELL_SECONDS: u64 = 3;
/// Whole seconds that may be missing between two rows of one spell: a row that was written late.
const GAP_SECONDS: i64 = 1;

/// Why a generator was saturated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// It used (nearly) all of the processor time that it may use.
    Cpu,
    /// Its processor limit made it wait.
    Throttling,
    /// Its memory was (nearly) used up.
    Memory,
}

/// All causes, the one that is named first where several hold.
const CAUSES: [Cause; 3] = [Cause::Cpu, Cause::Throttling, Cause::Memory];

impl Cause {
    /// The share that a load has of it, where it is at or above its limit.
    fn of(self, load: &GeneratorLoad) -> Option<u64> {
        let (share, limit) = match self {
            Self::Cpu => (load.cpu_ppm, CPU_PPM),
            Self::Throttling => (load.throttled_ppm, THROTTLED_PPM),
            Self::Memory => (load.memory_ppm, MEMORY_PPM),
        };
        share.filter(|share| *share >= limit)
    }
}

/// Some seconds in a row in which a generator was saturated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spell {
    /// The first second, since 1970-01-01 UTC, by the worker's clock.
    pub from: i64,
    /// How many seconds.
    pub seconds: u64,
    /// The cause of most of its seconds.
    pub cause: Cause,
    /// The largest share of that cause, in parts per million.
    pub peak_ppm: u64,
}

/// All spells of a generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saturation {
    /// Seconds of all spells.
    pub seconds: u64,
    /// How many spells.
    pub spells: u64,
    /// The first one.
    pub first: Spell,
    /// The longest one; of equally long ones the first.
    pub longest: Spell,
}

/// A spell that may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Open {
    from: i64,
    last: i64,
    /// Rows and peak of each cause, in the order of [`CAUSES`].
    causes: [(u64, u64); 3],
}

impl Open {
    fn seconds(&self) -> u64 {
        u64::try_from(self.last.saturating_sub(self.from).saturating_add(1)).unwrap_or(0)
    }

    fn spell(&self) -> Option<Spell> {
        let seconds = self.seconds();
        let causes = CAUSES.into_iter().zip(self.causes);
        // Of equals `min_by_key` answers the first.
        let (cause, (_, peak_ppm)) = causes.min_by_key(|(_, (rows, _))| std::cmp::Reverse(*rows))?;
        (seconds >= SPELL_SECONDS).then_some(Spell { from: self.from, seconds, cause, peak_ppm })
    }
}

/// Finds the spells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Spells {
    open: Option<Open>,
    ended: Option<Saturation>,
}

impl Spells {
    /// Adds what is said of the seconds from `begins` to `second`, which come after all that were added. Answers whether the generator is
    /// in a spell.
    pub(super) fn add(&mut self, begins: i64, second: i64, load: &GeneratorLoad) -> bool {
        let found = CAUSES.map(|cause| cause.of(load));
        let is_saturated = found.iter().any(Option::is_some);
        let goes_on = self.open.is_some_and(|open| {
            // The second after the last one, and the gap.
            begins <= open.last.saturating_add(1 + GAP_SECONDS)
        });
        if !(is_saturated && goes_on) {
            self.ended = self.all();
            self.open = None;
        }
        if !is_saturated {
            return false;
        }
        let open = self.open.get_or_insert(Open { from: begins, last: second, causes: [(0, 0); 3] });
        open.last = second;
        for ((rows, peak), share) in open.causes.iter_mut().zip(found) {
            *rows = add_counts(*rows, u64::from(share.is_some()));
            *peak = (*peak).max(share.unwrap_or(0));
        }
        open.seconds() >= SPELL_SECONDS
    }

    /// All spells, the one that may go on included.
    pub(super) fn all(&self) -> Option<Saturation> {
        let Some(spell) = self.open.and_then(|open| open.spell()) else { return self.ended };
        let Some(before) = self.ended else {
            return Some(Saturation { seconds: spell.seconds, spells: 1, first: spell, longest: spell });
        };
        Some(Saturation {
            seconds: add_counts(before.seconds, spell.seconds),
            spells: add_counts(before.spells, 1),
            first: before.first,
            longest: if spell.seconds > before.longest.seconds { spell } else { before.longest },
        })
    }
}
