//! The record of one label.

use super::FileError;
use super::bytes::{Fields, put_text};
use crate::histogram::{EncodedHistogram, MAXIMUM_COUNT, Slot, add_counts};
use crate::statistics::{LabelStatistics, Mean, Moments, Outcome, Received};

/// Mark of an outcome without samples.
const NOTHING: u8 = 0;
/// Mark of an outcome whose bytes are known.
const TOLD: u8 = 1;
/// Mark of an outcome with samples of which the engine tells no bytes.
const UNTOLD: u8 = 2;

pub(super) fn write(label: &LabelStatistics, bytes: &mut Vec<u8>) {
    for outcome in [&label.successes, &label.failures, &label.interrupted] {
        write_outcome(outcome, bytes);
    }
    bytes.extend_from_slice(&label.folding_workers.to_le_bytes());
    bytes.extend_from_slice(&u32::try_from(label.codes.len()).unwrap_or(u32::MAX).to_le_bytes());
    for (code, count) in &label.codes {
        put_text(code, bytes);
        bytes.extend_from_slice(&count.to_le_bytes());
    }
}

fn write_outcome(outcome: &Outcome, bytes: &mut Vec<u8>) {
    let Moments { sum_us, sum_of_squares, bounds_us, clamped } = outcome.elapsed.moments;
    let Some((minimum, maximum)) = bounds_us else {
        bytes.push(NOTHING);
        return;
    };
    let Received { bytes: received, untold } = outcome.received;
    bytes.push(if untold == 0 { TOLD } else { UNTOLD });
    bytes.extend_from_slice(&sum_us.to_le_bytes());
    bytes.extend_from_slice(&sum_of_squares.to_le_bytes());
    for number in [clamped, minimum, maximum] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    for mean in [&outcome.first_byte, &outcome.connect] {
        bytes.extend_from_slice(&mean.count.to_le_bytes());
        bytes.extend_from_slice(&mean.sum_us.to_le_bytes());
    }
    bytes.extend_from_slice(&received.to_le_bytes());
    if untold > 0 {
        bytes.extend_from_slice(&untold.to_le_bytes());
    }
    let length_at = bytes.len();
    bytes.extend_from_slice(&0_u32.to_le_bytes());
    let start = bytes.len();
    outcome.elapsed.histogram.encode_into(bytes);
    // MAXIMUM_ENCODED_BYTES is far below 2³².
    let length = u32::try_from(bytes.len() - start).unwrap_or(u32::MAX);
    bytes[length_at..start].copy_from_slice(&length.to_le_bytes());
}

/// The record of a label: bytes that were checked, and can be added to statistics without being copied.
#[derive(Debug, Clone)]
pub(super) struct Record<'a> {
    outcomes: [Option<EncodedOutcome<'a>>; 3],
    folding_workers: u64,
    codes: Vec<(&'a str, u64)>,
}

#[derive(Debug, Clone, Copy)]
struct EncodedOutcome<'a> {
    histogram: EncodedHistogram<'a>,
    sum_us: u128,
    sum_of_squares: u128,
    bounds_us: (u64, u64),
    clamped: u64,
    first_byte: Mean,
    connect: Mean,
    received: Received,
}

impl<'a> Record<'a> {
    pub(super) fn read(name: &str, bytes: &'a [u8]) -> Result<Self, FileError> {
        let mut fields = Fields::new("the record of a label", bytes);
        let outcomes =
            [read_outcome(name, &mut fields)?, read_outcome(name, &mut fields)?, read_outcome(name, &mut fields)?];
        let folding_workers = fields.u64()?;
        let codes = read_codes(name, &mut fields)?;
        fields.end()?;
        Ok(Self { outcomes, folding_workers, codes })
    }

    /// Adds all samples of the record to the statistics of a label.
    pub(super) fn merge_into(&self, label: &mut LabelStatistics) {
        let outcomes = [&mut label.successes, &mut label.failures, &mut label.interrupted];
        for (known, encoded) in outcomes.into_iter().zip(&self.outcomes) {
            if let Some(encoded) = encoded {
                encoded.merge_into(known);
            }
        }
        for (code, count) in &self.codes {
            label.add_code(code, *count);
        }
        label.folding_workers = add_counts(label.folding_workers, self.folding_workers);
    }
}

impl EncodedOutcome<'_> {
    fn merge_into(&self, outcome: &mut Outcome) {
        let Self { sum_us, sum_of_squares, clamped, .. } = *self;
        let moments = Moments { sum_us, sum_of_squares, bounds_us: Some(self.bounds_us), clamped };
        outcome.elapsed.moments.merge(&moments);
        outcome.elapsed.histogram.merge_encoded(&self.histogram);
        outcome.first_byte.merge(&self.first_byte);
        outcome.connect.merge(&self.connect);
        outcome.received.merge(&self.received);
    }
}

fn read_codes<'a>(name: &str, fields: &mut Fields<'a>) -> Result<Vec<(&'a str, u64)>, FileError> {
    let mut codes: Vec<(&str, u64)> = Vec::new();
    for _ in 0..fields.u32()? {
        let code = fields.text()?;
        if codes.last().is_some_and(|(last, _)| *last >= code) {
            return Err(contradiction(name, "its response codes are not in order"));
        }
        codes.push((code, fields.u64()?));
    }
    Ok(codes)
}

fn read_outcome<'a>(name: &str, fields: &mut Fields<'a>) -> Result<Option<EncodedOutcome<'a>>, FileError> {
    let mark = fields.u8()?;
    match mark {
        NOTHING => return Ok(None),
        TOLD | UNTOLD => {}
        _ => return Err(contradiction(name, "an outcome is marked neither 0 nor 1 nor 2")),
    }
    let sum_us = fields.u128()?;
    let sum_of_squares = fields.u128()?;
    let clamped = fields.u64()?;
    let bounds_us = (fields.u64()?, fields.u64()?);
    let first_byte = Mean { count: fields.u64()?, sum_us: fields.u128()? };
    let connect = Mean { count: fields.u64()?, sum_us: fields.u128()? };
    let bytes = fields.u64()?;
    let untold = if mark == UNTOLD { fields.u64()? } else { 0 };
    if mark == UNTOLD && untold == 0 {
        return Err(contradiction(name, "it has samples without bytes but none of them"));
    }
    let received = Received { bytes, untold };
    let length = fields.u32()? as usize;
    let histogram = EncodedHistogram::read(fields.take(length)?)
        .map_err(|source| FileError::Histogram { label: name.to_owned(), source })?;
    let outcome =
        EncodedOutcome { histogram, sum_us, sum_of_squares, bounds_us, clamped, first_byte, connect, received };
    check(&outcome).map_err(|problem| contradiction(name, problem))?;
    Ok(Some(outcome))
}

/// What holds for every outcome that samples led to.
fn check(outcome: &EncodedOutcome<'_>) -> Result<(), &'static str> {
    let count = outcome.histogram.total;
    let (minimum, maximum) = outcome.bounds_us;
    let Some((first, last)) = outcome.histogram.ends else {
        return Err("it is marked as having samples but has none");
    };
    let holds = |slot: Slot, value: u64| slot.low_us <= value && value <= slot.high_us;
    if minimum > maximum || !holds(first, minimum) || !holds(last, maximum) {
        return Err("its minimum and maximum do not fit its histogram");
    }
    // A count that has stopped at the maximum says nothing about the sum.
    let wide = u128::from(count);
    if count < MAXIMUM_COUNT
        && !(wide * u128::from(minimum)..=wide.saturating_mul(u128::from(maximum))).contains(&outcome.sum_us)
    {
        return Err("its sum does not fit its minimum and maximum");
    }
    let Received { bytes, untold } = outcome.received;
    let details = [outcome.clamped, outcome.first_byte.count, outcome.connect.count, untold];
    if details.iter().any(|detail| *detail > count) {
        return Err("more samples were measured in detail than there are");
    }
    if bytes > MAXIMUM_COUNT { Err("its bytes exceed 2^63 - 1") } else { Ok(()) }
}

fn contradiction(name: &str, problem: &'static str) -> FileError {
    FileError::Contradiction { part: format!("label '{name}'"), problem }
}
