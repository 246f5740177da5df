//! Workers that did not have what they needed: their numbers may be their own and not the target's.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use volley_api::figures::ratio;
use volley_stats::health::WHOLE_PPM;
use volley_storage::documents::{SaturatedSpell, SaturationCause, WorkerHealth, WorkerResult};

/// Saturated workers that are named, the worst. All are in `workers`.
const NAMED: usize = 5;

/// The warnings. Times are those of the workers' own clocks.
pub(super) fn warnings(workers: &[WorkerResult]) -> Vec<String> {
    let mut lines = saturated(workers);
    lines.extend(own_errors(workers));
    lines
}

fn known(workers: &[WorkerResult]) -> impl Iterator<Item = (&WorkerResult, &WorkerHealth)> {
    workers.iter().filter_map(|worker| Some((worker, worker.health.as_ref()?)))
}

/// A worker that ran in several pods counts once.
fn count<'a>(workers: impl Iterator<Item = &'a WorkerResult>) -> usize {
    workers.map(|worker| (&worker.target, worker.index)).collect::<BTreeSet<_>>().len()
}

/// The worst first: those that were saturated longest, then in the order of their names.
fn saturated(workers: &[WorkerResult]) -> Vec<String> {
    let mut found: Vec<_> = known(workers).filter_map(|(worker, health)| Some((worker, health.saturation?))).collect();
    if found.is_empty() {
        return Vec::new();
    }
    found.sort_by_key(|(_, saturation)| Reverse(saturation.seconds));
    let mut lines = vec![format!(
        "{} of {} workers were saturated: response times and rates may be theirs and not the target's; use more workers or a larger size",
        count(found.iter().map(|(worker, _)| *worker)),
        count(workers.iter()),
    )];
    lines.extend(found.iter().take(NAMED).map(|(worker, saturation)| {
        let longest = &saturation.longest;
        let all = match saturation.spells {
            0 | 1 => String::new(),
            spells => {
                let (seconds, first) = (saturation.seconds, saturation.first.from);
                format!("; {seconds} s in {spells} spells, the first from {first}")
            }
        };
        format!(
            "worker {}/{}: {} for {} s from {}{all}",
            worker.target,
            worker.index,
            cause(longest),
            longest.seconds,
            longest.from
        )
    }));
    if found.len() > NAMED {
        lines.push(format!(
            "{} more workers were saturated for less time; workers[].health has all",
            found.len() - NAMED
        ));
    }
    lines
}

fn cause(spell: &SaturatedSpell) -> String {
    let share = ratio(spell.peak_ppm, WHOLE_PPM);
    match spell.cause {
        SaturationCause::Cpu => format!("CPU at up to {share} of what it may use"),
        SaturationCause::Throttling => {
            format!("throttled by its CPU limit in up to {share} of the scheduler's periods")
        }
        SaturationCause::Memory => format!("memory at up to {share} of its limit"),
    }
}

/// All of them in one line, with the worker that has most.
fn own_errors(workers: &[WorkerResult]) -> Option<String> {
    let with_own = || known(workers).filter(|(_, health)| health.own_errors > 0);
    let errors = with_own().fold(0_u64, |sum, (_, health)| sum.saturating_add(health.own_errors));
    // Of equals `min_by_key` answers the first.
    let (worst, health) = with_own().min_by_key(|(_, health)| Reverse(health.own_errors))?;
    let words = health.own_error.as_deref().unwrap_or("no words are known");
    Some(format!(
        "{errors} failed requests of {} workers are the workers' own and not the target's, most of worker {}/{}: {words}; use more workers or \
         a larger size",
        count(with_own().map(|(worker, _)| worker)),
        worst.target,
        worst.index,
    ))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use volley_storage::documents::WorkerSaturation;

    use super::super::coverage;
    use super::*;

    fn spell(second: i64, seconds: u64, cause: SaturationCause, peak_ppm: u64) -> SaturatedSpell {
        SaturatedSpell { from: Timestamp::from_second(1_795_694_403 + second).unwrap(), seconds, cause, peak_ppm }
    }

    fn worker(index: u32, health: Option<WorkerHealth>) -> WorkerResult {
        WorkerResult { health, ..coverage::nothing_of("eu", index, Some(format!("pod-{index}")), "") }
    }

    fn saturated_for(seconds: u64) -> WorkerHealth {
        let first = spell(0, seconds, SaturationCause::Cpu, 973_000);
        let saturation = Some(WorkerSaturation { seconds, spells: 1, first, longest: first });
        WorkerHealth { saturation, ..WorkerHealth::default() }
    }

    #[test]
    fn a_saturated_worker_is_named_with_its_second_and_what_to_do() {
        let workers = [worker(0, None), worker(1, Some(WorkerHealth::default())), worker(3, Some(saturated_for(14)))];
        assert_eq!(
            warnings(&workers),
            [
                "1 of 3 workers were saturated: response times and rates may be theirs and not the target's; use more workers or a larger size",
                "worker eu/3: CPU at up to 97.3% of what it may use for 14 s from 2026-11-26T12:00:03Z",
            ]
        );
        assert_eq!(warnings(&workers[..2]), Vec::<String>::new());
    }

    #[test]
    fn each_cause_has_its_words_and_several_spells_are_summed() {
        let lines = [
            (
                SaturationCause::Throttling,
                400_000,
                "throttled by its CPU limit in up to 40% of the scheduler's periods",
            ),
            (SaturationCause::Memory, 999_999, "memory at up to 99.9% of its limit"),
        ];
        for (cause, peak_ppm, words) in lines {
            let saturation = WorkerSaturation {
                seconds: 12,
                spells: 2,
                first: spell(0, 4, cause, peak_ppm),
                longest: spell(60, 8, cause, peak_ppm),
            };
            let health = WorkerHealth { saturation: Some(saturation), ..WorkerHealth::default() };
            let expected = format!(
                "worker eu/0: {words} for 8 s from 2026-11-26T12:01:03Z; 12 s in 2 spells, the first from 2026-11-26T12:00:03Z"
            );
            assert_eq!(warnings(&[worker(0, Some(health))])[1], expected);
        }
    }

    #[test]
    fn of_many_saturated_workers_the_worst_are_named_and_the_rest_is_counted() {
        let workers: Vec<_> = (0..100).map(|index| worker(index, Some(saturated_for(u64::from(index) + 3)))).collect();
        let lines = warnings(&workers);
        assert_eq!(lines.len(), NAMED + 2);
        assert!(lines[0].starts_with("100 of 100 workers were saturated"), "{}", lines[0]);
        assert!(lines[1].starts_with("worker eu/99: ") && lines[5].starts_with("worker eu/95: "), "{lines:?}");
        assert!(lines[6].starts_with("95 more workers were saturated"), "{}", lines[6]);
    }

    #[test]
    fn errors_of_the_workers_themselves_are_one_line() {
        let with = |own_errors| {
            let own_error = Some("BindException Cannot assign requested address".to_owned());
            Some(WorkerHealth { own_errors, own_error, ..WorkerHealth::default() })
        };
        let workers = [worker(0, with(3)), worker(1, with(40)), worker(2, Some(WorkerHealth::default()))];
        assert_eq!(
            warnings(&workers),
            [
                "43 failed requests of 2 workers are the workers' own and not the target's, most of worker eu/1: BindException Cannot assign \
                 requested address; use more workers or a larger size"
            ]
        );
    }
}
