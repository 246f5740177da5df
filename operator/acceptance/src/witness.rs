//! Raw samples as an independent witness: read with a CSV library, sorted, nearest rank. Shares no code with what it judges.

use std::collections::BTreeMap;
use std::time::Duration;

use volley_storage::ObjectStore;
use volley_storage::documents::Figures;

/// One response, as the engine wrote it.
#[derive(Clone, Debug)]
pub struct RawSample {
    /// The worker that measured it: region, index and pod.
    pub worker: String,
    /// When it ended, in milliseconds since 1970-01-01 UTC.
    pub ended_ms: i64,
    /// Label.
    pub label: String,
    /// Response time in microseconds.
    pub elapsed_us: u64,
    /// Did it succeed?
    pub success: bool,
    /// Bytes received; 0 for k6, which does not say them for each request.
    pub bytes: u64,
}

type Row = BTreeMap<String, String>;

/// All raw samples that the workers of a run uploaded.
pub async fn raw_samples(store: &ObjectStore, run_uid: &str) -> Vec<RawSample> {
    let prefix = format!("runs/v1/{run_uid}/workers/");
    let mut samples = Vec::new();
    for object in store.list_all(&prefix, 10_000).await.expect("the run's objects can be listed") {
        let Some((worker, file)) = object.key[prefix.len()..].split_once("/samples/") else { continue };
        if !file.contains("kpi") {
            continue;
        }
        let packed = store
            .get(&object.key, 1 << 30)
            .await
            .expect("the samples can be fetched")
            .expect("a listed object is there");
        let text = zstd::decode_all(packed.as_ref()).expect("the samples are zstd");
        let mut reader = csv::Reader::from_reader(text.as_slice());
        let rows = reader.deserialize::<Row>().map(|row| row.expect("the engine's rows are CSV"));
        if object.key.contains(".csv") {
            // k6: one row for each metric of a request.
            let durations = rows.filter(|row| row["metric_name"] == "http_req_duration");
            samples.extend(durations.map(|row| from_k6(worker, &row)));
        } else {
            samples.extend(rows.map(|row| from_table(worker, &row)));
        }
    }
    samples
}

fn from_table(worker: &str, row: &Row) -> RawSample {
    let elapsed_ms: u32 = row["elapsed"].parse().expect("elapsed is a number");
    let stamp_ms: i64 = row["timeStamp"].parse().expect("the stamp is a number");
    // Only Locust's rows have a method; they are stamped with the end of the request, JMeter's with its start.
    let until_its_end_ms = if row.contains_key("method") { 0 } else { elapsed_ms };
    RawSample {
        worker: worker.to_owned(),
        ended_ms: stamp_ms + i64::from(until_its_end_ms),
        label: row["label"].clone(),
        elapsed_us: 1000 * u64::from(elapsed_ms),
        success: row["success"] == "true",
        bytes: row["bytes"].parse().expect("bytes is a number"),
    }
}

fn from_k6(worker: &str, row: &Row) -> RawSample {
    let milliseconds: f64 = row["metric_value"].parse().expect("a duration is a number");
    let nanoseconds = Duration::from_secs_f64(milliseconds / 1000.0).as_nanos();
    RawSample {
        worker: worker.to_owned(),
        ended_ms: row["timestamp"].parse().expect("the stamp is a number"),
        label: row["name"].clone(),
        elapsed_us: u64::try_from((nanoseconds + 500) / 1000).expect("fits"),
        success: row["expected_response"] == "true",
        bytes: 0,
    }
}

/// Number of workers' folders in the storage that hold a file of this name.
pub async fn count_objects(store: &ObjectStore, run_uid: &str, name: &str) -> usize {
    let prefix = format!("runs/v1/{run_uid}/workers/");
    let objects = store.list_all(&prefix, 10_000).await.expect("the run's objects can be listed");
    objects.iter().filter(|object| object.key.ends_with(&format!("/{name}"))).count()
}

/// Sums of all `final-stats.xml` of a run: requests, failures and bytes of the group of all labels.
pub async fn summed_xml(store: &ObjectStore, run_uid: &str) -> (u64, u64, u64) {
    let prefix = format!("runs/v1/{run_uid}/workers/");
    let mut sums = (0, 0, 0);
    for object in store.list_all(&prefix, 10_000).await.expect("the run's objects can be listed") {
        if !object.key.ends_with("/final-stats.xml") {
            continue;
        }
        let bytes =
            store.get(&object.key, 1 << 30).await.expect("the XML can be fetched").expect("a listed object is there");
        let text = String::from_utf8(bytes.to_vec()).expect("the XML is text");
        let whole = text
            .split("<Group label=\"\">")
            .nth(1)
            .and_then(|rest| rest.split("</Group>").next())
            .expect("the XML has totals");
        let value = |element: &str| -> u64 {
            let after = whole
                .split(&format!("<{element} value=\""))
                .nth(1)
                .unwrap_or_else(|| panic!("the XML has no {element}"));
            after
                .split('"')
                .next()
                .and_then(|text| text.parse().ok())
                .unwrap_or_else(|| panic!("{element} is no number"))
        };
        sums.0 += value("throughput");
        sums.1 += value("fail");
        sums.2 += value("bytes");
    }
    sums
}

/// Nearest-rank percentile of response times, in microseconds; `thousandths` is in thousandths of a percent.
#[must_use]
pub fn percentile_us(samples: &[RawSample], thousandths: u64) -> u64 {
    let mut times: Vec<u64> = samples.iter().map(|sample| sample.elapsed_us).collect();
    times.sort_unstable();
    let count = times.len() as u64;
    let rank = (count * thousandths).div_ceil(100_000).max(1);
    times[usize::try_from(rank - 1).expect("fits")]
}

/// Insists that each percentile of a result is that of the sorted samples, within 0.1 % and 1 µs.
pub fn assert_percentiles(figures: &Figures, samples: &[RawSample], what: &str) {
    for (name, thousandths, value) in [
        ("p50", 50_000, figures.p50_us),
        ("p90", 90_000, figures.p90_us),
        ("p95", 95_000, figures.p95_us),
        ("p99", 99_000, figures.p99_us),
        ("p99.9", 99_900, figures.p999_us),
        ("max", 100_000, figures.max_us),
    ] {
        let exact = percentile_us(samples, thousandths);
        let value = value.unwrap_or_else(|| panic!("{what} has no {name}"));
        assert!(
            value.abs_diff(exact) * 1000 <= exact.max(1000),
            "{name} of {what}: {value} µs, the sorted samples say {exact} µs, more than 0.1 % and 1 µs apart"
        );
    }
}
