//! What Volley relies on, one named test per property, against the real protocols.
//!
//! By default each test starts an embedded storage of its own. With `VOLLEY_CONFORMANCE_S3_ENDPOINT` and
//! `VOLLEY_CONFORMANCE_DYNAMODB_ENDPOINT` (or `VOLLEY_CONFORMANCE_AWS=1` for AWS itself), `VOLLEY_CONFORMANCE_BUCKET`,
//! `VOLLEY_CONFORMANCE_TABLE` and credentials where the SDK finds them, the same tests run there, below a prefix of their
//! own; what only makes sense for the embedded storage is skipped and says so.

// The lint configuration allows these in tests, but does not see that helpers of an integration test are tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod durability;
mod lists;
mod many_rows;
mod objects;
mod place;
mod results;
mod rights;
