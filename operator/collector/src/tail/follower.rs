//! The files being followed, without thread or clock.

use std::io::{self, Seek as _, SeekFrom, Write};

use volley_stats::health::HealthSummary;
use volley_stats::samples::{MAXIMUM_ROW_BYTES, ParseError};
use volley_stats::{Collection, Engine, FrameRecorder, Limits, Parser, Recorder, Series};
use volley_storage::documents::SampleFile;

use super::checkpoint::{self, CheckpointError, Files, SavedFile};
use super::discovery::engines_of;
use super::followed::{Followed, Sinks, TURN};
use super::health::HealthFile;
use crate::files::{Consumed, FileError, UntrustedFolder};

/// The folder in which Taurus keeps the sample files.
const ARTIFACTS: &str = "artifacts";
/// Bytes read at a time; a first row has to fit.
const BUFFER: usize = MAXIMUM_ROW_BYTES;
/// Sample files followed. Taurus makes one per execution, apiritif one per process.
const MAXIMUM_FILES: usize = 64;
/// Warnings kept.
const MAXIMUM_WARNINGS: usize = 20;

/// What was read.
#[derive(Debug)]
pub struct Tailed {
    /// The statistics.
    pub collection: Collection,
    /// The course over time.
    pub series: Series,
    /// The sample files.
    pub files: Vec<SampleFile>,
    /// What the main container says of itself; `None`: nothing.
    pub health: Option<HealthSummary>,
    /// Samples that came after their second was told; `None`: nothing is told while the load runs.
    pub late_samples: Option<u64>,
    /// What a reader of the result should know.
    pub warnings: Vec<String>,
}

/// Reads sample files as they grow.
pub struct Follower {
    folder: UntrustedFolder,
    engines: Vec<Engine>,
    sinks: Sinks,
    /// Each is an execution of its own: its users add to those of the others.
    files: Vec<Followed>,
    /// Read from its beginning by each process: it is small, and what is kept of it is in no checkpoint.
    health: HealthFile,
    buffer: Vec<u8>,
    /// The last look left something unread.
    behind: bool,
    warnings: Vec<String>,
}

impl Follower {
    /// A follower of the sample files of some engines below a work folder; nothing is read yet.
    #[must_use]
    pub fn new(folder: UntrustedFolder, engines: &[Engine]) -> Self {
        Self::with(folder, engines, Recorder::new(Limits::default()))
    }

    fn with(folder: UntrustedFolder, engines: &[Engine], recorder: Recorder) -> Self {
        Self {
            folder,
            engines: engines.to_vec(),
            sinks: Sinks { recorder, frames: None },
            files: Vec::new(),
            health: HealthFile::default(),
            buffer: vec![0; BUFFER],
            behind: false,
            warnings: Vec::new(),
        }
    }

    /// A follower that goes on where the one stood that made these bytes.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn resume(folder: UntrustedFolder, engines: &[Engine], bytes: &[u8]) -> Result<Self, CheckpointError> {
        let (Files { files, warnings }, recorder) = checkpoint::decode(bytes)?;
        let mut follower = Self { warnings, ..Self::with(folder, engines, recorder) };
        for saved in files {
            let again = follower.find_again(saved)?;
            follower.files.push(again);
        }
        Ok(follower)
    }

    /// Writes where this follower stands, for [`Self::resume`]; up to where the files are not needed any more then.
    ///
    /// # Errors
    /// What the sink says.
    pub fn checkpoint(&mut self, sink: &mut impl Write) -> io::Result<Vec<Consumed>> {
        let files: Vec<_> = self.files.iter().map(Followed::saved).collect();
        let consumed =
            files.iter().map(|file| Consumed { path: file.path.clone(), inode: file.inode, up_to: file.offset });
        let consumed = consumed.collect();
        let files = Files { files, warnings: self.warnings.clone() };
        checkpoint::write(&files, &mut self.sinks.recorder, sink)?;
        Ok(consumed)
    }

    /// Reads what is new. True: something was.
    ///
    /// `stop_us` says when the engine was asked to stop, once it was.
    pub fn look(&mut self, stop_us: &impl Fn() -> Option<i64>) -> bool {
        self.discover();
        let mut progress = false;
        self.behind = false;
        for position in 0..self.files.len() {
            let bytes = self.read(position, stop_us);
            self.behind |= bytes >= TURN;
            progress |= bytes > 0;
            progress |= self.replace(position);
        }
        progress | self.look_at_health()
    }

    fn look_at_health(&mut self) -> bool {
        let frames = &mut self.sinks.frames;
        let looked = self.health.look(&self.folder, &mut |second, load| {
            if let Some(frames) = frames {
                frames.note_load(second, load);
            }
        });
        match looked {
            Ok(bytes) => bytes > 0,
            Err(error) => {
                self.warn(format!("what the worker says of its processor and memory is not read: {error}"));
                false
            }
        }
    }

    /// What the main container says of itself, so far; `None`: nothing.
    #[must_use]
    pub fn health(&self) -> Option<HealthSummary> {
        self.health.summary()
    }

    /// Samples so far that came after their second was told; `None`: nothing is told.
    #[must_use]
    pub fn late_samples(&self) -> Option<u64> {
        self.sinks.frames.as_ref().map(FrameRecorder::late_samples)
    }

    /// What was recorded so far.
    #[must_use]
    pub fn recorder(&mut self) -> &mut Recorder {
        &mut self.sinks.recorder
    }

    /// Collects from now on what is told while the load runs.
    pub fn collect_frames(&mut self) {
        self.sinks.frames = Some(FrameRecorder::new());
    }

    /// What is told while the load runs, where it is collected.
    pub fn frames(&mut self) -> Option<&mut FrameRecorder> {
        self.sinks.frames.as_mut()
    }

    /// Whether the last look left rows unread, because there were so many.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.behind
    }

    /// The files so far.
    #[must_use]
    pub fn files(&self) -> Vec<SampleFile> {
        let described = self.files.iter().map(|followed| SampleFile {
            path: followed.path.clone(),
            engine: followed.parser.as_ref().map(Parser::engine),
            samples: followed.parser.as_ref().map_or(0, Parser::samples),
            bytes: followed.offset,
        });
        described.collect()
    }

    /// Bytes read so far. While it stays the same there is nothing new to keep.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, followed| sum.saturating_add(followed.offset))
    }

    /// The warnings so far.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.iter().cloned().chain(self.health.warnings()).collect()
    }

    /// Ends the reading: a last row without its line end is counted as malformed.
    #[must_use]
    pub fn finish(mut self) -> Tailed {
        for followed in &mut self.files {
            followed.finish(&mut self.sinks.recorder);
        }
        let (files, warnings) = (self.files(), self.warnings());
        let (health, late_samples) = (self.health(), self.late_samples());
        let (collection, series) = self.sinks.recorder.into_parts();
        Tailed { collection, series, files, health, late_samples, warnings }
    }

    /// Notes something for the reader of the result, once.
    pub fn warn(&mut self, warning: impl Into<String>) {
        let warning = warning.into();
        if self.warnings.len() < MAXIMUM_WARNINGS && !self.warnings.contains(&warning) {
            tracing::warn!("{warning}");
            self.warnings.push(warning);
        }
    }

    fn discover(&mut self) {
        let names = match self.folder.names(ARTIFACTS) {
            Ok(names) => names,
            Err(error) => return self.warn(error.to_string()),
        };
        for name in names {
            let of_name = engines_of(&name);
            let path = format!("{ARTIFACTS}/{name}");
            if of_name.is_empty() || self.files.iter().any(|followed| followed.path == path) {
                continue;
            }
            let engines = self.allowed(of_name);
            if engines.is_empty() {
                self.warn(format!("{path} was not read: this test runs no engine that writes such a file"));
            } else if self.files.len() >= MAXIMUM_FILES {
                self.warn(format!("{path} was not read: there are more than {MAXIMUM_FILES} sample files"));
            } else {
                match self.folder.file(&path) {
                    Ok(Some(opened)) => self.files.push(Followed::new(path, opened, engines)),
                    Ok(None) => {}
                    Err(error) => self.warn(format!("sample file not read: {error}")),
                }
            }
        }
    }

    fn allowed(&self, of_name: &[Engine]) -> Vec<Engine> {
        of_name.iter().copied().filter(|engine| self.engines.contains(engine)).collect()
    }

    /// The number of bytes that were read.
    fn read(&mut self, position: usize, stop_us: &impl Fn() -> Option<i64>) -> u64 {
        let Some(followed) = self.files.get_mut(position) else { return 0 };
        match followed.read(position, &mut self.buffer, &mut self.sinks, stop_us) {
            Ok(bytes) => bytes,
            Err(trouble) => {
                let warning = format!("{} was read only up to byte {}: {trouble}", followed.path, followed.offset);
                self.warn(warning);
                0
            }
        }
    }

    /// Goes on with the file that has taken the name, or from the beginning of one that was cut. Engines do neither; scripts can.
    fn replace(&mut self, position: usize) -> bool {
        let Some(followed) = self.files.get_mut(position) else { return false };
        let there = match self.folder.file(&followed.path) {
            Ok(Some(there)) => there,
            // Gone or replaced by something else: what is open stays open.
            Ok(None) | Err(FileError::NotRegular { .. }) => return false,
            Err(error) => {
                self.warn(error.to_string());
                return false;
            }
        };
        let renewed = there.identity != followed.identity;
        if !renewed && there.size >= followed.offset {
            return false;
        }
        followed.finish(&mut self.sinks.recorder);
        let warning = changed(&followed.path, renewed, followed.offset);
        *followed = Followed::new(followed.path.clone(), there, followed.engines().to_vec());
        self.warn(warning);
        true
    }

    /// The file that a predecessor read, where it still is what it was.
    fn find_again(&mut self, saved: SavedFile) -> Result<Followed, ParseError> {
        let name = saved.path.rsplit('/').next().unwrap_or_default();
        let engines = self.allowed(engines_of(name));
        let mut there = match self.folder.file(&saved.path) {
            Ok(Some(there)) if !saved.given_up => there,
            // Taurus removes no sample file; whoever did has his reasons.
            Ok(_) => return Followed::given_up(saved, engines),
            Err(error) => {
                self.warn(format!("sample file not read any further: {error}"));
                return Followed::given_up(saved, engines);
            }
        };
        let renewed = there.identity != (saved.device, saved.inode);
        if renewed || there.size < saved.offset {
            self.warn(changed(&saved.path, renewed, saved.offset));
            return Ok(Followed::new(saved.path, there, engines));
        }
        if let Err(error) = there.file.seek(SeekFrom::Start(saved.offset)) {
            self.warn(format!("{} was read only up to byte {}: {error}", saved.path, saved.offset));
            return Followed::given_up(saved, engines);
        }
        let mut followed = Followed::given_up(saved, engines)?;
        followed.file = Some(there.file);
        Ok(followed)
    }
}

fn changed(path: &str, renewed: bool, offset: u64) -> String {
    let how = if renewed { "replaced" } else { "cut" };
    format!("{path} was {how} after byte {offset} while it was read; rows may be missing")
}

#[cfg(test)]
mod tests;
