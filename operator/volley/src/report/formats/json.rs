//! JSON for programs. The form is [`Report`] itself; its schema is `docs/reference/report.schema.json`.

use std::fmt::Write;

use crate::report::model::Report;
use crate::report::text::acts;

/// The report, indented.
///
/// JSON escapes the control characters of ASCII only. Those above it and the characters that turn the direction of writing act
/// on a terminal too; they occur only in texts, where an escape means the same.
pub(super) fn write(report: &Report) -> String {
    // A report is maps with text keys, numbers and texts: there is nothing that JSON could not hold.
    let text = serde_json::to_string_pretty(report).unwrap_or_default() + "\n";
    if !text.chars().any(|character| character != '\n' && acts(character)) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 64);
    for character in text.chars() {
        if character != '\n' && acts(character) {
            let _ = write!(safe, "\\u{:04x}", u32::from(character));
        } else {
            safe.push(character);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_escaped_and_reads_back_as_it_was() {
        let label = "a\u{1b}[31m\u{9b}31m\u{202e}\u{7f}\"<b>\n";
        let report = Report { title: label.to_owned(), ..super::super::sample::report() };
        let text = write(&report);
        assert!(!text.chars().any(|character| character != '\n' && acts(character)), "{text}");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["title"], label);
    }
}
