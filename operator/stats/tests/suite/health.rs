//! The health of a generator against a judge that looks at single seconds.

use proptest::collection::vec;
use proptest::prelude::*;
use volley_stats::health::{
    Cause, CpuTime, GeneratorHealth, HEADER, HealthLines, HealthRow, MemoryUse, SPELL_SECONDS, Saturation, Spell,
    Throttling,
};

const START: i64 = 1_795_582_000;

/// A second with this share of the processor time in percent.
fn with_cpu(second: i64, percent: u64) -> HealthRow {
    HealthRow {
        second: START + second,
        span_us: 1_000_000,
        cpu: Some(CpuTime { used_us: percent * 20_000, available_us: 2_000_000 }),
        throttling: Some(Throttling { periods: 10, throttled_periods: 0, throttled_us: 0 }),
        memory: Some(MemoryUse { used_bytes: 300, limit_bytes: Some(1_000) }),
    }
}

fn of(rows: impl IntoIterator<Item = HealthRow>) -> GeneratorHealth {
    let mut health = GeneratorHealth::default();
    for row in rows {
        health.add(&row);
    }
    health
}

fn saturation(percents: &[u64]) -> Option<Saturation> {
    of((0..).zip(percents).map(|(second, percent)| with_cpu(second, *percent))).summary().saturation
}

fn spell(from: i64, seconds: u64, peak_percent: u64) -> Spell {
    Spell { from: START + from, seconds, cause: Cause::Cpu, peak_ppm: peak_percent * 10_000 }
}

#[test]
fn three_seconds_in_a_row_at_nine_tenths_of_the_processor_time_are_a_spell() {
    assert_eq!(saturation(&[50, 90, 91, 89, 99, 99, 50]), None);
    let first = spell(1, 3, 92);
    let once = Saturation { seconds: 3, spells: 1, first, longest: first };
    assert_eq!(saturation(&[50, 90, 91, 92]), Some(once), "it may still go on");
    assert_eq!(saturation(&[50, 90, 91, 92, 10]), Some(once));
    let twice = Saturation { seconds: 7, spells: 2, first, longest: spell(5, 4, 97) };
    assert_eq!(saturation(&[50, 90, 91, 92, 10, 95, 96, 97, 95, 3, 99]), Some(twice));
}

#[test]
fn throttling_and_memory_are_causes_too_and_the_one_of_most_seconds_is_named() {
    let throttled = |second| HealthRow {
        throttling: Some(Throttling { periods: 8, throttled_periods: 2, throttled_us: 70_000 }),
        ..with_cpu(second, 40)
    };
    let full = |second| HealthRow {
        memory: Some(MemoryUse { used_bytes: 960, limit_bytes: Some(1_000) }),
        ..with_cpu(second, 40)
    };
    let seen = |rows: Vec<HealthRow>| of(rows).summary().saturation.map(|all| (all.first.cause, all.first.peak_ppm));
    assert_eq!(seen((0..3).map(throttled).collect()), Some((Cause::Throttling, 250_000)));
    assert_eq!(seen((0..3).map(full).collect()), Some((Cause::Memory, 960_000)));
    assert_eq!(seen(vec![full(0), throttled(1), throttled(2), with_cpu(3, 95)]), Some((Cause::Throttling, 250_000)));
    assert_eq!(seen(vec![full(0), with_cpu(1, 95), throttled(2)]), Some((Cause::Cpu, 950_000)));
}

#[test]
fn a_row_that_was_written_late_goes_on_with_a_spell_and_a_longer_gap_ends_it() {
    let seconds = |seconds: &[i64]| {
        of(seconds.iter().map(|second| with_cpu(*second, 99))).summary().saturation.map(|all| (all.spells, all.seconds))
    };
    assert_eq!(seconds(&[0, 2, 3]), Some((1, 4)));
    assert_eq!(seconds(&[0, 1, 4, 5]), None);
    // A generator that stood still for seven seconds says so in one row.
    let long = HealthRow {
        span_us: 7_000_000,
        cpu: Some(CpuTime { used_us: 13_900_000, available_us: 14_000_000 }),
        ..with_cpu(9, 0)
    };
    let all = of([with_cpu(0, 10), long]).summary().saturation.unwrap();
    assert_eq!((all.first.from, all.seconds), (START + 3, 7));
}

#[test]
fn what_was_not_measured_is_unknown_and_not_zero() {
    let nothing = HealthRow { cpu: None, throttling: None, memory: None, ..with_cpu(0, 0) };
    let summary = of([nothing]).summary();
    assert_eq!((summary.cpu, summary.throttling, summary.memory, summary.saturation), (None, None, None, None));
    assert_eq!(summary.measured_us, 1_000_000);
    assert!(GeneratorHealth::default().add(&nothing).unwrap().is_nothing());
    let unlimited = HealthRow {
        throttling: Some(Throttling { periods: 0, throttled_periods: 0, throttled_us: 0 }),
        memory: Some(MemoryUse { used_bytes: 7, limit_bytes: None }),
        ..with_cpu(0, 10)
    };
    let load = GeneratorHealth::default().add(&unlimited).unwrap();
    assert_eq!((load.cpu_ppm, load.throttled_ppm, load.memory_ppm), (Some(100_000), None, None));
    let summary = of([unlimited]).summary();
    assert_eq!(summary.throttling.unwrap().periods_ppm, 0);
    assert_eq!(summary.memory.unwrap().limit_bytes, None);
}

#[test]
fn the_summary_has_means_and_maxima_of_all_rows() {
    let rows = [20, 60, 40].into_iter().zip(0..).map(|(percent, second)| HealthRow {
        throttling: Some(Throttling { periods: 10, throttled_periods: 1, throttled_us: 500 }),
        memory: Some(MemoryUse { used_bytes: percent * 10, limit_bytes: Some(1_000) }),
        ..with_cpu(second, percent)
    });
    let summary = of(rows).summary();
    let cpu = summary.cpu.unwrap();
    assert_eq!((cpu.mean_ppm, cpu.maximum_ppm, cpu.available_milli), (400_000, 600_000, 2_000));
    let throttling = summary.throttling.unwrap();
    assert_eq!((throttling.periods_ppm, throttling.throttled_us), (100_000, 1_500));
    let memory = summary.memory.unwrap();
    assert_eq!((memory.maximum_bytes, memory.limit_bytes), (600, Some(1_000)));
}

fn rows(bytes: &[u8], pieces: &[usize]) -> (Vec<HealthRow>, u64) {
    let (mut lines, mut rows, mut rest) = (HealthLines::default(), Vec::new(), bytes);
    for length in pieces {
        let (piece, behind) = rest.split_at((*length).min(rest.len()));
        lines.push(piece, &mut |row| rows.push(row));
        rest = behind;
    }
    lines.push(rest, &mut |row| rows.push(row));
    (rows, lines.malformed())
}

fn row() -> impl Strategy<Value = HealthRow> {
    let count = || 0_u64..=i64::MAX.unsigned_abs();
    let cpu =
        (count(), 1..=i64::MAX.unsigned_abs()).prop_map(|(used_us, available_us)| CpuTime { used_us, available_us });
    let throttling = (count(), count(), count()).prop_map(|(one, other, throttled_us)| Throttling {
        periods: one.max(other),
        throttled_periods: one.min(other),
        throttled_us,
    });
    let limit = proptest::option::of(1..=i64::MAX.unsigned_abs());
    let memory = (count(), limit).prop_map(|(used_bytes, limit_bytes)| MemoryUse { used_bytes, limit_bytes });
    let parts = (proptest::option::of(cpu), proptest::option::of(throttling), proptest::option::of(memory));
    (0_i64..100_000_000_000, 1_u64..=3_600_000_000, parts)
        .prop_map(|(second, span_us, (cpu, throttling, memory))| HealthRow { second, span_us, cpu, throttling, memory })
}

proptest! {
    #[test]
    fn rows_survive_their_lines_in_any_pieces(written in vec(row(), 0..20), pieces in vec(0_usize..60, 0..40)) {
        let text: String = written.iter().fold(format!("{HEADER}\n"), |text, row| format!("{text}{row}\n"));
        prop_assert_eq!(rows(text.as_bytes(), &pieces), (written, 0));
    }

    #[test]
    fn any_bytes_give_no_more_rows_than_lines_and_nothing_wraps(
        bytes in prop_oneof![vec(any::<u8>(), 0..2_000), "[0-9,\n]{0,2000}".prop_map(String::into_bytes)],
        pieces in vec(0_usize..60, 0..40),
    ) {
        let (found, malformed) = rows(&bytes, &pieces);
        prop_assert_eq!(rows(&bytes, &[]), (found.clone(), malformed));
        let lines = bytes.split(|byte| *byte == b'\n').count() as u64 - 1;
        prop_assert!(found.len() as u64 + malformed <= lines);
        prop_assert!(of(found).summary().measured_us <= i64::MAX.unsigned_abs());
    }

    #[test]
    fn any_rows_can_be_added_and_those_that_go_back_change_nothing(rows in vec(row(), 0..40)) {
        let mut health = GeneratorHealth::default();
        let mut newest = i64::MIN;
        for row in rows {
            let before = health.clone();
            let load = health.add(&row);
            prop_assert_eq!(load.is_some(), row.second > newest);
            if load.is_none() {
                prop_assert_eq!(&health, &before);
            }
            newest = newest.max(row.second);
        }
        let summary = health.summary();
        if let Some(all) = summary.saturation {
            prop_assert!(all.first.seconds >= SPELL_SECONDS && all.longest.seconds >= all.first.seconds);
            prop_assert!(all.first.from <= all.longest.from && all.spells >= 1);
        }
    }

    /// The judge marks each saturated second and looks for runs of them.
    #[test]
    fn spells_are_the_runs_of_saturated_seconds(percents in vec(prop_oneof![Just(20_u64), 88_u64..100], 0..60)) {
        let saturated: Vec<bool> = percents.iter().map(|percent| *percent >= 90).collect();
        let runs: Vec<u64> = saturated
            .split(|saturated| !saturated)
            .map(|run| run.len() as u64)
            .filter(|length| *length >= SPELL_SECONDS)
            .collect();
        let found = saturation(&percents);
        prop_assert_eq!(found.map_or(0, |all| all.spells), runs.len() as u64);
        prop_assert_eq!(found.map_or(0, |all| all.seconds), runs.iter().sum::<u64>());
        prop_assert_eq!(found.map(|all| all.first.seconds), runs.first().copied());
        prop_assert_eq!(found.map(|all| all.longest.seconds), runs.iter().max().copied());
    }
}
