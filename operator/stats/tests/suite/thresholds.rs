//! Judgements against arithmetic over the raw samples.

use proptest::prelude::*;
use volley_stats::LabelStatistics;
use volley_stats::frame::Responses;
use volley_stats::thresholds::{Amount, Comparison, Criterion, Judgement, Unjudgeable, Window};

/// Response times of successes and of failures, in microseconds.
type Raw = (Vec<u64>, Vec<u64>);

fn responses((successes, failures): &Raw) -> Responses {
    let mut statistics = LabelStatistics::default();
    for elapsed in successes {
        statistics.successes.elapsed.record(*elapsed);
    }
    for elapsed in failures {
        statistics.failures.elapsed.record(*elapsed);
    }
    Responses::from(&statistics)
}

fn criterion(metric: &str, comparison: Comparison, limit: &str) -> Criterion {
    Criterion::new(metric.parse().unwrap(), comparison, limit.parse().unwrap()).unwrap()
}

/// A limit, in the text of a manifest and as the numerator and denominator that it means in milliseconds, shares or per second.
#[derive(Debug, Clone)]
struct Limit {
    text: String,
    numerator: u128,
    denominator: u128,
}

fn limit(unit: &'static str, whole: u64, thousandths: u64) -> Limit {
    let percent = if unit == "%" { 100 } else { 1 };
    Limit {
        text: format!("{whole}.{thousandths:03}{unit}"),
        numerator: u128::from(whole * 1_000 + thousandths),
        denominator: 1_000 * percent,
    }
}

/// What is judged: the metric, its exact value in milliseconds, as a share or per second, and a limit.
#[derive(Debug, Clone, Copy)]
enum What {
    Average,
    Rank(u32),
    ErrorRate,
    RequestRate,
}

impl What {
    fn name(self) -> String {
        match self {
            Self::Average => "average".into(),
            Self::Rank(0) => "min".into(),
            Self::Rank(100_000) => "max".into(),
            Self::Rank(thousandths) => format!("p{}.{:03}", thousandths / 1_000, thousandths % 1_000),
            Self::ErrorRate => "errorRate".into(),
            Self::RequestRate => "requestRate".into(),
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Average | Self::Rank(_) => "ms",
            Self::ErrorRate => "%",
            Self::RequestRate => "/s",
        }
    }

    fn exact(self, (successes, failures): &Raw, interval_us: u64) -> (u128, u128) {
        let mut all = [successes.as_slice(), failures.as_slice()].concat();
        all.sort_unstable();
        let count = all.len() as u128;
        match self {
            Self::Average => (all.iter().map(|elapsed| u128::from(*elapsed)).sum(), 1_000 * count),
            Self::Rank(thousandths) => {
                // The first value that at least that share of all is at or below.
                let rank = (1..=count).find(|rank| rank * 100_000 >= count * u128::from(thousandths)).unwrap();
                (u128::from(all[usize::try_from(rank).unwrap() - 1]), 1_000)
            }
            Self::ErrorRate => (failures.len() as u128, count),
            Self::RequestRate => (count * 1_000_000, u128::from(interval_us)),
        }
    }
}

/// Times below 2,048 µs have a slot of their own in a histogram, so percentiles are exact too. Few different ones, so that values
/// often meet a limit exactly.
fn raw() -> impl Strategy<Value = Raw> {
    let time = || prop_oneof![(0_u64..5).prop_map(|step| step * 250), 0_u64..2_048];
    (prop::collection::vec(time(), 0..20), prop::collection::vec(time(), 0..8))
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        Just(What::Average),
        prop_oneof![Just(0_u32), Just(50_000), Just(99_950), Just(100_000), 0_u32..100_000].prop_map(What::Rank),
        Just(What::ErrorRate),
        Just(What::RequestRate),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_judgement_is_what_exact_arithmetic_over_the_raw_samples_says(
        raw in raw(),
        what in what(),
        below in any::<bool>(),
        whole in 0_u64..40,
        thousandths in prop_oneof![Just(0_u64), Just(250), Just(500), Just(1), 0_u64..1_000],
        interval_us in prop_oneof![Just(1_000_000_u64), Just(2_000_000), 1_u64..30_000_000],
    ) {
        prop_assume!(whole + thousandths > 0);
        let limit = limit(what.unit(), whole, thousandths);
        let comparison = if below { Comparison::Below } else { Comparison::Above };
        let judged = criterion(&what.name(), comparison, &limit.text).judge(&responses(&raw), interval_us);
        if raw.0.is_empty() && raw.1.is_empty() {
            prop_assert_eq!(judged, Err(Unjudgeable::NoRequests));
            return Ok(());
        }
        let (numerator, denominator) = what.exact(&raw, interval_us);
        let (value, bound) = (numerator * limit.denominator, limit.numerator * denominator);
        let Judgement { observed, met } = judged.unwrap();
        prop_assert_eq!(met, if below { value < bound } else { value > bound });

        // What is shown is on the same side and less than one step away.
        let limit_amount: Amount = limit.text.parse().unwrap();
        prop_assert_eq!(observed.number().cmp(&limit_amount.number()), value.cmp(&bound));
        let steps = match what.unit() { "%" => 1_000_000, _ => 1_000 };
        let shown = u128::from(observed.number()) * denominator;
        prop_assert!(shown.abs_diff(numerator * steps) < denominator, "{} for {numerator}/{denominator}", observed);
        let rounded = Judgement::shown(observed, limit_amount);
        prop_assert_eq!(rounded.number().cmp(&limit_amount.number()), value.cmp(&bound));
    }

    #[test]
    fn the_number_of_requests_is_judged_as_it_is(raw in raw(), limit in 1_usize..30) {
        let requests = raw.0.len() + raw.1.len();
        prop_assume!(requests > 0);
        let judged = |comparison| criterion("requests", comparison, &limit.to_string()).judge(&responses(&raw), 0);
        prop_assert_eq!(judged(Comparison::Below).unwrap().met, requests < limit);
        prop_assert_eq!(judged(Comparison::Above).unwrap().met, requests > limit);
    }
}

/// Requests of up to forty seconds of which some are missing.
fn seconds() -> impl Strategy<Value = Vec<(i64, Raw)>> {
    let step = prop_oneof![12 => Just(1_i64), 1 => 2_i64..4];
    prop::collection::vec((step, raw()), 1..40).prop_map(|steps| {
        let mut second = 100;
        let timed = steps.into_iter().map(|(step, raw)| {
            second += step;
            (second, raw)
        });
        timed.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_window_says_at_each_second_what_the_requests_of_its_seconds_say(
        seconds in seconds(),
        what in what(),
        limit in 1_u64..40,
        length in 1_u32..12,
        judged_from in 100_i64..130,
    ) {
        let criterion = criterion(&what.name(), Comparison::Below, &format!("{limit}{}", what.unit()));
        let mut window = Window::new(criterion, length, judged_from);
        for (second, raw) in &seconds {
            let judged = window.close(*second, &responses(raw));
            let inside: Vec<_> = seconds.iter().filter(|(other, _)| other <= second && *other > second - i64::from(length)).collect();
            let full = inside.len() == length as usize;
            let mut all: Raw = Raw::default();
            for (_, (successes, failures)) in inside {
                all.0.extend(successes);
                all.1.extend(failures);
            }
            let expected = criterion.judge(&responses(&all), u64::from(length) * 1_000_000).ok();
            prop_assert_eq!(judged, expected.filter(|_| full && *second >= judged_from), "second {}", second);
        }
    }
}

#[test]
fn a_second_that_is_closed_again_counts_once() {
    let mut window = Window::new(criterion("requests", Comparison::Above, "5"), 2, 0);
    let twice = responses(&(vec![1; 4], vec![]));
    for second in [7, 7, 6] {
        assert_eq!(window.close(second, &twice), None);
    }
    assert_eq!(window.close(8, &twice).unwrap().observed.number(), 8);
}

#[test]
fn one_percent_of_errors_is_neither_below_nor_above_one_percent() {
    let raw = (vec![1; 990], vec![1; 10]);
    for comparison in [Comparison::Below, Comparison::Above] {
        assert!(!criterion("errorRate", comparison, "1%").judge(&responses(&raw), 1).unwrap().met);
    }
    let one_less = (vec![1; 991], vec![1; 9]);
    assert!(criterion("errorRate", Comparison::Below, "1%").judge(&responses(&one_less), 1).unwrap().met);
}

#[test]
fn requests_at_one_instant_have_no_rate() {
    let judged = criterion("requestRate", Comparison::Above, "1/s").judge(&responses(&(vec![0], vec![])), 0);
    assert_eq!(judged, Err(Unjudgeable::NoInterval));
}
