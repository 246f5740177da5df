//! Canonical bytes against the `hdrhistogram` crate.

use hdrhistogram::serialization::{Deserializer, Serializer as _, V2Serializer};
use proptest::prelude::*;
use volley_stats::Histogram;
use volley_stats::histogram::{HIGHEST_US, LOWEST_US, SIGNIFICANT_DIGITS};

use crate::generators::duration_us;

type Judge = hdrhistogram::Histogram<u64>;

fn judge() -> Judge {
    Judge::new_with_bounds(LOWEST_US, HIGHEST_US, SIGNIFICANT_DIGITS).unwrap()
}

fn judged_bytes(histogram: &Judge) -> Vec<u8> {
    let mut bytes = Vec::new();
    V2Serializer::new().serialize(histogram, &mut bytes).unwrap();
    bytes
}

fn counts() -> impl Strategy<Value = Vec<(u64, u64)>> {
    let count = prop_oneof![
        8 => 1_u64..200,
        1 => (0_u32..50).prop_map(|exponent| 1 << exponent),
        1 => Just(u64::from(u32::MAX)),
    ];
    proptest::collection::vec((duration_us(), count), 0..100)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn both_write_the_same_bytes_and_read_the_other_s(counts in counts()) {
        let mut ours = Histogram::new();
        let mut theirs = judge();
        for (value, count) in &counts {
            ours.record_n(*value, *count);
            theirs.record_n(*value, *count).unwrap();
        }
        let bytes = ours.encode();
        prop_assert_eq!(&bytes, &judged_bytes(&theirs));
        let read_by_them: Judge = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
        prop_assert_eq!(read_by_them, theirs);
        prop_assert_eq!(Histogram::decode(&bytes).unwrap(), ours);
    }

    #[test]
    fn merging_gives_what_the_judge_s_addition_gives(left in counts(), right in counts()) {
        let mut ours = (Histogram::new(), Histogram::new());
        let mut theirs = (judge(), judge());
        for (value, count) in left {
            ours.0.record_n(value, count);
            theirs.0.record_n(value, count).unwrap();
        }
        for (value, count) in right {
            ours.1.record_n(value, count);
            theirs.1.record_n(value, count).unwrap();
        }
        let mut backwards = ours.1.clone();
        backwards.merge(&ours.0);
        ours.0.merge(&ours.1);
        theirs.0.add(&theirs.1).unwrap();
        prop_assert_eq!(ours.0.total(), theirs.0.len());
        prop_assert_eq!(ours.0.encode(), judged_bytes(&theirs.0));
        prop_assert_eq!(backwards.encode(), ours.0.encode());
    }

    #[test]
    fn any_bytes_are_a_histogram_or_an_error(payload in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut bytes = Histogram::new().encode()[..40].to_vec();
        bytes[4..8].copy_from_slice(&u32::try_from(payload.len()).unwrap().to_be_bytes());
        bytes.extend(&payload);
        for input in [&bytes, &payload] {
            if let Ok(histogram) = Histogram::decode(input) {
                prop_assert_eq!(Histogram::decode(&histogram.encode()).unwrap(), histogram);
            }
        }
    }
}
