//! What a file is, by its first bytes.

use volley_stats::{Engine, samples};

use super::error::GatherError;
use crate::report::text::visible;

/// Most characters of a file that an error shows.
const SHOWN: usize = 60;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An engine's samples.
    Samples(Engine),
    /// Volley's histogram file.
    Histograms,
    /// Volley's file of figures over time, which adds to histograms.
    Series,
    /// Some XML; only final-stats is read.
    Xml,
    /// Some JSON; only the result of a run is read.
    Json,
}

/// What a file is by its first bytes, of which there is at least one.
pub(super) fn of(name: &str, first: &[u8]) -> Result<Kind, GatherError> {
    if first.starts_with(b"VOLLEYH1") {
        return Ok(Kind::Histograms);
    }
    if first.starts_with(b"VOLLEYS1") {
        return Ok(Kind::Series);
    }
    if let Some(engine) = samples::detect(first) {
        return Ok(Kind::Samples(engine));
    }
    let text = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first).trim_ascii_start();
    match text.first() {
        Some(b'<') if contains(text, b"<testResults") => Err(GatherError::JMeterXml { name: name.to_owned() }),
        Some(b'<') => Ok(Kind::Xml),
        Some(b'{') => Ok(Kind::Json),
        _ => Err(GatherError::Unknown { name: name.to_owned(), beginning: beginning(first) }),
    }
}

fn contains(text: &[u8], words: &[u8]) -> bool {
    text.windows(words.len()).any(|window| window == words)
}

fn beginning(first: &[u8]) -> String {
    let text = String::from_utf8_lossy(first.get(..first.len().min(4 * SHOWN)).unwrap_or_default());
    let line: String = text.lines().next().unwrap_or_default().chars().take(SHOWN).collect();
    visible(&line).into_owned()
}
