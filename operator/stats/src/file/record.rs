//! The record of one label.

use std::collections::BTreeMap;

use super::FileError;
use super::bytes::{Fields, put_text};
use crate::histogram::{Histogram, MAXIMUM_COUNT};
use crate::statistics::{Distribution, LabelStatistics, Mean, Outcome};

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
    let elapsed = &outcome.elapsed;
    let Some((minimum, maximum)) = elapsed.bounds_us else {
        bytes.push(0);
        return;
    };
    bytes.push(1);
    bytes.extend_from_slice(&elapsed.sum_us.to_le_bytes());
    bytes.extend_from_slice(&elapsed.sum_of_squares.to_le_bytes());
    for number in [elapsed.clamped, minimum, maximum] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    for mean in [&outcome.first_byte, &outcome.connect] {
        bytes.extend_from_slice(&mean.count.to_le_bytes());
        bytes.extend_from_slice(&mean.sum_us.to_le_bytes());
    }
    bytes.extend_from_slice(&outcome.bytes.to_le_bytes());
    let length_at = bytes.len();
    bytes.extend_from_slice(&0_u32.to_le_bytes());
    let start = bytes.len();
    elapsed.histogram.encode_into(bytes);
    // MAXIMUM_ENCODED_BYTES is far below 2³².
    let length = u32::try_from(bytes.len() - start).unwrap_or(u32::MAX);
    bytes[length_at..start].copy_from_slice(&length.to_le_bytes());
}

pub(super) fn read(name: &str, bytes: &[u8]) -> Result<LabelStatistics, FileError> {
    let mut fields = Fields::new("the record of a label", bytes);
    let successes = read_outcome(name, &mut fields)?;
    let failures = read_outcome(name, &mut fields)?;
    let interrupted = read_outcome(name, &mut fields)?;
    let folding_workers = fields.u64()?;
    let codes = read_codes(name, &mut fields)?;
    fields.end()?;
    Ok(LabelStatistics { successes, failures, interrupted, codes, folding_workers })
}

fn read_codes(name: &str, fields: &mut Fields<'_>) -> Result<BTreeMap<Box<str>, u64>, FileError> {
    let mut codes: BTreeMap<Box<str>, u64> = BTreeMap::new();
    for _ in 0..fields.u32()? {
        let code = fields.text()?;
        if codes.last_key_value().is_some_and(|(last, _)| **last >= *code) {
            return Err(contradiction(name, "its response codes are not in order"));
        }
        codes.insert(code.into(), fields.u64()?);
    }
    Ok(codes)
}

fn read_outcome(name: &str, fields: &mut Fields<'_>) -> Result<Outcome, FileError> {
    match fields.u8()? {
        0 => return Ok(Outcome::default()),
        1 => {}
        _ => return Err(contradiction(name, "an outcome is marked neither 0 nor 1")),
    }
    let sum_us = fields.u128()?;
    let sum_of_squares = fields.u128()?;
    let clamped = fields.u64()?;
    let bounds_us = Some((fields.u64()?, fields.u64()?));
    let first_byte = Mean { count: fields.u64()?, sum_us: fields.u128()? };
    let connect = Mean { count: fields.u64()?, sum_us: fields.u128()? };
    let bytes = fields.u64()?;
    let length = fields.u32()? as usize;
    let histogram = Histogram::decode(fields.take(length)?)
        .map_err(|source| FileError::Histogram { label: name.to_owned(), source })?;
    let elapsed = Distribution { histogram, sum_us, sum_of_squares, bounds_us, clamped };
    check(&elapsed, &[first_byte, connect], bytes).map_err(|problem| contradiction(name, problem))?;
    Ok(Outcome { elapsed, first_byte, connect, bytes })
}

/// What holds for every outcome that samples led to.
fn check(elapsed: &Distribution, means: &[Mean], bytes: u64) -> Result<(), &'static str> {
    let count = elapsed.count();
    let Some((minimum, maximum)) = elapsed.bounds_us.filter(|_| count > 0) else {
        return Err("it is marked as having samples but has none");
    };
    let holds = |slot: Option<(crate::histogram::Slot, u64)>, value: u64| {
        slot.is_some_and(|(slot, _)| slot.low_us <= value && value <= slot.high_us)
    };
    if minimum > maximum
        || !holds(elapsed.histogram.slots().next(), minimum)
        || !holds(elapsed.histogram.slots().last(), maximum)
    {
        return Err("its minimum and maximum do not fit its histogram");
    }
    // A count that has stopped at the maximum says nothing about the sum.
    let wide = u128::from(count);
    if count < MAXIMUM_COUNT
        && !(wide * u128::from(minimum)..=wide.saturating_mul(u128::from(maximum))).contains(&elapsed.sum_us)
    {
        return Err("its sum does not fit its minimum and maximum");
    }
    if elapsed.clamped > count || means.iter().any(|mean| mean.count > count) {
        return Err("more samples were measured in detail than there are");
    }
    if bytes > MAXIMUM_COUNT { Err("its bytes exceed 2^63 - 1") } else { Ok(()) }
}

fn contradiction(name: &str, problem: &'static str) -> FileError {
    FileError::Contradiction { part: format!("label '{name}'"), problem }
}
