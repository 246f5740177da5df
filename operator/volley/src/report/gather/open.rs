//! Opens a file: standard input, plain, gzip or zstd, told apart by content.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use super::error::GatherError;
use super::progress::{Counted, Progress};
use crate::report::text::visible;

/// How standard input is named.
pub(super) const STANDARD_INPUT: &str = "-";
/// How much is read to tell what a file is. A header of JMeter has some 200 bytes, a row of k6 1 KiB.
const FIRST_BYTES: u64 = 16 * 1024;

/// How the bytes of a file are packed. Source: RFC 1952 and RFC 8878, their magic numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// An open file; reads as it is unpacked.
pub(super) struct Opened<'a> {
    /// As it is shown.
    pub(super) name: String,
    /// Its first bytes; reading gives them again.
    pub(super) first: Vec<u8>,
    packing: Packing,
    reader: Box<dyn Read + 'a>,
}

/// A path as it is shown.
pub(super) fn name_of(path: &Path) -> String {
    visible(&path.display().to_string()).into_owned()
}

impl<'a> Opened<'a> {
    /// Opens a file, or standard input for `-`.
    pub(super) fn open(path: &Path, progress: &'a Progress) -> Result<Self, GatherError> {
        let name = name_of(path);
        if name == STANDARD_INPUT {
            progress.begin(&name, None);
            return Self::unpack(name, io::stdin().lock(), progress);
        }
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, file) = opened.map_err(|source| GatherError::Unreadable { name: name.clone(), source })?;
        progress.begin(&name, metadata.is_file().then_some(metadata.len()));
        Self::unpack(name, file, progress)
    }

    fn unpack(name: String, raw: impl Read + 'a, progress: &'a Progress) -> Result<Self, GatherError> {
        let mut raw = Counted { inner: raw, progress };
        let mut magic = Vec::new();
        let unreadable = |source| GatherError::Unreadable { name: name.clone(), source };
        raw.by_ref().take(4).read_to_end(&mut magic).map_err(unreadable)?;
        let packing = match magic.as_slice() {
            [0x1f, 0x8b, ..] => Packing::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd] => Packing::Zstd,
            _ => Packing::Plain,
        };
        let raw = Cursor::new(magic).chain(raw);
        let mut reader: Box<dyn Read + 'a> = match packing {
            Packing::Plain => Box::new(raw),
            Packing::Gzip => Box::new(flate2::read::MultiGzDecoder::new(raw)),
            Packing::Zstd => Box::new(zstd::Decoder::new(raw).map_err(unreadable)?),
        };
        let mut first = Vec::new();
        if let Err(error) = reader.by_ref().take(FIRST_BYTES).read_to_end(&mut first) {
            return Err(failure(&name, packing, error));
        }
        if first.is_empty() {
            return Err(GatherError::Empty { name });
        }
        let reader = Box::new(Cursor::new(first.clone()).chain(reader));
        Ok(Self { name, first, packing, reader })
    }

    /// What a failed read means.
    pub(super) fn failure(&self, error: io::Error) -> GatherError {
        failure(&self.name, self.packing, error)
    }

    /// All bytes of a file that is read as a whole.
    pub(super) fn read_all(mut self, limit: u64) -> Result<Vec<u8>, GatherError> {
        let mut bytes = Vec::new();
        let outcome = self.reader.by_ref().take(limit + 1).read_to_end(&mut bytes);
        outcome.map_err(|error| self.failure(error))?;
        if bytes.len() as u64 > limit {
            return Err(GatherError::TooLarge { name: self.name, limit });
        }
        Ok(bytes)
    }
}

impl Read for Opened<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

fn failure(name: &str, packing: Packing, source: io::Error) -> GatherError {
    let name = name.to_owned();
    let (format, command) = match packing {
        Packing::Plain => return GatherError::Unreadable { name, source },
        Packing::Gzip => ("gzip", "gzip"),
        Packing::Zstd => ("zstd", "zstd"),
    };
    match source.kind() {
        io::ErrorKind::UnexpectedEof => GatherError::CutOff { name, format, command },
        // What the disk says keeps its kind; decoders say these.
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::Other => {
            GatherError::Damaged { name, format, source }
        }
        _ => GatherError::Unreadable { name, source },
    }
}
