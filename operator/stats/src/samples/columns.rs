//! Columns are found by the names in a header.

use super::rows::Fields;
use super::values::text;

/// The position of a column that a file does not have.
pub(super) const ABSENT: usize = usize::MAX;

/// The names in a header.
pub(super) fn names(header: &Fields<'_>) -> Vec<String> {
    let names = header.iter().map(|name| name.strip_prefix(b"\xef\xbb\xbf").unwrap_or(name));
    names.map(|name| text(name).into_owned()).collect()
}

/// Where columns are; the last one of a name counts.
pub(super) fn positions<const COUNT: usize>(header: &[String], names: [&str; COUNT]) -> [usize; COUNT] {
    names.map(|name| header.iter().rposition(|column| column == name).unwrap_or(ABSENT))
}

/// Fails with the names that a header lacks.
pub(super) fn missing<'name>(header: &[String], names: &[&'name str]) -> Result<(), Vec<&'name str>> {
    let missing: Vec<_> = names.iter().copied().filter(|name| !header.iter().any(|column| column == name)).collect();
    if missing.is_empty() { Ok(()) } else { Err(missing) }
}
