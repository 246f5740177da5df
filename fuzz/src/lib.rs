//! Properties of everything in Volley that reads bytes which others wrote: for any bytes they must hold, and nothing may
//! panic. A property that does not hold panics too.
//!
//! Each property is a function of bytes. libFuzzer looks for bytes that break it (`dev/fuzz.sh`, the programs in
//! `fuzz_targets/`); `tests/replay.rs` runs it over the checked-in corpus with the stable compiler.

#![allow(clippy::missing_panics_doc, reason = "to panic is how a property says that it does not hold")]

pub mod binary;
pub mod final_stats;
pub mod health;
pub mod json;
pub mod pieces;
pub mod samples;
pub mod tail;
pub mod user_manifest;

// Without the clients of volley-storage: instrumented, the AWS SDK alone would take ten minutes.
#[path = "../../operator/storage/src/documents/mod.rs"]
pub mod documents;
#[path = "../../operator/storage/src/keys.rs"]
pub mod keys;
#[path = "../../operator/volley/src/manifest.rs"]
pub mod manifest;
#[path = "../../operator/collector/src/tail/checkpoint.rs"]
mod tail_checkpoint;

/// What the documents need of `volley-storage`'s module of this name.
pub mod objects {
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    /// A document that is kept as an object.
    pub trait Document: Serialize + DeserializeOwned {
        /// What errors call it.
        const KIND: &'static str;
        /// Bytes that a reader accepts.
        const MAX_BYTES: u64;
        /// The version in it.
        fn version(&self) -> u32;
    }
}

/// A property: panics where it does not hold.
pub type Property = fn(&[u8]);

/// Every property by the name of its fuzz target, which is the name of its folder in `corpus/` too.
pub const PROPERTIES: &[(&str, Property)] = &[
    ("samples_jmeter", samples::jmeter),
    ("samples_locust", samples::locust),
    ("samples_apiritif", samples::apiritif),
    ("samples_k6", samples::k6),
    ("samples_molotov", samples::molotov),
    ("samples_taurus", samples::taurus),
    ("final_stats", final_stats::report),
    ("frame", binary::frame),
    ("health", health::rows),
    ("live_series", binary::live_series),
    ("histogram", binary::histogram),
    ("worker_file", binary::worker_file),
    ("series", binary::series),
    ("recorder_checkpoint", binary::recorder_checkpoint),
    ("tail_checkpoint", tail::checkpoint),
    ("user_manifest", user_manifest::file),
    ("documents", json::documents),
];
