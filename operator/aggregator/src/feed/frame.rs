//! Makes the frames that are published from the seconds that are closed. Pure.
//!
//! Intervals are aligned to 1970, so that a frame's number follows from its second alone: an aggregator that starts anew
//! goes on with the numbers of the one before.

use std::collections::BTreeMap;

use volley_stats::frame::Responses;
use volley_stats::statistics::{ErrorGroups, LabelKey};
use volley_stats::{Percentile, SampleKind};
use volley_storage::documents::{
    FRAME_ERRORS, FRAME_LABELS, FRAME_WORKERS_BEHIND, FRAME_WORKERS_SATURATED, FrameError, FrameFigures,
    FrameGenerators, FrameLabel, FrameScope, FrameWorker, FrameWorkers, LIVE_FRAME_VERSION, LiveFrame, SaturatedWorker,
};

use crate::live::{ClosedSecond, Generators, Heard, Saturated};
use crate::measured::mean_half_up;

/// Adds up closed seconds to frames.
#[derive(Debug)]
pub struct FrameMaker {
    run_uid: String,
    interval: u32,
    open: Option<Open>,
    /// Number of the newest frame that was made.
    made: Option<i64>,
}

/// An interval that is not over.
#[derive(Debug)]
struct Open {
    seq: i64,
    totals: Scope,
    regions: BTreeMap<String, Scope>,
    labels: BTreeMap<LabelKey, Responses>,
    errors: ErrorGroups,
    /// Of the last second.
    workers: Heard,
    /// Of the last second, with the late samples of all of them.
    generators: Generators,
}

/// All regions, or one.
#[derive(Debug, Default)]
struct Scope {
    /// Of the last second.
    users: u64,
    responses: Responses,
}

impl FrameMaker {
    /// Frames of `interval` seconds each; 0 counts as 1.
    #[must_use]
    pub fn new(run_uid: &str, interval: u32) -> Self {
        Self { run_uid: run_uid.to_owned(), interval: interval.max(1), open: None, made: None }
    }

    /// Adds a closed second. Answers the frames whose intervals are over by it: none, that of this second, and before it
    /// one whose last seconds were never closed. A second of an interval whose frame was made adds to nothing: it is in the
    /// series.
    pub fn add(&mut self, closed: &ClosedSecond) -> Vec<LiveFrame> {
        let length = i64::from(self.interval);
        let seq = closed.second.div_euclid(length);
        let newest = self.open.as_ref().map(|open| open.seq).max(self.made);
        let is_open = self.open.as_ref().is_some_and(|open| open.seq == seq);
        if !is_open && newest.is_some_and(|newest| seq <= newest) {
            return Vec::new();
        }
        let mut frames = Vec::new();
        if !is_open {
            frames.extend(self.finish());
        }
        let open = self.open.get_or_insert_with(|| Open::new(seq));
        open.add(closed);
        if closed.second.rem_euclid(length) == length - 1 {
            frames.extend(self.finish());
        }
        frames
    }

    /// The frame of the interval that is open, when the run ends.
    pub fn finish(&mut self) -> Option<LiveFrame> {
        let open = self.open.take()?;
        self.made = Some(open.seq);
        Some(open.frame(&self.run_uid, self.interval))
    }
}

impl Open {
    fn new(seq: i64) -> Self {
        Self {
            seq,
            totals: Scope::default(),
            regions: BTreeMap::new(),
            labels: BTreeMap::new(),
            errors: ErrorGroups::default(),
            workers: Heard::default(),
            generators: Generators::default(),
        }
    }

    fn add(&mut self, closed: &ClosedSecond) {
        self.totals.add(closed.users, &closed.totals);
        for (target, region) in &closed.regions {
            self.regions.entry(target.clone()).or_default().add(region.users, &region.totals);
        }
        for (key, responses) in &closed.labels {
            match self.labels.get_mut(key) {
                Some(sum) => sum.merge(responses),
                None => {
                    self.labels.insert(key.clone(), responses.clone());
                }
            }
        }
        self.errors.merge(&closed.errors);
        self.workers.clone_from(&closed.workers);
        let late = self.generators.late.saturating_add(closed.generators.late);
        self.generators = Generators { late, ..closed.generators.clone() };
    }

    fn frame(self, run_uid: &str, interval: u32) -> LiveFrame {
        let mut labels: Vec<_> = self.labels.into_iter().filter(|(_, responses)| responses.requests() > 0).collect();
        let labels_total = labels.len() as u64;
        labels.sort_by(|(left_key, left), (right_key, right)| {
            right.requests().cmp(&left.requests()).then_with(|| left_key.cmp(right_key))
        });
        labels.truncate(FRAME_LABELS);
        let errors = self.errors.largest(FRAME_ERRORS);
        LiveFrame {
            version: LIVE_FRAME_VERSION,
            run: run_uid.to_owned(),
            seq: self.seq,
            second: self.seq.saturating_mul(i64::from(interval)).saturating_add(i64::from(interval) - 1),
            interval,
            totals: self.totals.figures(),
            regions: self.regions.into_iter().map(|(target, scope)| (target, scope.figures())).collect(),
            labels: labels
                .into_iter()
                .map(|(key, responses)| FrameLabel {
                    label: key.name.into(),
                    transaction: key.kind == SampleKind::Transaction,
                    figures: figures(&responses),
                })
                .collect(),
            labels_total,
            errors: errors
                .into_iter()
                .map(|(key, count)| FrameError {
                    label: key.label.to_string(),
                    code: key.code.to_string(),
                    message: key.message.to_string(),
                    count,
                })
                .collect(),
            workers: workers(self.workers),
            generators: generators(self.generators),
        }
        .bounded()
    }
}

impl Scope {
    fn add(&mut self, users: u64, responses: &Responses) {
        self.users = users;
        self.responses.merge(responses);
    }

    fn figures(&self) -> FrameScope {
        FrameScope { users: self.users, bytes: self.responses.bytes, figures: figures(&self.responses) }
    }
}

fn figures(responses: &Responses) -> FrameFigures {
    let elapsed = &responses.elapsed;
    FrameFigures {
        requests: responses.requests(),
        errors: responses.errors,
        average_us: mean_half_up(elapsed.sum_us(), elapsed.count()),
        p50_us: elapsed.percentile(Percentile::P50),
        p95_us: elapsed.percentile(Percentile::P95),
        p99_us: elapsed.percentile(Percentile::P99),
        max_us: elapsed.maximum_us(),
    }
}

fn workers(heard: Heard) -> FrameWorkers {
    let behind = heard.behind.into_iter().take(FRAME_WORKERS_BEHIND);
    FrameWorkers {
        expected: heard.expected,
        reported: heard.reported,
        behind: behind
            .map(|worker| FrameWorker { target: worker.target, index: worker.index, second: worker.newest })
            .collect(),
    }
}

fn generators(generators: Generators) -> FrameGenerators {
    let Generators { measured, saturated, named, highest, late: late_samples } = generators;
    let named =
        named.into_iter().take(FRAME_WORKERS_SATURATED).map(|Saturated { target, index, load }| SaturatedWorker {
            target,
            index,
            cpu_ppm: load.cpu_ppm,
            throttled_ppm: load.throttled_ppm,
            memory_ppm: load.memory_ppm,
        });
    FrameGenerators {
        measured,
        saturated,
        named: named.collect(),
        max_cpu_ppm: highest.cpu_ppm,
        max_throttled_ppm: highest.throttled_ppm,
        max_memory_ppm: highest.memory_ppm,
        late_samples,
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::live::ClosedRegion;
    use volley_stats::health::GeneratorLoad;
    use volley_stats::statistics::ErrorKey;

    #[derive(Clone)]
    struct Request {
        label: String,
        elapsed_us: u64,
        error: Option<&'static str>,
    }

    impl Request {
        fn of(label: &str, elapsed_us: u64) -> Self {
            Self { label: label.into(), elapsed_us, error: None }
        }
    }

    /// A second of one region.
    fn closed(second: i64, target: &str, requests: &[Request]) -> ClosedSecond {
        let mut region = ClosedRegion::default();
        let mut closed = ClosedSecond { second, ..ClosedSecond::default() };
        for request in requests {
            let key = LabelKey { kind: SampleKind::Request, name: request.label.as_str().into() };
            for responses in [&mut region.totals, region.labels.entry(key).or_default()] {
                responses.elapsed.record(request.elapsed_us);
                responses.errors += u64::from(request.error.is_some());
            }
            if let Some(code) = request.error {
                let key = ErrorKey { label: request.label.as_str().into(), code: code.into(), message: "".into() };
                closed.errors.add(key, 1);
            }
        }
        closed.totals = region.totals.clone();
        closed.labels = region.labels.clone();
        closed.regions.insert(target.to_owned(), region);
        closed
    }

    #[test]
    fn a_frame_of_one_second_is_made_by_that_second() {
        let mut maker = FrameMaker::new("u", 1);
        let requests = [
            Request::of("home", 10_000),
            Request::of("home", 30_000),
            Request { error: Some("503"), ..Request::of("cart", 50_000) },
        ];
        let frames = maker.add(&closed(1_800_000_007, "eu", &requests));
        let [frame] = frames.as_slice() else { panic!("one frame, not {}", frames.len()) };
        assert_eq!((frame.seq, frame.second, frame.interval), (1_800_000_007, 1_800_000_007, 1));
        let figures = &frame.totals.figures;
        assert_eq!((figures.requests, figures.errors, figures.average_us), (3, 1, Some(30_000)));
        assert_eq!(frame.regions.keys().collect::<Vec<_>>(), ["eu"]);
        let labels: Vec<_> = frame.labels.iter().map(|label| (label.label.as_str(), label.figures.requests)).collect();
        assert_eq!(labels, [("home", 2), ("cart", 1)]);
        assert_eq!((frame.errors[0].label.as_str(), frame.errors[0].code.as_str()), ("cart", "503"));
    }

    #[test]
    fn a_longer_interval_is_aligned_and_has_all_of_its_seconds() {
        let mut maker = FrameMaker::new("u", 5);
        let mut made = Vec::new();
        for second in 3..=11 {
            made.extend(maker.add(&closed(second, "eu", &[Request::of("home", 1_000)])));
        }
        made.extend(maker.finish());
        let shown: Vec<_> = made.iter().map(|frame| (frame.seq, frame.second, frame.totals.figures.requests)).collect();
        assert_eq!(shown, [(0, 4, 2), (1, 9, 5), (2, 14, 2)]);
    }

    #[test]
    fn a_frame_says_how_loaded_the_workers_are_in_its_last_second_and_what_came_late_in_all() {
        let load = GeneratorLoad { cpu_ppm: Some(970_000), saturated: true, ..GeneratorLoad::default() };
        let named: Vec<_> = (0..9).map(|index| Saturated { target: "eu".into(), index, load }).collect();
        let calm = Generators { measured: 9, late: 4, ..Generators::default() };
        let saturated = Generators { measured: 9, saturated: 9, named, highest: load, late: 3 };
        let mut maker = FrameMaker::new("u", 2);
        maker.add(&ClosedSecond { generators: calm, ..closed(10, "eu", &[]) });
        let made = maker.add(&ClosedSecond { generators: saturated, ..closed(11, "eu", &[]) });
        let generators = &made[0].generators;
        assert_eq!((generators.measured, generators.saturated, generators.late_samples), (9, 9, 7));
        assert_eq!((generators.named.len(), generators.max_cpu_ppm), (FRAME_WORKERS_SATURATED, Some(970_000)));
        assert_eq!((generators.named[0].index, generators.named[0].cpu_ppm), (0, Some(970_000)));
    }

    #[test]
    fn a_second_of_a_frame_that_was_made_changes_nothing() {
        let mut maker = FrameMaker::new("u", 2);
        assert_eq!(maker.add(&closed(9, "eu", &[])).len(), 1);
        assert_eq!(maker.add(&closed(8, "eu", &[Request::of("home", 1)])), []);
        assert_eq!(maker.finish(), None);
    }

    #[test]
    fn an_interval_whose_last_second_is_never_closed_is_still_published() {
        let mut maker = FrameMaker::new("u", 5);
        assert_eq!(maker.add(&closed(6, "eu", &[])), []);
        let seqs: Vec<_> = maker.add(&closed(14, "eu", &[])).iter().map(|frame| frame.seq).collect();
        assert_eq!(seqs, [1, 2]);
    }

    proptest! {
        /// The judge sorts all response times of an interval: nearest rank, within 0.05 % as of every percentile.
        #[test]
        fn the_figures_of_a_frame_are_those_of_all_its_requests(
            seconds in vec(vec((0_usize..30, 1_u64..100_000_000), 0..40), 1..12),
            interval in 1_u32..6,
        ) {
            let mut maker = FrameMaker::new("u", interval);
            let mut frames = Vec::new();
            for (second, requests) in (0_i64..).zip(&seconds) {
                let requests: Vec<_> =
                    requests.iter().map(|(label, time)| Request::of(&format!("label {label:02}"), *time)).collect();
                frames.extend(maker.add(&closed(second, "eu", &requests)));
            }
            frames.extend(maker.finish());
            let length = interval as usize;
            prop_assert_eq!(frames.len(), seconds.len().div_ceil(length));
            for (frame, seconds) in frames.iter().zip(seconds.chunks(length)) {
                let mut times: Vec<u64> = seconds.iter().flatten().map(|(_, time)| *time).collect();
                times.sort_unstable();
                let figures = &frame.totals.figures;
                prop_assert_eq!(figures.requests, times.len() as u64);
                for (percent, found) in [(50, figures.p50_us), (95, figures.p95_us), (99, figures.p99_us)] {
                    let rank = (times.len() * percent).div_ceil(100).max(1);
                    let exact = times.get(rank - 1).copied();
                    prop_assert_eq!(found.is_some(), exact.is_some());
                    let (found, exact) = (found.unwrap_or(0), exact.unwrap_or(0));
                    prop_assert!(found.abs_diff(exact) * 2_000 <= exact, "{} for {}", found, exact);
                }
                prop_assert_eq!(figures.max_us, times.last().copied());
                let labels: u64 = frame.labels.iter().map(|label| label.figures.requests).sum();
                prop_assert!(labels <= figures.requests && frame.labels.len() <= FRAME_LABELS);
                prop_assert!(frame.labels.len() as u64 == frame.labels_total || frame.labels.len() == FRAME_LABELS);
            }
        }
    }
}
