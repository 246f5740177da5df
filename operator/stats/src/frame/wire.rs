//! The bytes in which a frame travels.
//!
//! ```text
//! frame   = magic ended:u8 from:signed through-from:number leftOut:number labels seconds worker? magic
//! magic   = "VOLLEYF1"
//! ended   = 0x00 | 0x01
//! labels  = number (kind:u8 text)*                       kind 0 request, 1 transaction; ascending; each has a row
//! seconds = number (gap:signed users:number rows errors)*   ascending; gap: the second minus the one before, the first minus from
//! rows    = number (skipped:number responses)*           ascending; skipped: labels between this one and the one before
//! responses = interrupted:number slots (errors:number bytes elapsed)?     elapsed only where there are slots
//! elapsed = sum:wide squares:wide clamped:number minimum:number maximum-minimum:number (empty:number count:number)*
//! slots   = number                                       slots with a count
//! bytes   = number                                       2^63 where the engine does not tell them of every request
//! empty   = number                                       slots between this one and the one before
//! worker  = late:number (0x00 | 0x01 cpu:optional throttled:optional memory:optional saturated:u8)   absent where it says nothing
//! optional = number                                      0: not known, else one more than parts per million
//! errors  = number (label:text code:text message:text count:number)*             ascending
//! wide    = low:number high:number                       the lower and the upper 64 bits
//! text    = length:number UTF-8
//! number  = unsigned LEB128 in its shortest form
//! signed  = ZigZag number
//! ```
//!
//! Slots are those of [`Histogram`](crate::Histogram). Most counts of a second are 1, so this is far shorter than the
//! histogram's own bytes. Equal frames have equal bytes.

use std::collections::BTreeSet;

use super::{ERROR_GROUPS, Frame, FrameSecond, LABEL_BYTES, LABELS, Responses, SECONDS, TEXT_BYTES, UNTOLD, add_told};
use crate::health::{GeneratorLoad, MAXIMUM_PPM};
use crate::histogram::{HIGHEST_US, MAXIMUM_COUNT, SLOTS, Slot, add_counts};
use crate::leb128::{self, Source};
use crate::samples::SampleKind;
use crate::statistics::{ErrorKey, LabelKey, Moments};

const MAGIC: [u8; 8] = *b"VOLLEYF1";
/// A limit for writers and readers, in bytes: 64 seconds with 20,000 different response times each.
pub const MAXIMUM_ENCODED_BYTES: usize = 4 << 20;

/// Why bytes are no frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The bytes do not begin or end as ours.
    #[error("frame: its {place} is not \"VOLLEYF1\"; it is another object, of another version, or was cut")]
    Magic {
        /// `beginning` or `end`.
        place: &'static str,
    },
    /// The bytes end too early, or hold a number that is not in its one form.
    #[error("frame: {part} cannot be read to its end; the object is truncated or damaged")]
    Damaged {
        /// The part that ends early.
        part: &'static str,
    },
    /// Something cannot be.
    #[error("frame: {part} is contradictory: {problem}; the object is damaged")]
    Contradiction {
        /// The part.
        part: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
    /// It is larger than any frame that is written.
    #[error("frame: {part} is larger than in any frame; the object is damaged")]
    TooLarge {
        /// The part.
        part: &'static str,
    },
}

impl Frame {
    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let labels: BTreeSet<&LabelKey> = self.seconds.values().flat_map(|second| second.labels.keys()).collect();
        let labels: Vec<&LabelKey> = labels.into_iter().collect();
        let mut bytes = Vec::from(MAGIC);
        bytes.push(u8::from(self.ended));
        leb128::put_signed(self.from, &mut bytes);
        leb128::put(self.through.abs_diff(self.from), &mut bytes);
        leb128::put(self.left_out, &mut bytes);
        leb128::put(labels.len() as u64, &mut bytes);
        for LabelKey { kind, name } in &labels {
            bytes.push(u8::from(*kind == SampleKind::Transaction));
            leb128::put_counted(name.as_bytes(), &mut bytes);
        }
        leb128::put(self.seconds.len() as u64, &mut bytes);
        let mut before = self.from;
        for (number, second) in &self.seconds {
            leb128::put_signed(number - before, &mut bytes);
            put_second(second, &labels, &mut bytes);
            before = *number;
        }
        put_worker(self.late, self.load.as_ref(), &mut bytes);
        bytes.extend_from_slice(&MAGIC);
        bytes
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// [`FrameError`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        let EncodedFrame { from, through, ended, left_out, late, load, seconds } = EncodedFrame::read(bytes)?;
        let seconds = seconds.iter().map(|encoded| {
            let mut second = FrameSecond { users: encoded.users, ..FrameSecond::default() };
            for row in &encoded.rows {
                row.responses.merge_into(second.labels.entry(row.key()).or_default());
            }
            for (key, count) in encoded.errors() {
                second.errors.add(key, count);
            }
            (encoded.second, second)
        });
        Ok(Self { from, through, ended, left_out, late, load, seconds: seconds.collect() })
    }
}

/// What the worker says of itself. Frames of older releases end before it.
fn put_worker(late: u64, load: Option<&GeneratorLoad>, bytes: &mut Vec<u8>) {
    if late == 0 && load.is_none() {
        return;
    }
    leb128::put(late, bytes);
    bytes.push(u8::from(load.is_some()));
    let Some(load) = load else { return };
    for share in [load.cpu_ppm, load.throttled_ppm, load.memory_ppm] {
        leb128::put(share.map_or(0, |share| share.min(MAXIMUM_PPM) + 1), bytes);
    }
    bytes.push(u8::from(load.saturated));
}

fn put_second(second: &FrameSecond, labels: &[&LabelKey], bytes: &mut Vec<u8>) {
    leb128::put(second.users, bytes);
    leb128::put(second.labels.len() as u64, bytes);
    let mut next = 0;
    for (key, responses) in &second.labels {
        // The labels are those of all seconds, so each is there.
        let place = labels.binary_search(&key).unwrap_or(next);
        leb128::put((place - next) as u64, bytes);
        put_responses(responses, bytes);
        next = place + 1;
    }
    leb128::put(second.errors.len() as u64, bytes);
    for (key, count) in second.errors.iter() {
        for text in [&key.label, &key.code, &key.message] {
            leb128::put_counted(text.as_bytes(), bytes);
        }
        leb128::put(count, bytes);
    }
}

fn put_responses(responses: &Responses, bytes: &mut Vec<u8>) {
    let Responses { elapsed, errors, interrupted, bytes: received } = responses;
    leb128::put(*interrupted, bytes);
    let slots = elapsed.histogram().counts().count();
    leb128::put(slots as u64, bytes);
    let Moments { sum_us, sum_of_squares, bounds_us, clamped } = elapsed.moments;
    let Some((minimum, maximum)) = bounds_us else { return };
    leb128::put(*errors, bytes);
    leb128::put(received.unwrap_or(UNTOLD), bytes);
    put_wide(sum_us, bytes);
    put_wide(sum_of_squares, bytes);
    leb128::put(clamped, bytes);
    leb128::put(minimum, bytes);
    leb128::put(maximum - minimum, bytes);
    let mut next = 0;
    for (index, count) in elapsed.histogram().counts() {
        leb128::put((index - next) as u64, bytes);
        leb128::put(count, bytes);
        next = index + 1;
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the two halves are meant")]
fn put_wide(number: u128, bytes: &mut Vec<u8>) {
    leb128::put(number as u64, bytes);
    leb128::put((number >> 64) as u64, bytes);
}

/// A frame whose bytes were checked. What it holds can be added to a sum without making a [`Frame`] of it.
#[derive(Debug, Clone)]
pub struct EncodedFrame<'a> {
    /// See [`Frame::from`].
    pub from: i64,
    /// See [`Frame::through`].
    pub through: i64,
    /// See [`Frame::ended`].
    pub ended: bool,
    /// See [`Frame::left_out`].
    pub left_out: u64,
    /// See [`Frame::late`].
    pub late: u64,
    /// See [`Frame::load`].
    pub load: Option<GeneratorLoad>,
    /// In ascending order.
    pub seconds: Vec<EncodedSecond<'a>>,
}

/// One second of it.
#[derive(Debug, Clone)]
pub struct EncodedSecond<'a> {
    /// Since 1970-01-01 UTC.
    pub second: i64,
    /// See [`FrameSecond::users`].
    pub users: u64,
    /// In the order of the labels.
    pub rows: Vec<EncodedRow<'a>>,
    errors: Vec<([&'a str; 3], u64)>,
}

/// One label of it.
#[derive(Debug, Clone, Copy)]
pub struct EncodedRow<'a> {
    /// Request or transaction.
    pub kind: SampleKind,
    /// Name of the label.
    pub name: &'a str,
    /// What became of its requests.
    pub responses: EncodedResponses<'a>,
}

/// What became of the requests of one label.
#[derive(Debug, Clone, Copy)]
pub struct EncodedResponses<'a> {
    interrupted: u64,
    requests: Option<Requests<'a>>,
}

#[derive(Debug, Clone, Copy)]
struct Requests<'a> {
    errors: u64,
    bytes: Option<u64>,
    sum_us: u128,
    sum_of_squares: u128,
    clamped: u64,
    bounds_us: (u64, u64),
    slots: Slots<'a>,
}

impl EncodedSecond<'_> {
    /// Failed requests by label, code and message, in their order.
    pub fn errors(&self) -> impl Iterator<Item = (ErrorKey, u64)> + '_ {
        self.errors.iter().map(|([label, code, message], count)| {
            (ErrorKey { label: (*label).into(), code: (*code).into(), message: (*message).into() }, *count)
        })
    }
}

impl EncodedRow<'_> {
    /// The label.
    #[must_use]
    pub fn key(&self) -> LabelKey {
        LabelKey { kind: self.kind, name: self.name.into() }
    }
}

impl EncodedResponses<'_> {
    /// Adds them to others.
    pub fn merge_into(&self, sum: &mut Responses) {
        sum.interrupted = add_counts(sum.interrupted, self.interrupted);
        let Some(Requests { errors, bytes, sum_us, sum_of_squares, clamped, bounds_us, slots }) = self.requests else {
            return;
        };
        sum.errors = add_counts(sum.errors, errors);
        sum.bytes = add_told(sum.bytes, bytes);
        let moments = Moments { sum_us, sum_of_squares, bounds_us: Some(bounds_us), clamped };
        sum.elapsed.moments.merge(&moments);
        sum.elapsed.histogram.add_all(slots);
    }
}

/// Counts by index, ascending, of bytes that were checked.
#[derive(Debug, Clone, Copy)]
struct Slots<'a> {
    left: u64,
    next: usize,
    source: Source<'a>,
}

#[expect(
    clippy::copy_iterator,
    reason = "it is part of what a frame's reader hands out by value, and read once from each copy"
)]
impl Iterator for Slots<'_> {
    type Item = (usize, u64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let index = self.next + usize::try_from(self.source.number()?).ok()?;
        self.next = index + 1;
        Some((index, self.source.number()?))
    }
}

impl<'a> EncodedFrame<'a> {
    /// Checks bytes and says what is in them.
    ///
    /// # Errors
    /// [`FrameError`] for everything that [`Frame::encode`] does not write. Memory is bounded: some 13,000 rows, whose
    /// response times stay where they are in the bytes.
    pub fn read(bytes: &'a [u8]) -> Result<Self, FrameError> {
        if bytes.len() > MAXIMUM_ENCODED_BYTES {
            return Err(FrameError::TooLarge { part: "it" });
        }
        let body = bytes.strip_prefix(&MAGIC).ok_or(FrameError::Magic { place: "beginning" })?;
        let body = body.strip_suffix(&MAGIC).ok_or(FrameError::Magic { place: "end" })?;
        let mut fields = Fields { part: "its head", source: Source::new(body) };
        let ended = fields.flag()?;
        let from = fields.signed()?;
        let through = from.checked_add_unsigned(fields.number()?);
        let Some(through) = through else { return Err(fields.contradiction("it closes more seconds than there are")) };
        let left_out = fields.count()?;
        fields.part = "its labels";
        let labels = read_labels(&mut fields)?;
        fields.part = "a second";
        let mut used = vec![false; labels.len()];
        let mut seconds: Vec<EncodedSecond<'a>> = Vec::new();
        for _ in 0..fields.at_most(SECONDS)? {
            let gap = fields.signed()?;
            let second =
                seconds.last().map_or(from, |last| last.second).checked_add(gap).filter(|second| *second <= through);
            let Some(second) = second.filter(|_| seconds.is_empty() || gap > 0) else {
                return Err(fields.contradiction("it is not in order or after the last that is closed"));
            };
            seconds.push(read_second(second, &labels, &mut used, &mut fields)?);
        }
        if used.contains(&false) {
            return Err(fields.contradiction("a label has no row in any"));
        }
        let (mut late, mut load) = (0, None);
        if !fields.source.is_empty() {
            fields.part = "what the worker says of itself";
            (late, load) = read_worker(&mut fields)?;
        }
        if !fields.source.is_empty() {
            return Err(fields.contradiction("bytes follow it"));
        }
        Ok(Self { from, through, ended, left_out, late, load, seconds })
    }
}

fn read_worker(fields: &mut Fields<'_>) -> Result<(u64, Option<GeneratorLoad>), FrameError> {
    let late = fields.count()?;
    if !fields.flag()? {
        return if late > 0 { Ok((late, None)) } else { Err(fields.contradiction("it is nothing")) };
    }
    let mut shares = [None; 3];
    for share in &mut shares {
        *share = fields.number()?.checked_sub(1);
        if share.is_some_and(|share| share > MAXIMUM_PPM) {
            return Err(fields.contradiction("a share is larger than any that is told"));
        }
    }
    let [cpu_ppm, throttled_ppm, memory_ppm] = shares;
    Ok((late, Some(GeneratorLoad { cpu_ppm, throttled_ppm, memory_ppm, saturated: fields.flag()? })))
}

type Label<'a> = (SampleKind, &'a str);

fn read_labels<'a>(fields: &mut Fields<'a>) -> Result<Vec<Label<'a>>, FrameError> {
    let mut labels: Vec<Label<'a>> = Vec::new();
    // Those with a row of their own, and `[other]` of each kind.
    for _ in 0..fields.at_most(LABELS + 2)? {
        let kind = match fields.byte()? {
            0 => SampleKind::Request,
            1 => SampleKind::Transaction,
            _ => return Err(fields.contradiction("one is neither request nor transaction")),
        };
        let label = (kind, fields.text(LABEL_BYTES)?);
        if labels.last().is_some_and(|last| *last >= label) {
            return Err(fields.contradiction("they are not in order"));
        }
        labels.push(label);
    }
    Ok(labels)
}

fn read_second<'a>(
    second: i64,
    labels: &[Label<'a>],
    used: &mut [bool],
    fields: &mut Fields<'a>,
) -> Result<EncodedSecond<'a>, FrameError> {
    let users = fields.count()?;
    let mut rows = Vec::new();
    let mut next = 0_usize;
    for _ in 0..fields.at_most(labels.len())? {
        let place = usize::try_from(fields.number()?).ok().and_then(|skipped| next.checked_add(skipped));
        let place = place.unwrap_or(usize::MAX);
        let (Some((kind, name)), Some(used)) = (labels.get(place).copied(), used.get_mut(place)) else {
            return Err(fields.contradiction("a row is of no label"));
        };
        *used = true;
        rows.push(EncodedRow { kind, name, responses: read_responses(fields)? });
        next = place + 1;
    }
    if users == 0 && rows.is_empty() {
        return Err(fields.contradiction("it says nothing"));
    }
    Ok(EncodedSecond { second, users, errors: read_errors(&rows, fields)?, rows })
}

fn read_responses<'a>(fields: &mut Fields<'a>) -> Result<EncodedResponses<'a>, FrameError> {
    let interrupted = fields.count()?;
    let slots = fields.at_most(SLOTS)? as u64;
    if slots == 0 {
        return match interrupted {
            0 => Err(fields.contradiction("a row has no requests")),
            _ => Ok(EncodedResponses { interrupted, requests: None }),
        };
    }
    let (errors, bytes) = (fields.count()?, fields.told()?);
    let (sum_us, sum_of_squares) = (fields.wide()?, fields.wide()?);
    let clamped = fields.count()?;
    let minimum = fields.number()?;
    let maximum = minimum.checked_add(fields.number()?).filter(|maximum| *maximum <= HIGHEST_US);
    let Some(maximum) = maximum else { return Err(fields.contradiction("a maximum is above all response times")) };
    let slots = Slots { left: slots, next: 0, source: fields.source };
    let (mut requests, mut next) = (0_u64, 0_usize);
    let mut ends: Option<(usize, usize)> = None;
    for _ in 0..slots.left {
        let index = usize::try_from(fields.number()?).ok().and_then(|empty| next.checked_add(empty));
        let Some(index) = index.filter(|index| *index < SLOTS) else {
            return Err(fields.contradiction("a response time is above all response times"));
        };
        match fields.count()? {
            0 => return Err(fields.contradiction("a response time occurs 0 times")),
            count => requests = add_counts(requests, count),
        }
        ends = Some((ends.map_or(index, |(first, _)| first), index));
        next = index + 1;
    }
    let holds = |index: usize, value: u64| {
        let slot = Slot::at(index);
        slot.low_us <= value && value <= slot.high_us
    };
    if !ends.is_some_and(|(first, last)| holds(first, minimum) && holds(last, maximum)) {
        return Err(fields.contradiction("minimum and maximum do not fit the response times"));
    }
    if errors > requests || clamped > requests {
        return Err(fields.contradiction("more requests failed or were clamped than there are"));
    }
    // A count that has stopped at the maximum says nothing about the sum.
    let bounds = u128::from(requests) * u128::from(minimum)..=u128::from(requests) * u128::from(maximum);
    if requests < MAXIMUM_COUNT && !bounds.contains(&sum_us) {
        return Err(fields.contradiction("a sum does not fit minimum and maximum"));
    }
    let bounds_us = (minimum, maximum);
    let requests = Requests { errors, bytes, sum_us, sum_of_squares, clamped, bounds_us, slots };
    Ok(EncodedResponses { interrupted, requests: Some(requests) })
}

fn read_errors<'a>(rows: &[EncodedRow<'a>], fields: &mut Fields<'a>) -> Result<Vec<([&'a str; 3], u64)>, FrameError> {
    let mut groups: Vec<([&str; 3], u64)> = Vec::new();
    let mut failures = 0;
    for _ in 0..fields.at_most(ERROR_GROUPS + 1)? {
        let texts = [fields.text(LABEL_BYTES)?, fields.text(TEXT_BYTES)?, fields.text(TEXT_BYTES)?];
        let count = fields.count()?;
        if count == 0 || groups.last().is_some_and(|(last, _)| *last >= texts) {
            return Err(fields.contradiction("its errors are not in order or occur 0 times"));
        }
        failures = add_counts(failures, count);
        groups.push((texts, count));
    }
    let of_requests = rows.iter().filter(|row| row.kind == SampleKind::Request);
    let failed = of_requests.filter_map(|row| row.responses.requests).fold(0, |sum, row| add_counts(sum, row.errors));
    if failures == failed { Ok(groups) } else { Err(fields.contradiction("its errors are not those of its rows")) }
}

/// The rest of the bytes, with the name of the part for errors.
struct Fields<'a> {
    part: &'static str,
    source: Source<'a>,
}

impl<'a> Fields<'a> {
    fn contradiction(&self, problem: &'static str) -> FrameError {
        FrameError::Contradiction { part: self.part, problem }
    }

    fn damaged(&self) -> FrameError {
        FrameError::Damaged { part: self.part }
    }

    fn byte(&mut self) -> Result<u8, FrameError> {
        self.source.byte().ok_or(FrameError::Damaged { part: self.part })
    }

    fn flag(&mut self) -> Result<bool, FrameError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.contradiction("a flag is neither 0 nor 1")),
        }
    }

    fn number(&mut self) -> Result<u64, FrameError> {
        self.source.number().ok_or(FrameError::Damaged { part: self.part })
    }

    fn signed(&mut self) -> Result<i64, FrameError> {
        self.source.signed().ok_or(FrameError::Damaged { part: self.part })
    }

    fn wide(&mut self) -> Result<u128, FrameError> {
        let (low, high) = (self.number()?, self.number()?);
        Ok(u128::from(high) << 64 | u128::from(low))
    }

    fn count(&mut self) -> Result<u64, FrameError> {
        match self.number()? {
            count if count <= MAXIMUM_COUNT => Ok(count),
            _ => Err(self.contradiction("a count exceeds 2^63 - 1")),
        }
    }

    /// A count, or that it is not known.
    fn told(&mut self) -> Result<Option<u64>, FrameError> {
        match self.number()? {
            UNTOLD => Ok(None),
            count if count <= MAXIMUM_COUNT => Ok(Some(count)),
            _ => Err(self.contradiction("bytes exceed 2^63")),
        }
    }

    /// A number of things of which there are at most so many.
    fn at_most(&mut self, limit: usize) -> Result<usize, FrameError> {
        let number = usize::try_from(self.number()?).ok().filter(|number| *number <= limit);
        number.ok_or(FrameError::TooLarge { part: self.part })
    }

    fn text(&mut self, limit: usize) -> Result<&'a str, FrameError> {
        let bytes = self.source.counted().ok_or_else(|| self.damaged())?;
        if bytes.len() > limit {
            return Err(FrameError::TooLarge { part: self.part });
        }
        std::str::from_utf8(bytes).map_err(|_| self.contradiction("a text is not UTF-8"))
    }
}
