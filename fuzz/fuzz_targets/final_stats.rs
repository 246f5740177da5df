//! libFuzzer looks for bytes that break [`volley_fuzz::final_stats::report`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| volley_fuzz::final_stats::report(bytes));
