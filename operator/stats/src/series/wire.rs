//! The bytes in which a series travels.
//!
//! ```text
//! series        = magic span totals distribution labels figures distributions magic
//! magic         = "VOLLEYS1"
//! span          = 0x00 | 0x01 first:signed last-first:number          seconds since 1970, of the first and last sample
//! totals        = layer of: figures userSeconds:number
//! distribution  = layer of: histogram
//! labels        = number (kind:u8 length:number UTF-8)*               kind 0 request, 1 transaction; ascending
//! figures       = layer of: figures                                   a row for each label
//! distributions = layer of: histogram                                 a row for each label
//! layer of x    = stepSeconds:number row*                             step 0: left out, there are no rows
//! row of x      = number (gap:signed x)*                              ascending; number of the point minus that of the one before
//! figures       = requests:number errors:number interrupted:number bytes:number elapsed:number
//!                 minimum:number maximum-minimum:number
//! histogram     = length:number bytes                                 see CoarseHistogram
//! number        = unsigned LEB128 in its shortest form
//! signed        = ZigZag number
//! ```
//!
//! The two layers of totals have one row. Equal series have equal bytes.

use super::cell::Cell;
use super::coarse::CoarseHistogram;
use super::figures::{Figures, Total};
use super::layer::{Layer, LayerBounds};
use super::step::{LARGEST_SECOND, Step};
use super::timeline::Timeline;
use super::{Bounds, Series};
use crate::histogram::{HIGHEST_US, MAXIMUM_COUNT};
use crate::leb128::{self, Source};
use crate::samples::SampleKind;
use crate::statistics::LabelKey;

const MAGIC: [u8; 8] = *b"VOLLEYS1";
/// A limit for readers, in bytes. A series within [`Bounds::MERGED`] stays below it as long as no slot of a histogram
/// counts more than 2²⁶ samples.
pub const MAXIMUM_ENCODED_BYTES: usize = 128 << 20;

/// Why bytes are no series.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SeriesError {
    /// The bytes do not begin or end as ours.
    #[error("series: its {place} is not \"VOLLEYS1\"; it is another object, of another version, or was cut")]
    Magic {
        /// `beginning` or `end`.
        place: &'static str,
    },
    /// The bytes end too early, or hold a number that is not in its one form.
    #[error("series: {part} cannot be read to its end; the object is truncated or damaged")]
    Damaged {
        /// The part that ends early.
        part: &'static str,
    },
    /// Something cannot be.
    #[error("series: {part} is contradictory: {problem}; the object is damaged")]
    Contradiction {
        /// The part.
        part: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
    /// It is larger than any series that is written.
    #[error("series: {part} has more points than a series may have; the object is damaged")]
    TooLarge {
        /// The part.
        part: &'static str,
    },
}

impl Series {
    /// The canonical bytes. Equal series have equal bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::from(MAGIC);
        match self.span {
            None => bytes.push(0),
            Some((first, last)) => {
                bytes.push(1);
                leb128::put_signed(first, &mut bytes);
                leb128::put(last.abs_diff(first), &mut bytes);
            }
        }
        put_layer(&self.totals, 1, &mut bytes, |total, bytes| {
            put_figures(&total.figures, bytes);
            leb128::put(total.user_seconds, bytes);
        });
        put_layer(&self.distribution, 1, &mut bytes, put_histogram);
        leb128::put(self.labels.len() as u64, &mut bytes);
        for LabelKey { kind, name } in &self.labels {
            bytes.push(u8::from(*kind == SampleKind::Transaction));
            leb128::put_counted(name.as_bytes(), &mut bytes);
        }
        put_layer(&self.label_figures, self.labels.len(), &mut bytes, put_figures);
        put_layer(&self.label_distributions, self.labels.len(), &mut bytes, put_histogram);
        bytes.extend_from_slice(&MAGIC);
        bytes
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// [`SeriesError`] for anything else, and for what exceeds [`Bounds::MERGED`]. Memory is bounded by the number of
    /// bytes: at most 72 for each of them.
    pub fn decode(bytes: &[u8]) -> Result<Self, SeriesError> {
        let body = bytes.strip_prefix(&MAGIC).ok_or(SeriesError::Magic { place: "beginning" })?;
        let body = body.strip_suffix(&MAGIC).ok_or(SeriesError::Magic { place: "end" })?;
        let mut fields = Fields { part: "its span", source: Source::new(body) };
        let span = read_span(&mut fields)?;
        let (totals_bounds, label_bounds) = (Bounds::MERGED.totals(), Bounds::MERGED.labels());
        fields.part = "the totals";
        let totals = read_layer(&mut fields, 1, Step::SECOND, &totals_bounds, |fields| {
            Ok(Total { figures: read_figures(fields)?, user_seconds: fields.count()? })
        })?;
        fields.part = "the distribution";
        let distribution = read_layer(&mut fields, 1, Step::TEN_SECONDS, &totals_bounds, read_histogram)?;
        if totals.step().is_none() || distribution.step().is_none() {
            return Err(fields.contradiction("the totals are left out"));
        }
        fields.part = "the labels";
        let labels = read_labels(&mut fields)?;
        fields.part = "the figures of labels";
        let label_figures = read_layer(&mut fields, labels.len(), Step::TEN_SECONDS, &label_bounds, read_figures)?;
        fields.part = "the distributions of labels";
        let label_distributions = read_layer(&mut fields, labels.len(), Step::MINUTE, &label_bounds, read_histogram)?;
        if (0..labels.len()).any(|row| !label_figures.has_points(row) && !label_distributions.has_points(row)) {
            return Err(fields.contradiction("a label has no point"));
        }
        if span.is_none() && (totals.has_points(super::ALL) || !labels.is_empty()) {
            return Err(fields.contradiction("it has points but no first and last second"));
        }
        if !fields.source.is_empty() {
            return Err(fields.contradiction("bytes follow it"));
        }
        Ok(Self { span, totals, distribution, labels, label_figures, label_distributions })
    }
}

fn put_figures(figures: &Figures, bytes: &mut Vec<u8>) {
    for number in [
        figures.requests,
        figures.errors,
        figures.interrupted,
        figures.bytes,
        figures.elapsed_us,
        figures.minimum_us,
        figures.maximum_us - figures.minimum_us,
    ] {
        leb128::put(number, bytes);
    }
}

fn put_histogram(histogram: &CoarseHistogram, bytes: &mut Vec<u8>) {
    leb128::put_counted(histogram.bytes(), bytes);
}

fn put_layer<V: Cell>(layer: &Layer<V>, rows: usize, bytes: &mut Vec<u8>, put: impl Fn(&V, &mut Vec<u8>)) {
    let Some(step) = layer.step() else {
        bytes.push(0);
        return;
    };
    leb128::put(step.seconds().unsigned_abs(), bytes);
    for row in (0..rows).map(|row| layer.row(row)) {
        leb128::put(row.len() as u64, bytes);
        let mut before = 0;
        for (number, value) in row {
            leb128::put_signed(number - before, bytes);
            put(value, bytes);
            before = *number;
        }
    }
}

/// The rest of the bytes, with the name of the part for errors.
struct Fields<'a> {
    part: &'static str,
    source: Source<'a>,
}

impl<'a> Fields<'a> {
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

fn read_layer<'a, V: Cell>(
    fields: &mut Fields<'a>,
    rows: usize,
    shortest: Step,
    bounds: &LayerBounds,
    read: impl Fn(&mut Fields<'a>) -> Result<V, SeriesError>,
) -> Result<Layer<V>, SeriesError> {
    let seconds = fields.number()?;
    if seconds == 0 {
        return Ok(Layer::from_rows(None, Vec::new()));
    }
    let step = Step::from_seconds(seconds)
        .filter(|step| *step >= shortest)
        .ok_or_else(|| fields.contradiction("its points have a length that no points have"))?;
    let mut timelines = Vec::new();
    for _ in 0..rows {
        let mut points: Vec<(i64, V)> = Vec::new();
        let number = fields.number()?;
        if number > bounds.row_points as u64 {
            return Err(SeriesError::TooLarge { part: fields.part });
        }
        let mut last: Option<i64> = None;
        for _ in 0..number {
            let gap = fields.signed()?;
            let number = match last {
                None => Some(gap),
                Some(last) => last.checked_add(gap).filter(|number| *number > last),
            };
            let number = number
                .filter(|number| number.unsigned_abs() <= step.point_of(LARGEST_SECOND).unsigned_abs() + 1)
                .ok_or_else(|| fields.contradiction("its points are not in order or exceed all time stamps"))?;
            points.push((number, read(fields)?));
            last = Some(number);
        }
        timelines.push(Timeline::from_ascending(points));
    }
    let layer = Layer::from_rows(Some(step), timelines);
    if layer.exceeds(bounds) { Err(SeriesError::TooLarge { part: fields.part }) } else { Ok(layer) }
}

fn read_figures(fields: &mut Fields<'_>) -> Result<Figures, SeriesError> {
    let [requests, errors, interrupted, bytes, elapsed_us, minimum_us, width] = [
        fields.count()?,
        fields.count()?,
        fields.count()?,
        fields.count()?,
        fields.count()?,
        fields.count()?,
        fields.count()?,
    ];
    let maximum_us = minimum_us + width;
    let measures = errors | bytes | elapsed_us | maximum_us;
    if maximum_us > HIGHEST_US || errors > requests || requests == 0 && measures > 0 {
        return Err(fields.contradiction("figures of a point do not fit each other"));
    }
    Ok(Figures { requests, errors, interrupted, bytes, elapsed_us, minimum_us, maximum_us })
}

fn read_histogram(fields: &mut Fields<'_>) -> Result<CoarseHistogram, SeriesError> {
    CoarseHistogram::from_bytes(fields.counted()?)
        .ok_or_else(|| fields.contradiction("a histogram of a point cannot be read"))
}
