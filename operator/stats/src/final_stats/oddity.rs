//! Parts of a report that make no sense.

/// The most oddities that are kept in words; all are counted.
pub const MAXIMUM_ODDITIES: usize = 20;

/// A part of a report that was left out. Texts are cut after 100 characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Oddity {
    /// A group has no label, or one that cannot be read. The group is left out.
    #[error("a <Group> without a readable label is left out: <{attributes}>")]
    Label {
        /// The element as it stands there.
        attributes: String,
    },
    /// A group lacks a count. The group is left out.
    #[error("label '{label}' is left out: it has no usable <{element}>")]
    Count {
        /// The label.
        label: String,
        /// Name of the element.
        element: &'static str,
    },
    /// A label has a second group. The second one is left out.
    #[error("label '{label}' occurs twice; the second group is left out")]
    Twice {
        /// The label.
        label: String,
    },
    /// A figure has no value, or one that is not of its kind. The figure is left out.
    #[error("label '{label}': <{element}> is left out: '{found}' is no {expected}")]
    Value {
        /// The label.
        label: String,
        /// Name of the element.
        element: String,
        /// What stands there.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The counts of a group contradict each other. They are kept.
    #[error("label '{label}': {successes} successes and {failures} failures are not {count} samples")]
    Contradiction {
        /// The label.
        label: String,
        /// Successes.
        successes: u64,
        /// Failures.
        failures: u64,
        /// Samples.
        count: u64,
    },
    /// An average is not between the minimum and the maximum: the engine says nothing of some samples, and Taurus counts
    /// those as 0 (`ab`). The average and the standard deviation are left out.
    #[error(
        "label '{label}': <avg_rt> is left out: {average_us} µs is not between {minimum_us} µs and {maximum_us} µs"
    )]
    Average {
        /// The label.
        label: String,
        /// The average in microseconds.
        average_us: u64,
        /// The minimum (p0) in microseconds.
        minimum_us: u64,
        /// The maximum (p100) in microseconds.
        maximum_us: u64,
    },
    /// The duration is no number. It is left out.
    #[error("<TestDuration> is left out: '{found}' is no time in seconds")]
    Duration {
        /// What stands there.
        found: String,
    },
    /// Something follows the report. It is left out.
    #[error("what follows the report is left out: {bytes} bytes")]
    Trailing {
        /// How much.
        bytes: u64,
    },
}

/// All oddities of a report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Oddities {
    first: Vec<Oddity>,
    count: u64,
    groups_left_out: u64,
}

impl Oddities {
    /// The first ones in the order of the report, at most [`MAXIMUM_ODDITIES`].
    #[must_use]
    pub fn first(&self) -> &[Oddity] {
        &self.first
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many groups were left out as a whole. Where there are any, a label that is not in the report may be one of
    /// them.
    #[must_use]
    pub fn groups_left_out(&self) -> u64 {
        self.groups_left_out
    }

    pub(super) fn add(&mut self, oddity: Oddity) {
        self.count += 1;
        match oddity {
            Oddity::Label { .. } | Oddity::Count { .. } | Oddity::Twice { .. } => self.groups_left_out += 1,
            Oddity::Value { .. }
            | Oddity::Contradiction { .. }
            | Oddity::Average { .. }
            | Oddity::Duration { .. }
            | Oddity::Trailing { .. } => {}
        }
        if self.first.len() < MAXIMUM_ODDITIES {
            self.first.push(oddity);
        }
    }
}

/// The beginning of a text, for a message.
pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(100).collect()
}
