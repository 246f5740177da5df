//! How a run goes while it runs: all regions together, and each of them.
//!
//! The final [`Series`](super::Series) is made of what the workers upload; this one of their [frames](crate::frame), as
//! they arrive. Its percentiles are of single seconds, as long as the run has at most an hour of them.

use std::collections::BTreeMap;

use super::ALL;
use super::cell::Cell;
use super::coarse::CoarseHistogram;
use super::figures::Figures;
use super::layer::{Layer, LayerBounds};
use super::step::{LARGEST_SECOND, Step};
use super::timeline::Timeline;
use crate::frame::{Responses, UNTOLD, add_told};
use crate::histogram::{HIGHEST_US, MAXIMUM_COUNT, add_counts};
use crate::leb128::{self, Source};
use crate::percentile::Percentile;

const MAGIC: [u8; 8] = *b"VOLLEYL1";
/// Points of each row; what exceeds them gets longer points.
const POINTS: usize = 3_600;
/// Regions that have a row of their own; a run has at most five.
const MAXIMUM_TARGETS: usize = 64;
const BOUNDS: LayerBounds = LayerBounds { row_points: POINTS, points: usize::MAX, slots: usize::MAX };

/// The course of a run so far, in points of 1 second and longer ones when there are more than 3,600 of them: 1, 5, 10, 30,
/// 60 s and so on. Counts and sums are exact; percentiles are within 0.8 %. At most 2 MB a region.
///
/// Adding is commutative and associative: late seconds may come in any order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSeries {
    span: Option<(i64, i64)>,
    /// Rows by name of the region; row 0 is all of them.
    targets: BTreeMap<String, usize>,
    moments: Layer<Moment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Moment {
    /// Without the bytes.
    figures: Figures,
    /// Bytes received; none where an engine does not tell them of every request.
    bytes: Option<u64>,
    /// Active users of each second of the point, added up.
    user_seconds: u64,
    /// Always settled.
    elapsed: CoarseHistogram,
}

impl Default for Moment {
    fn default() -> Self {
        Self { figures: Figures::default(), bytes: Some(0), user_seconds: 0, elapsed: CoarseHistogram::default() }
    }
}

impl Cell for Moment {
    fn merge(&mut self, other: &Self) {
        self.figures.merge(&other.figures);
        self.bytes = add_told(self.bytes, other.bytes);
        self.user_seconds = add_counts(self.user_seconds, other.user_seconds);
        self.elapsed.merge(&other.elapsed);
        self.elapsed.settle();
    }

    fn shrink(&mut self) {
        self.elapsed.shrink();
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
    elapsed: &'a CoarseHistogram,
}

impl LivePoint<'_> {
    /// The nearest-rank percentile in microseconds: within 0.8 % of the exact value, and never outside of the shortest and
    /// the longest response time; none without requests.
    #[must_use]
    pub fn percentile(&self, percentile: Percentile) -> Option<u64> {
        let (minimum, maximum) = self.figures.bounds_us()?;
        Some(self.elapsed.percentile(percentile)?.max(minimum).min(maximum))
    }
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
        Self { span: None, moments: Layer::new(Step::SECOND, targets.len() + 1), targets }
    }

    /// Adds what a region's workers measured in a second, to the region's row and to that of all. A region that is not one of
    /// the run's is added to the latter only.
    pub fn add(&mut self, target: &str, second: i64, users: u64, responses: &Responses) {
        if second.unsigned_abs() > LARGEST_SECOND.unsigned_abs() {
            return;
        }
        let (first, last) = self.span.unwrap_or((second, second));
        self.span = Some((first.min(second), last.max(second)));
        let figures = Figures { bytes: 0, ..responses.figures() };
        for row in [ALL].into_iter().chain(self.targets.get(target).copied()) {
            self.moments.update(row, second, &BOUNDS, |moment| {
                moment.figures.merge(&figures);
                moment.bytes = add_told(moment.bytes, responses.bytes);
                moment.user_seconds = add_counts(moment.user_seconds, users);
                for (slot, count) in responses.elapsed.histogram().slots() {
                    moment.elapsed.record(slot.midpoint_us(), count);
                }
                moment.elapsed.settle();
            });
        }
    }

    /// Length of the points in seconds.
    #[must_use]
    pub fn step_seconds(&self) -> u64 {
        self.step().seconds().unsigned_abs()
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

    /// The points of all regions together, ascending, at most 3,600. Those in which nothing was measured are not there.
    pub fn points(&self) -> impl Iterator<Item = LivePoint<'_>> {
        self.row(Some(ALL))
    }

    /// The points of one region, ascending; none where it is not one of the run's.
    pub fn points_of(&self, target: &str) -> impl Iterator<Item = LivePoint<'_>> {
        self.row(self.targets.get(target).copied())
    }

    fn row(&self, row: Option<usize>) -> impl Iterator<Item = LivePoint<'_>> {
        let step = self.step().seconds();
        row.map(|row| self.moments.row(row)).unwrap_or_default().iter().map(move |(number, moment)| {
            let second = number * step;
            let (first, last) = self.span.unwrap_or((second, second));
            // The first and the last point reach beyond the series.
            let covered = (second + step - 1).min(last) - second.max(first) + 1;
            LivePoint {
                second,
                users: mean(moment.user_seconds, covered),
                figures: &moment.figures,
                bytes: moment.bytes,
                elapsed: &moment.elapsed,
            }
        })
    }

    fn step(&self) -> Step {
        // With so many rows at most, the longest step always fits.
        self.moments.step().unwrap_or(Step::SECOND)
    }

    /// The canonical bytes, from which an aggregator that was killed goes on:
    ///
    /// ```text
    /// live series = magic regions (length:number UTF-8)* span stepSeconds:number row* magic
    /// magic       = "VOLLEYL1"
    /// span        = 0x00 | 0x01 first:signed last-first:number
    /// row         = number (gap:signed figures userSeconds:number histogram?)*   of all regions, then of each
    /// figures     = requests errors interrupted bytes elapsed minimum maximum-minimum
    /// bytes       = number                                                       2^63 where an engine does not tell them
    /// histogram   = length:number bytes                                          only where there are requests
    /// ```
    ///
    /// Numbers are as in the module's other formats.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::from(MAGIC);
        leb128::put(self.targets.len() as u64, &mut bytes);
        for target in self.targets.keys() {
            leb128::put_counted(target.as_bytes(), &mut bytes);
        }
        bytes.push(u8::from(self.span.is_some()));
        if let Some((first, last)) = self.span {
            leb128::put_signed(first, &mut bytes);
            leb128::put(last.abs_diff(first), &mut bytes);
        }
        leb128::put(self.step_seconds(), &mut bytes);
        for row in ALL..=ALL + self.targets.len() {
            let points = self.moments.row(row);
            leb128::put(points.len() as u64, &mut bytes);
            let mut before = 0;
            for (number, moment) in points {
                leb128::put_signed(number - before, &mut bytes);
                moment.put(&mut bytes);
                before = *number;
            }
        }
        bytes.extend_from_slice(&MAGIC);
        bytes
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// [`LiveSeriesError`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, LiveSeriesError> {
        let body = bytes.strip_prefix(&MAGIC).and_then(|body| body.strip_suffix(&MAGIC)).ok_or(LiveSeriesError)?;
        Self::read(&mut Source::new(body)).ok_or(LiveSeriesError)
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
        let step = Step::from_seconds(source.number()?)?;
        let rows = (ALL..=ALL + number).map(|_| read_row(source, step)).collect::<Option<Vec<_>>>()?;
        let moments = Layer::from_rows(Some(step), rows);
        let fits = source.is_empty() && (span.is_some() || !moments.has_points(ALL));
        fits.then_some(Self { span, targets, moments })
    }
}

/// Bytes are no live series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("live series cannot be read; it is damaged, of another version or something else")]
pub struct LiveSeriesError;

fn read_row(source: &mut Source<'_>, step: Step) -> Option<Timeline<Moment>> {
    let mut points: Vec<(i64, Moment)> = Vec::new();
    let number = usize::try_from(source.number()?).ok().filter(|number| *number <= POINTS)?;
    for _ in 0..number {
        let gap = source.signed()?;
        let number = match points.last() {
            None => gap,
            Some((last, _)) => last.checked_add(gap).filter(|number| number > last)?,
        };
        if number.unsigned_abs() > step.point_of(LARGEST_SECOND).unsigned_abs() + 1 {
            return None;
        }
        points.push((number, Moment::read(source)?));
    }
    Some(Timeline::from_ascending(points))
}

impl Moment {
    fn put(&self, bytes: &mut Vec<u8>) {
        let Figures { requests, errors, interrupted, bytes: _, elapsed_us, minimum_us, maximum_us } = self.figures;
        let received = self.bytes.unwrap_or(UNTOLD);
        let width = maximum_us - minimum_us;
        for number in [requests, errors, interrupted, received, elapsed_us, minimum_us, width, self.user_seconds] {
            leb128::put(number, bytes);
        }
        if requests > 0 {
            leb128::put_counted(self.elapsed.bytes(), bytes);
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
        let elapsed =
            if requests > 0 { CoarseHistogram::from_bytes(source.counted()?)? } else { CoarseHistogram::default() };
        Some(Self { figures, bytes, user_seconds, elapsed })
    }
}

#[allow(clippy::cast_precision_loss, reason = "users to 15 digits are enough")]
fn mean(user_seconds: u64, seconds: i64) -> f64 {
    user_seconds as f64 / seconds.max(1) as f64
}
