//! The comparison of Taurus' figures with ours.

use std::collections::BTreeSet;
use std::fmt;

use super::oddity::excerpt;
use super::{FinalStats, Group};
use crate::percentile::Percentile;
use crate::statistics::{Collection, LabelStatistics, Mean, Outcome};

/// Above this number of labels Taurus folds similar ones into one (`generalize-labels: 2000` has four per label).
const TAURUS_LABELS: usize = 500;
/// Taurus rounds averages to 10 µs.
const AVERAGE_TOLERANCE_US: f64 = 10.0;
/// Taurus cuts response times to whole milliseconds …
const PERCENTILE_TOLERANCE_US: u64 = 1000;
/// … and both sides put them into slots: Taurus reports the lower edge (0.1 %), we the midpoint (0.05 %).
/// The two add up: 368.9 ms is 368 ms for Taurus and 369.02 ms for us.
const PERCENTILE_TOLERANCE_PER_MILLE: u64 = 2;

/// A figure that both sides have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Figure {
    /// Number of labels named; only where one side does not have the label.
    Label,
    /// Number of samples: requests, transactions and interrupted ones.
    Samples,
    /// Failures and interrupted ones.
    Failures,
    /// Bytes received.
    Bytes,
    /// Mean response time in microseconds.
    Average,
    /// Mean time to the first byte in microseconds.
    FirstByte,
    /// Mean time to connect in microseconds.
    Connect,
    /// A percentile of the response time in microseconds.
    Percentile(Percentile),
}

impl Figure {
    fn is_time(self) -> bool {
        matches!(self, Self::Average | Self::FirstByte | Self::Connect | Self::Percentile(_))
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label => formatter.write_str("labels of that name"),
            Self::Samples => formatter.write_str("samples"),
            Self::Failures => formatter.write_str("failures (interrupted ones included)"),
            Self::Bytes => formatter.write_str("bytes"),
            Self::Average => formatter.write_str("average"),
            Self::FirstByte => formatter.write_str("average time to the first byte"),
            Self::Connect => formatter.write_str("average time to connect"),
            Self::Percentile(percentile) => percentile.fmt(formatter),
        }
    }
}

/// A figure in which Taurus and the samples do not agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The label; none for all labels together.
    pub label: Option<String>,
    /// The figure.
    pub figure: Figure,
    /// What Taurus reports: a count, bytes or microseconds.
    pub taurus: u64,
    /// What the samples say, in the same unit.
    pub samples: u64,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.label {
            Some(label) => write!(formatter, "label '{}': ", excerpt(label))?,
            None => formatter.write_str("all labels: ")?,
        }
        let unit = if self.figure.is_time() { " µs" } else { "" };
        let Self { figure, taurus, samples, .. } = self;
        write!(formatter, "{figure}: Taurus reports {taurus}{unit}, the samples say {samples}{unit}")
    }
}

/// Compares one worker's report with what its samples say.
///
/// Counts and bytes must be equal, averages equal to 10 µs, percentiles to 1 ms and 0.2 %. What Taurus
/// calls failures includes interrupted samples, its totals include transactions, and a request and a transaction of the
/// same name are one label for it; all that is added on our side. Single labels are compared only where neither side
/// can have folded any: up to 500 labels. What could not be read of Taurus' report makes no difference here.
#[must_use]
pub fn cross_check(taurus: &FinalStats, ours: &Collection) -> Vec<Difference> {
    let mut differences = Vec::new();
    if let Some(group) = &taurus.total {
        let mut total = Outcome::default();
        let mut failures = Outcome::default();
        for label in ours.requests.values().chain(ours.transactions.values()) {
            add(&mut total, &mut failures, label);
        }
        compare(None, group, &total, failures.count(), &mut differences);
    }
    let names: BTreeSet<&str> = ours.requests.keys().chain(ours.transactions.keys()).map(AsRef::as_ref).collect();
    if names.len() > TAURUS_LABELS || ours.overview.has_folded_labels() || ours.overview.shortened_label_samples > 0 {
        return differences;
    }
    for name in &names {
        let Some(group) = taurus.labels.get(*name) else {
            if taurus.oddities.groups_left_out() == 0 {
                let label = Some((*name).to_owned());
                differences.push(Difference { label, figure: Figure::Label, taurus: 0, samples: 1 });
            }
            continue;
        };
        let mut total = Outcome::default();
        let mut failures = Outcome::default();
        for label in ours.requests.get(*name).into_iter().chain(ours.transactions.get(*name)) {
            add(&mut total, &mut failures, label);
        }
        compare(Some(name), group, &total, failures.count(), &mut differences);
    }
    for name in taurus.labels.keys().filter(|name| !names.contains(name.as_str())) {
        differences.push(Difference { label: Some(name.clone()), figure: Figure::Label, taurus: 1, samples: 0 });
    }
    differences
}

/// Adds a label as Taurus sees it.
fn add(total: &mut Outcome, failures: &mut Outcome, label: &LabelStatistics) {
    for outcome in [&label.successes, &label.failures, &label.interrupted] {
        total.merge(outcome);
    }
    failures.merge(&label.failures);
    failures.merge(&label.interrupted);
}

fn compare(label: Option<&str>, taurus: &Group, ours: &Outcome, failures: u64, differences: &mut Vec<Difference>) {
    let mut differ = |figure, taurus, samples| {
        differences.push(Difference { label: label.map(str::to_owned), figure, taurus, samples });
    };
    for (figure, taurus, ours) in [
        (Figure::Samples, Some(taurus.count), Some(ours.count())),
        (Figure::Failures, Some(taurus.failures), Some(failures)),
        (Figure::Bytes, taurus.bytes, ours.received.bytes()),
    ] {
        if let Some((taurus, ours)) = taurus.zip(ours).filter(|(taurus, ours)| taurus != ours) {
            differ(figure, taurus, ours);
        }
    }
    let elapsed = Mean { count: ours.count(), sum_us: ours.elapsed.sum_us() };
    for (figure, taurus, ours, complete) in [
        (Figure::Average, taurus.average_us, elapsed, true),
        (Figure::FirstByte, taurus.first_byte_us, ours.first_byte, ours.first_byte.count == ours.count()),
        (Figure::Connect, taurus.connect_us, ours.connect, ours.connect.count == ours.count()),
    ] {
        // Where the engine measures a time for some samples only, Taurus counts the others as 0.
        if let Some((taurus, mean)) = taurus.zip(ours.mean_us()).filter(|_| complete)
            && !(mean - AVERAGE_TOLERANCE_US..=mean + AVERAGE_TOLERANCE_US).contains(&to_float(taurus))
        {
            differ(figure, taurus, ours.rounded_us().unwrap_or(0));
        }
    }
    for (percentile, taurus) in &taurus.percentiles {
        if let Some(ours) = ours.elapsed.percentile(*percentile) {
            let tolerance = PERCENTILE_TOLERANCE_US + ours / 1000 * PERCENTILE_TOLERANCE_PER_MILLE;
            if taurus.abs_diff(ours) > tolerance {
                differ(Figure::Percentile(*percentile), *taurus, ours);
            }
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "times are far below 2^53 µs")]
fn to_float(value_us: u64) -> f64 {
    value_us as f64
}
