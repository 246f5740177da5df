//! What is in a folder: one worker's files, many workers' folders, or a whole run.
//!
//! Files are told by their content, never by their names, except the `result.json` and `histograms` of a run. Links are
//! not followed: an artifacts folder is what a script left behind.

use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

use super::error::GatherError;
use super::kind::{self, Kind};
use super::open::{Opened, name_of};
use super::progress::Progress;

/// Most files and folders that are looked at.
const MAXIMUM_ENTRIES: usize = 100_000;
/// Deepest nesting: a run's prefix has `workers/<target>/<index>/<pod>/samples`.
const MAXIMUM_DEPTH: usize = 8;

/// The files of one worker.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Worker {
    /// Its folder.
    pub(super) folder: PathBuf,
    /// Its histogram file; what it holds is the same as the samples.
    pub(super) histograms: Option<PathBuf>,
    /// Its figures over time, which belong to the histograms.
    pub(super) series: Option<PathBuf>,
    /// Sample files.
    pub(super) samples: Vec<PathBuf>,
    /// Taurus' summary.
    pub(super) final_stats: Option<PathBuf>,
}

impl Worker {
    /// Whether it has what can be merged.
    pub(super) fn is_measured(&self) -> bool {
        self.histograms.is_some() || !self.samples.is_empty()
    }

    fn is_empty(&self) -> bool {
        !self.is_measured() && self.final_stats.is_none()
    }
}

/// What a folder holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Contents {
    /// Workers, at least one.
    Workers(Vec<Worker>),
    /// A run: its `result.json`, and the merged histograms where they are there too.
    Run {
        /// `result.json`.
        result: PathBuf,
        /// `histograms`.
        histograms: Option<PathBuf>,
    },
}

/// Looks into a folder and what is below it.
///
/// Answers what it holds, and a warning for each file in it that cannot be unpacked.
pub(super) fn look(folder: &Path, progress: &Progress) -> Result<(Contents, Vec<String>), GatherError> {
    let mut search = Search { root: folder, progress, entries: 0, workers: Vec::new(), warnings: Vec::new() };
    if let Some(run) = search.run(folder)? {
        return Ok((run, search.warnings));
    }
    search.visit(folder, 0)?;
    if search.workers.is_empty() {
        return Err(GatherError::Nothing { name: name_of(folder) });
    }
    Ok((Contents::Workers(search.workers), search.warnings))
}

struct Search<'a> {
    root: &'a Path,
    progress: &'a Progress,
    entries: usize,
    workers: Vec<Worker>,
    warnings: Vec<String>,
}

impl Search<'_> {
    fn run(&mut self, folder: &Path) -> Result<Option<Contents>, GatherError> {
        let result = folder.join("result.json");
        if !is_file(&result) || self.kind(&result)? != Some(Kind::Json) {
            return Ok(None);
        }
        let histograms = folder.join("histograms");
        let there = is_file(&histograms) && self.kind(&histograms)? == Some(Kind::Histograms);
        Ok(Some(Contents::Run { result, histograms: there.then_some(histograms) }))
    }

    /// A folder with files of a worker is one worker, with its folder `samples`; else each of its folders may be some.
    fn visit(&mut self, folder: &Path, depth: usize) -> Result<(), GatherError> {
        let mut worker = Worker { folder: folder.to_owned(), ..Worker::default() };
        let mut folders = Vec::new();
        for entry in self.list(folder, depth)? {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(path),
                Ok(kind) if kind.is_file() => self.sort_in(path, &mut worker)?,
                _ => {}
            }
        }
        if worker.is_empty() {
            return folders.iter().try_for_each(|folder| self.visit(folder, depth + 1));
        }
        let samples = folder.join("samples");
        if folders.contains(&samples) {
            for entry in self.list(&samples, depth)? {
                if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                    self.sort_in(entry.path(), &mut worker)?;
                }
            }
        }
        self.workers.push(worker);
        Ok(())
    }

    fn sort_in(&mut self, path: PathBuf, worker: &mut Worker) -> Result<(), GatherError> {
        match self.kind(&path)? {
            Some(Kind::Histograms) => worker.histograms = Some(path),
            Some(Kind::Series) => worker.series = Some(path),
            Some(Kind::Samples(_)) => worker.samples.push(path),
            Some(Kind::Xml) => worker.final_stats = Some(path),
            Some(Kind::Json) | None => {}
        }
        Ok(())
    }

    /// What a file is; none where it is nothing that is read: logs, configurations, scripts.
    fn kind(&mut self, path: &Path) -> Result<Option<Kind>, GatherError> {
        let opened = match Opened::open(path, self.progress) {
            Ok(opened) => opened,
            Err(GatherError::Empty { .. }) => return Ok(None),
            Err(error @ (GatherError::CutOff { .. } | GatherError::Damaged { .. })) => {
                self.warnings.push(error.to_string());
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let kind = kind::of(&opened.name, &opened.first).ok();
        // Other XML lies in artifacts folders too: JMX files, JMeter's error log.
        let is_final_stats = || opened.first.windows(12).any(|window| window == b"<FinalStatus");
        Ok(kind.filter(|kind| *kind != Kind::Xml || is_final_stats()))
    }

    /// Entries in the order of their names.
    fn list(&mut self, folder: &Path, depth: usize) -> Result<Vec<DirEntry>, GatherError> {
        let too_many =
            || GatherError::TooMany { name: name_of(self.root), limit: MAXIMUM_ENTRIES, depth: MAXIMUM_DEPTH };
        if depth > MAXIMUM_DEPTH {
            return Err(too_many());
        }
        let unreadable = |source| GatherError::Unreadable { name: name_of(folder), source };
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            entries.push(entry.map_err(unreadable)?);
            if self.entries + entries.len() > MAXIMUM_ENTRIES {
                return Err(too_many());
            }
        }
        self.entries += entries.len();
        entries.sort_by_key(DirEntry::file_name);
        Ok(entries)
    }
}

fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}
