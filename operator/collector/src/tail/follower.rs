//! The files being followed, without thread or clock.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};

use volley_stats::{Collection, Engine, Limits, Parser, Recorder};

use crate::files::{FileError, Opened, UntrustedFolder};

/// The folder in which Taurus keeps the sample files.
const ARTIFACTS: &str = "artifacts";
/// Bytes read at a time.
const BUFFER: usize = 64 * 1024;
/// Bytes read of one file before the next one has its turn.
const TURN: u64 = 8 * 1024 * 1024;
/// Sample files followed. Taurus makes one per execution, and our configurations have one execution.
const MAXIMUM_FILES: usize = 16;
/// Warnings kept.
const MAXIMUM_WARNINGS: usize = 20;

/// What was read.
#[derive(Debug)]
pub struct Tailed {
    /// The statistics.
    pub collection: Collection,
    /// Paths of the sample files below the work folder.
    pub files: Vec<String>,
    /// What a reader of the result should know.
    pub warnings: Vec<String>,
}

struct Followed {
    path: String,
    execution: usize,
    file: File,
    identity: (u64, u64),
    offset: u64,
    parser: Parser,
    malformed: u64,
    readable: bool,
}

impl Followed {
    fn new(path: String, execution: usize, opened: Opened, engine: Engine) -> Self {
        Self {
            path,
            execution,
            file: opened.file,
            identity: opened.identity,
            offset: 0,
            parser: Parser::new(engine),
            malformed: 0,
            readable: true,
        }
    }
}

/// Reads sample files as they grow.
pub struct Follower {
    folder: UntrustedFolder,
    engine: Engine,
    recorder: Recorder,
    files: Vec<Followed>,
    buffer: Vec<u8>,
    warnings: Vec<String>,
}

impl Follower {
    /// A follower of the sample files below a work folder; nothing is read yet.
    #[must_use]
    pub fn new(folder: UntrustedFolder, engine: Engine) -> Self {
        Self {
            folder,
            engine,
            recorder: Recorder::new(Limits::default()),
            files: Vec::new(),
            buffer: vec![0; BUFFER],
            warnings: Vec::new(),
        }
    }

    /// Reads what is new. True: something was.
    ///
    /// `stop_us` is asked after each read: bytes that the stop has caused are never taken for bytes from before it.
    pub fn look(&mut self, stop_us: &impl Fn() -> Option<i64>) -> bool {
        self.discover();
        let mut progress = false;
        for position in 0..self.files.len() {
            progress |= self.read(position, stop_us);
            progress |= self.replace(position);
        }
        progress
    }

    /// Ends the reading: a last row without its line end is counted as malformed.
    #[must_use]
    pub fn finish(mut self) -> Tailed {
        for followed in &mut self.files {
            followed.parser.finish();
            note_malformed(followed, &mut self.recorder);
        }
        Tailed {
            collection: self.recorder.into_collection(),
            files: self.files.into_iter().map(|followed| followed.path).collect(),
            warnings: self.warnings,
        }
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
        for (name, execution) in names.iter().filter_map(|name| Some((name, execution_of(name)?))) {
            let path = format!("{ARTIFACTS}/{name}");
            if self.files.iter().any(|followed| followed.path == path) {
                continue;
            }
            if self.files.len() >= MAXIMUM_FILES {
                self.warn(format!("{path} was not read: there are more than {MAXIMUM_FILES} sample files"));
                continue;
            }
            match self.folder.file(&path) {
                Ok(Some(opened)) => self.files.push(Followed::new(path, execution, opened, self.engine)),
                Ok(None) => {}
                Err(error) => self.warn(format!("sample file not read: {error}")),
            }
        }
    }

    fn read(&mut self, position: usize, stop_us: &impl Fn() -> Option<i64>) -> bool {
        let Some(followed) = self.files.get_mut(position).filter(|followed| followed.readable) else { return false };
        let mut turn = 0;
        let trouble = loop {
            if turn >= TURN {
                break None;
            }
            let length = match followed.file.read(&mut self.buffer) {
                Ok(0) => break None,
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => break Some(error.to_string()),
            };
            turn += length as u64;
            followed.offset += length as u64;
            if let Some(stop_us) = stop_us() {
                self.recorder.stop_at(stop_us);
            }
            let bytes = self.buffer.get(..length).unwrap_or_default();
            let (recorder, execution) = (&mut self.recorder, followed.execution);
            if let Err(error) = followed.parser.push(bytes, &mut |sample| recorder.record(execution, &sample)) {
                break Some(error.to_string());
            }
        };
        note_malformed(followed, &mut self.recorder);
        if let Some(trouble) = trouble {
            followed.readable = false;
            let warning = format!("{} was read only up to byte {}: {trouble}", followed.path, followed.offset);
            self.warn(warning);
        }
        turn > 0
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
        followed.parser.finish();
        note_malformed(followed, &mut self.recorder);
        let (path, execution) = (followed.path.clone(), followed.execution);
        let mut next = Followed::new(path, execution, there, self.engine);
        let warning = format!(
            "{} was {} after byte {} while it was read; rows may be missing",
            followed.path,
            if renewed { "replaced" } else { "cut" },
            followed.offset
        );
        // A file that was cut is already longer or shorter than at its opening; it is read from its new beginning.
        let rewound = next.file.seek(SeekFrom::Start(0)).is_ok();
        next.readable = rewound;
        if let Some(place) = self.files.get_mut(position) {
            *place = next;
        }
        self.warn(warning);
        rewound
    }
}

fn note_malformed(followed: &mut Followed, recorder: &mut Recorder) {
    let malformed = followed.parser.malformed();
    recorder.add_malformed(malformed.saturating_sub(followed.malformed));
    followed.malformed = malformed;
}

/// The execution that a sample file belongs to: `kpi.jtl` is the first, Taurus numbers the others (`kpi-1.jtl`).
fn execution_of(name: &str) -> Option<usize> {
    let name = name.strip_prefix("kpi")?;
    // JMeter and Locust; k6.
    let number = name.strip_suffix(".jtl").or_else(|| name.strip_suffix(".csv"))?;
    if number.is_empty() { Some(0) } else { number.strip_prefix('-')?.parse().ok() }
}

#[cfg(test)]
mod tests;
