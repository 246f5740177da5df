//! libFuzzer looks for bytes that break [`volley_fuzz::tail::checkpoint`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| volley_fuzz::tail::checkpoint(bytes));
