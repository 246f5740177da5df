//! Reading fields from the front of a slice, with the name of the part in each error.

use super::FileError;

/// The rest of a part that is being read.
pub(super) struct Fields<'a> {
    part: &'static str,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn new(part: &'static str, bytes: &'a [u8]) -> Self {
        Self { part, rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], FileError> {
        let Some((taken, rest)) = self.rest.split_at_checked(length) else {
            let missing = (length - self.rest.len()) as u64;
            return Err(FileError::Truncated { part: self.part, missing });
        };
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FileError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self) -> Result<u8, FileError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32, FileError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, FileError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, FileError> {
        self.array().map(i64::from_le_bytes)
    }

    pub(super) fn u128(&mut self) -> Result<u128, FileError> {
        self.array().map(u128::from_le_bytes)
    }

    /// A text with its length before it. Nothing is allocated before the length was checked.
    pub(super) fn text(&mut self) -> Result<&'a str, FileError> {
        let length = self.u32()? as usize;
        std::str::from_utf8(self.take(length)?).map_err(|_| FileError::Text { part: self.part })
    }

    pub(super) fn end(&self) -> Result<(), FileError> {
        match self.rest.len() as u64 {
            0 => Ok(()),
            extra => Err(FileError::Trailing { part: self.part, extra }),
        }
    }

    pub(super) fn contradiction(&self, problem: &'static str) -> FileError {
        FileError::Contradiction { part: self.part.to_owned(), problem }
    }
}

/// Appends a text with its length before it.
pub(super) fn put_text(text: &str, bytes: &mut Vec<u8>) {
    // Texts come from rows of at most 64 KiB.
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}
