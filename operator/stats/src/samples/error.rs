//! Why a file cannot be read as samples.

use serde::{Deserialize, Serialize};

use super::{Engine, MAXIMUM_COLUMNS, MAXIMUM_ROW_BYTES};

/// Why a file cannot be read as samples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum ParseError {
    /// The first row lacks columns.
    #[error("sample file of {engine} has no column {missing}; its first row is '{found}'")]
    Header {
        /// The engine whose columns were expected.
        engine: Engine,
        /// Names of the missing columns.
        missing: String,
        /// The first row, at most 200 characters.
        found: String,
    },
    /// The first row is too long to be a header.
    #[error(
        "sample file of {engine} begins with a row of more than {MAXIMUM_ROW_BYTES} bytes or {MAXIMUM_COLUMNS} \
         columns, which is no header"
    )]
    HeaderTooLong {
        /// The engine whose columns were expected.
        engine: Engine,
    },
    /// The first row is no JSON object with the fields of a report.
    #[error(
        "sample file of {engine} does not begin with a JSON object that has 'ts' and 'type'; its first row is '{found}'"
    )]
    FirstRow {
        /// The engine whose rows were expected.
        engine: Engine,
        /// The first row, at most 200 characters.
        found: String,
    },
}

/// The beginning of a row, for an error message.
pub(super) fn excerpt(row: &[u8]) -> String {
    let beginning = row.get(..800).unwrap_or(row);
    String::from_utf8_lossy(beginning).chars().take(200).collect()
}
