//! libFuzzer looks for bytes that break [`volley_fuzz::samples::taurus`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| volley_fuzz::samples::taurus(bytes));
