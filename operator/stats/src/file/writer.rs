//! Writing a collection label by label.

use std::io;

use super::bytes::put_text;
use super::{KINDS, MAGIC, VERSION, record};
use crate::samples::SampleKind;
use crate::statistics::{ErrorGroups, LabelKey, LabelStatistics, Overview};

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The sink failed.
    #[error("failed to write the histogram file: {0}")]
    Sink(#[from] io::Error),
    /// A label was not given after its predecessor.
    #[error("label '{name}' must be written before the label that was written last; sort labels by their key")]
    Order {
        /// Name of the label.
        name: String,
    },
}

/// Writes a file label by label, with one label and the index in memory. The same value gives the bytes of
/// [`encode`](super::encode).
pub struct Writer<W> {
    sink: W,
    layout: Layout,
    last: Option<LabelKey>,
}

impl<W: io::Write> Writer<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// [`WriteError::Sink`].
    pub fn new(mut sink: W) -> Result<Self, WriteError> {
        sink.write_all(&MAGIC)?;
        Ok(Self { sink, layout: Layout::new(Vec::new()), last: None })
    }

    /// Writes the next label. Keys must ascend.
    ///
    /// # Errors
    /// [`WriteError::Order`] where they do not, [`WriteError::Sink`].
    pub fn label(&mut self, key: &LabelKey, label: &LabelStatistics) -> Result<(), WriteError> {
        if self.last.as_ref().is_some_and(|last| last >= key) {
            return Err(WriteError::Order { name: key.name.to_string() });
        }
        self.layout.add_label(key.kind, &key.name, label);
        self.sink.write_all(self.layout.written())?;
        self.layout.forget_written();
        self.last = Some(key.clone());
        Ok(())
    }

    /// Writes the end and gives the sink back.
    ///
    /// # Errors
    /// [`WriteError::Sink`].
    pub fn finish(mut self, overview: &Overview, errors: &ErrorGroups) -> Result<W, WriteError> {
        let end = self.layout.finish(overview, errors);
        self.sink.write_all(&end)?;
        Ok(self.sink)
    }
}

/// The parts of a file that is being written.
pub(super) struct Layout {
    /// Bytes to write next.
    written: Vec<u8>,
    index: Vec<u8>,
    body_bytes: u64,
    labels: u64,
}

impl Layout {
    pub(super) fn new(written: Vec<u8>) -> Self {
        Self { written, index: Vec::new(), body_bytes: 0, labels: 0 }
    }

    /// The bytes to write next.
    pub(super) fn written(&self) -> &[u8] {
        &self.written
    }

    /// They are written.
    pub(super) fn forget_written(&mut self) {
        self.written.clear();
    }

    pub(super) fn add_label(&mut self, kind: SampleKind, name: &str, label: &LabelStatistics) {
        let start = self.written.len();
        record::write(label, &mut self.written);
        let length = (self.written.len() - start) as u64;
        self.index.push(u8::from(kind != KINDS[0]));
        put_text(name, &mut self.index);
        self.index.extend_from_slice(&length.to_le_bytes());
        self.body_bytes += length;
        self.labels += 1;
    }

    pub(super) fn finish(self, overview: &Overview, errors: &ErrorGroups) -> Vec<u8> {
        let Self { written: mut bytes, index, body_bytes, labels } = self;
        bytes.extend_from_slice(&index);
        let errors_at = bytes.len();
        for (key, count) in errors.iter() {
            put_text(&key.label, &mut bytes);
            put_text(&key.code, &mut bytes);
            put_text(&key.message, &mut bytes);
            bytes.extend_from_slice(&count.to_le_bytes());
        }
        let errors_bytes = (bytes.len() - errors_at) as u64;
        for instant in [overview.first_start_us, overview.last_end_us] {
            bytes.push(u8::from(instant.is_some()));
            bytes.extend_from_slice(&instant.unwrap_or_default().to_le_bytes());
        }
        for number in [
            overview.samples,
            overview.malformed_rows,
            overview.folded_label_samples,
            overview.folded_error_samples,
            overview.shortened_label_samples,
            overview.peak_users,
            overview.folding_workers,
            body_bytes,
            index.len() as u64,
            errors_bytes,
            labels,
            errors.len() as u64,
        ] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&MAGIC);
        bytes
    }
}
