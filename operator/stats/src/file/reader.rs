//! Reading a collection by ranges.

use std::ops::Range;

use super::bytes::Fields;
use super::record::Record;
use super::{FileError, KINDS, MAGIC, TAIL_BYTES, VERSION};
use crate::histogram::MAXIMUM_COUNT;
use crate::statistics::{ErrorGroups, ErrorKey, LabelKey, LabelStatistics, Overview};

/// The last bytes of a file: the figures over all labels, and where everything else is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// The figures that belong to no label.
    pub overview: Overview,
    body_bytes: u64,
    index_bytes: u64,
    errors_bytes: u64,
    labels: u64,
    groups: u64,
}

impl Tail {
    /// Reads the last [`TAIL_BYTES`] of a file of `file_bytes`.
    ///
    /// # Errors
    /// [`FileError`] where they are not the tail of a file of that size.
    pub fn read(file_bytes: u64, last: &[u8]) -> Result<Self, FileError> {
        let mut fields = Fields::new("the tail", last);
        if last.len() < TAIL_BYTES || !last.ends_with(&MAGIC) {
            return Err(FileError::Magic { place: "end" });
        }
        let first_start_us = read_instant(&mut fields)?;
        let last_end_us = read_instant(&mut fields)?;
        let overview = Overview {
            first_start_us,
            last_end_us,
            samples: read_count(&mut fields)?,
            malformed_rows: read_count(&mut fields)?,
            folded_label_samples: read_count(&mut fields)?,
            folded_error_samples: read_count(&mut fields)?,
            shortened_label_samples: read_count(&mut fields)?,
            peak_users: read_count(&mut fields)?,
            folding_workers: read_count(&mut fields)?,
        };
        let [body_bytes, index_bytes, errors_bytes, labels, groups] =
            [fields.u64()?, fields.u64()?, fields.u64()?, fields.u64()?, fields.u64()?];
        let version = fields.u32()?;
        if version != VERSION {
            return Err(FileError::Version { found: version });
        }
        fields.take(MAGIC.len())?;
        fields.end()?;
        let stated = [MAGIC.len() as u64, body_bytes, index_bytes, errors_bytes, TAIL_BYTES as u64]
            .iter()
            .try_fold(0_u64, |sum, part| sum.checked_add(*part));
        if stated != Some(file_bytes) {
            return Err(FileError::Size { actual: file_bytes });
        }
        Ok(Self { overview, body_bytes, index_bytes, errors_bytes, labels, groups })
    }

    /// Number of labels of both kinds.
    #[must_use]
    pub fn labels(&self) -> u64 {
        self.labels
    }

    /// Where in the file the index is.
    #[must_use]
    pub fn index_range(&self) -> Range<u64> {
        let start = MAGIC.len() as u64 + self.body_bytes;
        start..start + self.index_bytes
    }

    /// Where in the file the error groups are; empty where there are none.
    #[must_use]
    pub fn errors_range(&self) -> Range<u64> {
        let start = self.index_range().end;
        start..start + self.errors_bytes
    }

    /// Reads the bytes of [`index_range`](Self::index_range).
    ///
    /// # Errors
    /// [`FileError`] where they are no index that fits this tail.
    pub fn read_index(&self, bytes: &[u8]) -> Result<Index, FileError> {
        let mut fields = Fields::new("the index", bytes);
        let mut entries: Vec<IndexEntry> = Vec::new();
        let mut offset = MAGIC.len() as u64;
        while !fields.is_empty() {
            let kind = *KINDS
                .get(usize::from(fields.u8()?))
                .ok_or_else(|| fields.contradiction("a label is neither request nor transaction"))?;
            let key = LabelKey { kind, name: fields.text()?.into() };
            if entries.last().is_some_and(|last| last.key >= key) {
                return Err(fields.contradiction("its labels are not in order"));
            }
            let end = offset
                .checked_add(fields.u64()?)
                .ok_or_else(|| fields.contradiction("a record is longer than any file"))?;
            entries.push(IndexEntry { key, range: offset..end });
            offset = end;
        }
        if offset != self.index_range().start || entries.len() as u64 != self.labels {
            return Err(fields.contradiction("its records do not fill the file"));
        }
        Ok(Index { entries })
    }

    /// Reads the bytes of [`errors_range`](Self::errors_range).
    ///
    /// # Errors
    /// [`FileError`] where they are no error groups that fit this tail.
    pub fn read_errors(&self, bytes: &[u8]) -> Result<ErrorGroups, FileError> {
        let mut fields = Fields::new("the error groups", bytes);
        let mut errors = ErrorGroups::default();
        let mut last: Option<ErrorKey> = None;
        while !fields.is_empty() {
            let key =
                ErrorKey { label: fields.text()?.into(), code: fields.text()?.into(), message: fields.text()?.into() };
            if last.as_ref().is_some_and(|last| *last >= key) {
                return Err(fields.contradiction("its groups are not in order"));
            }
            errors.add(key.clone(), read_count(&mut fields)?);
            last = Some(key);
        }
        if errors.len() as u64 != self.groups {
            return Err(fields.contradiction("its number of groups is another than the tail says"));
        }
        Ok(errors)
    }
}

fn read_instant(fields: &mut Fields<'_>) -> Result<Option<i64>, FileError> {
    match (fields.u8()?, fields.i64()?) {
        (0, 0) => Ok(None),
        (1, instant) => Ok(Some(instant)),
        _ => Err(fields.contradiction("an instant is neither absent nor present")),
    }
}

fn read_count(fields: &mut Fields<'_>) -> Result<u64, FileError> {
    match fields.u64()? {
        count if count <= MAXIMUM_COUNT => Ok(count),
        _ => Err(fields.contradiction("a count exceeds 2^63 - 1")),
    }
}

/// Where the record of a label is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// The label.
    pub key: LabelKey,
    /// Its record's place in the file.
    pub range: Range<u64>,
}

/// The labels of a file in the order of their keys, with the places of their records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Index {
    entries: Vec<IndexEntry>,
}

impl Index {
    /// All entries.
    #[must_use]
    pub fn entries(&self) -> &[IndexEntry] {
        &self.entries
    }

    /// The entries from `first` to `last`, both included where they exist. Their records lie together.
    #[must_use]
    pub fn between(&self, first: &LabelKey, last: &LabelKey) -> &[IndexEntry] {
        let start = self.entries.partition_point(|entry| entry.key < *first);
        let end = self.entries.partition_point(|entry| entry.key <= *last);
        self.entries.get(start..end).unwrap_or_default()
    }

    /// The one range that holds the records of neighbouring entries; none without entries.
    #[must_use]
    pub fn range(entries: &[IndexEntry]) -> Option<Range<u64>> {
        Some(entries.first()?.range.start..entries.last()?.range.end)
    }
}

/// The records of neighbouring entries in the bytes of their [range](Index::range), one after the other.
pub(super) fn read_records<'a>(
    entries: &'a [IndexEntry],
    bytes: &'a [u8],
) -> impl Iterator<Item = Result<(&'a LabelKey, Record<'a>), FileError>> {
    let start = entries.first().map_or(0, |entry| entry.range.start);
    entries.iter().map(move |entry| {
        let place = |at: u64| usize::try_from(at.saturating_sub(start)).unwrap_or(usize::MAX);
        let Some(record) = bytes.get(place(entry.range.start)..place(entry.range.end)) else {
            let missing = (entry.range.end - start).saturating_sub(bytes.len() as u64);
            return Err(FileError::Truncated { part: "the records", missing });
        };
        Ok((&entry.key, Record::read(&entry.key.name, record)?))
    })
}

/// Reads the records of neighbouring entries from the bytes of their [range](Index::range), one after the other.
///
/// An item is a [`FileError`] where a record is not one that the writer writes.
pub fn read_labels<'a>(
    entries: &'a [IndexEntry],
    bytes: &'a [u8],
) -> impl Iterator<Item = Result<(&'a LabelKey, LabelStatistics), FileError>> {
    read_records(entries, bytes).map(|record| {
        let (key, record) = record?;
        let mut label = LabelStatistics::default();
        record.merge_into(&mut label);
        Ok((key, label))
    })
}

/// Adds the record of one label, the bytes of its [`IndexEntry::range`], to statistics, without making statistics of it.
///
/// # Errors
/// [`FileError`] where it is not one that the writer writes; then nothing was added.
pub fn merge_label(name: &str, record: &[u8], into: &mut LabelStatistics) -> Result<(), FileError> {
    Record::read(name, record)?.merge_into(into);
    Ok(())
}
