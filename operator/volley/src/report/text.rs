//! Words of strangers, made fit to be shown.

use std::borrow::Cow;

/// Most characters of a label in a table for people. Other formats have all of it.
const LONGEST_LABEL: usize = 100;

/// The text with everything written out that is not seen but acts: control characters (which can rewrite a terminal), line
/// ends, and the characters that turn the direction of writing or have no width. `\n` stays two characters, an escape
/// character becomes `\u{1b}`.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if acts(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// A label for a table: [`visible`], and its beginning where it is very long.
pub(super) fn short_label(label: &str) -> String {
    let shown = visible(label);
    match shown.char_indices().nth(LONGEST_LABEL) {
        None => shown.into_owned(),
        Some(_) => shown.chars().take(LONGEST_LABEL - 1).chain(['…']).collect(),
    }
}

/// Whether a character is not seen but acts. Source of the list: Unicode's general categories Cc, Zl and Zp, its
/// property `Bidi_Control`, the zero-width space and the byte order mark.
pub(super) fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_written_out_and_all_else_stays() {
        assert_eq!(visible("GET /käse?a=1&b=<2>"), "GET /käse?a=1&b=<2>");
        assert_eq!(visible("a\u{1b}[31m\nb\u{9b}c\u{202e}d\u{7f}"), r"a\u{1b}[31m\nb\u{9b}c\u{202e}d\u{7f}");
    }

    #[test]
    fn a_long_label_is_cut_to_whole_characters() {
        assert_eq!(short_label(&"ä".repeat(100)), "ä".repeat(100));
        assert_eq!(short_label(&"ä".repeat(101)), "ä".repeat(99) + "…");
    }
}
