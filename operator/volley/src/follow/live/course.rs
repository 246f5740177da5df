//! What is known of a run's live figures: the rate over time, and the newest frame. Pure and bounded.

use std::collections::BTreeMap;

use volley_storage::documents::{LIVE_FRAME_VERSION, LiveCourse, LiveFrame};

use super::events::ServerEvent;

/// Points that are kept: the bound of a series.
const POINTS: usize = 3_600;

/// An event could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Another release's format.
    #[error(
        "the run's aggregator sends version {found} of live figures, this volley reads version {LIVE_FRAME_VERSION}: use the release that runs in the cluster"
    )]
    Version {
        /// The version found.
        found: u32,
    },
    /// Not the documented format.
    #[error("an event {kind:?} of the run's aggregator cannot be read: {words}")]
    Malformed {
        /// Name of the event.
        kind: String,
        /// What is wrong.
        words: String,
    },
}

/// What an event means for the one who follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// There is something new to show.
    News,
    /// Nothing that is shown.
    Nothing,
    /// There will be no more events.
    Over,
}

/// The course of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    /// Requests per second by the first second of a point.
    rates: BTreeMap<i64, f64>,
    /// The newest frame.
    pub last: Option<LiveFrame>,
    /// What IoT Core said when it last did not take a frame.
    pub publishing_error: Option<String>,
}

impl Course {
    /// Takes an event.
    ///
    /// # Errors
    /// [`EventError`]: the event changed nothing.
    pub fn take(&mut self, event: &ServerEvent) -> Result<Told, EventError> {
        match event.kind.as_str() {
            "series" => {
                self.begin(read(event)?);
                Ok(Told::News)
            }
            "frame" => Ok(if self.add(read(event)?) { Told::News } else { Told::Nothing }),
            "end" => Ok(Told::Over),
            // A newer release may send more.
            _ => Ok(Told::Nothing),
        }
    }

    /// The rate over time in at most `width` steps of equal length, from the first point to the last; each is the mean of
    /// its points, and one without points has the value of the one before.
    #[must_use]
    pub fn rates(&self, width: usize) -> Vec<f64> {
        let (Some((first, _)), Some((last, _))) = (self.rates.first_key_value(), self.rates.last_key_value()) else {
            return Vec::new();
        };
        let (first, seconds) = (*first, last.saturating_sub(*first).saturating_add(1));
        let width = i64::try_from(width).unwrap_or(i64::MAX).max(1);
        let length = seconds.div_euclid(width) + i64::from(seconds.rem_euclid(width) > 0);
        let steps = seconds.div_euclid(length) + i64::from(seconds.rem_euclid(length) > 0);
        let mut shown = Vec::new();
        for step in 0..steps {
            let from = first.saturating_add(step.saturating_mul(length));
            let (mut sum, mut count) = (0.0, 0.0);
            for (_, rate) in self.rates.range(from..from.saturating_add(length)) {
                sum += rate;
                count += 1.0;
            }
            let before = shown.last().copied().unwrap_or(0.0);
            shown.push(if count > 0.0 { sum / count } else { before });
        }
        shown
    }

    /// Everything anew.
    fn begin(&mut self, course: LiveCourse) {
        self.rates.clear();
        if let Some(whole) = course.series.iter().find(|series| series.target.is_none()) {
            let step = f64::from(whole.step_seconds.max(1));
            for (second, requests) in whole.seconds.iter().zip(&whole.requests) {
                self.rates.insert(*second, number(*requests) / step);
            }
        }
        self.publishing_error = course.publishing.and_then(|publishing| publishing.error);
        self.last = course.last;
        self.bound();
    }

    /// Adds a frame; answers whether it is newer than what was there. A repetition is not.
    fn add(&mut self, frame: LiveFrame) -> bool {
        if self.last.as_ref().is_some_and(|last| last.seq >= frame.seq) {
            return false;
        }
        let interval = i64::from(frame.interval.max(1));
        let rate = number(frame.totals.figures.requests) / f64::from(frame.interval.max(1));
        self.rates.insert(frame.second.saturating_sub(interval - 1), rate);
        self.last = Some(frame);
        self.bound();
        true
    }

    fn bound(&mut self) {
        while self.rates.len() > POINTS {
            self.rates.pop_first();
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(event: &ServerEvent) -> Result<T, EventError> {
    /// The field that every version has.
    #[derive(serde::Deserialize)]
    struct Versioned {
        v: u32,
    }
    let malformed =
        |error: serde_json::Error| EventError::Malformed { kind: event.kind.clone(), words: error.to_string() };
    let Versioned { v: found } = serde_json::from_str(&event.data).map_err(malformed)?;
    if found != LIVE_FRAME_VERSION {
        return Err(EventError::Version { found });
    }
    serde_json::from_str(&event.data).map_err(malformed)
}

#[allow(clippy::cast_precision_loss, reason = "a rate to 15 digits is enough")]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::follow::sample::live_frame;
    use serde_json::json;

    fn event(kind: &str, data: &serde_json::Value) -> ServerEvent {
        ServerEvent { kind: kind.into(), id: None, data: data.to_string() }
    }

    fn frame(seq: i64, requests: u64) -> ServerEvent {
        let mut frame = live_frame(seq);
        frame.totals.figures.requests = requests;
        event("frame", &serde_json::to_value(frame).unwrap())
    }

    #[test]
    fn a_series_and_then_frames_give_the_rate_over_time() {
        let series = json!({"v": 1, "run": "u", "interval": 1, "last": null, "publishing": null, "series": [
            {"target": null, "stepSeconds": 5, "seconds": [0, 5], "requests": [50, 100], "errors": [0, 0],
             "interrupted": [0, 0], "bytes": [0, 0], "users": [1, 1], "averageUs": [1, 1], "minUs": [1, 1], "maxUs": [1, 1],
             "percentiles": {"stepSeconds": 10, "seconds": [], "p50Us": [], "p95Us": [], "p99Us": []}}]});
        let mut course = Course::default();
        assert_eq!(course.take(&event("series", &series)), Ok(Told::News));
        assert_eq!(course.take(&frame(10, 30)), Ok(Told::News));
        assert_eq!(course.rates(100), [10.0, 10.0, 10.0, 10.0, 10.0, 20.0, 20.0, 20.0, 20.0, 20.0, 30.0]);
        assert_eq!(course.rates(3), [10.0, 20.0, 30.0]);
        assert_eq!(course.take(&event("end", &json!({}))), Ok(Told::Over));
    }

    #[test]
    fn a_repeated_or_older_frame_changes_nothing() {
        let mut course = Course::default();
        course.take(&frame(7, 1)).unwrap();
        let before = course.clone();
        assert_eq!(course.take(&frame(7, 2)), Ok(Told::Nothing));
        assert_eq!(course.take(&frame(6, 2)), Ok(Told::Nothing));
        assert_eq!(course, before);
    }

    #[test]
    fn another_version_and_another_format_are_told_apart_and_unknown_events_are_ignored() {
        let mut course = Course::default();
        assert_eq!(course.take(&event("frame", &json!({"v": 2}))), Err(EventError::Version { found: 2 }));
        let malformed = course.take(&event("frame", &json!({"v": 1}))).unwrap_err();
        assert!(malformed.to_string().contains("\"frame\""), "{malformed}");
        assert_eq!(course.take(&event("weather", &json!({}))), Ok(Told::Nothing));
        assert_eq!(course, Course::default());
    }

    #[test]
    fn points_are_bounded_and_a_gap_keeps_the_value_before() {
        let mut course = Course::default();
        for seq in 0..5_000 {
            course.take(&frame(seq, 1)).unwrap();
        }
        assert_eq!(course.rates.len(), POINTS);
        course.take(&frame(1 << 40, 9)).unwrap();
        let shown = course.rates(10);
        assert!(shown.len() <= 10 && shown.last() == Some(&9.0), "{shown:?}");
    }
}
