//! The state that a collector keeps.

use volley_stats::Parser;

use crate::tail_checkpoint::{self, Files};

/// A checkpoint that is read is written and read as the same again, and each of its parsers is resumed or refused.
pub fn checkpoint(bytes: &[u8]) {
    let Ok((files, mut recorder)) = tail_checkpoint::decode(bytes) else { return };
    let written = written(&files, &mut recorder);
    let (again, mut other) = tail_checkpoint::decode(&written).unwrap();
    assert_eq!(self::written(&again, &mut other), written);
    for parser in files.files.into_iter().filter_map(|file| file.parser) {
        if let Ok(resumed) = Parser::resume(parser) {
            let checkpoint = resumed.checkpoint();
            assert_eq!(Parser::resume(checkpoint.clone()).unwrap().checkpoint(), checkpoint);
        }
    }
}

fn written(files: &Files, recorder: &mut volley_stats::Recorder) -> Vec<u8> {
    let mut bytes = Vec::new();
    tail_checkpoint::write(files, recorder, &mut bytes).unwrap();
    bytes
}
