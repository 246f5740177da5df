//! The case tables in `tests/cases`, held against the checks in Rust and against a real API server. A rule without a case that it
//! alone refuses fails the tests, so that neither side can drift from the other.

mod api_server;
mod cases;
mod offline;
