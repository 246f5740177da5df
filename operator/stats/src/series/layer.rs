//! Several series of one kind with a common step and common bounds.

use super::cell::Cell;
use super::step::Step;
use super::timeline::Timeline;

/// What a layer may hold. The step grows until all of them hold.
///
/// Each of the three numbers can only grow when samples are added and only shrink when the step grows. So the step of a
/// layer is a function of the samples alone: the shortest one that fits all of them. That is why bounded series still
/// merge commutatively and associatively.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LayerBounds {
    /// Points of one row, as long as they are single seconds.
    pub(super) row_seconds: usize,
    /// Points of one row, when they are longer.
    pub(super) row_points: usize,
    /// Points of all rows.
    pub(super) points: usize,
    /// Slots with a count in all histograms.
    pub(super) slots: usize,
}

impl LayerBounds {
    /// Points of one row with that step.
    pub(super) fn points_of_row(&self, step: Step) -> usize {
        if step == Step::SECOND { self.row_seconds } else { self.row_points }
    }
}

/// Rows of points. A row is a label, or the one row of the totals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layer<V> {
    /// None where not even the longest step would fit; then no row has points, now and ever after.
    step: Option<Step>,
    rows: Vec<Timeline<V>>,
    /// Points of all rows.
    points: usize,
    /// Points of the longest row.
    longest: usize,
    /// Slots of all histograms as far as they are settled.
    slots: usize,
}

impl<V: Cell> Layer<V> {
    /// A layer of that many empty rows.
    pub(super) fn new(step: Step, rows: usize) -> Self {
        Self { step: Some(step), rows: vec![Timeline::default(); rows], points: 0, longest: 0, slots: 0 }
    }

    /// A layer of settled rows; without a step it has none.
    pub(super) fn from_rows(step: Option<Step>, rows: Vec<Timeline<V>>) -> Self {
        let mut layer = Self { step, rows, points: 0, longest: 0, slots: 0 };
        layer.count();
        layer
    }

    /// Takes the memory of so many points in each row at once and keeps it.
    pub(super) fn reserve(&mut self, points: usize) {
        self.rows.iter_mut().for_each(|row| row.reserve(points));
    }

    /// None where the layer was left out because it had too many rows.
    pub(super) fn step(&self) -> Option<Step> {
        self.step
    }

    pub(super) fn row(&self, row: usize) -> &[(i64, V)] {
        self.rows.get(row).map(Timeline::points).unwrap_or_default()
    }

    /// All rows.
    #[cfg(test)]
    pub(super) fn rows(&self) -> &[Timeline<V>] {
        &self.rows
    }

    pub(super) fn has_points(&self, row: usize) -> bool {
        !self.row(row).is_empty()
    }

    /// Changes the point of a row in which a second lies. Where it is new, the step may grow.
    pub(super) fn update(&mut self, row: usize, second: i64, bounds: &LayerBounds, change: impl FnOnce(&mut V)) {
        let Some(number) = self.step.map(|step| step.point_of(second)) else { return };
        let place = match self.row_mut(row).place_of(number) {
            Ok(place) => place,
            Err(place) => {
                self.add_point(row, place, number);
                self.fit(bounds);
                let Some(number) = self.step.map(|step| step.point_of(second)) else { return };
                let (Ok(place) | Err(place)) = self.row_mut(row).place_of(number);
                place
            }
        };
        let Some(value) = self.row_mut(row).value_mut(place) else { return };
        let before = value.slots();
        change(value);
        if value.is_crowded() {
            value.settle();
        }
        let after = value.slots();
        if after != before {
            self.slots = self.slots + after - before;
            self.fit(bounds);
        }
    }

    /// Adds points of that step to a row, ascending by their numbers. What is added need not be settled afterwards.
    pub(super) fn merge_points<T>(
        &mut self,
        row: usize,
        theirs: Step,
        points: impl Iterator<Item = (i64, T)>,
        bounds: &LayerBounds,
        merge: impl Fn(&mut V, T),
    ) {
        self.reach(theirs);
        let Some(step) = self.step else { return };
        let factor = theirs.points_in(step);
        let known = self.row_mut(row);
        let before = known.len();
        known.merge(points.map(|(number, added)| (number.div_euclid(factor), added)), merge);
        let after = known.len();
        let mut slots = self.slots;
        for value in self.row_mut(row).values_mut().filter(|value| value.is_crowded()) {
            let before = value.slots();
            value.settle();
            slots = slots + value.slots() - before;
        }
        self.slots = slots;
        self.points += after - before;
        self.longest = self.longest.max(after);
        self.fit(bounds);
    }

    /// Takes over the step of a layer that is added, if it is longer, or that it was left out.
    pub(super) fn adopt_step(&mut self, theirs: Option<Step>) {
        match theirs {
            Some(step) => self.reach(step),
            None => self.leave_out(),
        }
    }

    /// Brings all points into their canonical form, within bounds.
    pub(super) fn settle(&mut self, bounds: &LayerBounds) {
        self.rows.iter_mut().flat_map(Timeline::values_mut).for_each(|value| {
            value.settle();
            value.shrink();
        });
        self.count();
        self.fit(bounds);
    }

    /// Puts the row with the number `order[n]` into place n; an empty one where there is no such row. Rows that are not
    /// named must be empty.
    pub(super) fn reorder(&mut self, order: &[usize]) {
        if self.step.is_none() {
            return;
        }
        let mut rows = std::mem::take(&mut self.rows);
        self.rows = order.iter().map(|row| rows.get_mut(*row).map(std::mem::take).unwrap_or_default()).collect();
    }

    fn row_mut(&mut self, row: usize) -> &mut Timeline<V> {
        if row >= self.rows.len() {
            self.rows.resize_with(row + 1, Timeline::default);
        }
        &mut self.rows[row]
    }

    fn add_point(&mut self, row: usize, place: usize, number: i64) {
        // The last point will hardly be changed any more.
        let known = self.row_mut(row);
        if let Some(last) = known.len().checked_sub(1).and_then(|last| known.value_mut(last)) {
            let before = last.slots();
            last.settle();
            last.shrink();
            let after = last.slots();
            self.slots = self.slots + after - before;
        }
        let known = self.row_mut(row);
        known.insert(place, number);
        let length = known.len();
        self.points += 1;
        self.longest = self.longest.max(length);
    }

    /// Makes the step at least that long.
    fn reach(&mut self, longer: Step) {
        if let Some(step) = self.step.filter(|step| *step < longer) {
            let factor = step.points_in(longer);
            self.rows.iter_mut().for_each(|row| row.coarsen(factor));
            self.step = Some(longer);
            self.count();
        }
    }

    fn fit(&mut self, bounds: &LayerBounds) {
        while self.exceeds(bounds) {
            match self.step.and_then(Step::longer) {
                Some(longer) => self.reach(longer),
                None => self.leave_out(),
            }
        }
    }

    pub(super) fn exceeds(&self, bounds: &LayerBounds) -> bool {
        let row_points = self.step.map_or(0, |step| bounds.points_of_row(step));
        self.points > bounds.points || self.longest > row_points || self.slots > bounds.slots
    }

    fn leave_out(&mut self) {
        *self = Self { step: None, rows: Vec::new(), points: 0, longest: 0, slots: 0 };
    }

    fn count(&mut self) {
        self.points = self.rows.iter().map(Timeline::len).sum();
        self.longest = self.rows.iter().map(Timeline::len).max().unwrap_or(0);
        self.slots = self.rows.iter().flat_map(Timeline::points).map(|(_, value)| value.slots()).sum();
    }
}
