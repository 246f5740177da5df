//! Files that a test's script may have made.
//!
//! The script runs as another user in another container, but it shares the work volume and can leave anything there: links
//! to files that only this process may read, pipes that block a reader, devices. So every path is resolved by the kernel below the
//! folder's own descriptor without following any link (`openat2`, `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS`), opened without
//! blocking, and taken only when it is a regular file.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::fs::{Dir, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use super::FileError;

/// Names looked at in one folder; a script that makes more does not slow the collector down.
const MAXIMUM_NAMES: usize = 10_000;

/// A folder whose content is not trusted.
#[derive(Debug)]
pub struct UntrustedFolder {
    descriptor: OwnedFd,
    path: PathBuf,
}

/// A regular file below an [`UntrustedFolder`].
#[derive(Debug)]
pub struct Opened {
    /// The file, open for reading.
    pub file: File,
    /// Device and inode: what stays when the name moves.
    pub identity: (u64, u64),
    /// Size in bytes when it was opened.
    pub size: u64,
    /// Last change, in microseconds since 1970-01-01 UTC.
    pub modified_us: i64,
}

impl UntrustedFolder {
    /// Opens the folder itself; its own path is trusted.
    ///
    /// # Errors
    /// [`FileError::Io`] where it is not there or no folder.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let descriptor = rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| FileError::io("open", path)(error.into()))?;
        Ok(Self { descriptor, path: path.to_owned() })
    }

    /// Opens a regular file by its path below the folder; nothing where there is none.
    ///
    /// # Errors
    /// [`FileError::NotRegular`] for links, pipes, folders and devices, [`FileError::NoOpenat2`], [`FileError::Io`].
    pub fn file(&self, name: &str) -> Result<Option<Opened>, FileError> {
        let path = self.path.join(name);
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let Some(descriptor) = self.resolve(name, flags)? else { return Ok(None) };
        let file = File::from(descriptor);
        let metadata = file.metadata().map_err(FileError::io("read", path.clone()))?;
        if !metadata.is_file() {
            return Err(FileError::NotRegular { path });
        }
        let modified_us = metadata.mtime().saturating_mul(1_000_000).saturating_add(metadata.mtime_nsec() / 1_000);
        Ok(Some(Opened { identity: (metadata.dev(), metadata.ino()), size: metadata.len(), modified_us, file }))
    }

    /// Reads a whole small file; nothing where there is none.
    ///
    /// # Errors
    /// As [`Self::file`], and [`FileError::TooLarge`].
    pub fn read(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, FileError> {
        let Some(opened) = self.file(name)? else { return Ok(None) };
        let path = self.path.join(name);
        let mut content = Vec::new();
        opened.file.take(limit + 1).read_to_end(&mut content).map_err(FileError::io("read", path.clone()))?;
        if content.len() as u64 > limit {
            return Err(FileError::TooLarge { path, limit });
        }
        Ok(Some(content))
    }

    /// Names of what lies in a folder below this one, sorted; empty where there is none. Names that are not UTF-8 are left out.
    ///
    /// # Errors
    /// As [`Self::file`].
    pub fn names(&self, folder: &str) -> Result<Vec<String>, FileError> {
        let path = self.path.join(folder);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Some(descriptor) = self.resolve(folder, flags)? else { return Ok(Vec::new()) };
        let entries = Dir::new(descriptor).map_err(|error| FileError::io("list", path.clone())(error.into()))?;
        let mut names = Vec::new();
        for entry in entries.take(MAXIMUM_NAMES) {
            let entry = entry.map_err(|error| FileError::io("list", path.clone())(error.into()))?;
            if let Ok(name) = entry.file_name().to_str()
                && name != "."
                && name != ".."
            {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn resolve(&self, name: &str, flags: OFlags) -> Result<Option<OwnedFd>, FileError> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let path = self.path.join(name);
        match openat2(&self.descriptor, name, flags, Mode::empty(), resolve) {
            Ok(descriptor) => Ok(Some(descriptor)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(Errno::NOSYS | Errno::PERM) => Err(FileError::NoOpenat2),
            // A link somewhere on the way; a path that leaves the folder; a socket.
            Err(Errno::LOOP | Errno::XDEV | Errno::NXIO) => Err(FileError::NotRegular { path }),
            Err(error) => Err(FileError::io("open", path)(io::Error::from(error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use rstest::rstest;
    use rustix::fs::{CWD, FileType, mknodat};

    use super::*;

    fn folder() -> (tempfile::TempDir, UntrustedFolder) {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("work/artifacts")).unwrap();
        fs::write(place.path().join("secret"), "key").unwrap();
        fs::write(place.path().join("work/artifacts/kpi.jtl"), "rows").unwrap();
        let folder = UntrustedFolder::open(&place.path().join("work")).unwrap();
        (place, folder)
    }

    #[test]
    fn a_regular_file_is_read_and_a_missing_one_is_nothing() {
        let (_place, folder) = folder();
        assert_eq!(folder.read("artifacts/kpi.jtl", 4).unwrap().unwrap(), b"rows");
        assert!(folder.read("artifacts/none", 4).unwrap().is_none());
        assert!(folder.read("none/none", 4).unwrap().is_none());
        assert_eq!(folder.names("artifacts").unwrap(), ["kpi.jtl"]);
        assert!(matches!(folder.read("artifacts/kpi.jtl", 3), Err(FileError::TooLarge { limit: 3, .. })));
    }

    #[rstest]
    #[case::link_out("artifacts/out.jtl")]
    #[case::link_inside("artifacts/in.jtl")]
    #[case::linked_folder("linked/secret")]
    #[case::way_out("../secret")]
    #[case::pipe("artifacts/pipe.jtl")]
    #[case::a_folder("artifacts")]
    fn whatever_is_no_regular_file_below_the_folder_is_refused_at_once(#[case] name: &str) {
        let (place, folder) = folder();
        let work = place.path().join("work");
        symlink("../../secret", work.join("artifacts/out.jtl")).unwrap();
        symlink("kpi.jtl", work.join("artifacts/in.jtl")).unwrap();
        symlink("..", work.join("linked")).unwrap();
        mknodat(CWD, work.join("artifacts/pipe.jtl"), FileType::Fifo, Mode::from(0o600), 0).unwrap();
        assert!(matches!(folder.file(name), Err(FileError::NotRegular { .. })), "{:?}", folder.file(name));
    }
}
