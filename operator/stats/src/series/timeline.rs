//! The points of one series in the order of time.

use super::cell::Cell;

/// Points that are there, by number. A point without samples does not exist, so a damaged time stamp costs one point
/// and no long row of empty ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Timeline<V> {
    points: Vec<(i64, V)>,
    /// Points whose memory it keeps although they are not there.
    room: usize,
}

impl<V> Default for Timeline<V> {
    fn default() -> Self {
        Self { points: Vec::new(), room: 0 }
    }
}

impl<V: Cell> Timeline<V> {
    /// Points in ascending order.
    pub(super) fn from_ascending(points: Vec<(i64, V)>) -> Self {
        Self { points, room: 0 }
    }

    /// Takes the memory of so many points at once and keeps it. It is written too, because what is not written is no
    /// memory yet: so a row needs at its beginning what it needs at its end.
    pub(super) fn reserve(&mut self, room: usize) {
        let length = self.points.len();
        self.points.reserve_exact(room.saturating_sub(length));
        self.points.resize(room.max(length), (0, V::default()));
        self.points.truncate(length);
        self.room = room;
    }

    pub(super) fn len(&self) -> usize {
        self.points.len()
    }

    pub(super) fn points(&self) -> &[(i64, V)] {
        &self.points
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.points.iter_mut().map(|(_, value)| value)
    }

    /// The place of a point, or the place where it would be. Nearly always it is the last or the one before.
    pub(super) fn place_of(&self, number: i64) -> Result<usize, usize> {
        let mut place = self.points.len();
        for (known, _) in self.points.iter().rev().take(3) {
            if *known < number {
                return Err(place);
            }
            place -= 1;
            if *known == number {
                return Ok(place);
            }
        }
        self.points.binary_search_by_key(&number, |(known, _)| *known)
    }

    pub(super) fn value_mut(&mut self, place: usize) -> Option<&mut V> {
        self.points.get_mut(place).map(|(_, value)| value)
    }

    /// Makes an empty point at a place that [`place_of`](Self::place_of) gave.
    pub(super) fn insert(&mut self, place: usize, number: i64) {
        self.points.insert(place.min(self.points.len()), (number, V::default()));
    }

    /// Adds points with the same step, ascending by their numbers, of which some may be the same.
    pub(super) fn merge<T>(&mut self, added: impl Iterator<Item = (i64, T)>, merge: impl Fn(&mut V, T)) {
        let mut missing: Vec<(i64, V)> = Vec::new();
        let mut mine = self.points.iter_mut().peekable();
        for (number, value) in added {
            while mine.next_if(|(known, _)| *known < number).is_some() {}
            if let Some((_, known)) = mine.peek_mut().filter(|(known, _)| *known == number) {
                merge(known, value);
                continue;
            }
            if missing.last().is_none_or(|(last, _)| *last != number) {
                missing.push((number, V::default()));
            }
            if let Some((_, new)) = missing.last_mut() {
                merge(new, value);
            }
        }
        if !missing.is_empty() {
            self.points.extend(missing);
            // Two ascending runs, which this sort joins in linear time.
            self.points.sort_by_key(|(number, _)| *number);
        }
    }

    /// Joins each `factor` points into one. All are settled then, one after the other, so that they never wait together.
    pub(super) fn coarsen(&mut self, factor: i64) {
        for (number, _) in &mut self.points {
            *number = number.div_euclid(factor);
        }
        let settle = |value: &mut V| {
            value.settle();
            value.shrink();
        };
        self.points.dedup_by(|(next, added), (number, known)| {
            let belongs = next == number;
            if belongs {
                known.merge(added);
            } else {
                settle(known);
            }
            belongs
        });
        if let Some((_, last)) = self.points.last_mut() {
            settle(last);
        }
        self.points.shrink_to(self.room);
    }

    /// Bytes of the points with the memory that is kept for others, without what the values hold elsewhere.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.points.capacity() * size_of::<(i64, V)>()
    }
}
