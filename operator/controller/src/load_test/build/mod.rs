//! The objects that a LoadTest makes. Pure.

pub mod run;
