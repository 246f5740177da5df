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
use super::encoded::EncodedSeries;
use super::figures::{Figures, Total};
use super::layer::Layer;
use super::{ALL, Series};
use crate::leb128;
use crate::samples::SampleKind;
use crate::statistics::LabelKey;

pub(super) const MAGIC: [u8; 8] = *b"VOLLEYS1";
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
        Parts { totals: &self.totals, labels: self.labels.iter().enumerate().collect(), series: self }.encode()
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// [`SeriesError`] for anything else, and for what exceeds [`Bounds::MERGED`](super::Bounds::MERGED). Memory is bounded
    /// by the number of bytes: at most 72 for each of them.
    pub fn decode(bytes: &[u8]) -> Result<Self, SeriesError> {
        Ok(EncodedSeries::read(bytes)?.decode())
    }
}

/// What is written of a series that need not have its labels in order.
pub(super) struct Parts<'a> {
    pub(super) totals: &'a Layer<Total>,
    /// The rows of the labels in the order of their keys.
    pub(super) labels: Vec<(usize, &'a LabelKey)>,
    /// Everything else.
    pub(super) series: &'a Series,
}

impl Parts<'_> {
    /// The canonical bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let Self { totals, labels, series } = self;
        let mut bytes = Vec::from(MAGIC);
        match series.span {
            None => bytes.push(0),
            Some((first, last)) => {
                bytes.push(1);
                leb128::put_signed(first, &mut bytes);
                leb128::put(last.abs_diff(first), &mut bytes);
            }
        }
        put_layer(totals, [ALL], &mut bytes, |total, bytes| {
            put_figures(&total.figures, bytes);
            leb128::put(total.user_seconds, bytes);
        });
        put_layer(&series.distribution, [ALL], &mut bytes, put_histogram);
        leb128::put(labels.len() as u64, &mut bytes);
        for (_, LabelKey { kind, name }) in labels {
            bytes.push(u8::from(*kind == SampleKind::Transaction));
            leb128::put_counted(name.as_bytes(), &mut bytes);
        }
        let rows = || labels.iter().map(|(row, _)| *row);
        put_layer(&series.label_figures, rows(), &mut bytes, put_figures);
        put_layer(&series.label_distributions, rows(), &mut bytes, put_histogram);
        bytes.extend_from_slice(&MAGIC);
        bytes
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

pub(super) fn put_histogram(histogram: &CoarseHistogram, bytes: &mut Vec<u8>) {
    leb128::put_counted(histogram.bytes(), bytes);
}

/// Writes the step of a layer, 0 where it was left out, and these of its rows.
pub(super) fn put_layer<V: Cell>(
    layer: &Layer<V>,
    rows: impl IntoIterator<Item = usize>,
    bytes: &mut Vec<u8>,
    put: impl Fn(&V, &mut Vec<u8>),
) {
    let Some(step) = layer.step() else {
        bytes.push(0);
        return;
    };
    leb128::put(step.seconds().unsigned_abs(), bytes);
    for row in rows.into_iter().map(|row| layer.row(row)) {
        leb128::put(row.len() as u64, bytes);
        let mut before = 0;
        for (number, value) in row {
            leb128::put_signed(number - before, bytes);
            put(value, bytes);
            before = *number;
        }
    }
}
