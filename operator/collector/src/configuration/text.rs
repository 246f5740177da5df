//! JSON that YAML 1.1 readers take for the same value.
//!
//! Taurus reads every configuration with `PyYAML`, whatever its name. A YAML writer of our own would have to know which plain
//! words `PyYAML` takes for something else (`on`, `12:30`, `1_000`, `=`); in JSON every text is quoted. Two differences remain
//! and are closed here: YAML 1.1 treats U+0085, U+2028 and U+2029 as line ends inside quotes and does not allow U+007F to U+009F,
//! so everything of the basic plane above ASCII is written as an escape. Other planes stay as they are, because JSON's pairs of
//! surrogates are two characters to YAML.

use std::fmt::Write as _;

use serde_json::Value;

pub(super) fn yaml(value: &Value) -> String {
    let json = format!("{value:#}");
    let mut text = String::with_capacity(json.len() + 1);
    for character in json.chars() {
        match u32::from(character) {
            // Only inside quotes: JSON's own marks are ASCII.
            code @ 0x7F..=0xFFFF => {
                // Writing to a String cannot fail.
                let _ = write!(text, r"\u{code:04x}");
            }
            _ => text.push(character),
        }
    }
    text.push('\n');
    text
}
