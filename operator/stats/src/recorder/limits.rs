//! The bounds of a worker.

use std::borrow::Cow;

use crate::series::Bounds;

/// The bounds of what a worker keeps. They act when a sample arrives, never when collections are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Labels of both kinds with a row of their own; `[other]` comes on top.
    pub labels: usize,
    /// Error groups; `[other]` comes on top.
    pub error_groups: usize,
    /// Response codes per label; `[other]` comes on top.
    pub codes_per_label: usize,
    /// Bytes of a label; longer ones are cut and end in `…`.
    pub label_bytes: usize,
    /// Bytes of a code or message; longer ones are cut and end in `…`.
    pub message_bytes: usize,
    /// What the series may hold; what exceeds it gets longer points.
    pub series: Bounds,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            labels: 4000,
            error_groups: 500,
            codes_per_label: 100,
            label_bytes: 1024,
            message_bytes: 512,
            series: Bounds::WORKER,
        }
    }
}

/// A text of at most `limit` bytes; where it is longer its beginning and `…`.
pub(crate) fn shorten(text: &str, limit: usize) -> Cow<'_, str> {
    const ELLIPSIS: char = '…';
    if text.len() <= limit {
        return Cow::Borrowed(text);
    }
    let mut end = limit.saturating_sub(ELLIPSIS.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut short = text.get(..end).unwrap_or_default().to_owned();
    short.push(ELLIPSIS);
    Cow::Owned(short)
}
