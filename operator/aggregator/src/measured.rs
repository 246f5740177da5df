//! What was measured, merged over workers, without the histograms of single labels: those are merged some hundred at a time
//! and turned into figures at once, so that memory does not depend on their number.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use volley_stats::statistics::{Collection, ErrorGroups, LabelKey, OTHER, Overview};
use volley_stats::{LabelStatistics, Percentile, SampleKind};
use volley_storage::documents::{Figures, LabelFigures, MeasuredInterval, rate_milli, ratio_ppm};

/// Key of a response without a code in [`Figures::codes`].
const NO_CODE: &str = "none";

/// Labels of a scope in `result.json`: more than one worker keeps apart, fewer than would fill the memory. Those with most
/// errors, then most requests stay; all are in the merged histograms.
const MAXIMUM_LABELS: usize = 10_000;
/// Bytes of the labels of a scope in `result.json`: with the texts of usual tests 10,000 take less. It keeps the document of a
/// test with hostile texts below the size that readers accept.
const MAXIMUM_LABEL_BYTES: usize = 20 * 1024 * 1024;
/// Response codes of one set of figures in `result.json`, the most frequent ones.
const MAXIMUM_CODES: usize = 50;
/// Bytes of a response code in `result.json`.
const MAXIMUM_CODE_BYTES: usize = 64;

/// Error groups that a scope keeps when it has twice as many: more than `result.json` lists.
const KEPT_ERROR_GROUPS: usize = 20_000;

/// What one region measured, or all of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// Figures that belong to no label.
    pub overview: Overview,
    /// All requests as one label.
    pub total: LabelStatistics,
    /// Failed requests by label, code and message.
    pub errors: ErrorGroups,
}

impl Scope {
    /// First to last sample; `None` without requests.
    #[must_use]
    pub fn interval(&self) -> Option<MeasuredInterval> {
        let (first, last) = self.overview.first_start_us.zip(self.overview.last_end_us)?;
        Some(MeasuredInterval {
            from: Timestamp::from_microsecond(first).ok()?,
            to: Timestamp::from_microsecond(last).ok()?,
        })
    }
}

/// A label whose statistics are kept, because a threshold speaks of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    /// Over all regions.
    pub whole: LabelStatistics,
    /// By RegionTarget.
    pub regions: BTreeMap<String, LabelStatistics>,
}

/// What all workers measured together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// All regions.
    pub whole: Scope,
    /// By RegionTarget.
    pub regions: BTreeMap<String, Scope>,
    /// By label, sorted by target (all regions first), kind, label: at most 10,000 of each scope.
    pub labels: Vec<LabelFigures>,
    /// Labels of all regions, those that are not kept included.
    pub labels_met: u64,
    /// The statistics of the labels that are [watched](Self::watching).
    pub watched: BTreeMap<LabelKey, Watched>,
    /// Names of labels whose statistics are kept.
    watching: BTreeSet<String>,
    /// What [`Self::sort`] makes the labels of, by scope.
    keeping: BTreeMap<Option<String>, Vec<LabelFigures>>,
}

impl Measured {
    /// Nothing yet, of which the statistics of labels with these names will be kept: a handful, because histograms take memory.
    #[must_use]
    pub fn watching(labels: &BTreeSet<String>) -> Self {
        Self { watching: labels.clone(), ..Self::default() }
    }

    /// Length of the measured interval of the run in microseconds; every rate refers to it.
    #[must_use]
    pub fn interval_us(&self) -> u64 {
        self.whole.interval().map_or(0, |interval| interval.length_us())
    }

    /// Adds the figures that belong to no label of one worker of a region.
    pub fn add_overview(&mut self, target: &str, overview: &Overview) {
        self.regions.entry(target.to_owned()).or_default().overview.merge(overview);
        self.whole.overview.merge(overview);
    }

    /// Adds the error groups of one worker of a region. Where messages hold ids, a thousand workers have half a million
    /// groups: the smallest are then folded, as a worker folds its own.
    pub fn add_errors(&mut self, target: &str, errors: &ErrorGroups) {
        let region = self.regions.entry(target.to_owned()).or_default();
        for scope in [region, &mut self.whole] {
            scope.errors.merge(errors);
            if scope.errors.len() >= 2 * KEPT_ERROR_GROUPS {
                let folded = scope.errors.fold_beyond(KEPT_ERROR_GROUPS);
                scope.overview.folded_error_samples = scope.overview.folded_error_samples.saturating_add(folded);
            }
        }
    }

    /// What the figures of a label refer to. All overviews must have been added before.
    #[must_use]
    pub fn overviews(&self) -> Overviews {
        Overviews {
            interval_us: self.interval_us(),
            whole: self.whole.overview.clone(),
            regions: self.regions.iter().map(|(target, scope)| (target.clone(), scope.overview.clone())).collect(),
        }
    }

    /// Adds one merged label.
    pub fn add_label(&mut self, label: MergedLabel) {
        if label.key.kind == SampleKind::Request {
            for (target, statistics) in &label.by_region {
                self.regions.entry(target.clone()).or_default().total.merge(statistics);
            }
            self.whole.total.merge(&label.whole);
        }
        self.labels_met += 1;
        let MergedLabel { key, by_region, whole, figures } = label;
        if self.watching.contains(&*key.name) {
            self.watched.insert(key, Watched { whole, regions: by_region });
        }
        for figures in figures {
            let scope = self.keeping.entry(figures.target.clone()).or_default();
            scope.push(figures);
            if scope.len() >= 2 * MAXIMUM_LABELS {
                keep_most_important(scope);
            }
        }
    }

    /// Makes the list of labels, in the order of `result.json`, when all are added.
    pub fn sort(&mut self) {
        for mut scope in std::mem::take(&mut self.keeping).into_values() {
            keep_most_important(&mut scope);
            self.labels.append(&mut scope);
        }
        self.labels.sort_by(|left, right| {
            (&left.target, left.transaction, &left.label).cmp(&(&right.target, right.transaction, &right.label))
        });
    }

    /// Merges whole collections at once; for small runs and tests. Gives the same as the steps above.
    #[must_use]
    pub fn of(collections: &[(String, Collection)]) -> Self {
        Self::of_watching(collections, &BTreeSet::new())
    }

    /// [`of`](Self::of), and keeps the statistics of labels with these names.
    #[must_use]
    pub fn of_watching(collections: &[(String, Collection)], labels: &BTreeSet<String>) -> Self {
        let mut measured = Self::watching(labels);
        let mut by_region: BTreeMap<String, Collection> = BTreeMap::new();
        for (target, collection) in collections {
            measured.add_overview(target, &collection.overview);
            measured.add_errors(target, &collection.errors);
            by_region.entry(target.clone()).or_default().merge(collection);
        }
        let overviews = measured.overviews();
        for kind in [SampleKind::Request, SampleKind::Transaction] {
            let mut labels: BTreeMap<&str, BTreeMap<String, LabelStatistics>> = BTreeMap::new();
            for (target, collection) in &by_region {
                for (name, label) in collection.labels(kind) {
                    labels.entry(name).or_default().insert(target.clone(), label.clone());
                }
            }
            for (name, scopes) in labels {
                measured.add_label(MergedLabel::new(&LabelKey { kind, name: name.into() }, scopes, &overviews));
            }
        }
        measured.sort();
        measured
    }
}

/// What the figures of a label refer to: the measured interval, and what the workers say about folded labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overviews {
    interval_us: u64,
    whole: Overview,
    regions: BTreeMap<String, Overview>,
}

/// One label, merged over the workers of each region and over all of them, with its figures.
#[derive(Clone, Debug, PartialEq)]
pub struct MergedLabel {
    /// The label.
    pub key: LabelKey,
    /// By RegionTarget.
    pub by_region: BTreeMap<String, LabelStatistics>,
    /// Over all regions.
    pub whole: LabelStatistics,
    figures: Vec<LabelFigures>,
}

impl MergedLabel {
    /// Merges a label over regions and computes its figures.
    #[must_use]
    pub fn new(key: &LabelKey, by_region: BTreeMap<String, LabelStatistics>, overviews: &Overviews) -> Self {
        let nothing = Overview::default();
        let mut whole = LabelStatistics::default();
        let mut figures = Vec::with_capacity(by_region.len() + 1);
        for (target, label) in &by_region {
            whole.merge(label);
            let overview = overviews.regions.get(target).unwrap_or(&nothing);
            let lower_bound = overview.is_lower_bound(&key.name, label);
            figures.push(label_figures(Some(target), key, label, lower_bound, overviews.interval_us));
        }
        let lower_bound = overviews.whole.is_lower_bound(&key.name, &whole);
        figures.push(label_figures(None, key, &whole, lower_bound, overviews.interval_us));
        Self { key: key.clone(), by_region, whole, figures }
    }
}

fn label_figures(
    target: Option<&String>,
    key: &LabelKey,
    label: &LabelStatistics,
    lower_bound: bool,
    interval_us: u64,
) -> LabelFigures {
    LabelFigures {
        target: target.cloned(),
        label: key.name.to_string(),
        transaction: key.kind == SampleKind::Transaction,
        lower_bound,
        figures: figures(label, interval_us),
    }
}

/// The exact figures of a label, or of all together, over an interval in microseconds.
#[must_use]
pub fn figures(label: &LabelStatistics, interval_us: u64) -> Figures {
    let together = label.together();
    let elapsed = &together.elapsed;
    let requests = label.requests();
    let percentile = |percentile| elapsed.percentile(percentile);
    Figures {
        requests,
        errors: label.errors(),
        interrupted: label.interrupted.count(),
        bytes: label.bytes(),
        error_rate_ppm: ratio_ppm(label.errors(), requests),
        request_rate_milli: rate_milli(requests, interval_us),
        average_us: mean_half_up(elapsed.sum_us(), elapsed.count()),
        standard_deviation_us: standard_deviation_half_up(elapsed.sum_us(), elapsed.sum_of_squares(), elapsed.count()),
        min_us: elapsed.minimum_us(),
        p50_us: percentile(Percentile::P50),
        p90_us: percentile(Percentile::P90),
        p95_us: percentile(Percentile::P95),
        p99_us: percentile(Percentile::P99),
        p999_us: percentile(Percentile::P99_9),
        max_us: elapsed.maximum_us(),
        connect_average_us: mean_half_up(together.connect.sum_us(), together.connect.count()),
        first_byte_average_us: mean_half_up(together.first_byte.sum_us(), together.first_byte.count()),
        codes: codes(&label.codes),
    }
}

/// The most frequent codes; the others, and what a worker folded, stand under `[other]`.
fn codes(codes: &BTreeMap<Box<str>, u64>) -> BTreeMap<String, u64> {
    let mut named: BTreeMap<String, u64> = BTreeMap::new();
    let mut add = |name: String, count: u64| {
        let known = named.entry(name).or_default();
        *known = known.saturating_add(count);
    };
    let mut by_count: Vec<(&str, u64)> = codes.iter().map(|(code, count)| (code.as_ref(), *count)).collect();
    by_count.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(right.0)));
    for (place, (code, count)) in by_count.into_iter().enumerate() {
        let name = match code {
            "" => NO_CODE,
            _ if place >= MAXIMUM_CODES => OTHER,
            code => code.get(..code.floor_char_boundary(MAXIMUM_CODE_BYTES)).unwrap_or(code),
        };
        add(name.to_owned(), count);
    }
    named
}

/// Leaves the labels with most errors, then most requests, within [`MAXIMUM_LABELS`] and [`MAXIMUM_LABEL_BYTES`]; of equal ones
/// the first by name.
fn keep_most_important(labels: &mut Vec<LabelFigures>) {
    labels.sort_unstable_by(|left, right| {
        let importance = |label: &LabelFigures| (label.figures.errors, label.figures.requests);
        importance(right)
            .cmp(&importance(left))
            .then_with(|| (&left.label, left.transaction).cmp(&(&right.label, right.transaction)))
    });
    labels.truncate(MAXIMUM_LABELS);
    let mut bytes = 0_usize;
    let fits = labels.iter().take_while(|label| {
        bytes = bytes.saturating_add(json_bytes(label));
        bytes <= MAXIMUM_LABEL_BYTES
    });
    let kept = fits.count();
    labels.truncate(kept);
}

/// Bytes that a label takes in `result.json` at most: names and codes with each byte escaped, numbers and the names of fields.
fn json_bytes(label: &LabelFigures) -> usize {
    const ESCAPED: usize = 6;
    const FIELDS: usize = 600;
    let codes: usize = label.figures.codes.keys().map(|code| code.len() * ESCAPED + 24).sum();
    FIELDS + label.label.len() * ESCAPED + codes
}

/// A mean in whole microseconds, rounded half up; `None` of nothing.
pub(crate) fn mean_half_up(sum_us: u128, count: u64) -> Option<u64> {
    if count == 0 {
        return None;
    }
    let count = u128::from(count);
    let mean = sum_us / count + u128::from(sum_us % count >= count.div_ceil(2));
    Some(u64::try_from(mean).unwrap_or(u64::MAX))
}

/// The population standard deviation in whole microseconds, rounded half up; `None` of nothing.
///
/// Exact as long as `4 n Σx²` fits 128 bits (a billion samples of 100 s do); beyond that sums and count lose low bits.
fn standard_deviation_half_up(sum_us: u128, sum_of_squares: u128, count: u64) -> Option<u64> {
    if count == 0 {
        return None;
    }
    let doubled = (0..u64::BITS).find_map(|lost_bits| {
        let (sum, squares, count) = (sum_us >> lost_bits, sum_of_squares >> lost_bits, u128::from(count >> lost_bits));
        // (2 n σ)² = 4 (n Σx² − (Σx)²)
        let scaled = squares.checked_mul(count)?.saturating_sub(sum.checked_mul(sum)?).checked_mul(4)?;
        scaled.isqrt().checked_div(count)
    })?;
    u64::try_from(doubled.div_ceil(2)).ok()
}

#[cfg(test)]
mod tests {
    use volley_stats::statistics::ErrorKey;

    use super::*;

    fn label(number: u64, errors: u64) -> LabelFigures {
        LabelFigures {
            target: None,
            label: format!("label {number:06}"),
            transaction: false,
            lower_bound: false,
            figures: Figures { requests: number % 7, errors, ..Figures::default() },
        }
    }

    #[test]
    fn of_too_many_labels_those_with_most_errors_then_requests_are_kept_whatever_their_order() {
        let all: Vec<_> = (0..30_000).map(|number| label(number, u64::from(number % 1_000 == 0))).collect();
        let kept = |labels: &mut dyn Iterator<Item = &LabelFigures>| {
            let mut some = Vec::new();
            for label in labels {
                some.push(label.clone());
                if some.len() >= 2 * MAXIMUM_LABELS {
                    keep_most_important(&mut some);
                }
            }
            keep_most_important(&mut some);
            some.sort_by(|left, right| left.label.cmp(&right.label));
            some
        };
        let forwards = kept(&mut all.iter());
        assert_eq!(forwards.len(), MAXIMUM_LABELS);
        assert_eq!(forwards.iter().filter(|label| label.figures.errors > 0).count(), 30);
        assert_eq!(forwards.iter().map(|label| label.figures.requests).filter(|requests| *requests < 4).count(), 17);
        assert_eq!(kept(&mut all.iter().rev()), forwards);
    }

    #[test]
    fn error_groups_beyond_any_use_are_folded_and_no_failure_is_lost() {
        let mut measured = Measured::default();
        for worker in 0..100 {
            let mut errors = ErrorGroups::default();
            for number in 0..500 {
                let message = format!("order {worker}-{number} failed").into();
                errors.add(ErrorKey { label: "cart".into(), code: "500".into(), message }, 1 + number % 3);
            }
            measured.add_errors("eu", &errors);
        }
        let failures = 100 * (0..500_u64).map(|number| 1 + number % 3).sum::<u64>();
        for scope in [&measured.whole, &measured.regions["eu"]] {
            assert!(scope.errors.len() < 2 * KEPT_ERROR_GROUPS);
            assert_eq!(scope.errors.iter().map(|(_, count)| count).sum::<u64>(), failures);
            let other = scope.errors.iter().find(|(key, _)| &*key.message == OTHER).unwrap().1;
            assert_eq!(scope.overview.folded_error_samples, other);
        }
    }

    #[test]
    fn labels_of_hostile_length_are_kept_up_to_the_size_of_the_document() {
        let mut labels: Vec<_> = (0..10_000).map(|number| label(number, number)).collect();
        for label in &mut labels {
            label.label.push_str(&"\u{1}".repeat(1_000));
        }
        keep_most_important(&mut labels);
        let json = serde_json::to_vec(&labels).unwrap().len();
        assert!(json <= MAXIMUM_LABEL_BYTES && json > MAXIMUM_LABEL_BYTES * 8 / 10, "{json}");
        assert_eq!(labels[0].figures.errors, 9_999);
    }

    #[test]
    fn rare_codes_are_counted_together_and_long_ones_cut_between_characters() {
        let long = format!("x{}", "é".repeat(60));
        let mut measured: BTreeMap<Box<str>, u64> =
            (0..60_u64).map(|code| (format!("{code:03}").into(), 100 + code)).collect();
        measured.insert("".into(), 7);
        measured.insert(long.clone().into(), 1_000);
        let published = codes(&measured);
        assert_eq!(published.values().sum::<u64>(), measured.values().sum::<u64>());
        assert_eq!(published.get(NO_CODE), Some(&7));
        assert_eq!(published.get(&long[..63]), Some(&1_000));
        // Of 62 codes 50 have a name, the empty one is the last of the others.
        assert_eq!((published.len(), published.get(OTHER)), (52, Some(&(100..111).sum::<u64>())));
    }
}
