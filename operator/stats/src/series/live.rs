//! How a run goes while it runs: all regions together, and each of them.
//!
//! The final [`Series`](super::Series) is made of what the workers upload; this one of their [frames](crate::frame), as
//! they arrive. It has two layers, each with points of its own length:
//!
//! | layer | a point holds | points of a row |
//! |---|---|---|
//! | moments | [`Figures`], bytes, active users | 3,600: single seconds for an hour, 5 s for 5 hours |
//! | distributions | a [`CoarseHistogram`] | 600 single seconds, then 300 longer ones: 5 s up to 25 minutes, 10 s up to 50, 30 s up to 2 ½ hours |
//!
//! # Memory
//!
//! An aggregator needs no more at the end of an hour than after ten minutes:
//!
//! * A row takes what its points need at its beginning, 0.35 MB.
//! * A histogram has no more bytes than it needs: one or two for each slot with a count. One of ten seconds has about twice
//!   those of one second, so half as many have room where 600 seconds had.
//! * When points are joined, one after the other is settled and gives back what it had for that.

use std::collections::BTreeMap;

use super::ALL;
use super::cell::Cell;
use super::coarse::CoarseHistogram;
use super::figures::Figures;
use super::layer::{Layer, LayerBounds};
use super::points::{self, DistributionPoint, mean_users};
use super::step::{LARGEST_SECOND, Step};
use super::timeline::Timeline;
use super::wire::{put_histogram, put_layer};
use crate::frame::{Responses, UNTOLD, add_told};
use crate::histogram::{HIGHEST_US, MAXIMUM_COUNT, add_counts};
use crate::leb128::{self, Source};

const MAGIC: [u8; 8] = *b"VOLLEYL2";
/// Regions that have a row of their own; a run has at most five.
const MAXIMUM_TARGETS: usize = 64;
const MOMENTS: LayerBounds =
    LayerBounds { row_seconds: 3_600, row_points: 3_600, points: usize::MAX, slots: usize::MAX };
const DISTRIBUTIONS: LayerBounds =
    LayerBounds { row_seconds: 600, row_points: 300, points: usize::MAX, slots: usize::MAX };

/// The course of a run so far, in points of 1, 5, 10, 30, 60 s and so on: of figures at most 3,600, of response times at most
/// 600. Counts and sums are exact; percentiles are within 0.8 %. See the table in the module.
///
/// Adding is commutative and associative: late seconds may come in any order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSeries {
    span: Option<(i64, i64)>,
    /// Rows by name of the region; row 0 is all of them.
    targets: BTreeMap<String, usize>,
    moments: Layer<Moment>,
    /// All are settled. The step is never shorter than that of the moments.
    distributions: Layer<CoarseHistogram>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Moment {
    /// Without the bytes.
    figures: Figures,
    /// Bytes received; none where an engine does not tell them of every request.
    bytes: Option<u64>,
    /// Active users of each second of the point, added up.
    user_seconds: u64,
}

impl Default for Moment {
    fn default() -> Self {
        Self { figures: Figures::default(), bytes: Some(0), user_seconds: 0 }
    }
}

impl Cell for Moment {
    fn merge(&mut self, other: &Self) {
        self.figures.merge(&other.figures);
        self.bytes = add_told(self.bytes, other.bytes);
        self.user_seconds = add_counts(self.user_seconds, other.user_seconds);
    }
}

/// One point of a [`LiveSeries`].
#[derive(Debug, Clone, Copy)]
pub struct LivePoint<'a> {
    /// First second of the point, in seconds since 1970-01-01 UTC.
    pub second: i64,
    /// Active users: the mean over the point's seconds between the first and the last second of the series.
    pub users: f64,
    /// Counts and sums of all requests that ended in it; of the bytes see `bytes`.
    pub figures: &'a Figures,
    /// Bytes received; none where an engine does not tell them of every request.
    pub bytes: Option<u64>,
}

impl LiveSeries {
    /// A series without points of a run in these regions.
    #[must_use]
    pub fn new<'a>(targets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut targets: Vec<&str> = targets.into_iter().collect();
        targets.sort_unstable();
        targets.dedup();
        let targets: BTreeMap<String, usize> = targets
            .into_iter()
            .take(MAXIMUM_TARGETS)
            .zip(ALL + 1..)
            .map(|(target, row)| (target.to_owned(), row))
            .collect();
        let rows = targets.len() + 1;
        let (moments, distributions) = (Layer::new(Step::SECOND, rows), Layer::new(Step::SECOND, rows));
        Self { span: None, targets, moments, distributions }.with_room()
    }

    /// The same with the memory of all its points, but for what is in histograms.
    fn with_room(mut self) -> Self {
        self.moments.reserve(MOMENTS.row_seconds);
        self.distributions.reserve(DISTRIBUTIONS.row_seconds);
        self
    }

    /// Adds what a region's workers measured in a second, to the region's row and to that of all. A region that is not one of
    /// the run's is added to the latter only.
    pub fn add(&mut self, target: &str, second: i64, users: u64, responses: &Responses) {
        if second.unsigned_abs() > LARGEST_SECOND.unsigned_abs() {
            return;
        }
        let (first, last) = self.span.unwrap_or((second, second));
        self.span = Some((first.min(second), last.max(second)));
        let added = Moment {
            figures: Figures { bytes: 0, ..responses.figures() },
            bytes: responses.bytes,
            user_seconds: add_counts(0, users),
        };
        let mut elapsed = CoarseHistogram::default();
        for (slot, count) in responses.elapsed.histogram().slots() {
            elapsed.record(slot.midpoint_us(), count);
        }
        elapsed.settle();
        for row in [ALL].into_iter().chain(self.targets.get(target).copied()) {
            self.moments.update(row, second, &MOMENTS, |moment| moment.merge(&added));
            if added.figures.requests > 0 {
                self.distributions.update(row, second, &DISTRIBUTIONS, |known| {
                    known.merge(&elapsed);
                    known.settle();
                    known.shrink();
                });
            }
        }
        // So the figures know the bounds of each distribution.
        self.distributions.adopt_step(self.moments.step());
    }

    /// Length of the [points](Self::points) in seconds.
    #[must_use]
    pub fn step_seconds(&self) -> u64 {
        points::seconds(self.moments.step()).unsigned_abs()
    }

    /// Length of the [distributions](Self::distributions) in seconds: never less than that of the points.
    #[must_use]
    pub fn distribution_step_seconds(&self) -> u64 {
        points::seconds(self.distributions.step()).unsigned_abs()
    }

    /// First and last second that was added, in seconds since 1970-01-01 UTC; none before the first.
    #[must_use]
    pub fn span(&self) -> Option<(i64, i64)> {
        self.span
    }

    /// Names of the regions, ascending.
    pub fn targets(&self) -> impl Iterator<Item = &str> {
        self.targets.keys().map(String::as_str)
    }

    /// The points of one region, ascending, at most 3,600; without a name those of all regions together, and none where the
    /// region is not one of the run's. Those in which nothing was measured are not there.
    pub fn points(&self, target: Option<&str>) -> impl Iterator<Item = LivePoint<'_>> {
        let step = points::seconds(self.moments.step());
        self.moments.row(self.row(target)).iter().map(move |(number, moment)| {
            let second = number * step;
            LivePoint {
                second,
                users: mean_users(self.span, moment.user_seconds, second, step),
                figures: &moment.figures,
                bytes: moment.bytes,
            }
        })
    }

    /// Response times of the same, ascending, at most 600 points. Those without requests are not there. Their percentiles are
    /// never outside of the shortest and the longest response time.
    pub fn distributions(&self, target: Option<&str>) -> impl Iterator<Item = DistributionPoint<'_>> {
        points::distributions(&self.distributions, &self.moments, self.row(target), |moment| &moment.figures)
    }

    fn row(&self, target: Option<&str>) -> usize {
        // No layer has a row of the largest number.
        target.map_or(ALL, |target| self.targets.get(target).copied().unwrap_or(usize::MAX))
    }

    /// The canonical bytes, from which an aggregator that was killed goes on:
    ///
    /// ```text
    /// live series = magic regions (length:number UTF-8)* span figures-layer histogram-layer magic
    /// magic       = "VOLLEYL2"
    /// span        = 0x00 | 0x01 first:signed last-first:number
    /// layer       = stepSeconds:number row*                         of all regions, then of each
    /// row         = number (gap:signed (figures | histogram))*
    /// figures     = requests errors interrupted bytes elapsed minimum maximum-minimum userSeconds
    /// bytes       = number                                          2^63 where an engine does not tell them
    /// histogram   = length:number bytes
    /// ```
    ///
    /// Numbers are as in the module's other formats.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode_into(&mut bytes);
        bytes
    }

    /// Appends the [canonical bytes](Self::encode).
    pub fn encode_into(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&MAGIC);
        leb128::put(self.targets.len() as u64, bytes);
        for target in self.targets.keys() {
            leb128::put_counted(target.as_bytes(), bytes);
        }
        bytes.push(u8::from(self.span.is_some()));
        if let Some((first, last)) = self.span {
            leb128::put_signed(first, bytes);
            leb128::put(last.abs_diff(first), bytes);
        }
        let rows = ALL..=ALL + self.targets.len();
        put_layer(&self.moments, rows.clone(), bytes, Moment::put);
        put_layer(&self.distributions, rows, bytes, put_histogram);
        bytes.extend_from_slice(&MAGIC);
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// [`LiveSeriesError`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, LiveSeriesError> {
        let body = bytes.strip_prefix(&MAGIC).and_then(|body| body.strip_suffix(&MAGIC)).ok_or(LiveSeriesError)?;
        Self::read(&mut Source::new(body)).map(Self::with_room).ok_or(LiveSeriesError)
    }

    fn read(source: &mut Source<'_>) -> Option<Self> {
        let number = usize::try_from(source.number()?).ok().filter(|number| *number <= MAXIMUM_TARGETS)?;
        let names = (0..number).map(|_| std::str::from_utf8(source.counted()?).ok()).collect::<Option<Vec<_>>>()?;
        if !names.is_sorted_by(|one, next| one < next) {
            return None;
        }
        let targets = names.into_iter().map(str::to_owned).zip(ALL + 1..).collect();
        let span = match source.byte()? {
            0 => None,
            1 => {
                let first = source.signed().filter(|first| *first >= -LARGEST_SECOND)?;
                let last = first.checked_add_unsigned(source.number()?).filter(|last| *last <= LARGEST_SECOND)?;
                Some((first, last))
            }
            _ => return None,
        };
        let moments = read_layer(source, number + 1, &MOMENTS, Moment::read)?;
        let distributions =
            read_layer(source, number + 1, &DISTRIBUTIONS, |source| CoarseHistogram::from_bytes(source.counted()?))?;
        let has_points = moments.has_points(ALL) || distributions.has_points(ALL);
        let fits = source.is_empty() && (span.is_some() || !has_points) && distributions.step() >= moments.step();
        fits.then_some(Self { span, targets, moments, distributions })
    }
}

/// Bytes are no live series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("live series cannot be read; it is damaged, of another version or something else")]
pub struct LiveSeriesError;

fn read_layer<V: Cell>(
    source: &mut Source<'_>,
    rows: usize,
    bounds: &LayerBounds,
    read: impl Fn(&mut Source<'_>) -> Option<V>,
) -> Option<Layer<V>> {
    let step = Step::from_seconds(source.number()?)?;
    let last = step.point_of(LARGEST_SECOND).unsigned_abs() + 1;
    let mut read_row = || {
        let mut points: Vec<(i64, V)> = Vec::new();
        let longest = bounds.points_of_row(step);
        let length = usize::try_from(source.number()?).ok().filter(|length| *length <= longest)?;
        for _ in 0..length {
            let gap = source.signed()?;
            let number = match points.last() {
                None => Some(gap),
                Some((before, _)) => before.checked_add(gap).filter(|number| number > before),
            };
            points.push((number.filter(|number| number.unsigned_abs() <= last)?, read(source)?));
        }
        Some(Timeline::from_ascending(points))
    };
    let rows = (0..rows).map(|_| read_row()).collect::<Option<Vec<_>>>()?;
    Some(Layer::from_rows(Some(step), rows))
}

impl Moment {
    fn put(&self, bytes: &mut Vec<u8>) {
        let Figures { requests, errors, interrupted, bytes: _, elapsed_us, minimum_us, maximum_us } = self.figures;
        let received = self.bytes.unwrap_or(UNTOLD);
        let width = maximum_us - minimum_us;
        for number in [requests, errors, interrupted, received, elapsed_us, minimum_us, width, self.user_seconds] {
            leb128::put(number, bytes);
        }
    }

    fn read(source: &mut Source<'_>) -> Option<Self> {
        let mut number = |maximum: u64| source.number().filter(|number| *number <= maximum);
        let (requests, errors, interrupted) = (number(MAXIMUM_COUNT)?, number(MAXIMUM_COUNT)?, number(MAXIMUM_COUNT)?);
        let bytes = Some(number(UNTOLD)?).filter(|bytes| *bytes != UNTOLD);
        let mut count = || number(MAXIMUM_COUNT);
        let (elapsed_us, minimum_us, width, user_seconds) = (count()?, count()?, count()?, count()?);
        let maximum_us = minimum_us + width;
        let measures = errors | bytes.unwrap_or(UNTOLD) | elapsed_us | maximum_us;
        if maximum_us > HIGHEST_US || errors > requests || requests == 0 && measures > 0 {
            return None;
        }
        let figures = Figures { requests, errors, interrupted, bytes: 0, elapsed_us, minimum_us, maximum_us };
        Some(Self { figures, bytes, user_seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a series holds in its points and in their histograms.
    fn held_bytes(LiveSeries { moments, distributions, .. }: &LiveSeries) -> usize {
        let histograms = distributions.rows().iter().flat_map(Timeline::points).map(|(_, it)| it.held_bytes());
        let points = moments.rows().iter().map(Timeline::held_bytes);
        points.chain(distributions.rows().iter().map(Timeline::held_bytes)).chain(histograms).sum()
    }

    /// A second of many requests between 20 and 300 ms, of which a tenth have another time in each second.
    fn responses(second: i64) -> Responses {
        let mut responses = Responses::default();
        for number in 0..200_u64 {
            let moved = if number % 10 == 0 { second.unsigned_abs() * 7_919 % 100_000 } else { 0 };
            responses.elapsed.record(20_000 + number * 1_400 + moved);
        }
        responses
    }

    #[test]
    fn an_hour_needs_no_more_memory_than_its_first_ten_minutes_and_hours_stay_within_the_bound() {
        const REGIONS: [&str; 5] = ["a", "b", "c", "d", "e"];
        let mut series = LiveSeries::new(REGIONS);
        // A histogram of 200 slots with gaps between them has less than 500 bytes.
        let bound = 6 * (3_600 * 88 + 600 * (48 + 500));
        let (mut first, mut rest) = (0, 0);
        for second in 0..10_800 {
            for region in REGIONS {
                series.add(region, second, 10, &responses(second));
                if second % 10 > 6 {
                    series.add(region, second - 7, 0, &responses(second));
                }
            }
            let held = held_bytes(&series);
            assert!(held <= bound, "{held} bytes of {bound} after {second} s");
            match second {
                0..600 => first = first.max(held),
                600..3_600 => rest = rest.max(held),
                _ => {}
            }
        }
        assert!(rest <= first, "{first} bytes in ten minutes, then {rest}");
        assert_eq!((series.step_seconds(), series.distribution_step_seconds()), (5, 60));
        let again = LiveSeries::decode(&series.encode()).unwrap();
        assert!(again == series && held_bytes(&again) <= bound);
    }

    #[test]
    fn points_that_are_joined_keep_no_memory_of_those_that_they_were() {
        let mut series = LiveSeries::new([]);
        for second in 0..=600 {
            series.add("a", second, 10, &responses(0));
        }
        let row = &series.distributions.rows()[ALL];
        assert_eq!(row.len(), 121);
        assert!(row.points().iter().all(|(_, histogram)| histogram.held_bytes() == histogram.bytes().len()));
    }
}
