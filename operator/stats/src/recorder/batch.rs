//! Samples of a label that are not in its statistics and its series yet.

use crate::histogram::index_of;
use crate::samples::Sample;
use crate::series::{Figures, Recording, lies_in, shortest_point};
use crate::statistics::{Mean, Moments, Outcome, Received};

/// Samples of a batch.
const SIZE: usize = 64;

/// Some samples of one label with one outcome that ended in one [shortest point](shortest_point) of a series.
///
/// To find the pages of a histogram and the points of a series costs more than to count in them, above all where a
/// worker has thousands of labels and nothing of them is in the processor's cache. So that is done once for each batch.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    /// First second of the point.
    point: i64,
    moments: Moments,
    first_byte: Mean,
    connect: Mean,
    received: Received,
    count: usize,
    /// The slots of the response times in a histogram.
    indices: [u16; SIZE],
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            point: 0,
            moments: Moments::default(),
            first_byte: Mean::default(),
            connect: Mean::default(),
            received: Received::default(),
            count: 0,
            indices: [0; SIZE],
        }
    }
}

impl Batch {
    /// Whether a sample that ended in that second can be added.
    #[inline]
    pub(super) fn takes(&self, second: i64) -> bool {
        self.count < SIZE && lies_in(second, self.point)
    }

    /// Begins with the point in which a second lies. The batch must be empty.
    pub(super) fn begin(&mut self, second: i64) {
        self.point = shortest_point(second);
    }

    /// Adds a sample that the batch [takes](Self::takes).
    #[inline]
    pub(super) fn add(&mut self, sample: &Sample<'_>) {
        let value_us = self.moments.record(sample.elapsed_us);
        self.first_byte.record(sample.first_byte_us);
        self.connect.record(sample.connect_us);
        self.received.record(sample.bytes);
        if let Some(place) = self.indices.get_mut(self.count) {
            // There are fewer than 2¹⁵ slots.
            *place = u16::try_from(index_of(value_us)).unwrap_or(u16::MAX);
            self.count += 1;
        }
    }

    /// Adds all samples to what their label has with their outcome, and to the row of the label in the series; then the
    /// batch is empty.
    pub(super) fn close(&mut self, success: bool, outcome: &mut Outcome, row: usize, series: &mut Recording) {
        let Self { point, moments, first_byte, connect, received, count, indices } = self;
        let (Some((minimum_us, maximum_us)), Some(indices)) = (moments.bounds_us, indices.get(..*count)) else {
            return;
        };
        outcome.elapsed.moments.merge(moments);
        outcome.elapsed.histogram.add_one_of_each(indices);
        outcome.first_byte.merge(first_byte);
        outcome.connect.merge(connect);
        outcome.received.merge(received);
        let requests = *count as u64;
        let figures = Figures {
            requests,
            errors: if success { 0 } else { requests },
            interrupted: 0,
            bytes: received.bytes,
            // 64 times 2³⁷.
            elapsed_us: u64::try_from(moments.sum_us).unwrap_or(u64::MAX),
            minimum_us,
            maximum_us,
        };
        series.add_to_label(row, *point, &figures, indices);
        *moments = Moments::default();
        (*first_byte, *connect, *received, *count) = (Mean::default(), Mean::default(), Received::default(), 0);
    }
}
