//! Compressing what the main container left behind into a file of our own, hashed on the way. Memory does not depend on size.

use std::io::{self, BufWriter, Read, Seek as _, SeekFrom, Write as _};

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use volley_storage::documents::ObjectDigest;

use crate::files::{FileError, UntrustedFolder};

/// Compression level: 3 is zstd's default, some 10 times smaller for sample files at 300 MB/s.
const LEVEL: i32 = 3;
/// Bytes copied at a time.
const BUFFER: usize = 64 * 1024;

/// A compressed file on this process's own disk; removed when dropped.
#[derive(Debug)]
pub struct Staged {
    /// The file.
    pub file: NamedTempFile,
    /// Of its content.
    pub digest: ObjectDigest,
}

/// Reads from `input` to its end, compresses and hashes.
///
/// # Errors
/// What reading or writing says.
pub fn compress(mut input: impl Read) -> io::Result<Staged> {
    let file = NamedTempFile::new()?;
    let mut encoder = zstd::Encoder::new(BufWriter::new(file), LEVEL)?;
    let mut hash = Sha256::new();
    let mut size = 0;
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let bytes = buffer.get(..length).unwrap_or_default();
        hash.update(bytes);
        encoder.write_all(bytes)?;
        size += length as u64;
    }
    let file = encoder.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    let stored_size = file.as_file().metadata()?.len();
    Ok(Staged { file, digest: ObjectDigest { sha256: hex::encode(hash.finalize()), size, stored_size } })
}

/// Several log files one behind the other, each with its name before it where there are more than one, and each cut to its last
/// `limit` bytes. Nothing where none of them is there.
///
/// # Errors
/// What opening, reading or writing says.
pub fn compress_logs(folder: &UntrustedFolder, paths: &[String], limit: u64) -> Result<Option<Staged>, FileError> {
    let mut input: Box<dyn Read> = Box::new(io::empty());
    let mut found = false;
    for path in paths {
        let Some(mut opened) = folder.file(path)? else { continue };
        found = true;
        let left_out = opened.size.saturating_sub(limit);
        let name = if paths.len() > 1 { format!("==> {path} <==\n") } else { String::new() };
        let cut = if left_out > 0 { format!("(the first {left_out} bytes are left out)\n") } else { String::new() };
        opened.file.seek(SeekFrom::Start(left_out)).map_err(FileError::io("read", path))?;
        let head = io::Cursor::new((name + &cut).into_bytes());
        input = Box::new(input.chain(head).chain(opened.file.take(limit)));
    }
    if !found {
        return Ok(None);
    }
    compress(input).map(Some).map_err(FileError::io("compress", paths.join(", ")))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn content(staged: &Staged) -> String {
        String::from_utf8(zstd::decode_all(staged.file.reopen().unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn the_digest_is_that_of_the_uncompressed_bytes() {
        let text = "row\n".repeat(100_000);
        let staged = compress(text.as_bytes()).unwrap();
        assert_eq!(content(&staged), text);
        assert_eq!(staged.digest.sha256, hex::encode(Sha256::digest(text.as_bytes())));
        assert_eq!(staged.digest.size, 400_000);
        assert_eq!(staged.digest.stored_size, staged.file.as_file().metadata().unwrap().len());
        assert!(staged.digest.stored_size < 1_000);
    }

    #[test]
    fn logs_stand_one_behind_the_other_and_are_cut_at_their_beginning() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("a.log"), "0123456789").unwrap();
        fs::write(place.path().join("b.log"), "b").unwrap();
        let folder = UntrustedFolder::open(place.path()).unwrap();
        let paths = ["a.log", "b.log", "none.log"].map(str::to_owned);
        let staged = compress_logs(&folder, &paths, 4).unwrap().unwrap();
        assert_eq!(content(&staged), "==> a.log <==\n(the first 6 bytes are left out)\n6789==> b.log <==\nb");
        assert!(compress_logs(&folder, &paths[2..], 4).unwrap().is_none());
        let only = compress_logs(&folder, &paths[1..2], 4).unwrap().unwrap();
        assert_eq!(content(&only), "b");
    }
}
