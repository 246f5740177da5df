//! The report that Taurus' extension of Molotov writes: one JSON object per line.
//!
//! Source: `bzt/resources/molotov_ext.py` of Taurus 1.17.
//!
//! # What is counted
//!
//! * A sample is one run of a scenario (`scenario_success`, `scenario_failure`): the unit in which Molotov counts OK and
//!   failed, and what Taurus reports. It is stamped with its start; its duration has whole milliseconds.
//! * Rows of single requests (`request`) are **not** counted: each belongs to a scenario that is, and a request without a
//!   response has no row at all.
//! * The code of a failure is the exception's class; a success has none. Bytes are not reported.
//! * Active users are the newest row of type `workers`.

use std::borrow::Cow;

use serde::Deserialize;

use super::error::excerpt;
use super::lines::{Event, Lines};
use super::parser::Tally;
use super::values::{label, users};
use super::{Engine, ParseError, Sample, SampleKind};

/// What Molotov's clock can say: until the year 5138.
const LATEST_SECOND: f64 = 1e11;

/// A row, as far as we read it.
#[derive(Deserialize)]
struct Line<'a> {
    ts: f64,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    value: Option<f64>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    duration: Option<f64>,
    #[serde(borrow)]
    exception: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "errorMessage")]
    error_message: Option<Cow<'a, str>>,
}

/// Reads a report as it grows.
pub(super) struct Report {
    lines: Lines,
    begun: bool,
    active_users: Option<u32>,
}

impl Report {
    /// A report whose next bytes belong to a row that is too long, where `skipping` is true.
    pub(super) fn new(active_users: Option<u32>, skipping: bool) -> Self {
        Self { lines: Lines::new(skipping), begun: false, active_users }
    }

    /// The newest number of users.
    pub(super) fn active_users(&self) -> Option<u32> {
        self.active_users
    }

    /// Whether the next bytes belong to a row that is too long.
    pub(super) fn skipping(&self) -> bool {
        self.lines.skipping()
    }

    /// Bytes of a row whose end has not arrived.
    pub(super) fn unfinished_bytes(&self) -> u64 {
        self.lines.pending()
    }

    /// Whether there was a row that only such a report has.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Says that there was.
    pub(super) fn begin(&mut self) {
        self.begun = true;
    }

    /// Takes the next bytes.
    pub(super) fn read(
        &mut self,
        mut bytes: &[u8],
        tally: &mut Tally,
        sink: &mut impl FnMut(Sample<'_>),
    ) -> Result<(), ParseError> {
        let engine = Engine::Molotov;
        while let Some(event) = self.lines.next(&mut bytes) {
            match event {
                Event::Line(line) if line.trim_ascii().is_empty() => {}
                Event::Line(line) if !self.begun && !is_row(line) => {
                    return Err(ParseError::FirstRow { engine, found: excerpt(line) });
                }
                Event::Line(line) => {
                    self.begun = true;
                    if take_row(line, &mut self.active_users, tally, sink).is_none() {
                        tally.malformed += 1;
                    }
                }
                Event::Oversized if !self.begun => return Err(ParseError::HeaderTooLong { engine }),
                Event::Oversized => tally.malformed += 1,
            }
        }
        Ok(())
    }
}

/// Takes a row; nothing where it makes no sense.
fn take_row(
    line: &[u8],
    active_users: &mut Option<u32>,
    tally: &mut Tally,
    sink: &mut impl FnMut(Sample<'_>),
) -> Option<()> {
    // Python writes ASCII; what is not UTF-8 was damaged later.
    let text = String::from_utf8_lossy(line);
    let row: Line<'_> = serde_json::from_str(&text).ok()?;
    let success = match &*row.kind {
        "scenario_success" => true,
        "scenario_failure" => false,
        "workers" => {
            let workers = row.value.filter(|workers| (0.0..=f64::from(u32::MAX)).contains(workers))?;
            *active_users = Some(users(microseconds(workers)? / 1_000_000));
            return Some(());
        }
        _ => return Some(()),
    };
    let elapsed_us = microseconds(row.duration?)?;
    let start_us = i64::try_from(microseconds(row.ts)?).ok()?;
    let sample = Sample {
        kind: SampleKind::Request,
        label: label(row.name.as_deref().unwrap_or_default()),
        start_us,
        end_us: start_us.checked_add(i64::try_from(elapsed_us).ok()?)?,
        elapsed_us,
        first_byte_us: None,
        connect_us: None,
        bytes: None,
        code: row.exception.as_deref().unwrap_or_default(),
        message: row.error_message.as_deref().unwrap_or_default(),
        success,
        active_users: *active_users,
    };
    tally.give(sample, sink);
    Some(())
}
/// Whether a line is a row of such a report.
pub(super) fn is_row(line: &[u8]) -> bool {
    serde_json::from_slice::<Line<'_>>(line).is_ok()
}

/// Seconds in microseconds, rounded.
fn microseconds(seconds: f64) -> Option<u64> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the bounds are checked")]
    (0.0..LATEST_SECOND).contains(&seconds).then(|| (seconds * 1e6).round() as u64)
}
