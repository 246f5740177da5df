//! JMeter properties. Taurus writes `name=value` lines as they are, and Java reads them with its own escapes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::InvalidDefinition;

/// Prefixes of properties that decide how the sample file looks.
const RESERVED: [&str; 2] = ["jmeter.save.saveservice.", "sampleresult."];

pub(super) fn properties(properties: &BTreeMap<String, String>) -> Result<Map<String, Value>, InvalidDefinition> {
    properties
        .iter()
        .map(|(name, value)| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
            if name.is_empty() || !name.bytes().all(plain) {
                return Err(InvalidDefinition::PropertyName { name: name.chars().take(100).collect() });
            }
            if RESERVED.iter().any(|prefix| name.starts_with(prefix)) {
                return Err(InvalidDefinition::PropertyReserved { name: name.chars().take(100).collect() });
            }
            Ok((name.clone(), Value::String(escape(value))))
        })
        .collect()
}

/// The value as a Java properties file holds it: ISO 8859-1, everything else as UTF-16 escapes
/// (`java.util.Properties`, "load").
fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for (position, character) in value.char_indices() {
        match character {
            '\\' => escaped.push_str(r"\\"),
            '\n' => escaped.push_str(r"\n"),
            '\r' => escaped.push_str(r"\r"),
            '\t' => escaped.push_str(r"\t"),
            ' ' if position == 0 => escaped.push_str(r"\ "),
            ' '..='~' => escaped.push(character),
            _ => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    // Writing to a String cannot fail.
                    let _ = write!(escaped, r"\u{unit:04x}");
                }
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_leave_its_line() {
        assert_eq!(escape("a\nuser.classpath=/x"), r"a\nuser.classpath=/x");
        assert_eq!(escape(" ä😀\\"), r"\ \u00e4\ud83d\ude00\\");
    }
}
