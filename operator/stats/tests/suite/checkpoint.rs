//! A recorder that is stored and restored goes on as if nothing had happened.

use proptest::prelude::*;
use proptest::sample::Index;
use volley_stats::recorder::CheckpointError;
use volley_stats::series::Bounds;
use volley_stats::{Limits, Recorder, file};

use crate::generators::{OwnedSample, STOP_US, TIGHT, samples};

fn limits(tight: bool) -> Limits {
    if tight {
        Limits { series: Bounds { row_points: 6, label_points: 9, label_slots: 25 }, ..TIGHT }
    } else {
        Limits::default()
    }
}

fn record(recorder: &mut Recorder, samples: &[OwnedSample]) {
    for (place, sample) in samples.iter().enumerate() {
        recorder.record(place % 3, &sample.borrow());
    }
}

fn bytes(recorder: Recorder) -> (Vec<u8>, Vec<u8>) {
    let (collection, series) = recorder.into_parts();
    (file::encode(&collection), series.encode())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_restored_recorder_goes_on_as_one_that_was_never_stopped(
        parts in proptest::collection::vec(samples(30), 1..5), tight: bool, stop_after in 0_usize..5, malformed in 0_u64..3,
    ) {
        let mut whole = Recorder::new(limits(tight));
        let mut restored = Recorder::new(limits(tight));
        for (number, part) in parts.iter().enumerate() {
            for recorder in [&mut whole, &mut restored] {
                if number == stop_after {
                    recorder.stop_at(STOP_US);
                }
                recorder.add_malformed(malformed);
                record(recorder, part);
            }
            let checkpoint = restored.checkpoint();
            restored = Recorder::restore(&checkpoint).unwrap();
            prop_assert_eq!(restored.checkpoint(), checkpoint);
        }
        prop_assert_eq!(bytes(restored.clone()), bytes(whole.clone()));
        prop_assert_eq!(restored.encode_collection(), file::encode(&whole.collection()));
        prop_assert_eq!(restored.series(), whole.into_parts().1);
    }

    #[test]
    fn a_cut_or_damaged_checkpoint_is_an_error_or_another_state(
        all in samples(30), at in any::<Index>(), byte: u8, cut in any::<Index>(),
    ) {
        let mut recorder = Recorder::new(Limits::default());
        record(&mut recorder, &all);
        let good = recorder.checkpoint();
        prop_assert!(Recorder::restore(&good[..cut.index(good.len())]).is_err());
        let mut damaged = good;
        let at = at.index(damaged.len());
        damaged[at] = byte;
        if let Ok(mut other) = Recorder::restore(&damaged) {
            record(&mut other, &all);
            bytes(other);
        }
    }
}

#[test]
fn what_is_wrong_with_a_checkpoint_is_said() {
    let mut recorder = Recorder::new(Limits::default());
    let good = recorder.checkpoint();
    assert_eq!(Recorder::restore(b"VOLLEYH1").err(), Some(CheckpointError::Magic));
    let message = |bytes: &[u8]| Recorder::restore(bytes).unwrap_err().to_string();
    assert_eq!(message(&good[..9]), "checkpoint: its limits cannot be read; the file is truncated or damaged");
    let mut longer = good.clone();
    longer.push(0);
    assert_eq!(
        message(&longer),
        "checkpoint: histogram file: its end is not \"VOLLEYH1\"; it is another object or was cut"
    );

    let sample = |label: &str| OwnedSample {
        kind: volley_stats::SampleKind::Request,
        label: label.into(),
        start_us: 0,
        elapsed_us: 5_000,
        first_byte_us: None,
        bytes: Some(3),
        code: "200",
        message: "OK",
        success: true,
        active_users: None,
    };
    recorder.record(0, &sample("first").borrow());
    let mut other = recorder.checkpoint();
    // The name in the series, which comes first.
    let at = other.windows(5).position(|window| window == b"first").unwrap();
    other[at] = b'F';
    assert_eq!(
        message(&other),
        "checkpoint: its series has the label 'First', its statistics have not; the file is damaged"
    );
}
