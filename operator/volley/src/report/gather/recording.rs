//! Reads sample files of one worker as streams.

use std::io::Read;

use volley_stats::series::Series;
use volley_stats::statistics::Collection;
use volley_stats::{Engine, Limits, Parser, Recorder};

use super::error::GatherError;
use super::open::Opened;
use crate::report::model::{Source, SourceKind};

/// Bytes read at once.
const PIECE: usize = 256 * 1024;

/// What sample files of one worker hold.
pub(super) struct Recorded {
    pub(super) collection: Collection,
    pub(super) series: Series,
    pub(super) sources: Vec<Source>,
    pub(super) warnings: Vec<String>,
}

/// Takes the sample files of one worker. Each file is one execution.
pub(super) struct Recording {
    recorder: Recorder,
    sources: Vec<Source>,
    warnings: Vec<String>,
}

impl Recording {
    pub(super) fn new() -> Self {
        Self { recorder: Recorder::new(Limits::default()), sources: Vec::new(), warnings: Vec::new() }
    }

    /// Records a file to its end. Where it cannot be read to its end, what was read until there stays recorded.
    pub(super) fn add(&mut self, mut opened: Opened<'_>, engine: Engine) -> Result<(), GatherError> {
        let execution = self.sources.len();
        let mut parser = Parser::new(engine);
        let outcome = self.read(&mut opened, &mut parser, execution);
        let unfinished = parser.unfinished_bytes();
        if unfinished > 0 {
            self.warnings.push(format!(
                "{} ends within a row: its last {unfinished} bytes are not counted; the engine was killed, or the \
                 file was copied before its end",
                opened.name
            ));
        } else {
            parser.finish();
        }
        if parser.malformed() > 0 {
            let rows = parser.malformed();
            self.warnings.push(format!("{}: {rows} rows make no sense and are not counted", opened.name));
        }
        self.recorder.add_malformed(parser.malformed());
        self.sources.push(Source {
            file: opened.name,
            kind: SourceKind::Samples,
            engine: Some(engine.as_str().to_owned()),
            samples: Some(parser.samples()),
        });
        outcome
    }

    fn read(&mut self, opened: &mut Opened<'_>, parser: &mut Parser, execution: usize) -> Result<(), GatherError> {
        let mut piece = vec![0; PIECE];
        loop {
            let read = match opened.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(opened.failure(error)),
            };
            let bytes = piece.get(..read).unwrap_or_default();
            parser
                .push(bytes, &mut |sample| self.recorder.record(execution, &sample))
                .map_err(|source| GatherError::Samples { name: opened.name.clone(), source })?;
        }
    }

    /// What was recorded, the files, and what a reader should know of them.
    pub(super) fn finish(self) -> Recorded {
        let (collection, series) = self.recorder.into_parts();
        Recorded { collection, series, sources: self.sources, warnings: self.warnings }
    }
}
