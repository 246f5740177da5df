//! Cutting bytes into pieces, always the same ones for the same bytes.

use std::hash::{DefaultHasher, Hash, Hasher};

/// Numbers that follow from some bytes and look random.
#[derive(Debug, Clone)]
pub struct Numbers(u64);

impl Numbers {
    /// The numbers that follow from these bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        Self(hasher.finish() | 1)
    }

    /// The next number, from 0 to `limit`, both included.
    pub fn up_to(&mut self, limit: usize) -> usize {
        // xorshift64 (Marsaglia 2003)
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (limit as u64 + 1)).unwrap_or(limit)
    }
}

/// The bytes in pieces, of which many are short and some are empty.
pub fn pieces(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut numbers = Numbers::from_bytes(bytes);
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let limit = if numbers.up_to(3) == 0 { rest.len() } else { rest.len().min(9) };
        let (piece, behind) = rest.split_at(numbers.up_to(limit));
        rest = behind;
        Some(piece)
    })
}
