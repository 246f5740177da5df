//! The byte formats of ours.

use volley_stats::series::{EncodedSeries, LiveSeries, SeriesSum};
use volley_stats::{Collection, Engine, Frame, Histogram, Parser, Percentile, Recorder, Series, file};

/// A histogram that is read is the same from its canonical bytes, and its percentiles are in order.
pub fn histogram(bytes: &[u8]) {
    let Ok(histogram) = Histogram::decode(bytes) else { return };
    let canonical = histogram.encode();
    assert_eq!(Histogram::decode(&canonical).as_ref(), Ok(&histogram));
    // Others may write zeros in a longer form.
    assert!(canonical.len() <= bytes.len());
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

/// A worker's file that is read is the same from its canonical bytes, and merging with nothing changes nothing.
pub fn worker_file(bytes: &[u8]) {
    let Ok(collection) = file::decode(bytes) else { return };
    let canonical = file::encode(&collection);
    assert_eq!(file::decode(&canonical).as_ref(), Ok(&collection));
    // Only the histograms in it may have a longer form.
    assert!(canonical.len() <= bytes.len());
    let mut sum = Collection::default();
    sum.merge(&collection);
    assert_eq!(sum, collection);
    sum.merge(&collection);
    assert_eq!(file::decode(&file::encode(&sum)), Ok(sum), "what was merged can be read");
}

/// A series that is read has canonical bytes, and merging one by one and all together are the same.
pub fn series(bytes: &[u8]) {
    let Ok(series) = Series::decode(bytes) else { return };
    assert_eq!(series.encode(), bytes, "equal series have equal bytes");
    let mut merged = Series::default();
    merged.merge(&series);
    assert_eq!(merged, series, "nothing and a series are that series");
    merged.merge(&series);
    assert_eq!(Series::decode(&merged.encode()).as_ref(), Ok(&merged), "what was merged can be read");
    let mut sum = SeriesSum::default();
    sum.add(&series);
    sum.add_encoded(&EncodedSeries::read(bytes).unwrap());
    assert_eq!(sum.finish(), merged);
    let requests = |series: &Series| series.points().map(|point| u128::from(point.figures.requests)).sum::<u128>();
    if requests(&series) < 1 << 60 {
        assert_eq!(requests(&merged), 2 * requests(&series));
    }
}

/// A frame that is read is written with the same bytes, and adding it up gives as much as it says.
pub fn frame(bytes: &[u8]) {
    let Ok(frame) = Frame::decode(bytes) else { return };
    assert_eq!(frame.encode(), bytes, "equal frames have equal bytes");
    for (second, told) in &frame.seconds {
        assert!(*second <= frame.through && !told.is_empty());
        let mut totals = told.totals();
        let requests = totals.requests();
        assert!(totals.errors <= requests);
        totals.merge(&told.totals());
        assert_eq!(totals.requests(), requests.saturating_mul(2).min(i64::MAX as u64));
        let mut series = LiveSeries::new(["here"]);
        series.add("here", *second, told.users, &totals);
        assert_eq!(LiveSeries::decode(&series.encode()).as_ref(), Ok(&series), "what was added can be read");
    }
}

/// A live series that is read is written with the same bytes, and its percentiles are in order.
pub fn live_series(bytes: &[u8]) {
    let Ok(series) = LiveSeries::decode(bytes) else { return };
    assert_eq!(series.encode(), bytes, "equal series have equal bytes");
    assert!(series.distribution_step_seconds() >= series.step_seconds());
    for target in std::iter::once(None).chain(series.targets().map(Some)) {
        assert!(series.points(target).count() <= 3_600 && series.distributions(target).count() <= 600);
        for point in series.distributions(target) {
            assert!(point.percentile(Percentile::P50) <= point.percentile(Percentile::P99));
        }
    }
}

/// A checkpoint of a recorder that is read is written with the same bytes, and the recorder goes on.
pub fn recorder_checkpoint(bytes: &[u8]) {
    let Ok(mut recorder) = Recorder::restore(bytes) else { return };
    let written = recorder.checkpoint();
    let mut again = Recorder::restore(&written).unwrap();
    assert_eq!(again.checkpoint(), written);
    assert_eq!((again.collection(), again.series()), (recorder.collection(), recorder.series()));
    let samples = recorder.collection().overview.samples;
    let rows = b"timeStamp,elapsed,label,success\n1795582173939,31,pay,true\n1795582174939,31,,false\n";
    Parser::new(Engine::JMeter).push(rows, &mut |sample| recorder.record(0, &sample)).unwrap();
    let (collection, series) = recorder.into_parts();
    assert_eq!(collection.overview.samples, samples.saturating_add(2).min(i64::MAX as u64));
    assert_eq!(Series::decode(&series.encode()), Ok(series));
    assert_eq!(file::decode(&file::encode(&collection)), Ok(collection));
}
