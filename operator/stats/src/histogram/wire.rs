//! The canonical bytes: `HdrHistogram`'s V2 encoding, uncompressed, with the fixed bounds in the header.
//!
//! Source: the V2 encoding of the Java `HdrHistogram` (`encodeIntoByteBuffer`), which the `hdrhistogram` crate shares.
//! All header fields are big-endian:
//!
//! | bytes | field | value here |
//! |---|---|---|
//! | 4 | cookie | `0x1c849313` |
//! | 4 | length of the counts in bytes | |
//! | 4 | normalizing index offset | 0 |
//! | 4 | significant digits | 3 |
//! | 8 | lowest value | 1 |
//! | 8 | highest value | 2³⁷ |
//! | 8 | integer to double ratio | 1.0 |
//!
//! Then the counts up to the last one that is not zero, each as a `ZigZag` LEB128 number of at most 9 bytes, where the
//! ninth byte has 8 bits; a negative number −n stands for n ≥ 2 zeros. An empty histogram has one count of 0.

use super::slots::SLOTS;
use super::{HIGHEST_US, Histogram, LOWEST_US, SIGNIFICANT_DIGITS, Slot, add_counts};

const COOKIE: u32 = 0x1c84_9313;
const HEADER_BYTES: usize = 40;
/// No encoding of a histogram is longer.
pub const MAXIMUM_ENCODED_BYTES: usize = HEADER_BYTES + 9 * SLOTS;

/// Why bytes are not a histogram of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The bytes end too early.
    #[error("histogram ends after {available} bytes although {needed} are needed; the object is truncated or damaged")]
    Truncated {
        /// Bytes needed.
        needed: usize,
        /// Bytes there.
        available: usize,
    },
    /// The first four bytes are others.
    #[error("histogram begins with {found:#010x} instead of {COOKIE:#010x}; only uncompressed V2 is read")]
    Cookie {
        /// What was found.
        found: u32,
    },
    /// A header field has another value than the fixed one.
    #[error("histogram header says {field} {found} but only {expected} is read")]
    Header {
        /// Name of the field.
        field: &'static str,
        /// Value found.
        found: u64,
        /// The only value read.
        expected: u64,
    },
    /// Bytes follow the counts.
    #[error("histogram is followed by {extra} unexpected bytes")]
    Trailing {
        /// How many.
        extra: usize,
    },
    /// A count or a run of zeros lies beyond the range of values.
    #[error("histogram has counts beyond its range of {SLOTS} slots")]
    TooManySlots,
}

impl Histogram {
    /// The canonical bytes. Equal histograms have equal bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode_into(&mut bytes);
        bytes
    }

    /// Appends the canonical bytes.
    pub fn encode_into(&self, bytes: &mut Vec<u8>) {
        let start = bytes.len();
        bytes.extend_from_slice(&COOKIE.to_be_bytes());
        bytes.extend_from_slice(&0_u32.to_be_bytes());
        bytes.extend_from_slice(&0_u32.to_be_bytes());
        bytes.extend_from_slice(&u32::from(SIGNIFICANT_DIGITS).to_be_bytes());
        bytes.extend_from_slice(&LOWEST_US.to_be_bytes());
        bytes.extend_from_slice(&HIGHEST_US.to_be_bytes());
        bytes.extend_from_slice(&1_f64.to_be_bytes());
        let mut next = 0;
        for (index, count) in self.counts() {
            match index - next {
                0 => {}
                1 => write_number(0, bytes),
                zeros => write_number(-i64::try_from(zeros).unwrap_or(i64::MAX), bytes),
            }
            // Counts never exceed i64::MAX, see `add_counts`.
            write_number(i64::try_from(count).unwrap_or(i64::MAX), bytes);
            next = index + 1;
        }
        if next == 0 {
            write_number(0, bytes);
        }
        // At most 9 bytes for each of the SLOTS counts.
        let length = u32::try_from(bytes.len() - start - HEADER_BYTES).unwrap_or(u32::MAX);
        bytes[start + 4..start + 8].copy_from_slice(&length.to_be_bytes());
    }

    /// Reads what [`encode`](Self::encode) wrote, and any uncompressed V2 encoding with the same bounds.
    ///
    /// # Errors
    /// [`WireError`] for anything else. Memory is bounded by the fixed range, whatever the bytes say.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let encoded = EncodedHistogram::read(bytes)?;
        let mut histogram = Self::new();
        histogram.merge_encoded(&encoded);
        Ok(histogram)
    }

    /// Adds the counts of an encoded histogram, without making one of it.
    pub(crate) fn merge_encoded(&mut self, encoded: &EncodedHistogram<'_>) {
        self.add_all(Counts { rest: encoded.counts, index: 0 });
    }
}

/// Bytes that were found to be a histogram.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EncodedHistogram<'a> {
    counts: &'a [u8],
    /// Number of recorded values.
    pub(crate) total: u64,
    /// The first and the last slot with a count; none without.
    pub(crate) ends: Option<(Slot, Slot)>,
}

impl<'a> EncodedHistogram<'a> {
    /// Checks bytes; see [`Histogram::decode`].
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, WireError> {
        let Some((header, counts)) = bytes.split_at_checked(HEADER_BYTES) else {
            return Err(WireError::Truncated { needed: HEADER_BYTES, available: bytes.len() });
        };
        let length = check_header(header)?;
        if counts.len() < length {
            return Err(WireError::Truncated { needed: HEADER_BYTES + length, available: bytes.len() });
        }
        if counts.len() > length {
            return Err(WireError::Trailing { extra: counts.len() - length });
        }
        let (mut rest, mut index, mut total) = (counts, 0_usize, 0);
        let mut ends: Option<(usize, usize)> = None;
        while !rest.is_empty() {
            let (number, after) =
                read_number(rest).ok_or(WireError::Truncated { needed: bytes.len() + 1, available: bytes.len() })?;
            rest = after;
            let step = match u64::try_from(number) {
                Ok(count) => {
                    if index >= SLOTS {
                        return Err(WireError::TooManySlots);
                    }
                    if count > 0 {
                        total = add_counts(total, count);
                        ends = Some((ends.map_or(index, |(first, _)| first), index));
                    }
                    1
                }
                Err(_) => usize::try_from(number.unsigned_abs()).map_err(|_| WireError::TooManySlots)?,
            };
            index = index.checked_add(step).filter(|index| *index <= SLOTS).ok_or(WireError::TooManySlots)?;
        }
        Ok(Self { counts, total, ends: ends.map(|(first, last)| (Slot::at(first), Slot::at(last))) })
    }
}

/// The counts of checked bytes by index, ascending, without zeros.
struct Counts<'a> {
    rest: &'a [u8],
    index: usize,
}

impl Iterator for Counts<'_> {
    type Item = (usize, u64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (number, rest) = read_number(self.rest)?;
            self.rest = rest;
            let index = self.index;
            match u64::try_from(number) {
                Ok(count) => {
                    self.index += 1;
                    if count > 0 {
                        return Some((index, count));
                    }
                }
                Err(_) => self.index += usize::try_from(number.unsigned_abs()).unwrap_or(SLOTS),
            }
        }
    }
}

/// Checks the fixed fields of a header of 40 bytes and gives the length of the counts.
fn check_header(header: &[u8]) -> Result<usize, WireError> {
    let word = |at: usize| header[at..at + 4].iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
    let long = |at: usize| u64::from(word(at)) << 32 | u64::from(word(at + 4));
    if word(0) != COOKIE {
        return Err(WireError::Cookie { found: word(0) });
    }
    for (field, found, expected) in [
        ("normalizing index offset", u64::from(word(8)), 0),
        ("significant digits", u64::from(word(12)), u64::from(SIGNIFICANT_DIGITS)),
        ("lowest value", long(16), LOWEST_US),
        ("highest value", long(24), HIGHEST_US),
        ("integer to double ratio (bits)", long(32), 1_f64.to_bits()),
    ] {
        if found != expected {
            return Err(WireError::Header { field, found, expected });
        }
    }
    let length = word(4) as usize;
    if length > MAXIMUM_ENCODED_BYTES - HEADER_BYTES {
        return Err(WireError::TooManySlots);
    }
    Ok(length)
}

#[allow(clippy::cast_sign_loss, reason = "ZigZag maps the sign into the lowest bit")]
#[allow(clippy::cast_possible_truncation, reason = "seven bits at a time are meant")]
fn write_number(number: i64, bytes: &mut Vec<u8>) {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    for _ in 0..8 {
        if rest < 0x80 {
            bytes.push(rest as u8);
            return;
        }
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

#[inline]
#[allow(clippy::cast_possible_wrap, reason = "ZigZag maps the lowest bit back into the sign")]
fn read_number(bytes: &[u8]) -> Option<(i64, &[u8])> {
    // Most counts are small.
    match bytes.split_first() {
        Some((byte, rest)) if *byte < 0x80 => Some((i64::from(*byte >> 1) ^ -i64::from(*byte & 1), rest)),
        _ => read_long_number(bytes),
    }
}

#[allow(clippy::cast_possible_wrap, reason = "ZigZag maps the lowest bit back into the sign")]
fn read_long_number(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let mut value = 0_u64;
    for position in 0..9 {
        let byte = *bytes.get(position)?;
        if position < 8 {
            value |= u64::from(byte & 0x7f) << (7 * position);
            if byte >= 0x80 {
                continue;
            }
        } else {
            value |= u64::from(byte) << 56;
        }
        return Some(((value >> 1) as i64 ^ -((value & 1) as i64), &bytes[position + 1..]));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some_histogram() -> Histogram {
        let mut histogram = Histogram::new();
        for (value_us, count) in [(0, 1), (1, 2), (3, 300), (700, 1), (1_000_000, 70_000), (HIGHEST_US, 1 << 60)] {
            histogram.record_n(value_us, count);
        }
        histogram
    }

    #[test]
    fn each_truncation_of_the_bytes_is_an_error() {
        let bytes = some_histogram().encode();
        for length in 0..bytes.len() {
            assert!(matches!(Histogram::decode(&bytes[..length]), Err(WireError::Truncated { .. })), "{length}");
        }
    }

    #[test]
    fn a_changed_header_is_refused_by_name() {
        let good = some_histogram().encode();
        for (at, expected) in [
            (0, "begins with"),
            (11, "normalizing index offset 1"),
            (15, "significant digits 2"),
            (23, "lowest value 0"),
            (31, "highest value 137438953473"),
            (32, "integer to double ratio"),
        ] {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            let message = Histogram::decode(&bytes).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn bytes_after_the_counts_are_refused() {
        let mut bytes = some_histogram().encode();
        bytes.push(0);
        assert_eq!(Histogram::decode(&bytes), Err(WireError::Trailing { extra: 1 }));
    }

    #[test]
    fn counts_and_zeros_beyond_the_range_are_refused() {
        let header = Histogram::new().encode()[..HEADER_BYTES].to_vec();
        for numbers in [vec![i64::MIN], vec![-29_696, 1], vec![-29_696, -2], vec![-i64::MAX, -i64::MAX, 5]] {
            let mut bytes = header.clone();
            for number in &numbers {
                write_number(*number, &mut bytes);
            }
            let length = u32::try_from(bytes.len() - HEADER_BYTES).unwrap();
            bytes[4..8].copy_from_slice(&length.to_be_bytes());
            assert_eq!(Histogram::decode(&bytes), Err(WireError::TooManySlots), "{numbers:?}");
        }
    }

    #[test]
    fn a_length_beyond_any_histogram_is_refused_without_reading_on() {
        let mut bytes = Histogram::new().encode();
        bytes[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(Histogram::decode(&bytes), Err(WireError::TooManySlots));
    }
}
