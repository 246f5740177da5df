//! One sample file, read as it grows.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::FileExt as _;

use volley_stats::samples::{ParseError, detect};
use volley_stats::{Engine, FrameRecorder, Parser, Recorder, Sample};

use super::checkpoint::SavedFile;
use crate::files::Opened;

/// Bytes read of one file before the next one has its turn.
pub(super) const TURN: u64 = 8 * 1024 * 1024;

/// Where samples go.
pub(super) struct Sinks {
    /// What the result is made of.
    pub(super) recorder: Recorder,
    /// What is told while the load runs; none where nothing is.
    pub(super) frames: Option<FrameRecorder>,
}

impl Sinks {
    fn stop_at(&mut self, stop_us: i64) {
        self.recorder.stop_at(stop_us);
        if let Some(frames) = &mut self.frames {
            frames.stop_at(stop_us);
        }
    }

    fn record(&mut self, execution: usize, sample: &Sample<'_>) {
        self.recorder.record(execution, sample);
        if let Some(frames) = &mut self.frames {
            frames.record(execution, sample);
        }
    }
}

/// A file, how far it was read, and the parser that stands there.
pub(super) struct Followed {
    /// Below the work folder.
    pub(super) path: String,
    /// Device and inode.
    pub(super) identity: (u64, u64),
    /// Bytes that were handed to the parser.
    pub(super) offset: u64,
    /// None until the first row has said whose file it is.
    pub(super) parser: Option<Parser>,
    /// None once nothing more is read from it.
    pub(super) file: Option<File>,
    engines: Vec<Engine>,
    malformed: u64,
}

impl Followed {
    /// A file from its beginning. `engines` are those that its name and the test allow.
    pub(super) fn new(path: String, opened: Opened, engines: Vec<Engine>) -> Self {
        Self {
            path,
            identity: opened.identity,
            offset: 0,
            parser: None,
            file: Some(opened.file),
            engines,
            malformed: 0,
        }
    }

    /// What a predecessor read of a file that is not there any more or that it had given up.
    ///
    /// # Errors
    /// Where the parser's state makes no sense.
    pub(super) fn given_up(saved: SavedFile, engines: Vec<Engine>) -> Result<Self, ParseError> {
        let parser = saved.parser.map(Parser::resume).transpose()?;
        let malformed = parser.as_ref().map_or(0, Parser::malformed);
        Ok(Self {
            path: saved.path,
            identity: (saved.device, saved.inode),
            offset: saved.offset,
            parser,
            file: None,
            engines,
            malformed,
        })
    }

    /// Where a successor goes on: before the row that is not complete yet.
    pub(super) fn saved(&self) -> SavedFile {
        let unfinished = self.parser.as_ref().map_or(0, Parser::unfinished_bytes);
        SavedFile {
            path: self.path.clone(),
            device: self.identity.0,
            inode: self.identity.1,
            offset: self.offset.saturating_sub(unfinished),
            given_up: self.file.is_none(),
            parser: self.parser.as_ref().map(Parser::checkpoint),
        }
    }

    /// The engines that this file's name and the test allow.
    pub(super) fn engines(&self) -> &[Engine] {
        &self.engines
    }

    /// Reads what is new, at most [`TURN`] bytes; the number of bytes. `stop_us` is asked after each read: bytes that the stop has
    /// caused are never taken for bytes from before it.
    ///
    /// # Errors
    /// In words, where the file cannot be read any further.
    pub(super) fn read(
        &mut self,
        execution: usize,
        buffer: &mut [u8],
        sinks: &mut Sinks,
        stop_us: &impl Fn() -> Option<i64>,
    ) -> Result<u64, String> {
        let outcome = self.read_turn(execution, buffer, sinks, stop_us);
        self.note_malformed(&mut sinks.recorder);
        if outcome.is_err() {
            self.file = None;
        }
        outcome
    }

    fn read_turn(
        &mut self,
        execution: usize,
        buffer: &mut [u8],
        sinks: &mut Sinks,
        stop_us: &impl Fn() -> Option<i64>,
    ) -> Result<u64, String> {
        let Some(file) = &mut self.file else { return Ok(0) };
        if self.parser.is_none() {
            self.parser = first_row(file, buffer, &self.engines)?.map(Parser::new);
        }
        let Some(parser) = &mut self.parser else { return Ok(0) };
        let mut turn = 0;
        while turn < TURN {
            let length = match file.read(buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.to_string()),
            };
            turn += length as u64;
            self.offset += length as u64;
            if let Some(stop_us) = stop_us() {
                sinks.stop_at(stop_us);
            }
            let bytes = buffer.get(..length).unwrap_or_default();
            let outcome = parser.push(bytes, &mut |sample| sinks.record(execution, &sample));
            outcome.map_err(|error| error.to_string())?;
        }
        Ok(turn)
    }

    /// The file has ended. A last row without its line end is counted as malformed, a first one too.
    pub(super) fn finish(&mut self, recorder: &mut Recorder) {
        if let Some(parser) = &mut self.parser {
            parser.finish();
            self.note_malformed(recorder);
        } else if let Some(file) = &self.file
            && file.metadata().is_ok_and(|metadata| metadata.len() > 0)
        {
            recorder.add_malformed(1);
        }
        self.file = None;
    }

    fn note_malformed(&mut self, recorder: &mut Recorder) {
        let malformed = self.parser.as_ref().map_or(0, Parser::malformed);
        recorder.add_malformed(malformed.saturating_sub(self.malformed));
        self.malformed = malformed;
    }
}

/// Whose file it is by its first row; none while that is not complete.
fn first_row(file: &File, buffer: &mut [u8], engines: &[Engine]) -> Result<Option<Engine>, String> {
    let mut length = 0;
    while let Some(rest) = buffer.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, length as u64) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    let full = length == buffer.len();
    let first = buffer.get(..length).unwrap_or_default();
    if !full && !first.contains(&b'\n') {
        return Ok(None);
    }
    match detect(first) {
        Some(engine) if engines.contains(&engine) => Ok(Some(engine)),
        Some(engine) => Err(format!("its rows are those of {engine}, which this test does not run")),
        None => {
            Err("its first row is that of no engine; the columns of a sample file must keep their names".to_owned())
        }
    }
}
