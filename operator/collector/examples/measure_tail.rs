//! Measures the memory of a tail over a long run in short time: rows of many hours, with advancing time stamps, at full speed
//! through the real follower, with checkpoints and holes as in a worker.
//!
//! ```text
//! cargo run --release -p volley-collector --example measure_tail -- [SAMPLES_PER_SECOND] [HOURS] [LABELS] [locust|jmeter] [wide|usual]
//! ```
//!
//! Response times are spread over 1 ms to 33 s, so that they fill every histogram (`wide`), or over 20 to 150 ms with one of a hundred
//! 3 s longer (`usual`). Reading is measured in time of the processor.

#![expect(clippy::print_stdout, reason = "the figures are the purpose of this program")]

use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, fallocate};
use volley_collector::files::UntrustedFolder;
use volley_collector::tail::Follower;
use volley_stats::Engine;

type Outcome<T> = Result<T, Box<dyn Error>>;

const LOCUST: &str = "allThreads,timeStamp,label,method,elapsed,bytes,responseCode,responseMessage,success,Latency\n";
const JMETER: &str = "timeStamp,elapsed,label,responseCode,responseMessage,threadName,success,bytes,grpThreads,allThreads,Latency,Hostname,Connect\n";
/// Simulated seconds between two looks.
const LOOK: u64 = 10;
/// Looks between two checkpoints.
const CHECKPOINT: u64 = 30;
/// The header's block stays.
const HEAD: u64 = 4096;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: u64| arguments.next().map_or(Ok(default), |text| text.parse());
    let (rate, hours, labels) = (argument(1_000)?, argument(8)?, argument(200)?.max(1));
    let engine = match std::env::args().nth(4).as_deref() {
        None | Some("locust") => Engine::Locust,
        Some("jmeter") => Engine::JMeter,
        Some(other) => return Err(format!("{other} is neither locust nor jmeter").into()),
    };
    let wide = match std::env::args().nth(5).as_deref() {
        None | Some("wide") => true,
        Some("usual") => false,
        Some(other) => return Err(format!("{other} is neither wide nor usual").into()),
    };
    let place = tempfile::tempdir()?;
    fs::create_dir(place.path().join("artifacts"))?;
    let path = place.path().join("artifacts/kpi.jtl");
    let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
    file.write_all(if engine == Engine::JMeter { JMETER } else { LOCUST }.as_bytes())?;
    let mut follower = Follower::new(UntrustedFolder::open(place.path())?, &[engine]);
    let (mut reading, mut keeping, mut kept) = (Duration::ZERO, Duration::ZERO, 0_u64);
    let (mut number, mut rows, mut hole) = (0_u64, String::new(), HEAD);
    for look in 0..hours * 3_600 / LOOK {
        rows.clear();
        for _ in 0..rate * LOOK {
            let milliseconds = 1_795_578_096_000 + number * 1_000 / rate.max(1);
            // The constants are those of SplitMix64.
            let mixed = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let random = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 8;
            let elapsed = if wide {
                (1 + random % 1_024) << ((random >> 10) % 6)
            } else {
                20 + random % 130 + if (random >> 10) % 100 == 0 { 3_000 } else { 0 }
            };
            let label = (random >> 24) % labels;
            let (code, message) = if (random >> 16) % 50 == 0 { (500, "Server Error") } else { (200, "OK") };
            let success = code == 200;
            if engine == Engine::JMeter {
                let connect = elapsed / 8;
                writeln!(
                    rows,
                    "{milliseconds},{elapsed},GET /shop/{label},{code},{message},Thread Group 1-{},{success},512,50,50,{elapsed},worker-0,{connect}",
                    1 + label % 50
                )?;
            } else {
                writeln!(rows, "50,{milliseconds},GET /shop/{label},GET,{elapsed},512,{code},{message},{success},0")?;
            }
            number += 1;
        }
        file.write_all(rows.as_bytes())?;
        let began = processor_time()?;
        while follower.look(&|| None) {}
        reading += processor_time()?.saturating_sub(began);
        if look % CHECKPOINT == 0 {
            let began = Instant::now();
            let mut state = File::create(place.path().join("state"))?;
            let consumed = follower.checkpoint(&mut state)?;
            keeping = keeping.max(began.elapsed());
            kept = state.metadata()?.len();
            let end = consumed.first().map_or(0, |consumed| consumed.up_to) / HEAD * HEAD;
            if end > hole {
                fallocate(&file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, hole, end - hole)?;
                hole = end;
            }
        }
    }
    let resident = resident_mib("VmRSS:")?;
    let (size, used) = (file.metadata()?.len(), file.metadata()?.blocks() * 512);
    let tailed = follower.finish();
    println!("samples/s {rate}, hours {hours}, labels {labels}; counted {}", tailed.collection.total().requests());
    println!("resident {resident:.1} MiB at the end, {:.1} MiB at most, with the generator", resident_mib("VmHWM:")?);
    println!("file {} MiB, of which {} MiB are on the disk", size >> 20, used >> 20);
    let megabytes = u128::from(size / 1_000_000);
    println!("read in {:.1} s ({} MB/s)", reading.as_secs_f64(), megabytes * 1_000 / reading.as_millis().max(1));
    println!("a checkpoint of {} KiB took {} ms at most", kept >> 10, keeping.as_millis());
    println!(
        "for the storage: histograms {} KiB, series {} KiB",
        volley_stats::file::encode(&tailed.collection).len() >> 10,
        tailed.series.encode().len() >> 10
    );
    Ok(())
}

/// The time that this thread has run on a processor, as Linux accounts for it.
fn processor_time() -> Outcome<Duration> {
    let accounts = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(Duration::from_nanos(accounts.split(' ').next().unwrap_or_default().parse()?))
}

fn resident_mib(name: &str) -> Outcome<f64> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find(|line| line.starts_with(name)).ok_or("no such line in /proc")?;
    Ok(line.split_whitespace().nth(1).unwrap_or_default().parse::<f64>()? / 1024.0)
}
