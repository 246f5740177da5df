//! Reads the files of a report, whatever they are.
//!
//! # Guarantees
//!
//! * Samples are streamed: memory depends on the number of labels, never on the size of a file.
//! * Samples and histograms are merged exactly, in any number and order. Nothing else is merged, and nothing is mixed.
//! * Of several workers in a folder, one that cannot be read becomes a warning with its reason, and the rest stands. A
//!   file that the user named is an error.

mod error;
mod folder;
mod kind;
mod open;
mod progress;
mod recording;
mod whole;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub use error::GatherError;
pub use progress::Progress;
use volley_stats::final_stats::{self, FinalStats};
use volley_stats::series::{Bounds, Series, SeriesSum};
use volley_stats::statistics::Collection;
use volley_storage::documents::ResultDocument;
use volley_storage::objects::Document;
pub use whole::{MAXIMUM_HISTOGRAM_BYTES, Run};

use self::folder::{Contents, Worker};
use self::kind::Kind;
use self::open::{Opened, STANDARD_INPUT, name_of};
use self::recording::{Recorded, Recording};
use self::whole::{read_final_stats, read_histograms, read_run, read_series};
use super::model::{Source, SourceKind};

/// Most oddities of one final-stats XML, and differences between it and a worker's samples, that are told.
const MAXIMUM_DIFFERENCES: usize = 3;

/// What was read.
#[derive(Debug)]
pub enum Gathered {
    /// Samples or histograms, merged.
    Measured {
        /// Everything together.
        collection: Box<Collection>,
        /// How it went over time; none where a file does not tell it.
        series: Option<Box<Series>>,
        /// The files.
        sources: Vec<Source>,
        /// What a reader should know.
        warnings: Vec<String>,
    },
    /// Taurus' summaries, one or several, as they are.
    FinalStats {
        /// The summaries with their files.
        files: Vec<(Source, FinalStats)>,
        /// What a reader should know.
        warnings: Vec<String>,
    },
    /// The result of a run.
    Run {
        /// The result.
        run: Run,
        /// The files.
        sources: Vec<Source>,
        /// What a reader should know beside what the result says.
        warnings: Vec<String>,
    },
}

impl Gathered {
    /// The result of a run from bytes: `result.json`, and the run's merged histograms where they are known, each with its name.
    /// `warnings` are for the reader.
    ///
    /// # Errors
    /// [`GatherError`] where the bytes are something else.
    pub fn run(
        result: (String, &[u8]),
        histograms: Option<(String, Vec<u8>)>,
        warnings: Vec<String>,
    ) -> Result<Self, GatherError> {
        let (run, sources) = read_run(result.0, result.1, histograms)?;
        Ok(Self::Run { run, sources, warnings })
    }
}

/// Reads files and folders.
///
/// # Errors
/// [`GatherError`], which names the file, what is wrong with it and what to do.
pub fn gather(paths: &[PathBuf], progress: &Progress) -> Result<Gathered, GatherError> {
    let mut gathering = Gathering {
        progress,
        sources: Vec::new(),
        collection: Collection::default(),
        series: Some(SeriesSum::new(Bounds::MERGED)),
        final_stats: Vec::new(),
        run: None,
        warnings: Vec::new(),
    };
    let mut seen = BTreeSet::new();
    for path in paths {
        if !seen.insert(identity(path)) {
            return Err(GatherError::Twice { name: name_of(path) });
        }
        gathering.take(path)?;
    }
    gathering.finish()
}

/// What makes two paths the same file.
fn identity(path: &Path) -> PathBuf {
    if is_standard_input(path) {
        return path.to_owned();
    }
    // A path that is not there is told by opening it.
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn is_standard_input(path: &Path) -> bool {
    path == Path::new(STANDARD_INPUT)
}

struct Gathering<'a> {
    progress: &'a Progress,
    /// All files so far. The first decides what may follow.
    sources: Vec<Source>,
    collection: Collection,
    /// None once a file did not tell how it went over time: plots of a part would pass for plots of all.
    series: Option<SeriesSum>,
    final_stats: Vec<(Source, FinalStats)>,
    run: Option<Run>,
    warnings: Vec<String>,
}

impl Gathering<'_> {
    fn take(&mut self, path: &Path) -> Result<(), GatherError> {
        if !is_standard_input(path) && path.is_dir() {
            let (contents, warnings) = folder::look(path, self.progress)?;
            self.warnings.extend(warnings);
            return match contents {
                Contents::Run { result, histograms } => {
                    self.take_run(Opened::open(&result, self.progress)?, histograms.as_deref())
                }
                Contents::Workers(workers) => self.take_workers(&workers),
            };
        }
        let opened = Opened::open(path, self.progress)?;
        match kind::of(&opened.name, &opened.first)? {
            Kind::Samples(engine) => {
                self.agree(&opened.name, SourceKind::Samples)?;
                let mut recording = Recording::new();
                recording.add(opened, engine)?;
                self.add_recorded(recording.finish());
                Ok(())
            }
            Kind::Histograms => self.take_histograms(opened),
            Kind::Series => Err(GatherError::SeriesAlone { name: opened.name }),
            Kind::Xml => self.take_final_stats(opened),
            Kind::Json => self.take_run(opened, None),
        }
    }

    /// Whether a file of that kind may be added to those before.
    fn agree(&self, name: &str, kind: SourceKind) -> Result<(), GatherError> {
        let Some(first) = self.sources.first() else { return Ok(()) };
        let mergeable = |kind| matches!(kind, SourceKind::Samples | SourceKind::Histograms);
        if first.kind == SourceKind::Result && kind == SourceKind::Result {
            return Err(GatherError::SeveralResults { first: first.file.clone(), second: name.to_owned() });
        }
        if first.kind == kind || (mergeable(first.kind) && mergeable(kind)) {
            return Ok(());
        }
        Err(GatherError::Mixed {
            first: first.file.clone(),
            first_kind: first.kind.as_str(),
            second: name.to_owned(),
            second_kind: kind.as_str(),
        })
    }

    fn add_recorded(&mut self, recorded: Recorded) {
        self.collection.merge(&recorded.collection);
        self.add_series(Some(&recorded.series));
        self.sources.extend(recorded.sources);
        self.warnings.extend(recorded.warnings);
    }

    fn add_histograms(&mut self, file: String, collection: &Collection, series: Option<&Series>) {
        self.collection.merge(collection);
        self.add_series(series);
        let samples = Some(collection.overview.samples);
        self.sources.push(Source { file, kind: SourceKind::Histograms, engine: None, samples });
    }

    fn add_series(&mut self, series: Option<&Series>) {
        match (&mut self.series, series) {
            (Some(sum), Some(series)) => sum.add(series),
            (sum, _) => *sum = None,
        }
    }

    fn add_final_stats(&mut self, file: String, report: FinalStats) {
        let oddities = &report.oddities;
        let first = oddities.first().iter().take(MAXIMUM_DIFFERENCES);
        self.warnings.extend(first.map(|oddity| format!("{file}: {oddity}; it is left out")));
        if let Some(more) = oddities.count().checked_sub(MAXIMUM_DIFFERENCES as u64).filter(|more| *more > 0) {
            self.warnings.push(format!("{file}: {more} more parts make no sense and are left out"));
        }
        let samples = report.total.as_ref().map(|total| total.count);
        let source = Source { file, kind: SourceKind::FinalStats, engine: None, samples };
        self.sources.push(source.clone());
        self.final_stats.push((source, report));
    }

    fn take_histograms(&mut self, opened: Opened<'_>) -> Result<(), GatherError> {
        self.agree(&opened.name, SourceKind::Histograms)?;
        let (name, collection) = read_histograms(opened)?;
        self.add_histograms(name, &collection, None);
        Ok(())
    }

    fn take_final_stats(&mut self, opened: Opened<'_>) -> Result<(), GatherError> {
        self.agree(&opened.name, SourceKind::FinalStats)?;
        let (name, report) = read_final_stats(opened)?;
        self.add_final_stats(name, report);
        Ok(())
    }

    /// The result of a run, with the run's merged histograms where they are there.
    fn take_run(&mut self, opened: Opened<'_>, histograms: Option<&Path>) -> Result<(), GatherError> {
        let name = opened.name.clone();
        let bytes = opened.read_all(ResultDocument::MAX_BYTES)?;
        let histograms = match histograms {
            None => None,
            Some(path) => {
                let opened = Opened::open(path, self.progress)?;
                Some((opened.name.clone(), opened.read_all(MAXIMUM_HISTOGRAM_BYTES)?))
            }
        };
        let (run, sources) = read_run(name.clone(), &bytes, histograms)?;
        self.agree(&name, SourceKind::Result)?;
        self.sources.extend(sources);
        self.run = Some(run);
        Ok(())
    }

    /// Workers of a folder. With several, one that cannot be read becomes a warning.
    fn take_workers(&mut self, workers: &[Worker]) -> Result<(), GatherError> {
        let measured = workers.iter().any(Worker::is_measured);
        let mut failed = None;
        let mut taken = 0_usize;
        for worker in workers {
            if measured && !worker.is_measured() {
                self.warnings.push(format!(
                    "{} has only a final-stats XML, whose percentiles cannot be merged; it is left out",
                    name_of(&worker.folder)
                ));
                continue;
            }
            match self.take_worker(worker, workers.len() > 1) {
                Ok(()) => taken += 1,
                // That nothing of the folder fits what was read before is no fault of one worker.
                Err(error @ (GatherError::Mixed { .. } | GatherError::SeveralResults { .. })) => return Err(error),
                Err(error) => {
                    self.warnings.push(format!("{error}; it is left out"));
                    failed.get_or_insert(error);
                }
            }
        }
        match failed {
            Some(error) if taken == 0 => Err(error),
            _ => Ok(()),
        }
    }

    /// One worker. Its histograms and its samples tell the same; Taurus' summary is what both are compared with.
    fn take_worker(&mut self, worker: &Worker, one_of_several: bool) -> Result<(), GatherError> {
        if let Some(path) = &worker.histograms {
            let (name, collection) = read_histograms(Opened::open(path, self.progress)?)?;
            self.agree(&name, SourceKind::Histograms)?;
            self.compare(worker, &collection);
            let series = self.series_of(worker);
            self.add_histograms(name, &collection, series.as_ref());
            return Ok(());
        }
        let mut recording = Recording::new();
        for path in &worker.samples {
            let opened = Opened::open(path, self.progress)?;
            let Kind::Samples(engine) = kind::of(&opened.name, &opened.first)? else { continue };
            self.agree(&opened.name, SourceKind::Samples)?;
            match recording.add(opened, engine) {
                Err(error) if one_of_several => self.warnings.push(format!("{error}. What was read of it counts")),
                outcome => outcome?,
            }
        }
        if !worker.samples.is_empty() {
            let recorded = recording.finish();
            self.compare(worker, &recorded.collection);
            self.add_recorded(recorded);
        } else if let Some(path) = &worker.final_stats {
            self.take_final_stats(Opened::open(path, self.progress)?)?;
        }
        Ok(())
    }

    /// How a worker went over time. The plots need it and no figure does, so one that cannot be read is a warning.
    fn series_of(&mut self, worker: &Worker) -> Option<Series> {
        let path = worker.series.as_deref()?;
        match Opened::open(path, self.progress).and_then(read_series) {
            Ok(series) => Some(series),
            Err(error) => {
                self.warnings.push(format!("{error}; there are no plots over time"));
                None
            }
        }
    }

    /// Tells where a worker's samples and Taurus' summary differ.
    fn compare(&mut self, worker: &Worker, collection: &Collection) {
        let Some(path) = &worker.final_stats else { return };
        let report = match Opened::open(path, self.progress).and_then(read_final_stats) {
            Ok((_, report)) => report,
            Err(error) => {
                self.warnings.push(format!("{error}; the samples are not compared with it"));
                return;
            }
        };
        let differences = final_stats::cross_check(&report, collection);
        let file = name_of(path);
        self.warnings
            .extend(differences.iter().take(MAXIMUM_DIFFERENCES).map(|difference| format!("{file}: {difference}")));
        if let Some(more) = differences.len().checked_sub(MAXIMUM_DIFFERENCES).filter(|more| *more > 0) {
            self.warnings.push(format!("{file}: {more} more differences between Taurus' summary and the samples"));
        }
    }

    fn finish(self) -> Result<Gathered, GatherError> {
        let Self { sources, collection, series, final_stats, run, warnings, .. } = self;
        let empty = |final_stats: &[(Source, FinalStats)]| {
            collection.label_count() == 0
                && final_stats.iter().all(|(_, report)| report.total.is_none() && report.labels.is_empty())
        };
        if let Some(run) = run {
            return Ok(Gathered::Run { run, sources, warnings });
        }
        if empty(&final_stats) {
            let names: Vec<&str> = sources.iter().map(|source| source.file.as_str()).collect();
            return Err(GatherError::NoSample { names: names.join(", ") });
        }
        if final_stats.is_empty() {
            let series = series.map(|sum| Box::new(sum.finish()));
            Ok(Gathered::Measured { collection: Box::new(collection), series, sources, warnings })
        } else {
            Ok(Gathered::FinalStats { files: final_stats, warnings })
        }
    }
}
