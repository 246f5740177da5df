//! libFuzzer looks for bytes that break [`volley_fuzz::user_manifest::file`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| volley_fuzz::user_manifest::file(bytes));
