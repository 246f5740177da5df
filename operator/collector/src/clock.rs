//! What this worker's clock differs from the storage's, from the `Date` headers of the storage's answers. Pure.
//!
//! A `Date` is the storage's clock cut to its second, at some instant between the request and the head of the answer. So the
//! difference, storage minus worker, is between `Date − received` and `Date + 1 s − sent` (RFC 9110, 6.6.1). One answer leaves a
//! second of doubt. [`ClockComparison::pause`] asks next when the storage's second turns over in the middle of the doubt: whichever
//! second the answer shows, half of the doubt goes, down to the time that an answer takes.
//!
//! Two clocks do not run at one pace: bounds of another instant are widened by [`MAXIMUM_DRIFT_PPM`] of the distance. Bounds that
//! contradict those of nearer answers belong to a clock that was set meanwhile: they and what lies beyond them are left out.
//!
//! # Guarantee
//! While the two clocks drift apart by no more than that, and neither is set, the true difference at the instant is within the bounds
//! (a property with a clock of its own, in the tests).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use volley_storage::documents::ClockOffset;
use volley_storage::objects::ServerDate;

/// How much two clocks may drift apart, in microseconds a second. Quartz is specified to 100; what a time service slews is less.
pub const MAXIMUM_DRIFT_PPM: i64 = 100;
/// Answers count within this of the opening of the gate, or else of now.
const WINDOW: SignedDuration = SignedDuration::from_secs(60);
/// A doubt below this, to either side, is small enough: workers go back to asking at times of their own, not all at the turn of a second.
const ENOUGH_US: u64 = 20_000;
/// Between two questions, where no instant is better than another. No divisor of a second, so that their phase moves.
const PERIOD: Duration = Duration::from_millis(1_137);
/// Shortest time between two questions; the longest is a second more.
const SHORTEST_US: i64 = 200_000;
const SECOND_US: i64 = 1_000_000;

/// Most answers that are kept: one a second before the instant and after it, and some.
const MAXIMUM_ANSWERS: usize = 256;

/// Bounds of one answer.
#[expect(clippy::struct_field_names, reason = "the unit belongs into each name")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bounds {
    /// Our clock in the middle between request and answer, in microseconds since 1970.
    at_us: i64,
    /// The storage looked at its clock at most this much before or after that.
    reach_us: i64,
    least_us: i64,
    most_us: i64,
}

/// The answers around the instant that matters.
#[derive(Clone, Debug, Default)]
pub struct ClockComparison {
    last: Option<ServerDate>,
    answers: Vec<Bounds>,
    /// Answers after this are of no use any more.
    closes_at_us: Option<i64>,
}

impl ClockComparison {
    /// Takes what the newest answer says; the same one again changes nothing. `opened` is when the gate opened, once it has: then a
    /// window after it is still taken, and nothing later.
    /// True where something is known that was not.
    pub fn observe(&mut self, date: ServerDate, opened: Option<Timestamp>) -> bool {
        if self.last == Some(date) {
            return false;
        }
        self.last = Some(date);
        let Some(bounds) = Bounds::of(date) else { return false };
        let window_us = i64::try_from(WINDOW.as_micros()).unwrap_or(i64::MAX);
        if let Some(opened) = opened {
            // A collector that was restarted under load has no answers of the instant itself; some of now are better than none.
            let from_us = self.answers.first().map_or(bounds.at_us, |first| first.at_us).max(opened.as_microsecond());
            let closes_at_us = *self.closes_at_us.get_or_insert(from_us.saturating_add(window_us));
            if bounds.at_us > closes_at_us || self.answers.len() >= MAXIMUM_ANSWERS {
                return false;
            }
        } else {
            self.answers.retain(|other| (bounds.at_us - window_us..=bounds.at_us).contains(&other.at_us));
            if self.answers.len() >= MAXIMUM_ANSWERS / 2 {
                self.answers.remove(0);
            }
        }
        self.answers.push(bounds);
        true
    }

    /// How long to wait from now until the next question; `took` is how long the last one took.
    #[must_use]
    pub fn pause(&self, now: Timestamp, took: Duration) -> Duration {
        match self.at(now) {
            Some(known) if known.bound_us > ENOUGH_US => {
                let there_us = now.as_microsecond().saturating_add(known.offset_us);
                let earliest_us = there_us.saturating_add(SHORTEST_US);
                let turn_us = earliest_us.saturating_add(SECOND_US - earliest_us.rem_euclid(SECOND_US));
                Duration::from_micros(u64::try_from(turn_us.saturating_sub(there_us)).unwrap_or_default())
            }
            Some(_) | None => PERIOD.saturating_sub(took),
        }
    }

    /// The difference at an instant of our clock; `None`: no answer told the storage's time.
    #[must_use]
    pub fn at(&self, instant: Timestamp) -> Option<ClockOffset> {
        let instant_us = instant.as_microsecond();
        let mut nearest: Vec<_> = self.answers.iter().map(|bounds| bounds.seen_from(instant_us)).collect();
        nearest.sort_by_key(|bounds| bounds.at_us.abs_diff(instant_us));
        let mut nearest = nearest.into_iter();
        let mut all = nearest.next()?;
        // Whether a clock was set before or after the instant, as seen from it.
        let (mut set_before, mut set_after) = (false, false);
        for bounds in nearest {
            let set = if bounds.at_us < instant_us { &mut set_before } else { &mut set_after };
            let (least_us, most_us) = (all.least_us.max(bounds.least_us), all.most_us.min(bounds.most_us));
            *set |= least_us > most_us;
            if !*set {
                all = Bounds { least_us, most_us, ..all };
            }
        }
        let width_us = all.most_us.saturating_sub(all.least_us);
        let offset_us = all.least_us.saturating_add(width_us / 2);
        // Rounded up, so that both ends are within it.
        let bound_us = u64::try_from(width_us.saturating_sub(width_us / 2)).unwrap_or(0);
        Some(ClockOffset { offset_us, bound_us })
    }
}

impl Bounds {
    /// `None`: our clock ran backwards between request and answer, so they say nothing.
    fn of(date: ServerDate) -> Option<Self> {
        let (sent, received) = (date.sent.as_microsecond(), date.received.as_microsecond());
        let date = date.date.as_microsecond();
        let took = received.checked_sub(sent).filter(|took| *took >= 0)?;
        Some(Self {
            at_us: sent.saturating_add(took / 2),
            reach_us: took - took / 2,
            least_us: date.saturating_sub(received),
            most_us: date.saturating_add(SECOND_US).saturating_sub(sent),
        })
    }

    /// What they say about another instant: as much wider as the clocks may have drifted apart.
    fn seen_from(self, instant_us: i64) -> Self {
        let distance_us = i64::try_from(self.at_us.abs_diff(instant_us)).unwrap_or(i64::MAX);
        let distance_us = distance_us.saturating_add(self.reach_us);
        // Rounded up to the next second.
        let drift_us = (distance_us / SECOND_US + 1).saturating_mul(MAXIMUM_DRIFT_PPM);
        Self {
            least_us: self.least_us.saturating_sub(drift_us),
            most_us: self.most_us.saturating_add(drift_us),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START_US: i64 = 1_800_000_000_000_000;

    /// A storage's clock, by the true time: it starts apart from ours and drifts. Ours is the true time.
    #[derive(Clone, Copy, Debug)]
    struct Oracle {
        apart_us: i64,
        drift_ppm: i64,
    }

    impl Oracle {
        fn offset(self, true_us: i64) -> i64 {
            self.apart_us + (true_us - START_US) * self.drift_ppm / 1_000_000
        }

        /// An answer to a request of some instant; the storage looks at its clock after `there_us`, the answer takes `back_us`.
        fn answer(self, sent_us: i64, there_us: i64, back_us: i64) -> ServerDate {
            let looked_us = sent_us + there_us;
            let shown = (looked_us + self.offset(looked_us)).div_euclid(1_000_000);
            ServerDate {
                sent: Timestamp::from_microsecond(sent_us).unwrap(),
                date: Timestamp::from_second(shown).unwrap(),
                received: Timestamp::from_microsecond(looked_us + back_us).unwrap(),
            }
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_microsecond(START_US + seconds * 1_000_000).unwrap()
    }

    /// Questions through `seconds`, each when the comparison wants it, with the jitter of a network.
    fn compared(oracle: Oracle, jitter: &[(i64, i64)], seconds: i64, opened_at: Option<i64>) -> ClockComparison {
        let mut comparison = ClockComparison::default();
        let mut jitter = jitter.iter().cycle();
        let mut sent_us = START_US;
        while sent_us < START_US + seconds * 1_000_000 {
            let (there_us, back_us) = *jitter.next().unwrap();
            let opened = opened_at.map(at).filter(|opened| opened.as_microsecond() <= sent_us);
            let answer = oracle.answer(sent_us, there_us, back_us);
            comparison.observe(answer, opened);
            let took = u64::try_from(there_us + back_us).unwrap();
            let pause = comparison.pause(answer.received, Duration::from_micros(took));
            assert!(pause <= Duration::from_millis(1_200), "a decision must be seen soon");
            sent_us = answer.received.as_microsecond() + i64::try_from(pause.as_micros()).unwrap();
        }
        comparison
    }

    fn any_oracle() -> impl Strategy<Value = Oracle> {
        (-5_000_000_i64..5_000_000, -MAXIMUM_DRIFT_PPM..=MAXIMUM_DRIFT_PPM)
            .prop_map(|(apart_us, drift_ppm)| Oracle { apart_us, drift_ppm })
    }

    proptest! {
        #[test]
        fn the_true_difference_is_within_the_bounds(
            oracle in any_oracle(),
            jitter in prop::collection::vec((0_i64..400_000, 0_i64..400_000), 1..40),
            seconds in 1_i64..200,
            opened_at in prop::option::of(0_i64..200),
            asked_at in 0_i64..200,
        ) {
            let comparison = compared(oracle, &jitter, seconds, opened_at);
            let known = comparison.at(at(asked_at)).unwrap();
            let truth = oracle.offset(at(asked_at).as_microsecond());
            prop_assert!(known.offset_us.abs_diff(truth) <= known.bound_us, "{known:?}, in truth {truth}");
        }

        #[test]
        fn after_twelve_seconds_over_a_network_of_10_ms_the_doubt_is_below_30_ms_and_stays_there(
            oracle in any_oracle(),
            jitter in prop::collection::vec((500_i64..5_000, 500_i64..5_000), 1..40),
            seconds in 12_i64..300,
        ) {
            let known = compared(oracle, &jitter, seconds, None).at(at(seconds)).unwrap();
            prop_assert!(known.bound_us < 30_000, "{known:?}");
        }
    }

    #[test]
    fn without_an_answer_nothing_is_known() {
        assert_eq!(ClockComparison::default().at(at(0)), None);
    }

    #[test]
    fn one_answer_leaves_half_a_second_and_half_its_way() {
        let oracle = Oracle { apart_us: 250_000, drift_ppm: 0 };
        let mut comparison = ClockComparison::default();
        let answer = oracle.answer(START_US, 10_000, 10_000);
        comparison.observe(answer, None);
        comparison.observe(answer, None);
        let known = comparison.at(at(0)).unwrap();
        assert_eq!((known.offset_us, known.bound_us), (490_000, 510_000 + 100));
        assert_eq!(comparison.answers.len(), 1);
    }

    #[test]
    fn a_clock_that_was_set_meanwhile_counts_as_it_is_around_the_instant() {
        let mut comparison = compared(Oracle { apart_us: 3_000_000, drift_ppm: 0 }, &[(1_000, 1_000)], 20, None);
        let set = Oracle { apart_us: 0, drift_ppm: 0 };
        for second in 20..60 {
            comparison.observe(set.answer(START_US + second * 1_137_000, 1_000, 1_000), None);
        }
        let known = comparison.at(at(60)).unwrap();
        assert!(known.offset_us.abs_diff(0) <= known.bound_us && known.bound_us < 100_000, "{known:?}");
    }

    #[test]
    fn a_day_of_answers_takes_no_more_memory_than_two_minutes() {
        let oracle = Oracle { apart_us: 0, drift_ppm: 50 };
        let waiting = compared(oracle, &[(1_000, 1_000)], 7_200, None);
        assert!(waiting.answers.len() <= 60, "{}", waiting.answers.len());
        let loaded = compared(oracle, &[(1_000, 1_000)], 7_200, Some(3_600));
        assert!(loaded.answers.len() <= 120, "{}", loaded.answers.len());
    }

    #[test]
    fn a_collector_that_was_restarted_under_load_still_compares() {
        let oracle = Oracle { apart_us: 40_000, drift_ppm: 80 };
        let mut comparison = ClockComparison::default();
        for second in 600..900 {
            comparison.observe(oracle.answer(START_US + second * 1_137_000, 1_000, 1_000), Some(at(60)));
        }
        let known = comparison.at(at(60)).unwrap();
        assert!(known.offset_us.abs_diff(oracle.offset(at(60).as_microsecond())) <= known.bound_us, "{known:?}");
        assert!(comparison.answers.len() <= 60);
    }
}
