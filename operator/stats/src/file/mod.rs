//! The file in which a collection travels: from a worker to the aggregator, and as the merged histograms of a run.
//!
//! Labels lie one after the other in the order of their keys, the index and everything small is at the end. So a
//! writer never needs more than one label in memory, and a reader fetches the tail, the index and then the records of
//! a few hundred labels at a time by range. Equal collections have equal bytes. Numbers are little-endian, except
//! inside histograms, which are `HdrHistogram`'s uncompressed V2 encoding (big-endian).
//!
//! ```text
//! file    = magic body index errors tail
//! magic   = "VOLLEYH1"
//! body    = record*                                        one per index entry, in the same order
//! record  = outcome outcome outcome folding:u64 codes      successes, failures, interrupted
//! outcome = 0x00                                           no samples
//!         | 0x01 figures bytes:u64 length:u32 histogram
//!         | 0x02 figures bytes:u64 untold:u64 length:u32 histogram      of `untold` > 0 samples the engine tells no bytes
//! figures = sum:u128 squares:u128 clamped:u64 minimum:u64 maximum:u64
//!           firstByteCount:u64 firstByteSum:u128 connectCount:u64 connectSum:u128
//! codes   = number:u32 (text count:u64)*                   ascending
//! index   = (kind:u8 text recordLength:u64)*               kind 0 request, 1 transaction; ascending
//! errors  = (label:text code:text message:text count:u64)* ascending
//! text    = length:u32 UTF-8
//! tail    = overview bodyLength:u64 indexLength:u64 errorsLength:u64 labels:u64 groups:u64 version:u32 magic
//! overview = instant instant samples:u64 malformed:u64 foldedLabels:u64 foldedErrors:u64 shortened:u64 users:u64 folding:u64
//! instant = 0x00 0:i64 | 0x01 microseconds:i64             first start, last end
//! ```
//!
//! Times are microseconds, squares square microseconds. Sums are exact. What each figure means is said at
//! [`Outcome`](crate::statistics::Outcome), [`LabelStatistics`](crate::statistics::LabelStatistics) and
//! [`Overview`](crate::statistics::Overview).

mod bytes;
mod reader;
mod record;
mod writer;

use reader::read_records;
pub use reader::{Index, IndexEntry, Tail, merge_label, read_labels};
pub use writer::{WriteError, Writer};

use crate::histogram::WireError;
use crate::samples::SampleKind;
use crate::statistics::{Collection, ErrorGroups, LabelKey, LabelStatistics, Overview};

/// The first and the last bytes of a file.
const MAGIC: [u8; 8] = *b"VOLLEYH1";
/// The version of the layout above.
const VERSION: u32 = 1;
/// Bytes of the tail.
pub const TAIL_BYTES: usize = 2 * 9 + 7 * 8 + 5 * 8 + 4 + MAGIC.len();
/// Bytes that are gathered before they are written, but for the record of one label.
const PIECE_BYTES: usize = 64 * 1024;
const KINDS: [SampleKind; 2] = [SampleKind::Request, SampleKind::Transaction];

/// Why bytes are no collection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The bytes end too early.
    #[error("histogram file: {part} ends early, {missing} bytes are missing; the object is truncated or damaged")]
    Truncated {
        /// The part that ends early.
        part: &'static str,
        /// Bytes missing.
        missing: u64,
    },
    /// Bytes are left over.
    #[error("histogram file: {extra} unexpected bytes follow {part}")]
    Trailing {
        /// The part that should have been the last.
        part: &'static str,
        /// Bytes left over.
        extra: u64,
    },
    /// The file does not begin or end as one of ours.
    #[error("histogram file: its {place} is not \"VOLLEYH1\"; it is another object or was cut")]
    Magic {
        /// `beginning` or `end`.
        place: &'static str,
    },
    /// The file has another version.
    #[error("histogram file has version {found} but this build reads {VERSION}; use the release that wrote it")]
    Version {
        /// The version found.
        found: u32,
    },
    /// The lengths in the tail do not add up to the size of the file.
    #[error("histogram file has {actual} bytes but its tail describes another size; the object is damaged")]
    Size {
        /// Bytes there.
        actual: u64,
    },
    /// A text is not UTF-8.
    #[error("histogram file: {part} holds a text that is not UTF-8")]
    Text {
        /// The part.
        part: &'static str,
    },
    /// A field holds a value that it cannot have.
    #[error("histogram file: {part} is contradictory: {problem}")]
    Contradiction {
        /// The part, for a label its name.
        part: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// A histogram cannot be read.
    #[error("histogram file: label '{label}': {source}")]
    Histogram {
        /// Name of the label.
        label: String,
        /// Why.
        #[source]
        source: WireError,
    },
}

/// The bytes of a collection. Equal collections have equal bytes.
#[must_use]
pub fn encode(collection: &Collection) -> Vec<u8> {
    let mut file = writer::Layout::new(Vec::from(MAGIC));
    for kind in KINDS {
        for (name, label) in collection.labels(kind) {
            file.add_label(kind, name, label);
        }
    }
    file.finish(&collection.overview, &collection.errors)
}

/// Hands the bytes of a collection whose labels are given in the order of their keys to `sink`, piece by piece.
pub(crate) fn write_labels<'a, E>(
    labels: impl Iterator<Item = (&'a LabelKey, &'a LabelStatistics)>,
    overview: &Overview,
    errors: &ErrorGroups,
    mut sink: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut file = writer::Layout::new(Vec::from(MAGIC));
    for (key, label) in labels {
        file.add_label(key.kind, &key.name, label);
        if file.written().len() >= PIECE_BYTES {
            sink(file.written())?;
            file.forget_written();
        }
    }
    sink(&file.finish(overview, errors))
}

/// Reads a whole file.
///
/// # Errors
/// [`FileError`] for anything that [`encode`] or [`Writer`] would not write, but for its histograms: those may be any
/// encoding that [`Histogram::decode`](crate::Histogram::decode) reads. Memory is bounded by the size of the bytes,
/// and for each histogram by that of a full one (240 KB).
pub fn decode(file: &[u8]) -> Result<Collection, FileError> {
    let mut collection = Collection::default();
    merge_into(file, &mut collection)?;
    Ok(collection)
}

/// Adds all that a whole file holds to a collection; faster than [`decode`] and [`Collection::merge`].
///
/// # Errors
/// As [`decode`]; then nothing was added.
pub fn merge_into(file: &[u8], collection: &mut Collection) -> Result<(), FileError> {
    let size = file.len() as u64;
    let tail = Tail::read(size, file.get(file.len().saturating_sub(TAIL_BYTES)..).unwrap_or_default())?;
    if !file.starts_with(&MAGIC) {
        return Err(FileError::Magic { place: "beginning" });
    }
    let part = |range: std::ops::Range<u64>| {
        let bounds = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
        bounds.and_then(|(start, end)| file.get(start..end)).ok_or(FileError::Size { actual: size })
    };
    let index = tail.read_index(part(tail.index_range())?)?;
    let errors = tail.read_errors(part(tail.errors_range())?)?;
    let records = match Index::range(index.entries()) {
        Some(range) => read_records(index.entries(), part(range)?).collect::<Result<Vec<_>, _>>()?,
        None => Vec::new(),
    };
    for (key, record) in &records {
        let labels = collection.labels_mut(key.kind);
        match labels.get_mut(&key.name) {
            Some(known) => record.merge_into(known),
            None => record.merge_into(labels.entry(key.name.clone()).or_default()),
        }
    }
    collection.errors.merge(&errors);
    collection.overview.merge(&tail.overview);
    Ok(())
}
