//! Readers of a run's live figures: over HTTP, and over MQTT through IoT Core.

#![cfg(test)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod event_stream;
mod iot_core;
mod limits;
mod publishing;
mod scraping;
mod seconds;
mod streaming;
