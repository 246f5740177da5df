//! The aggregator's metrics, in the `OpenMetrics` text format: how its live part works. Documented in `docs/reference/metrics.md`, a part of
//! which is made from this code.
//!
//! Figures of the run itself (users, rate, errors, percentiles, the instant that they speak of) are the operator's. As there, each metric
//! has the labels `namespace`, `load_test` and `run`; they are the same for all, since an aggregator has one run.

#[cfg(test)]
mod catalogue;
mod labels;
// The page has a part of each program, and its rules are the same for both.
#[cfg(test)]
#[path = "../../../controller/src/metrics/reference.rs"]
mod reference;

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use volley_storage::FailureClass;
use volley_storage::documents::RunIdentity;
use volley_storage::iot::IotError;

pub(crate) use labels::{Checkpoint, WorkerFrame};
use labels::{CheckpointLabels, Class, ClassLabels, FrameLabels, Reason, ReasonLabels};

/// Upper bounds of the live lag, in seconds. A second of JMeter is closed some 1.6 s after its end, one of k6 2.6 s, each up to a live
/// interval (60 s at most) later.
const LAG_BUCKETS: [f64; 12] = [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0, 30.0, 75.0, 150.0];

/// What an aggregator counts.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    worker_frames: Family<FrameLabels, Counter>,
    lag: Histogram,
    frames: Counter,
    published: Counter,
    skipped: Counter,
    publish_failures: Family<ReasonLabels, Counter>,
    endpoint_failures: Family<ReasonLabels, Counter>,
    readers: Gauge,
    refused_readers: Counter,
    checkpoints: Family<CheckpointLabels, Counter>,
    storage_errors: Family<ClassLabels, Counter>,
}

impl Default for Metrics {
    /// Those of no run in particular.
    fn default() -> Self {
        Self::with_labels([])
    }
}

impl Metrics {
    /// Those of a run.
    #[must_use]
    pub fn of(run: &RunIdentity) -> Self {
        Self::with_labels([("load_test", &run.load_test), ("namespace", &run.namespace), ("run", &run.name)])
    }

    fn with_labels<'a>(labels: impl IntoIterator<Item = (&'static str, &'a String)>) -> Self {
        let labels = labels.into_iter().map(|(name, value)| (Cow::from(name), Cow::from(value.clone())));
        let mut registry = Registry::with_prefix_and_labels("volley_aggregator", labels);
        let worker_frames = Family::<FrameLabels, Counter>::default();
        registry.register("worker_frames", "Frames of workers that were read, by outcome", worker_frames.clone());
        let lag = Histogram::new(LAG_BUCKETS);
        registry.register_with_unit(
            "live_lag",
            "Time from the end of a second to its closing",
            Unit::Seconds,
            lag.clone(),
        );
        let frames = Counter::default();
        registry.register("frames", "Live frames that were made for readers", frames.clone());
        let published = Counter::default();
        registry.register("frames_published", "Live frames that IoT Core took", published.clone());
        let skipped = Counter::default();
        registry.register(
            "frames_skipped",
            "Live frames that were never sent to IoT Core, because a newer one came first",
            skipped.clone(),
        );
        let publish_failures = Family::<ReasonLabels, Counter>::default();
        registry.register(
            "publish_failures",
            "Attempts to hand a live frame to IoT Core that failed, by reason",
            publish_failures.clone(),
        );
        let endpoint_failures = Family::<ReasonLabels, Counter>::default();
        registry.register(
            "endpoint_failures",
            "Questions for the account's endpoint of IoT Core that had no answer, by reason; the region's endpoint is used then",
            endpoint_failures.clone(),
        );
        let readers = Gauge::default();
        registry.register("readers", "Readers who follow the stream", readers.clone());
        let refused_readers = Counter::default();
        registry.register(
            "refused_readers",
            "Readers who were told to come back, because there was no place for them",
            refused_readers.clone(),
        );
        let checkpoints = Family::<CheckpointLabels, Counter>::default();
        registry.register("checkpoints", "Attempts to keep the live sum in S3, by outcome", checkpoints.clone());
        let storage_errors = Family::<ClassLabels, Counter>::default();
        registry.register(
            "storage_errors",
            "Requests for live figures that S3 did not answer as it should",
            storage_errors.clone(),
        );
        // Series that begin at 0: a rate does not see the step from nothing to 1.
        for outcome in WorkerFrame::ALL {
            drop(worker_frames.get_or_create(&FrameLabels { outcome }));
        }
        for reason in Reason::ALL {
            drop(publish_failures.get_or_create(&ReasonLabels { reason }));
            drop(endpoint_failures.get_or_create(&ReasonLabels { reason }));
        }
        for outcome in Checkpoint::ALL {
            drop(checkpoints.get_or_create(&CheckpointLabels { outcome }));
        }
        for class in Class::ALL {
            drop(storage_errors.get_or_create(&ClassLabels { class }));
        }
        Self {
            registry,
            worker_frames,
            lag,
            frames,
            published,
            skipped,
            publish_failures,
            endpoint_failures,
            readers,
            refused_readers,
            checkpoints,
            storage_errors,
        }
    }

    /// A worker's frame was read.
    pub(crate) fn worker_frame(&self, outcome: WorkerFrame) {
        self.worker_frames.get_or_create(&FrameLabels { outcome }).inc();
    }

    /// A second was closed. A clock that is ahead of this one makes no negative lag.
    pub(crate) fn closed(&self, second: i64, now: Timestamp) {
        let end_ms = second.saturating_add(1).saturating_mul(1_000);
        let lag_ms = now.as_millisecond().saturating_sub(end_ms).max(0).unsigned_abs();
        self.lag.observe(Duration::from_millis(lag_ms).as_secs_f64());
    }

    /// A live frame was made.
    pub(crate) fn frame(&self) {
        self.frames.inc();
    }

    /// IoT Core took a frame.
    pub(crate) fn published(&self) {
        self.published.inc();
    }

    /// Frames were never sent to IoT Core.
    pub(crate) fn skipped(&self, frames: u64) {
        self.skipped.inc_by(frames);
    }

    /// IoT Core did not take a frame.
    pub(crate) fn publish_failed(&self, error: &IotError) {
        self.publish_failures.get_or_create(&ReasonLabels { reason: error.into() }).inc();
    }

    /// IoT Core did not say the account's endpoint.
    pub(crate) fn endpoint_failed(&self, error: &IotError) {
        self.endpoint_failures.get_or_create(&ReasonLabels { reason: error.into() }).inc();
    }

    /// A reader follows the stream until what this answers is dropped.
    pub(crate) fn reader(&self) -> Following {
        self.readers.inc();
        Following(self.readers.clone())
    }

    /// A reader found no place.
    pub(crate) fn refused_reader(&self) {
        self.refused_readers.inc();
    }

    /// The live sum was to be kept.
    pub(crate) fn checkpoint(&self, outcome: Checkpoint) {
        self.checkpoints.get_or_create(&CheckpointLabels { outcome }).inc();
    }

    /// The storage did not answer as it should.
    pub(crate) fn storage_error(&self, class: FailureClass) {
        self.storage_errors.get_or_create(&ClassLabels { class: class.into() }).inc();
    }

    /// All of it, in the `OpenMetrics` text format.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail; an incomplete text would only be missing metrics.
        if prometheus_client::encoding::text::encode(&mut text, &self.registry).is_err() {
            text.clear();
        }
        text
    }
}

/// A reader of the stream.
#[derive(Debug)]
pub(crate) struct Following(Gauge);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_line(metrics: &Metrics, line: &str) {
        let text = metrics.text();
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }

    #[test]
    fn every_metric_names_the_run() {
        let run = RunIdentity {
            uid: "u".into(),
            name: "checkout-1".into(),
            namespace: "shop".into(),
            load_test: "checkout".into(),
            created_at: Timestamp::UNIX_EPOCH,
        };
        let text = Metrics::of(&run).text();
        let run = r#"load_test="checkout",namespace="shop",run="checkout-1""#;
        let mut values = text.lines().filter(|line| !line.starts_with('#')).peekable();
        assert!(values.peek().is_some());
        for value in values {
            assert!(value.contains(run), "{value}");
        }
    }

    #[test]
    fn a_lag_is_counted_from_the_end_of_the_second_and_never_below_zero() {
        let metrics = Metrics::default();
        metrics.closed(9, Timestamp::from_millisecond(11_700).unwrap());
        metrics.closed(9, Timestamp::from_millisecond(9_000).unwrap());
        for line in [
            r#"volley_aggregator_live_lag_seconds_bucket{le="0.5"} 1"#,
            r#"volley_aggregator_live_lag_seconds_bucket{le="1.5"} 1"#,
            r#"volley_aggregator_live_lag_seconds_bucket{le="2.0"} 2"#,
            "volley_aggregator_live_lag_seconds_sum 1.7",
        ] {
            assert_line(&metrics, line);
        }
    }

    #[test]
    fn a_reader_counts_until_it_leaves() {
        let metrics = Metrics::default();
        let reader = metrics.reader();
        assert_line(&metrics, "volley_aggregator_readers 1");
        drop(reader);
        assert_line(&metrics, "volley_aggregator_readers 0");
    }
}
