//! The figures of runs with simulated workers, from what they left behind: a column for each run, in Markdown.
//!
//! Read → compute (pure) → write. What is not there is shown as `–`, never as 0.

mod audit;
mod cost;
mod input;
pub mod processes;
mod rows;
pub mod spread;
pub mod trend;

use std::fmt::Write as _;
use std::path::PathBuf;

pub use input::{InputError, Inputs};
pub use rows::{Row, rows};

/// Shown where a figure is not there.
const ABSENT: &str = "–";

/// The table of some folders, each with what one run left behind.
///
/// # Errors
/// [`InputError`] names the file.
pub fn table_of(folders: &[PathBuf]) -> Result<String, InputError> {
    let columns: Result<Vec<_>, _> =
        folders.iter().map(|folder| Inputs::read(folder).map(|inputs| rows(&inputs))).collect();
    Ok(table(&columns?))
}

/// A Markdown table with a column for each run. All runs have the same rows.
#[must_use]
pub fn table(columns: &[Vec<Row>]) -> String {
    let Some(first) = columns.first() else { return String::new() };
    let mut text = String::new();
    for (position, row) in first.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(text, "| {} |", row.title);
        for column in columns {
            let value = column.get(position).and_then(|row| row.value.as_deref()).unwrap_or(ABSENT);
            let _ = write!(text, " {value} |");
        }
        text.push('\n');
        if position == 0 {
            text.push_str(&"|---".repeat(columns.len() + 1));
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_is_a_column_and_what_is_missing_is_a_dash() {
        let row = |title: &'static str, value: Option<&str>| Row { title, value: value.map(str::to_owned) };
        let columns = [
            vec![row("workers", Some("5")), row("skew", Some("2 ms"))],
            vec![row("workers", Some("500")), row("skew", None)],
        ];
        assert_eq!(table(&columns), "| workers | 5 | 500 |\n|---|---|---|\n| skew | 2 ms | – |\n");
    }
}
