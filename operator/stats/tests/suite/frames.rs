//! Frames against counting samples second by second.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;
use volley_stats::frame::{ERROR_GROUPS, EncodedFrame, FrameError, FrameSecond, LABELS, Responses, SECONDS};
use volley_stats::health::GeneratorLoad;
use volley_stats::series::LiveSeries;
use volley_stats::statistics::{ErrorKey, LabelKey};
use volley_stats::{Frame, FrameRecorder, Percentile, SampleKind};

use crate::generators::{OwnedSample, STOP_US, samples};

const PERCENTILES: [u32; 7] = [0, 1, 50_000, 90_000, 95_000, 99_000, 100_000];
const FIRST: i64 = STOP_US / 1_000_000 - 3;

/// Samples that end within 26 seconds.
fn short_samples(most: usize) -> impl Strategy<Value = Vec<OwnedSample>> {
    samples(most).prop_map(|mut samples| {
        for sample in &mut samples {
            sample.elapsed_us %= 20_000_000;
        }
        samples
    })
}

/// A sample of the second with that number since the first.
fn sample(second: i64, label: &str, elapsed_us: u64) -> OwnedSample {
    OwnedSample {
        kind: SampleKind::Request,
        label: label.to_owned(),
        start_us: (FIRST + second) * 1_000_000,
        elapsed_us,
        first_byte_us: None,
        bytes: Some(10),
        code: "200",
        message: "OK",
        success: true,
        active_users: None,
    }
}

fn second_of(sample: &OwnedSample) -> i64 {
    (sample.start_us + i64::try_from(sample.elapsed_us).unwrap()).div_euclid(1_000_000)
}

fn was_cut_off(sample: &OwnedSample) -> bool {
    let cut_off = sample.message == "Socket closed" || sample.kind == SampleKind::Transaction;
    !sample.success && cut_off && sample.start_us + i64::try_from(sample.elapsed_us).unwrap() >= STOP_US
}

/// What is known of a set of samples, counted one by one.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counted {
    durations: Vec<u64>,
    errors: u64,
    interrupted: u64,
    bytes: u64,
    /// Requests of which the bytes are not told.
    untold: u64,
}

impl Counted {
    fn of<'a>(samples: impl Iterator<Item = &'a OwnedSample>) -> Self {
        let mut counted = Self::default();
        for sample in samples {
            if was_cut_off(sample) {
                counted.interrupted += 1;
            } else {
                counted.durations.push(sample.elapsed_us);
                counted.errors += u64::from(!sample.success);
                counted.bytes += sample.bytes.unwrap_or(0);
                counted.untold += u64::from(sample.bytes.is_none());
            }
        }
        counted.durations.sort_unstable();
        counted
    }

    fn bytes(&self) -> Option<u64> {
        (self.untold == 0).then_some(self.bytes)
    }

    fn assert_is(&self, responses: &Responses) {
        let count = self.durations.len() as u64;
        assert_eq!(
            (count, self.errors, self.interrupted, self.bytes()),
            (responses.requests(), responses.errors, responses.interrupted, responses.bytes)
        );
        let wide = || self.durations.iter().map(|value| u128::from(*value));
        let elapsed = &responses.elapsed;
        assert_eq!(
            (wide().sum(), wide().map(|value| value * value).sum()),
            (elapsed.sum_us(), elapsed.sum_of_squares())
        );
        let bounds = (self.durations.first().copied(), self.durations.last().copied());
        assert_eq!(bounds, (elapsed.minimum_us(), elapsed.maximum_us()));
        for thousandths in PERCENTILES {
            let rank = (count * u64::from(thousandths)).div_ceil(100_000).max(1);
            let exact = self.durations.get(usize::try_from(rank).unwrap() - 1);
            let ours = elapsed.percentile(Percentile::from_thousandths(thousandths).unwrap());
            assert_eq!(exact.is_some(), ours.is_some());
            if let Some((exact, ours)) = exact.zip(ours) {
                // Twice as strict as what is promised.
                assert!(exact.abs_diff(ours) * 2_000 <= *exact, "p{thousandths}: {ours} instead of {exact}");
            }
        }
    }
}

/// Records samples in their order as one worker that closes seconds now and then, and ends.
fn frames(samples: &[OwnedSample], closes: &[(Index, i64)]) -> Vec<Frame> {
    let mut recorder = FrameRecorder::new();
    recorder.stop_at(STOP_US);
    recorder.begin(FIRST);
    let mut frames = Vec::new();
    for (place, sample) in samples.iter().enumerate() {
        for (_, second) in closes.iter().filter(|(at, _)| at.index(samples.len()) == place) {
            frames.extend(recorder.close(FIRST + second));
        }
        recorder.record(0, &sample.borrow());
    }
    frames.extend(recorder.end(FIRST + 26));
    frames
}

fn closes() -> impl Strategy<Value = Vec<(Index, i64)>> {
    proptest::collection::vec((any::<Index>(), 0_i64..26), 0..8)
}

/// Adds up what frames say of each second, in the order in which they come.
fn merged<'a>(frames: impl IntoIterator<Item = &'a Vec<u8>>) -> BTreeMap<i64, FrameSecond> {
    let mut sum: BTreeMap<i64, FrameSecond> = BTreeMap::new();
    for bytes in frames {
        for second in &EncodedFrame::read(bytes).unwrap().seconds {
            let known = sum.entry(second.second).or_default();
            known.users += second.users;
            for row in &second.rows {
                row.responses.merge_into(known.labels.entry(row.key()).or_default());
            }
            second.errors().for_each(|(key, count)| known.errors.add(key, count));
        }
    }
    sum
}

proptest! {
    #[test]
    fn the_sum_of_the_frames_of_many_workers_is_what_their_samples_say(
        workers in proptest::collection::vec((short_samples(60), closes()), 1..20),
        order in proptest::collection::vec(any::<Index>(), 1..20),
    ) {
        let mut encoded: Vec<Vec<u8>> =
            workers.iter().flat_map(|(samples, closes)| frames(samples, closes)).map(|frame| frame.encode()).collect();
        let mut order = order.iter().cycle();
        let mut shuffled = Vec::new();
        while !encoded.is_empty() {
            shuffled.push(encoded.swap_remove(order.next().unwrap().index(encoded.len())));
        }
        let sum = merged(&shuffled);
        let all: Vec<&OwnedSample> = workers.iter().flat_map(|(samples, _)| samples).collect();
        for second in FIRST..FIRST + 27 {
            let of_second = || all.iter().copied().filter(|sample| second_of(sample) == second);
            let told = sum.get(&second).cloned().unwrap_or_default();
            Counted::of(of_second().filter(|sample| sample.kind == SampleKind::Request)).assert_is(&told.totals());
            for (key, responses) in &told.labels {
                let is_its = |sample: &&OwnedSample| sample.kind == key.kind && *sample.label == *key.name;
                Counted::of(of_second().filter(is_its)).assert_is(responses);
            }
            let failed = |sample: &&OwnedSample| {
                sample.kind == SampleKind::Request && !sample.success && !was_cut_off(sample)
            };
            prop_assert_eq!(told.errors.iter().map(|(_, count)| count).sum::<u64>(), of_second().filter(failed).count() as u64);
        }
        prop_assert!(sum.keys().all(|second| (FIRST..FIRST + 27).contains(second)));
    }

    #[test]
    fn frames_of_a_worker_close_each_second_once_and_survive_their_bytes(samples in short_samples(60), closes in closes()) {
        let frames = frames(&samples, &closes);
        let mut next = FIRST;
        for frame in &frames {
            prop_assert_eq!(frame.from, next);
            prop_assert!(frame.seconds.keys().all(|second| *second <= frame.through));
            let again = Frame::decode(&frame.encode());
            prop_assert_eq!(again.as_ref(), Ok(frame));
            next = frame.through + 1;
        }
        let last = frames.last().unwrap();
        prop_assert!(last.ended && last.through >= FIRST + 26);
        prop_assert!(frames.iter().rev().skip(1).all(|frame| !frame.ended));
    }

    #[test]
    fn bytes_that_are_changed_or_cut_are_refused_or_are_another_frame(
        samples in short_samples(20), at in any::<Index>(), bit in 0_u32..8,
    ) {
        let frame = frames(&samples, &[]).pop().unwrap();
        let bytes = frame.encode();
        let cut = &bytes[..at.index(bytes.len())];
        prop_assert!(Frame::decode(cut).is_err());
        let mut changed = bytes.clone();
        changed[at.index(bytes.len())] ^= 1 << bit;
        if let Ok(other) = Frame::decode(&changed) {
            prop_assert_ne!(&other, &frame);
            prop_assert_eq!(other.encode(), changed);
        }
    }

    #[test]
    fn a_live_series_has_the_figures_of_its_seconds_in_any_order(
        samples in short_samples(80), closes in closes(), swapped in any::<Index>(),
    ) {
        let mut encoded: Vec<Vec<u8>> = frames(&samples, &closes).iter().map(Frame::encode).collect();
        let series = |encoded: &[Vec<u8>]| {
            let mut series = LiveSeries::new(["eu", "us"]);
            for bytes in encoded {
                for (second, told) in merged([bytes]) {
                    let target = if bytes.len().is_multiple_of(2) { "eu" } else { "us" };
                    series.add(target, second, told.users, &told.totals());
                }
            }
            series
        };
        let one = series(&encoded);
        let last = encoded.len() - 1;
        encoded.swap(swapped.index(last + 1), last);
        prop_assert_eq!(&series(&encoded), &one);
        let again = LiveSeries::decode(&one.encode());
        prop_assert_eq!(again.as_ref(), Ok(&one));
        prop_assert_eq!((one.step_seconds(), one.distribution_step_seconds()), (1, 1));
        let points: BTreeMap<i64, _> = one.points(None).map(|point| (point.second, point)).collect();
        let distributions: BTreeMap<i64, _> = one.distributions(None).map(|point| (point.second, point)).collect();
        for second in FIRST..FIRST + 27 {
            let of_second = samples.iter().filter(|it| it.kind == SampleKind::Request && second_of(it) == second);
            let counted = Counted::of(of_second);
            let point = points.get(&second);
            let figures = point.map(|point| *point.figures).unwrap_or_default();
            prop_assert_eq!(figures.requests, counted.durations.len() as u64);
            prop_assert_eq!((figures.errors, figures.interrupted), (counted.errors, counted.interrupted));
            prop_assert_eq!(point.map_or(Some(0), |point| point.bytes), counted.bytes());
            let regions: u64 = ["eu", "us"].into_iter().flat_map(|target| one.points(Some(target)))
                .filter(|point| point.second == second).map(|point| point.figures.requests).sum();
            prop_assert_eq!(regions, figures.requests);
            let ours = distributions.get(&second).and_then(|point| point.percentile(Percentile::P50));
            prop_assert_eq!(ours.is_some(), !counted.durations.is_empty());
            let rank = counted.durations.len().div_ceil(2).max(1);
            if let Some((exact, ours)) = counted.durations.get(rank - 1).zip(ours) {
                prop_assert!(exact.abs_diff(ours) * 100 <= *exact, "{} instead of {}", ours, exact);
            }
        }
    }

    #[test]
    fn a_live_series_of_hours_has_the_percentiles_of_its_points_in_any_order(
        mut told in proptest::collection::vec((0_i64..30_000, 1_u64..60_000_000, any::<bool>()), 500..1_500),
        damaged in proptest::option::of(-9_000_000_000_000_i64..9_000_000_000_000),
        swaps in proptest::collection::vec(any::<(Index, Index)>(), 0..200),
    ) {
        told.extend(damaged.map(|second| (second, 7, true)));
        let series = |told: &[(i64, u64, bool)]| {
            let mut series = LiveSeries::new(["eu", "us"]);
            for (second, elapsed_us, in_eu) in told {
                let mut responses = Responses::default();
                responses.elapsed.record(*elapsed_us);
                series.add(if *in_eu { "eu" } else { "us" }, *second, 1, &responses);
                // Users alone make points of figures and none of response times.
                series.add("eu", second / 2, 1, &Responses::default());
            }
            series
        };
        let one = series(&told);
        let in_order = told.clone();
        for (left, right) in swaps {
            told.swap(left.index(in_order.len()), right.index(in_order.len()));
        }
        prop_assert_eq!(&series(&told), &one);
        let again = LiveSeries::decode(&one.encode());
        prop_assert_eq!(again.as_ref(), Ok(&one));
        let step = i64::try_from(one.distribution_step_seconds()).unwrap();
        prop_assert!(one.distribution_step_seconds() >= one.step_seconds());
        for target in [None, Some("eu"), Some("us")] {
            let mut exact: BTreeMap<i64, Vec<u64>> = BTreeMap::new();
            for (second, elapsed_us, in_eu) in &in_order {
                if target.is_none_or(|target| (target == "eu") == *in_eu) {
                    exact.entry(second.div_euclid(step) * step).or_default().push(*elapsed_us);
                }
            }
            let bound = if step == 1 { 600 } else { 300 };
            prop_assert!(exact.len() <= bound && one.points(target).count() <= 3_600);
            prop_assert!(one.distributions(target).map(|point| point.second).eq(exact.keys().copied()));
            for (point, exact) in one.distributions(target).zip(exact.values_mut()) {
                exact.sort_unstable();
                for thousandths in PERCENTILES {
                    let rank = (exact.len() * thousandths as usize).div_ceil(100_000).max(1);
                    let percentile = Percentile::from_thousandths(thousandths).unwrap();
                    let (exact_us, ours_us) = (exact[rank - 1], point.percentile(percentile).unwrap());
                    prop_assert!(exact_us.abs_diff(ours_us) * 125 <= exact_us, "{} instead of {}", ours_us, exact_us);
                    prop_assert!((exact[0]..=exact[exact.len() - 1]).contains(&ours_us));
                }
            }
        }
    }
}

#[test]
fn a_sample_that_comes_after_its_second_was_closed_is_in_the_next_frame_without_users() {
    let with_users = |second, users| OwnedSample { active_users: Some(users), ..sample(second, "home", 1_000) };
    let mut recorder = FrameRecorder::new();
    recorder.begin(FIRST);
    recorder.record(0, &with_users(0, 5).borrow());
    recorder.record(1, &with_users(0, 2).borrow());
    let first = recorder.close(FIRST).unwrap();
    assert_eq!(first.seconds[&FIRST].users, 7);
    assert_eq!(recorder.close(FIRST), None);
    recorder.record(0, &with_users(0, 9).borrow());
    recorder.record(0, &with_users(1, 6).borrow());
    let second = recorder.close(FIRST + 2).unwrap();
    assert_eq!((second.from, second.through), (FIRST + 1, FIRST + 2));
    let told: Vec<_> =
        second.seconds.iter().map(|(second, told)| (second - FIRST, told.users, told.totals().requests())).collect();
    // The other execution, and seconds without a row, keep their last number.
    assert_eq!(told, [(0, 0, 1), (1, 8, 1), (2, 8, 0)]);
}

#[test]
fn a_frame_tells_once_how_many_samples_came_late_and_how_loaded_the_worker_was() {
    let load = |cpu_ppm, saturated| GeneratorLoad { cpu_ppm: Some(cpu_ppm), saturated, ..GeneratorLoad::default() };
    let mut recorder = FrameRecorder::new();
    recorder.note_load(FIRST - 9, &load(990_000, true));
    recorder.begin(FIRST);
    recorder.note_load(FIRST - 1, &load(980_000, true));
    recorder.note_load(FIRST, &GeneratorLoad::default());
    assert_eq!(recorder.close(FIRST).unwrap().load, None, "what was before the beginning, and what is not known");
    for (second, cpu_ppm, saturated) in [(1, 500_000, false), (2, 970_000, true), (3, 400_000, false)] {
        recorder.note_load(FIRST + second, &load(cpu_ppm, saturated));
    }
    for second in [0, 0, 3] {
        recorder.record(0, &sample(second, "home", 1_000).borrow());
    }
    let frame = recorder.close(FIRST + 3).unwrap();
    assert_eq!((frame.late, frame.load), (2, Some(load(970_000, true))));
    assert_eq!(Frame::decode(&frame.encode()).as_ref(), Ok(&frame));
    let next = recorder.close(FIRST + 4).unwrap();
    assert_eq!((next.late, next.load, recorder.late_samples()), (0, None, 2));
    assert_eq!(
        next.encode().len() + 6,
        Frame { load: Some(load(5, false)), ..next.clone() }.encode().len(),
        "it takes nothing where it says nothing"
    );
}

#[test]
fn what_a_worker_cannot_say_of_itself_is_refused() {
    let mut recorder = FrameRecorder::new();
    recorder.begin(FIRST);
    let bytes = recorder.close(FIRST).unwrap().encode();
    let with = |worker: &[u8]| {
        let (head, magic) = bytes.split_at(bytes.len() - 8);
        Frame::decode(&[head, worker, magic].concat())
    };
    let part = "what the worker says of itself";
    let contradiction = |problem| Err(FrameError::Contradiction { part, problem });
    assert_eq!(with(&[3, 0]).unwrap().late, 3);
    assert_eq!(with(&[0, 1, 1, 0, 0, 1]).unwrap().load.unwrap().cpu_ppm, Some(0));
    assert_eq!(with(&[0, 0]), contradiction("it is nothing"));
    assert_eq!(with(&[0, 2]), contradiction("a flag is neither 0 nor 1"));
    assert_eq!(
        with(&[0, 1, 0x82, 0xad, 0xe2, 0x04, 0, 0, 0]),
        contradiction("a share is larger than any that is told")
    );
    assert_eq!(with(&[0, 1, 0, 0]), Err(FrameError::Damaged { part }));
    assert_eq!(with(&[3, 0, 0]), contradiction("bytes follow it"));
}

#[test]
fn what_was_recorded_before_the_beginning_is_told_from_the_beginning_on() {
    let mut recorder = FrameRecorder::new();
    for second in [0, 1, 2] {
        recorder.record(0, &sample(second, "home", 1_000).borrow());
    }
    assert_eq!(recorder.close(FIRST + 2), None);
    recorder.begin(FIRST + 1);
    recorder.record(0, &sample(0, "home", 1_000).borrow());
    let frame = recorder.close(FIRST + 2).unwrap();
    assert_eq!(frame.seconds.keys().copied().collect::<Vec<_>>(), [FIRST + 1, FIRST + 2]);
    assert_eq!((frame.from, frame.left_out), (FIRST + 1, 0));
}

#[test]
fn labels_beyond_the_bound_are_folded_visibly_and_stay_in_the_totals() {
    let mut recorder = FrameRecorder::new();
    recorder.begin(FIRST);
    for number in 0..LABELS + 50 {
        recorder.record(0, &sample(0, &format!("label {number}"), 1_000).borrow());
    }
    let frame = recorder.close(FIRST).unwrap();
    let second = &frame.seconds[&FIRST];
    let other = LabelKey { kind: SampleKind::Request, name: "[other]".into() };
    assert_eq!((second.labels.len(), second.labels[&other].requests()), (LABELS + 1, 50));
    assert_eq!(second.totals().requests(), LABELS as u64 + 50);
    assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
}

#[test]
fn errors_beyond_the_bound_are_folded_visibly_and_long_texts_are_cut() {
    let mut recorder = FrameRecorder::new();
    recorder.begin(FIRST);
    let labels: Vec<String> = (0..ERROR_GROUPS + 3).map(|number| format!("{number}{}", "ä".repeat(900))).collect();
    for label in &labels {
        let failed = OwnedSample { success: false, code: "500", ..sample(0, label, 1_000) };
        recorder.record(0, &failed.borrow());
        recorder.record(0, &failed.borrow());
    }
    let frame = recorder.close(FIRST).unwrap();
    let errors = &frame.seconds[&FIRST].errors;
    let other = ErrorKey { label: "[other]".into(), code: "".into(), message: "[other]".into() };
    assert_eq!(errors.len(), ERROR_GROUPS + 1);
    assert_eq!(errors.iter().find(|(key, _)| *key == &other).map(|(_, count)| count), Some(6));
    assert!(errors.iter().all(|(key, _)| key.label.len() <= 1_024 && (*key == other || key.label.ends_with('…'))));
    assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
}

#[test]
fn damaged_time_stamps_are_left_out_and_counted() {
    let mut recorder = FrameRecorder::new();
    recorder.begin(FIRST);
    let seconds = i64::try_from(SECONDS).unwrap();
    for second in 0..seconds + 2 {
        recorder.record(0, &sample(second, "home", 1_000).borrow());
    }
    recorder.record(0, &sample(86_400, "home", 1_000).borrow());
    let frame = recorder.close(FIRST + seconds).unwrap();
    assert_eq!((frame.seconds.len(), frame.left_out), (SECONDS, 3));
    recorder.record(0, &sample(seconds + 1, "home", 1_000).borrow());
    assert_eq!(recorder.close(FIRST + seconds + 1).unwrap().left_out, 0);
}

#[test]
fn after_a_long_pause_a_frame_keeps_its_bounds() {
    let mut recorder = FrameRecorder::new();
    recorder.begin(FIRST);
    recorder.record(0, &OwnedSample { active_users: Some(3), ..sample(0, "home", 1_000) }.borrow());
    let frame = recorder.close(FIRST + 100_000).unwrap();
    assert!(frame.seconds.len() <= SECONDS && frame.seconds[&FIRST].totals().requests() == 1);
    assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
}

#[test]
fn a_usual_frame_has_some_kilobytes() {
    let mut recorder = FrameRecorder::new();
    recorder.begin(FIRST);
    for number in 0..1_000_u64 {
        let elapsed_us = 20_000 + number * 7_919 % 130_000;
        recorder.record(0, &sample(0, &format!("GET label {}", number % 50), elapsed_us).borrow());
    }
    let bytes = recorder.close(FIRST).unwrap().encode().len();
    assert!(bytes < 6_000, "{bytes} bytes");
}

#[test]
fn a_live_series_gets_longer_points_instead_of_more() {
    let mut series = LiveSeries::new(["eu"]);
    let mut responses = Responses::default();
    responses.record(&sample(0, "home", 1_000).borrow(), false);
    let start = 1_795_578_000;
    for second in 0..7_200 {
        series.add("eu", start + second, 10, &responses);
    }
    assert_eq!((series.step_seconds(), series.span()), (5, Some((start, start + 7_199))));
    assert_eq!(series.distribution_step_seconds(), 30);
    let points: Vec<_> = series.points(None).collect();
    assert_eq!(points.len(), 1_440);
    assert!(points.iter().all(|point| point.figures.requests == 5 && (point.users - 10.0).abs() < 1e-9));
    assert_eq!((series.points(Some("eu")).count(), series.distributions(Some("eu")).count()), (1_440, 240));
    assert!(series.distributions(None).all(|point| point.histogram.total() == 30));
    assert_eq!((series.points(Some("elsewhere")).count(), series.distributions(Some("elsewhere")).count()), (0, 0));
    series.add("elsewhere", start, 1, &responses);
    assert_eq!(series.points(None).next().unwrap().figures.requests, 6);
    assert_eq!(series.distributions(None).next().unwrap().histogram.total(), 31);
    assert!(series.encode().len() < 200_000);
    assert_eq!(LiveSeries::decode(&series.encode()), Ok(series));
}

#[test]
fn other_bytes_are_no_frame() {
    assert_eq!(Frame::decode(b""), Err(FrameError::Magic { place: "beginning" }));
    assert_eq!(Frame::decode(b"VOLLEYF1VOLLEYS1"), Err(FrameError::Magic { place: "end" }));
    assert_eq!(Frame::decode(b"VOLLEYF1VOLLEYF1"), Err(FrameError::Damaged { part: "its head" }));
}
