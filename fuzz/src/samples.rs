//! The parsers of sample files, and the statistics behind them.

use volley_stats::samples::{MAXIMUM_ROW_BYTES, ParserCheckpoint, detect};
use volley_stats::series::Bounds;
use volley_stats::{Engine, Limits, Parser, Recorder, Sample, Series, file};

use crate::pieces::{Numbers, pieces};

/// Properties of JMeter's `kpi.jtl`.
pub fn jmeter(bytes: &[u8]) {
    sample_file(Engine::JMeter, bytes);
}

/// Properties of Locust's `kpi.jtl`.
pub fn locust(bytes: &[u8]) {
    sample_file(Engine::Locust, bytes);
}

/// Properties of Apiritif's CSV.
pub fn apiritif(bytes: &[u8]) {
    sample_file(Engine::Apiritif, bytes);
}

/// Properties of k6's CSV.
pub fn k6(bytes: &[u8]) {
    sample_file(Engine::K6, bytes);
}

/// Properties of Molotov's rows of JSON.
pub fn molotov(bytes: &[u8]) {
    sample_file(Engine::Molotov, bytes);
}

/// Properties of the samples that the worker writes for any other executor.
pub fn taurus(bytes: &[u8]) {
    sample_file(Engine::Taurus, bytes);
}

/// What a parser made of a file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Reading {
    samples: Vec<OwnedSample>,
    malformed: u64,
    failure: Option<String>,
}

/// A sample that owns its texts.
#[derive(Debug, PartialEq, Eq)]
struct OwnedSample {
    label: String,
    code: String,
    message: String,
    /// The sample without texts.
    rest: Sample<'static>,
}

impl From<Sample<'_>> for OwnedSample {
    fn from(sample: Sample<'_>) -> Self {
        let Sample { kind, start_us, end_us, elapsed_us, first_byte_us, connect_us, bytes, success, .. } = sample;
        let rest = Sample {
            kind,
            label: "",
            start_us,
            end_us,
            elapsed_us,
            first_byte_us,
            connect_us,
            bytes,
            code: "",
            message: "",
            success,
            active_users: sample.active_users,
        };
        let [label, code, message] = [sample.label, sample.code, sample.message].map(str::to_owned);
        Self { label, code, message, rest }
    }
}

fn sample_file(engine: Engine, bytes: &[u8]) {
    let whole = read(Parser::new(engine), std::iter::once(bytes));
    // A sample has a row, and each row a byte at least; the end of the file may be one malformed row more.
    assert!(whole.samples.len() as u64 + whole.malformed <= bytes.len() as u64 + 1, "more rows than bytes");
    assert_eq!(read(Parser::new(engine), pieces(bytes)), whole, "the pieces in which bytes arrive must not matter");
    assert_eq!(interrupted(engine, bytes), whole, "a parser must go on from its checkpoint as if nothing had been");
    let (beginning, _) = bytes.split_at(Numbers::from_bytes(bytes).up_to(bytes.len()));
    let found = detect(beginning);
    assert!(found.is_none() || found == detect(bytes), "what follows the first row changes its engine");
    statistics(engine, bytes);
}

/// Reads pieces to their end.
fn read<'a>(mut parser: Parser, pieces: impl Iterator<Item = &'a [u8]>) -> Reading {
    let mut reading = Reading::default();
    for piece in pieces {
        push(&mut parser, piece, &mut reading);
    }
    finish(parser, reading)
}

fn push(parser: &mut Parser, piece: &[u8], reading: &mut Reading) {
    let samples = &mut reading.samples;
    let outcome = parser.push(piece, &mut |sample| {
        assert_sound(&sample);
        samples.push(sample.into());
    });
    reading.failure = outcome.err().map(|error| error.to_string());
}

fn finish(mut parser: Parser, mut reading: Reading) -> Reading {
    parser.finish();
    assert_eq!(parser.samples(), reading.samples.len() as u64, "the samples given out are counted");
    reading.malformed = parser.malformed();
    reading
}

/// Reads some of the bytes, then goes on with a parser made from the checkpoint of the first.
fn interrupted(engine: Engine, bytes: &[u8]) -> Reading {
    let (first, rest) = bytes.split_at(Numbers::from_bytes(bytes).up_to(bytes.len()));
    let mut reading = Reading::default();
    let mut parser = Parser::new(engine);
    pieces(first).for_each(|piece| push(&mut parser, piece, &mut reading));
    let unfinished = usize::try_from(parser.unfinished_bytes()).unwrap();
    assert!(unfinished <= first.len(), "{unfinished} bytes of {} are unfinished", first.len());
    let text = serde_json::to_string(&parser.checkpoint()).unwrap();
    let checkpoint: ParserCheckpoint = serde_json::from_str(&text).unwrap();
    assert_eq!(checkpoint, parser.checkpoint());
    let mut parser = Parser::resume(checkpoint).unwrap();
    push(&mut parser, &first[first.len() - unfinished..], &mut reading);
    pieces(rest).for_each(|piece| push(&mut parser, piece, &mut reading));
    finish(parser, reading)
}

/// What holds for every sample.
fn assert_sound(sample: &Sample<'_>) {
    assert!(!sample.label.is_empty());
    // A byte that is no UTF-8 becomes the three of U+FFFD.
    for text in [sample.label, sample.code, sample.message] {
        assert!(text.len() <= 3 * MAXIMUM_ROW_BYTES);
    }
    let elapsed = i128::from(sample.end_us) - i128::from(sample.start_us);
    assert_eq!(elapsed, i128::from(sample.elapsed_us), "{sample:?}");
}

/// The statistics of the samples survive their files, and a checkpoint in the middle.
fn statistics(engine: Engine, bytes: &[u8]) {
    let tight = Limits {
        labels: 2,
        error_groups: 1,
        codes_per_label: 1,
        label_bytes: 5,
        message_bytes: 4,
        series: Bounds { row_points: 3, label_points: 4, label_slots: 5 },
    };
    // The bounds of a worker take megabytes each time, and are seldom reached by a small input.
    let limits = if Numbers::from_bytes(bytes).up_to(15) == 0 { Limits::default() } else { tight };
    let mut recorder = Recorder::new(limits);
    recorder.stop_at(1_795_582_173_000_000);
    let mut parser = Parser::new(engine);
    let mut samples = 0;
    let mut resumed = recorder.clone();
    let _ = parser.push(bytes, &mut |sample| {
        samples += 1;
        recorder.record(samples % 2, &sample);
        resumed.record(samples % 2, &sample);
        if samples == 3 {
            resumed = Recorder::restore(&resumed.checkpoint()).unwrap();
        }
    });
    parser.finish();
    recorder.add_malformed(parser.malformed());
    resumed.add_malformed(parser.malformed());
    let (collection, series) = recorder.into_parts();
    assert_eq!(collection.overview.samples, parser.samples());
    assert_eq!((&resumed.collection(), &resumed.series()), (&collection, &series));
    assert_eq!(file::decode(&file::encode(&collection)), Ok(collection));
    assert_eq!(Series::decode(&series.encode()), Ok(series));
}
