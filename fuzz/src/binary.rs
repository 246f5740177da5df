//! The byte formats of ours.

use volley_stats::{Collection, Histogram, Percentile, file};

/// A histogram that is read has canonical bytes, and its percentiles are in order.
pub fn histogram(bytes: &[u8]) {
    let Ok(histogram) = Histogram::decode(bytes) else { return };
    let canonical = histogram.encode();
    assert_eq!(Histogram::decode(&canonical).as_ref(), Ok(&histogram));
    assert_eq!(canonical, bytes, "equal histograms have equal bytes");
    let counted = histogram.slots().fold(0_u64, |sum, (_, count)| sum.saturating_add(count).min(i64::MAX as u64));
    assert_eq!(counted, histogram.total());
    let mut last = 0;
    for thousandths in (0..=Percentile::WHOLE).step_by(1_000) {
        let Some(slot) = histogram.slot_at(Percentile::from_thousandths(thousandths).unwrap()) else {
            assert!(histogram.is_empty());
            return;
        };
        assert!(slot.low_us <= slot.midpoint_us() && slot.midpoint_us() <= slot.high_us && last <= slot.low_us);
        last = slot.low_us;
    }
    let mut twice = histogram.clone();
    twice.merge(&histogram);
    assert!(Histogram::decode(&twice.encode()) == Ok(twice));
}

/// A worker's file that is read has canonical bytes, and merging with nothing changes nothing.
pub fn worker_file(bytes: &[u8]) {
    let Ok(collection) = file::decode(bytes) else { return };
    assert_eq!(file::encode(&collection), bytes, "equal collections have equal bytes");
    let mut sum = Collection::default();
    sum.merge(&collection);
    assert_eq!(sum, collection);
    sum.merge(&collection);
    assert_eq!(file::decode(&file::encode(&sum)), Ok(sum), "what was merged can be read");
}
