//! Bytes that were found to be a series, and what is in them without a copy.

use super::coarse::CoarseHistogram;
use super::figures::{Figures, Total};
use super::layer::{Layer, LayerBounds};
use super::step::{LARGEST_SECOND, Step};
use super::timeline::Timeline;
use super::wire::{MAGIC, SeriesError};
use super::{Bounds, Series};
use crate::histogram::{HIGHEST_US, MAXIMUM_COUNT};
use crate::leb128::Source;
use crate::samples::SampleKind;
use crate::statistics::LabelKey;

/// The bytes of a series, checked. To add it to a [sum](super::SeriesSum) takes no memory beside them.
#[derive(Debug, Clone)]
pub struct EncodedSeries<B> {
    bytes: B,
    pub(super) span: Option<(i64, i64)>,
    /// Ascending.
    pub(super) labels: Vec<LabelKey>,
    totals: Place,
    distribution: Place,
    label_figures: Place,
    label_distributions: Place,
}

/// Where a layer is.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// None: it was left out, and has no rows.
    step: Option<Step>,
    /// Bytes of the series before the first row.
    start: usize,
    rows: usize,
}

impl<B: AsRef<[u8]>> EncodedSeries<B> {
    /// Checks bytes.
    ///
    /// # Errors
    /// As [`Series::decode`]. Memory is that of the labels' names.
    pub fn read(bytes: B) -> Result<Self, SeriesError> {
        let all = bytes.as_ref();
        let body = all.strip_prefix(&MAGIC).ok_or(SeriesError::Magic { place: "beginning" })?;
        let body = body.strip_suffix(&MAGIC).ok_or(SeriesError::Magic { place: "end" })?;
        let mut fields = Fields { part: "its span", source: Source::new(body), end: all.len() - MAGIC.len() };
        let span = read_span(&mut fields)?;
        let (totals_bounds, label_bounds) = (Bounds::MERGED.totals(), Bounds::MERGED.labels());
        fields.part = "the totals";
        let (mut in_totals, mut in_distribution) = ([false], [false]);
        let totals = check_layer(&mut fields, Step::SECOND, &totals_bounds, &mut in_totals, |fields| {
            check_figures(fields)?;
            fields.count().map(|_| 0)
        })?;
        fields.part = "the distribution";
        let shortest = Step::TEN_SECONDS;
        let distribution = check_layer(&mut fields, shortest, &totals_bounds, &mut in_distribution, check_histogram)?;
        if totals.step.is_none() || distribution.step.is_none() {
            return Err(fields.contradiction("the totals are left out"));
        }
        fields.part = "the labels";
        let labels = read_labels(&mut fields)?;
        let mut in_labels = vec![false; labels.len()];
        fields.part = "the figures of labels";
        let label_figures = check_layer(&mut fields, shortest, &label_bounds, &mut in_labels, |fields| {
            check_figures(fields).map(|()| 0)
        })?;
        fields.part = "the distributions of labels";
        let label_distributions =
            check_layer(&mut fields, Step::MINUTE, &label_bounds, &mut in_labels, check_histogram)?;
        if in_labels.contains(&false) {
            return Err(fields.contradiction("a label has no point"));
        }
        if span.is_none() && (in_totals == [true] || !labels.is_empty()) {
            return Err(fields.contradiction("it has points but no first and last second"));
        }
        if !fields.source.is_empty() {
            return Err(fields.contradiction("bytes follow it"));
        }
        Ok(Self { bytes, span, labels, totals, distribution, label_figures, label_distributions })
    }

    pub(super) fn totals(&self) -> EncodedLayer<'_, Total> {
        self.layer(self.totals, |source| {
            let figures = figures_of(numbers(source)?);
            Some(Total { figures, user_seconds: source.number()? })
        })
    }

    pub(super) fn distribution(&self) -> EncodedLayer<'_, &[u8]> {
        self.layer(self.distribution, Source::counted)
    }

    pub(super) fn label_figures(&self) -> EncodedLayer<'_, Figures> {
        self.layer(self.label_figures, |source| numbers(source).map(figures_of))
    }

    pub(super) fn label_distributions(&self) -> EncodedLayer<'_, &[u8]> {
        self.layer(self.label_distributions, Source::counted)
    }

    pub(super) fn decode(self) -> Series {
        let histogram = |bytes: &[u8]| CoarseHistogram::from_bytes(bytes).unwrap_or_default();
        Series {
            span: self.span,
            totals: self.totals().decode(|total| total),
            distribution: self.distribution().decode(histogram),
            label_figures: self.label_figures().decode(|figures| figures),
            label_distributions: self.label_distributions().decode(histogram),
            labels: self.labels,
        }
    }

    fn layer<'a, T>(&'a self, place: Place, read: fn(&mut Source<'a>) -> Option<T>) -> EncodedLayer<'a, T> {
        let Place { step, start, rows } = place;
        let source = Source::new(self.bytes.as_ref().get(start..).unwrap_or_default());
        EncodedLayer { step, rows, source, read }
    }
}

/// A layer of checked bytes, read row by row.
pub(super) struct EncodedLayer<'a, T> {
    pub(super) step: Option<Step>,
    rows: usize,
    source: Source<'a>,
    read: fn(&mut Source<'a>) -> Option<T>,
}

impl<'a, T> EncodedLayer<'a, T> {
    /// Hands the number and the points of each row to `take`. Points that it leaves are passed over.
    pub(super) fn for_each_row(mut self, mut take: impl FnMut(usize, &mut EncodedRow<'a, '_, T>)) {
        let rows = if self.step.is_some() { self.rows } else { 0 };
        for number in 0..rows {
            let left = self.source.number().unwrap_or_default();
            let mut row = EncodedRow { source: &mut self.source, read: self.read, left, last: 0 };
            take(number, &mut row);
            row.for_each(drop);
        }
    }

    fn decode<V: super::cell::Cell>(self, value: impl Fn(T) -> V) -> Layer<V> {
        let (step, mut rows) = (self.step, Vec::new());
        self.for_each_row(|_, row| {
            rows.push(Timeline::from_ascending(row.map(|(number, read)| (number, value(read))).collect()));
        });
        Layer::from_rows(step, rows)
    }
}

/// The points of a row with their numbers, ascending.
pub(super) struct EncodedRow<'a, 's, T> {
    source: &'s mut Source<'a>,
    read: fn(&mut Source<'a>) -> Option<T>,
    left: u64,
    /// Number of the last point; 0 before the first.
    last: i64,
}

impl<T> Iterator for EncodedRow<'_, '_, T> {
    type Item = (i64, T);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        self.last = self.last.checked_add(self.source.signed()?)?;
        Some((self.last, (self.read)(self.source)?))
    }
}

/// The rest of the bytes, with the name of the part for errors.
struct Fields<'a> {
    part: &'static str,
    source: Source<'a>,
    /// Bytes of the series before the end of `source`.
    end: usize,
}

impl<'a> Fields<'a> {
    /// Bytes of the series that were read.
    fn position(&self) -> usize {
        self.end - self.source.rest().len()
    }

    fn contradiction(&self, problem: &'static str) -> SeriesError {
        SeriesError::Contradiction { part: self.part, problem }
    }

    fn damaged<T>(&self, read: Option<T>) -> Result<T, SeriesError> {
        read.ok_or(SeriesError::Damaged { part: self.part })
    }

    fn byte(&mut self) -> Result<u8, SeriesError> {
        let read = self.source.byte();
        self.damaged(read)
    }

    fn number(&mut self) -> Result<u64, SeriesError> {
        let read = self.source.number();
        self.damaged(read)
    }

    fn signed(&mut self) -> Result<i64, SeriesError> {
        let read = self.source.signed();
        self.damaged(read)
    }

    fn counted(&mut self) -> Result<&'a [u8], SeriesError> {
        let read = self.source.counted();
        self.damaged(read)
    }

    fn count(&mut self) -> Result<u64, SeriesError> {
        match self.number()? {
            count if count <= MAXIMUM_COUNT => Ok(count),
            _ => Err(self.contradiction("a count exceeds 2^63 - 1")),
        }
    }
}

fn read_span(fields: &mut Fields<'_>) -> Result<Option<(i64, i64)>, SeriesError> {
    match fields.byte()? {
        0 => Ok(None),
        1 => {
            let first = fields.signed()?;
            let last = first.checked_add_unsigned(fields.number()?);
            match last.filter(|last| first >= -LARGEST_SECOND && *last <= LARGEST_SECOND) {
                Some(last) => Ok(Some((first, last))),
                None => Err(fields.contradiction("it exceeds all time stamps")),
            }
        }
        _ => Err(fields.contradiction("it is neither absent nor present")),
    }
}

fn read_labels(fields: &mut Fields<'_>) -> Result<Vec<LabelKey>, SeriesError> {
    let mut labels: Vec<LabelKey> = Vec::new();
    // A label has a point, and there are at most so many in each of the two layers.
    let number = fields.number()?;
    if number > 2 * Bounds::MERGED.label_points as u64 {
        return Err(SeriesError::TooLarge { part: fields.part });
    }
    for _ in 0..number {
        let kind = match fields.byte()? {
            0 => SampleKind::Request,
            1 => SampleKind::Transaction,
            _ => return Err(fields.contradiction("a label is neither request nor transaction")),
        };
        let name = std::str::from_utf8(fields.counted()?).map_err(|_| fields.contradiction("a label is not UTF-8"))?;
        let key = LabelKey { kind, name: name.into() };
        if labels.last().is_some_and(|last| *last >= key) {
            return Err(fields.contradiction("labels are not in order"));
        }
        labels.push(key);
    }
    Ok(labels)
}

/// Checks the rows of a layer and marks those that have points. `check` passes over what a point holds and tells the slots
/// that it takes.
fn check_layer<'a>(
    fields: &mut Fields<'a>,
    shortest: Step,
    bounds: &LayerBounds,
    present: &mut [bool],
    check: impl Fn(&mut Fields<'a>) -> Result<usize, SeriesError>,
) -> Result<Place, SeriesError> {
    let seconds = fields.number()?;
    let (start, rows) = (fields.position(), present.len());
    if seconds == 0 {
        return Ok(Place { step: None, start, rows });
    }
    let step = Step::from_seconds(seconds)
        .filter(|step| *step >= shortest)
        .ok_or_else(|| fields.contradiction("its points have a length that no points have"))?;
    let largest = step.point_of(LARGEST_SECOND).unsigned_abs() + 1;
    let (mut all_points, mut slots) = (0_u64, 0_usize);
    for present in present {
        let points = fields.number()?;
        if points > bounds.row_points as u64 {
            return Err(SeriesError::TooLarge { part: fields.part });
        }
        let mut last: Option<i64> = None;
        for _ in 0..points {
            let gap = fields.signed()?;
            let number = match last {
                None => Some(gap),
                Some(last) => last.checked_add(gap).filter(|number| *number > last),
            };
            last = number.filter(|number| number.unsigned_abs() <= largest);
            if last.is_none() {
                return Err(fields.contradiction("its points are not in order or exceed all time stamps"));
            }
            slots += check(fields)?;
        }
        *present |= points > 0;
        all_points += points;
    }
    if all_points > bounds.points as u64 || slots > bounds.slots {
        return Err(SeriesError::TooLarge { part: fields.part });
    }
    Ok(Place { step: Some(step), start, rows })
}

fn check_figures(fields: &mut Fields<'_>) -> Result<(), SeriesError> {
    let read = numbers(&mut fields.source);
    let numbers = fields.damaged(read)?;
    if numbers.iter().any(|number| *number > MAXIMUM_COUNT) {
        return Err(fields.contradiction("a count exceeds 2^63 - 1"));
    }
    let Figures { requests, errors, bytes, elapsed_us, maximum_us, .. } = figures_of(numbers);
    let measures = errors | bytes | elapsed_us | maximum_us;
    if maximum_us > HIGHEST_US || errors > requests || requests == 0 && measures > 0 {
        return Err(fields.contradiction("figures of a point do not fit each other"));
    }
    Ok(())
}

/// The slots of a histogram.
fn check_histogram(fields: &mut Fields<'_>) -> Result<usize, SeriesError> {
    let bytes = fields.counted()?;
    CoarseHistogram::check(bytes).ok_or_else(|| fields.contradiction("a histogram of a point cannot be read"))
}

/// The numbers of which [`figures_of`] makes figures.
#[inline]
fn numbers(source: &mut Source<'_>) -> Option<[u64; 7]> {
    let mut numbers = [0; 7];
    for number in &mut numbers {
        *number = source.number()?;
    }
    Some(numbers)
}

/// Figures in the order in which they are written.
#[inline]
fn figures_of([requests, errors, interrupted, bytes, elapsed_us, minimum_us, width]: [u64; 7]) -> Figures {
    let maximum_us = minimum_us.saturating_add(width);
    Figures { requests, errors, interrupted, bytes, elapsed_us, minimum_us, maximum_us }
}
