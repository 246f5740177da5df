//! Processor time and memory of processes, from `/proc`, each second.

use std::fs;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Clock ticks a second in `/proc` (`getconf CLK_TCK`; 100 on every Linux that Rust supports).
const MILLISECONDS_PER_TICK: u64 = 10;

/// A process at an instant. All numbers of one name may be sums over several processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessSample {
    /// When.
    pub at: Timestamp,
    /// `operator`, `storage`, `simulation`, or `machine` for all processes together.
    pub name: String,
    /// Processor time since its beginning, in milliseconds.
    pub processor_ms: u64,
    /// Resident memory in KiB; 0 for the machine.
    pub resident_kib: u64,
    /// Of that, memory that is not of files.
    pub private_kib: u64,
}

/// A process now; `None`: it is not there.
#[must_use]
pub fn sample(name: &str, process: u32, at: Timestamp) -> Option<ProcessSample> {
    let folder = Path::new("/proc").join(process.to_string());
    let stat = fs::read_to_string(folder.join("stat")).ok()?;
    let status = fs::read_to_string(folder.join("status")).ok()?;
    Some(ProcessSample {
        at,
        name: name.to_owned(),
        processor_ms: processor_ms(&stat)?,
        resident_kib: kibibytes(&status, "VmRSS:").unwrap_or_default(),
        private_kib: kibibytes(&status, "RssAnon:").unwrap_or_default(),
    })
}

/// All processors of the machine: the time in which they were not idle.
///
/// # Errors
/// Where `/proc/stat` cannot be read.
pub fn machine(at: Timestamp) -> io::Result<ProcessSample> {
    let text = fs::read_to_string("/proc/stat")?;
    let processor_ms = busy_ms(&text).ok_or_else(|| io::Error::other("/proc/stat has no line cpu"))?;
    Ok(ProcessSample { at, name: "machine".to_owned(), processor_ms, resident_kib: 0, private_kib: 0 })
}

/// User and system time. The name in parentheses may hold anything, so fields are counted from its end (`proc_pid_stat(5)`).
fn processor_ms(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let ticks = |position: usize| fields.split(' ').nth(position)?.parse::<u64>().ok();
    Some((ticks(11)? + ticks(12)?) * MILLISECONDS_PER_TICK)
}

fn kibibytes(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with(field))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Of `cpu user nice system idle iowait irq softirq steal …` (`proc_stat(5)`) all but idle and iowait; guest time is in user.
fn busy_ms(stat: &str) -> Option<u64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line.split_whitespace().map_while(|text| text.parse().ok()).take(8).collect();
    let busy: u64 =
        ticks.iter().enumerate().filter(|(position, _)| ![3, 4].contains(position)).map(|(_, ticks)| ticks).sum();
    (ticks.len() >= 4).then_some(busy * MILLISECONDS_PER_TICK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_those_of_the_manual() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 1000 1 1";
        assert_eq!(processor_ms(stat), Some(3_000));
        assert_eq!(kibibytes("Name:\tx\nVmRSS:\t   2048 kB\nRssAnon:\t 1 kB\n", "VmRSS:"), Some(2048));
        assert_eq!(busy_ms("cpu  100 0 50 900 10 0 5 2 0 0\ncpu0 1 1 1 1\n"), Some(1_570));
        assert_eq!(busy_ms("intr 1"), None);
    }

    #[test]
    fn this_process_is_seen_and_one_that_is_not_there_is_not() {
        let seen = sample("simulation", std::process::id(), Timestamp::UNIX_EPOCH).unwrap();
        assert!(seen.resident_kib > 100);
        assert_eq!(sample("none", u32::MAX, Timestamp::UNIX_EPOCH), None);
        assert!(machine(Timestamp::UNIX_EPOCH).unwrap().processor_ms > 0);
    }
}
