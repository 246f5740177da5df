//! The pieces in which a file arrives, and the processes that read it, make no difference.

use proptest::prelude::*;
use volley_stats::samples::ParserCheckpoint;
use volley_stats::{Engine, Parser, Sample};

use super::{FILES, describe, parse};

/// Bytes in which what is special to the formats is frequent, sometimes behind a good beginning.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        6 => proptest::sample::select(b",\"\n\r0179truefalse".to_vec()),
        1 => any::<u8>(),
        1 => proptest::sample::select(b"\xef\xbb\xbf".to_vec()),
    ];
    let rows = proptest::sample::select(vec![
        &b"1000,5,a,true\n"[..],
        b"timeStamp,elapsed,label,success\n",
        b"\xef\xbb\xbf1000,5,a,true\r\n",
        b"http_reqs,1000,1,a,200\n",
        b"http_req_duration,1000,1.5,a,200\n",
        b"http_req_connecting,1000,1.5,a,200\nhttp_req_tls_handshaking,1000,1.5,\"a\",200\nhttp_req_waiting,1000,1.5,a,200\n",
        b"metric_name,timestamp,metric_value,name,status\n",
        b"grpc_req_duration,1000,1.5,a,0\nvus,1000,2.0,,\n",
        b"{\"ts\": 1, \"type\": \"workers\", \"value\": 3}\n",
        b"{\"ts\": 1, \"type\": \"scenario_success\", \"name\": \"a\", \"duration\": 0.1}\n",
    ]);
    let part = prop_oneof![
        80 => proptest::collection::vec(byte, 0..40),
        80 => rows.prop_map(<[u8]>::to_vec),
        1 => Just(vec![b'x'; 70_000]),
    ];
    proptest::collection::vec(part, 0..20).prop_map(|parts| parts.concat())
}

/// Noise behind a good first row, or not.
fn file() -> impl Strategy<Value = (Engine, Vec<u8>)> {
    let engine = proptest::sample::select(Engine::ALL.to_vec());
    (engine, any::<bool>(), noise()).prop_map(|(engine, with_header, noise)| {
        let header: &[u8] = match engine {
            _ if !with_header => b"",
            Engine::JMeter | Engine::Locust | Engine::Apiritif | Engine::Taurus => b"timeStamp,elapsed,label,success\n",
            Engine::K6 => b"metric_name,timestamp,metric_value,name,status\n",
            Engine::Molotov => b"{\"ts\": 1, \"type\": \"request\"}\n",
        };
        (engine, [header, &noise].concat())
    })
}

/// Parses a file with a new parser behind each cut, which begins with the bytes that the one before had not finished.
fn parse_in_processes(engine: Engine, bytes: &[u8], cuts: &[usize]) -> (Vec<String>, u64) {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.push(bytes.len());
    cuts.sort_unstable();
    let mut parser = Parser::new(engine);
    let mut samples = Vec::new();
    let mut place = 0;
    for cut in cuts {
        let _ = parser.push(&bytes[place..cut], &mut |sample: Sample<'_>| samples.push(describe(&sample)));
        place = cut - usize::try_from(parser.unfinished_bytes()).unwrap();
        let stored = serde_json::to_vec(&parser.checkpoint()).unwrap();
        parser = Parser::resume(serde_json::from_slice(&stored).unwrap()).unwrap();
    }
    let _ = parser.push(&bytes[place..], &mut |sample: Sample<'_>| samples.push(describe(&sample)));
    parser.finish();
    assert_eq!(parser.samples(), samples.len() as u64);
    (samples, parser.malformed())
}

#[test]
fn a_file_of_each_engine_may_be_read_by_many_processes() {
    for (engine, file) in FILES {
        let (_, samples, malformed) = parse(engine, file, &[]);
        for step in [1, 7, 97, 1000] {
            let cuts: Vec<usize> = (0..file.len().min(3000)).step_by(step).collect();
            assert_eq!(parse_in_processes(engine, file, &cuts), (samples.clone(), malformed), "{engine} {step}");
        }
    }
}

#[test]
fn a_checkpoint_with_a_header_of_another_engine_is_refused() {
    let mut parser = Parser::new(Engine::JMeter);
    parser.push(FILES[0].1, &mut |_| {}).unwrap();
    let checkpoint = ParserCheckpoint { engine: Engine::K6, ..parser.checkpoint() };
    let error = Parser::resume(checkpoint).err().unwrap().to_string();
    assert!(error.starts_with("sample file of k6 has no column metric_name"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn any_bytes_give_the_same_whatever_the_pieces_and_never_panic(
        (engine, file) in file(),
        cuts in proptest::collection::vec(any::<usize>(), 0..30),
    ) {
        let whole = parse(engine, &file, &[]);
        prop_assert_eq!(&parse(engine, &file, &cuts), &whole);
        // Byte by byte no line is ever there as a whole: all of them go through `csv-core`.
        prop_assert_eq!(&parse(engine, &file, &(0..file.len()).collect::<Vec<_>>()), &whole);
    }

    #[test]
    fn any_bytes_give_the_same_whatever_the_processes(
        (engine, file) in file(),
        cuts in proptest::collection::vec(any::<usize>(), 0..8),
    ) {
        let (_, samples, malformed) = parse(engine, &file, &[]);
        prop_assert_eq!(parse_in_processes(engine, &file, &cuts), (samples, malformed));
    }
}
