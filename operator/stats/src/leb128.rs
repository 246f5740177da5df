//! Numbers of one to ten bytes: LEB128, seven bits a byte, the lowest first; signed ones as `ZigZag`.
//!
//! A number has one form, its shortest. So bytes that are made of numbers are canonical if what they stand for is.

/// Appends a number.
pub(crate) fn put(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// Appends a number that may be negative.
#[allow(clippy::cast_sign_loss, reason = "ZigZag maps the sign into the lowest bit")]
pub(crate) fn put_signed(number: i64, bytes: &mut Vec<u8>) {
    put(((number << 1) ^ (number >> 63)) as u64, bytes);
}

/// Bytes that are read from the front. Each method answers none where the bytes are no such thing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    rest: &'a [u8],
}

impl<'a> Source<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What was not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    pub(crate) fn number(&mut self) -> Option<u64> {
        // Most numbers are small.
        match self.rest.split_first() {
            Some((byte, rest)) if *byte < 0x80 => {
                self.rest = rest;
                Some(u64::from(*byte))
            }
            _ => self.long_number(),
        }
    }

    fn long_number(&mut self) -> Option<u64> {
        let mut number = 0;
        for (position, byte) in self.rest.iter().take(10).enumerate() {
            if position > 0 && *byte == 0 || position == 9 && *byte > 1 {
                return None;
            }
            number |= u64::from(byte & 0x7f) << (7 * position);
            if *byte < 0x80 {
                self.rest = self.rest.get(position + 1..)?;
                return Some(number);
            }
        }
        None
    }

    #[allow(clippy::cast_possible_wrap, reason = "ZigZag maps the lowest bit back into the sign")]
    #[inline]
    pub(crate) fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// That many bytes, with their number before them.
    pub(crate) fn counted(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }
}

/// Appends bytes with their number before them.
pub(crate) fn put_counted(counted: &[u8], bytes: &mut Vec<u8>) {
    put(counted.len() as u64, bytes);
    bytes.extend_from_slice(counted);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length_come_back() {
        for bits in 0..64 {
            for number in [1_u64 << bits, (1 << bits) - 1, u64::MAX >> bits] {
                let mut bytes = Vec::new();
                put(number, &mut bytes);
                put_signed(number.cast_signed(), &mut bytes);
                let mut source = Source::new(&bytes);
                assert_eq!((source.number(), source.signed()), (Some(number), Some(number.cast_signed())));
                assert!(source.is_empty());
            }
        }
    }

    #[test]
    fn longer_forms_larger_numbers_and_cut_ones_are_none() {
        for bytes in
            [&[0x82, 0x00][..], &[0x80], &[], &[0xff; 11], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]]
        {
            assert_eq!(Source::new(bytes).number(), None, "{bytes:?}");
        }
        assert_eq!(Source::new(&[3, 1, 2]).counted(), None);
    }
}
