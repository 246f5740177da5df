//! libFuzzer looks for bytes that break [`volley_fuzz::health::rows`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| volley_fuzz::health::rows(bytes));
