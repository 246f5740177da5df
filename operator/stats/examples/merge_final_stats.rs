//! Measures how long the totals of many Taurus reports take: makes the reports in a temporary folder, reads and merges
//! them on some threads, five times, and says the shortest time and the mean CPU time, which other load on the machine
//! hardly changes.
//!
//! `cargo run --release -p volley-stats --example merge_final_stats -- REPORTS LABELS THREADS`; without arguments 1,000
//! reports of 100 labels (204 MB), 2 threads.

#![allow(clippy::print_stdout, reason = "a command of developers speaks on its standard output")]

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use volley_stats::final_stats::{self, Merged};

const ROUNDS: u32 = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |default: u64| arguments.next().map_or(Ok(default), |argument| argument.parse());
    let (reports, labels, threads) = (next(1000)?, next(100)?, next(2)?);
    let folder = std::env::temp_dir().join(format!("volley-merge-final-stats-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let outcome = measure(&folder, reports, labels, threads);
    std::fs::remove_dir_all(&folder)?;
    outcome
}

fn measure(folder: &Path, reports: u64, labels: u64, threads: u64) -> Result<(), Box<dyn Error>> {
    let (mut files, mut bytes) = (Vec::new(), 0);
    for number in 0..reports {
        let (path, text) = (folder.join(format!("{number}.xml")), report(number, labels));
        bytes += text.len();
        std::fs::write(&path, text)?;
        files.push(path);
    }
    let mut shortest = Duration::MAX;
    let cpu_before = cpu_time()?;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let merged = merge(&files, threads)?;
        shortest = shortest.min(begun.elapsed());
        // Report n has n + 1 000 samples a label.
        let samples = labels * (0..reports).map(|number| number + 1000).sum::<u64>();
        if (merged.reports, merged.total.count(), merged.labels.len() as u64) != (reports, samples, labels) {
            return Err(format!("{} samples were merged instead of {samples}", merged.total.count()).into());
        }
    }
    #[allow(clippy::cast_precision_loss, reason = "megabytes to 15 digits are enough")]
    let megabytes = bytes as f64 / 1e6;
    let rate = megabytes / shortest.as_secs_f64();
    println!("{reports} reports of {labels} labels, {megabytes:.1} MB, {threads} threads:");
    println!("{:.3} s, {rate:.0} MB/s", shortest.as_secs_f64());
    let cpu_s = cpu_time()?.saturating_sub(cpu_before).as_secs_f64() / f64::from(ROUNDS);
    println!("{cpu_s:.3} s of CPU time, {:.0} MB/s of one core", megabytes / cpu_s);
    Ok(())
}

/// What this process has used so far: fields 14 and 15 of `/proc/self/stat`, in hundredths of a second (proc(5)).
fn cpu_time() -> Result<Duration, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("/proc/self/stat has another form")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(ticks * 10))
}

/// Each thread takes the next report that nobody has; their sums are merged at the end.
fn merge(files: &[PathBuf], threads: u64) -> Result<Merged, Box<dyn Error>> {
    let next = AtomicUsize::new(0);
    let one_thread = || -> Result<Merged, String> {
        let (mut merged, mut bytes) = (Merged::default(), Vec::new());
        while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            bytes.clear();
            let read = std::fs::File::open(path).and_then(|mut file| std::io::Read::read_to_end(&mut file, &mut bytes));
            read.map_err(|error| error.to_string())?;
            merged.add(&final_stats::read(&bytes).map_err(|error| error.to_string())?);
        }
        Ok(merged)
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(one_thread)).collect();
        let mut sum = Merged::default();
        for thread in running {
            sum.merge(thread.join().map_err(|_| "a thread panicked")??);
        }
        Ok(sum)
    })
}

/// A report as Taurus writes it, with as many elements as one of a JMeter test in which a few requests fail.
fn report(number: u64, labels: u64) -> String {
    let mut text =
        "<?xml version='1.0' encoding='UTF-8'?>\n<FinalStatus>\n  <TestDuration>30.0</TestDuration>\n".to_owned();
    for label in 0..labels {
        group(&mut text, &format!("GET /shop/categories/{label}"), number + 1000, label);
    }
    group(&mut text, "", (number + 1000) * labels, 0);
    text.push_str("</FinalStatus>\n");
    text
}

fn group(text: &mut String, label: &str, count: u64, seed: u64) {
    let failures = count / 100;
    let _ = writeln!(text, "  <Group label=\"{label}\">");
    for (name, value) in [
        ("throughput", count.to_string()),
        ("concurrency", "10".to_owned()),
        ("succ", (count - failures).to_string()),
        ("fail", failures.to_string()),
        ("avg_rt", format!("0.{:05}", 2_139 + seed)),
        ("stdev_rt", "0.00165".to_owned()),
        ("avg_lt", "0.02135".to_owned()),
        ("avg_ct", "0.00002".to_owned()),
        ("bytes", (count * 637).to_string()),
    ] {
        figure(text, name, "", name, &value);
    }
    for (code, value) in [("200", count - failures), ("500", failures - failures / 2), ("503", failures / 2)] {
        figure(text, "rc", code, &format!("rc/{code}"), &value.to_string());
    }
    for (percent, milliseconds) in
        [("0.0", 20), ("50.0", 21), ("90.0", 22), ("95.0", 23), ("99.0", 26), ("99.9", 30), ("100.0", 72)]
    {
        figure(text, "perc", percent, &format!("perc/{percent}"), &format!("0.{:03}00", milliseconds + seed));
    }
    text.push_str("  </Group>\n");
}

fn figure(text: &mut String, element: &str, param: &str, name: &str, value: &str) {
    let param = if param.is_empty() { String::new() } else { format!(" param=\"{param}\"") };
    let _ = writeln!(
        text,
        "    <{element} value=\"{value}\"{param}>\n      <name>{name}</name>\n      <value>{value}</value>\n    </{element}>"
    );
}
