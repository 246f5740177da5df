//! Several reports added up.

use std::collections::BTreeMap;

use super::{FinalStats, Group};
use crate::histogram::add_counts;
use crate::percentile::Percentile;
use crate::statistics::Mean;

/// What the reports of several workers say together: counts, sums, means, extremes and codes.
///
/// There are no percentiles: those of several workers cannot be computed from the percentiles of each. Adding is
/// commutative and associative.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Merged {
    /// Number of reports.
    pub reports: u64,
    /// How many of them have no group of all labels; in the total stands the sum of their labels instead.
    pub without_total: u64,
    /// The longest [duration](FinalStats::duration_us) in microseconds; none where no report has one.
    pub longest_us: Option<u64>,
    /// All labels together, transactions included, as in the reports.
    pub total: Sum,
    /// Requests and transactions by name.
    pub labels: BTreeMap<String, Sum>,
    /// Parts of the reports that were left out.
    pub oddities: u64,
}

impl Merged {
    /// Adds a report.
    pub fn add(&mut self, report: &FinalStats) {
        self.reports = add_counts(self.reports, 1);
        self.oddities = add_counts(self.oddities, report.oddities.count());
        self.longest_us = self.longest_us.max(report.duration_us);
        if let Some(total) = &report.total {
            self.total.add(total);
        } else {
            self.without_total = add_counts(self.without_total, 1);
            report.labels.values().for_each(|label| self.total.add(label));
        }
        for (name, group) in &report.labels {
            match self.labels.get_mut(name) {
                Some(label) => label.add(group),
                None => self.labels.entry(name.clone()).or_default().add(group),
            }
        }
    }

    /// Adds all reports of another sum.
    pub fn merge(&mut self, other: Self) {
        self.reports = add_counts(self.reports, other.reports);
        self.without_total = add_counts(self.without_total, other.without_total);
        self.oddities = add_counts(self.oddities, other.oddities);
        self.longest_us = self.longest_us.max(other.longest_us);
        self.total.merge(&other.total);
        for (name, label) in other.labels {
            self.labels.entry(name).or_default().merge(&label);
        }
    }
}

/// The groups of one label added up.
///
/// A figure that a group lacks is unknown for the sum too: an average over some of the samples would pass for one over all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sum {
    count: u64,
    successes: u64,
    failures: u64,
    codes: BTreeMap<String, u64>,
    bytes: u64,
    /// Samples of the groups that have bytes.
    samples_with_bytes: u64,
    users: u64,
    /// Samples of the groups that have users.
    samples_with_users: u64,
    elapsed: Mean,
    first_byte: Mean,
    connect: Mean,
    bounds_us: Option<(u64, u64)>,
    /// Samples of the groups that have a minimum and a maximum.
    samples_with_bounds: u64,
}

impl Sum {
    /// Adds a group.
    pub fn add(&mut self, group: &Group) {
        let samples = add_counts(group.count, 0);
        let known = |figure: Option<u64>| if figure.is_some() { samples } else { 0 };
        let mean = |average_us: Option<u64>| Mean {
            count: known(average_us),
            sum_us: u128::from(samples).saturating_mul(u128::from(average_us.unwrap_or(0))),
        };
        let bounds_us = group.percentiles.get(&Percentile::MINIMUM).copied().filter(|_| samples > 0);
        let bounds_us = bounds_us.zip(group.percentiles.get(&Percentile::MAXIMUM).copied());
        for (code, count) in &group.codes {
            add_code(&mut self.codes, code, *count);
        }
        self.add_figures(&Self {
            count: samples,
            successes: group.successes,
            failures: group.failures,
            codes: BTreeMap::new(),
            bytes: group.bytes.unwrap_or(0),
            samples_with_bytes: known(group.bytes),
            users: group.users.unwrap_or(0),
            samples_with_users: known(group.users),
            elapsed: mean(group.average_us),
            first_byte: mean(group.first_byte_us),
            connect: mean(group.connect_us),
            bounds_us,
            samples_with_bounds: if bounds_us.is_some() { samples } else { 0 },
        });
    }

    /// Adds all groups of another sum.
    pub fn merge(&mut self, other: &Self) {
        for (code, count) in &other.codes {
            add_code(&mut self.codes, code, *count);
        }
        self.add_figures(other);
    }

    /// Adds everything but the codes.
    fn add_figures(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.count, other.count),
            (&mut self.successes, other.successes),
            (&mut self.failures, other.failures),
            (&mut self.bytes, other.bytes),
            (&mut self.samples_with_bytes, other.samples_with_bytes),
            (&mut self.users, other.users),
            (&mut self.samples_with_users, other.samples_with_users),
            (&mut self.samples_with_bounds, other.samples_with_bounds),
        ] {
            *sum = add_counts(*sum, more);
        }
        self.elapsed.merge(&other.elapsed);
        self.first_byte.merge(&other.first_byte);
        self.connect.merge(&other.connect);
        self.bounds_us = match (self.bounds_us, other.bounds_us) {
            (Some((minimum, maximum)), Some((lower, higher))) => Some((minimum.min(lower), maximum.max(higher))),
            (one, other) => one.or(other),
        };
    }

    /// Number of samples.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Successes.
    #[must_use]
    pub fn successes(&self) -> u64 {
        self.successes
    }

    /// Failures, samples cut off by the stop included.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// Samples per response code; empty for engines that report none.
    #[must_use]
    pub fn codes(&self) -> &BTreeMap<String, u64> {
        &self.codes
    }

    /// Bytes received; none where a group does not say (k6).
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        (self.samples_with_bytes == self.count).then_some(self.bytes)
    }

    /// The sum of the workers' largest numbers of users, which need not have been reached at one time; none where a group
    /// does not say.
    #[must_use]
    pub fn users(&self) -> Option<u64> {
        (self.samples_with_users == self.count).then_some(self.users)
    }

    /// Mean response time in microseconds, weighted by samples. Taurus rounds the mean of each worker to 10 µs, so this is
    /// at most 5 µs from the true one. None without samples and where a group does not say.
    #[must_use]
    pub fn average_us(&self) -> Option<u64> {
        self.mean_us(self.elapsed)
    }

    /// Mean time to the first byte in microseconds, as [`average_us`](Self::average_us).
    #[must_use]
    pub fn first_byte_us(&self) -> Option<u64> {
        self.mean_us(self.first_byte)
    }

    /// Mean time to connect in microseconds, as [`average_us`](Self::average_us).
    #[must_use]
    pub fn connect_us(&self) -> Option<u64> {
        self.mean_us(self.connect)
    }

    /// Shortest response time in microseconds, cut to a millisecond; none without samples and where a group does not say.
    #[must_use]
    pub fn minimum_us(&self) -> Option<u64> {
        self.bounds_of_all().map(|(minimum, _)| minimum)
    }

    /// Longest response time in microseconds, cut to a millisecond, from 2 s on at most 0.1 % too low; none without
    /// samples and where a group does not say.
    #[must_use]
    pub fn maximum_us(&self) -> Option<u64> {
        self.bounds_of_all().map(|(_, maximum)| maximum)
    }

    fn bounds_of_all(&self) -> Option<(u64, u64)> {
        self.bounds_us.filter(|_| self.samples_with_bounds == self.count)
    }

    fn mean_us(&self, mean: Mean) -> Option<u64> {
        (mean.count() == self.count).then(|| mean.rounded_us()).flatten()
    }
}

fn add_code(codes: &mut BTreeMap<String, u64>, code: &str, count: u64) {
    match codes.get_mut(code) {
        Some(known) => *known = add_counts(*known, count),
        None => {
            codes.insert(code.to_owned(), add_counts(0, count));
        }
    }
}
