//! The parsers: files as engines wrote them, random files with the `csv` crate as the judge, random bytes, random pieces.

mod jtl;
mod k6;
mod limits;
mod molotov;
mod pieces;

use volley_stats::samples::{self, ParseError};
use volley_stats::{Engine, Parser, Sample};

const JMETER_HEADER: &str = "timeStamp,elapsed,label,responseCode,responseMessage,threadName,success,bytes,grpThreads,\
                             allThreads,Latency,Hostname,Connect\n";

/// A file of each engine, as it wrote it.
const FILES: [(Engine, &[u8]); 8] = [
    (Engine::JMeter, include_bytes!("../../samples/jmeter-kpi.jtl")),
    (Engine::JMeter, include_bytes!("../../samples/jmeter-kpi-errors-transactions.jtl")),
    (Engine::Locust, include_bytes!("../../samples/locust-kpi.jtl")),
    (Engine::Locust, include_bytes!("../../samples/locust-kpi-errors.jtl")),
    (Engine::K6, include_bytes!("../../samples/k6-kpi.csv")),
    (Engine::Apiritif, include_bytes!("../../samples/apiritif.0.csv")),
    (Engine::Molotov, include_bytes!("../../samples/molotov-report.ldjson")),
    (Engine::Taurus, include_bytes!("../../samples/taurus-samples.csv")),
];

/// Everything of a sample in one text, so that samples outlive the parser.
fn describe(sample: &Sample<'_>) -> String {
    format!("{sample:?}")
}

/// What a parser makes of a file: its outcome, the samples, the number of malformed rows.
type Parsed = (Result<(), ParseError>, Vec<String>, u64);

/// Parses bytes in the pieces that `cuts` make of them.
fn parse(engine: Engine, bytes: &[u8], cuts: &[usize]) -> Parsed {
    let mut parser = Parser::new(engine);
    let mut samples = Vec::new();
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    let mut outcome = Ok(());
    for piece in cuts.windows(2) {
        outcome = parser.push(&bytes[piece[0]..piece[1]], &mut |sample| samples.push(describe(&sample)));
    }
    parser.finish();
    assert_eq!(parser.samples(), samples.len() as u64);
    (outcome, samples, parser.malformed())
}

/// Calls `check` with the samples of a file, and fails if any row is malformed.
fn each_sample(engine: Engine, bytes: &[u8], mut check: impl FnMut(usize, Sample<'_>)) -> u64 {
    let mut parser = Parser::new(engine);
    let mut position = 0;
    let sink = &mut |sample: Sample<'_>| {
        check(position, sample);
        position += 1;
    };
    parser.push(bytes, sink).unwrap();
    parser.finish();
    assert_eq!(parser.malformed(), 0);
    parser.samples()
}

#[test]
fn the_first_row_tells_the_engine() {
    for (engine, file) in FILES {
        let first_row = file.iter().position(|byte| b"\r\n".contains(byte)).unwrap();
        for cut in 0..=first_row {
            assert_eq!(samples::detect(&file[..cut]), None, "{engine} {cut}: the row is not there yet");
        }
        assert_eq!(samples::detect(&file[..=first_row]), Some(engine));
        assert_eq!(samples::detect(file), Some(engine));
    }
}

#[test]
fn columns_that_a_user_has_chosen_are_jmeter_s() {
    for header in [
        "timeStamp,elapsed,label,success\n",
        "\u{feff}timeStamp,elapsed,label,responseCode,success,URL\r\n",
        "timeStamp,elapsed,label,responseCode,responseMessage,success,bytes,allThreads,Latency\n",
        "timeStamp,elapsed,label,success,threadName,method\n",
        "\n\"label\",\"timeStamp\",\"elapsed\",\"success\"\n",
    ] {
        assert_eq!(samples::detect(header.as_bytes()), Some(Engine::JMeter), "{header}");
    }
}

#[test]
fn what_no_engine_writes_is_of_no_engine() {
    for text in [
        "",
        "\n\n",
        "a,b,c\n1,2,3\n",
        "<?xml version=\"1.0\"?>\n<FinalStatus>\n",
        "{\"version\": 1}\n",
        "{\"ts\": 1, \"type\": ",
        "[1]\n",
        "timeStamp,elapsed,label\n",
    ] {
        assert_eq!(samples::detect(text.as_bytes()), None, "{text}");
    }
    assert_eq!(samples::detect(&vec![b'x'; 2 * samples::MAXIMUM_ROW_BYTES]), None);
    assert_eq!(samples::detect(&[0; 100]), None);
}

#[test]
fn each_engine_has_a_name_that_is_read_back() {
    for engine in Engine::ALL {
        assert_eq!(engine.to_string().parse(), Ok(engine));
        assert_eq!(serde_json::to_string(&engine).unwrap(), format!("\"{engine}\""));
    }
    let error = "tsung".parse::<Engine>().unwrap_err().to_string();
    assert!(error.contains("'tsung'") && error.contains("molotov"), "{error}");
}
