//! The case tables in `tests/cases`, held against the checks in Rust and against a real API server. A rule without a case that it
//! alone refuses fails the tests, so that neither side can drift from the other.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails loudly, its support too")]

mod api_server;
mod cases;
mod offline;
