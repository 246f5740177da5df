//! Samples by a formula: arrivals at random (a Poisson process), response times distributed exponentially. Pure.

use std::fmt::Write as _;
use std::time::Duration;

use super::Behaviour;

/// Longest response time: what engines give up after.
const LONGEST: Duration = Duration::from_secs(30);
/// Bytes of a page: the mean of 100 to 2,000.
const BYTES: std::ops::Range<u32> = 100..2_000;

/// An engine whose sample file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    JMeter,
    Locust,
}

impl Engine {
    /// The engine of a Taurus executor.
    pub(crate) fn of_executor(name: &str) -> Option<Self> {
        match name {
            "jmeter" => Some(Self::JMeter),
            "locust" => Some(Self::Locust),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::JMeter => "jmeter",
            Self::Locust => "locust",
        }
    }

    /// The header of its file, as Taurus 1.17.2 writes it.
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::JMeter => {
                "timeStamp,elapsed,label,responseCode,responseMessage,threadName,success,bytes,grpThreads,allThreads,Latency,Hostname,Connect\n"
            }
            Self::Locust => {
                "allThreads,timeStamp,label,method,elapsed,bytes,responseCode,responseMessage,success,Latency\n"
            }
        }
    }

    /// Adds the row of a sample. JMeter stamps the start of a request, Locust its end.
    pub(crate) fn write_row(self, sample: &Sample, users: u32, text: &mut String) {
        let Sample { ended_ms, elapsed_ms, label, failed, bytes } = *sample;
        let (code, message) = if failed { ("500", "Internal Server Error") } else { ("200", "OK") };
        let success = !failed;
        let written = match self {
            Self::JMeter => {
                let started_ms = ended_ms.saturating_sub(i64::from(elapsed_ms));
                writeln!(
                    text,
                    "{started_ms},{elapsed_ms},page {label},{code},{message},s 1-1,{success},{bytes},{users},{users},{elapsed_ms},simulated,0"
                )
            }
            Self::Locust => {
                writeln!(text, "{users},{ended_ms},page {label},GET,{elapsed_ms},{bytes},{code},{message},{success},0")
            }
        };
        // Writing to a String cannot fail.
        debug_assert!(written.is_ok());
    }
}

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When it ended, in milliseconds since 1970-01-01 UTC.
    pub ended_ms: i64,
    /// Response time in milliseconds.
    pub elapsed_ms: u32,
    /// Number of its label; the label's text is `page <number>`.
    pub label: u16,
    /// Whether it failed.
    pub failed: bool,
    /// Bytes received.
    pub bytes: u32,
}

/// The samples of one worker, in the order of their ends. The same seed gives the same samples, however often it is asked.
#[derive(Clone, Debug)]
pub struct Generator {
    random: fastrand::Rng,
    labels: u16,
    failures_per_thousand: u16,
    mean_gap: Duration,
    mean_response: Duration,
    next: Sample,
    /// Since the start of the load.
    elapsed: Duration,
    began_ms: i64,
}

impl Generator {
    /// The samples of a load that began at an instant, in milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn new(behaviour: &Behaviour, seed: u64, began_ms: i64) -> Self {
        let mut generator = Self {
            random: fastrand::Rng::with_seed(seed),
            labels: behaviour.labels.max(1),
            failures_per_thousand: behaviour.failures_per_thousand,
            mean_gap: behaviour.mean_gap(),
            mean_response: behaviour.mean_response,
            next: Sample { ended_ms: began_ms, elapsed_ms: 0, label: 0, failed: false, bytes: 0 },
            elapsed: Duration::ZERO,
            began_ms,
        };
        generator.next = generator.draw();
        generator
    }

    /// The next sample that ended before an instant, in milliseconds since 1970-01-01 UTC; `None`: not yet.
    pub fn before(&mut self, instant_ms: i64) -> Option<Sample> {
        if self.next.ended_ms >= instant_ms {
            return None;
        }
        let sample = self.next;
        self.next = self.draw();
        Some(sample)
    }

    fn draw(&mut self) -> Sample {
        self.elapsed = self.elapsed.saturating_add(self.exponential(self.mean_gap));
        let since_ms = i64::try_from(self.elapsed.as_millis()).unwrap_or(i64::MAX);
        // No request began before the load.
        let response = self.exponential(self.mean_response).min(LONGEST).min(self.elapsed);
        Sample {
            ended_ms: self.began_ms.saturating_add(since_ms),
            elapsed_ms: u32::try_from(response.as_millis()).unwrap_or(u32::MAX),
            label: self.random.u16(0..self.labels),
            failed: self.random.u16(0..1000) < self.failures_per_thousand,
            bytes: self.random.u32(BYTES),
        }
    }

    /// By the inverse of the distribution function; the random number is below 1, so its logarithm is finite.
    fn exponential(&mut self, mean: Duration) -> Duration {
        mean.mul_f64(-(1.0 - self.random.f64()).ln())
    }
}

#[cfg(test)]
mod tests {
    use volley_stats::{Limits, Parser, Recorder};

    use super::*;

    const BEGAN_MS: i64 = 1_800_000_000_000;

    fn samples(behaviour: &Behaviour, seed: u64, seconds: i64) -> Vec<Sample> {
        let mut generator = Generator::new(behaviour, seed, BEGAN_MS);
        std::iter::from_fn(|| generator.before(BEGAN_MS + 1000 * seconds)).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_samples_in_however_many_pieces_they_are_asked_for() {
        let behaviour = Behaviour::default();
        let whole = samples(&behaviour, 7, 60);
        let mut generator = Generator::new(&behaviour, 7, BEGAN_MS);
        let mut pieces = Vec::new();
        for instant in (0..=60_000).step_by(77).chain([60_000]) {
            pieces.extend(std::iter::from_fn(|| generator.before(BEGAN_MS + instant)));
        }
        assert_eq!(pieces, whole);
        assert_ne!(samples(&behaviour, 8, 60), whole);
    }

    #[test]
    fn rate_response_times_failures_and_labels_are_what_was_asked_for() {
        let behaviour = Behaviour { samples_per_minute: 600, failures_per_thousand: 100, ..Behaviour::default() };
        let samples = samples(&behaviour, 1, 3600);
        // 36,000 are expected; four standard deviations of a Poisson distribution are 760.
        let count = u32::try_from(samples.len()).unwrap();
        assert!(count.abs_diff(36_000) < 760, "{count}");
        let mean = samples.iter().map(|sample| u64::from(sample.elapsed_ms)).sum::<u64>() / u64::from(count);
        assert!(mean.abs_diff(80) < 4, "{mean}");
        let failed = u32::try_from(samples.iter().filter(|sample| sample.failed).count()).unwrap();
        assert!(failed.abs_diff(3_600) < 300, "{failed}");
        for label in 0..5 {
            assert!(samples.iter().filter(|sample| sample.label == label).count() > 6_000);
        }
        assert!(samples.iter().all(|sample| sample.ended_ms - i64::from(sample.elapsed_ms) >= BEGAN_MS));
        assert!(samples.is_sorted_by_key(|sample| sample.ended_ms));
    }

    #[rstest::rstest]
    #[case(Engine::JMeter, volley_stats::Engine::JMeter)]
    #[case(Engine::Locust, volley_stats::Engine::Locust)]
    fn the_rows_are_read_as_the_samples_that_they_are(#[case] engine: Engine, #[case] reader: volley_stats::Engine) {
        let samples = samples(&Behaviour { failures_per_thousand: 100, ..Behaviour::default() }, 3, 60);
        let mut text = engine.header().to_owned();
        for sample in &samples {
            engine.write_row(sample, 10, &mut text);
        }
        let (mut parser, mut recorder) = (Parser::new(reader), Recorder::new(Limits::default()));
        let mut read = Vec::new();
        parser
            .push(text.as_bytes(), &mut |sample| {
                read.push((sample.end_us, sample.elapsed_us, sample.bytes));
                recorder.record(0, &sample);
            })
            .unwrap();
        let expected: Vec<_> = samples
            .iter()
            .map(|sample| (sample.ended_ms * 1000, u64::from(sample.elapsed_ms) * 1000, Some(u64::from(sample.bytes))))
            .collect();
        assert_eq!(read, expected);
        let (collection, _) = recorder.into_parts();
        let failed = u64::try_from(samples.iter().filter(|sample| sample.failed).count()).unwrap();
        assert_eq!(collection.total().errors(), failed);
    }
}
