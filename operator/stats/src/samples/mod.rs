//! Samples, and the parsers of the files in which engines write them.
//!
//! One [`Parser`] for every [`Engine`]; [`detect`] tells which one a file needs. What an engine's rows mean is in the
//! documentation of its module: `jtl` (JMeter, Locust, Apiritif), `k6`, `molotov`.
//!
//! Texts come as they are in the file: a label may hold any control character, also NUL. They count under that label;
//! who prints them escapes them.

mod columns;
mod detect;
mod engine;
mod error;
mod jtl;
mod k6;
mod lines;
mod molotov;
mod parser;
mod rows;
mod sample;
mod table;
mod values;

pub use detect::detect;
pub use engine::{Engine, UnknownEngine};
pub use error::ParseError;
pub use parser::{Parser, ParserCheckpoint};
pub use rows::{MAXIMUM_COLUMNS, MAXIMUM_ROW_BYTES};
pub use sample::{Sample, SampleKind};
