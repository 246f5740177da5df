//! What the main container says of its processor time and memory, read as it grows. The script can write there, so whatever makes no
//! sense is counted and left out.

use std::fs::File;
use std::io::{ErrorKind, Read as _};

use volley_stats::health::{GeneratorHealth, GeneratorLoad, HealthLines, HealthSummary};

use crate::files::{FileError, UntrustedFolder};

/// The file below the work folder.
const PATH: &str = "status/health.csv";
/// Bytes that are read of it in all: two days of rows of 90 bytes. A load lasts a day at most.
const LIMIT: u64 = 16 << 20;
/// Bytes that one look reads at most, so that sample files are not kept waiting.
const LOOK: u64 = 1 << 20;
/// Bytes read at a time.
const BUFFER: usize = 8 << 10;

/// The file, how far it was read, and what it says. What is kept of it does not grow.
#[derive(Debug, Default)]
pub(super) struct HealthFile {
    file: Option<File>,
    offset: u64,
    /// Nothing more is read.
    given_up: bool,
    lines: HealthLines,
    /// Rows that are not later than the one before.
    disordered: u64,
    health: GeneratorHealth,
}

impl HealthFile {
    /// Reads what is new, and hands over how loaded the generator was up to a second. The number of bytes.
    ///
    /// # Errors
    /// [`FileError`] where the file is none, or cannot be read. It is read no more then.
    pub(super) fn look(
        &mut self,
        folder: &UntrustedFolder,
        told: &mut impl FnMut(i64, &GeneratorLoad),
    ) -> Result<u64, FileError> {
        if self.given_up {
            return Ok(0);
        }
        let outcome = self.read(folder, told);
        if outcome.is_err() {
            (self.given_up, self.file) = (true, None);
        }
        outcome
    }

    fn read(&mut self, folder: &UntrustedFolder, told: &mut impl FnMut(i64, &GeneratorLoad)) -> Result<u64, FileError> {
        if self.file.is_none() {
            self.file = folder.file(PATH)?.map(|opened| opened.file);
        }
        let Some(file) = &mut self.file else { return Ok(0) };
        let mut buffer = [0; BUFFER];
        let mut read = 0;
        while read < LOOK && self.offset < LIMIT {
            let length = match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(FileError::io("read", PATH)(error)),
            };
            read += length as u64;
            self.offset += length as u64;
            let (health, disordered) = (&mut self.health, &mut self.disordered);
            self.lines.push(buffer.get(..length).unwrap_or_default(), &mut |row| match health.add(&row) {
                Some(load) => told(row.second, &load),
                None => *disordered = disordered.saturating_add(1),
            });
        }
        Ok(read)
    }

    /// What is known so far; `None`: the main container has not said anything.
    pub(super) fn summary(&self) -> Option<HealthSummary> {
        (self.offset > 0).then(|| self.health.summary())
    }

    /// What a reader of the result should know.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let lines = self.lines.malformed().saturating_add(self.disordered);
        if lines > 0 {
            warnings.push(format!("{lines} lines of {PATH} make no sense or are out of order and are left out"));
        }
        if self.offset >= LIMIT {
            warnings.push(format!("{PATH} was read only up to byte {}", self.offset));
        }
        if self.summary().is_some_and(|summary| summary.measured_us > 0 && summary.cpu.is_none()) {
            warnings
                .push("its use of the processor was not measured, so nobody knows whether it was saturated".to_owned());
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write as _;
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;
    use volley_stats::health::HEADER;

    use super::*;

    fn place() -> (TempDir, UntrustedFolder) {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("status")).unwrap();
        let folder = UntrustedFolder::open(place.path()).unwrap();
        (place, folder)
    }

    fn append(place: &TempDir, text: &[u8]) {
        let mut options = OpenOptions::new();
        options.create(true).append(true).open(place.path().join(PATH)).unwrap().write_all(text).unwrap();
    }

    fn look(health: &mut HealthFile, folder: &UntrustedFolder) -> Vec<(i64, Option<u64>, bool)> {
        let mut told = Vec::new();
        health.look(folder, &mut |second, load| told.push((second, load.cpu_ppm, load.saturated))).unwrap();
        told
    }

    #[test]
    fn rows_are_told_as_they_come_and_the_summary_has_all_of_them() {
        let (place, folder) = place();
        let mut health = HealthFile::default();
        assert_eq!((look(&mut health, &folder), health.summary()), (vec![], None));
        append(&place, format!("{HEADER}\n7,1000000,950000,1000000,10,0,0,5,10\n8,1000").as_bytes());
        assert_eq!(look(&mut health, &folder), [(7, Some(950_000), false)]);
        append(&place, b"000,960000,1000000,10,0,0,6,10\n9,1000000,970000,1000000,10,0,0,5,10\n");
        assert_eq!(look(&mut health, &folder), [(8, Some(960_000), false), (9, Some(970_000), true)]);
        assert_eq!(look(&mut health, &folder), []);
        let summary = health.summary().unwrap();
        assert_eq!((summary.measured_us, summary.saturation.unwrap().seconds), (3_000_000, 3));
        assert_eq!(health.warnings(), Vec::<String>::new());
    }

    #[test]
    fn what_makes_no_sense_is_counted_and_what_was_not_measured_is_said() {
        let (place, folder) = place();
        let mut health = HealthFile::default();
        append(&place, b"\xff\xfe\nnonsense\n7,1000000,,,,,,,\n7,1000000,,,,,,,\n");
        assert_eq!(look(&mut health, &folder), [(7, None, false)]);
        assert_eq!(
            health.warnings(),
            [
                "3 lines of status/health.csv make no sense or are out of order and are left out",
                "its use of the processor was not measured, so nobody knows whether it was saturated"
            ]
        );
    }

    #[test]
    fn a_file_that_never_ends_is_read_up_to_its_limit_a_part_at_a_time() {
        let (place, folder) = place();
        append(&place, &vec![b'x'; usize::try_from(LIMIT).unwrap() + 5_000]);
        let mut health = HealthFile::default();
        let mut parts = Vec::new();
        while let Ok(read) = health.look(&folder, &mut |_, _| {})
            && read > 0
        {
            parts.push(read);
        }
        assert!(parts.iter().all(|part| *part <= LOOK), "{parts:?}");
        assert_eq!(parts.iter().sum::<u64>(), LIMIT);
        assert_eq!(health.warnings().len(), 1);
    }

    #[test]
    fn a_link_is_refused_once_and_then_left_alone() {
        let (place, folder) = place();
        symlink("/etc/passwd", place.path().join(PATH)).unwrap();
        let mut health = HealthFile::default();
        assert!(matches!(health.look(&folder, &mut |_, _| {}), Err(FileError::NotRegular { .. })));
        assert!(matches!(health.look(&folder, &mut |_, _| {}), Ok(0)));
        assert_eq!(health.summary(), None);
    }
}
