//! libFuzzer looks for bytes that break [`volley_fuzz::samples::locust`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| volley_fuzz::samples::locust(bytes));
